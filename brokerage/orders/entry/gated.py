"""What every gated act does first, in one transaction: whose rows are locked, what the fence and the rate limit say."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.books.load import world_beside
from brokerage.domain.accounts.account import Account
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.fence import Fence, GateStamp, misplaced, moved, refusal
from brokerage.domain.risk.limits import spans_accounts
from brokerage.domain.risk.pacing import paced
from brokerage.market.context import MarketContext
from qmtl.core.errors import refused
from qmtl.core.limits import RiskLimits
from qmtl.sql.statements.prepared import Later


@dataclass(frozen=True, slots=True)
class Held:
    """The account of an act, locked; with a world limit also the world's accounts."""

    account: Account
    world: list[Account] | None


@dataclass(frozen=True, slots=True)
class Act:
    """An act of an owner, and the sides of those of its orders that could add to a position."""

    owner: Owner
    adding: tuple[Side, ...]


def hold(conn: Connection, market: MarketContext, owner: Owner, seen: RiskLimits) -> Held:
    """Lock what an act of an owner is decided on. Raises NotFound (E_ACCOUNT_UNKNOWN).

    `seen` is the fence's limits as they were before anything was locked. It decides only whose rows are locked; what
    binds is read under the fence's lock. Where that asks for more rows than are locked, the act is to come again.
    """
    return ask_held(conn, market, owner, seen)()


def ask_held(conn: Connection, market: MarketContext, owner: Owner, seen: RiskLimits) -> Later[Held]:
    """As `hold`, heard later: what is asked after it is answered as it stands once the locks are held."""
    if owner.in_no_world:
        alone = accounts_store.ask_account(conn, owner.account, lock=True)
        return lambda: Held(alone(), [])
    world: Later[list[Account] | None] = _nobody
    if spans_accounts(market.limits, seen):  # nobody else of the world decides meanwhile
        world = accounts_store.ask_accounts_of(conn, owner.world_id, lock=True)
    account = accounts_store.ask_account(conn, owner.account, owner.world_id, lock=True)
    return lambda: Held(account(), world())


def _nobody() -> None:
    return None


def placed(order: Order, account: Account) -> Order:
    """The order at its account's venue, which it need not name. Raises InvalidRequest (E_VENUE_UNKNOWN)."""
    if order.venue not in ("", account.venue):
        raise refused("E_VENUE_UNKNOWN", "order.venue", order.venue[:80], f"{account.venue}, the account's, or none")
    return replace(order, venue=account.venue)


def bind(conn: Connection, market: MarketContext, held: Held, view: AccountView, fence: Fence) -> None:
    """Put into the view what the fence, which is locked, limits, and what its world has in other accounts."""
    if held.world is not None:
        view.world_beside = world_beside(conn, market, held.account, fence.world_id, held.world)
    view.world_limits = fence.limits


def admit(
    market: MarketContext, held: Held, fence: Fence, gate: GateStamp, now_ns: int, *, act: Act, asks: bool = True
) -> tuple[Account, Refusal | None]:
    """What fence (if it `asks` it) and rate limit say to an act; the account with the act counted.

    Raises NotReady (E_STALE_EPOCH).
    """
    kind = market.of(held.account).kind
    denied = refusal(fence, gate, act.owner.strategy_id, act.adding, kind) if asks else misplaced(gate.domain, kind)
    if denied is not None:
        return held.account, denied
    if held.world is None and spans_accounts(market.limits, fence.limits):
        raise moved(fence)
    return counted(held.account, market.limits.orders_per_s_max, now_ns, reduces=not act.adding)


def counted(account: Account, per_s: int, now_ns: int, *, reduces: bool) -> tuple[Account, Refusal | None]:
    """Count an act against the account's rate, or refuse it."""
    if not per_s:
        return account, None
    rate_ns = paced(account.rate_ns, per_s, now_ns, reduces=reduces)
    if rate_ns is None:
        message = f"account {account.account} sends orders faster than orders_per_s_max, {per_s} a second"
        return account, Refusal(Denial.RATE_ABOVE_LIMIT, message)
    return replace(account, rate_ns=rate_ns), None

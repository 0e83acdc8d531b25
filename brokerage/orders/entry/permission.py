"""Whether an act that brokerage starts itself may go now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection

from brokerage.domain.accounts.account import Account, TradingState
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.order import Order, OrderShare
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderState
from brokerage.domain.risk.context import increases
from brokerage.domain.risk.fence import Fence, GateStamp, VenueKind, domain_at, lets_go, refusal
from brokerage.domain.trading import commands
from brokerage.domain.trading.netted import overtaken
from brokerage.fences.store import locked_fence
from brokerage.market.context import MarketContext
from brokerage.orders.working import load_open_orders
from qmtl.core.errors import NotReady
from qmtl.core.modes import ExecutionDomain


def may_go(
    book: StrategyBook, trading: TradingState, record: OrderRecord, fence: Fence, at: VenueKind = VenueKind.PAPER
) -> bool:
    """Whether the account's trading state and the fence let a released order go to its kind of venue."""
    reducing = _is_cut(book, record, at) or not increases(
        record.order.side, record.remaining, book.held(record.order.symbol)
    )
    allowed = trading is TradingState.ACTIVE or (trading is TradingState.REDUCING and reducing)
    return allowed and lets_go(fence, record.order.owner.strategy_id, None if reducing else record.order.side, at)


def _is_cut(book: StrategyBook, record: OrderRecord, at: VenueKind) -> bool:
    """Whether an order for more than is held takes what is held and no more: a reduce-only one on paper, where its
    fills are cut, and a stop that was watched here, which is cut before it leaves.
    """
    cuts = at is VenueKind.PAPER or record.let_go or record.state is OrderState.EMULATED
    return record.order.reduce_only and cuts and book.reducible(record.order) > 0


def narrow(book: StrategyBook, trading: TradingState, record: OrderRecord, fence: Fence) -> None:
    """Where only reducing acts may go, two that each reduce alone must not turn the position round together."""
    owner, side = record.order.owner, record.order.side
    if not fence.may_add(owner.strategy_id, side) or trading is TradingState.REDUCING:
        commands.narrow(book, record.id)


def shares_refused(
    order: Order, fences: Mapping[str, Fence], domain: ExecutionDomain, kind: VenueKind
) -> Refusal | None:
    """What the fences of its shares say of a netted order. Raises NotReady (E_STALE_EPOCH), whose message names the
    share.
    """
    for share in order.shares:
        gate = GateStamp(share.epoch, RATE_ONE, domain, share.reduce_only)
        adding = () if share.reduce_only else (share.side,)
        try:
            refused = refusal(fences[share.world_id], gate, share.strategy_id, adding, kind)
        except NotReady as error:
            raise NotReady(error.reason, f"{share}: {error.message}", hint=error.hint) from None
        if refused is not None:
            return Refusal(refused.denial, f"{share}: {refused.message}")
    return None


def shares_barred(conn: Connection, market: MarketContext, account: Account, record: OrderRecord) -> Refusal | None:
    """Why a netted order that was taken may not leave now, if there is a reason: the fence of a share has moved, or
    what it was to reduce is gone, or about to be.
    """
    if not record.order.shares:
        return None
    kind, view = market.of(account).kind, load_open_orders(conn, market, account)
    worlds = sorted({share.world_id for share in record.order.shares})
    fences = {world_id: locked_fence(conn, world_id) for world_id in worlds}
    try:
        return shares_refused(record.order, fences, domain_at(kind), kind) or overtaken(view, record)
    except NotReady as error:
        return Refusal(Denial.FENCED, error.message)


def shares_held(shares: Sequence[OrderShare], fence_of: Callable[[str], Fence], kind: VenueKind) -> bool:
    """Whether a share may not trade on: its world was frozen, or it would add where nothing may be added any more."""
    return not all(
        lets_go(fence_of(share.world_id), share.strategy_id, None if share.reduce_only else share.side, kind)
        for share in shares
    )

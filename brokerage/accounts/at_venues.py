"""Opens the account at a venue of the settings, for the worlds that may use it, audited in the same transaction."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import opening, store
from brokerage.accounts.sharing import require_room
from brokerage.accounts.wire import ACCOUNT_TYPES, fee_rate_of, fee_text, require_currency, world_from_proto
from brokerage.audit import Actor
from brokerage.domain.accounts.account import Account, AccountType, TradingState
from brokerage.domain.models.profiles.named import profile_named
from brokerage.domain.orders.venue_traits import PAPER
from brokerage.market.context import MarketContext
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.core.errors import Conflict, refused
from qmtl.wire.fields import known_enum, require_text

WORLDS_MAX = 100


def draft(market: MarketContext, request: accountservicepb.OpenVenueAccountRequest, now_ns: int) -> Account:
    """The account that is asked for. Raises InvalidRequest, NotFound (E_VENUE_UNKNOWN)."""
    opening.require_name(request.account)
    require_currency(request.base_currency)
    venue = market.at(require_text(request.venue, "venue", 32))
    if venue.venue == PAPER.name:
        raise refused(
            "E_FIELD", "venue", request.venue, "a venue of the settings; OpenPaperAccount opens those on paper"
        )
    kind = AccountType.CASH
    if request.type != accountpb.ACCOUNT_TYPE_UNSPECIFIED:
        kind = known_enum(ACCOUNT_TYPES, request.type, "type")
    named = request.profile or ("" if request.fee_rate else venue.traits.profile)
    if not named and not request.fee_rate:
        want = (
            f"its fee, as a fraction of the notional, or a profile: the fees of venue {venue.venue} are not known here"
        )
        raise refused("E_FIELD", "fee_rate", "empty", want)
    profile = profile_named(request.profile) if request.profile else market.profile
    return Account(
        account=request.account,
        type=kind,
        venue=venue.venue,
        base_currency=request.base_currency,
        starting_cash=0,
        fee_rate=fee_rate_of(request.fee_rate, named),
        profile=named,
        leverage=profile.leverage if kind is AccountType.MARGIN else 1,
        trading_state=TradingState.HALTED,
        created_ns=now_ns,
        feeds=(),
    )


def worlds_from(request: accountservicepb.OpenVenueAccountRequest) -> list[str]:
    """The worlds that are to use it. Raises InvalidRequest (E_FIELD)."""
    worlds = [world_from_proto(world, "world_ids") for world in request.world_ids]
    if not 1 <= len(worlds) <= WORLDS_MAX or len(set(worlds)) < len(worlds):
        raise refused("E_FIELD", "world_ids", f"{len(worlds)} names", f"1 to {WORLDS_MAX}, each once")
    return worlds


def open_at_venue(conn: Connection, wanted: Account, worlds: list[str], actor: Actor, accounts_max: int) -> Account:
    """Create the account, or answer the one that is there.

    Raises Conflict (E_ACCOUNT_CONFLICT), Exhausted (E_ACCOUNTS_LIMIT).
    """
    store.hold_venue(conn, wanted.venue)
    found, there = store.find_account(conn, wanted.account, lock=True), store.name_at(conn, wanted.venue)
    if found is not None:
        allowed = store.worlds_of(conn, [found.account])[found.account]
        if found.same_settings(wanted) and set(worlds) <= set(allowed):
            return found
        raise _conflict(wanted, f"account {wanted.account} exists with other settings or worlds")
    if there is not None:
        raise _conflict(wanted, f"venue {wanted.venue} has an account, {there}: its money is one account's")
    store.add_account(conn, wanted)
    for world_id in sorted(worlds):
        require_room(conn, world_id, accounts_max)
        store.add_world(conn, wanted.account, world_id)
    store.begin_at_venue(conn, wanted.account, wanted.created_ns)
    costs = f"fees of profile {wanted.profile}" if wanted.profile else f"fee {fee_text(wanted)}"
    detail = f"venue {wanted.venue}, worlds {', '.join(worlds)}, {costs}"
    audit.record(
        conn, wanted.created_ns, (actor.name, actor.correlation_id), "open_venue_account", wanted.account, detail
    )
    return wanted


def _conflict(wanted: Account, text: str) -> Conflict:
    return Conflict("E_ACCOUNT_CONFLICT", text, metadata={"account": wanted.account})

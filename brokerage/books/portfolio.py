"""An account's positions, cash and portfolio at its marks, each from one snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import Connection

from brokerage.books import store
from brokerage.books.load import load_view
from brokerage.domain.accounts.account import Account, AccountType
from brokerage.domain.accounts.portfolio import PositionView, view_position
from brokerage.domain.accounts.position import Position, summed
from brokerage.domain.orders.order import Owner
from brokerage.domain.orders.venue_traits import PAPER
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.maintenance import liquidation_prices
from brokerage.market.context import MarketContext
from qmtl.core.errors import NotFound

OwnedViews = list[tuple[Owner, PositionView]]


def positions(
    conn: Connection, market: MarketContext, account: Account, world_id: str = "", strategy_id: str = ""
) -> OwnedViews:
    """Positions by owner, of all or those of one world or strategy, valued at the account's marks."""
    found = store.load_positions(conn, account.account, world_id, strategy_id)
    prices = _liquidations(conn, market, account)
    return [(owner, _valued(market, account, prices, symbol, position)) for owner, symbol, position in found]


def netted(
    conn: Connection, market: MarketContext, account: Account, world_id: str = "", strategy_id: str = ""
) -> OwnedViews:
    """One position per symbol over the same owners: quantities, costs and profits summed. Its owner is nobody."""
    sums: dict[str, Position] = {}
    for _, symbol, position in store.load_positions(conn, account.account, world_id, strategy_id):
        sums[symbol] = summed(sums.get(symbol, Position()), position)
    nobody, prices = Owner(account.account, "", ""), _liquidations(conn, market, account)
    return [(nobody, _valued(market, account, prices, symbol, position)) for symbol, position in sorted(sums.items())]


def view_of(conn: Connection, market: MarketContext, account: Account) -> AccountView:
    """The whole account: its cash, what open orders hold of it, and its equity."""
    return load_view(conn, market, account)


def _liquidations(conn: Connection, market: MarketContext, account: Account) -> Mapping[str, Decimal]:
    """Liquidation prices by symbol; an exchange has its own."""
    if account.type is AccountType.CASH or account.venue != PAPER.name:
        return {}
    return liquidation_prices(load_view(conn, market, account))


def _valued(
    market: MarketContext, account: Account, liquidations: Mapping[str, Decimal], symbol: str, position: Position
) -> PositionView:
    instrument = market.of(account).instruments.find(symbol)
    if instrument is None:
        raise NotFound("E_INSTRUMENT_UNKNOWN", f"a position is held in {symbol}, which the settings no longer name")
    view = view_position(instrument, position, account.marks.get(symbol))
    if position.quantity and symbol in liquidations:
        view = replace(view, liquidation=liquidations[symbol])
    ends_ns = market.of(account).endings.get(symbol)
    return view if ends_ns is None or account.shown_ns < ends_ns else replace(view, ended_ns=ends_ns)

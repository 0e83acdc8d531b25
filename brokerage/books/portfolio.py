"""An account's positions, cash and portfolio at its marks, each from one snapshot."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.books import store
from brokerage.books.load import load_view
from brokerage.books.wire import cash_to_proto, portfolio_to_proto, position_to_proto
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.portfolio import PositionView, view_position
from brokerage.domain.accounts.position import Position as Held
from brokerage.market.context import MarketContext
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as servicepb
from qmtl.core.errors import InvalidRequest

Views = list[tuple[str, PositionView]]


def positions(conn: Connection, market: MarketContext, account: Account, strategy_id: str = "") -> Views:
    """Positions by strategy, valued at the account's mark."""
    found = store.load_positions(conn, account.account, strategy_id)
    return [(owner.strategy_id, _view(market, account, symbol, held)) for owner, symbol, held in found]


def netted(conn: Connection, market: MarketContext, account: Account) -> Views:
    """One position per symbol over all strategies: quantities, costs and profits summed."""
    sums: dict[str, Held] = {}
    for _, symbol, held in store.load_positions(conn, account.account):
        have = sums.get(symbol, Held())
        sums[symbol] = Held(
            have.quantity + held.quantity,
            have.cost + held.cost,
            have.realised + held.realised,
            have.fees + held.fees,
            have.fills + held.fills,
        )
    return [("", _view(market, account, symbol, held)) for symbol, held in sorted(sums.items())]


def list_positions(
    conn: Connection, market: MarketContext, account: Account, request: servicepb.ListPositionsRequest
) -> servicepb.ListPositionsResponse:
    found = netted(conn, market, account) if request.netted else positions(conn, market, account, request.strategy_id)
    return servicepb.ListPositionsResponse(
        positions=[position_to_proto(account, strategy, view) for strategy, view in found]
    )


def cash(conn: Connection, market: MarketContext, account: Account) -> list[brokerpb.CashBalance]:
    """Cash by currency, and what open orders hold of it."""
    view = load_view(conn, market, account)
    return [cash_to_proto(currency, amount, view.committed(currency)) for currency, amount in view.cash.items()]


def portfolio(conn: Connection, market: MarketContext, account: Account) -> brokerpb.Portfolio:
    """The account's book at its last mark."""
    return portfolio_to_proto(account, cash(conn, market, account), positions(conn, market, account))


def _view(market: MarketContext, account: Account, symbol: str, held: Held) -> PositionView:
    instrument = market.instruments.find(symbol)
    if instrument is None:
        raise InvalidRequest("INSTRUMENT_UNKNOWN", f"a position is held in {symbol}, which the settings no longer name")
    mark = account.mark_price if symbol == account.symbol and account.mark_price is not None else 0
    return view_position(instrument, held, mark)

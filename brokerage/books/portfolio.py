"""An account's positions, cash and portfolio at its marks, each from one snapshot."""

from __future__ import annotations

from sqlalchemy import Connection

from brokerage.accounts import cash as accounts_cash
from brokerage.books import store, totals
from brokerage.books.wire import cash_to_proto, portfolio_to_proto, position_to_proto
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.portfolio import PositionView, view_position
from brokerage.domain.accounts.position import Position as Held
from brokerage.domain.models.buying_power.commitment import committed
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.totals import NO_OPEN_ORDERS
from brokerage.market.context import MarketContext
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as servicepb
from qmtl.core.errors import InvalidRequest

Views = list[tuple[str, PositionView]]


def positions(conn: Connection, house: MarketContext, account: Account, strategy_id: str = "") -> Views:
    """Positions by strategy, valued at the account's mark."""
    found = store.load_positions(conn, account.account, strategy_id)
    return [(scope.strategy_id, _view(house, account, symbol, held)) for scope, symbol, held in found]


def netted(conn: Connection, house: MarketContext, account: Account) -> Views:
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
    return [("", _view(house, account, symbol, held)) for symbol, held in sorted(sums.items())]


def list_positions(
    conn: Connection, house: MarketContext, account: Account, request: servicepb.ListPositionsRequest
) -> servicepb.ListPositionsResponse:
    found = netted(conn, house, account) if request.netted else positions(conn, house, account, request.strategy_id)
    return servicepb.ListPositionsResponse(
        positions=[position_to_proto(account, strategy, view) for strategy, view in found]
    )


def cash(conn: Connection, house: MarketContext, account: Account) -> list[brokerpb.CashBalance]:
    """Cash by currency, and what open orders hold of it."""
    profile, mark = house.profile_of(account), account.mark.price if account.mark is not None else 0
    reserved: dict[str, int] = {}
    for sides in totals.standing(conn, house, account).values():
        for symbol in {symbol for symbol, _ in sides}:
            instrument = house.instruments.find(symbol)
            if instrument is not None:
                buys, sells = (
                    sides.get((symbol, Side.BUY), NO_OPEN_ORDERS),
                    sides.get((symbol, Side.SELL), NO_OPEN_ORDERS),
                )
                held = committed(buys, sells, instrument, profile, mark if symbol == account.symbol else 0)
                reserved[instrument.quote] = reserved.get(instrument.quote, 0) + held
    return [
        cash_to_proto(currency, amount, reserved.get(currency, 0))
        for currency, amount in accounts_cash.load_cash(conn, account.account).items()
    ]


def portfolio(conn: Connection, house: MarketContext, account: Account) -> brokerpb.Portfolio:
    """The account's book at its last mark."""
    return portfolio_to_proto(account, cash(conn, house, account), positions(conn, house, account))


def _view(house: MarketContext, account: Account, symbol: str, held: Held) -> PositionView:
    instrument = house.instruments.find(symbol)
    if instrument is None:
        raise InvalidRequest("INSTRUMENT_UNKNOWN", f"a position is held in {symbol}, which the settings no longer name")
    mark = account.mark_price if symbol == account.symbol and account.mark_price is not None else 0
    return view_position(instrument, held, mark)

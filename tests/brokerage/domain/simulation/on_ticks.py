"""An account on ticks, for tests with numbers worked by hand. Prices are dollars, times are seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal as D

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.market.ticks import Level, MarkTick, QuoteTick, Tick, TradeTick
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Order, Side
from brokerage.domain.orders.states import OrderType

S = 1_000_000_000
BUY, SELL = Side.BUY, Side.SELL
COIN = instrument("X", base="X", quote="USD", price_places=2, asset_class=AssetClass.CRYPTO)
SHARE = instrument("X", base="X", quote="USD", price_places=2, calendar="XNYS")
CAPPED = margin(2, fee="0", participation="0.1")
WHOLE = margin(2, fee="0", participation="0")
Book = Sequence[tuple[str, int]]


def levels(shown: Book) -> tuple[Level, ...]:
    return tuple(Level(int(D(price) * 100), size) for price, size in shown)


def quote(at_s: float, bids: Book, asks: Book) -> QuoteTick:
    return QuoteTick(int(at_s * S), levels(bids), levels(asks))


def trade(at_s: float, price: str, quantity: int) -> TradeTick:
    return TradeTick(int(at_s * S), int(D(price) * 100), quantity)


def mark(at_s: float, price: str) -> MarkTick:
    return MarkTick(int(at_s * S), int(D(price) * 100))


TWO = quote(1, [("99.90", 30), ("99.80", 50)], [("100.10", 20), ("100.30", 40)])


def order(side: Side = BUY, quantity: int = 10, name: str = "o1", **fields: object) -> Order:
    return replace(Order(LOCAL, name, "X", side, D(quantity)), **fields)  # type: ignore[arg-type]  # real fields


def priced(price: str, side: Side = BUY, quantity: int = 10, name: str = "o1", **fields: object) -> Order:
    return order(side, quantity, name, type=OrderType.LIMIT, limit_price=D(price), **fields)


def stop(price: str, side: Side, name: str = "o1") -> Order:
    return order(side, 10, name, type=OrderType.STOP_MARKET, stop_price=D(price))


def desk_with(*ticks: Tick, traded: Instrument = COIN, profile: BrokerageProfile = CAPPED) -> SimulatedAccount:
    desk = SimulatedAccount(profile, {"USD": D(1_000_000)}, instruments=[traded])
    for tick in ticks:
        desk.on_tick("X", tick)
    return desk


def shown(desk: SimulatedAccount, *ticks: Tick) -> list[OrderEvent]:
    return [event for tick in ticks for event in desk.on_tick("X", tick)[0]]


def fills(events: Sequence[OrderEvent]) -> list[tuple[str, int, str]]:
    """Price, quantity and liquidity of each fill."""
    found = [event.fill for event in events if event.fill is not None]
    return [(str(D(one.price) / 100), one.quantity, one.liquidity.value) for one in found]


def told(events: Sequence[OrderEvent]) -> list[str]:
    return [event.kind.value for event in events]

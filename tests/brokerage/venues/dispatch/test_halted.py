"""What waits behind another order on its way to an exchange is checked when its own turn comes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from brokerage.accounts.trading_state import set_trading_state
from brokerage.domain.accounts.account import TradingState
from brokerage.domain.orders.reports import VenueAnswer
from brokerage.domain.orders.states import OrderState
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.venues.ccxt.dialects.binance import BinanceSpot
from brokerage.venues.ccxt.venue import CcxtVenue
from brokerage.venues.dispatch.dispatcher import Dispatcher, DispatchMetrics
from qmtl.exchanges.connection import Connection
from tests.brokerage.samples import ACTOR
from tests.brokerage.venues.reconcile.live import OWNER, Live, living


class Halting(CcxtVenue):
    """A venue whose account is halted while an order is on its way to it."""

    def __init__(self, live: Live) -> None:
        known = [live.market.instruments.find(symbol) for symbol in live.place.symbols]
        instruments = {one.symbol: one for one in known if one is not None}
        super().__init__(BinanceSpot(), Connection(live.client.ccxt, live.clock), live.clock, instruments)
        self._live = live

    async def submit(self, order: VenueOrder) -> VenueAnswer:
        halt = partial(set_trading_state, state=TradingState.HALTED, reason="test", actor=ACTOR, now_ns=1)
        await self._live.db.write(lambda conn: halt(conn, OWNER.account))
        return await super().submit(order)


async def test_a_halt_stops_what_has_not_left(tmp_path: Path) -> None:
    async with living(f"sqlite:///{tmp_path / 'store.db'}") as live:
        halting, metrics = Halting(live), DispatchMetrics(CollectorRegistry())
        live.dispatcher = Dispatcher(live.db, live.market, lambda _: halting, live.clock, metrics)
        for name in ("o1", "o2"):
            await live.order(name)
            live.advance(0.01)
        await live.dispatch()
        states = {name: record.state for name, record in (await live.records()).items()}
        assert states == {"o1": OrderState.ACCEPTED, "o2": OrderState.DENIED}
        assert len(live.exchange.open_orders("client")) == 1

"""An account at an exchange is a venue: the real ccxt class at the local exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from brokerage.domain.orders.order import Order, Owner, Side, order_id, venue_order_id
from brokerage.domain.orders.reports import Outcome
from brokerage.domain.orders.states import OrderType
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.venues.ccxt.dialects.binance import BinanceSpot
from brokerage.venues.ccxt.venue import CcxtVenue
from brokerage.venues.contract_suite import VenueContract
from brokerage.venues.port import Venue
from qmtl.core.clock import VirtualClock
from qmtl.exchanges.connection import Connection
from tests.exchange.binance.client import Client, clocked, connected, opened
from tests.exchange.core.faults import Trouble
from tests.support.clocks import START

OWNER = Owner("acc", "w1", "s1")
LENGTH = 36


@dataclass(slots=True)
class CcxtRig:
    """A client of the exchange, on a clock that stands still."""

    client: Client
    clock: VirtualClock
    venue: Venue

    async def sent(self, name: str) -> VenueOrder:
        asked = Order(OWNER, name, "BTC/USDT", Side.BUY, Decimal("0.2"), OrderType.LIMIT, limit_price=Decimal(98))
        of = order_id(OWNER, name)
        return VenueOrder(of, venue_order_id(of, 0, LENGTH), asked)

    async def unheard(self, order: VenueOrder) -> None:
        """Nobody keeps books here."""

    async def heard(self, order: VenueOrder) -> None:
        """Nobody keeps books here."""

    async def wanted(self, order: VenueOrder) -> VenueOrder:
        half = replace(order.order, quantity=order.order.quantity / 2)
        return VenueOrder(order.order_id, venue_order_id(order.order_id, 1, LENGTH), half)

    async def unwanted(self, order: VenueOrder) -> None:
        """Nobody keeps books here."""

    async def wait(self) -> None:
        self.clock.advance(3)

    async def fill(self) -> None:
        self.client.exchange.quote("BTCUSDT", "96", "97")


@pytest.fixture
async def rig() -> AsyncIterator[CcxtRig]:
    clock = VirtualClock(START)
    exchange = opened(clock=clocked(clock))
    account = exchange.accounts["client"]
    account.total["BTC"], account.fee_asset = Decimal(0), "USDT"
    async with connected(exchange) as client:
        at, dialect = Connection(client.ccxt, clock), BinanceSpot()
        known = {one.symbol: one for one in await dialect.instruments(at)}
        yield CcxtRig(client, clock, CcxtVenue(dialect, at, clock, known))


class TestCcxtVenue(VenueContract):
    """What every venue does."""

    @pytest.mark.parametrize("trouble", [one for one in Trouble if one.name.endswith(("_BEFORE", "_AFTER"))])
    async def test_no_answer_is_unknown_and_nothing_is_sent_again(self, rig: CcxtRig, trouble: Trouble) -> None:
        order = await rig.sent("o1")
        rig.client.plan("POST order", trouble)
        assert (await rig.venue.submit(order)).outcome is Outcome.UNKNOWN
        assert (await rig.venue.submit(order)).outcome is Outcome.UNKNOWN
        assert len(rig.client.exchange.open_orders("client")) == trouble.done

    async def test_absence_counts_only_after_the_window_and_a_second(self, rig: CcxtRig) -> None:
        order = await rig.sent("o1")
        for seconds in (0, 1, 1.9):
            rig.clock.advance(seconds)
            assert await rig.venue.query(order) is None
        rig.clock.advance(0.1)
        assert await rig.venue.query(order) is not None

    async def test_what_is_limited_is_refused_and_was_not_sent(self, rig: CcxtRig) -> None:
        rig.client.plan("POST order", Trouble.TOO_MANY)
        assert (await rig.venue.submit(await rig.sent("o1"))).outcome is Outcome.REJECTED
        assert rig.client.exchange.open_orders("client") == []

    async def test_a_refusal_has_the_words_of_the_exchange(self, rig: CcxtRig) -> None:
        order = await rig.sent("o1")
        dear = replace(order, order=replace(order.order, quantity=Decimal(1_000)))
        answer = await rig.venue.submit(dear)
        assert answer.outcome is Outcome.REJECTED
        assert "insufficient balance" in answer.reason

    async def test_an_order_that_was_sent_before_a_restart_is_taken_and_there_once(self, rig: CcxtRig) -> None:
        order = await rig.sent("o1")
        await rig.venue.submit(order)
        again = CcxtVenue(BinanceSpot(), Connection(rig.client.ccxt, rig.clock), rig.clock, {})
        assert (await again.submit(order)).outcome is Outcome.ACCEPTED
        assert len(rig.client.exchange.open_orders("client")) == 1

    async def test_a_replace_never_trades_more_than_is_wanted_in_all(self, rig: CcxtRig) -> None:
        order = await self._working(rig, "o1")
        rig.client.exchange.quote("BTCUSDT", "96", "97", size="0.02")
        by = await rig.wanted(order)
        assert (await rig.venue.replace(order, by)).outcome is Outcome.ACCEPTED
        await rig.fill()
        assert await rig.venue.positions() == {"BTC/USDT": by.order.quantity}

    async def test_a_replace_of_which_nothing_is_left_is_refused(self, rig: CcxtRig) -> None:
        order = await self._working(rig, "o1")
        rig.client.exchange.quote("BTCUSDT", "96", "97", size="0.15")
        assert (await rig.venue.replace(order, await rig.wanted(order))).outcome is Outcome.REJECTED
        assert await rig.venue.positions() == {"BTC/USDT": Decimal("0.15")}

    async def test_a_cancel_that_was_sent_twice_has_been_done(self, rig: CcxtRig) -> None:
        order = await self._working(rig, "o1")
        rig.client.plan("DELETE order", Trouble.CUT_AFTER)
        assert (await rig.venue.cancel(order)).outcome is Outcome.ACCEPTED

    async def test_a_replace_whose_cancel_is_not_answered_sends_nothing(self, rig: CcxtRig) -> None:
        order = await self._working(rig, "o1")
        rig.client.plan("DELETE order", Trouble.CUT_AFTER)
        assert (await rig.venue.replace(order, await rig.wanted(order))).outcome is not Outcome.ACCEPTED
        assert rig.client.exchange.open_orders("client") == []

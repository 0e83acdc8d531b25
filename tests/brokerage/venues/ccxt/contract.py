"""What every account at an exchange over ccxt does beyond the contract of venues, and what the suites need for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

import pytest

from brokerage.domain.orders.order import Order, Owner, Side, order_id, venue_order_id
from brokerage.domain.orders.reports import Outcome
from brokerage.domain.orders.states import OrderType
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.venues.contract_suite import VenueContract
from brokerage.venues.port import Venue
from qmtl.core.clock import VirtualClock
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.faults import Trouble

OWNER = Owner("acc", "w1", "s1")
UNHEARD = [one for one in Trouble if one.name.endswith(("_BEFORE", "_AFTER"))]


class ExchangeClient(Protocol):
    """A local exchange in its dialect, and the ccxt class that is its client."""

    @property
    def exchange(self) -> Exchange: ...

    def plan(self, request: str, trouble: Trouble) -> None: ...


@dataclass(frozen=True, slots=True)
class Speech:
    """What one exchange calls things: a symbol here and there, and the requests that send, cancel and replace."""

    symbol: str
    market_id: str
    sends: str
    cancels: str
    replaces: str = ""  # empty: it has no act for it
    window_s: float = 2.0


@dataclass(slots=True)
class CcxtRig:
    """A client of the exchange, on a clock that stands still. `again` makes the venue of a new process."""

    client: ExchangeClient
    clock: VirtualClock
    venue: Venue
    again: Callable[[], Venue]
    speech: Speech

    async def sent(self, name: str) -> VenueOrder:
        symbol = self.speech.symbol
        asked = Order(OWNER, name, symbol, Side.BUY, Decimal("0.2"), OrderType.LIMIT, limit_price=Decimal(98))
        return self.at_venue(asked)

    def at_venue(self, asked: Order) -> VenueOrder:
        """An order as it goes there."""
        of = order_id(OWNER, asked.client_order_id)
        return VenueOrder(of, venue_order_id(of, 0, self.venue.traits.order_id_length_max), asked)

    async def unheard(self, order: VenueOrder) -> None:
        """Nobody keeps books here."""

    async def heard(self, order: VenueOrder) -> None:
        """Nobody keeps books here."""

    async def wanted(self, order: VenueOrder) -> VenueOrder:
        half = replace(order.order, quantity=order.order.quantity / 2)
        return VenueOrder(order.order_id, self.named(order, 1), half)

    def named(self, order: VenueOrder, generation: int) -> str:
        """The id of an order there after so many replaces."""
        return venue_order_id(order.order_id, generation, self.venue.traits.order_id_length_max)

    async def unwanted(self, order: VenueOrder) -> None:
        """Nobody keeps books here."""

    async def wait(self) -> None:
        self.clock.advance(self.speech.window_s + 1)

    async def fill(self, size: str = "1000000") -> None:
        self.client.exchange.quote(self.speech.market_id, "96", "97", size)


class CcxtVenueContract(VenueContract):
    """What every venue does, and what is asked of one over ccxt."""

    @pytest.mark.parametrize("trouble", UNHEARD)
    async def test_no_answer_is_unknown_and_nothing_is_sent_again(self, rig: CcxtRig, trouble: Trouble) -> None:
        order = await rig.sent("o1")
        rig.client.plan(rig.speech.sends, trouble)
        assert (await rig.venue.submit(order)).outcome is Outcome.UNKNOWN
        assert (await rig.venue.submit(order)).outcome is Outcome.UNKNOWN
        assert len(rig.client.exchange.open_orders("client")) == trouble.done

    async def test_absence_counts_only_after_the_window_and_a_second(self, rig: CcxtRig) -> None:
        order = await rig.sent("o1")
        for seconds in (0.0, 1.0, rig.speech.window_s - 0.1):
            rig.clock.advance(seconds)
            assert await rig.venue.query(order) is None
        rig.clock.advance(0.1)
        assert await rig.venue.query(order) is not None

    async def test_an_order_that_came_late_counts_its_absence_anew(self, rig: CcxtRig) -> None:
        order = await rig.sent("o1")
        assert await rig.venue.query(order) is None
        await rig.venue.submit(order)
        await rig.wait()
        found = await rig.venue.query(order)
        assert found is not None
        assert not found.reason

    async def test_what_is_limited_is_refused_and_was_not_sent(self, rig: CcxtRig) -> None:
        rig.client.plan(rig.speech.sends, Trouble.TOO_MANY)
        assert (await rig.venue.submit(await rig.sent("o1"))).outcome is Outcome.REJECTED
        assert rig.client.exchange.open_orders("client") == []

    async def test_a_refusal_has_the_words_of_the_exchange(self, rig: CcxtRig) -> None:
        order = await rig.sent("o1")
        dear = replace(order, order=replace(order.order, quantity=Decimal(10_000)))
        answer = await rig.venue.submit(dear)
        assert answer.outcome is Outcome.REJECTED
        assert "nsufficient" in answer.reason

    async def test_an_order_that_was_sent_before_a_restart_is_taken_and_there_once(self, rig: CcxtRig) -> None:
        order = await rig.sent("o1")
        await rig.venue.submit(order)
        assert (await rig.again().submit(order)).outcome is Outcome.ACCEPTED
        assert len(rig.client.exchange.open_orders("client")) == 1

    async def test_a_replace_never_trades_more_than_is_wanted_in_all(self, rig: CcxtRig) -> None:
        order = await self._working(rig, "o1")
        await rig.fill("0.02")
        by = await rig.wanted(order)
        assert (await rig.venue.replace(order, by)).outcome is Outcome.ACCEPTED
        await rig.fill()
        assert (await rig.venue.positions())[rig.speech.symbol] == by.order.quantity

    async def test_replaced_again_it_counts_what_filled_before(self, rig: CcxtRig) -> None:
        order = await self._working(rig, "o1")
        await rig.fill("0.02")
        by = await rig.wanted(order)
        assert (await rig.venue.replace(order, by)).outcome is Outcome.ACCEPTED
        less = replace(by.order, quantity=by.order.quantity - Decimal("0.01"))
        again = replace(rig.at_venue(less), venue_order_id=rig.named(order, 2))
        assert (await rig.venue.replace(by, again)).outcome is Outcome.ACCEPTED
        await rig.fill()
        assert (await rig.venue.positions())[rig.speech.symbol] == less.quantity

    async def test_a_replace_of_which_nothing_is_left_is_refused(self, rig: CcxtRig) -> None:
        order = await self._working(rig, "o1")
        await rig.fill("0.15")
        assert (await rig.venue.replace(order, await rig.wanted(order))).outcome is Outcome.REJECTED
        assert (await rig.venue.positions())[rig.speech.symbol] == Decimal("0.15")

    async def test_a_cancel_without_an_answer_has_been_done_or_is_not_known(self, rig: CcxtRig) -> None:
        order = await self._working(rig, "o1")
        rig.client.plan(rig.speech.cancels, Trouble.CUT_AFTER)
        assert (await rig.venue.cancel(order)).outcome is not Outcome.REJECTED
        found = await rig.venue.query(order)
        assert found is not None
        assert rig.client.exchange.open_orders("client") == []
        assert (await rig.venue.cancel(order)).outcome is Outcome.ACCEPTED  # it has ended by our own cancel

    @pytest.mark.parametrize("trouble", [Trouble.TOO_MANY, Trouble.BANNED])
    async def test_a_cancel_that_was_not_looked_at_is_not_refused(self, rig: CcxtRig, trouble: Trouble) -> None:
        order = await self._working(rig, "o1")
        rig.client.plan(rig.speech.cancels, trouble)
        assert (await rig.venue.cancel(order)).outcome is Outcome.UNKNOWN
        assert len(rig.client.exchange.open_orders("client")) == 1

    async def test_a_replace_whose_cancel_is_not_answered_sends_nothing(self, rig: CcxtRig) -> None:
        order = await self._working(rig, "o1")
        await rig.fill("0.02")
        rig.client.plan(rig.speech.cancels, Trouble.CUT_AFTER)
        assert (await rig.venue.replace(order, await rig.wanted(order))).outcome is not Outcome.ACCEPTED
        assert rig.client.exchange.open_orders("client") == []

    @pytest.mark.parametrize("trouble", UNHEARD)
    async def test_a_replace_without_an_answer_is_not_known_and_one_works(self, rig: CcxtRig, trouble: Trouble) -> None:
        assert rig.venue.traits.replaces_in_one_act is bool(rig.speech.replaces)
        if not rig.speech.replaces:
            return
        order = await self._working(rig, "o1")
        by = await rig.wanted(order)
        rig.client.plan(rig.speech.replaces, trouble)
        assert (await rig.venue.replace(order, by)).outcome is Outcome.UNKNOWN
        assert (await rig.venue.replace(order, by)).outcome is Outcome.UNKNOWN
        working = [one.ask.client_id for one in rig.client.exchange.open_orders("client")]
        assert working == [by.venue_order_id if trouble.done else order.venue_order_id]

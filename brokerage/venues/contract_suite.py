"""What every venue behind the port has to do, as a pytest suite: subclass it and give it a fixture `rig`."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from brokerage.domain.orders.reports import Outcome, VenueReport
from brokerage.domain.orders.states import EventKind
from brokerage.domain.orders.venue_order import VenueOrder
from brokerage.venues.port import Venue, VenueEvent

WAIT_S = 10.0


class VenueRig(Protocol):
    """A venue at hand, and what makes something happen there."""

    venue: Venue

    async def sent(self, name: str) -> VenueOrder:
        """Write a limit order to buy, below the market, that is about to be handed to the venue."""
        ...

    async def unheard(self, order: VenueOrder) -> None:
        """The answer to an order did not come."""
        ...

    async def heard(self, order: VenueOrder) -> None:
        """The answer to an order came: brokerage knows that it works."""
        ...

    async def wanted(self, order: VenueOrder) -> VenueOrder:
        """Write a replace of an order that works, by half its quantity, that is about to be handed to the venue."""
        ...

    async def unwanted(self, order: VenueOrder) -> None:
        """Write a cancel of an order that works, that is about to be handed to the venue."""
        ...

    async def wait(self) -> None:
        """Let so much time pass that what the venue does not list by then has never come."""
        ...

    async def fill(self) -> None:
        """Let the market trade so that what works at the venue fills."""
        ...


class VenueContract:
    """Each test begins with an open account with cash, without orders and positions."""

    async def test_an_order_handed_over_is_taken_and_works(self, rig: VenueRig) -> None:
        order = await rig.sent("o1")
        assert len(order.venue_order_id) <= rig.venue.traits.order_id_length_max
        assert await rig.venue.open_orders() == []
        assert (await rig.venue.submit(order)).outcome is Outcome.ACCEPTED
        assert await rig.venue.open_orders() == [order.venue_order_id]

    async def test_the_same_order_is_there_once(self, rig: VenueRig) -> None:
        order = await rig.sent("o1")
        assert await rig.venue.submit(order) == await rig.venue.submit(order)
        assert await rig.venue.open_orders() == [order.venue_order_id]

    async def test_open_orders_are_of_the_symbol_asked_for(self, rig: VenueRig) -> None:
        await rig.venue.submit(await rig.sent("o1"))
        assert await rig.venue.open_orders("NONE-OF-IT") == []

    async def test_nothing_is_done_with_what_never_came(self, rig: VenueRig) -> None:
        nobody = replace(await rig.sent("o1"), order_id="nobody", venue_order_id="nobody")
        for answer in (await rig.venue.cancel(nobody), await rig.venue.replace(nobody, nobody)):
            assert (answer.outcome, bool(answer.reason)) == (Outcome.REJECTED, True)
        found = await self._found(rig, nobody)
        assert found is not None
        assert (found.kind, bool(found.reason)) == (EventKind.CANCELED, True)

    async def test_a_query_finds_what_came_and_changes_nothing(self, rig: VenueRig) -> None:
        order = await rig.sent("o1")
        await rig.venue.submit(order)
        await rig.unheard(order)
        found = [await rig.venue.query(order) for _ in range(2)]
        assert [report and report.kind for report in found] == [EventKind.ACCEPTED] * 2
        assert await rig.venue.open_orders() == [order.venue_order_id]

    async def test_a_query_says_what_never_came(self, rig: VenueRig) -> None:
        order = await rig.sent("o1")
        await rig.unheard(order)
        report = await self._found(rig, order)
        assert report is not None
        assert (report.kind, bool(report.reason)) == (EventKind.CANCELED, True)

    async def test_a_cancelled_order_works_no_more_and_a_query_says_so(self, rig: VenueRig) -> None:
        order, other = await self._working(rig, "o1"), await self._working(rig, "o2")
        await rig.unwanted(order)
        assert (await rig.venue.cancel(order)).outcome is Outcome.ACCEPTED
        assert await rig.venue.open_orders() == [other.venue_order_id]
        report = await rig.venue.query(order)
        assert report is not None
        assert report.kind is EventKind.CANCELED
        await rig.fill()
        assert {fill.venue_order_id for fill in await rig.venue.fills_since(0)} == {other.venue_order_id}

    async def test_a_cancelled_order_is_not_replaced(self, rig: VenueRig) -> None:
        order = await self._working(rig, "o1")
        by = await rig.wanted(order)
        await rig.unwanted(order)
        await rig.venue.cancel(order)
        assert (await rig.venue.replace(order, by)).outcome is Outcome.REJECTED
        assert await rig.venue.open_orders() == []

    async def test_a_replaced_order_works_once_under_its_new_id_and_terms(self, rig: VenueRig) -> None:
        order = await self._working(rig, "o1")
        by = await rig.wanted(order)
        assert by.venue_order_id != order.venue_order_id
        assert len(by.venue_order_id) <= rig.venue.traits.order_id_length_max
        assert (await rig.venue.replace(order, by)).outcome is Outcome.ACCEPTED
        assert await rig.venue.open_orders() == [by.venue_order_id]
        found = await rig.venue.query(by)
        assert found is not None
        assert found.kind is EventKind.ACCEPTED
        await rig.fill()
        assert sum((await rig.venue.positions()).values(), Decimal(0)) == by.order.quantity < order.order.quantity

    async def test_a_replace_that_never_came_is_not_found(self, rig: VenueRig) -> None:
        order = await self._working(rig, "o1")
        by = await rig.wanted(order)
        missing, old = await self._found(rig, by), await rig.venue.query(order)
        assert missing is not None
        assert missing.kind is EventKind.CANCELED
        assert old is not None
        assert old.kind is EventKind.ACCEPTED

    async def test_the_stream_tells_in_order_and_goes_on_where_it_was_left(self, rig: VenueRig) -> None:
        order = await self._working(rig, "o1")
        first = await self._told(rig, 0, 1)
        assert [event.report.kind for event in first] == [EventKind.ACCEPTED]
        await rig.fill()
        rest = await self._told(rig, first[-1].number, 1)
        fill = rest[0].report.fill
        assert (rest[0].report.order_id, rest[0].report.kind) == (order.order_id, EventKind.FILLED)
        assert rest[0].number > first[-1].number
        assert fill is not None
        assert fill == (await rig.venue.fills_since(0))[0].fill
        assert await self._told(rig, 0, 2) == [*first, *rest]

    async def test_fills_positions_and_balances_agree(self, rig: VenueRig) -> None:
        before = await rig.venue.balances()
        assert (await rig.venue.positions(), await rig.venue.fills_since(0)) == ({}, [])
        sent = [(await self._working(rig, name)).venue_order_id for name in ("o1", "o2")]
        await rig.fill()
        fills = await rig.venue.fills_since(0)
        assert [fill.venue_order_id for fill in fills] == sent
        assert [fill.number for fill in fills] == sorted({fill.number for fill in fills})
        assert await rig.venue.fills_since(fills[0].number) == fills[1:]
        assert await rig.venue.fills_since(fills[-1].number) == []
        assert await rig.venue.open_orders() == []
        assert all(quantity > 0 for quantity in (await rig.venue.positions()).values())
        after = await rig.venue.balances()
        assert sum(after.values(), Decimal(0)) < sum(before.values(), Decimal(0))

    async def _working(self, rig: VenueRig, name: str) -> VenueOrder:
        """An order that works at the venue, as brokerage knows."""
        order = await rig.sent(name)
        await rig.venue.submit(order)
        await rig.heard(order)
        return order

    async def _found(self, rig: VenueRig, order: VenueOrder) -> VenueReport | None:
        """What the venue has under an id, once it cannot be on its way any more."""
        if await rig.venue.query(order) is None:
            await rig.wait()
        return await rig.venue.query(order)

    async def _told(self, rig: VenueRig, after: int, count: int) -> list[VenueEvent]:
        """The next of what the stream tells."""
        found: list[VenueEvent] = []
        async with asyncio.timeout(WAIT_S), aclosing(rig.venue.stream(after)) as events:
            async for event in events:
                found.append(event)
                if len(found) == count:
                    return found
        return found

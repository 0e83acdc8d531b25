"""What every venue behind the port has to do, as a pytest suite: subclass it and give it a fixture `rig`."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from brokerage.domain.orders.reports import Outcome
from brokerage.domain.orders.states import EventKind
from brokerage.venues.port import Venue


class VenueRig(Protocol):
    """A venue at hand, and what makes something happen there."""

    venue: Venue

    async def sent(self, name: str) -> str:
        """Write an order to buy that is about to be handed to the venue; its id."""
        ...

    async def unheard(self, order_id: str) -> None:
        """The answer to an order did not come."""
        ...

    async def fill(self) -> None:
        """Let the market trade so that what works at the venue fills."""
        ...


class VenueContract:
    """Each test begins with an open account with cash, without orders and positions."""

    async def test_an_order_handed_over_is_taken_and_works(self, rig: VenueRig) -> None:
        order_id = await rig.sent("o1")
        assert len(order_id) <= rig.venue.traits.order_id_length_max
        assert await rig.venue.open_orders() == []
        assert (await rig.venue.submit(order_id)).outcome is Outcome.ACCEPTED
        assert await rig.venue.open_orders() == [order_id]

    async def test_the_same_order_is_there_once(self, rig: VenueRig) -> None:
        order_id = await rig.sent("o1")
        assert await rig.venue.submit(order_id) == await rig.venue.submit(order_id)
        assert await rig.venue.open_orders() == [order_id]

    async def test_open_orders_are_of_the_symbol_asked_for(self, rig: VenueRig) -> None:
        await rig.venue.submit(await rig.sent("o1"))
        assert await rig.venue.open_orders("NONE-OF-IT") == []

    async def test_an_order_that_was_not_sent_is_refused(self, rig: VenueRig) -> None:
        answer = await rig.venue.submit("nobody")
        assert (answer.outcome, bool(answer.reason)) == (Outcome.REJECTED, True)
        assert await rig.venue.query("nobody") is None

    async def test_a_query_finds_what_came_and_changes_nothing(self, rig: VenueRig) -> None:
        order_id = await rig.sent("o1")
        await rig.venue.submit(order_id)
        await rig.unheard(order_id)
        found = [await rig.venue.query(order_id) for _ in range(2)]
        assert [report and (report.order_id, report.kind) for report in found] == [(order_id, EventKind.ACCEPTED)] * 2
        assert await rig.venue.open_orders() == [order_id]

    async def test_a_query_says_what_never_came(self, rig: VenueRig) -> None:
        order_id = await rig.sent("o1")
        await rig.unheard(order_id)
        report = await rig.venue.query(order_id)
        assert report is not None
        assert (report.kind, bool(report.reason)) == (EventKind.CANCELED, True)

    async def test_fills_positions_and_balances_agree(self, rig: VenueRig) -> None:
        before = await rig.venue.balances()
        assert (await rig.venue.positions(), await rig.venue.fills_since(0)) == ({}, [])
        sent = [await rig.sent("o1"), await rig.sent("o2")]
        for order_id in sent:
            await rig.venue.submit(order_id)
        await rig.fill()
        fills = await rig.venue.fills_since(0)
        assert [fill.order_id for fill in fills] == sent
        assert [fill.number for fill in fills] == sorted({fill.number for fill in fills})
        assert await rig.venue.fills_since(fills[0].number) == fills[1:]
        assert await rig.venue.fills_since(fills[-1].number) == []
        assert await rig.venue.open_orders() == []
        assert all(quantity > 0 for quantity in (await rig.venue.positions()).values())
        after = await rig.venue.balances()
        assert sum(after.values(), Decimal(0)) < sum(before.values(), Decimal(0))

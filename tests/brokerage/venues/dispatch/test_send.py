"""The way to a far venue: intents, the second look at the fence, lost answers, queries, and never a re-send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.models.latency import Link
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Contingency, Side, order_id
from brokerage.domain.orders.reports import VenueAct
from brokerage.domain.orders.states import OrderState, OrderType, TimeInForce
from brokerage.domain.risk.fence import FenceState
from brokerage.domain.simulation.arrivals import FOUND, NOT_AT_VENUE
from brokerage.domain.trading.reports import UNKNOWN
from brokerage.orders.wire import status_to_proto
from qmtl.core.errors import NotFound
from qmtl.core.limits import RiskLimits
from tests.brokerage.orders.entry.test_submit_list import submit as submit_list
from tests.brokerage.samples import GATE, MARKET, MINUTE, OWNER, Book, bar, fence, open_book, order

FAR = replace(MARKET, link=Link(latency_ms=1))
BARS = replace(MARKET, link=Link(latency_bars=2))
DEAF = replace(MARKET, link=Link(answer_loss=RATE_ONE))


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    async with open_book(database_url, FAR) as made:
        await made.open()
        await made.show(bar(0))
        yield made


async def sent(book: Book, client_order_id: str = "o1", quantity: int = 10) -> None:
    await book.submit(order(client_order_id, quantity=quantity))
    assert await book.to_wire(client_order_id)


async def kinds(book: Book, client_order_id: str = "o1") -> list[str]:
    return [event.kind.value for event in (await book.order(client_order_id)).events]


def test_a_share_of_answers_is_lost_and_the_same_ones_every_time() -> None:
    link = Link(answer_loss=RATE_ONE // 4, seed=3)
    ids = [order_id(OWNER, f"o{number}") for number in range(2_000)]
    lost = [name for name in ids if link.loses_answer(name)]
    assert 400 < len(lost) < 600
    assert lost == [name for name in ids if link.loses_answer(name)]
    assert lost != [name for name in ids if replace(link, seed=4).loses_answer(name)]
    assert Link().direct
    assert not link.direct


async def test_nothing_is_heard_of_an_order_that_was_never_accepted(book: Book) -> None:
    await book.answer("never")
    await book.lose("never")
    assert not await book.resolve("never")
    with pytest.raises(NotFound, match="E_ORDER_UNKNOWN"):
        await book.order("never")


async def test_an_order_goes_from_intent_over_the_wire_to_its_answer(book: Book) -> None:
    stored = await book.submit(order("o1"))
    assert (stored.record.state, status_to_proto(stored).venue_order_id) == (OrderState.RELEASED, "")
    assert await book.show(bar(1)) == 0
    assert await book.fence(fence(1)) == []
    assert await book.to_wire("o1")
    assert not await book.to_wire("o1")
    assert await book.fence(fence(1)) == ["o1"]
    assert status_to_proto(await book.order("o1")).venue_order_id == stored.record.id
    await book.answer("o1")
    assert await book.state("o1") is OrderState.SUBMITTED
    await book.arrive("o1")
    await book.arrive("o1")
    assert await book.fence(fence(1)) == ["o1"]
    await book.answer("o1")
    assert await book.fence(fence(1)) == []
    assert await kinds(book) == ["INITIALIZED", "RELEASED", "SUBMITTED", "ACCEPTED"]
    assert await book.show(bar(2, 101)) == 1
    assert await book.verify() == 1


async def test_a_freeze_between_intent_and_wire_stops_the_order(book: Book) -> None:
    await book.submit(order("o1"))
    assert await book.fence(fence(2, FenceState.FROZEN)) == []
    assert not await book.to_wire("o1")
    stored = await book.order("o1")
    assert (stored.record.state, stored.record.denial) == (OrderState.DENIED, Denial.FENCED)
    assert await book.reached_venue() == set()
    await book.fence(fence(3))
    assert not await book.to_wire("o1")


async def test_an_order_gated_before_a_freeze_does_not_leave_after_it(book: Book) -> None:
    await book.submit(order("o1"))
    await book.fence(fence(2, FenceState.FROZEN))
    await book.fence(fence(3))
    assert not await book.to_wire("o1")
    assert (await book.order("o1")).record.denial is Denial.FENCED


@pytest.mark.parametrize(("order_max", "goes"), [("2699", False), ("2700", True)])
async def test_a_child_that_a_freeze_held_before_the_wire_is_judged_anew(
    book: Book, order_max: str, goes: bool
) -> None:
    entry = replace(order("entry"), list_id="l", contingency=Contingency.OTO, linked=("more",))
    more = order("more", quantity=30, type=OrderType.LIMIT, limit_price=Decimal(90), list_id="l", parent="entry")
    await submit_list(book, [entry, more])
    assert await book.to_wire("entry")
    await book.arrive("entry")
    await book.answer("entry")
    await book.show(bar(1))
    assert await book.state("more") is OrderState.RELEASED
    await book.fence(fence(2, FenceState.FROZEN))
    assert not await book.to_wire("more")
    assert await book.state("more") is OrderState.RELEASED
    await book.fence(fence(3, limits=RiskLimits(order_notional_max=Decimal(order_max))))
    assert await book.to_wire("more") == goes
    record = (await book.order("more")).record
    assert record.denial is (None if goes else Denial.NOTIONAL_ABOVE_LIMIT)
    assert record.state is (OrderState.SUBMITTED if goes else OrderState.DENIED)


async def test_what_is_on_the_wire_at_a_freeze_is_listed_and_may_arrive(book: Book) -> None:
    await sent(book)
    await book.submit(order("o2"))
    assert await book.fence(fence(2, FenceState.FROZEN)) == ["o1"]
    await book.arrive("o1")
    assert not await book.to_wire("o2")
    assert await book.reached_venue() == {order_id(OWNER, "o1")}
    await book.answer("o1")
    assert await book.show(bar(1)) == 1


async def test_a_drain_lets_only_reducing_orders_onto_the_wire(book: Book) -> None:
    await sent(book)
    await book.arrive("o1")
    await book.answer("o1")
    await book.show(bar(1))
    gate = replace(GATE, epoch=2)
    await book.fence(fence(2))
    await book.submit(order("o2"), gate)
    await book.submit(order("o3", Side.SELL, 4), gate)
    await book.fence(fence(3, FenceState.DRAIN))
    await book.submit(order("o4", Side.SELL, 5), replace(GATE, epoch=3))
    assert [await book.to_wire(name) for name in ("o2", "o3", "o4")] == [False, False, True]


async def test_a_lost_answer_becomes_unknown_and_a_query_finds_the_order(database_url: str) -> None:
    async with open_book(database_url, DEAF) as book:
        await book.open()
        await book.show(bar(0))
        await sent(book)
        await book.arrive("o1")
        await book.answer("o1")
        assert await book.state("o1") is OrderState.SUBMITTED
        await book.lose("o1")
        await book.lose("o1")
        stored = await book.order("o1")
        assert (stored.record.unresolved, stored.record.detail) == (True, UNKNOWN)
        assert status_to_proto(stored).unresolved
        assert await book.fence(fence(2, FenceState.FROZEN)) == ["o1"]
        assert await book.resolve("o1")
        assert not await book.resolve("o1")
        stored = await book.order("o1")
        assert (stored.record.state, stored.record.unresolved, stored.record.detail) == (
            OrderState.ACCEPTED, False, FOUND,
        )  # fmt: skip
        assert await book.fence(fence(2, FenceState.FROZEN)) == []
        assert await kinds(book) == ["INITIALIZED", "RELEASED", "SUBMITTED", "UPDATED", "ACCEPTED"]


async def test_an_unknown_order_works_at_the_venue_and_its_fill_is_the_news(database_url: str) -> None:
    async with open_book(database_url, DEAF) as book:
        await book.open()
        await book.show(bar(0))
        await sent(book, quantity=12)
        await book.arrive("o1")
        await book.lose("o1")
        assert await book.show(bar(1, volume=50)) == 1
        stored = await book.order("o1")
        assert (stored.record.state, stored.record.filled, stored.record.unresolved) == (
            OrderState.PARTIALLY_FILLED, 5, False,
        )  # fmt: skip
        assert await book.fence(fence(1)) == []
        assert await book.show(bar(2, volume=500)) == 1
        assert await book.verify() == 1


async def test_a_limit_the_market_does_not_reach_stays_unknown(database_url: str) -> None:
    async with open_book(database_url, DEAF) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(order("o1", type=OrderType.LIMIT, limit_price=Decimal(50)))
        await book.to_wire("o1")
        await book.arrive("o1")
        assert await book.show(bar(1)) == 0
        assert await kinds(book) == ["INITIALIZED", "RELEASED", "SUBMITTED"]
        assert await book.fence(fence(1)) == ["o1"]


async def test_an_order_the_venue_never_got_ends_and_is_not_sent_again(book: Book) -> None:
    await sent(book)
    await book.lose("o1")
    assert await book.resolve("o1")
    stored = await book.order("o1")
    assert (stored.record.state, stored.record.detail) == (OrderState.CANCELED, NOT_AT_VENUE)
    assert not await book.to_wire("o1")
    await book.arrive("o1")
    assert await book.reached_venue() == set()
    assert await book.show(bar(1)) == 0


async def test_latency_in_bars_delays_the_first_bar_that_fills(database_url: str) -> None:
    async with open_book(database_url, BARS) as book:
        await book.open()
        await book.show(bar(0))
        await sent(book)
        await book.arrive("o1")
        await book.answer("o1")
        await book.lose("o1")
        assert not await book.resolve("o1")
        assert [await book.show(bar(1)), await book.show(bar(2))] == [0, 0]
        stored = await book.order("o1")
        assert (stored.record.state, stored.record.accepted_ns) == (OrderState.ACCEPTED, 3 * MINUTE)
        assert await book.show(bar(3)) == 1


async def test_bars_in_one_message_fill_as_bars_one_by_one(database_url: str) -> None:
    async with open_book(database_url, BARS) as book:
        await book.open()
        await book.show(bar(0))
        await sent(book)
        await book.arrive("o1")
        assert await book.show(bar(1, 101), bar(2, 102), bar(3, 103)) == 1
        fill = (await book.order("o1")).events[-1].fill
        assert fill is not None
        assert fill.price == 103_00


async def test_cancels_before_during_and_after_the_way(database_url: str) -> None:
    async with open_book(database_url, BARS) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(order("o1"))
        assert (await book.cancel("o1")).record.state is OrderState.CANCELED
        assert not await book.to_wire("o1")
        await sent(book, "o2")
        await book.arrive("o2")
        assert (await book.cancel("o2")).record.state is OrderState.PENDING_CANCEL
        assert (await book.cancel("o2")).record.state is OrderState.PENDING_CANCEL
        assert await book.fence(fence(1)) == ["o2"]
        assert await book.show(bar(1), bar(2), bar(3)) == 0
        assert await book.state("o2") is OrderState.CANCELED
        await sent(book, "o3")
        await book.cancel("o3")
        await book.lose("o3")
        assert (await book.order("o3")).record.unresolved
        assert await book.resolve("o3")
        assert await book.state("o3") is OrderState.CANCELED
        assert await book.fence(fence(1)) == []
        assert await book.verify() == 1


async def test_a_cancel_reaches_an_order_whose_answer_was_lost(database_url: str) -> None:
    async with open_book(database_url, DEAF) as book:
        await book.open()
        await book.show(bar(0))
        await sent(book)
        await book.arrive("o1")
        await book.lose("o1")
        assert (await book.cancel("o1")).record.state is OrderState.PENDING_CANCEL
        assert await book.show(bar(1)) == 0
        assert await book.resolve("o1")
        assert await book.state("o1") is OrderState.CANCELED
        assert await book.fence(fence(1)) == []


async def test_a_freeze_between_intent_and_wire_refuses_a_replace_and_a_cancel_passes(book: Book) -> None:
    await sent(book)
    await book.arrive("o1")
    await book.answer("o1")
    stored = (await book.replace("o1", quantity=20)).stored
    assert (stored.record.state, stored.record.quantity) == (OrderState.PENDING_UPDATE, 10)
    await book.cancel("o1")
    assert await book.fence(fence(2, FenceState.FROZEN)) == []
    assert not await book.to_wire("o1", VenueAct.REPLACE)
    record = (await book.order("o1")).record
    assert (record.state, record.wanted, record.quantity) == (OrderState.PENDING_CANCEL, None, 10)
    assert record.detail.startswith("when it was to be sent: ")
    assert await book.to_wire("o1", VenueAct.CANCEL)
    assert await book.fence(fence(2, FenceState.FROZEN)) == []
    assert await book.verify() == 1


async def test_a_replace_on_the_wire_is_listed_by_a_freeze(book: Book) -> None:
    await sent(book)
    await book.arrive("o1")
    await book.answer("o1")
    await book.replace("o1", quantity=20)
    assert await book.to_wire("o1", VenueAct.REPLACE)
    assert not await book.to_wire("o1", VenueAct.REPLACE)
    assert await book.fence(fence(2, FenceState.FROZEN)) == ["o1"]


async def test_an_immediate_order_that_cannot_fill_expires_though_its_answer_was_lost(database_url: str) -> None:
    async with open_book(database_url, DEAF) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(order("o1", type=OrderType.LIMIT, limit_price=Decimal(50), tif=TimeInForce.IOC))
        await book.to_wire("o1")
        await book.arrive("o1")
        await book.show(bar(1))
        assert await book.state("o1") is OrderState.EXPIRED

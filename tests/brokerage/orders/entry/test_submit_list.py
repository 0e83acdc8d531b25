"""SubmitOrderList: brackets, OTO, OCO and OUO on the paper venue, with the bars that decide them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.market.bars import Bar
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.latency import Link
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Contingency, Order, Side
from brokerage.domain.orders.reports import VenueAct
from brokerage.domain.orders.states import EventKind, OrderState, OrderType
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.risk.fence import FenceState, GateStamp
from brokerage.orders.entry.submit_list import submit_list
from qmtl.core.errors import Conflict, InvalidRequest, NotReady
from qmtl.core.limits import RiskLimits
from tests.brokerage.samples import GATE, MARKET, MINUTE, Book, bar, fence, open_book, order

MARGIN = replace(MARKET, profile=BrokerageProfile(buying_power=BuyingPower.MARGIN))
PARTS = replace(MARKET, profile=BrokerageProfile(participation=RATE_ONE // 10))
FILLED, CANCELED, WAITS = OrderState.FILLED, OrderState.CANCELED, OrderState.INITIALIZED


def bracket(quantity: int = 10, kind: Contingency = Contingency.OCO, **entry: object) -> list[Order]:
    """A purchase with a stop at 95 and a target at 105."""
    exits = {"parent": "entry", "contingency": kind, "reduce_only": True, "list_id": "l1"}
    first = replace(order("entry", quantity=quantity), list_id="l1", contingency=Contingency.OTO)
    stop = replace(order("stop", Side.SELL, quantity), type=OrderType.STOP_MARKET, stop_price=Decimal(95))
    target = replace(order("target", Side.SELL, quantity), type=OrderType.LIMIT, limit_price=Decimal(105))
    return [
        replace(first, linked=("stop", "target"), **entry),  # type: ignore[arg-type]
        replace(stop, linked=("target",), **exits),  # type: ignore[arg-type]
        replace(target, linked=("stop",), **exits),  # type: ignore[arg-type]
    ]


def wide(minute: int, low: int, high: int, volume: int = 10_000) -> Bar:
    """A bar that opens and closes at 100."""
    return Bar(minute * MINUTE, (minute + 1) * MINUTE, 100_00, high * 100, low * 100, 100_00, volume)


def pair(first: str, second: str) -> list[Order]:
    """Two purchases of which one fills."""
    limits = {"quantity": 900, "type": OrderType.LIMIT, "list_id": "l2", "contingency": Contingency.OCO}
    return [
        order(name, limit_price=Decimal(price), linked=(other,), **limits)  # type: ignore[arg-type]
        for name, other, price in ((first, second, 90), (second, first, 80))
    ]


async def submit(book: Book, orders: list[Order], gate: GateStamp = GATE) -> list[StoredOrder]:
    return (await book.db.write(lambda conn: submit_list(conn, book.market, orders, gate, 6)))[0]


async def states(book: Book, *names: str) -> list[OrderState]:
    return [await book.state(name) for name in names or ("entry", "stop", "target")]


async def quantities(book: Book, *names: str) -> list[int]:
    return [(await book.order(name)).record.quantity for name in names]


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    async with open_book(database_url) as made:
        await made.open()
        await made.show(bar(0))
        yield made


async def test_a_bracket_waits_goes_with_its_entry_and_one_exit_ends_the_other(book: Book) -> None:
    orders = bracket()
    assert [one.record.state for one in await submit(book, orders)] == [OrderState.ACCEPTED, WAITS, WAITS]
    assert await book.show(wide(1, 99, 101)) == 1
    assert await states(book) == [FILLED, OrderState.ACCEPTED, OrderState.ACCEPTED]
    assert await book.verify() == 1
    assert await book.show(wide(2, 99, 106)) == 1
    assert await states(book) == [FILLED, CANCELED, FILLED]
    assert (await book.order("stop")).record.detail == "OCO: target is filled"
    assert [one.record.state for one in await submit(book, orders)] == [FILLED, CANCELED, FILLED]
    assert await book.verify() == 1


async def test_of_two_exits_touched_in_one_bar_the_worse_fills_and_the_other_never(book: Book) -> None:
    await submit(book, bracket())
    await book.show(wide(1, 99, 101))
    assert await book.show(wide(2, 90, 110)) == 1
    assert await states(book) == [FILLED, FILLED, CANCELED]
    assert (await book.portfolio()).positions[0].quantity == "0"


async def test_exits_that_are_not_reduce_only_still_never_both_fill(database_url: str) -> None:
    async with open_book(database_url, MARGIN) as book:
        await book.open()
        await book.show(bar(0))
        entry, *exits = bracket()
        await submit(book, [entry, *(replace(one, reduce_only=False) for one in exits)])
        await book.show(wide(1, 99, 101))
        assert await book.show(wide(2, 90, 110)) == 1
        assert (await book.portfolio()).positions[0].quantity == "0"
        assert await book.verify() == 1


async def test_both_exits_of_a_cash_account_go_and_change_though_they_do_not_say_that_they_reduce(book: Book) -> None:
    entry, *exits = bracket()
    await submit(book, [entry, *(replace(one, reduce_only=False) for one in exits)])
    await book.show(wide(1, 99, 101))
    assert await states(book) == [FILLED, OrderState.ACCEPTED, OrderState.ACCEPTED]
    assert (await book.replace("target", limit_price=104)).refusal is None
    assert await book.show(wide(2, 90, 110)) == 1
    assert (await book.portfolio()).positions[0].quantity == "0"
    assert await book.verify() == 1


@pytest.mark.parametrize(
    ("kind", "volume"), [(Contingency.OCO, 10_000), (Contingency.OUO, 10_000), (Contingency.OUO, 40)]
)
async def test_of_two_exits_over_a_wire_one_bar_fills_no_more_than_is_held(
    database_url: str, kind: Contingency, volume: int
) -> None:
    async with open_book(database_url, replace(PARTS, link=Link(latency_ms=1))) as book:
        await book.open()
        await book.show(bar(0))
        entry, *exits = bracket(kind=kind)
        await submit(book, [entry, *(replace(one, reduce_only=False) for one in exits)])
        await _to_venue(book, "entry")
        await book.show(wide(1, 99, 101))
        for name in ("stop", "target"):
            await _to_venue(book, name)
        assert await book.show(wide(2, 90, 110, volume=volume)) == 1
        assert [(await book.order(name)).record.filled for name in ("stop", "target")] == [min(10, volume // 10), 0]
        assert await book.verify() == 1


async def test_of_two_watched_stops_that_one_bar_touches_one_goes(database_url: str) -> None:
    market = replace(MARGIN, link=Link(latency_ms=1), emulate_stops=True)
    async with open_book(database_url, market) as book:
        await book.open()
        await book.show(bar(0))
        shared = {"type": OrderType.STOP_MARKET, "list_id": "l2", "contingency": Contingency.OCO}
        above = order("above", stop_price=Decimal(102), linked=("below",), **shared)  # type: ignore[arg-type]
        below = order("below", Side.SELL, stop_price=Decimal(98), linked=("above",), **shared)  # type: ignore[arg-type]
        await submit(book, [above, below])
        await book.show(wide(1, 97, 103))
        assert await states(book, "above", "below") == [OrderState.RELEASED, OrderState.EMULATED]
        await book.look_at_stops()
        await _to_venue(book, "above")
        assert await book.show(bar(2)) == 1
        assert await states(book, "above", "below") == [FILLED, CANCELED]
        assert await book.verify() == 1


async def test_children_go_in_proportion_to_the_fills_of_a_weighted_entry(database_url: str) -> None:
    async with open_book(database_url, PARTS) as book:
        await book.open()
        await book.show(bar(0))
        await submit(book, bracket(40, Contingency.OUO), replace(GATE, weight=RATE_ONE // 2))
        await book.show(wide(1, 99, 101, volume=50))
        assert await quantities(book, "entry", "stop", "target") == [20, 5, 5]
        await book.show(wide(2, 99, 101, volume=1_000))
        assert await quantities(book, "stop", "target") == [20, 20]
        assert await book.show(wide(3, 99, 106, volume=80)) == 1
        assert [(await book.order(name)).record.remaining for name in ("stop", "target")] == [12, 12]
        assert await book.verify() == 1
        assert await book.show(wide(4, 90, 110, volume=1_000)) == 1
        assert await states(book) == [FILLED, FILLED, CANCELED]
        assert (await book.portfolio()).positions[0].quantity == "0"


async def test_an_entry_that_ends_unfilled_ends_what_waits_for_it(book: Book) -> None:
    await submit(book, bracket(type=OrderType.LIMIT, limit_price=Decimal(90)))
    await book.cancel("entry")
    assert await states(book) == [CANCELED, CANCELED, CANCELED]


async def test_a_freeze_holds_the_exits_of_a_fill_and_reopening_lets_them_go(book: Book) -> None:
    await submit(book, bracket())
    await book.fence(fence(2, FenceState.FROZEN))
    await book.show(wide(1, 99, 101))
    assert await states(book) == [FILLED, WAITS, WAITS]
    assert (await book.order("stop")).record.detail.startswith("HELD")
    await book.fence(fence(3))
    await book.look_at_stops()
    assert await states(book) == [FILLED, OrderState.ACCEPTED, OrderState.ACCEPTED]


async def test_a_list_is_taken_whole_or_denied_whole(book: Book) -> None:
    denied = await submit(book, bracket(10_000))
    assert [one.record.denial for one in denied] == [
        Denial.BALANCE_INSUFFICIENT,
        Denial.LIST_DENIED,
        Denial.LIST_DENIED,
    ]
    assert await book.verify() == 1


async def test_a_pair_of_which_one_fills_holds_money_once(book: Book) -> None:
    assert [one.record.denial for one in await submit(book, pair("a", "b"))] == [None, None]
    assert await book.verify() == 1
    await book.cancel("a")
    assert await states(book, "a", "b") == [CANCELED, CANCELED]


async def test_over_a_wire_each_step_is_an_intent_and_the_list_goes_on_after_it(database_url: str) -> None:
    async with open_book(database_url, replace(MARKET, link=Link(latency_ms=1))) as book:
        await book.open()
        await book.show(bar(0))
        await submit(book, bracket())
        await _to_venue(book, "entry")
        await book.show(wide(1, 99, 101))
        assert await states(book) == [FILLED, OrderState.RELEASED, OrderState.RELEASED]
        for name in ("stop", "target"):
            await _to_venue(book, name)
        await book.show(wide(2, 99, 106))
        assert await states(book) == [FILLED, CANCELED, FILLED]
        told = [event.kind for event in (await book.order("stop")).events[-2:]]
        assert told == [EventKind.PENDING_CANCEL, EventKind.CANCELED]
        assert not await book.to_wire("stop", VenueAct.CANCEL)
        assert await book.verify() == 1


async def _to_venue(book: Book, name: str) -> None:
    assert await book.to_wire(name)
    await book.arrive(name)
    await book.answer(name)


async def test_a_list_and_its_ids_are_taken_once(book: Book) -> None:
    await submit(book, bracket())
    with pytest.raises(Conflict, match="E_ORDER_CONFLICT"):
        await submit(book, bracket(11))
    with pytest.raises(NotReady, match="E_ORDER_LISTED"):
        await book.replace("stop", quantity=5)


async def test_a_part_of_a_list_is_another_list(book: Book) -> None:
    first, second = (
        [replace(one, list_id="l3", quantity=Decimal(9)) for one in pair(*names)] for names in (("a", "b"), ("c", "d"))
    )
    await submit(book, [*first, *second])
    assert len(await submit(book, [*first, *second])) == 4
    with pytest.raises(Conflict, match="E_ORDER_CONFLICT"):
        await submit(book, first)


async def test_an_exit_goes_with_the_price_that_it_was_changed_to_while_it_waited(book: Book) -> None:
    await submit(book, bracket())
    assert (await book.replace("stop", stop_price=97)).refusal is None
    await book.show(wide(1, 99, 101))
    assert await states(book) == [FILLED, OrderState.ACCEPTED, OrderState.ACCEPTED]
    assert (await book.order("stop")).record.stop == 97_00
    assert await book.show(wide(2, 96, 101)) == 1
    assert await states(book) == [FILLED, FILLED, CANCELED]
    assert await book.verify() == 1


async def test_a_child_that_grows_is_held_to_the_limits_of_its_world(database_url: str) -> None:
    async with open_book(database_url, PARTS) as book:
        await book.open()
        await book.show(bar(0))
        await book.fence(fence(2, limits=RiskLimits(order_notional_max=Decimal(1_500))))
        first = replace(order("entry"), list_id="l1", contingency=Contingency.OTO, linked=("more",))
        more = order("more", quantity=30, type=OrderType.LIMIT, limit_price=Decimal(90), list_id="l1", parent="entry")
        taken = await submit(book, [first, more], replace(GATE, epoch=2))
        assert [one.record.denial for one in taken] == [None, None]
        await book.show(wide(1, 99, 101, volume=40))
        assert await quantities(book, "more") == [12]
        await book.show(wide(2, 99, 101))
        assert await states(book, "entry", "more") == [FILLED, OrderState.ACCEPTED]
        found = (await book.order("more")).record
        assert (found.quantity, found.detail) == (12, "HELD: NOTIONAL_ABOVE_LIMIT")
        await book.fence(fence(3))
        await book.show(wide(3, 99, 101))
        assert await quantities(book, "more") == [30]
        assert await book.verify() == 1


@pytest.mark.parametrize("state", [FenceState.FROZEN, FenceState.DRAIN])
async def test_what_a_list_takes_off_an_order_is_held_by_a_freeze_and_asked_for_once(
    database_url: str, state: FenceState
) -> None:
    async with open_book(database_url, replace(PARTS, link=Link(latency_ms=1))) as book:
        await book.open()
        await book.show(bar(0))
        await submit(book, bracket(kind=Contingency.OUO))
        await _to_venue(book, "entry")
        await book.show(wide(1, 99, 101))
        for name in ("stop", "target"):
            await _to_venue(book, name)
        await book.fence(fence(2, state))
        await book.show(wide(2, 99, 106, volume=40))
        asked = (await book.order("stop")).record
        assert (asked.state, asked.wanted and asked.wanted.quantity) == (OrderState.PENDING_UPDATE, 6)
        if state is FenceState.DRAIN:
            assert await book.to_wire("stop", VenueAct.REPLACE)
            return
        for _ in range(3):
            assert not await book.to_wire("stop", VenueAct.REPLACE)
        assert (await book.order("stop")).record.seq == asked.seq
        await book.fence(fence(3))
        assert await book.to_wire("stop", VenueAct.REPLACE)
        await book.reach("stop", VenueAct.REPLACE)
        await book.show(wide(3, 99, 101))
        assert await quantities(book, "stop") == [6]
        assert await book.verify() == 1


async def test_a_cancel_goes_before_a_replace_that_is_held(database_url: str) -> None:
    async with open_book(database_url, replace(PARTS, link=Link(latency_ms=1))) as book:
        await book.open()
        await book.show(bar(0))
        await submit(book, bracket(kind=Contingency.OUO))
        await _to_venue(book, "entry")
        await book.show(wide(1, 99, 101))
        for name in ("stop", "target"):
            await _to_venue(book, name)
        await book.fence(fence(2, FenceState.FROZEN))
        await book.show(wide(2, 99, 106, volume=40))
        assert (await book.cancel("stop")).record.state is OrderState.PENDING_CANCEL
        assert not await book.to_wire("stop", VenueAct.REPLACE)
        assert (await book.order("stop")).record.wanted is None
        assert await book.to_wire("stop", VenueAct.CANCEL)


@pytest.mark.parametrize(
    ("which", "changes"),
    [
        (0, {"linked": ("stop",)}),
        (0, {"linked": ("stop", "target", "nobody")}),
        (0, {"contingency": None}),
        (0, {"list_id": ""}),
        (0, {"list_id": "other"}),
        (0, {"client_order_id": "stop"}),
        (1, {"parent": ""}),
        (1, {"parent": "target"}),
        (1, {"linked": ()}),
        (1, {"linked": ("stop",)}),
        (1, {"contingency": Contingency.OUO}),
        (1, {"symbol": "MSFT"}),
        (1, {"position_target": Decimal(1)}),
        (2, {"contingency": Contingency.OTO}),
    ],
)
async def test_orders_that_make_no_list_are_refused_and_leave_no_trace(
    book: Book, which: int, changes: dict[str, object]
) -> None:
    orders = bracket()
    orders[which] = replace(orders[which], **changes)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="E_ORDER_LIST_MALFORMED"):
        await submit(book, orders)
    with pytest.raises(InvalidRequest, match="E_ORDER_LIST_MALFORMED"):
        await submit(book, bracket()[:1])

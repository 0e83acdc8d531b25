"""What is due in a list, over every pair of states; and random lists against bars, cancels and accounting."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Contingency, Order, Side, order_id
from brokerage.domain.orders.record import OrderRecord, born
from brokerage.domain.orders.states import CLOSED, EventKind, OrderState, OrderType
from brokerage.domain.orders.totals import NO_OPEN_ORDERS, totals_by_side
from brokerage.domain.trading.contingencies import Due, End, Release, Resize, due
from examples import bracket as bracket_example
from tests.brokerage.orders.entry.test_submit_list import bracket
from tests.brokerage.samples import MINUTE, OWNER, STOCK

ENDS = {OrderState.CANCELED, OrderState.EXPIRED, OrderState.FILLED}
UNSENT = {OrderState.INITIALIZED, OrderState.EMULATED, OrderState.RELEASED}


def in_state(order: Order, state: OrderState, filled: int = 0, quantity: int = 10) -> OrderRecord:
    first = OrderEvent(order_id(OWNER, order.client_order_id), 1, EventKind.INITIALIZED, 1, 1, quantity=10)
    record = born(order, STOCK, first)
    before = OrderState.SUBMITTED if state is OrderState.SUBMITTED else OrderState.ACCEPTED
    return replace(record, state=state, previous=before, filled=filled, quantity=quantity)


def acts(*records: OrderRecord, held: int = 10) -> dict[str, Due]:
    """What is due, by client order id."""
    members = {record.id: record for record in records}
    names = {record.id: record.order.client_order_id for record in records}
    open_orders = [record for record in records if not record.closed]
    return {names[act.order_id]: act for act in due(open_orders, members, lambda record: held)}


PAIRS = [*itertools.product(OrderState, OrderState, [0, 4])]


@pytest.mark.parametrize("kind", [Contingency.OCO, Contingency.OUO])
def test_every_pair_of_exits_under_a_filled_entry(kind: Contingency) -> None:
    """A second writing of the rules, over every state of a stop, every state of its target and what that has filled."""
    first, stop, target = bracket(kind=kind)
    entry = in_state(first, OrderState.FILLED, 10)
    for mine, other, filled in PAIRS:
        found = acts(entry, in_state(stop, mine), in_state(target, other, filled)).get("stop")
        if mine in CLOSED:
            assert found is None
        elif kind is Contingency.OCO and (other in ENDS or filled):
            assert isinstance(found, End)
        elif mine is OrderState.INITIALIZED:
            assert found == Release(order_id(OWNER, "stop"), 10 - filled * (kind is Contingency.OUO))
        elif kind is Contingency.OUO and filled and mine not in {OrderState.SUBMITTED, OrderState.PENDING_CANCEL}:
            assert found == Resize(order_id(OWNER, "stop"), 6)
        else:
            assert found is None


def test_every_state_of_a_parent_with_nothing_some_and_all_of_it_filled() -> None:
    first, stop, target = bracket()
    for state, filled in itertools.product(OrderState, [0, 4, 10]):
        entry = in_state(first, state, filled)
        found = acts(entry, in_state(stop, OrderState.INITIALIZED), in_state(target, OrderState.INITIALIZED))
        if filled:
            assert found["stop"] == Release(order_id(OWNER, "stop"), filled)
        elif state in CLOSED:
            assert isinstance(found["stop"], End)
        else:
            assert "stop" not in found


def test_a_child_grows_with_its_parent_and_no_reduce_only_one_beyond_what_is_held() -> None:
    first, stop, target = bracket()
    entry = in_state(first, OrderState.PARTIALLY_FILLED, 7)
    working = [in_state(one, OrderState.ACCEPTED, quantity=4) for one in (stop, target)]
    grown = {name: Resize(order_id(OWNER, name), 7) for name in ("stop", "target")}
    assert acts(entry, *working, held=7) == grown
    assert acts(entry, *working, held=6)["stop"] == Resize(order_id(OWNER, "stop"), 6)
    assert acts(entry, *working, held=4) == {}
    part = replace(working[0], state=OrderState.PARTIALLY_FILLED, filled=2)
    assert acts(entry, part, held=5)["stop"] == Resize(order_id(OWNER, "stop"), 7)
    waiting = replace(working[0], wanted=working[0].terms)
    assert "stop" not in acts(entry, waiting, working[1], held=7)


def test_of_two_that_reduce_each_other_one_ends_when_the_others_have_filled_the_rest() -> None:
    first, stop, target = bracket(kind=Contingency.OUO)
    entry = in_state(first, OrderState.FILLED, 10)
    part = in_state(stop, OrderState.PARTIALLY_FILLED, 4)
    assert isinstance(acts(entry, part, in_state(target, OrderState.FILLED, 6))["stop"], End)
    assert acts(entry, part, in_state(target, OrderState.ACCEPTED, 5))["stop"] == Resize(order_id(OWNER, "stop"), 5)


def test_two_without_a_parent_reduce_each_other_from_what_they_began_with() -> None:
    _, stop, target = (replace(one, parent="") for one in bracket(kind=Contingency.OUO))
    filled = in_state(target, OrderState.PARTIALLY_FILLED, 4)
    assert acts(in_state(stop, OrderState.ACCEPTED), filled)["stop"] == Resize(order_id(OWNER, "stop"), 6)
    assert "stop" not in acts(in_state(stop, OrderState.ACCEPTED, quantity=6), filled)


def test_an_exit_is_never_asked_to_work_with_no_more_than_it_has_filled() -> None:
    first, stop, target = bracket(kind=Contingency.OUO)
    entry = in_state(first, OrderState.FILLED, 10)
    working = [in_state(one, OrderState.ACCEPTED) for one in (stop, target)]
    assert acts(entry, *working, held=0) == {}
    part = replace(working[0], state=OrderState.PARTIALLY_FILLED, filled=4)
    assert "stop" not in acts(entry, part, working[1], held=0)


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("list"), st.sampled_from([Contingency.OCO, Contingency.OUO]), st.integers(1, 30), st.booleans()
        ),
        st.tuples(st.just("cancel"), st.sampled_from(["entry", "stop", "target"])),
        st.tuples(st.just("bar"), st.integers(0, 12), st.integers(0, 12), st.sampled_from([0, 20, 60, 10_000])),
    ),
    min_size=3,
    max_size=25,
)


@settings(max_examples=60)
@given(STEPS)
def test_random_lists_never_fill_both_sides_beyond_the_position(steps: list[tuple[object, ...]]) -> None:
    """Entries are the only purchases, and half of the exits are not reduce-only: nothing but the list protects."""
    account = SimulatedAccount(margin(4), {"USD": Decimal(100_000)}, instruments=[STOCK], owner=OWNER)
    account.on_bar("AAPL", Bar(0, MINUTE, 100_00, 100_00, 100_00, 100_00, 10))
    lists = 0
    for minute, step in enumerate(steps, start=1):
        match step:
            case ("list", Contingency() as kind, int(quantity), bool(reducing)):
                lists += 1
                account.submit_list(_named(bracket(quantity, kind), lists, reducing), minute * MINUTE)
            case ("cancel", str(name)) if lists:
                account.cancel(f"{name}{lists}", minute * MINUTE)
            case ("bar", int(down), int(up), int(volume)):
                low, high = 100_00 - down * 100, 100_00 + up * 100
                start = minute * MINUTE
                account.on_bar("AAPL", Bar(start, start + MINUTE, 100_00, high, low, 100_00, volume))
        _check(account, lists)


def _named(orders: list[Order], number: int, reducing: bool) -> list[Order]:
    return [
        replace(
            one,
            client_order_id=f"{one.client_order_id}{number}",
            list_id=f"l{number}",
            parent=f"{one.parent}{number}" if one.parent else "",
            linked=tuple(f"{link}{number}" for link in one.linked),
            reduce_only=reducing and bool(one.parent),
        )
        for one in orders
    ]


def _check(account: SimulatedAccount, lists: int) -> None:
    bought = sold = 0
    for number in range(1, lists + 1):
        entry, stop, target = (account.record(f"{name}{number}") for name in ("entry", "stop", "target"))
        assert stop.filled + target.filled <= entry.filled
        assert all(one.flag is None for one in (entry, stop, target))
        if entry.order.contingency and stop.order.contingency is Contingency.OCO:
            assert not (stop.filled and target.filled)
        bought, sold = bought + entry.filled, sold + stop.filled + target.filled
    assert account.position("AAPL") == bought - sold >= 0
    book = account.book
    totals = {key: of for key, of in book.totals.items() if of != NO_OPEN_ORDERS}
    counted = {key: of for key, of in totals_by_side(book.open_orders()).items() if of != NO_OPEN_ORDERS}
    assert totals == counted


@pytest.mark.parametrize("target_first", [False, True])
def test_of_two_exits_touched_in_one_bar_of_a_backtest_the_worse_fills(target_first: bool) -> None:
    account = SimulatedAccount(margin(1), {"USD": Decimal(100_000)}, instruments=[STOCK], owner=OWNER)
    account.on_bar("AAPL", Bar(0, MINUTE, 100_00, 100_00, 100_00, 100_00, 10_000))
    entry, *exits = bracket()
    account.submit_list([entry, *(exits[::-1] if target_first else exits)], MINUTE)
    account.on_bar("AAPL", Bar(MINUTE, 2 * MINUTE, 100_00, 101_00, 99_00, 100_00, 10_000))
    fills = account.on_bar("AAPL", Bar(2 * MINUTE, 3 * MINUTE, 100_00, 110_00, 90_00, 100_00, 10_000))
    assert [event.fill.price for event in fills if event.fill] == [95_00]
    assert account.record("target").state is OrderState.CANCELED
    assert account.record("stop").order.type is OrderType.STOP_MARKET
    assert account.position("AAPL") == 0
    assert account.record("stop").order.side is Side.SELL


def test_the_example_ends_with_its_stop() -> None:
    assert bracket_example.main()[-2:] == ["stop FILLED", "target CANCELED OUO: the others have filled all of it"]

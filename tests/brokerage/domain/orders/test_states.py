"""The order state machine against a second, independent writing of its table: every (state, event) pair."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.orders.states import (
    CLOSED,
    PENDING,
    EventKind,
    FillFlag,
    OrderState,
    OrderType,
    OrderView,
    TimeInForce,
    after,
    after_fill,
    after_update,
    view_of,
)
from qmtl.core.errors import Conflict

# Columns: what may follow each state, fills and the two rejections of a change apart.
SPEC = """
INITIALIZED:      DENIED EMULATED RELEASED SUBMITTED REJECTED ACCEPTED CANCELED EXPIRED TRIGGERED UPDATED=stay
EMULATED:         CANCELED EXPIRED RELEASED UPDATED=stay
RELEASED:         SUBMITTED DENIED CANCELED EXPIRED UPDATED=stay
SUBMITTED:        PENDING_UPDATE PENDING_CANCEL REJECTED CANCELED EXPIRED ACCEPTED UPDATED=stay TRIGGERED=stay
ACCEPTED:         REJECTED PENDING_UPDATE PENDING_CANCEL CANCELED EXPIRED TRIGGERED UPDATED=stay
TRIGGERED:        REJECTED PENDING_UPDATE PENDING_CANCEL CANCELED EXPIRED UPDATED=stay
PARTIALLY_FILLED: PENDING_UPDATE PENDING_CANCEL CANCELED EXPIRED ACCEPTED UPDATED=stay TRIGGERED=stay
PENDING_UPDATE:   REJECTED ACCEPTED CANCELED EXPIRED TRIGGERED PENDING_UPDATE PENDING_CANCEL UPDATED=previous
PENDING_CANCEL:   REJECTED PENDING_CANCEL CANCELED EXPIRED ACCEPTED UPDATED=stay TRIGGERED=stay
CANCELED:         ACCEPTED=stay
EXPIRED:          ACCEPTED=stay
REJECTED:         ACCEPTED=stay
DENIED:
FILLED:           ACCEPTED=stay
"""
RESTORING = {
    (OrderState.PENDING_UPDATE, EventKind.MODIFY_REJECTED),
    (OrderState.PENDING_CANCEL, EventKind.CANCEL_REJECTED),
}
CHANGE_REFUSED = (EventKind.MODIFY_REJECTED, EventKind.CANCEL_REJECTED)
WORDS = {line.split(":")[0].strip(): line.split(":")[1].split() for line in SPEC.strip().splitlines()}
KINDS = [kind for kind in EventKind if kind is not EventKind.FILLED]
PREVIOUS = OrderState.TRIGGERED


def expected(state: OrderState, kind: EventKind) -> OrderState | None:
    if (state, kind) in RESTORING:
        return PREVIOUS
    if kind in CHANGE_REFUSED:
        return state
    for word in WORDS[state.value]:
        name, _, move = word.partition("=")
        if name == kind.value:
            return {"": OrderState.__members__.get(name), "stay": state, "previous": PREVIOUS}[move]
    return None


def test_every_state_is_in_the_table() -> None:
    assert set(WORDS) == {state.value for state in OrderState}


@pytest.mark.parametrize(("state", "kind"), [*itertools.product(OrderState, KINDS)], ids=lambda value: value.value)
def test_each_pair_moves_as_the_table_says_or_is_refused(state: OrderState, kind: EventKind) -> None:
    want = expected(state, kind)
    if want is None:
        with pytest.raises(Conflict, match="E_ORDER_EVENT_ILLEGAL"):
            after(state, PREVIOUS, kind, OrderType.STOP_LIMIT, TimeInForce.IOC)
    else:
        assert after(state, PREVIOUS, kind, OrderType.STOP_LIMIT, TimeInForce.IOC) is want


@pytest.mark.parametrize("order_type", OrderType)
def test_only_orders_with_a_trigger_can_be_triggered(order_type: OrderType) -> None:
    legal = order_type not in {OrderType.MARKET, OrderType.LIMIT}
    for state in (OrderState.INITIALIZED, OrderState.ACCEPTED, OrderState.PENDING_UPDATE):
        if legal:
            assert after(state, state, EventKind.TRIGGERED, order_type, TimeInForce.GTC) is OrderState.TRIGGERED
        else:
            with pytest.raises(Conflict):
                after(state, state, EventKind.TRIGGERED, order_type, TimeInForce.GTC)


@pytest.mark.parametrize("tif", TimeInForce)
def test_only_immediate_orders_expire_before_they_are_accepted(tif: TimeInForce) -> None:
    state = OrderState.SUBMITTED
    if tif in (TimeInForce.IOC, TimeInForce.FOK):
        assert after(state, state, EventKind.EXPIRED, OrderType.MARKET, tif) is OrderState.EXPIRED
    else:
        with pytest.raises(Conflict):
            after(state, state, EventKind.EXPIRED, OrderType.MARKET, tif)


OPEN = [state for state in OrderState if state not in CLOSED]
LATE = [OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED]


@pytest.mark.parametrize("state", OPEN)
def test_a_fill_moves_an_open_order_by_its_total(state: OrderState) -> None:
    early = FillFlag.UNEXPECTED if state.value in {"INITIALIZED", "EMULATED", "RELEASED"} else None
    assert after_fill(state, 4, 10) == (OrderState.PARTIALLY_FILLED, early)
    assert after_fill(state, 10, 10) == (OrderState.FILLED, early)
    assert after_fill(state, 11, 10) == (OrderState.FILLED, FillFlag.OVERFILL)


@pytest.mark.parametrize("state", LATE)
def test_a_late_fill_is_booked_and_only_completion_changes_the_state(state: OrderState) -> None:
    assert after_fill(state, 4, 10) == (state, None)
    assert after_fill(state, 10, 10) == (OrderState.FILLED, None)
    assert after_fill(state, 11, 10) == (OrderState.FILLED, FillFlag.OVERFILL)


@pytest.mark.parametrize("state", OrderState)
def test_an_update_to_what_is_filled_or_less_fills_the_order(state: OrderState) -> None:
    assert after_update(state, 4, 4) is OrderState.FILLED
    assert after_update(state, 4, 3) is OrderState.FILLED
    assert after_update(state, 4, 5) is state
    assert after_update(state, 0, 5) is state
    assert after_update(state, 0, 0) is state


def test_a_fill_on_a_denied_or_filled_order_is_flagged() -> None:
    assert after_fill(OrderState.DENIED, 1, 10) == (OrderState.DENIED, FillFlag.UNEXPECTED)
    assert after_fill(OrderState.FILLED, 11, 10) == (OrderState.FILLED, FillFlag.OVERFILL)


@pytest.mark.parametrize("state", OrderState)
def test_public_view(state: OrderState) -> None:
    if state in CLOSED:
        assert view_of(state, 0).value == state.value
        assert view_of(state, 3).value == state.value
    else:
        assert view_of(state, 0) is OrderView.NEW
        assert view_of(state, 3) is OrderView.PARTIALLY_FILLED


@given(st.lists(st.sampled_from([*KINDS, EventKind.FILLED]), max_size=40), st.sampled_from(OrderType))
def test_random_histories_never_leave_a_closed_state_but_by_a_fill(
    kinds: list[EventKind], order_type: OrderType
) -> None:
    state = previous = OrderState.INITIALIZED
    cumulative = 0
    for kind in kinds:
        was = state
        if kind is EventKind.FILLED:
            cumulative += 3
            state, _ = after_fill(state, cumulative, 10)
        else:
            try:
                state = after(state, previous, kind, order_type, TimeInForce.GTC)
            except Conflict:
                assert expected(was, kind) is None or kind in (EventKind.TRIGGERED, EventKind.EXPIRED)
        if was in CLOSED and state is not was:
            assert kind is EventKind.FILLED
            assert state is OrderState.FILLED
            assert cumulative >= 10
        previous = previous if state in PENDING else state
        assert previous not in PENDING

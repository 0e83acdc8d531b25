"""Pairs of orders, and the terms of the gap: by hand, and exact on random histories."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.errors import NotReady
from worldservice.campaigns.domain.divergence.attribution import Attribution, Marks, Opening, attribute
from worldservice.campaigns.domain.divergence.pairing import PairKind, TradedOrder, pair_orders

START = datetime(2026, 11, 2, tzinfo=UTC)
BAR = timedelta(minutes=15)
NONE = Decimal(0)


def order(
    name: str, buys: bool, minute: int, quantity: str = "0", price: str = "0", fee_bps: str = "0", **fields: object
) -> TradedOrder:
    filled, paid = Decimal(quantity), Decimal(quantity) * Decimal(price)
    at = START + timedelta(minutes=minute)
    made = TradedOrder(name, "BTC", buys, at, filled, paid, paid * Decimal(fee_bps) / 10_000)
    return replace(made, **fields)  # type: ignore[arg-type]  # fields by name


REPLAY = [
    order("r1", True, 0, "1", "100", "10"),
    order("r2", False, 15, "1", "103", "10"),
    order("r3", True, 30, "1", "102", "10"),
    order("r4", False, 45, "1", "101", "10"),
]
LIVE = [order("l1", True, 0, "0.8", "100.2", "7.5"), order("l2", False, 15, "0.8", "102.8", "7.5")]


def gap(live: Sequence[TradedOrder], replay: Sequence[TradedOrder], **marks: Marks) -> Attribution:
    return attribute(pair_orders(live, replay, BAR), marks or {"BTC": Marks(Decimal(104), Decimal(104))})


def test_the_worked_gap() -> None:
    found = gap(LIVE, REPLAY)
    assert (found.live_pnl, found.replay_pnl) == (Decimal("1.9582"), Decimal("1.594"))
    terms = found.terms
    assert (terms.unmatched, terms.fill, terms.fees) == (Decimal(1), Decimal("-0.6"), Decimal("0.2842"))
    assert terms.arrival + terms.execution == Decimal("-0.32")
    assert (terms.funding, terms.mark) == (NONE, NONE)
    assert terms.total == Decimal("0.3642")
    assert found.residual == NONE


def test_the_price_term_is_split_at_the_mark_that_the_order_arrived_at() -> None:
    live = [replace(LIVE[0], arrival=Decimal("100.05")), replace(LIVE[1], arrival=Decimal("103.1"))]
    terms = gap(live, REPLAY).terms
    assert terms.arrival == Decimal("0.04")  # .8 (100 - 100.05) - .8 (103 - 103.1)
    assert terms.execution == Decimal("-0.36")  # .8 (100.05 - 100.2) - .8 (103.1 - 102.8)


def test_another_last_mark_and_a_position_from_before_are_the_mark_term() -> None:
    held = Opening(Decimal(2), Decimal(99))
    marks = Marks(Decimal(105), Decimal(103), held, held, multiplier=Decimal(10))
    found = gap(LIVE, REPLAY, BTC=marks)
    assert found.terms.mark == Decimal(40)  # 2 held, replay ends with 2
    assert found.residual == NONE
    found = gap(LIVE, REPLAY[:3], BTC=marks)
    assert found.terms.mark == Decimal(60)
    assert found.residual == NONE


def test_funding_is_told_by_itself() -> None:
    pairing = pair_orders(LIVE, REPLAY, BAR)
    found = attribute(pairing, {"BTC": Marks(NONE, NONE)}, Decimal("-3.5"), Decimal("-3"))
    assert found.terms.funding == Decimal("-0.5")
    assert found.residual == NONE


def test_a_side_without_a_fill_is_all_fill_or_all_execution() -> None:
    empty = order("l1", True, 0)
    terms = gap([empty], [REPLAY[0]]).terms
    assert (terms.fill, terms.arrival, terms.execution) == (Decimal(-4), NONE, NONE)
    unfilled = order("r1", True, 0)
    terms = gap([replace(LIVE[0], arrival=Decimal(100))], [unfilled]).terms
    assert (terms.fill, terms.arrival, terms.execution) == (Decimal("3.2"), NONE, Decimal("-0.16"))
    assert gap([empty], [unfilled]).terms.total == NONE


def test_a_symbol_without_a_mark_is_named() -> None:
    with pytest.raises(NotReady, match="E_MARK_MISSING: no last mark of BTC"):
        attribute(pair_orders(LIVE, REPLAY, BAR), {})


def test_orders_pair_by_their_instant_then_by_place_then_within_a_bar() -> None:
    twins = [order("a", True, 0, "1", "10"), order("b", True, 0, "2", "10")]
    others = [order("c", True, 0, "3", "10"), order("d", True, 0, "4", "10")]
    found = pair_orders(twins, others, BAR)
    assert [(p.live.client_order_id, p.replay.client_order_id) for p in found.pairs] == [("a", "c"), ("b", "d")]
    late = [order("a", True, 15)]
    early = [order("c", True, 0)]
    assert pair_orders(late, early, BAR).pairs[0].kind is PairKind.SHIFTED
    assert pair_orders(late, early, BAR - timedelta(seconds=1)).pairs == ()
    assert pair_orders(late, [replace(early[0], buys=False)], BAR).match_rate == 0.0
    assert math.isnan(pair_orders([], [], BAR).match_rate)


def test_of_several_within_a_bar_the_oldest_is_taken_once() -> None:
    found = pair_orders([order("a", True, 20), order("b", True, 21)], [order("c", True, 10), order("d", True, 12)], BAR)
    assert [(p.live.client_order_id, p.replay.client_order_id) for p in found.pairs] == [("a", "c"), ("b", "d")]
    left = pair_orders([order("a", True, 20)], [order("c", True, 10), order("d", True, 12)], BAR)
    assert [one.client_order_id for one in left.only_replay] == ["d"]
    assert left.match_rate == 0.5


amounts = st.decimals(min_value=0, max_value=1000, places=5, allow_nan=False)
prices = st.decimals(min_value="0.01", max_value=1000, places=2, allow_nan=False)


@st.composite
def histories(draw: st.DrawFn) -> list[TradedOrder]:
    made = []
    for index in range(draw(st.integers(0, 6))):
        fills = [(draw(amounts), draw(prices)) for _ in range(draw(st.integers(0, 3)))]
        made.append(
            TradedOrder(
                f"o{index}",
                draw(st.sampled_from(["A", "B"])),
                draw(st.booleans()),
                START + timedelta(minutes=5 * draw(st.integers(0, 8))),
                sum((q for q, _ in fills), NONE),
                sum((q * p for q, p in fills), NONE),
                draw(amounts),
                draw(st.none() | prices),
            )
        )
    return made


@settings(max_examples=60, deadline=None)
@given(histories(), histories(), st.lists(amounts, min_size=4, max_size=4), st.tuples(amounts, amounts))
def test_terms_add_up_to_the_gap_to_the_last_decimal(
    live: list[TradedOrder], replay: list[TradedOrder], numbers: list[Decimal], funding: tuple[Decimal, Decimal]
) -> None:
    marks = {
        "A": Marks(
            numbers[0], numbers[1], Opening(numbers[2], numbers[3]), Opening(numbers[1], numbers[0]), Decimal(5)
        ),
        "B": Marks(numbers[2], numbers[3], Opening(-numbers[0], numbers[1])),
    }
    found = attribute(pair_orders(live, replay, BAR), marks, *funding)
    assert found.residual == NONE


@settings(max_examples=25, deadline=None)
@given(histories(), amounts)
def test_a_live_run_equal_to_its_replay_has_no_gap_in_any_term(live: list[TradedOrder], mark: Decimal) -> None:
    marks = {"A": Marks(mark, mark), "B": Marks(mark, mark)}
    terms = attribute(pair_orders(live, live, BAR), marks).terms
    arrived = all(one.arrival is None or not one.quantity for one in live)
    assert terms.total == terms.unmatched == terms.fill == terms.fees == terms.mark == NONE
    assert terms.arrival + terms.execution == NONE
    assert not arrived or terms.execution.quantize(Decimal("1E-12")) == NONE


@dataclass(frozen=True, slots=True)
class Filled:
    """Fills of one order, each at an instant of a session of 48 steps."""

    order: TradedOrder
    fills: tuple[tuple[int, Decimal, Decimal], ...]

    def between(self, first: int, last: int) -> TradedOrder:
        """With what it filled after a step and by another."""
        mine = [(quantity, price) for step, quantity, price in self.fills if first < step <= last]
        quantity, notional = sum((q for q, _ in mine), NONE), sum((q * p for q, p in mine), NONE)
        return replace(self.order, quantity=quantity, notional=notional, fee=quantity / 8)


@st.composite
def sessions(draw: st.DrawFn) -> list[Filled]:
    made = []
    for index in range(draw(st.integers(0, 5))):
        fills = draw(st.lists(st.tuples(st.integers(1, 48), amounts, prices), max_size=3))
        decided = START + timedelta(minutes=5 * draw(st.integers(0, 8)))
        made.append(Filled(TradedOrder(f"o{index}", "A", draw(st.booleans()), decided), tuple(fills)))
    return made


@settings(max_examples=40, deadline=None)
@given(sessions(), sessions(), st.lists(prices, min_size=6, max_size=6), st.integers(0, 48))
def test_windows_that_follow_each_other_add_up_to_the_whole(
    live: list[Filled], replay: list[Filled], closes: list[Decimal], cut: int
) -> None:
    marks = {cut: (closes[0], closes[1]), 48: (closes[2], closes[3]), 0: (NONE, NONE)}

    def over(first: int, last: int) -> Attribution:
        held = [
            sum((one.between(0, first).quantity * one.order.sign for one in side), NONE) if first else NONE
            for side in (live, replay)
        ]
        mine, theirs = (Opening(quantity, price) for quantity, price in zip(held, marks[first], strict=True))
        pairing = pair_orders(
            [one.between(first, last) for one in live], [one.between(first, last) for one in replay], BAR
        )
        return attribute(pairing, {"A": Marks(*marks[last], mine, theirs, Decimal(5))})

    before, after, whole = over(0, cut), over(cut, 48), over(0, 48)
    assert before.live_pnl + after.live_pnl == whole.live_pnl
    assert before.replay_pnl + after.replay_pnl == whole.replay_pnl
    assert before.terms.total + after.terms.total == whole.terms.total
    assert before.terms.fees + after.terms.fees == whole.terms.fees
    assert [before.residual, after.residual] == [NONE, NONE]


def test_another_position_as_the_window_opens_is_a_term_of_its_own() -> None:
    marks = Marks(
        Decimal(104), Decimal(104), Opening(Decimal(3), Decimal(100)), Opening(Decimal(1), Decimal(100)), Decimal(10)
    )
    found = gap([], [], BTC=marks)
    assert (found.live_pnl, found.replay_pnl, found.terms.opening) == (Decimal(120), Decimal(40), Decimal(80))
    assert found.residual == found.terms.mark == NONE


def test_an_order_of_before_the_window_counts_where_it_or_its_pair_filled_in_it() -> None:
    old = [order("a", True, 0), order("b", True, 5), order("c", True, 30)]
    theirs = [order("x", True, 0), order("y", True, 5, "1", "100"), order("z", True, 60)]
    found = pair_orders(old, theirs, BAR).since(START + timedelta(minutes=30))
    assert [(p.live.client_order_id, p.replay.client_order_id) for p in found.pairs] == [("b", "y")]
    assert [one.client_order_id for one in (*found.only_live, *found.only_replay)] == ["c", "z"]

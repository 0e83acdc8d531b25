"""What storage knows after deliveries, against a set of instants for each statement, and parts laid over each other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.calendars.spans import Coverage, Span
from qmtl.core.errors import InvalidRequest
from seamless.domain.bars import Bars, RowFlag, coverage_of, of_values
from seamless.domain.stored import Provenance, StoredCoverage, check_delivery, layered, with_delivery

STEP = 60
SIZE = 24


def _spans(slots: Iterable[int]) -> Coverage:
    return coverage_of(np.array(sorted(slots), np.int64) * STEP, STEP)


def _slots(coverage: Coverage) -> set[int]:
    return {slot for span in coverage for slot in range(span.start_ns // STEP, span.end_ns // STEP)}


def _bars(values: dict[int, float]) -> Bars:
    times = np.array(sorted(values), np.int64) * STEP
    column = np.array([values[slot] for slot in sorted(values)])
    return of_values(times, [column] * 5, np.zeros(times.size, np.uint8))


slots = st.sets(st.integers(0, SIZE - 1))
deliveries = st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(1, 9), slots, slots, slots, slots), max_size=8)
layers = st.lists(st.dictionaries(st.integers(0, 9), st.sampled_from([1.0, 2.0]), max_size=6), max_size=4)


@given(deliveries)
def test_what_is_known_equals_a_model_of_sets(
    told: list[tuple[int, int, set[int], set[int], set[int], set[int]]],
) -> None:
    known = StoredCoverage()
    read, have = set[int](), set[int]()
    empty, outage, unsettled = set[int](), set[int](), set[int]()
    for start, length, bars, nothing, down, young in told:
        inside = set(range(start, start + length))
        gave = bars & inside
        said, was_down = (nothing & inside) - gave, (down & inside) - gave
        span = Span(start * STEP, (start + length) * STEP)
        provenance = Provenance("p", _spans(said), _spans(was_down), _spans(young & inside))
        known = with_delivery(known, _spans(gave), span, provenance)
        read, have = read | inside, have | gave
        empty = ((empty - inside) | said) - have
        outage = ((outage - inside) | was_down) - have - empty
        unsettled = (unsettled - inside) | (young & gave)
    found = (known.read, known.have, known.empty, known.outage, known.unsettled)
    assert [_slots(one) for one in found] == [read, have, empty, outage, unsettled]


@given(layers)
def test_the_last_of_the_bars_with_one_open_counts_and_says_if_any_differed(
    given_layers: list[dict[int, float]],
) -> None:
    got = layered([_bars(values) for values in given_layers])
    told = {slot: [layer[slot] for layer in given_layers if slot in layer] for layer in given_layers for slot in layer}
    assert (got.time_ns // STEP).tolist() == sorted(told)
    assert got.close.tolist() == [told[slot][-1] for slot in sorted(told)]
    assert got.flags.tolist() == [RowFlag.REVISED if len(set(told[slot])) > 1 else 0 for slot in sorted(told)]


@given(layers, st.integers(0, 4))
def test_grouping_parts_changes_nothing(given_layers: list[dict[int, float]], cut: int) -> None:
    parts = [_bars(values) for values in given_layers]
    whole, grouped = layered(parts), layered([layered(parts[:cut]), *parts[cut:]])
    for ours, theirs in zip(whole.columns(), grouped.columns(), strict=True):
        assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize(
    ("bars", "span", "told", "reason"),
    [
        (_bars({1: 1.0}), Span(30, 120), Provenance("p"), "E_RANGE"),
        (_bars({}), Span(60, 60), Provenance("p"), "E_RANGE"),
        (_bars({2: 1.0}), Span(0, 120), Provenance("p"), "E_RANGE"),
        (_bars({0: 1.0}), Span(0, 120), Provenance("p", empty=(Span(0, 60),)), "E_RANGE"),
        (_bars({}), Span(0, 120), Provenance("p", outage=(Span(60, 180),)), "E_RANGE"),
        (_bars({}), Span(0, 120), Provenance("p", empty=(Span(0, 61),)), "E_RANGE"),
        (_bars({}), Span(0, 120), Provenance("p", unsettled=(Span(60, 180),)), "E_RANGE"),
        (
            of_values(np.array([60, 60]), [np.ones(2)] * 5, np.zeros(2, np.uint8)),
            Span(0, 120),
            Provenance("p"),
            "E_BARS",
        ),
        (of_values(np.array([61]), [np.ones(1)] * 5, np.zeros(1, np.uint8)), Span(0, 120), Provenance("p"), "E_BARS"),
    ],
)
def test_a_delivery_that_does_not_fit_its_span_is_refused(
    bars: Bars, span: Span, told: Provenance, reason: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_delivery(bars, span, STEP, told)
    assert caught.value.reason == reason


def test_a_delivery_that_fits_is_taken() -> None:
    check_delivery(_bars({0: 1.0, 1: 2.0}), Span(0, 180), STEP, Provenance("p", empty=(Span(120, 180),)))

"""Bars as columns: what no bar can be, and the spans that bars cover."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seamless.domain.bars import ImpossibleValue, coverage_of, first_impossible, opening_inside


def _columns(*rows: list[float]) -> list[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    return [np.array(column) for column in zip(*rows, strict=True)]


def test_a_bar_that_cannot_be_is_named_by_row_field_value_and_want() -> None:
    good = [100.0, 101.0, 99.0, 100.5, 7.0]
    assert first_impossible(_columns(good, [-3.0, -9.0, -1.0, -2.0, -5.0])) == ImpossibleValue(
        1, "high", -9.0, "at least open and close: -2"
    )
    assert first_impossible(_columns(good, good, [100.0, 101.0, 100.2, 100.5, 7.0])) == ImpossibleValue(
        2, "low", 100.2, "at most open and close: 100"
    )
    assert first_impossible(_columns([100.0, 101.0, 99.0, 100.5, -0.5], good)) == ImpossibleValue(
        0, "volume", -0.5, "at least 0"
    )


def test_the_first_row_comes_first_whatever_is_wrong_in_it() -> None:
    bad_volume, bad_high = [1.0, 1.0, 1.0, 1.0, -1.0], [1.0, 0.5, 0.5, 1.0, 1.0]
    found = first_impossible(_columns(bad_volume, bad_high))
    assert found is not None
    assert (found.row, found.field) == (0, "volume")


def test_flat_silent_and_negative_bars_can_be() -> None:
    assert first_impossible(_columns([1.0, 1.0, 1.0, 1.0, 0.0], [-37.0, -30.0, -40.0, -36.0, 1.0])) is None
    assert first_impossible([np.array([]) for _ in range(5)]) is None


@given(st.sets(st.integers(0, 80)))
def test_opens_become_the_spans_that_hold_just_them(opens: set[int]) -> None:
    instants = np.array(sorted(opens), np.int64) * 60
    found = coverage_of(instants, 60)
    assert [t for span in found for t in range(span.start_ns, span.end_ns, 60)] == instants.tolist()
    assert all(one.end_ns < later.start_ns for one, later in itertools.pairwise(found))
    assert opening_inside(np.arange(-1, 90) * 60, found).tolist() == [at in opens for at in range(-1, 90)]

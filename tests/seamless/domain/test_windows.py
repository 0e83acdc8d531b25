"""Windows hold exactly what is missing, and are named alike whoever asks."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.calendars.spans import Coverage, Span, intersect, normalise, subtract
from seamless.domain.windows import WAIT_MAX_S, Window, wait_s, windows_of

STEP = 60
spans = st.tuples(st.integers(-300, 300), st.integers(0, 80)).map(lambda one: Span(one[0] * STEP, sum(one) * STEP))
coverages = st.lists(spans, max_size=6).map(normalise)


@given(coverages, st.integers(1, 40))
def test_windows_hold_all_that_is_missing_and_are_no_longer_than_asked(missing: Coverage, bars: int) -> None:
    found = windows_of(missing, STEP, bars)
    hulls = normalise(one.span for one in found)
    assert subtract(missing, hulls) == ()
    for one in found:
        lattice = Span(one.number * bars * STEP, (one.number + 1) * bars * STEP)
        held = intersect(missing, (lattice,))
        assert (held[0].start_ns, held[-1].end_ns) == (one.span.start_ns, one.span.end_ns)
    assert [one.number for one in found] == sorted({one.number for one in found})


def test_a_stretch_is_cut_at_the_lattice() -> None:
    assert windows_of((Span(3 * STEP, 12 * STEP),), STEP, 5) == [
        Window(0, Span(3 * STEP, 5 * STEP)),
        Window(1, Span(5 * STEP, 10 * STEP)),
        Window(2, Span(10 * STEP, 12 * STEP)),
    ]


def test_two_holes_in_one_window_are_one_window() -> None:
    holes = (Span(STEP, 2 * STEP), Span(4 * STEP, 5 * STEP))
    assert windows_of(holes, STEP, 10) == [Window(0, Span(STEP, 5 * STEP))]


@pytest.mark.parametrize(("attempt", "whole"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (9, WAIT_MAX_S)])
def test_a_pause_doubles_and_lies_in_its_upper_half(attempt: int, whole: float) -> None:
    waits = [wait_s(attempt, Random(seed)) for seed in range(200)]
    assert whole / 2 <= min(waits) < whole * 0.55
    assert whole * 0.95 < max(waits) <= whole

"""Span algebra against a brute-force model: sets of bar indices."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from qmtl.calendars import spans as calendars_spans
from qmtl.calendars.spans import Coverage, Span

_STEP = 60


_spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)), max_size=12).map(
    lambda pairs: calendars_spans.normalise(Span(a * _STEP, (a + n) * _STEP) for a, n in pairs)
)


def _model(spans: Coverage) -> set[int]:
    return {t for s in spans for t in range(s.start_ns, s.end_ns, _STEP)}


def _is_normal(spans: Coverage) -> bool:
    return all(a.end_ns < b.start_ns for a, b in itertools.pairwise(spans)) and not any(s.empty for s in spans)


@given(_spans, _spans)
def test_algebra_equals_the_set_model(a: Coverage, b: Coverage) -> None:
    cases = (
        (calendars_spans.union(a, b), _model(a) | _model(b)),
        (calendars_spans.intersect(a, b), _model(a) & _model(b)),
        (calendars_spans.subtract(a, b), _model(a) - _model(b)),
        (calendars_spans.missing(a, b), _model(a) - _model(b)),
    )
    for got, want in cases:
        assert _model(got) == want
        assert _is_normal(got)
        assert calendars_spans.bars(got, _STEP) == len(want)


@given(_spans, _spans)
def test_ratio_is_the_share_of_expected_bars(have: Coverage, expected: Coverage) -> None:
    want = len(_model(have) & _model(expected)) / len(_model(expected)) if expected else 1.0
    assert calendars_spans.ratio(have, expected, _STEP) == want


def test_neighbours_merge() -> None:
    assert calendars_spans.normalise([Span(60, 120), Span(0, 60)]) == (Span(0, 120),)


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**4))
def test_floor_and_ceil_are_the_nearest_grid_points(instant: int, interval: int) -> None:
    low, high = calendars_spans.floor_to(instant, interval), calendars_spans.ceil_to(instant, interval)
    assert low <= instant <= high
    assert instant - low < interval
    assert high - instant < interval
    assert low % interval == high % interval == 0


def test_weeks_start_on_monday() -> None:
    week = 7 * 86_400 * 10**9
    thursday_2021_12_30 = 1_640_822_400 * 10**9
    assert calendars_spans.floor_to(thursday_2021_12_30, week) == 1_640_563_200 * 10**9

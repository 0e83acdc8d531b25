"""Windows of covered data time, and canary steps."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worldservice.samples import NOW
from worldservice.campaigns.domain.canary import step_obstacles, weight_at
from worldservice.campaigns.domain.divergence.verdict import Verdict
from worldservice.campaigns.domain.windows import Covered, Window, covered_time
from worldservice.policy.domain.campaign.terms import LiveTerms

DAY = timedelta(days=1)
STEPS = LiveTerms().canary


def span(start: float, end: float, coverage: float = 1.0) -> Covered:
    return Covered(NOW + start * DAY, NOW + end * DAY, coverage)


def test_days_without_data_are_no_days_of_a_window() -> None:
    window = Window(covered_time([span(0, 20), span(24.5, 34)]), 30 * DAY)
    assert (window.observed, window.complete) == (29.5 * DAY, False)
    assert window.progress == 29.5 / 30
    assert window.sentence("paper") == "paper covers 29.5 of 30 days of data"
    assert Window(30 * DAY, 30 * DAY).complete
    assert Window(40 * DAY, 30 * DAY).progress == 1.0
    assert Window(timedelta(), timedelta()).progress == 1.0


def test_overlapping_runs_count_once_and_by_the_better_coverage() -> None:
    assert covered_time([]) == timedelta()
    assert covered_time([span(0, 10, 0.5)]) == 5 * DAY
    assert covered_time([span(0, 10, 0.5), span(5, 15)]) == 12.5 * DAY
    assert covered_time([span(0, 10), span(2, 8, 0.5)]) == 10 * DAY
    assert covered_time([span(5, 5), span(9, 3)]) == timedelta()


spans = st.tuples(st.integers(0, 40), st.integers(0, 40), st.floats(0, 1)).map(lambda row: span(*row))


@settings(max_examples=30, deadline=None)
@given(st.lists(spans, max_size=6), spans)
def test_another_run_never_shortens_a_window_nor_lengthens_it_beyond_itself(runs: list[Covered], more: Covered) -> None:
    before, after = covered_time(runs), covered_time([*runs, more])
    assert before <= after <= before + max(more.end - more.start, timedelta()) + timedelta(microseconds=1)
    assert after == covered_time([more, *runs[::-1]])


def test_a_canary_is_a_fraction_of_the_target_weight() -> None:
    assert [weight_at(STEPS, step, Decimal("0.8")) for step in range(4)] == [
        Decimal("0.08"), Decimal("0.2"), Decimal("0.4"), Decimal("0.8")
    ]  # fmt: skip


def test_the_next_step_wants_its_days_no_breach_and_a_verdict() -> None:
    assert step_obstacles(STEPS, 0, 5, Verdict.PASS, ()) == ()
    assert step_obstacles(STEPS, 0, 5, Verdict.WARN, ()) == ()
    assert step_obstacles(STEPS, 2, 7, Verdict.FAIL, ("var_99",)) == (
        "needs 3 more live data days at 50% of its weight, has 7",
        "breach var_99 is open",
        "its newest divergence report says FAIL",
    )
    assert step_obstacles(STEPS, 1, 5, None, ()) == ("its newest divergence report says nothing yet",)
    assert step_obstacles(STEPS, 1, 5, Verdict.UNKNOWN, ())
    assert step_obstacles(STEPS, 3, 99, Verdict.PASS, ()) == ("all canary steps are done",)

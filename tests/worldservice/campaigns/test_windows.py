"""Windows of covered data time, and canary steps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worldservice.samples import NOW
from worldservice.campaigns.domain.blocks import BlockReason
from worldservice.campaigns.domain.canary import StepEvidence, allowed_step, step_obstacles, weight_at, weight_block
from worldservice.campaigns.domain.divergence.verdict import Verdict
from worldservice.campaigns.domain.phases import Campaign, Phase
from worldservice.campaigns.domain.windows import Window
from worldservice.evaluation.domain.stage_records import Covered, covered_time
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


def obstacles(step: int, shown: StepEvidence) -> list[str]:
    return [f"{reason}: {sentence}" for reason, sentence in step_obstacles(STEPS, step, shown)]


def test_the_next_step_wants_its_days_no_breach_and_a_verdict_where_it_is_asked() -> None:
    asked = StepEvidence(5, verdict=Verdict.PASS, verdict_asked=True)
    assert obstacles(0, asked) == obstacles(0, StepEvidence(5)) == []
    assert obstacles(0, replace(asked, verdict=Verdict.WARN)) == []
    assert obstacles(2, replace(asked, live_days=7, breaches=("var_99",), trading=False, verdict=Verdict.FAIL)) == [
        "CANARY_DAYS: needs 3 more live data days at 50% of its weight, has 7",
        "BREACH_OPEN: has an open breach: var_99",
        "NOT_TRADING_LIVE: takes no new risk live: it drains, is frozen or was taken out",
        "DIVERGENCE_GUARD: has a newest divergence report that says FAIL",
    ]
    nothing = replace(asked, verdict=None)
    assert obstacles(1, nothing) == ["DIVERGENCE_GUARD: has a newest divergence report that says nothing yet"]
    assert obstacles(1, replace(asked, verdict=Verdict.UNKNOWN))
    assert obstacles(3, replace(asked, live_days=99)) == ["CANARY_DAYS: has all canary steps behind it"]


@pytest.mark.parametrize(
    ("phase", "advances", "step"),
    [
        (Phase.PAPER, False, 0),
        (Phase.DEMOTED, True, 0),
        (Phase.LIVE_CANARY, False, 1),
        (Phase.LIVE_CANARY, True, 2),
        (Phase.LIVE_FULL, False, None),
    ],
)
def test_a_weight_is_bounded_by_the_step_until_live_is_full(phase: Phase, advances: bool, step: int | None) -> None:
    assert allowed_step(Campaign("w", "s", phase, step=1), advance_holds=advances) == step


def test_a_weight_above_the_step_is_told_with_the_most() -> None:
    assert weight_block(STEPS, 1, Decimal("0.8"), 0.2) is None
    found = weight_block(STEPS, 1, Decimal("0.8"), 0.21)
    assert found is not None
    assert found == (BlockReason.CANARY_SHARE, "asks for 0.21 live, want at most 0.2: 25% of 0.8")
    assert weight_block(STEPS, 3, Decimal("0.8"), 0.8) is None
    above = weight_block(STEPS, 3, Decimal("0.8"), 0.81)
    assert above == (BlockReason.CANARY_SHARE, "asks for 0.81 live, want at most 0.8: all of 0.8")

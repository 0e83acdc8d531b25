"""Evaluation runs: which numbers one is made of, where they came from, and which revision a repeated run gets."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from qmtl.core.errors import InvalidRequest, NotReady
from tests.worldservice.samples import NOW, evidence
from worldservice.evaluation.domain.reports import MetricSource, Number
from worldservice.evaluation.domain.runs import EvaluationRun, Evidence, next_revision, take_evidence
from worldservice.worlds.domain.binding import Stage

NOTHING_SENT = replace(evidence({}, run_id="asked"), dataset_fingerprint="", data_start=None, data_end=None)


def test_numbers_that_are_sent_are_taken_as_they_are() -> None:
    sent = evidence(run_id="asked")
    assert take_evidence(sent, evidence(run_id="before")) is sent


def test_a_run_without_numbers_is_made_of_the_latest_one_and_says_so() -> None:
    latest = evidence({"sharpe": 1.0}, run_id="before")
    taken = take_evidence(replace(NOTHING_SENT, stage=Stage.PAPER), latest)
    assert taken.numbers == (Number("sharpe", 1.0, MetricSource.LATEST_RUN, "before"),)
    assert (taken.run_id, taken.stage, taken.data_end) == ("asked", Stage.PAPER, latest.data_end)


def test_numbers_that_were_borrowed_before_keep_the_run_they_came_from() -> None:
    latest = take_evidence(NOTHING_SENT, evidence({"sharpe": 1.0}, run_id="first"))
    again = take_evidence(replace(NOTHING_SENT, run_id="third"), latest)
    assert again.numbers == (Number("sharpe", 1.0, MetricSource.LATEST_RUN, "first"),)


def test_a_first_run_has_to_send_its_numbers() -> None:
    with pytest.raises(NotReady, match="E_NO_METRICS"):
        take_evidence(NOTHING_SENT, None)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((("sharpe", math.nan),), "E_METRIC_NOT_FINITE"),
        ((("sharpe", -math.inf),), "E_METRIC_NOT_FINITE"),
        ((("sharpe", 1e16),), "E_METRIC_VALUE"),
        ((("n_trades", 1.5),), "E_METRIC_VALUE"),
        ((("luck", 1.0),), "E_METRIC_UNKNOWN"),
        ((("sharpe", 1.0), ("sharpe", 2.0)), "E_METRIC_TWICE"),
    ],
)
def test_numbers_that_no_policy_can_read_are_refused(values: tuple[tuple[str, float], ...], reason: str) -> None:
    sent = replace(evidence(), numbers=tuple(Number(name, value) for name, value in values))
    with pytest.raises(InvalidRequest) as refused:
        take_evidence(sent, None)
    assert refused.value.reason == reason


def test_a_run_that_says_the_same_again_gets_no_new_revision() -> None:
    def run(revision: int, shown: Evidence) -> EvaluationRun:
        return EvaluationRun("w", "s", revision, shown, None, Stage.BACKTEST, "ann", NOW)

    shown = evidence({"sharpe": 1.0})
    assert next_revision(None, shown) == 1
    assert next_revision(run(4, shown), evidence({"sharpe": 1.0})) is None
    assert next_revision(run(4, shown), evidence({"sharpe": 1.1})) == 5


@pytest.mark.parametrize(
    ("paper", "claimed", "warnings"),
    [
        ("acc", 480.0, ["claims are of 480 bars, books of 487: the session went on, none is compared"]),
        ("acc", 487.0, ["sharpe is claimed to be 5.0, the books say 6.0"]),
        (
            "acc",
            488.0,
            ["n_bars is claimed to be 488.0, the books say 487.0", "sharpe is claimed to be 5.0, the books say 6.0"],
        ),
        (
            "",
            480.0,
            [
                "n_bars is claimed to be 480.0, the replay came to 487.0",
                "sharpe is claimed to be 5.0, the replay came to 6.0",
            ],
        ),
    ],
)
def test_claims_are_compared_with_books_of_the_same_bars(paper: str, claimed: float, warnings: list[str]) -> None:
    found = replace(evidence({"n_bars": 487.0, "sharpe": 6.0}), paper_account=paper)
    claims = (Number("n_bars", claimed), Number("sharpe", 5.0))
    assert list(replace(found, claims=claims).warnings()) == warnings

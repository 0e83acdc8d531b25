"""Every stage of the decision pipeline, its edges, and the properties that must hold for any input."""

import math
import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worldservice.samples import DOCUMENT, GOOD, NOW, candidate, evidence, fresh
from worldservice.evaluation.domain.data_currency import DataState
from worldservice.evaluation.domain.pipeline import run_pipeline, summarise
from worldservice.evaluation.domain.reasons import DecisionReason
from worldservice.evaluation.domain.reports import Outcome, PipelineStage, Summary
from worldservice.evaluation.domain.runs import Candidate
from worldservice.evaluation.domain.selection import StrategyVerdict
from worldservice.policy.domain.policy import Policy, parse_policy
from worldservice.worlds.domain.binding import BOTH_SIDES, Side

POLICY = parse_policy(DOCUMENT)
LONG, SHORT = frozenset({Side.LONG}), frozenset({Side.SHORT})


def policy(gates: str = '"sharpe > 0.0"', topk: str = "{total: 8}", missing: str = "{}") -> Policy:
    return parse_policy(
        "data_currency: {max_lag: 5m}\n"
        "selection:\n"
        f"  gates: {gates}\n"
        '  score: "sharpe"\n'
        f"  topk: {topk}\n"
        f"  missing_metrics: {missing}\n"
    )


def one(verdicts: tuple[StrategyVerdict, ...], name: str = "s") -> StrategyVerdict:
    return next(verdict for verdict in verdicts if verdict.strategy_id == name)


def failure(verdict: StrategyVerdict) -> tuple[PipelineStage, DecisionReason | None]:
    failed = next(line for line in verdict.verdicts if line.outcome is Outcome.FAIL)
    return failed.stage, failed.reason


def selected(rules: Policy, candidates: list[Candidate]) -> list[str]:
    found = sorted((v for v in run_pipeline(rules, candidates, fresh()).verdicts if v.selected), key=lambda v: v.rank)
    return [verdict.strategy_id for verdict in found]


def test_a_good_strategy_passes_every_stage_with_the_numbers_seen() -> None:
    verdict = one(run_pipeline(POLICY, [candidate("s")], fresh()).verdicts)
    assert verdict.selected
    assert verdict.rank == 1
    assert verdict.score == pytest.approx(1.2 + 0.05 - 0.2)
    assert {line.stage for line in verdict.verdicts} == set(PipelineStage) - {
        PipelineStage.VALIDATION,
        PipelineStage.EDGES,
    }
    sharpe = next(line for line in verdict.verdicts if line.rule == "sharpe >= 0.6")
    assert [(number.name, number.value) for number in sharpe.inputs] == [("sharpe", 1.2)]
    assert summarise(verdict.verdicts) is Summary.PASS


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (DataState(NOW, None), "DATA_END_UNKNOWN"),
        (DataState(NOW, NOW - timedelta(minutes=5, seconds=1)), "DATA_STALE"),
        (DataState(NOW, NOW + timedelta(minutes=1, microseconds=1)), "DATA_END_IN_FUTURE"),
    ],
)
def test_data_that_is_not_current_fails_everyone(data: DataState, reason: str) -> None:
    verdict = one(run_pipeline(POLICY, [candidate("s")], data).verdicts)
    assert failure(verdict) == (PipelineStage.DATA_CURRENCY, reason)
    assert not verdict.selected
    assert verdict.verdicts[-1].outcome is Outcome.SKIPPED


@pytest.mark.parametrize("lag", [timedelta(minutes=5), timedelta(minutes=-1)])
def test_a_lag_of_exactly_max_lag_or_a_minute_of_clock_fault_is_current(lag: timedelta) -> None:
    assert one(run_pipeline(POLICY, [candidate("s")], fresh(lag)).verdicts).selected


def test_a_strategy_that_was_never_evaluated_is_not_selected() -> None:
    assert failure(one(run_pipeline(POLICY, [Candidate("s", LONG, None)], fresh()).verdicts)) == (
        PipelineStage.SUFFICIENCY,
        "NO_EVALUATION",
    )


def test_too_short_a_history_is_insufficient() -> None:
    short = Candidate("s", LONG, evidence(days=59))
    assert failure(one(run_pipeline(POLICY, [short], fresh()).verdicts))[1] == "INSUFFICIENT_HISTORY"


@pytest.mark.parametrize("bad", [None, math.nan, math.inf, -math.inf])
def test_a_metric_that_is_missing_or_not_finite_fails_closed(bad: float | None) -> None:
    values = {name: value for name, value in GOOD.items() if name != "sharpe"} | (
        {} if bad is None else {"sharpe": bad}
    )
    assert failure(one(run_pipeline(POLICY, [candidate("s", values)], fresh()).verdicts)) == (
        PipelineStage.GATES,
        "METRIC_MISSING",
    )


@pytest.mark.parametrize("gates", ['"beta > 0.5 || beta < 9.0"', '{or: ["beta > 0.5", "beta < 9.0"]}'])
def test_an_or_over_a_missing_metric_never_passes(gates: str) -> None:
    assert failure(one(run_pipeline(policy(gates), [candidate("s")], fresh()).verdicts))[1] == "METRIC_MISSING"


@pytest.mark.parametrize(
    ("rule", "passes", "summary"),
    [("fail", False, Summary.FAIL), ("warn", True, Summary.WARN), ("ignore", True, Summary.PASS)],
)
def test_the_policy_says_what_a_missing_metric_means(rule: str, passes: bool, summary: Summary) -> None:
    rules = policy('{and: ["sharpe > 0.0", "beta < 1.0"]}', missing=f"{{beta: {rule}}}")
    verdict = one(run_pipeline(rules, [candidate("s")], fresh()).verdicts)
    assert verdict.selected is passes
    assert summarise(verdict.verdicts) is summary


def test_a_waived_alternative_does_not_carry_a_failed_one() -> None:
    rules = policy('{or: ["sharpe > 9.0", "beta < 1.0"]}', missing="{beta: ignore}")
    assert failure(one(run_pipeline(rules, [candidate("s")], fresh()).verdicts))[1] == "GATE_FAILED"


def test_an_alternative_that_holds_carries_a_failed_one_and_says_so() -> None:
    verdict = one(run_pipeline(policy('{or: ["sharpe > 9.0", "win_rate > 0.4"]}'), [candidate("s")], fresh()).verdicts)
    assert verdict.selected
    assert [line.reason for line in verdict.verdicts if line.stage is PipelineStage.GATES] == [
        "ALTERNATIVE_HOLDS",
        None,
    ]


def test_ties_go_to_the_smaller_strategy_id() -> None:
    crowd = [candidate(name) for name in ("c", "a", "b")]
    assert selected(policy(topk="{total: 2}"), crowd) == ["a", "b"]


def test_who_does_not_fit_gives_the_slot_to_the_next() -> None:
    crowd = [
        candidate("a", {**GOOD, "sharpe": 3.0}, LONG),
        candidate("b", {**GOOD, "sharpe": 2.0}, LONG),
        candidate("c", {**GOOD, "sharpe": 1.0}, SHORT),
    ]
    rules = policy(topk="{total: 2, by_side: {long: 1, short: 1}}")
    assert selected(rules, crowd) == ["a", "c"]
    assert failure(one(run_pipeline(rules, crowd, fresh()).verdicts, "b")) == (PipelineStage.SELECTION, "NOT_IN_TOP_K")


def test_a_strategy_for_both_sides_takes_a_slot_of_each() -> None:
    crowd = [
        candidate("a", {**GOOD, "sharpe": 3.0}, BOTH_SIDES),
        candidate("b", GOOD, SHORT),
        candidate("c", GOOD, LONG),
    ]
    assert selected(policy(topk="{by_side: {long: 2, short: 1}}"), crowd) == ["a", "c"]


def test_no_slots_select_nobody() -> None:
    assert selected(policy(topk="{total: 0}"), [candidate("a")]) == []


def test_a_score_that_is_not_finite_rejects() -> None:
    rules = parse_policy(DOCUMENT.replace("sharpe + 0.1*win_rate - 0.2*ulcer_index", "sharpe * 1e308 * 1e308"))
    assert failure(one(run_pipeline(rules, [candidate("s")], fresh()).verdicts)) == (
        PipelineStage.SCORE,
        "SCORE_NOT_FINITE",
    )


NUMBERS = st.floats(-3, 3, allow_nan=False).map(lambda value: round(value, 3))


@settings(max_examples=60, deadline=None)
@given(sharpes=st.lists(NUMBERS, min_size=1, max_size=8), seed=st.integers(0, 99))
def test_the_result_does_not_depend_on_the_order_of_input(sharpes: list[float], seed: int) -> None:
    crowd = [candidate(f"s{index}", {**GOOD, "sharpe": value}) for index, value in enumerate(sharpes)]
    shuffled = list(crowd)
    random.Random(seed).shuffle(shuffled)
    assert run_pipeline(POLICY, crowd, fresh()).verdicts == run_pipeline(POLICY, shuffled, fresh()).verdicts


@settings(max_examples=60, deadline=None)
@given(sharpes=st.lists(NUMBERS, min_size=1, max_size=8), lucky=st.integers(0, 7), more=st.floats(0, 2))
def test_better_numbers_never_remove_a_strategy(sharpes: list[float], lucky: int, more: float) -> None:
    chosen = lucky % len(sharpes)
    rules = policy('"sharpe >= 0.5"', topk="{total: 3}")
    crowd = [candidate(f"s{index}", {**GOOD, "sharpe": value}) for index, value in enumerate(sharpes)]
    better = list(crowd)
    better[chosen] = candidate(f"s{chosen}", {**GOOD, "sharpe": sharpes[chosen] + more})
    if f"s{chosen}" in selected(rules, crowd):
        assert f"s{chosen}" in selected(rules, better)

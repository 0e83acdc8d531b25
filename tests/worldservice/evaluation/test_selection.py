"""Constraints and hysteresis: every rule and edge with the numbers it gives, and what must hold for any input."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from tests.worldservice.samples import GOOD, NOW, evidence, fresh
from worldservice.evaluation.domain.data_currency import DataState
from worldservice.evaluation.domain.pipeline import Outcomes, run_pipeline
from worldservice.evaluation.domain.reports import Outcome, PipelineStage
from worldservice.evaluation.domain.runs import Candidate, Footprint
from worldservice.evaluation.domain.selection import Tenure, Tenures, moved
from worldservice.policy.domain.policy import Policy, parse_policy
from worldservice.policy.domain.selection_limits import CorrelationLimit, ExposureLimits, Hysteresis, UnknownPair
from worldservice.worlds.domain.binding import BOTH_SIDES, Side

LONG, SHORT = frozenset({Side.LONG}), frozenset({Side.SHORT})


def policy(constraints: str = "{}", hysteresis: str = "", topk: str = "{total: 8}") -> Policy:
    hysteresis_line = f"  hysteresis: {hysteresis}\n" if hysteresis else ""
    return parse_policy(
        "data_currency: {max_lag: 5m}\n"
        "selection:\n"
        '  gates: "sharpe > 0.5"\n'
        '  score: "sharpe"\n'
        f"  topk: {topk}\n"
        f"  constraints: {constraints}\n"
        f"{hysteresis_line}"
    )


def strategy(
    name: str,
    sharpe: float,
    *,
    long: float = 0.2,
    short: float = 0.0,
    sector: str = "crypto",
    near: dict[str, float] | None = None,
    sides: frozenset[Side] = LONG,
    day: int = 0,
) -> Candidate:
    shown = evidence({**GOOD, "sharpe": sharpe})
    return Candidate(
        name,
        sides,
        replace(
            shown,
            footprint=Footprint(long, short, sector),
            correlations=tuple(sorted((near or {}).items())),
            data_end=NOW + timedelta(days=day),
        ),
    )


def fates(outcomes: Outcomes) -> dict[str, str]:
    """By strategy: IN, or the reason of its selection line."""
    found = {}
    for verdict in outcomes.verdicts:
        line = next(line for line in verdict.verdicts if line.stage is PipelineStage.SELECTION)
        found[verdict.strategy_id] = "IN" if verdict.selected and line.outcome is Outcome.PASS else str(line.reason)
    return found


def no_footprint(candidate: Candidate) -> Candidate:
    assert candidate.evidence is not None
    return replace(candidate, evidence=replace(candidate.evidence, footprint=None))


CORRELATED = "{correlation: {max_pairwise: 0.8}}"
ACCEPTING = "{correlation: {max_pairwise: 0.8, unknown_pair: accept}}"


@pytest.mark.parametrize(
    ("constraints", "crowd", "expected"),
    [
        (
            CORRELATED,
            [strategy("a", 3, near={"b": 0.9, "c": 0.1}), strategy("b", 2), strategy("c", 1)],
            {"a": "IN", "b": "CORRELATED", "c": "IN"},
        ),
        (CORRELATED, [strategy("a", 3), strategy("b", 2, near={"a": 0.8})], {"a": "IN", "b": "IN"}),
        (CORRELATED, [strategy("a", 3), strategy("b", 2, near={"a": -1.0})], {"a": "IN", "b": "IN"}),
        (
            CORRELATED,
            [strategy("a", 3, near={"b": 0.2}), strategy("b", 2, near={"a": 0.95})],
            {"a": "IN", "b": "CORRELATED"},
        ),
        (CORRELATED, [strategy("a", 3), strategy("b", 2)], {"a": "IN", "b": "CORRELATION_UNKNOWN"}),
        (ACCEPTING, [strategy("a", 3), strategy("b", 2)], {"a": "IN", "b": "IN"}),
        (
            "{exposure: {gross_budget: {long: 0.6}}}",
            [strategy("a", 3, long=0.4), strategy("b", 2, long=0.3), strategy("c", 1, long=0.2)],
            {"a": "IN", "b": "LONG_BUDGET", "c": "IN"},
        ),
        (
            "{exposure: {gross_budget: {long: 0.6, short: 0.4}}}",
            [
                strategy("a", 3, long=0.6, short=0.9, sides=LONG),
                strategy("b", 2, long=0.9, short=0.4, sides=SHORT),
                strategy("c", 1, long=0.0, short=0.1, sides=BOTH_SIDES),
            ],
            {"a": "IN", "b": "IN", "c": "SHORT_BUDGET"},
        ),
        (
            "{exposure: {max_leverage: 1.0}}",
            [strategy("a", 3, long=0.7), strategy("b", 2, long=0.1, short=0.3, sides=BOTH_SIDES)],
            {"a": "IN", "b": "MAX_LEVERAGE"},
        ),
        (
            "{exposure: {sector_cap: 0.3}}",
            [strategy("a", 3), strategy("b", 2), strategy("c", 1, sector="fx")],
            {"a": "IN", "b": "SECTOR_CAP", "c": "IN"},
        ),
        ("{exposure: {sector_cap: 0.3}}", [strategy("a", 3, sector="")], {"a": "EXPOSURE_UNKNOWN"}),
        ("{exposure: {max_leverage: 3.0}}", [no_footprint(strategy("a", 3))], {"a": "EXPOSURE_UNKNOWN"}),
        ("{exposure: {max_leverage: 0.3}}", [strategy("a", 3, long=0.1 + 0.2)], {"a": "IN"}),
        ("{}", [no_footprint(strategy("a", 3))], {"a": "IN"}),
    ],
)
def test_a_constraint_says_who_is_out_and_why(
    constraints: str, crowd: list[Candidate], expected: dict[str, str]
) -> None:
    assert fates(run_pipeline(policy(constraints), crowd, fresh())) == expected


def test_a_slot_freed_by_a_constraint_goes_to_the_next() -> None:
    crowd = [strategy("a", 3, near={"b": 0.9, "c": 0.0}), strategy("b", 2), strategy("c", 1)]
    assert fates(run_pipeline(policy(CORRELATED, topk="{total: 2}"), crowd, fresh())) == {
        "a": "IN",
        "b": "CORRELATED",
        "c": "IN",
    }


def test_the_sections_become_rules() -> None:
    rules = policy(
        "{correlation: {max_pairwise: 0.8, unknown_pair: accept}, "
        "exposure: {gross_budget: {long: 0.6, short: 0.4}, max_leverage: 3.0, sector_cap: 0.3}}",
        "{promote_after: 2, demote_after: 3, min_dwell: 3h}",
    )
    assert rules.constraints.correlation == CorrelationLimit(0.8, UnknownPair.ACCEPT)
    assert rules.constraints.exposure == ExposureLimits(0.6, 0.4, 3.0, 0.3)
    assert rules.hysteresis == Hysteresis(2, 3, timedelta(hours=3))


@pytest.mark.parametrize(
    ("constraints", "hysteresis", "path"),
    [
        ("{correlation: {}}", "", "selection.constraints.correlation.max_pairwise"),
        ("{correlation: {max_pairwise: 1.5}}", "", "selection.constraints.correlation.max_pairwise"),
        (
            "{correlation: {max_pairwise: 0.5, unknown_pair: guess}}",
            "",
            "selection.constraints.correlation.unknown_pair",
        ),
        ("{exposure: {max_leverage: -1}}", "", "selection.constraints.exposure.max_leverage"),
        ("{exposure: {gross_budget: {up: 1}}}", "", "selection.constraints.exposure.gross_budget.up"),
        ("{beta: {}}", "", "selection.constraints.beta"),
        ("{}", "{promote_after: 0}", "selection.hysteresis.promote_after"),
        ("{}", "{demote_after: 1.5}", "selection.hysteresis.demote_after"),
        ("{}", "{min_dwell: 3 hours}", "selection.hysteresis.min_dwell"),
        ("{}", "{patience: 3}", "selection.hysteresis.patience"),
    ],
)
def test_a_fault_in_a_section_names_its_path(constraints: str, hysteresis: str, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        policy(constraints, hysteresis)
    assert caught.value.violations[0].field == path


PATIENT = "{promote_after: 2, demote_after: 2, min_dwell: 3h}"


def days(rules: Policy, sharpes: list[float], tenures: Tenures | None = None) -> tuple[list[str], Tenures]:
    """One evaluation a day; the fate after each."""
    found, kept = [], tenures or {}
    for day, sharpe in enumerate(sharpes):
        at = NOW + timedelta(days=day)
        outcomes = run_pipeline(rules, [strategy("s", sharpe, day=day)], DataState(at, at), kept)
        kept = outcomes.tenures
        found.append(fates(outcomes)["s"])
    return found, kept


def test_it_enters_after_passes_in_a_row_and_leaves_after_failures_in_a_row() -> None:
    rules = policy(hysteresis=PATIENT)
    assert days(rules, [1, 0, 1, 1, 0, 1, 0, 0, 1, 1])[0] == [
        "PROMOTION_PENDING", "NOT_ELIGIBLE", "PROMOTION_PENDING", "IN",
        "HELD_BY_HYSTERESIS", "IN", "HELD_BY_HYSTERESIS", "NOT_ELIGIBLE", "PROMOTION_PENDING", "IN",
    ]  # fmt: skip


def test_asking_again_moves_no_counter() -> None:
    rules, at = policy(hysteresis=PATIENT), NOW
    kept: Tenures = {}
    for _ in range(5):
        outcomes = run_pipeline(rules, [strategy("s", 1)], DataState(at, at), kept)
        kept = outcomes.tenures
    assert kept["s"].passes == 1
    assert fates(outcomes) == {"s": "PROMOTION_PENDING"}


def test_data_that_is_not_current_teaches_nothing_and_selects_nobody() -> None:
    rules = policy(hysteresis=PATIENT)
    _, kept = days(rules, [1, 1])
    stale = DataState(NOW + timedelta(days=9), NOW + timedelta(days=1))
    outcomes = run_pipeline(rules, [strategy("s", 0, day=5)], stale, kept)
    assert outcomes.tenures == kept
    assert fates(outcomes) == {"s": "NOT_ELIGIBLE"}


def test_dwell_holds_whoever_failed_often_enough_until_it_is_over() -> None:
    rules = policy(hysteresis="{demote_after: 1, min_dwell: 3h}")
    start = run_pipeline(rules, [strategy("s", 1)], DataState(NOW, NOW)).tenures
    for hours, expected in ((1, "HELD_BY_HYSTERESIS"), (2, "HELD_BY_HYSTERESIS"), (3, "NOT_ELIGIBLE")):
        at = NOW + timedelta(hours=hours)
        outcomes = run_pipeline(rules, [strategy("s", 0, day=1)], DataState(at, at), start)
        assert fates(outcomes) == {"s": expected}


def test_incumbents_take_their_slots_first() -> None:
    rules = policy(hysteresis="{demote_after: 2}", topk="{total: 1}")
    kept = run_pipeline(rules, [strategy("old", 1)], fresh()).tenures
    outcomes = run_pipeline(rules, [strategy("old", 1, day=1), strategy("new", 9, day=1)], fresh(), kept)
    assert fates(outcomes) == {"old": "IN", "new": "NOT_IN_TOP_K"}


def test_counters_move_only_forward_in_data_time() -> None:
    tenure = moved(Tenure("s"), True, NOW)
    assert moved(tenure, False, NOW) is tenure
    assert moved(tenure, False, NOW - timedelta(days=1)) is tenure
    assert moved(tenure, False, None) is tenure
    assert moved(tenure, False, NOW + timedelta(days=1)).failures == 1


STRATEGIES = st.lists(
    st.tuples(st.floats(0, 3).map(lambda v: round(v, 2)), st.floats(0, 0.6).map(lambda v: round(v, 2)), st.booleans()),
    min_size=1,
    max_size=8,
)
FULL = (
    "{correlation: {max_pairwise: 0.5, unknown_pair: accept}, "
    "exposure: {gross_budget: {long: 0.6, short: 0.4}, max_leverage: 0.8, sector_cap: 0.7}}"
)


def crowd_of(rows: list[tuple[float, float, bool]]) -> list[Candidate]:
    return [
        strategy(
            f"s{index}", sharpe, long=size, short=size, sides=LONG if long else SHORT, near={f"s{index - 1}": size}
        )
        for index, (sharpe, size, long) in enumerate(rows)
    ]


@settings(max_examples=80, deadline=None)
@given(rows=STRATEGIES, seed=st.integers(0, 99))
def test_with_constraints_too_the_order_of_input_means_nothing(
    rows: list[tuple[float, float, bool]], seed: int
) -> None:
    crowd = crowd_of(rows)
    shuffled = list(crowd)
    random.Random(seed).shuffle(shuffled)
    rules = policy(FULL, "{promote_after: 1}")
    assert run_pipeline(rules, crowd, fresh()) == run_pipeline(rules, shuffled, fresh())


@settings(max_examples=80, deadline=None)
@given(rows=STRATEGIES)
def test_what_is_selected_is_within_every_limit(rows: list[tuple[float, float, bool]]) -> None:
    crowd = crowd_of(rows)
    chosen = {v.strategy_id for v in run_pipeline(policy(FULL), crowd, fresh()).verdicts if v.selected}
    sizes = {(f"s{index}", long): size for index, (_, size, long) in enumerate(rows) if f"s{index}" in chosen}
    longs = sum(size for (_, long), size in sizes.items() if long)
    shorts = sum(size for (_, long), size in sizes.items() if not long)
    assert longs <= 0.6 + 1e-6
    assert shorts <= 0.4 + 1e-6
    assert longs + shorts <= 0.7 + 1e-6
    for index, (_, size, _) in enumerate(rows):
        assert not ({f"s{index}", f"s{index - 1}"} <= chosen and size > 0.5)

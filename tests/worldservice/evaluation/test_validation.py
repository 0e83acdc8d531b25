"""Profiles per stage, divergence guards and governance: what bars from live, what bars from selection, and why."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest

from qmtl.core.modes import EffectiveMode
from tests.worldservice.samples import DOCUMENT, GOOD, NOW, evidence, fresh, world
from worldservice.evaluation.domain.decision import Verdicts, WorldFacts, decide
from worldservice.evaluation.domain.pipeline import summarise
from worldservice.evaluation.domain.reports import Outcome, PipelineStage, RuleVerdict, Summary
from worldservice.evaluation.domain.runs import Candidate, Evidence
from worldservice.evaluation.domain.validation import own_verdicts
from worldservice.policy.domain.policy import Policy, parse_policy
from worldservice.worlds.domain.binding import BOTH_SIDES, Side, Stage

EXTRA = """\
validation_profiles:
  backtest: {min_history: 80d, gates: "n_trades >= 10"}
  paper: {min_history: 20d, gates: {and: ["sharpe >= 0.5", "n_trades >= 5"]}}
  live: {gates: "max_drawdown <= 0.2"}
gating_policy: {dataset_fingerprint: "blake3:data", divergence_guards: {sharpe: 0.5, max_drawdown: 0.05}}
"""
POLICY = parse_policy(DOCUMENT + EXTRA)
NUMBERS: Mapping[str, float] = {**GOOD, "n_trades": 50}
LIVE = EffectiveMode.LIVE
LIVE_WORLD = replace(world(allow_live=True), default_policy_version=1)


def run(stage: Stage, of_days: int = 90, **values: float) -> Evidence:
    return replace(evidence({**NUMBERS, **values}, days=of_days), stage=stage)


GOOD_PAPER, WEAK_PAPER = run(Stage.PAPER, 30, sharpe=0.9), run(Stage.PAPER, 30, sharpe=0.4, n_trades=50)
GOOD_LIVE, WEAK_LIVE = run(Stage.LIVE, 5), run(Stage.LIVE, 5, max_drawdown=0.21)


def decided(candidate: Candidate, policy: Policy = POLICY) -> Verdicts:
    facts = WorldFacts(LIVE_WORLD, policy, (candidate,), fresh(), False, frozenset({"s"}))
    return decide(facts, NOW)


def shown(paper: Evidence | None = GOOD_PAPER, live: Evidence | None = None, **values: float) -> Candidate:
    return Candidate("s", BOTH_SIDES, run(Stage.BACKTEST, 90, **values), paper, live)


def lines(verdicts: Verdicts) -> list[RuleVerdict]:
    return [line for line in verdicts.reports["s"].verdicts if line.stage is PipelineStage.VALIDATION]


def test_who_meets_everything_may_go_live() -> None:
    verdicts = decided(shown())
    assert (verdicts.decision.effective_mode, verdicts.decision.reasons) == (LIVE, ())
    assert verdicts.ceiling_of("s") is LIVE
    assert {line.outcome for line in lines(verdicts)} == {Outcome.PASS}
    assert [line.rule for line in lines(verdicts)][:2] == [
        "backtest: covered data time >= 80d",
        "backtest: n_trades >= 10",
    ]
    assert not [line for line in lines(verdicts) if "not replayed" in line.explanation]


def test_what_a_runner_claims_of_paper_takes_nobody_live() -> None:
    claimed, elsewhere = replace(GOOD_PAPER, account=""), replace(GOOD_PAPER, account="margin/3/5000/////")
    for paper, reason in ((claimed, "EVIDENCE_CLAIMED"), (elsewhere, "EVIDENCE_OF_OTHER_ACCOUNT")):
        verdicts = decided(shown(paper))
        assert verdicts.decision.effective_mode is EffectiveMode.PAPER
        assert {"PAPER_PROFILE_UNMET", "DIVERGENCE_GUARD"} <= set(verdicts.decision.reasons)
        assert {line.reason for line in lines(verdicts) if line.outcome is Outcome.WARN} == {reason}


@pytest.mark.parametrize("extra", [EXTRA, "gating_policy: {divergence_guards: {sharpe: 0.5}}\n"])
def test_paper_over_prices_of_other_presets_takes_nobody_live(extra: str) -> None:
    """A world that named none when it ran on paper may have run on anybody's; a policy that does not ask for paper does
    not look at it.
    """
    policy, elsewhere = parse_policy(DOCUMENT + extra), replace(GOOD_PAPER, data_presets=("file.ohlcv.flattering",))
    verdicts = decided(shown(elsewhere), policy)
    assert (verdicts.decision.effective_mode, verdicts.live) == (EffectiveMode.PAPER, frozenset())
    assert verdicts.decision.reasons == ("EVIDENCE_OF_OTHER_DATA",)
    assert decided(shown(GOOD_PAPER), policy).decision.effective_mode is LIVE
    assert decided(shown(elsewhere), parse_policy(DOCUMENT)).decision.effective_mode is LIVE


def test_a_policy_that_takes_claims_reads_those_of_paper_and_says_so() -> None:
    policy = parse_policy(DOCUMENT + EXTRA + "evidence: claims\n")
    told = {line.rule: line for line in lines(decided(shown(replace(GOOD_PAPER, account="")), policy))}
    assert told["paper: sharpe >= 0.5"].outcome is Outcome.PASS
    claims = {rule for rule, line in told.items() if "not replayed" in line.explanation}
    assert {rule.partition(":")[0] for rule in claims} == {"paper", "divergence"}


def test_the_backtest_profile_decides_who_is_selected() -> None:
    verdicts = decided(shown(n_trades=9))
    assert verdicts.decision.selected == ()
    failed = [line for line in lines(verdicts) if line.outcome is Outcome.FAIL]
    assert [(line.rule, line.reason) for line in failed] == [("backtest: n_trades >= 10", "GATE_FAILED")]


@pytest.mark.parametrize(
    ("candidate", "reason", "line"),
    [
        (shown(None), "PAPER_PROFILE_UNMET", "NO_PAPER_RUN"),
        (shown(WEAK_PAPER), "PAPER_PROFILE_UNMET", "GATE_FAILED"),
        (shown(run(Stage.PAPER, 19)), "PAPER_PROFILE_UNMET", "INSUFFICIENT_HISTORY"),
        (shown(run(Stage.PAPER, 30, sharpe=0.69)), "DIVERGENCE_GUARD", "DIVERGES"),
        (shown(run(Stage.PAPER, 30, max_drawdown=0.16)), "DIVERGENCE_GUARD", "DIVERGES"),
        (shown(live=WEAK_LIVE), "LIVE_PROFILE_UNMET", "GATE_FAILED"),
    ],
)
def test_what_bars_from_live_leaves_paper_as_it_is(candidate: Candidate, reason: str, line: str) -> None:
    verdicts = decided(candidate)
    assert verdicts.decision.effective_mode is EffectiveMode.PAPER
    assert reason in verdicts.decision.reasons
    assert verdicts.decision.selected == ("s",)
    warned = [found for found in lines(verdicts) if found.outcome is Outcome.WARN]
    assert line in {found.reason for found in warned}
    assert verdicts.reports["s"].summary is Summary.WARN


def test_a_guard_holds_at_its_limit_exactly() -> None:
    assert decided(shown(run(Stage.PAPER, 30, sharpe=0.7, max_drawdown=0.15))).decision.effective_mode is LIVE


def test_a_guarded_metric_that_is_missing_fails_closed() -> None:
    paper = run(Stage.PAPER, 30)
    without = replace(paper, numbers=tuple(n for n in paper.numbers if n.name != "max_drawdown"))
    verdicts = decided(shown(without))
    assert "DIVERGENCE_GUARD" in verdicts.decision.reasons
    assert "METRIC_MISSING" in {line.reason for line in lines(verdicts)}


def _sortino(stage: Stage, value: float | None) -> Evidence:
    return run(stage) if value is None else run(stage, sortino=value)


@pytest.mark.parametrize(("backtest", "paper"), [(None, 1.0), (1.0, None), (None, None)])
def test_a_guard_needs_its_metric_in_both_runs(backtest: float | None, paper: float | None) -> None:
    guarded = parse_policy(DOCUMENT + "gating_policy: {divergence_guards: {sortino: 0.5}}\n")
    before, after = (_sortino(stage, value) for stage, value in ((Stage.BACKTEST, backtest), (Stage.PAPER, paper)))
    verdicts = decided(Candidate("s", BOTH_SIDES, before, after), guarded)
    assert "DIVERGENCE_GUARD" in verdicts.decision.reasons
    assert [line.reason for line in lines(verdicts)] == ["METRIC_MISSING"]


def test_a_guard_reads_worse_by_the_metric_s_own_direction() -> None:
    guarded = parse_policy(DOCUMENT + "gating_policy: {divergence_guards: {sortino: 0.5, volatility: 0.1}}\n")
    paper = run(Stage.PAPER, 30, sortino=0.5, volatility=0.4)
    assert decided(shown(paper, sortino=1.0, volatility=0.3), guarded).decision.reasons == ()
    for sortino, volatility in ((1.01, 0.3), (1.0, 0.29)):
        worse = shown(paper, sortino=sortino, volatility=volatility)
        assert decided(worse, guarded).decision.reasons == ("DIVERGENCE_GUARD",)


def test_a_pinned_data_set_admits_no_other() -> None:
    other = replace(shown(), evidence=replace(run(Stage.BACKTEST), dataset_fingerprint="blake3:other"))
    assert decided(other).decision.reasons == ("DATASET_FINGERPRINT_MISMATCH",)


def test_disabled_promotion_is_the_end_of_it() -> None:
    disabled = parse_policy(DOCUMENT + EXTRA + "governance: {live_promotion: {mode: disabled}}\n")
    assert decided(shown(), disabled).decision.reasons == ("LIVE_PROMOTION_DISABLED",)


def test_exactly_the_permitted_combinations_of_stages_go_live() -> None:
    paper_runs = {"none": None, "good": GOOD_PAPER, "weak": WEAK_PAPER, "far": run(Stage.PAPER, 30, sharpe=0.6)}
    live_runs = {"none": None, "good": GOOD_LIVE, "weak": WEAK_LIVE}
    fingerprints = {"pinned": "blake3:data", "other": "blake3:other", "unknown": ""}
    found = []
    for paper, live, data, allowed in itertools.product(paper_runs, live_runs, fingerprints, (True, False)):
        text = DOCUMENT + EXTRA + ("" if allowed else "governance: {live_promotion: {mode: disabled}}\n")
        proof = replace(run(Stage.BACKTEST), dataset_fingerprint=fingerprints[data])
        candidate = Candidate("s", BOTH_SIDES, proof, paper_runs[paper], live_runs[live])
        if decided(candidate, parse_policy(text)).ceiling_of("s") is LIVE:
            found.append((paper, live, data, allowed))
    assert found == [("good", "none", "pinned", True), ("good", "good", "pinned", True)]


def test_a_run_s_own_report_fails_what_its_stage_asks() -> None:
    verdicts = decided(shown(WEAK_PAPER)).reports["s"].verdicts
    own = own_verdicts(Stage.PAPER, verdicts)
    assert summarise(own) is Summary.FAIL
    assert [line.rule for line in own if line.outcome is Outcome.FAIL] == [
        "paper: sharpe >= 0.5",
        "divergence: sharpe on paper at most 0.5 worse than in backtest",
    ]
    assert own_verdicts(Stage.BACKTEST, verdicts) == verdicts


def test_what_the_policy_waives_a_run_s_own_report_does_not_fail() -> None:
    profile = '{gates: "profit_factor >= 1.1", missing_metrics: {profit_factor: warn}}'
    waiving = parse_policy(DOCUMENT + f"validation_profiles: {{paper: {profile}}}\n")
    verdicts = decided(shown(), waiving).reports["s"].verdicts
    assert "METRIC_MISSING_WARNED" in {line.reason for line in verdicts}
    assert own_verdicts(Stage.PAPER, verdicts) == verdicts


def test_a_paper_run_that_diverges_fails_its_own_report() -> None:
    verdicts = decided(shown(run(Stage.PAPER, 30, sharpe=0.69))).reports["s"].verdicts
    own = own_verdicts(Stage.PAPER, verdicts)
    assert summarise(own) is Summary.FAIL
    assert [line.reason for line in own if line.outcome is Outcome.FAIL] == ["DIVERGES"]
    assert own_verdicts(Stage.LIVE, verdicts) == verdicts


def test_without_shorts_the_short_side_only_computes() -> None:
    flat = parse_policy(DOCUMENT + "gating_policy: {can_short: false}\n")
    verdicts = decided(shown(), flat)
    assert verdicts.ceiling_of("s", Side.LONG) is LIVE
    assert verdicts.ceiling_of("s", Side.SHORT) is EffectiveMode.COMPUTE_ONLY
    assert decided(shown()).ceiling_of("s", Side.SHORT) is LIVE  # shorts are allowed unless a policy says otherwise

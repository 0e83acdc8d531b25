"""Validation per stage: the profile that judges a stage's newest run, and how far paper may fall behind backtest.

The backtest profile decides who may be selected. The paper profile and the divergence guards decide who may go live,
the live profile who may stay there: to them a strategy without such a run has shown nothing, so it may not go live but
goes on where it is.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from worldservice.evaluation.domain.reasons import DecisionReason
from worldservice.evaluation.domain.reports import Outcome, PipelineStage, RuleVerdict
from worldservice.evaluation.domain.runs import Candidate, Evidence
from worldservice.evaluation.domain.thresholds import WAIVED, evidence_verdicts, gates, sufficiency
from worldservice.policy.domain.metric_catalogue import CATALOGUE, CROSS_CONTEXT_HITS, MetricDirection, unusable
from worldservice.policy.domain.policy import Policy
from worldservice.worlds.domain.binding import Stage

RUNS_KEPT = 16_384
_DIVERGENCE = "divergence: "
_CLAIMED = "; what its runner reports, not replayed"
_SLACK = 1e-9  # a difference that meets its guard exactly is within it


@lru_cache(maxsize=RUNS_KEPT)
def validated(policy: Policy, stage: Stage, evidence: Evidence) -> tuple[RuleVerdict, ...]:
    """The verdicts of a stage's profile on a run: its data time first, then each gate."""
    thresholds = policy.profiles[stage]
    found = [sufficiency(thresholds, evidence)]
    if stage is Stage.PAPER:
        found.extend(evidence_verdicts(policy.evidence, policy.account_text, evidence))
    if all(verdict.outcome is not Outcome.FAIL for verdict in found):
        found.extend(gates(thresholds, evidence))
    return tuple(_of(stage, verdict, claimed=not evidence.replayed) for verdict in found)


def validations(policy: Policy, candidate: Candidate) -> tuple[RuleVerdict, ...]:
    """All verdicts on a strategy's paper and live runs."""
    return (
        *_paper(policy, candidate),
        *_divergence(policy, candidate),
        *_live(policy, candidate),
        *_isolated(policy, candidate),
    )


def unmet_for_live(policy: Policy, candidate: Candidate) -> tuple[DecisionReason, ...]:
    """Reasons why a strategy may not go live, or not stay there, whatever else holds."""
    found = (
        (DecisionReason.PAPER_PROFILE_UNMET, _paper(policy, candidate)),
        (DecisionReason.DIVERGENCE_GUARD, _divergence(policy, candidate)),
        (DecisionReason.LIVE_PROFILE_UNMET, _live(policy, candidate)),
        (DecisionReason.CROSS_CONTEXT_CACHE_HIT, _isolated(policy, candidate)),
    )
    return tuple(reason for reason, verdicts in found if any(v.outcome is Outcome.FAIL for v in verdicts))


def softened(verdict: RuleVerdict) -> RuleVerdict:
    """A failure that bars from live only, as a warning to who is to be selected."""
    return replace(verdict, outcome=Outcome.WARN) if verdict.outcome is Outcome.FAIL else verdict


def own_verdicts(stage: Stage, verdicts: Sequence[RuleVerdict]) -> tuple[RuleVerdict, ...]:
    """The verdicts of a run's own report: it fails what its stage's profile, and of paper a guard, else warns of."""
    prefixes = (_prefix(stage), _DIVERGENCE) if stage is Stage.PAPER else (_prefix(stage),)
    return tuple(
        replace(verdict, outcome=Outcome.FAIL)
        if verdict.outcome is Outcome.WARN
        and verdict.stage is PipelineStage.VALIDATION
        and verdict.rule.startswith(prefixes)
        and stage is not Stage.BACKTEST
        and verdict.reason not in WAIVED
        else verdict
        for verdict in verdicts
    )


def _paper(policy: Policy, candidate: Candidate) -> tuple[RuleVerdict, ...]:
    if Stage.PAPER not in policy.profiles:
        return ()
    if candidate.paper is None:
        why = "the strategy has no paper run in this world yet"
        return (_verdict(f"{_prefix(Stage.PAPER)}a run", Outcome.FAIL, DecisionReason.NO_PAPER_RUN, why),)
    return validated(policy, Stage.PAPER, candidate.paper)


def _live(policy: Policy, candidate: Candidate) -> tuple[RuleVerdict, ...]:
    if Stage.LIVE not in policy.profiles or candidate.live is None:
        return ()
    return validated(policy, Stage.LIVE, candidate.live)


def _divergence(policy: Policy, candidate: Candidate) -> tuple[RuleVerdict, ...]:
    return tuple(_guard(policy, name, most, candidate) for name, most in policy.gating.divergence.items())


def _guard(policy: Policy, name: str, most: float, candidate: Candidate) -> RuleVerdict:
    """Paper may be worse than backtest by at most so much; what cannot be compared fails closed."""
    rule = f"{_DIVERGENCE}{name} on paper at most {most:g} worse than in backtest"
    backtest, paper = candidate.evidence, candidate.paper
    if backtest is None or paper is None:
        return _verdict(rule, Outcome.FAIL, DecisionReason.NO_PAPER_RUN, "there is no pair of runs to compare")
    for line in evidence_verdicts(policy.evidence, policy.account_text, paper):
        if line.outcome is Outcome.FAIL:
            return _verdict(rule, Outcome.FAIL, line.reason or DecisionReason.EVIDENCE_CLAIMED, line.explanation)
    before, after = backtest.values(), paper.values()
    if unusable(name, before) is not None or unusable(name, after) is not None:
        return _verdict(
            rule, Outcome.FAIL, DecisionReason.METRIC_MISSING, f"fails closed: {name} is missing in one of the runs"
        )
    better = CATALOGUE[name].direction is MetricDirection.HIGHER_IS_BETTER
    worse = before[name] - after[name] if better else after[name] - before[name]
    seen = f"{name} = {before[name]:g} in backtest, {after[name]:g} on paper{'' if paper.replayed else _CLAIMED}"
    inputs = tuple(n for n in (*backtest.numbers, *paper.numbers) if n.name == name)
    outcome = Outcome.PASS if worse <= most + _SLACK else Outcome.FAIL
    reason = None if outcome is Outcome.PASS else DecisionReason.DIVERGES
    return RuleVerdict(PipelineStage.VALIDATION, rule, outcome, reason, inputs, seen)


def _isolated(policy: Policy, candidate: Candidate) -> tuple[RuleVerdict, ...]:
    """Every newest run has to say that it read nothing of another context; one that does not say fails closed."""
    if not policy.gating.no_cross_context or candidate.evidence is None:
        return ()
    runs = [run for run in (candidate.evidence, candidate.paper, candidate.live) if run is not None]
    hits = {run.stage: run.values().get(CROSS_CONTEXT_HITS) for run in runs}
    inputs = tuple(n for run in runs for n in run.numbers if n.name == CROSS_CONTEXT_HITS)
    seen = ", ".join(f"{stage.value.lower()}: {'not said' if n is None else f'{n:g}'}" for stage, n in hits.items())
    clean = all(count == 0 for count in hits.values())
    outcome, reason = (Outcome.PASS, None) if clean else (Outcome.FAIL, DecisionReason.CROSS_CONTEXT_CACHE_HIT)
    return (RuleVerdict(PipelineStage.VALIDATION, f"{CROSS_CONTEXT_HITS} == 0", outcome, reason, inputs, seen),)


def _of(stage: Stage, verdict: RuleVerdict, *, claimed: bool) -> RuleVerdict:
    why = f"{verdict.explanation}{_CLAIMED}" if claimed and stage is not Stage.BACKTEST else verdict.explanation
    return replace(verdict, stage=PipelineStage.VALIDATION, rule=f"{_prefix(stage)}{verdict.rule}", explanation=why)


def _prefix(stage: Stage) -> str:
    return f"{stage.value.lower()}: "


def _verdict(rule: str, outcome: Outcome, reason: DecisionReason | None, explanation: str) -> RuleVerdict:
    return RuleVerdict(PipelineStage.VALIDATION, rule, outcome, reason, (), explanation)

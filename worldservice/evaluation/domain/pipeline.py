"""The decision pipeline: data currency, edges, sufficiency, gates, score, selection. Pure, total, explained.

Each stage says of each strategy what it saw and what followed; a stage after a failed one is not asked.
The result does not depend on the order of the candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from worldservice.evaluation.domain.data_currency import DataState, data_currency
from worldservice.evaluation.domain.edge_checks import edge_verdicts
from worldservice.evaluation.domain.reasons import DecisionReason
from worldservice.evaluation.domain.reports import EvaluationReport, Outcome, PipelineStage, RuleVerdict, Summary
from worldservice.evaluation.domain.runs import Candidate, Evidence
from worldservice.evaluation.domain.selection import StrategyVerdict, Tenure, Tenures, failed, moved, select, settled
from worldservice.evaluation.domain.thresholds import (
    evidence_verdicts,
    execution_verdict,
    faults_of,
    faults_text,
    gates,
    sufficiency,
)
from worldservice.evaluation.domain.validation import softened, validated, validations
from worldservice.policy.domain.expressions import Expression, NotComputable
from worldservice.policy.domain.policy import Policy
from worldservice.worlds.domain.binding import Stage

MERITS_KEPT = 16_384  # eight full worlds; a verdict is about 3 kB


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The verdict on every candidate, ordered by strategy id, and what hysteresis remembers from here on."""

    verdicts: tuple[StrategyVerdict, ...]
    tenures: Tenures


def run_pipeline(
    policy: Policy, candidates: Sequence[Candidate], data: DataState, tenures: Tenures | None = None
) -> Outcomes:
    """All stages. Without current data nothing is selected and nothing is counted."""
    currency = data_currency(policy, data)
    ordered = sorted(candidates, key=lambda c: c.strategy_id)
    judged = [_judge(policy, candidate, currency) for candidate in ordered]
    known = tenures or {}
    if policy.hysteresis is None or currency.outcome is Outcome.FAIL:
        return Outcomes(select(replace(policy, hysteresis=None), candidates, judged, {}, data.now), known)
    counted = {v.strategy_id: _counted(known, c, v) for c, v in zip(ordered, judged, strict=True)}
    verdicts = select(policy, candidates, judged, counted, data.now)
    after = {v.strategy_id: settled(counted[v.strategy_id], v.selected, data.now) for v in verdicts}
    return Outcomes(verdicts, after)


def _counted(known: Tenures, candidate: Candidate, judged: StrategyVerdict) -> Tenure:
    tenure = known.get(candidate.strategy_id) or Tenure(candidate.strategy_id)
    if candidate.edges.shut_out:  # an edge that is off says nothing of what it has shown
        return tenure
    data_end = candidate.evidence.data_end if candidate.evidence is not None else None
    return moved(tenure, not failed(judged.verdicts), data_end)


def report_of(
    verdict: StrategyVerdict, world_id: str, policy_version: int, policy: Policy, now: datetime
) -> EvaluationReport:
    """The verdict on a strategy as a report of a policy version."""
    return EvaluationReport(
        world_id=world_id,
        strategy_id=verdict.strategy_id,
        policy_version=policy_version,
        ruleset_hash=policy.ruleset_hash,
        summary=summarise(verdict.verdicts),
        verdicts=verdict.verdicts,
        score=verdict.score,
        selected=verdict.selected,
        rank=verdict.rank,
        evaluated_at=now,
    )


def summarise(verdicts: Sequence[RuleVerdict]) -> Summary:
    """The worst outcome; a rule that was not asked fails."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if Outcome.FAIL in outcomes or Outcome.SKIPPED in outcomes:
        return Summary.FAIL
    return Summary.WARN if Outcome.WARN in outcomes else Summary.PASS


def _judge(policy: Policy, candidate: Candidate, currency: RuleVerdict) -> StrategyVerdict:
    """All stages but selection, which needs the others. What only bars from live is a warning here."""
    if currency.outcome is Outcome.FAIL:
        return StrategyVerdict(candidate.strategy_id, (currency,), None, selected=False, rank=0)
    edges = edge_verdicts(candidate.edges, policy.gating.edges)
    if failed(edges):
        return StrategyVerdict(candidate.strategy_id, (currency, *edges), None, selected=False, rank=0)
    found, score = _merits(policy, candidate.evidence)
    beyond = [softened(line) for line in validations(policy, candidate)]
    return StrategyVerdict(candidate.strategy_id, (currency, *edges, *found, *beyond), score, selected=False, rank=0)


@lru_cache(maxsize=MERITS_KEPT)
def _merits(policy: Policy, evidence: Evidence | None) -> tuple[tuple[RuleVerdict, ...], float | None]:
    """What evidence is worth under a policy depends on nothing else, so it is judged once."""
    found = [sufficiency(policy.thresholds, evidence)]
    if evidence is not None:
        found.extend(evidence_verdicts(policy.evidence, policy.account_text, evidence))
    if evidence is not None and policy.gating.execution is not None:
        found.append(execution_verdict(policy.gating.execution, evidence))
    score: float | None = None
    if evidence is not None and not failed(found):
        found.extend(gates(policy.thresholds, evidence))
    if evidence is not None and not failed(found) and Stage.BACKTEST in policy.profiles:
        found.extend(validated(policy, Stage.BACKTEST, evidence))
    if evidence is not None and not failed(found) and policy.score is not None:
        verdict, score = _score(policy.score, evidence)
        found.append(verdict)
    return tuple(found), score


def _score(score: Expression, evidence: Evidence) -> tuple[RuleVerdict, float | None]:
    values = evidence.values()
    inputs = tuple(number for number in evidence.numbers if number.name in score.names)

    def verdict(outcome: Outcome, reason: DecisionReason | None, explanation: str) -> RuleVerdict:
        return RuleVerdict(PipelineStage.SCORE, score.text, outcome, reason, inputs, explanation)

    faults = faults_of(score, values)
    if faults:
        return verdict(Outcome.FAIL, DecisionReason.METRIC_MISSING, f"fails closed: {faults_text(faults)}"), None
    try:
        value = score.number(values)
    except NotComputable as error:
        return verdict(Outcome.FAIL, DecisionReason.SCORE_NOT_FINITE, str(error)[:300]), None
    return verdict(Outcome.PASS, None, f"score = {value:g}"), value

"""The decision pipeline: data currency, sufficiency, gates, score, selection. Pure, total, explained.

Each stage says of each strategy what it saw and what followed; a stage after a failed one is not asked.
The result does not depend on the order of the candidates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache

from worldservice.domain.evaluation import (
    Candidate,
    EvaluationReport,
    Evidence,
    Number,
    Outcome,
    PipelineStage,
    RuleVerdict,
    Summary,
)
from worldservice.domain.expressions import Expression, NotComputable
from worldservice.domain.metrics import Unusable, unusable
from worldservice.domain.policy import AnyOf, Gate, OnMissing, Policy
from worldservice.domain.selection import Tenure, Tenures, Verdict, failed, moved, select, settled

_FUTURE_SLACK = timedelta(minutes=1)  # data that ends later than this after now is a clock fault, not freshness
MERITS_KEPT = 16_384  # eight full worlds; a verdict is about 3 kB
WARNED, IGNORED = "METRIC_MISSING_WARNED", "METRIC_MISSING_IGNORED"


@dataclass(frozen=True, slots=True)
class DataState:
    """Until when the world has data, and the time that is measured against (a replay's is its watermark)."""

    now: datetime
    data_end: datetime | None


def data_currency(policy: Policy, data: DataState) -> RuleVerdict:
    """now - data_end <= max_lag, for the whole world."""
    max_lag = policy.data_currency.max_lag
    rule = f"now - data_end <= {_span(max_lag)}"
    if data.data_end is None:
        return _currency(rule, Outcome.FAIL, "DATA_END_UNKNOWN", "nothing says until when the world has data")
    lag = data.now - data.data_end
    if lag < -_FUTURE_SLACK:
        return _currency(rule, Outcome.FAIL, "DATA_END_IN_FUTURE", f"data ends {_span(-lag)} after now")
    if lag > max_lag:
        return _currency(rule, Outcome.FAIL, "DATA_STALE", f"data is {_span(lag)} old, at most {_span(max_lag)} counts")
    return _currency(rule, Outcome.PASS, "", f"data is {_span(max(lag, timedelta()))} old")


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The verdict on every candidate, ordered by strategy id, and what hysteresis remembers from here on."""

    verdicts: tuple[Verdict, ...]
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


def _counted(known: Tenures, candidate: Candidate, judged: Verdict) -> Tenure:
    tenure = known.get(candidate.strategy_id) or Tenure(candidate.strategy_id)
    data_end = candidate.evidence.data_end if candidate.evidence is not None else None
    return moved(tenure, not failed(judged.verdicts), data_end)


def report_of(verdict: Verdict, world_id: str, policy_version: int, policy: Policy, now: datetime) -> EvaluationReport:
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
    outcomes = {verdict.outcome for verdict in verdicts}
    if Outcome.FAIL in outcomes or Outcome.SKIPPED in outcomes:
        return Summary.FAIL
    return Summary.WARN if Outcome.WARN in outcomes else Summary.PASS


def _judge(policy: Policy, candidate: Candidate, currency: RuleVerdict) -> Verdict:
    """All stages but selection, which needs the others."""
    if currency.outcome is Outcome.FAIL:
        return Verdict(candidate.strategy_id, (currency,), None, selected=False, rank=0)
    found, score = _merits(policy, candidate.evidence)
    return Verdict(candidate.strategy_id, (currency, *found), score, selected=False, rank=0)


@lru_cache(maxsize=MERITS_KEPT)
def _merits(policy: Policy, evidence: Evidence | None) -> tuple[tuple[RuleVerdict, ...], float | None]:
    """What evidence is worth under a policy depends on nothing else, so it is judged once."""
    found = [_sufficiency(policy, evidence)]
    score: float | None = None
    if evidence is not None and not failed(found):
        found.extend(_gates(policy, evidence))
    if evidence is not None and not failed(found) and policy.score is not None:
        verdict, score = _score(policy.score, evidence)
        found.append(verdict)
    return tuple(found), score


def _sufficiency(policy: Policy, evidence: Evidence | None) -> RuleVerdict:
    want = policy.data_currency.min_history
    rule = f"covered data time >= {_span(want)}"

    def verdict(outcome: Outcome, reason: str, explanation: str) -> RuleVerdict:
        return RuleVerdict(PipelineStage.SUFFICIENCY, rule, outcome, reason, (), explanation)

    if evidence is None:
        return verdict(Outcome.FAIL, "NO_EVALUATION", "the strategy was never evaluated in this world")
    if evidence.data_start is None or evidence.data_end is None:
        return verdict(Outcome.FAIL, "HISTORY_UNKNOWN", "the run does not say which data time it covers")
    covered = evidence.data_end - evidence.data_start
    if covered < want:
        return verdict(Outcome.FAIL, "INSUFFICIENT_HISTORY", f"the run covers {_span(covered)}, {_span(want)} is asked")
    return verdict(Outcome.PASS, "", f"the run covers {_span(covered)}")


def _gates(policy: Policy, evidence: Evidence) -> list[RuleVerdict]:
    """Every rule's own verdict; a failed alternative of an `or` that passed is a pass that says so."""
    found: list[RuleVerdict] = []
    _test(policy.gates, policy, evidence, evidence.values(), found)
    return found


class _Holding(Enum):
    HOLDS = "HOLDS"
    WAIVED = "WAIVED"
    FAILS = "FAILS"


def _test(
    gate: Gate, policy: Policy, evidence: Evidence, values: Mapping[str, float], found: list[RuleVerdict]
) -> _Holding:
    if isinstance(gate, Expression):
        verdict = _rule(gate, policy, evidence, values)
        found.append(verdict)
        return _holding(verdict)
    mark = len(found)
    parts = [_test(part, policy, evidence, values, found) for part in gate.parts]
    if isinstance(gate, AnyOf) and _Holding.HOLDS in parts:
        found[mark:] = [_alternative(verdict) for verdict in found[mark:]]
        return _Holding.HOLDS
    if _Holding.FAILS in parts:  # in an `or` too: a rule that was only waived cannot carry those that fail
        return _Holding.FAILS
    return _Holding.HOLDS if _Holding.HOLDS in parts else _Holding.WAIVED


def _holding(verdict: RuleVerdict) -> _Holding:
    if verdict.outcome is Outcome.FAIL:
        return _Holding.FAILS
    return _Holding.WAIVED if verdict.reason in (WARNED, IGNORED) else _Holding.HOLDS


def _alternative(verdict: RuleVerdict) -> RuleVerdict:
    if verdict.outcome is not Outcome.FAIL:
        return verdict
    explanation = f"{verdict.explanation}; another alternative holds"
    return replace(verdict, outcome=Outcome.PASS, reason="ALTERNATIVE_HOLDS", explanation=explanation)


def _rule(rule: Expression, policy: Policy, evidence: Evidence, values: Mapping[str, float]) -> RuleVerdict:
    inputs = tuple(number for number in evidence.numbers if number.name in rule.names)
    faults = _faults_of(rule, values)
    if faults:
        return _missing(rule, policy, inputs, faults)
    try:
        holds = rule.test(values)
    except NotComputable as error:
        return RuleVerdict(
            PipelineStage.GATES, rule.text, Outcome.FAIL, "GATE_NOT_COMPUTABLE", inputs, str(error)[:300]
        )
    seen = ", ".join(f"{number.name} = {number.value:g}" for number in inputs)
    if holds:
        return RuleVerdict(PipelineStage.GATES, rule.text, Outcome.PASS, "", inputs, seen)
    return RuleVerdict(PipelineStage.GATES, rule.text, Outcome.FAIL, "GATE_FAILED", inputs, f"does not hold: {seen}")


def _missing(
    rule: Expression, policy: Policy, inputs: tuple[Number, ...], faults: Mapping[str, Unusable]
) -> RuleVerdict:
    """Fails closed unless the policy waives every metric that is missing."""
    answers = {policy.missing_rule(name) for name in faults}
    text = _faults_text(faults)
    if OnMissing.FAIL in answers:
        return RuleVerdict(
            PipelineStage.GATES, rule.text, Outcome.FAIL, "METRIC_MISSING", inputs, f"fails closed: {text}"
        )
    warned = OnMissing.WARN in answers
    outcome, reason = (Outcome.WARN, WARNED) if warned else (Outcome.PASS, IGNORED)
    return RuleVerdict(PipelineStage.GATES, rule.text, outcome, reason, inputs, f"waived by the policy: {text}")


def _faults_of(rule: Expression, values: Mapping[str, float]) -> Mapping[str, Unusable]:
    return {name: fault for name in rule.names if (fault := unusable(name, values)) is not None}


def _faults_text(faults: Mapping[str, Unusable]) -> str:
    return ", ".join(f"{name}: {fault.value}" for name, fault in faults.items())


def _score(score: Expression, evidence: Evidence) -> tuple[RuleVerdict, float | None]:
    values = evidence.values()
    inputs = tuple(number for number in evidence.numbers if number.name in score.names)

    def verdict(outcome: Outcome, reason: str, explanation: str) -> RuleVerdict:
        return RuleVerdict(PipelineStage.SCORE, score.text, outcome, reason, inputs, explanation)

    faults = _faults_of(score, values)
    if faults:
        return verdict(Outcome.FAIL, "METRIC_MISSING", f"fails closed: {_faults_text(faults)}"), None
    try:
        value = score.number(values)
    except NotComputable as error:
        return verdict(Outcome.FAIL, "SCORE_NOT_FINITE", str(error)[:300]), None
    return verdict(Outcome.PASS, "", f"score = {value:g}"), value


def _currency(rule: str, outcome: Outcome, reason: str, explanation: str) -> RuleVerdict:
    return RuleVerdict(PipelineStage.DATA_CURRENCY, rule, outcome, reason, (), explanation)


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for name, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if (seconds and seconds % size == 0) or seconds >= 2 * size:
            return f"{seconds / size:.4g}{name}"
    return f"{seconds}s"

"""One run judged by thresholds: does it cover enough data time, and what each gate says of its numbers.

A metric that is missing or unusable fails its rule unless the policy waives it, and a waived rule carries nobody.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from enum import Enum

from worldservice.evaluation.domain.reasons import DecisionReason
from worldservice.evaluation.domain.reports import Number, Outcome, PipelineStage, RuleVerdict
from worldservice.evaluation.domain.runs import Evidence
from worldservice.policy.domain.evidence import EvidenceRule
from worldservice.policy.domain.execution_model import ExecutionModel, described, lenient
from worldservice.policy.domain.expressions import Expression, NotComputable
from worldservice.policy.domain.metric_catalogue import Unusable, unusable
from worldservice.policy.domain.policy import AnyOf, Gate, OnMissing, Thresholds
from worldservice.worlds.domain.binding import Stage

WAIVED = (DecisionReason.METRIC_MISSING_WARNED, DecisionReason.METRIC_MISSING_IGNORED)


def sufficiency(thresholds: Thresholds, evidence: Evidence | None) -> RuleVerdict:
    """Whether the run covers enough data time."""
    want = thresholds.min_history
    rule = f"covered data time >= {span_text(want)}"

    def verdict(outcome: Outcome, reason: DecisionReason | None, explanation: str) -> RuleVerdict:
        return RuleVerdict(PipelineStage.SUFFICIENCY, rule, outcome, reason, (), explanation)

    if evidence is None:
        return verdict(Outcome.FAIL, DecisionReason.NO_EVALUATION, "the strategy was never evaluated in this world")
    if evidence.data_start is None or evidence.data_end is None:
        return verdict(Outcome.FAIL, DecisionReason.HISTORY_UNKNOWN, "the run does not say which data time it covers")
    covered = evidence.data_end - evidence.data_start
    if covered < want:
        return verdict(
            Outcome.FAIL,
            DecisionReason.INSUFFICIENT_HISTORY,
            f"the run covers {span_text(covered)}, {span_text(want)} is asked",
        )
    return verdict(Outcome.PASS, None, f"the run covers {span_text(covered)}")


def evidence_verdicts(rule: EvidenceRule, account: str, evidence: Evidence) -> tuple[RuleVerdict, ...]:
    """Whether a run's numbers were computed here in the account that the policy asks for, where it takes nothing else.

    A backtest's are from a replay of its orders, a paper run's from brokerage's books. A live run is what its runner
    reports.
    """
    if rule is EvidenceRule.CLAIMS or evidence.stage is Stage.LIVE:
        return ()
    on_paper = evidence.stage is Stage.PAPER
    outcome, reason, why = Outcome.FAIL, DecisionReason.EVIDENCE_CLAIMED, ""
    if not evidence.replayed:
        source = "name the account (`paper_books`)" if on_paper else "send the order list"
        why = f"the numbers are the {'runner' if on_paper else 'author'}'s own: {source}, or let the policy say "
        why += "`evidence: claims`"
    elif evidence.account != account:
        reason = DecisionReason.EVIDENCE_OF_OTHER_ACCOUNT
        again = "run it on paper" if on_paper else "submit"
        why = f"replayed under {evidence.account}, the policy asks for {account}: {again} again"
    else:
        passed = f"from the books of {evidence.paper_account}" if on_paper else f"replayed from {evidence.order_list}"
        return (RuleVerdict(PipelineStage.SUFFICIENCY, "evidence: replay", Outcome.PASS, None, (), passed),)
    return (RuleVerdict(PipelineStage.SUFFICIENCY, "evidence: replay", outcome, reason, (), why),)


def execution_verdict(asked: ExecutionModel, evidence: Evidence) -> RuleVerdict:
    """Whether a run assumed execution at least as costly as asked: numbers of a kinder one are not compared to it."""
    rule = f"execution: {described(asked)}"
    if evidence.execution is None:
        why = "the run does not say what it assumed of execution"
        return RuleVerdict(
            PipelineStage.SUFFICIENCY, rule, Outcome.FAIL, DecisionReason.EXECUTION_MODEL_UNKNOWN, (), why
        )
    why = "; ".join(lenient(asked, evidence.execution))
    if why:
        return RuleVerdict(
            PipelineStage.SUFFICIENCY, rule, Outcome.FAIL, DecisionReason.EXECUTION_MODEL_LENIENT, (), why
        )
    return RuleVerdict(PipelineStage.SUFFICIENCY, rule, Outcome.PASS, None, (), "the run was at least as strict")


def gates(thresholds: Thresholds, evidence: Evidence) -> list[RuleVerdict]:
    """Every rule's own verdict; a failed alternative of an `or` that passed is a pass that says so."""
    found: list[RuleVerdict] = []
    _test(thresholds.gates, thresholds, evidence, evidence.values(), found)
    return found


class _Holding(Enum):
    HOLDS = "HOLDS"
    WAIVED = "WAIVED"
    FAILS = "FAILS"


def _test(
    gate: Gate, thresholds: Thresholds, evidence: Evidence, values: Mapping[str, float], found: list[RuleVerdict]
) -> _Holding:
    if isinstance(gate, Expression):
        verdict = _rule(gate, thresholds, evidence, values)
        found.append(verdict)
        return _holding(verdict)
    mark = len(found)
    parts = [_test(part, thresholds, evidence, values, found) for part in gate.parts]
    if isinstance(gate, AnyOf) and _Holding.HOLDS in parts:
        found[mark:] = [_alternative(verdict) for verdict in found[mark:]]
        return _Holding.HOLDS
    if _Holding.FAILS in parts:  # in an `or` too: a rule that was only waived cannot carry those that fail
        return _Holding.FAILS
    return _Holding.HOLDS if _Holding.HOLDS in parts else _Holding.WAIVED


def _holding(verdict: RuleVerdict) -> _Holding:
    if verdict.outcome is Outcome.FAIL:
        return _Holding.FAILS
    return _Holding.WAIVED if verdict.reason in WAIVED else _Holding.HOLDS


def _alternative(verdict: RuleVerdict) -> RuleVerdict:
    if verdict.outcome is not Outcome.FAIL:
        return verdict
    explanation = f"{verdict.explanation}; another alternative holds"
    return replace(verdict, outcome=Outcome.PASS, reason=DecisionReason.ALTERNATIVE_HOLDS, explanation=explanation)


def _rule(rule: Expression, thresholds: Thresholds, evidence: Evidence, values: Mapping[str, float]) -> RuleVerdict:
    inputs = tuple(number for number in evidence.numbers if number.name in rule.names)
    faults = faults_of(rule, values)
    if faults:
        return _missing(rule, thresholds, inputs, faults)
    try:
        holds = rule.test(values)
    except NotComputable as error:
        return RuleVerdict(
            PipelineStage.GATES, rule.text, Outcome.FAIL, DecisionReason.GATE_NOT_COMPUTABLE, inputs, str(error)[:300]
        )
    seen = ", ".join(f"{number.name} = {number.value:g}" for number in inputs)
    if holds:
        return RuleVerdict(PipelineStage.GATES, rule.text, Outcome.PASS, None, inputs, seen)
    return RuleVerdict(
        PipelineStage.GATES, rule.text, Outcome.FAIL, DecisionReason.GATE_FAILED, inputs, f"does not hold: {seen}"
    )


def _missing(
    rule: Expression, thresholds: Thresholds, inputs: tuple[Number, ...], faults: Mapping[str, Unusable]
) -> RuleVerdict:
    """Fails closed unless the policy waives every metric that is missing."""
    answers = {thresholds.missing_rule(name) for name in faults}
    text = faults_text(faults)
    if OnMissing.FAIL in answers:
        return RuleVerdict(
            PipelineStage.GATES, rule.text, Outcome.FAIL, DecisionReason.METRIC_MISSING, inputs, f"fails closed: {text}"
        )
    warned = OnMissing.WARN in answers
    outcome, reason = (Outcome.WARN, WAIVED[0]) if warned else (Outcome.PASS, WAIVED[1])
    return RuleVerdict(PipelineStage.GATES, rule.text, outcome, reason, inputs, f"waived by the policy: {text}")


def faults_of(rule: Expression, values: Mapping[str, float]) -> Mapping[str, Unusable]:
    """Why metrics that a rule reads cannot be used, by name."""
    return {name: fault for name in rule.names if (fault := unusable(name, values)) is not None}


def faults_text(faults: Mapping[str, Unusable]) -> str:
    """The faults as a person reads them."""
    return ", ".join(f"{name}: {fault.value}" for name, fault in faults.items())


def span_text(span: timedelta) -> str:
    """A span of time in its largest whole unit."""
    seconds = int(span.total_seconds())
    for name, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if (seconds and seconds % size == 0) or seconds >= 2 * size:
            return f"{seconds / size:.4g}{name}"
    return f"{seconds}s"

"""What a world's decision and an evaluation mean, in sentences.

Pure. Codes stay in the text, because that is what one searches for; a code of a newer peer is shown as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from qmtl.cli.show.formats import number
from qmtl.cli.show.messages import enum_word, when
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb

CEILINGS = {
    commonpb.EFFECTIVE_MODE_VALIDATE: "only validates: nothing is selected and nothing trades",
    commonpb.EFFECTIVE_MODE_COMPUTE_ONLY: "only computes: nothing trades",
    commonpb.EFFECTIVE_MODE_PAPER: "may trade on paper, not live",
    commonpb.EFFECTIVE_MODE_LIVE: "may trade live",
    commonpb.EFFECTIVE_MODE_SHADOW: "runs in the shadow: live inputs, every order blocked",
}
REASONS = {
    "WORLD_DELETED": "the world is deleted",
    "WORLD_SUSPENDED": "the world is suspended by its owner",
    "CIRCUIT_BREAKER": "the circuit breaker is tripped",
    "NO_POLICY": "there is no policy: qmtl world policy set",
    "POLICY_UNREADABLE": "the stored policy cannot be read",
    "NO_BINDINGS": "no strategy is bound: qmtl submit",
    "NOTHING_SELECTED": "the policy selects none of its strategies",
    "DATA_END_UNKNOWN": "nothing says until when there is data",
    "DATA_STALE": "the data is older than the policy's max_lag",
    "DATA_END_IN_FUTURE": "the data ends in the future: a clock is wrong",
    "EVIDENCE_CLAIMED": "its numbers are claims: only a replay of the orders (evidence: replay) goes live",
    "LIVE_NOT_ALLOWED": "live trading is not allowed in this world",
    "REPLAY_NEVER_LIVE": "its data is a replay, which can never be live",
    "LIVE_NOT_APPROVED": "no selected strategy has an owner's approval: qmtl world approve-live",
    "DATASET_FINGERPRINT_MISSING": "the evaluated data has no fingerprint",
    "DATASET_FINGERPRINT_MISMATCH": "the evaluated data is not the one the policy pins",
    "LIVE_PROMOTION_DISABLED": "the policy's governance disables promotion to live",
    "PAPER_PROFILE_UNMET": "what was approved has not met the paper profile",
    "LIVE_PROFILE_UNMET": "what was approved does not meet the live profile any more",
    "EDGE_OFF": "what was approved has an edge that is off in LIVE: qmtl world edge list",
    "CROSS_CONTEXT_CACHE_HIT": "what was approved met records of another context, or does not say that it met none",
    "DIVERGENCE_GUARD": "what was approved does worse on paper than in backtest, by more than a guard allows",
}
MARKS = {
    evaluationpb.OUTCOME_PASS: "pass",
    evaluationpb.OUTCOME_WARN: "warn",
    evaluationpb.OUTCOME_FAIL: "FAIL",
    evaluationpb.OUTCOME_SKIPPED: "-",
}
_TRADING = (commonpb.EFFECTIVE_MODE_PAPER, commonpb.EFFECTIVE_MODE_LIVE)
RULE_WIDTH = 34


@dataclass(frozen=True, slots=True)
class Standing:
    """One bound strategy with what is known of it. `run` is the newest one a policy judges; None: never evaluated.

    `unsettled` is a newer one that waits for its evidence or was refused it.
    """

    strategy_id: str
    name: str
    stage: bindingpb.Stage
    run: evaluationpb.EvaluationRun | None
    entries: tuple[activationpb.ActivationEntry, ...]
    unsettled: evaluationpb.EvaluationRun | None = None
    closings: tuple[activationpb.PositionClosing, ...] = ()


def standings_of(
    bindings: Sequence[bindingpb.Binding],
    runs: Sequence[evaluationpb.EvaluationRun],
    activation: activationpb.ActivationEnvelope,
    names: dict[str, str],
    closings: Sequence[activationpb.PositionClosing] = (),
) -> list[Standing]:
    """Every bound strategy; `runs` come newest first and a policy judges the newest of stage BACKTEST."""
    newest: dict[str, evaluationpb.EvaluationRun] = {}
    for run in runs:
        if run.stage == bindingpb.STAGE_BACKTEST:
            newest.setdefault(run.strategy_id, run)
    return [
        Standing(
            bound.strategy_id,
            names.get(bound.strategy_id, ""),
            bound.stage,
            newest.get(bound.strategy_id),
            tuple(entry for entry in activation.entries if entry.strategy_id == bound.strategy_id),
            closings=tuple(one for one in closings if one.strategy_id == bound.strategy_id),
        )
        for bound in bindings
        if bound.state != bindingpb.BINDING_STATE_REMOVED
    ]


def as_judged_now(
    standings: Sequence[Standing],
    reports: Iterable[evaluationpb.EvaluationReport],
    unsettled: Iterable[evaluationpb.EvaluationRun] = (),
) -> list[Standing]:
    """The standings with what the rules say now, in place of what they said when the runs were evaluated."""
    by_strategy = {report.strategy_id: report for report in reports}
    waiting = {run.strategy_id: run for run in sorted(unsettled, key=lambda run: -run.stage)}  # a backtest first of all
    judged = [_judged(standing, by_strategy.get(standing.strategy_id)) for standing in standings]
    return [replace(standing, unsettled=waiting.get(standing.strategy_id)) for standing in judged]


def evidence_lines(run: evaluationpb.EvaluationRun) -> Iterator[str]:
    """What the numbers of a run rest on: warnings first, then claims beside what the replay came to."""
    yield from (f"WARNING {line}" for line in run.warnings)
    if run.evidence_state in (evaluationpb.EVIDENCE_STATE_PENDING, evaluationpb.EVIDENCE_STATE_REFUSED):
        waits = run.evidence_state == evaluationpb.EVIDENCE_STATE_PENDING
        on_paper = bool(run.paper_books.account)
        word = f"waits for {'the books of its account' if on_paper else 'the replay of its orders'}"
        word = word if waits else "cannot be computed" if on_paper else "cannot be replayed"
        why = f": {run.evidence_message}" if run.evidence_message else ""
        yield f"run {run.run_id} {word} and counts for nothing{why}"
    elif run.evidence_state == evaluationpb.EVIDENCE_STATE_REPLAYED:
        same = "; the client came to the same" if run.claims and not run.warnings else ""
        replay = f"the world's own replay of {run.order_list[:15]}"
        books = f"brokerage's books of {run.paper_books.account}"
        yield f"numbers are of {books if run.paper_books.account else replay}{same}"
    elif run.evidence_state == evaluationpb.EVIDENCE_STATE_CLAIMED:
        yield "numbers are the client's own claims"


def _judged(standing: Standing, report: evaluationpb.EvaluationReport | None) -> Standing:
    if standing.run is None or report is None:
        return standing
    run = evaluationpb.EvaluationRun()
    run.CopyFrom(standing.run)
    run.report.CopyFrom(report)
    return replace(standing, run=run)


def explain_world(decision: decisionpb.DecisionEnvelope, standings: Sequence[Standing]) -> Iterator[str]:
    """The ceiling and why it is not higher, then each strategy: those that are in, by rank, then the others."""
    yield f"world {decision.world_id} {CEILINGS.get(decision.effective_mode, 'has a mode this command does not know')}"
    yield f"  decided {when(decision.decided_at)} by policy version {decision.policy_version}{_stale(decision)}"
    if decision.HasField("data_end"):
        yield f"  data ends {when(decision.data_end)}, {decision.coverage_ratio:.2%} of the expected bars are there"
    yield from (f"  not more because {reason_text(reason)}" for reason in decision.reasons)
    places = {strategy_id: place for place, strategy_id in enumerate(decision.selected)}
    for standing in sorted(standings, key=lambda s: (places.get(s.strategy_id, len(places)), _rank(s), s.strategy_id)):
        yield ""
        yield from explain_strategy(decision, standing)


def explain_strategy(decision: decisionpb.DecisionEnvelope, standing: Standing) -> Iterator[str]:
    """One strategy: in or out and the reason, every rule with its numbers, and what it may do now."""
    is_in = standing.strategy_id in decision.selected
    title = f"{standing.name} ({standing.strategy_id})" if standing.name else standing.strategy_id
    yield f"{'IN ' if is_in else 'OUT'}  {title}: {why_in(standing) if is_in else why_out(decision, standing)}"
    for run in (standing.unsettled, standing.run):
        yield from (f"     {line}" for line in (evidence_lines(run) if run is not None else ()))
    if standing.run is not None:
        report = standing.run.report
        yield from (f"     {line}" for line in verdict_lines(report))
        span = f"{when(standing.run.data_start)} to {when(standing.run.data_end)}"
        yield f"     judged on run {standing.run.run_id} revision {standing.run.run_revision}, data {span}"
        if report.policy_version != decision.policy_version:
            yield f"     its report is of policy version {report.policy_version}: evaluate it again"
    yield f"     {trading_text(decision, standing)}"


def why_in(standing: Standing) -> str:
    """Selected, with rank and score when there are any."""
    if standing.run is None or not standing.run.report.rank:
        return "selected"
    report = standing.run.report
    return f"rank {report.rank}, score {number(report.score)}" if report.HasField("score") else f"rank {report.rank}"


def why_out(decision: decisionpb.DecisionEnvelope, standing: Standing) -> str:
    """The first thing that stood in the way."""
    if standing.run is None:
        return "it was never evaluated in this world"
    report = standing.run.report
    failed = next((one for one in report.verdicts if one.outcome == evaluationpb.OUTCOME_FAIL), None)
    if failed is not None:
        code = f" [{enum_word(decisionpb.DecisionReason, failed.reason)}]" if failed.reason else ""
        return f"{failed.rule}: {failed.explanation or numbers_text(failed.inputs)}{code}"
    if not decision.policy_version:
        return reason_text(decisionpb.DECISION_REASON_NO_POLICY)
    if not report.policy_version:
        return "it was evaluated before there was a policy"
    if decision.reasons and not decision.selected:
        return "; ".join(reason_text(reason) for reason in decision.reasons)
    return "it passed when it was evaluated, and the world has moved on: others took the places, or the policy changed"


def trading_text(decision: decisionpb.DecisionEnvelope, standing: Standing) -> str:
    """What it may do now, side by side, and who could change that."""
    if not standing.entries:
        return f"does not trade: nobody has activated it ({_way_in(decision, standing)})"
    return "; ".join(_entry_text(decision, standing, entry) for entry in standing.entries)


def _way_in(decision: decisionpb.DecisionEnvelope, standing: Standing) -> str:
    """The command that brings it to paper: an activation, or an apply where the policy asks for one."""
    verdicts = standing.run.report.verdicts if standing.run else ()
    shut = decisionpb.DECISION_REASON_EDGES_NOT_OPENED
    if any(verdict.reason == shut and "DRYRUN" in verdict.explanation for verdict in verdicts):
        return f"qmtl world apply {decision.world_id} --evaluate"
    return f"qmtl world activate {decision.world_id} {standing.strategy_id} --stage paper"


def _entry_text(decision: decisionpb.DecisionEnvelope, standing: Standing, entry: activationpb.ActivationEntry) -> str:
    side = enum_word(commonpb.Side, entry.side).lower()
    if entry.freeze:
        return f"{side} is frozen {_frozen_by(decision, entry)}"
    if not entry.active:
        return f"{side} is inactive"
    if entry.drain and entry.effective_mode in _TRADING:
        mode = enum_word(commonpb.EffectiveMode, entry.effective_mode)
        return f"{side} drains in {mode}: only reducing orders pass{_closing_text(standing, entry)}"
    mode = enum_word(commonpb.EffectiveMode, entry.effective_mode)
    if entry.effective_mode in _TRADING:
        return f"{side} trades in {mode} at weight {entry.weight}{_window(entry)}"
    return f"{side} is active and computes only ({mode}): {_held_by(decision, standing)}"


def _frozen_by(decision: decisionpb.DecisionEnvelope, entry: activationpb.ActivationEntry) -> str:
    """Who froze an entry, and what ends that: an operator's change clears the run."""
    if entry.run_id:
        resume = f"qmtl world resume {decision.world_id} {entry.run_id}"
        return f"by run {entry.run_id}: where that has ended, {resume} opens what stood before"
    return f"by an operator: qmtl world activate {decision.world_id} {entry.strategy_id} --orders all ends that"


def _closing_text(standing: Standing, entry: activationpb.ActivationEntry) -> str:
    """How far brokerage has come with closing what a draining side holds."""
    closing = next((one for one in standing.closings if one.side == entry.side), None)
    if closing is None or closing.state == activationpb.CLOSING_STATE_STOPPED:
        return ""
    if closing.state == activationpb.CLOSING_STATE_FLAT:
        return f", and it is flat since {when(closing.end_time)}"
    left = closing.detail or "brokerage was not asked yet"
    if closing.state == activationpb.CLOSING_STATE_CLOSING:
        return f"; brokerage closes what it holds until {when(closing.until)}: {left}"
    return f"; NOT CLOSED by {when(closing.until)}: {left}"


def _held_by(decision: decisionpb.DecisionEnvelope, standing: Standing) -> str:
    """What keeps an active entry from trading: the world's ceiling, the policy, or its own stage."""
    if decision.effective_mode not in _TRADING:
        return f"the world {CEILINGS.get(decision.effective_mode, 'does not say more')}"
    if standing.strategy_id not in decision.selected:
        return "the policy does not select it"
    return f"its stage is {enum_word(bindingpb.Stage, standing.stage)}"


def verdict_lines(report: evaluationpb.EvaluationReport) -> Iterator[str]:
    """Rule by rule: outcome, rule, the numbers it saw, and the code when it did not simply pass."""
    for verdict in report.verdicts:
        seen = verdict.explanation or numbers_text(verdict.inputs)
        code = f"  [{enum_word(decisionpb.DecisionReason, verdict.reason)}]" if verdict.reason else ""
        mark = MARKS.get(verdict.outcome, str(verdict.outcome))
        yield f"{mark:<5} {verdict.rule:<{RULE_WIDTH}} {seen}{code}".rstrip()


def numbers_text(metrics: Sequence[evaluationpb.Metric]) -> str:
    return ", ".join(f"{metric.name} = {number(metric.value)}" for metric in metrics)


def reason_text(reason: decisionpb.DecisionReason) -> str:
    """A decision's reason as a sentence, its code after it."""
    code = enum_word(decisionpb.DecisionReason, reason)
    text = REASONS.get(code)
    return f"{text} [{code}]" if text else code


def _rank(standing: Standing) -> int:
    """Place among the eligible; those without one come last."""
    rank = standing.run.report.rank if standing.run else 0
    return rank or 1_000_000


def _stale(decision: decisionpb.DecisionEnvelope) -> str:
    return ", STALE: worldservice could not be asked" if decision.stale else ""


def _window(entry: activationpb.ActivationEntry) -> str:
    start = f" from {when(entry.valid_from)}" if entry.HasField("valid_from") else ""
    end = f" until {when(entry.valid_until)}" if entry.HasField("valid_until") else ""
    return start + end

"""Messages of the services as lines, tables and JSON, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.identity.canonical import Json
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb

if TYPE_CHECKING:
    from rich.table import Table


def as_json(message: Message) -> Json:
    """A message in proto JSON, with the contract's own field names."""
    document: Json = MessageToDict(message, preserving_proto_field_name=True)
    return document


def short(name: str, prefix: str) -> str:
    """An enum value's name without its prefix."""
    return name.removeprefix(prefix)


def assignments_table(assignments: Sequence[diffpb.QueueAssignment]) -> Table:
    """Nodes and how they met the graph, for rich."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("node", "graph", "topic", "compute key", "shared with"):
        table.add_column(column, overflow="fold")
    for item in assignments:
        disposition = short(diffpb.Disposition.Name(item.disposition), "DISPOSITION_").lower().replace("_", " ")
        shared = f"{item.shared_with} strategies" if item.shared_with != 1 else "1 strategy"
        key = item.compute_key.removeprefix("blake3:")[:12]
        table.add_row(item.name, disposition, item.topic, key, shared if item.shared_with else "")
    return table


def data_line(data: dataservicepb.FetchMetadata) -> str:
    """What was delivered, on one line."""
    span = f"{data.delivered.start.ToJsonString()} to {data.delivered.end.ToJsonString()}"
    print_ = data.dataset_fingerprint.rpartition(":")[2][:12]
    return f"data  {data.dataset}: {data.rows:,} bars, {span}, coverage {data.coverage_ratio:.2%}, fingerprint {print_}"


def reason_word(reason: decisionpb.DecisionReason) -> str:
    """The code of a reason; the number where a newer peer sent it. Empty: none."""
    if reason not in decisionpb.DecisionReason.values():
        return str(reason)
    return short(decisionpb.DecisionReason.Name(reason), "DECISION_REASON_") if reason else ""


def decision_line(decision: decisionpb.DecisionEnvelope) -> str:
    """Mode and reasons, on one line."""
    mode = short(commonpb.EffectiveMode.Name(decision.effective_mode), "EFFECTIVE_MODE_")
    words = ", ".join(reason_word(reason) for reason in decision.reasons)
    reasons = f" because {words}" if words else ""
    return f"{mode}{reasons} (policy version {decision.policy_version}{', stale' if decision.stale else ''})"


def evaluation_lines(run: evaluationpb.EvaluationRun | None) -> Iterator[str]:
    """Verdict by verdict, for people."""
    if run is None:
        yield "evaluation  none: the history is too short for a single decision"
        return
    yield from (f"[yellow]warning  {line}[/yellow]" for line in run.warnings)
    state = short(evaluationpb.EvidenceState.Name(run.evidence_state), "EVIDENCE_STATE_")
    if run.evidence_state in (evaluationpb.EVIDENCE_STATE_PENDING, evaluationpb.EVIDENCE_STATE_REFUSED):
        why = f": {run.evidence_message}" if run.evidence_message else ""
        yield f"evaluation  {state}, run {run.run_id} counts for nothing{why}"
        return
    summary = short(evaluationpb.EvaluationSummary.Name(run.report.summary), "EVALUATION_SUMMARY_")
    word = f", numbers {state.lower()}" if run.evidence_state else ""
    yield f"evaluation  {summary}, run {run.run_id} revision {run.run_revision}{word}"
    for verdict in run.report.verdicts:
        outcome = short(evaluationpb.Outcome.Name(verdict.outcome), "OUTCOME_")
        numbers = ", ".join(f"{metric.name} = {metric.value:.4g}" for metric in verdict.inputs)
        shown = numbers or verdict.explanation or reason_word(verdict.reason)
        yield f"  {outcome:<7} {verdict.rule}{f'  [dim]{shown}[/dim]' if shown else ''}"


def activation_line(activation: activationpb.ActivationEnvelope, strategy_id: str) -> str:
    """What the strategy may do now, on one line."""
    entries = [entry for entry in activation.entries if entry.strategy_id == strategy_id]
    if not entries:
        at = f"revision {activation.world_revision}"
        return f"none for {strategy_id} ({at}): it does not trade until an operator activates it"
    shown = []
    for entry in entries:
        side = short(commonpb.Side.Name(entry.side), "SIDE_").lower()
        mode = short(commonpb.EffectiveMode.Name(entry.effective_mode), "EFFECTIVE_MODE_")
        state = "frozen" if entry.freeze else "draining" if entry.drain else "active" if entry.active else "inactive"
        shown.append(f"{side} {state} at weight {entry.weight} in {mode}")
    return f"{'; '.join(shown)} (revision {activation.world_revision})"

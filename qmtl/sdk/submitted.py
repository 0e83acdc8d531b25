"""What a submission came to: the owners' envelopes as they gave them, and the replay that was reported.

Reads as a story on a terminal, as JSON for programs, as a picture for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.identity import Json
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.data.v1 import data_pb2 as datapb
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.sdk.bars import Bars
from qmtl.sdk.batch import Reused
from qmtl.sdk.results import metrics_table, render, replay_json
from qmtl.sdk.tape import Replay
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import world_pb2 as worldpb

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

_REUSED = (dagpb.DISPOSITION_REUSED, dagpb.DISPOSITION_REUSED_WITH_BUFFERING)


@dataclass(frozen=True, slots=True, eq=False)
class SubmitResult:
    """A submission to one world. `replay` was computed here; the rest is what its owners answered."""

    name: str
    strategy: gatewaypb.Strategy
    outcome: gatewaypb.WorldOutcome
    attached: bool
    warmup_bars: int
    data: datapb.FetchMetadata
    replay: Replay
    bars: Bars
    evaluation: evaluationpb.EvaluationRun | None
    decision: worldpb.DecisionEnvelope
    activation: worldpb.ActivationEnvelope
    address: str
    reused: Reused = field(default_factory=Reused)

    @property
    def strategy_id(self) -> str:
        return self.strategy.strategy_id

    @property
    def world_id(self) -> str:
        return self.outcome.world_id

    @property
    def status(self) -> str:
        """State of the strategy: COMPLETED once it is bound."""
        return short(controlpb.StrategyState.Name(self.strategy.state), "STRATEGY_STATE_")

    @property
    def assignments(self) -> Sequence[dagpb.QueueAssignment]:
        """One per node: its compute key, topic, and how it met the graph."""
        return self.outcome.assignments

    @property
    def context(self) -> commonpb.ComputeContext:
        """Where its nodes compute, with any downgrade."""
        return self.outcome.context

    @property
    def nodes_reused(self) -> int:
        """Nodes that were in the graph before this submission."""
        return sum(item.disposition in _REUSED for item in self.assignments)

    @property
    def reused_names(self) -> tuple[str, ...]:
        """Their names in this strategy."""
        return tuple(item.name for item in self.assignments if item.disposition in _REUSED)

    @property
    def metrics(self) -> Mapping[str, float]:
        return self.replay.metrics

    @property
    def precheck(self) -> tuple[str, ...]:
        """What this side noticed; advice, apart from the world's word."""
        return tuple(_advice(self))

    def to_json(self) -> str:
        """Everything, as a JSON document: envelopes in proto JSON with the contract's field names."""
        document: dict[str, Json] = {
            "name": self.name,
            "strategy_id": self.strategy_id,
            "world_id": self.world_id,
            "status": self.status,
            "attached": self.attached,
            "nodes_reused": self.nodes_reused,
            "nodes_reused_total": self.reused.nodes_reused_total,
            "nodes_read": list(self.reused.read),
            "nodes_continued": list(self.reused.continued),
            "nodes_computed": list(self.reused.computed),
            "precheck": list(self.precheck),
            "strategy": as_json(self.strategy),
            "data": as_json(self.data),
            "evaluation": as_json(self.evaluation) if self.evaluation else None,
            "decision": as_json(self.decision),
            "activation": as_json(self.activation),
            "replay": replay_json(self.replay),
            "links": {"gateway": self.address},
        }
        return json.dumps(document, indent=2)

    def plot(self, path: str | Path) -> Path:
        """Draw equity, drawdown and trades on price into a picture file; needs the extra [demo]."""
        from qmtl.sdk.plots import draw_replay

        return draw_replay(f"{self.name} in {self.world_id}", self.replay, (self.bars,), Path(path))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        verb = "attached to live strategy" if self.attached else "submitted as"
        yield f"[bold]{self.name}[/bold] {verb} {self.strategy_id} in world {self.world_id}: {self.status}"
        yield f"{len(self.assignments)} nodes, {self.nodes_reused} of them already in the graph"
        yield assignments_table(self.assignments)
        yield reuse_line(self.reused)
        yield data_line(self.data)
        yield metrics_table(self.metrics)
        yield f"decision  {decision_line(self.decision)}"
        yield from evaluation_lines(self.evaluation)
        yield f"activation  {activation_line(self.activation, self.strategy_id)}"
        yield from (f"advice  {line}" for line in self.precheck)

    def __str__(self) -> str:
        return render(self)


def as_json(message: Message) -> Json:
    """A message in proto JSON, with the contract's own field names."""
    document: Json = MessageToDict(message, preserving_proto_field_name=True)
    return document


def short(name: str, prefix: str) -> str:
    """An enum value's name without its prefix."""
    return name.removeprefix(prefix)


def assignments_table(assignments: Sequence[dagpb.QueueAssignment]) -> Table:
    """Nodes and how they met the graph, for rich."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("node", "graph", "topic", "compute key", "shared with"):
        table.add_column(column)
    for item in assignments:
        disposition = short(dagpb.Disposition.Name(item.disposition), "DISPOSITION_").lower().replace("_", " ")
        shared = f"{item.shared_with} strategies" if item.shared_with != 1 else "1 strategy"
        key = item.compute_key.removeprefix("blake3:")[:12]
        table.add_row(item.name, disposition, item.topic, key, shared if item.shared_with else "")
    return table


def reuse_line(reused: Reused) -> str:
    """Which nodes' values came from where, on one line."""
    parts = (("read from queues", reused.read), ("continued", reused.continued), ("computed here", reused.computed))
    shown = "; ".join(f"{word}: {', '.join(names)}" for word, names in parts if names)
    return f"shared nodes  {reused.nodes_reused_total} reused" + (f" ({shown})" if shown else "")


def data_line(data: datapb.FetchMetadata) -> str:
    """What was delivered, on one line."""
    span = f"{data.delivered.start.ToJsonString()} to {data.delivered.end.ToJsonString()}"
    print_ = data.dataset_fingerprint.rpartition(":")[2][:12]
    return f"data  {data.dataset}: {data.rows:,} bars, {span}, coverage {data.coverage_ratio:.2%}, fingerprint {print_}"


def decision_line(decision: worldpb.DecisionEnvelope) -> str:
    """Mode and reasons, on one line."""
    mode = short(commonpb.EffectiveMode.Name(decision.effective_mode), "EFFECTIVE_MODE_")
    reasons = f" because {', '.join(decision.reasons)}" if decision.reasons else ""
    return f"{mode}{reasons} (policy version {decision.policy_version}{', stale' if decision.stale else ''})"


def evaluation_lines(run: evaluationpb.EvaluationRun | None) -> Iterator[str]:
    """Verdict by verdict, for people."""
    if run is None:
        yield "evaluation  none: the history is too short for a single decision"
        return
    summary = short(evaluationpb.EvaluationSummary.Name(run.report.summary), "EVALUATION_SUMMARY_")
    yield f"evaluation  {summary}, run {run.run_id} revision {run.revision}"
    for verdict in run.report.verdicts:
        outcome = short(evaluationpb.Outcome.Name(verdict.outcome), "OUTCOME_")
        numbers = ", ".join(f"{metric.name} = {metric.value:.4g}" for metric in verdict.inputs)
        shown = numbers or verdict.explanation or verdict.reason
        yield f"  {outcome:<7} {verdict.rule}{f'  [dim]{shown}[/dim]' if shown else ''}"


def activation_line(activation: worldpb.ActivationEnvelope, strategy_id: str) -> str:
    """What the strategy may do now, on one line."""
    entries = [entry for entry in activation.entries if entry.strategy_id == strategy_id]
    if not entries:
        return (
            f"none for {strategy_id} (revision {activation.revision}): it does not trade until an operator activates it"
        )
    shown = []
    for entry in entries:
        side = short(commonpb.Side.Name(entry.side), "SIDE_").lower()
        mode = short(commonpb.EffectiveMode.Name(entry.effective_mode), "EFFECTIVE_MODE_")
        state = "frozen" if entry.freeze else "draining" if entry.drain else "active" if entry.active else "inactive"
        shown.append(f"{side} {state} at weight {entry.weight:g} in {mode}")
    return f"{'; '.join(shown)} (revision {activation.revision})"


def _advice(result: SubmitResult) -> Iterator[str]:
    if result.warmup_bars > len(result.bars):
        yield f"warm-up needs {result.warmup_bars} bars, the data has {len(result.bars)}"
    if result.replay.refusals:
        yield f"{len(result.replay.refusals)} orders were denied in the replay, first {result.replay.refusals[0].rule}"
    if not result.replay.fills:
        yield "the replay never traded"

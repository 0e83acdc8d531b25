"""The result of a submission: the envelopes of the services as they gave them, and the replay that was reported.

Reads as a story on a terminal, as JSON for programs, as a picture for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.identity.canonical import Json
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import features_pb2 as featurespb
from qmtl.gateway.v1 import strategy_pb2 as strategypb
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.mesh.reuse.counts import ReuseCounts
from qmtl.sdk.mesh.wire.text import (
    activation_line,
    as_json,
    assignments_table,
    data_line,
    decision_line,
    evaluation_lines,
    short,
)
from qmtl.sdk.reports.denials import denial_lines, shortfall
from qmtl.sdk.reports.documents import replay_json
from qmtl.sdk.reports.tables import metrics_table, render
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_REUSED = (diffpb.DISPOSITION_REUSED, diffpb.DISPOSITION_REUSED_WITH_BUFFERING)


@dataclass(frozen=True, slots=True, eq=False)
class SubmitResult:
    """A submission to one world. `replay` was computed here; the rest is what its owners answered.

    `assignments`: one per node: its compute key, topic, and how it met the graph. `older`: other versions of the
    strategy that are in the world, by id: the same name, other code. `superseded`: those that this one replaced.
    `features`: what it published.
    """

    name: str
    strategy: strategypb.Strategy
    outcome: strategypb.WorldOutcome
    assignments: Sequence[diffpb.QueueAssignment]
    attached: bool
    warmup_bars: int
    data: dataservicepb.FetchMetadata
    replay: RunResult
    bars: tuple[Bars, ...]
    evaluation: evaluationpb.EvaluationRun | None
    decision: decisionpb.DecisionEnvelope
    activation: activationpb.ActivationEnvelope
    address: str
    reused: ReuseCounts = field(default_factory=ReuseCounts)
    older: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()
    features: tuple[featurespb.Feature, ...] = ()

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
    def context(self) -> commonpb.ComputeContext:
        """Where its nodes compute, with any downgrade."""
        return self.outcome.context

    @property
    def live(self) -> bool:
        """Whether the strategy was active in a trading mode when it was asked."""
        trading = (commonpb.EFFECTIVE_MODE_PAPER, commonpb.EFFECTIVE_MODE_LIVE)
        own = [entry for entry in self.activation.entries if entry.strategy_id == self.strategy_id]
        return any(entry.active and entry.effective_mode in trading for entry in own)

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
            "foreign_records": self.reused.foreign_records,
            "malformed_records": self.reused.malformed_records,
            "older": list(self.older),
            "superseded": list(self.superseded),
            "precheck": list(self.precheck),
            "strategy": as_json(self.strategy),
            "assignments": [as_json(one) for one in self.assignments],
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
        from qmtl.sdk.reports.plots import draw_replay

        return draw_replay(f"{self.name} in {self.world_id}", self.replay, self.bars, Path(path))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        verb = "submitted as"
        if self.attached:
            verb = "attached to live strategy" if self.live else "was submitted before, as"
        yield f"[bold]{self.name}[/bold] {verb} {self.strategy_id} in world {self.world_id}: {self.status}"
        if self.older:
            yield f"[yellow]older versions of {self.name} are in the world too: {', '.join(self.older)}[/yellow]"
            yield "  submit with supersede=True, or cancel them, to leave this one alone"
        if self.superseded:
            yield f"superseded {', '.join(self.superseded)}, which is canceled"
        yield f"{len(self.assignments)} nodes, {self.nodes_reused} of them already in the graph"
        yield assignments_table(self.assignments)
        yield reuse_line(self.reused)
        yield data_line(self.data)
        yield metrics_table(self.metrics)
        yield from denial_lines(self.replay)
        yield f"decision  {decision_line(self.decision)}"
        yield from evaluation_lines(self.evaluation)
        yield f"activation  {activation_line(self.activation, self.strategy_id)}"
        yield from (f"advice  {line}" for line in self.precheck)

    def __str__(self) -> str:
        return render(self)


def reuse_line(reused: ReuseCounts) -> str:
    """Which nodes' values came from where, on one line."""
    parts = (("read from queues", reused.read), ("continued", reused.continued), ("computed here", reused.computed))
    shown = "; ".join(f"{word}: {', '.join(names)}" for word, names in parts if names)
    unusable = (("foreign", reused.foreign_records), ("malformed", reused.malformed_records))
    left = "".join(f", {count} {word} records left alone" for word, count in unusable if count)
    return f"shared nodes  {reused.nodes_reused_total} reused" + (f" ({shown})" if shown else "") + left


def _advice(result: SubmitResult) -> Iterator[str]:
    fewest = min(map(len, result.bars), default=0)
    if result.warmup_bars > fewest:
        yield f"warm-up needs {result.warmup_bars} bars, the data has {fewest}"
    problem = shortfall(result.replay)
    if problem:
        yield f"the replay {problem}"
    yield from (f"the replay assumed {sentence}" for sentence in result.replay.assumptions)
    if not result.replay.fills:
        yield "the replay never traded"

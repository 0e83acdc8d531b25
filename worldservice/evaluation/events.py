"""The events of decisions that changed and of evaluation runs."""

from __future__ import annotations

from controlbus.events.control_event import ControlEventDraft
from qmtl.control.v1 import control_pb2 as controlpb
from worldservice.evaluation.domain.decision import Decision
from worldservice.evaluation.domain.runs import EvaluationRun
from worldservice.evaluation.wire import decision_to_proto, run_to_proto
from worldservice.worlds.acts import Act, draft


def decision_updated(decision: Decision, act: Act) -> ControlEventDraft:
    """The decision after it changed in content."""
    return draft(decision.world_id, controlpb.DecisionUpdated(decision=decision_to_proto(decision)), act)


def run_updated(run: EvaluationRun, act: Act) -> ControlEventDraft:
    """The run at its newest revision."""
    return draft(f"{run.world_id}/{run.strategy_id}", controlpb.EvaluationRunUpdated(run=run_to_proto(run)), act)

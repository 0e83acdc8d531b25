"""Worlds, decisions and evaluations, each as it was set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import (
    NotFound,
)
from qmtl.core.identity.canonical import digest
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import world_pb2 as worldpb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.sdk.mesh.samples import PRESET

if TYPE_CHECKING:
    from tests.sdk.mesh.fakes import FakeMesh


class FakeWorldService:
    def __init__(self, mesh: FakeMesh) -> None:
        self.mesh = mesh

    async def GetWorld(self, request: worldservicepb.GetWorldRequest) -> worldservicepb.GetWorldResponse:
        if request.world_id != "w":
            raise NotFound("E_WORLD_UNKNOWN", f"no world {request.world_id}")
        return worldservicepb.GetWorldResponse(world=worldpb.World(world_id="w", data_presets=[PRESET.name]))

    async def PutOrderList(
        self, chunks: Iterable[evaluationservicepb.PutOrderListRequest]
    ) -> evaluationservicepb.PutOrderListResponse:
        body = b"".join(message.chunk for message in chunks)
        self.mesh.order_lists[digest(body)] = evaluationpb.OrderList.FromString(body)
        return evaluationservicepb.PutOrderListResponse(order_list=digest(body))

    async def Evaluate(self, request: evaluationservicepb.EvaluateRequest) -> evaluationservicepb.EvaluateResponse:
        kept = evaluationservicepb.EvaluateRequest()
        kept.CopyFrom(request)
        self.mesh.evaluations.append(kept)
        self.mesh.passed("Evaluate")
        report = evaluationpb.EvaluationReport(summary=evaluationpb.EVALUATION_SUMMARY_PASS)
        later = self.mesh.evidence
        return evaluationservicepb.EvaluateResponse(
            run=evaluationpb.EvaluationRun(
                run_id=request.run_id,
                strategy_id=request.strategy_id,
                report=report,
                evidence_state=later.pop(0) if later else evaluationpb.EVIDENCE_STATE_REPLAYED,
                evidence_message=self.mesh.evidence_message,
                warnings=self.mesh.warnings,
            )
        )

    async def GetEvaluationRun(
        self, request: evaluationservicepb.GetEvaluationRunRequest
    ) -> evaluationservicepb.GetEvaluationRunResponse:
        again = evaluationservicepb.EvaluateRequest(strategy_id=request.strategy_id, run_id=request.run_id)
        return evaluationservicepb.GetEvaluationRunResponse(run=(await self.Evaluate(again)).run)

    async def Decide(self, request: evaluationservicepb.DecideRequest) -> evaluationservicepb.DecideResponse:
        mode = commonpb.EFFECTIVE_MODE_COMPUTE_ONLY
        return evaluationservicepb.DecideResponse(
            decision=decisionpb.DecisionEnvelope(
                world_id="w",
                effective_mode=mode,
                account_model=self.mesh.account_model,
                on_promote=self.mesh.on_promote,
            )
        )

    async def GetActivation(
        self, request: activationservicepb.GetActivationRequest
    ) -> activationservicepb.GetActivationResponse:
        return activationservicepb.GetActivationResponse(activation=self.mesh.activation)

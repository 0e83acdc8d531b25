"""Role x RPC: every RPC of the contract, called by everyone; who may not is refused, and refused writes are audited."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.common.v1 import options_pb2 as optionspb
from qmtl.core.errors import PermissionDenied, QmtlError
from qmtl.core.roles import Role
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import audit_pb2 as auditpb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import divergence_service_pb2 as divergenceservicepb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_graph_pb2 as worldgraphpb
from qmtl.world.v1 import world_graph_service_pb2 as worldgraphservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.world_stubs import METHODS, WorldStubs
from tests.worldservice.harness import WorldHarness, evaluation, make_trading, raising, stamp
from tests.worldservice.samples import DOCUMENT, cohort_chunks, list_chunks, order_list, trials, trials_chunks

PUBLIC = sorted(
    name
    for name, method in METHODS.items()
    if method.GetOptions().Extensions[optionspb.audience] == optionspb.AUDIENCE_PUBLIC  # type: ignore[index]  # protoc's stubs lose the extension's type
)
INTERNAL = sorted(set(METHODS) - set(PUBLIC))
ANYONE = frozenset({"ListWorlds", "ListMetrics", "ListPolicyPresets", "GetStatus", "GetEffectiveRole", "CreateWorld"})
OWNER = frozenset(
    {
        "UpdateWorld", "DeleteWorld", "PutPolicy", "SetDefaultPolicy", "Grant", "Revoke", "ApproveLive",
        "ApprovePromotion", "RejectPromotion", "OverrideEvaluation",
    }
)  # fmt: skip
OPERATOR = frozenset(
    {
        "BindStrategy", "UnbindStrategy", "PutOrderList", "Evaluate", "EvaluateCohort", "SetActivation", "RevokeLive",
        "Apply", "FreezeWorld", "DrainWorld", "Resume", "UpsertWorldNode", "DeleteWorldNode", "PutValidation",
        "InvalidateValidations", "PutEdgeOverride", "DeleteEdgeOverride",
        "RequestPromotion", "WithdrawPromotion", "PauseCampaign", "ResumeCampaign", "ApplyPromotion", "PutTrials",
        "AcquireLoop", "ReleaseLoop",
        "CreateDivergenceReport", "AdvanceCanary", "VerifyEvaluationRun",
    }
)  # fmt: skip
READS = frozenset({"VerifyEvaluationRun"})  # of operators; refused reads are in no audit log
NODE = "blake3:" + "a" * 64
OTHER = "blake3:" + "b" * 64


CHUNKS = {"EvaluateCohort": cohort_chunks, "PutOrderList": list_chunks, "PutTrials": trials_chunks}


def wanted(name: str) -> Role | None:
    """The least role in the world an RPC needs; None: it is not about one world."""
    if name in ANYONE:
        return None
    return Role.OWNER if name in OWNER else Role.OPERATOR if name in OPERATOR else Role.READER


def requests(harness: WorldHarness) -> dict[str, Message]:
    """A call of each RPC that its role alone decides; what is not listed needs only the world's id."""
    edge = worldgraphpb.EdgeOverride(world_id="w1", from_node_id=NODE, to_node_id=OTHER)
    view = worldgraphpb.WorldNode(world_id="w1", node_id=NODE, status=worldgraphpb.WORLD_NODE_STATUS_VALID)
    parts = worldgraphpb.EvalKeyParts(world_id="w1", node_id=NODE)
    cohort = evaluationservicepb.EvaluationCohort(world_id="w1", run_id="run-8", stage=bindingpb.STAGE_BACKTEST)
    cohort.strategies.append(evaluation(harness, "w1", "s", "run-8"))
    return {
        "UpdateWorld": worldservicepb.UpdateWorldRequest(world_id="w1", update_mask={"paths": ["circuit_breaker"]}),
        "PutPolicy": policyservicepb.PutPolicyRequest(world_id="w1", document=DOCUMENT.replace("0.6", "0.5")),
        "SetDefaultPolicy": policyservicepb.SetDefaultPolicyRequest(world_id="w1", version=1),
        "BindStrategy": bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"),
        "UnbindStrategy": bindingservicepb.UnbindStrategyRequest(world_id="w1", strategy_id="gone"),
        "Evaluate": evaluation(harness, "w1", "s", "run-9"),
        "EvaluateCohort": cohort,
        "PutOrderList": order_list("w1", "s"),
        "GetEvaluationRun": evaluationservicepb.GetEvaluationRunRequest(world_id="w1", strategy_id="s", run_id="run-1"),
        "VerifyEvaluationRun": evaluationservicepb.VerifyEvaluationRunRequest(
            world_id="w1", strategy_id="s", run_id="run-1"
        ),
        "SetActivation": raising("w1", "s"),
        "ApproveLive": bindingservicepb.ApproveLiveRequest(world_id="w1", strategy_id="s"),
        "RevokeLive": bindingservicepb.RevokeLiveRequest(world_id="w1", strategy_id="s"),
        "Apply": applyservicepb.ApplyRequest(world_id="w1", run_id="r", evaluate=True, etag="none"),
        "FreezeWorld": applyservicepb.FreezeWorldRequest(world_id="w1", request_id="hold"),
        "DrainWorld": applyservicepb.DrainWorldRequest(world_id="w1", request_id="hold"),
        "Resume": applyservicepb.ResumeRequest(world_id="w1", run_id="none"),
        "UpsertWorldNode": worldgraphservicepb.UpsertWorldNodeRequest(node=view),
        "DeleteWorldNode": worldgraphservicepb.DeleteWorldNodeRequest(world_id="w1", node_id=NODE),
        "LookupValidation": worldgraphservicepb.LookupValidationRequest(parts=parts),
        "PutValidation": worldgraphservicepb.PutValidationRequest(parts=parts),
        "PutEdgeOverride": worldgraphservicepb.PutEdgeOverrideRequest(override=edge),
        "DeleteEdgeOverride": worldgraphservicepb.DeleteEdgeOverrideRequest(
            world_id="w1", from_node_id=NODE, to_node_id=OTHER
        ),
        **promotion_requests(),
        "Grant": accessservicepb.GrantRequest(world_id="w1", subject="eve", role=commonpb.ROLE_READER),
        "Revoke": accessservicepb.RevokeRequest(world_id="w1", subject="eve"),
    }  # fmt: skip


def promotion_requests() -> dict[str, Message]:
    """Acts on campaigns, complete enough that only the role decides."""
    named: dict[str, Any] = {"world_id": "w1", "strategy_id": "s", "reason": "a test"}
    soon = stamp(datetime.now(UTC) + timedelta(days=1))
    return {
        "RequestPromotion": campaignservicepb.RequestPromotionRequest(**named, run_id="p"),
        "WithdrawPromotion": campaignservicepb.WithdrawPromotionRequest(**named, run_id="p"),
        "ApprovePromotion": campaignservicepb.ApprovePromotionRequest(**named, run_id="p"),
        "RejectPromotion": campaignservicepb.RejectPromotionRequest(**named, run_id="p"),
        "ApplyPromotion": campaignservicepb.ApplyPromotionRequest(**named, run_id="p"),
        "AdvanceCanary": campaignservicepb.AdvanceCanaryRequest(world_id="w1", strategy_id="s", run_id="p"),
        "AcquireLoop": campaignservicepb.AcquireLoopRequest(world_id="w1", holder="run"),
        "ReleaseLoop": campaignservicepb.ReleaseLoopRequest(world_id="w1", holder="run"),
        "PauseCampaign": campaignservicepb.PauseCampaignRequest(**named),
        "ResumeCampaign": campaignservicepb.ResumeCampaignRequest(**named),
        "OverrideEvaluation": campaignservicepb.OverrideEvaluationRequest(
            **named, run_id="run-1", run_revision=1, rule="OVERFIT", expires_at=soon
        ),
        "CreateDivergenceReport": divergenceservicepb.CreateDivergenceReportRequest(
            world_id="w1", strategy_id="s", order_list="none", account="p", session_id="none"
        ),
        "GetDivergenceReport": divergenceservicepb.GetDivergenceReportRequest(world_id="w1", strategy_id="s"),
        "GetCampaign": campaignservicepb.GetCampaignRequest(world_id="w1", strategy_id="s"),
        "GetDossier": campaignservicepb.GetDossierRequest(world_id="w1", strategy_id="s"),
        "PlanPromotion": campaignservicepb.PlanPromotionRequest(world_id="w1", strategy_id="s"),
        "PutTrials": trials("w1", "s"),
    }


def world_request(name: str) -> Message:
    request: Message = GetMessageClass(METHODS[name].input_type)()
    request.MergeFrom(type(request)(world_id="w1"))
    return request


async def called(stub: WorldStubs, name: str, request: Message) -> QmtlError | None:
    """What a call is refused with; a stream is asked for its first message."""
    method = stub.method(name)
    try:
        call = method(CHUNKS[name](request) if name in CHUNKS else request)
        if METHODS[name].server_streaming:
            await anext(aiter(call))
            call.cancel()
        else:
            await call
    except QmtlError as error:
        return error
    return None


async def test_who_may_call_what(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    ready = requests(harness)
    for role in (Role.READER, Role.OPERATOR, Role.OWNER):
        stub = await harness.stub(role, f"u{role.value}")
        for name in PUBLIC:
            need = wanted(name)
            if need is None or (name == "DeleteWorld" and role is Role.OWNER):
                continue
            refused = await called(stub, name, ready.get(name) or world_request(name))
            denied = isinstance(refused, PermissionDenied)
            assert denied is (role < need), f"{name} by {role.name}: {refused}"
    audit = (
        await ann.audit.ListAudit(
            auditservicepb.ListAuditRequest(world_id="w1", page=commonpb.PageRequest(page_size=1000))
        )
    ).entries
    refusals = {(e.actor, e.event) for e in audit if e.result == auditpb.AUDIT_RESULT_REFUSED and "E_ROLE" in e.message}
    lower = [("u1", name) for name in (OWNER | OPERATOR) - READS] + [("u2", name) for name in OWNER]
    assert refusals == set(lower)


async def test_a_token_for_other_worlds_opens_nothing_here(harness: WorldHarness) -> None:
    await make_trading(harness, "w1", "s")
    ready = requests(harness)
    eve = await harness.stub(Role.OWNER, "eve", ["w2"])
    for name in PUBLIC:
        if wanted(name) is None:
            continue
        refused = await called(eve, name, ready.get(name) or world_request(name))
        assert isinstance(refused, PermissionDenied), f"{name}: {refused}"
        assert refused.reason == "E_WORLD_FORBIDDEN"


@pytest.mark.parametrize("name", INTERNAL)
async def test_what_is_for_services_is_refused_to_those_without_the_grant(harness: WorldHarness, name: str) -> None:
    request: Message = GetMessageClass(METHODS[name].input_type)()
    reads = METHODS[name].GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS  # which operators may
    for stub in [await harness.gateway(service) for service in ("dagmanager", *(() if reads else ("operator",)))]:
        assert isinstance(await called(stub, name, request), PermissionDenied)


def test_every_rpc_is_in_the_matrix() -> None:
    assert set(METHODS) >= OWNER | OPERATOR | ANYONE
    assert len(INTERNAL) == 8

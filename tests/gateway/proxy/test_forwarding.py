"""Forwarding: every PUBLIC method of the owners and none between services, bytes unchanged, in the caller's name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest
from grpc import aio

from gateway.proxy.decision_cache import DecisionCache
from gateway.proxy.forwarding import PROXIED, Proxy
from gateway.proxy.live_guard import LiveGuard
from qmtl.core.errors import NotFound, PermissionDenied, QmtlError
from qmtl.core.roles import Role
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.dag.v1 import diff_service_pb2_grpc as diffrpc
from qmtl.rpc.auth.tokens import mint_user_token
from qmtl.rpc.chunks import CHUNK_BYTES_MAX, Chunked
from qmtl.rpc.rules.methods import Audience, rules_of
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.gateway.harness import GatewayHarness, make_world, submitted
from tests.worldservice.harness import evaluation_at


async def test_each_public_method_has_a_handler_of_its_kind_and_each_other_one_refuses() -> None:
    async with aio.insecure_channel("127.0.0.1:1") as nowhere:
        channels = dict.fromkeys(PROXIED, nowhere)
        proxy = Proxy(channels, cast("DecisionCache", None), cast("LiveGuard", None))
        public = refused = 0
        for service in (service for services in PROXIED.values() for service in services):
            for rule in rules_of(service, {}):
                method = service.methods_by_name[rule.name.rpartition("/")[2]]
                handler = proxy.service(cast("grpc.HandlerCallDetails", SimpleNamespace(method=rule.name)))
                assert handler is not None, rule.name
                if rule.audience is Audience.PUBLIC:
                    kind = (handler.request_streaming, handler.response_streaming)
                    assert kind == (method.client_streaming, method.server_streaming), rule.name
                    public += 1
                else:
                    refuses = cast("Any", handler)
                    with pytest.raises(PermissionDenied, match="E_NOT_PROXIED"):
                        await (refuses.stream_unary if method.client_streaming else refuses.unary_unary)(b"", None)
                    refused += 1
        assert public > 60
        assert refused > 3
        gone = cast("grpc.HandlerCallDetails", SimpleNamespace(method="/qmtl.world.v1.WorldService/NoSuchCall"))
        assert proxy.service(gone) is None


async def test_an_owner_acts_for_the_caller_whose_token_travels_unchanged(harness: GatewayHarness) -> None:
    ann = await harness.client(subject="ann")
    world = await make_world(ann)
    entries = (await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id=world))).entries
    assert {entry.actor for entry in entries} == {"ann"}


async def test_an_owners_error_comes_through_with_its_reason_and_words(harness: GatewayHarness) -> None:
    ann = await harness.client()
    with pytest.raises(NotFound) as unknown:
        await ann.worlds.GetWorld(worldservicepb.GetWorldRequest(world_id="w-none"))
    assert unknown.value.reason == "E_WORLD_UNKNOWN"
    assert "w-none" in unknown.value.message


async def test_calls_between_services_stop_at_the_door_even_for_a_service(harness: GatewayHarness) -> None:
    token = mint_user_token(harness.home, Role.OWNER, "ann")
    for service, reason in (("", "E_SERVICE_REQUIRED"), ("gateway", "E_NOT_PROXIED")):
        stub = diffrpc.DiffServiceStub(await harness.channel(token=token, service=service))
        with pytest.raises(QmtlError) as refused:
            async for _ in stub.Diff(Chunked(diffservicepb.DiffRequest, diffpb.DiffQuestion())):
                pass
        assert refused.value.reason == reason


async def test_a_body_that_cannot_be_read_is_the_callers_fault(harness: GatewayHarness) -> None:
    channel = await harness.channel(token=mint_user_token(harness.home, Role.OWNER, "ann"))
    for method in ("WorldService/CreateWorld", "WorldService/GetWorld", "EvaluationService/Decide"):
        with pytest.raises(QmtlError) as refused:
            await channel.unary_unary(f"/qmtl.world.v1.{method}")(b"\xff\xff\xff")
        assert refused.value.reason == "E_REQUEST_UNREADABLE", method


def cohort_for(world: str, names: Sequence[str]) -> evaluationservicepb.EvaluationCohort:
    """An evaluation of strategies against each other that takes several chunks."""
    others = {f"{'x' * 100}{number}": 0.0 for number in range(1_990)}
    cohort = evaluationservicepb.EvaluationCohort(world_id=world, run_id="r1", stage=bindingpb.STAGE_BACKTEST)
    for name in names:
        asked = evaluation_at(datetime.now(UTC), world, name, "r1")
        asked.correlations.update(others | {other: 0.1 for other in names if other != name})
        cohort.strategies.append(asked)
    return cohort


async def test_a_cohort_of_many_chunks_is_evaluated_through_the_gateway(harness: GatewayHarness) -> None:
    ann, bob = await harness.client(), await harness.client(Role.READER, "bob")
    world = await make_world(ann)
    names = [(await submitted(ann, world, symbol)).strategy_id for symbol in ("BTC-USD", "ETH-USD", "SOL-USD")]
    cohort = cohort_for(world, names)
    assert cohort.ByteSize() > 2 * CHUNK_BYTES_MAX
    before = await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id=world))
    with pytest.raises(PermissionDenied):
        await bob.evaluation.EvaluateCohort(Chunked(evaluationservicepb.EvaluateCohortRequest, cohort, [world]))
    with pytest.raises(NotFound):
        await ann.evaluation.EvaluateCohort(Chunked(evaluationservicepb.EvaluateCohortRequest, cohort, ["elsewhere"]))
    done = await ann.evaluation.EvaluateCohort(Chunked(evaluationservicepb.EvaluateCohortRequest, cohort, [world]))
    assert [(run.strategy_id, run.run_id) for run in done.runs] == [(name, "r1") for name in names]
    after = await ann.evaluation.Decide(
        evaluationservicepb.DecideRequest(world_id=world)
    )  # what was cached is forgotten
    assert (list(before.decision.selected), after.decision.selected) == ([], done.decision.selected)
    assert after.decision.selected

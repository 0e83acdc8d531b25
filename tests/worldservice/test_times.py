"""Times out of range are refused with their field, whichever RPC they come with; so are page tokens of nothing."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import session_service_pb2 as sessionservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import LONG, WorldHarness, evaluation, make_world
from tests.worldservice.samples import cohort_chunks

TIMES = [Timestamp(seconds=253_402_300_800), Timestamp(nanos=-1), Timestamp(nanos=1_000_000_000)]
Call = Callable[[WorldStubs, WorldHarness, Timestamp], Awaitable[object]]


def decide(stubs: WorldStubs, _: WorldHarness, at: Timestamp) -> Awaitable[object]:
    return stubs.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1", as_of=at))


def evaluate(stubs: WorldStubs, harness: WorldHarness, at: Timestamp) -> Awaitable[object]:
    request = evaluation(harness, "w1", "s")
    request.data_end.CopyFrom(at)
    return stubs.evaluation.Evaluate(request)


def evaluate_cohort(stubs: WorldStubs, harness: WorldHarness, at: Timestamp) -> Awaitable[object]:
    one = evaluation(harness, "w1", "s")
    one.data_start.CopyFrom(at)
    request = evaluationservicepb.EvaluationCohort(world_id="w1", run_id="run-1", stage=one.stage, strategies=[one])
    return stubs.evaluation.EvaluateCohort(cohort_chunks(request))


def set_activation(stubs: WorldStubs, _: WorldHarness, at: Timestamp) -> Awaitable[object]:
    change = activationpb.ActivationChange(strategy_id="s", side=LONG, valid_until=at)
    request = activationservicepb.SetActivationRequest(world_id="w1", changes=[change])
    return stubs.activation.SetActivation(request)


def approve_live(stubs: WorldStubs, _: WorldHarness, at: Timestamp) -> Awaitable[object]:
    request = bindingservicepb.ApproveLiveRequest(world_id="w1", strategy_id="s", expires_at=at)
    return stubs.bindings.ApproveLive(request)


def open_session(stubs: WorldStubs, _: WorldHarness, at: Timestamp) -> Awaitable[object]:
    domain = commonpb.EXECUTION_DOMAIN_DRYRUN
    request = sessionservicepb.OpenSessionRequest(world_id="w1", execution_domain=domain, start=at)
    return stubs.sessions.OpenSession(request)


def advance_watermark(stubs: WorldStubs, _: WorldHarness, at: Timestamp) -> Awaitable[object]:
    return stubs.sessions.AdvanceWatermark(sessionservicepb.AdvanceWatermarkRequest(session_id="x", watermark=at))


CALLS: dict[str, Call] = {
    "as_of": decide,
    "data_end": evaluate,
    "strategies[0].data_start": evaluate_cohort,
    "changes[0].valid_until": set_activation,
    "expires_at": approve_live,
    "start": open_session,
    "watermark": advance_watermark,
}


@pytest.mark.parametrize("field", CALLS)
async def test_a_time_out_of_range_is_refused_with_its_field(harness: WorldHarness, field: str) -> None:
    ann, gateway = await make_world(harness, "w1"), await harness.gateway()
    stubs = gateway if field in ("start", "watermark") else ann
    for at in TIMES:
        with pytest.raises(InvalidRequest) as caught:
            await CALLS[field](stubs, harness, at)
        assert (caught.value.reason, caught.value.violations[0].field) == ("E_TIMESTAMP", field)


@pytest.mark.parametrize(
    "token", ["9223372036854775808", "9" * 4301, "é", base64.b64encode(b'[Infinity,"x"]').decode()]
)
async def test_a_page_token_of_nothing_is_refused(harness: WorldHarness, token: str) -> None:
    ann, page = await make_world(harness, "w1"), commonpb.PageRequest(page_token=token)
    for call in (
        ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1", page=page)),
        ann.worlds.ListWorlds(worldservicepb.ListWorldsRequest(page=page)),
    ):
        with pytest.raises(InvalidRequest) as caught:
            await call
        assert caught.value.reason == "E_PAGE_TOKEN"

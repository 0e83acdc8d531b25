"""When something is away or too much: safe decisions, breakers, levels, limits; and the live guard."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from pathlib import Path

import grpc
import pytest
from grpc import aio
from hypothesis import given
from hypothesis import strategies as st

from controlbus.bus import connected
from controlbus.database import Database
from gateway.domain.limits import Buckets
from gateway.health import Load, Probes
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.cli.plan import free_plan
from qmtl.cli.up import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import SystemClock
from qmtl.core.errors import NotFound, PermissionDenied, QmtlError, Unavailable
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as servicepb
from qmtl.gateway.v1.service_pb2_grpc import GatewayServiceStub
from qmtl.rpc.auth import Role
from qmtl.rpc.metrics import RecentCalls
from qmtl.rpc.tokens import mint_user_token
from qmtl.world.v1 import service_pb2 as worldservicepb
from qmtl.world.v1 import world_pb2 as worldpb
from tests.gateway.estate import Estate, make_world, request_for, running_estate, submitted
from tests.mesh.door import Door, new_world, open_door
from tests.support.waiting import eventually
from tests.worldservice.samples import DOCUMENT

LIVE = (("x-allow-live", "true"),)
ROLE_TTL_S = 11
LONGEST_S = 5.0  # for a caller without a deadline: two questions of 2 s each, and the way


async def decision(door: Door, world_id: str, within_s: float = 5.0) -> worldpb.DecisionEnvelope:
    return (await door.world.Decide(worldservicepb.DecideRequest(world_id=world_id), timeout=within_s)).decision


async def status(door: Door) -> servicepb.GetStatusResponse:
    return await door.gateway.GetStatus(servicepb.GetStatusRequest())


async def level_is(door: Door, level: gatewaypb.DegradationLevel) -> bool:
    return (await status(door)).level == level


def is_safe(found: worldpb.DecisionEnvelope) -> bool:
    return found.stale and found.effective_mode == commonpb.EFFECTIVE_MODE_COMPUTE_ONLY and bool(found.reasons)


@pytest.mark.parametrize(
    ("p99_max_s", "level"),
    [(1.0, gatewaypb.DEGRADATION_LEVEL_PARTIAL), (9.0, gatewaypb.DEGRADATION_LEVEL_NORMAL)],
)
async def test_slow_calls_make_it_partial(
    tmp_path: Path, nats_url: str, p99_max_s: float, level: gatewaypb.DegradationLevel
) -> None:
    recent = RecentCalls()
    for _ in range(60):
        recent.add("m", 5.0)
    database = Database(f"sqlite:///{tmp_path}/g.db")
    load = Load(share_max=100.0, sustained_s=0.0, p99_max_s=p99_max_s, recent=recent)
    async with connected(nats_url, service="t") as bus:
        load.look()
        assert load.p99_s == 5.0
        assert Probes({}, bus, database, SystemClock(), 1.0, load).level() == level
    await database.close()


def test_a_percentile_is_of_enough_recent_calls_and_not_of_those_that_wait() -> None:
    recent = RecentCalls()
    for _ in range(49):
        recent.add("m", 0.1)
    assert recent.quantile(0.99, 30.0) == 0.0
    recent.add("m", 5.0)
    recent.add("waits", 60.0)
    assert recent.quantile(1.0, 30.0, without={"waits"}) == 5.0
    assert recent.quantile(0.5, 30.0) == 0.1
    assert recent.quantile(0.99, 0.0) == 0.0


async def test_decision_is_remembered_for_its_ttl_then_the_safe_default_holds_until_recovery(estate: Estate) -> None:
    ann = await estate.door()
    world = await make_world(ann)
    first = await decision(ann, world)
    await estate.stop("worldservice")
    again = await decision(ann, world)
    assert again == first
    estate.clock.slept_s = first.ttl.seconds + 1
    assert is_safe(await decision(ann, world))
    await estate.start("worldservice")

    async def recovered() -> bool:
        return not (await decision(ann, world)).stale

    await eventually(recovered)


async def test_unresponsive_worldservice_gives_the_safe_default_within_the_callers_deadline(estate: Estate) -> None:
    ann = await estate.door()
    world = await make_world(ann)
    await estate.stop("worldservice")

    host, port = estate.addresses["worldservice"].split(":")
    with socket.create_server((host, int(port))):  # takes connections and never says a word
        started = time.monotonic()
        assert is_safe(await decision(ann, world, within_s=1.0))
        assert time.monotonic() - started < 1.0


async def test_frozen_worldservice_gives_the_safe_default_in_time_to_each_and_recovery_is_automatic(
    tmp_path: Path,
) -> None:
    """A stopped process keeps its connections and says nothing; nobody's role is remembered either."""
    async with Mesh(free_plan(tmp_path / "home")) as mesh, open_door(mesh.address("gateway"), mesh.home) as door:
        world = await new_world(door)

        async def timed(within_s: float | None) -> float:
            """How long a safe default took; the caller's own deadline would raise."""
            started = time.monotonic()
            request = worldservicepb.DecideRequest(world_id=world)
            assert is_safe((await door.world.Decide(request, timeout=within_s)).decision)
            return time.monotonic() - started

        mesh.kill("worldservice", signal.SIGSTOP)
        await asyncio.gather(*(timed(within_s) for within_s in (0.4, 1.0, 1.0, 3.0)))
        assert await timed(None) < LONGEST_S
        mesh.kill("worldservice", signal.SIGCONT)

        async def recovered() -> bool:
            return not (await decision(door, world)).stale

        await eventually(recovered)
        await eventually(lambda: level_is(door, gatewaypb.DEGRADATION_LEVEL_NORMAL))


async def test_own_write_is_seen_by_the_next_decision(estate: Estate) -> None:
    ann = await estate.door()
    world = await make_world(ann)
    before = await decision(ann, world)
    document = DOCUMENT.replace("total: 8", "total: 9")
    put = worldservicepb.PutPolicyRequest(world_id=world, document=document, make_default=True)
    await ann.world.PutPolicy(put)
    assert (await decision(ann, world)).policy_version == before.policy_version + 1


async def test_decision_of_another_world_is_not_answered_to_a_token_that_may_not_read_it(estate: Estate) -> None:
    ann, eve = await estate.door(), await estate.door(Role.OWNER, "eve", ["w-other"])
    world = await make_world(ann)
    await decision(ann, world)
    with pytest.raises(PermissionDenied):
        await decision(eve, world)
    await estate.stop("worldservice")
    with pytest.raises(PermissionDenied):
        await decision(eve, world)


async def test_no_submission_without_worldservice_and_its_breaker_opens_and_closes(estate: Estate) -> None:
    ann = await estate.door()
    world = await make_world(ann)
    await estate.stop("worldservice")

    async def breaker_is_closed(closed: bool) -> bool:
        found = {one.name: one.breaker for one in (await status(ann)).status.dependencies}
        return (found["worldservice"] == commonpb.BREAKER_STATE_CLOSED) == closed

    await eventually(lambda: level_is(ann, gatewaypb.DEGRADATION_LEVEL_MINIMAL))
    with pytest.raises(Unavailable) as refused:
        await ann.gateway.SubmitStrategy(request_for(world), timeout=1.0)
    assert refused.value.reason == "E_DEGRADED"
    await eventually(lambda: breaker_is_closed(False))
    await estate.start("worldservice")
    await eventually(lambda: breaker_is_closed(True))
    await eventually(lambda: level_is(ann, gatewaypb.DEGRADATION_LEVEL_PARTIAL))
    await submitted(ann, world)


async def test_cancel_passes_long_after_worldservice_went_away(estate: Estate) -> None:
    ann, bob = await estate.door(Role.OPERATOR), await estate.door(Role.READER, "bob")
    await estate.stop("worldservice")
    estate.clock.slept_s = ROLE_TTL_S
    key = brokerservicepb.OrderKey(account="none", world_id="w", strategy_id="s", client_order_id="o")
    with pytest.raises(NotFound):
        await ann.gateway.CancelOrder(servicepb.CancelOrderRequest(key=key))
    with pytest.raises(PermissionDenied):
        await bob.gateway.CancelOrder(servicepb.CancelOrderRequest(key=key))


async def test_identity_that_calls_too_often_is_told_when_to_come_back(tmp_path: Path, nats_url: str) -> None:
    async with running_estate(tmp_path, nats_url, rate_per_s=0.5, rate_burst=500.0) as estate:
        token = mint_user_token(estate.home, Role.READER, "hasty")
        async with aio.insecure_channel(estate.mesh_address("gateway")) as channel:
            stub = GatewayServiceStub(channel)
            said = (("authorization", f"Bearer {token}"),)

            async def call() -> grpc.StatusCode:
                try:
                    await stub.ListStrategies(servicepb.ListStrategiesRequest(), metadata=said)
                except aio.AioRpcError as error:
                    return error.code()
                return grpc.StatusCode.OK

            codes = [code for _ in range(11) for code in await asyncio.gather(*(call() for _ in range(50)))]
        assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert 500 <= codes.count(grpc.StatusCode.OK) <= 510
        ann = await estate.door()
        assert (await status(ann)).status.service == "gateway"


@given(st.lists(st.floats(min_value=0, max_value=5), min_size=1, max_size=200))
def test_bucket_never_lets_more_through_than_rate_and_burst(pauses: list[float]) -> None:
    buckets, now, passed = Buckets(2.0, 3.0), 100.0, 0
    for pause in pauses:
        now += pause
        passed += buckets.take("ann", now) == 0
    assert passed <= 3 + 2.0 * (now - 100.0) + 1e-6


def test_bucket_says_truly_when_to_come_back() -> None:
    buckets = Buckets(2.0, 1.0)
    assert buckets.take("ann", 0.0) == 0
    wait_s = buckets.take("ann", 0.0)
    assert buckets.take("bob", 0.0) == 0
    assert buckets.take("ann", wait_s) == 0


async def test_what_can_cause_live_trading_needs_to_say_so(estate: Estate) -> None:
    ann = await estate.door()
    create = worldservicepb.CreateWorldRequest(world_id="live-world", allow_live=True)
    with pytest.raises(PermissionDenied) as refused:
        await ann.world.CreateWorld(create)
    assert refused.value.reason == "E_LIVE_GUARD"
    await ann.world.CreateWorld(create, metadata=LIVE)
    widening = worldservicepb.ActivationChange(strategy_id="s", side=commonpb.SIDE_LONG, active=True)
    freezing = worldservicepb.ActivationChange(strategy_id="s", side=commonpb.SIDE_LONG, freeze=True)
    with pytest.raises(PermissionDenied) as refused:
        await change(ann, widening)
    assert refused.value.reason == "E_LIVE_GUARD"
    for entry, metadata in ((freezing, ()), (widening, LIVE)):
        with pytest.raises(QmtlError) as answered:  # the strategy is not bound: worldservice's word
            await change(ann, entry, metadata)
        assert answered.value.reason != "E_LIVE_GUARD"


async def change(
    door: Door, entry: worldservicepb.ActivationChange, metadata: tuple[tuple[str, str], ...] = ()
) -> None:
    request = worldservicepb.SetActivationRequest(world_id="live-world", changes=[entry])
    await door.world.SetActivation(request, metadata=metadata)

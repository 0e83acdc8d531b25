"""Status of the gateway: the gates of the caller's worlds; and, as every service's, of a store that is away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg

from qmtl.broker.v1 import status_service_pb2 as brokerstatusservicepb
from qmtl.broker.v1 import status_service_pb2_grpc as brokerstatusrpc
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.roles import Role
from qmtl.dag.v1 import status_service_pb2 as dagstatusservicepb
from qmtl.dag.v1 import status_service_pb2_grpc as dagstatusrpc
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.gateway.v1 import gateway_status_service_pb2_grpc as gatewaystatusrpc
from qmtl.rpc.auth.tokens import mint_user_token
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import status_service_pb2 as statusservicepb
from qmtl.world.v1 import status_service_pb2_grpc as statusrpc
from tests.gateway.harness import GatewayHarness, lone_gateway, make_world, submitted, trading
from tests.mesh.gateway_client import GatewayClient
from tests.support.postgres import OwnPostgres
from tests.support.waiting import eventually


async def gates_of(client: GatewayClient) -> set[str]:
    """Worlds whose gates the status shows to a caller."""
    status = await client.status.GetStatus(gatewaystatuspb.GetStatusRequest())
    assert gatewaystatuspb.CAPABILITY_STATUS in status.capabilities
    return {gate.world_id for gate in status.gates}


async def test_gates_are_shown_of_worlds_the_token_reads_and_none_to_a_token_without_a_role(
    harness: GatewayHarness,
) -> None:
    ann = await harness.client()
    worlds = {await make_world(ann), await make_world(ann)}
    for world in worlds:
        await trading(ann, world, (await submitted(ann, world)).strategy_id)
    mine = min(worlds)

    async def all_are_held() -> bool:
        return worlds <= await gates_of(ann)

    await eventually(all_are_held)
    assert await gates_of(await harness.client(Role.READER, "bob", [mine])) == {mine}
    assert await gates_of(await harness.client(Role.NONE, "eve")) == set()


async def test_every_status_tells_of_a_postgresql_that_is_silent_or_gone_and_waits_for_none(
    tmp_path: Path, nats_url: str, own_postgres: OwnPostgres
) -> None:
    async with lone_gateway(tmp_path, nats_url, database_url=database(own_postgres, "gateway")) as harness:
        for name in ("worldservice", "dagmanager", "brokerage"):
            harness.stores[name] = database(own_postgres, name)
            await harness.start(name)
        channel = await harness.channel(token=mint_user_token(tmp_path, Role.READER, "ann"))
        await eventually(lambda: all_have_the_store(channel))
        await asyncio.to_thread(own_postgres.pause)
        await eventually(lambda: all_miss_the_store(channel), 5.0)  # what a status promises
        await asyncio.to_thread(own_postgres.go_on)
        await eventually(lambda: all_have_the_store(channel), 30.0)
        await asyncio.to_thread(own_postgres.stop)
        await eventually(lambda: all_miss_the_store(channel), 5.0)
        await asyncio.to_thread(own_postgres.start)
        await eventually(lambda: all_have_the_store(channel), 30.0)


def database(server: OwnPostgres, name: str) -> str:
    """The URL of a database of that name, made now."""
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f'CREATE DATABASE "{name}"'.encode())
    head, query = server.url.partition("?")[::2]
    return f"{head.rpartition('/')[0]}/{name}?{query}"


async def status_of_each(channel: MeshChannel) -> list[commonpb.ServiceStatus]:
    """Of the gateway, and through it of each service that has a store of this test."""
    replies = await asyncio.gather(
        gatewaystatusrpc.GatewayStatusServiceStub(channel).GetStatus(gatewaystatuspb.GetStatusRequest()),
        statusrpc.StatusServiceStub(channel).GetStatus(statusservicepb.GetStatusRequest()),
        dagstatusrpc.StatusServiceStub(channel).GetStatus(dagstatusservicepb.GetStatusRequest()),
        brokerstatusrpc.StatusServiceStub(channel).GetStatus(brokerstatusservicepb.GetStatusRequest()),
    )
    return [reply.status for reply in replies]


async def all_miss_the_store(channel: MeshChannel) -> bool:
    """Whether each could not count; who could not says at once that its store cannot be reached."""
    found = await status_of_each(channel)
    for one in found:
        assert not one.uncounted or (one.degraded and not store_answers(one)), one
    return all(one.uncounted for one in found)


async def all_have_the_store(channel: MeshChannel) -> bool:
    return all(not one.uncounted and store_answers(one) for one in await status_of_each(channel))


def store_answers(status: commonpb.ServiceStatus) -> bool:
    states = [need.state for need in status.dependencies if need.name == "store"]
    return commonpb.DEPENDENCY_STATE_UNREACHABLE not in states

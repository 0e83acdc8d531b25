"""Status of the gateway: what a caller sees of the worlds whose gates it holds."""

from __future__ import annotations

from qmtl.core.roles import Role
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from tests.gateway.harness import GatewayHarness, make_world, submitted, trading
from tests.mesh.gateway_client import GatewayClient
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

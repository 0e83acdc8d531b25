"""`qmtl world bind|grants|grant|revoke`: which strategies belong to a world, and who may do what in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.graphs import plan_nodes
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, Limit, RoleName, StrategyId, WorldId, with_access
from qmtl.cli.show.formats import plural
from qmtl.cli.show.listings import show_listing, shown_as_json
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_table
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.dag.v1 import plan_service_pb2_grpc as planrpc
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import access_pb2 as accesspb
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import access_service_pb2_grpc as accessrpc
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import binding_service_pb2_grpc as bindingrpc

LIST_MAX = 50
GRANT_COLUMNS = ("subject", "role", "granted by", "since")
Subject = Annotated[str, typer.Argument(help="Whose role, as tokens name them.")]


@with_access
def bind(access: Access, world_id: WorldId, strategy_id: StrategyId) -> None:
    """Bind a submitted strategy to a world; of one that is bound, tell the world its graph.

    Its stage stays.
    """
    strategy_id = whole_strategy_id(access, strategy_id)

    async def call(channel: MeshChannel) -> tuple[bindingservicepb.BindStrategyResponse, int]:
        plans = planrpc.PlanServiceStub(channel)
        nodes = await plan_nodes(plans, strategy_id, 0)
        request = bindingservicepb.BindStrategyRequest(
            world_id=world_id, strategy_id=strategy_id, node_ids=[node.node_id for node in nodes]
        )
        return await bindingrpc.BindingServiceStub(channel).BindStrategy(request), len(nodes)

    reply, count = ask(access, call)
    if shown_as_json(access, reply):
        return
    stage = enum_word(bindingpb.Stage, reply.binding.stage)
    typer.echo(f"{strategy_id} is bound to {world_id} at stage {stage}, with its graph of {plural(count, 'node')}")


@with_access
def grants(access: Access, world_id: WorldId, limit: Limit = LIST_MAX) -> None:
    """List who has which role in a world."""
    request = accessservicepb.ListGrantsRequest(world_id=world_id)
    found = ask(
        access,
        lambda channel: listed(
            accessrpc.AccessServiceStub(channel).ListGrants, request, lambda reply: reply.grants, limit
        ),
    )
    show_listing(access, found, f"roles in {world_id}", GRANT_COLUMNS, _grant_rows)


@with_access
def grant(
    access: Access,
    world_id: WorldId,
    subject: Subject,
    level: Annotated[RoleName, typer.Argument(metavar="ROLE", help="reader, operator or owner.")],
) -> None:
    """Give somebody a role in a world; needs --as owner."""

    async def call(channel: MeshChannel) -> accesspb.RoleGrant:
        request = accessservicepb.GrantRequest(world_id=world_id, subject=subject, role=f"ROLE_{level.name}")
        return (await accessrpc.AccessServiceStub(channel).Grant(request)).grant

    found = ask(access, call)
    if access.json:
        show_json(as_dict(found))
    else:
        show_table(f"roles in {world_id}", GRANT_COLUMNS, _grant_rows([found]))


@with_access
def revoke(access: Access, world_id: WorldId, subject: Subject) -> None:
    """Take somebody's role in a world back; needs --as owner."""

    async def call(channel: MeshChannel) -> None:
        await accessrpc.AccessServiceStub(channel).Revoke(
            accessservicepb.RevokeRequest(world_id=world_id, subject=subject)
        )

    ask(access, call)
    if access.json:
        show_json({"world_id": world_id, "subject": subject, "revoked": True})
    else:
        typer.echo(f"{subject} has no role of its own in {world_id} any more")


def _grant_rows(found: Sequence[accesspb.RoleGrant]) -> list[tuple[str, ...]]:
    return [(one.subject, enum_word(commonpb.Role, one.role), one.granted_by, when(one.granted_at)) for one in found]

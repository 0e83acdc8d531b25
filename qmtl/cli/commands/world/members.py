"""`qmtl world audit|rebuild|bind|grants|grant|revoke`: who belongs to a world, who may do what in it, and who did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qmtl.cli.options import Access, RoleName, with_access
from qmtl.cli.show.formats import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qmtl.common.v1 import common_pb2 as commonpb
    from qmtl.rpc.client.channel import MeshChannel
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import world_pb2

LIST_MAX = 50
WorldId = Annotated[str, typer.Argument(help="World id.")]
Subject = Annotated[str, typer.Argument(help="Whose role, as tokens name them.")]
Limit = Annotated[int, typer.Option(help="At most this many.", min=1, max=100_000)]


def attach(app: typer.Typer) -> None:
    """Hang the commands on `qmtl world`."""
    app.command()(audit)
    app.command()(rebuild)
    app.command()(bind)
    app.command()(grants)
    app.command()(grant)
    app.command()(revoke)


@with_access
def audit(
    access: Access,
    world_id: WorldId,
    limit: Limit = LIST_MAX,
    requests: Annotated[bool, typer.Option("--requests", help="Show each request too.")] = False,
) -> None:
    """The audit log of a world, newest first: every write and every refused one."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.gateway.pages import collect
    from qmtl.cli.show.messages import as_dict, show_json
    from qmtl.cli.show.tables import show_table
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    async def call(channel: MeshChannel) -> list[world_pb2.AuditEntry]:
        stub = worldrpc.WorldServiceStub(channel)

        async def page(asked: commonpb.PageRequest) -> tuple[Sequence[world_pb2.AuditEntry], commonpb.PageInfo]:
            reply = await stub.ListAudit(worldpb.ListAuditRequest(world_id=world_id, page=asked))
            return reply.entries, reply.page

        return await collect(page, limit)

    entries = ask(access, call)
    if access.json:
        show_json([as_dict(entry) for entry in entries])
        return
    columns = ("step", "time", "who", "what", "result", "detail", *(["request"] if requests else []))
    show_table(f"audit of {world_id}", columns, audit_rows(entries, requests=requests))


@with_access
def rebuild(
    access: Access,
    world_id: WorldId,
    revision: Annotated[int, typer.Option(help="Revision to rebuild. Default: the newest.", min=0)] = 0,
) -> None:
    """The activation as the audit log alone tells it, and whether it is what is stored; exit code 1 when it is not."""
    from qmtl.cli.commands.world.worlds import show_activation
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.messages import as_dict, show_json
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    async def call(channel: MeshChannel) -> worldpb.RebuildActivationResponse:
        request = worldpb.RebuildActivationRequest(world_id=world_id, revision=revision)
        return await worldrpc.WorldServiceStub(channel).RebuildActivation(request)

    reply = ask(access, call)
    if access.json:
        show_json(as_dict(reply))
    else:
        show_activation(reply.activation)
        typer.echo(f"from {plural(reply.records, 'record')} of the audit log: {_compared(reply, revision)}")
    if not reply.same_as_stored and not revision:
        raise typer.Exit(1)


def _compared(reply: worldpb.RebuildActivationResponse, revision: int) -> str:
    if reply.same_as_stored:
        return "the same as what is stored"
    return "as it was then" if revision else "NOT the same as what is stored"


def audit_rows(entries: Sequence[world_pb2.AuditEntry], *, requests: bool) -> list[tuple[str, ...]]:
    """One line per entry."""
    from qmtl.cli.show.messages import enum_word, when
    from qmtl.world.v1 import world_pb2

    return [
        (
            str(entry.sequence),
            when(entry.time),
            entry.actor,
            entry.event,
            enum_word(world_pb2.AuditResult, entry.result),
            entry.detail or "-",
            *([entry.request] if requests else []),
        )
        for entry in entries
    ]


@with_access
def bind(
    access: Access, world_id: WorldId, strategy_id: Annotated[str, typer.Argument(help="Strategy to bind.")]
) -> None:
    """Bind a submitted strategy to a world, or tell a world the graph of one that is bound; its stage stays."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.messages import as_dict, enum_word, show_json
    from qmtl.dag.v1 import service_pb2 as dagpb
    from qmtl.dag.v1 import service_pb2_grpc as dagrpc
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc
    from qmtl.world.v1 import world_pb2

    async def call(channel: MeshChannel) -> tuple[worldpb.BindStrategyResponse, int]:
        plans = dagrpc.DagManagerServiceStub(channel)
        nodes = (await plans.GetPlan(dagpb.GetPlanRequest(strategy_id=strategy_id))).plan.dag.nodes
        request = worldpb.BindStrategyRequest(
            world_id=world_id, strategy_id=strategy_id, node_ids=[node.node_id for node in nodes]
        )
        return await worldrpc.WorldServiceStub(channel).BindStrategy(request), len(nodes)

    reply, count = ask(access, call)
    if access.json:
        show_json(as_dict(reply))
        return
    stage = enum_word(world_pb2.Stage, reply.binding.stage)
    typer.echo(f"{strategy_id} is bound to {world_id} at stage {stage}, with its graph of {plural(count, 'node')}")


@with_access
def grants(access: Access, world_id: WorldId, limit: Limit = LIST_MAX) -> None:
    """Who has which role in a world."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.gateway.pages import collect
    from qmtl.cli.show.messages import as_dict, show_json
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    async def call(channel: MeshChannel) -> list[world_pb2.RoleGrant]:
        stub = worldrpc.WorldServiceStub(channel)

        async def page(asked: commonpb.PageRequest) -> tuple[Sequence[world_pb2.RoleGrant], commonpb.PageInfo]:
            reply = await stub.ListGrants(worldpb.ListGrantsRequest(world_id=world_id, page=asked))
            return reply.grants, reply.page

        return await collect(page, limit)

    found = ask(access, call)
    if access.json:
        show_json([as_dict(one) for one in found])
    else:
        _show_grants(f"roles in {world_id}", found)


@with_access
def grant(
    access: Access,
    world_id: WorldId,
    subject: Subject,
    level: Annotated[RoleName, typer.Argument(metavar="ROLE", help="reader, operator or owner.")],
) -> None:
    """Give somebody a role in a world. An owner's act: --as owner."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.messages import as_dict, show_json
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    async def call(channel: MeshChannel) -> world_pb2.RoleGrant:
        request = worldpb.GrantRequest(world_id=world_id, subject=subject, role=f"ROLE_{level.name}")
        return (await worldrpc.WorldServiceStub(channel).Grant(request)).grant

    found = ask(access, call)
    if access.json:
        show_json(as_dict(found))
    else:
        _show_grants(f"roles in {world_id}", [found])


@with_access
def revoke(access: Access, world_id: WorldId, subject: Subject) -> None:
    """Take somebody's role in a world back. An owner's act: --as owner."""
    from qmtl.cli.gateway.calls import ask
    from qmtl.cli.show.messages import show_json
    from qmtl.world.v1 import service_pb2 as worldpb
    from qmtl.world.v1 import service_pb2_grpc as worldrpc

    async def call(channel: MeshChannel) -> None:
        await worldrpc.WorldServiceStub(channel).Revoke(worldpb.RevokeRequest(world_id=world_id, subject=subject))

    ask(access, call)
    if access.json:
        show_json({"world_id": world_id, "subject": subject, "revoked": True})
    else:
        typer.echo(f"{subject} has no role of its own in {world_id} any more")


def _show_grants(title: str, found: Sequence[world_pb2.RoleGrant]) -> None:
    from qmtl.cli.show.messages import enum_word, when
    from qmtl.cli.show.tables import show_table
    from qmtl.common.v1 import common_pb2 as commonpb

    rows = [(one.subject, enum_word(commonpb.Role, one.role), one.granted_by, when(one.granted_at)) for one in found]
    show_table(title, ("subject", "role", "granted by", "since"), rows)

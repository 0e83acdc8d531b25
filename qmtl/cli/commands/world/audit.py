"""`qmtl world audit|rebuild`: who did what in a world, and its activation rebuilt from that."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

from qmtl.cli.commands.world.activation import show_activation
from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, Limit, WorldId, with_access
from qmtl.cli.show.formats import plural
from qmtl.cli.show.listings import show_listing
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc
from qmtl.world.v1 import audit_pb2 as auditpb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import audit_service_pb2_grpc as auditrpc

ROWS_MAX = 50


@with_access
def audit(
    access: Access,
    world_id: WorldId,
    limit: Limit = ROWS_MAX,
    requests: Annotated[bool, typer.Option("--requests", help="Show each request too.")] = False,
) -> None:
    """List what was done in a world, newest first: every write and every refused one."""
    request = auditservicepb.ListAuditRequest(world_id=world_id)
    entries = ask(
        access,
        lambda channel: listed(
            auditrpc.AuditServiceStub(channel).ListAudit, request, lambda reply: reply.entries, limit
        ),
    )
    columns = ("step", "time", "who", "what", "result", "detail", *(["request"] if requests else []))
    show_listing(access, entries, f"audit of {world_id}", columns, partial(audit_rows, requests=requests))


@with_access
def rebuild(
    access: Access,
    world_id: WorldId,
    revision: Annotated[int, typer.Option(help="Revision to rebuild. Default: the newest.", min=0)] = 0,
) -> None:
    """Rebuild the activation from the audit log alone and compare it with the stored one.

    Exit code 1 when they differ.
    """

    async def call(channel: MeshChannel) -> activationservicepb.RebuildActivationResponse:
        request = activationservicepb.RebuildActivationRequest(world_id=world_id, world_revision=revision)
        return await activationrpc.ActivationServiceStub(channel).RebuildActivation(request)

    reply = ask(access, call)
    if access.json:
        show_json(as_dict(reply))
    else:
        show_activation(reply.activation)
        typer.echo(f"from {plural(reply.records, 'record')} of the audit log: {_compared(reply, revision)}")
    if not reply.same_as_stored and not revision:
        raise typer.Exit(1)


def _compared(reply: activationservicepb.RebuildActivationResponse, revision: int) -> str:
    if reply.same_as_stored:
        return "the same as what is stored"
    return "as it was then" if revision else "NOT the same as what is stored"


def audit_rows(entries: Sequence[auditpb.AuditEntry], *, requests: bool) -> list[tuple[str, ...]]:
    """One line per entry."""
    return [
        (
            str(entry.audit_number),
            when(entry.time),
            entry.actor,
            entry.event,
            enum_word(auditpb.AuditResult, entry.result),
            entry.message or "-",
            *([entry.request] if requests else []),
        )
        for entry in entries
    ]

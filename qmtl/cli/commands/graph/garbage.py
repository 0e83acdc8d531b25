"""`qmtl gc`: drop queues past their time, and say why others stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.ids import whole_compute_key
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.listings import shown_as_json
from qmtl.cli.show.messages import enum_word, when
from qmtl.cli.show.tables import show_table
from qmtl.dag.v1 import maintenance_service_pb2 as maintenanceservicepb
from qmtl.dag.v1 import maintenance_service_pb2_grpc as maintenancerpc
from qmtl.rpc.client.channel import MeshChannel

LONG_S = 120.0


@with_access
def gc(
    access: Access,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be dropped, and why not more.")
    ] = False,
    compute_keys: Annotated[list[str] | None, typer.Option("--key", help="Only this compute key. Repeatable.")] = None,
    every: Annotated[bool, typer.Option("--all", help="List every queue that stays, not only counts.")] = False,
) -> None:
    """Drop queues past their time to live; what must be kept is archived and verified first."""
    keys = [whole_compute_key(access, key) for key in compute_keys or []]

    async def call(channel: MeshChannel) -> maintenanceservicepb.CollectGarbageResponse:
        request = maintenanceservicepb.CollectGarbageRequest(compute_keys=keys, dry_run=dry_run)
        return await maintenancerpc.MaintenanceServiceStub(channel).CollectGarbage(request, timeout=LONG_S)

    reply = ask(access, call)
    if shown_as_json(access, reply):
        return
    typer.echo(garbage_line(reply, dry_run=dry_run))
    show_table("why queues stay", ("reason", "queues"), skip_rows(reply.skipped))
    if every:
        show_table(
            "queues that stay", ("compute key", "reason"), [(s.compute_key, kept_word(s)) for s in reply.skipped]
        )
    if reply.archives:
        archived = [(a.path, f"{a.size_bytes:,}", a.checksum, when(a.created_at)) for a in reply.archives]
        show_table("archives", ("path", "bytes", "checksum", "written"), archived)


def garbage_line(reply: maintenanceservicepb.CollectGarbageResponse, *, dry_run: bool) -> str:
    """What a collection came to, in one line."""
    seen = f"{reply.observed} queues looked at, {reply.candidates} past their time"
    return f"{seen}; dry run, nothing was dropped" if dry_run else f"{seen}, {reply.processed} dropped"


def skip_rows(skipped: Sequence[maintenanceservicepb.GarbageSkip]) -> list[tuple[str, str]]:
    """Reasons with counts, most frequent first."""
    counts = Counter(map(kept_word, skipped))
    return [(reason, f"{count:,}") for reason, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]


def kept_word(skip: maintenanceservicepb.GarbageSkip) -> str:
    """Why a queue stays."""
    return enum_word(maintenanceservicepb.GarbageKept, skip.kept)

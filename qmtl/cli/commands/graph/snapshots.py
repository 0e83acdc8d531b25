"""`qmtl graph snapshot`: the whole graph as a file with a content hash."""

from __future__ import annotations

from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.listings import shown_as_json
from qmtl.cli.show.tables import show_pairs
from qmtl.dag.v1 import maintenance_service_pb2 as maintenanceservicepb
from qmtl.dag.v1 import maintenance_service_pb2_grpc as maintenancerpc
from qmtl.rpc.client.channel import MeshChannel

Url = Annotated[
    str, typer.Argument(help="Path below the DAG Manager's snapshot folder (home: data/graph), or an allowed URL.")
]


LONG_S = 120.0  # a whole graph goes through a file


@with_access
def export(access: Access, url: Url) -> None:
    """Write the graph to a file and print its content hash."""

    async def call(channel: MeshChannel) -> maintenanceservicepb.ExportSnapshotResponse:
        request = maintenanceservicepb.ExportSnapshotRequest(url=url)
        return await maintenancerpc.MaintenanceServiceStub(channel).ExportSnapshot(request, timeout=LONG_S)

    reply = ask(access, call)
    if shown_as_json(access, reply):
        return
    artifact = reply.artifact
    size = f"{artifact.size_bytes:,} bytes"
    show_pairs(
        "snapshot written",
        [
            ("path", artifact.path),
            ("size", size),
            ("checksum", artifact.checksum),
            ("content hash", reply.content_hash),
        ],
    )


@with_access
def verify(access: Access, url: Url) -> None:
    """Read a snapshot back and check it; fails when its content does not match its hash."""

    async def call(channel: MeshChannel) -> maintenanceservicepb.VerifySnapshotResponse:
        request = maintenanceservicepb.VerifySnapshotRequest(url=url)
        return await maintenancerpc.MaintenanceServiceStub(channel).VerifySnapshot(request, timeout=LONG_S)

    reply = ask(access, call)
    if shown_as_json(access, reply):
        return
    current = "and is the graph as it is now" if reply.current else "and the graph has changed since"
    typer.echo(f"{url} is sound, {current}: {reply.content_hash}")

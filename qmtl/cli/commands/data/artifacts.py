"""`qmtl data artifacts|verify`: what was sealed of a dataset, and whether its files are as they were written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, Limit, with_access
from qmtl.cli.show.formats import plural
from qmtl.cli.show.listings import show_listing
from qmtl.cli.show.messages import as_dict, show_json, when
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import artifact_service_pb2_grpc as artifactrpc
from qmtl.data.v1 import artifacts_pb2 as artifactspb
from qmtl.rpc.client.channel import MeshChannel

VERIFY_TIMEOUT_S = 600.0  # every file of the dataset is read
Dataset = Annotated[str, typer.Argument(help="Dataset id or a preset's name, for example demo.btc.15m.")]


@with_access
def artifacts(access: Access, dataset: Dataset, limit: Limit = 100) -> None:
    """List what was sealed of a dataset, newest first."""
    request = artifactservicepb.ListArtifactsRequest(dataset=dataset)
    found = ask(
        access,
        lambda channel: listed(
            artifactrpc.ArtifactServiceStub(channel).ListArtifacts, request, lambda reply: reply.artifacts, limit
        ),
    )
    columns = ("fingerprint", "as of", "from", "to", "rows", "calendar", "producer")
    show_listing(access, found, "artifacts", columns, _rows)


def _rows(found: Sequence[artifactspb.Artifact]) -> list[tuple[str, ...]]:
    return [
        (
            one.dataset_fingerprint,
            when(one.as_of),
            when(one.range.start),
            when(one.range.end),
            f"{one.rows:,}",
            one.calendar,
            one.producer,
        )
        for one in found
    ]


@with_access
def verify(access: Access, dataset: Dataset) -> None:
    """Read every file of a dataset and compare it with the hashes it was written under: finds one changed byte."""

    async def call(channel: MeshChannel) -> artifactservicepb.VerifyDatasetResponse:
        request = artifactservicepb.VerifyDatasetRequest(dataset=dataset)
        return await artifactrpc.ArtifactServiceStub(channel).VerifyDataset(request, timeout=VERIFY_TIMEOUT_S)

    reply = ask(access, call)
    if access.json:
        show_json(as_dict(reply))
    else:
        read = f"{plural(reply.artifacts, 'artifact')} and {plural(reply.stored_files, 'stored file')} were read"
        typer.echo(f"{dataset}: {read}; {plural(len(reply.damages), 'damage') if reply.damages else 'all is well'}")
        for damage in reply.damages:
            typer.echo(f"  {damage}")
    if reply.damages:
        raise typer.Exit(1)

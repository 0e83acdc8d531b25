"""`qmtl data recordings`: what the bars that a data session delivered were sealed as."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.listings import show_listing
from qmtl.cli.show.messages import when
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.data.v1 import data_sessions_pb2 as datasessionspb
from qmtl.rpc.client.channel import MeshChannel

SessionId = Annotated[str, typer.Argument(metavar="SESSION", help="A data session, as `qmtl accounts show` names it.")]


@with_access
def recordings(
    access: Access,
    session_id: SessionId,
    seal: Annotated[bool, typer.Option("--seal", help="First seal what it has delivered by now.")] = False,
) -> None:
    """List the sealed bars of a data session, as they were delivered: a backtest is given them by their fingerprint."""

    async def call(channel: MeshChannel) -> Sequence[datasessionspb.Recording]:
        sessions = datasessionrpc.DataSessionServiceStub(channel)
        if seal:
            request = datasessionservicepb.SealRecordingRequest(session_id=session_id)
            return (await sessions.SealRecording(request)).recordings
        known = datasessionservicepb.GetDataSessionRequest(session_id=session_id)
        return (await sessions.GetDataSession(known)).session.recordings

    columns = ("preset", "from", "to", "rows", "fingerprint")
    show_listing(access, ask(access, call), f"recordings of {session_id}", columns, _rows)


def _rows(found: Sequence[datasessionspb.Recording]) -> list[tuple[str, ...]]:
    return [
        (one.preset, when(one.range.start), when(one.range.end), f"{one.rows:,}", one.dataset_fingerprint)
        for one in found
    ]

"""`qmtl data recordings` and `play`: what delivered bars were sealed as, and how their session was told of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import uuid4

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.listings import show_listing
from qmtl.cli.show.messages import when
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.data.v1 import data_sessions_pb2 as datasessionspb
from qmtl.rpc.client.channel import MeshChannel
from qmtl.rpc.client.streams import scoped

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


@with_access
def play(
    access: Access,
    fingerprints: Annotated[list[str], typer.Argument(metavar="FINGERPRINT...", help="Recordings of one session.")],
    world: Annotated[str, typer.Option(help="World to play them in; needs operator.")],
    recorded: Annotated[str, typer.Option("--recorded", metavar="SESSION", help="Whose recording, of several.")] = "",
) -> None:
    """Play recordings again: every bar in the order and at the data time at which its session was told of it."""
    name = f"played-{uuid4().hex[:12]}"

    async def call(channel: MeshChannel) -> list[dataservicepb.SubscribeResponse]:
        sessions, data = datasessionrpc.DataSessionServiceStub(channel), datarpc.DataServiceStub(channel)
        opening = datasessionservicepb.OpenDataSessionRequest(
            session_id=name, world_id=world, recordings=fingerprints, recorded_session_id=recorded
        )
        opened = (await sessions.OpenDataSession(opening)).session
        request = dataservicepb.SubscribeRequest(dataset=opened.preset, session_id=name)
        with scoped(data.Subscribe(request)) as replies:
            return [reply async for reply in replies if reply.bars]

    columns = ("told at", "bar closes", "preset", "open", "high", "low", "close", "volume")
    show_listing(access, ask(access, call), f"{name} in world {world}", columns, _told)


def _told(replies: Sequence[dataservicepb.SubscribeResponse]) -> list[tuple[str, ...]]:
    return [
        (
            when(reply.reached),
            when(bar.close_time),
            bar.preset,
            *(f"{value:g}" for value in (bar.open, bar.high, bar.low, bar.close, bar.volume)),
        )
        for reply in replies
        for bar in reply.bars
    ]

"""`qmtl events tail`: follow what happens in a world, over gateway restarts, without a gap or a repeat."""

from __future__ import annotations

import json as jsonlib
from collections.abc import AsyncIterator
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.events import event_line
from qmtl.cli.show.messages import as_dict, enum_word
from qmtl.core.clock import SystemClock
from qmtl.core.errors import QmtlError, Unauthenticated, Unavailable
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.gateway.v1 import event_service_pb2_grpc as eventrpc
from qmtl.rpc.client.channel import MeshChannel
from qmtl.rpc.client.streams import scoped
from qmtl.rpc.metadata import bearer
from qmtl.sdk.mesh.retrying import OutageLimit

if TYPE_CHECKING:
    from qmtl.gateway.v1.event_service_pb2_grpc import EventServiceAsyncStub

PATIENCE_S = 60.0


class TopicName(Enum):
    """Topics as people write them."""

    ACTIVATION = "activation"
    POLICY = "policy"
    STRATEGY = "strategy"
    QUEUES = "queues"
    SENTINEL = "sentinel"
    ORDERS = "orders"
    REBALANCING = "rebalancing"


DEFAULT_TOPICS = [TopicName.ACTIVATION, TopicName.POLICY, TopicName.STRATEGY]


@with_access
def tail(
    access: Access,
    world: Annotated[str, typer.Option("--world", help="World to follow.")],
    topics: Annotated[list[TopicName], typer.Option("--topics", help="What to follow. Repeatable.")] = DEFAULT_TOPICS,
    strategy: Annotated[str, typer.Option("--strategy", help="Only events of this strategy.")] = "",
    resume: Annotated[str, typer.Option(help="Go on after this token instead of with the state now.")] = "",
    tokens: Annotated[bool, typer.Option("--tokens", help="Print the token to resume from after each batch.")] = False,
    count: Annotated[int, typer.Option(help="End after this many lines. 0: never.", min=0)] = 0,
    patience: Annotated[float, typer.Option(help="Seconds an unreachable gateway is waited for.", min=1)] = PATIENCE_S,
) -> None:
    """Follow a world: its state now (marked =), then every event in order, one line each.

    It resumes by itself after a break.
    """
    names = [f"TOPIC_{one.name}" for one in dict.fromkeys(topics)]
    request = eventservicepb.CreateEventStreamRequest(world_id=world, strategy_id=strategy, topics=names)

    async def call(channel: MeshChannel) -> None:
        shown = 0
        async for frame in follow(eventrpc.EventServiceStub(channel), request, resume, patience):
            for line in frame_lines(frame, json=access.json, tokens=tokens):
                typer.echo(line)
                shown += 1
                if shown == count:
                    return

    ask(access, call)


async def follow(
    stub: EventServiceAsyncStub, request: eventservicepb.CreateEventStreamRequest, resume: str, outage_s_max: float
) -> AsyncIterator[eventpb.Frame]:
    """Frames for ever: each break is followed by a new stream that goes on where the last frame ended."""
    waiting = OutageLimit(outage_s_max, SystemClock())
    answered = False
    while True:
        try:
            stream = (await stub.CreateEventStream(request)).stream
            asked = eventservicepb.SubscribeEventsRequest(resume_token=resume)
            with scoped(stub.SubscribeEvents(asked, metadata=bearer(stream.stream_token))) as replies:
                async for reply in replies:
                    waiting.answered()
                    answered = True
                    yield reply.frame
                    resume = resume_token(reply.frame) or resume
                    if reply.frame.notice.kind == eventpb.NOTICE_KIND_GOING_AWAY:
                        break
            raise Unavailable("E_STREAM_ENDED", "the event stream ended")
        except Unauthenticated:
            if not answered:
                raise
            answered = False  # the stream's token ran out: the next one is new
        except QmtlError as error:
            await waiting.failed(error, "events")


def resume_token(frame: eventpb.Frame) -> str:
    """The place right after a frame; "" when it has none."""
    return frame.events.resume_token or frame.bookmark.resume_token or frame.notice.resume_token


def frame_lines(frame: eventpb.Frame, *, json: bool, tokens: bool) -> list[str]:
    """A frame as lines: events, states of a snapshot, notices. Bookmarks say nothing unless tokens are wanted."""
    if json:
        is_quiet = frame.WhichOneof("body") == "bookmark" and not tokens
        return [] if is_quiet else [jsonlib.dumps(as_dict(frame), ensure_ascii=False)]
    lines = [event_line(event, is_state=True) for event in frame.snapshot.states]
    lines += [event_line(event) for event in frame.events.events]
    if frame.HasField("notice"):
        lines.append(f"-- {enum_word(eventpb.NoticeKind, frame.notice.kind)}: {frame.notice.message}")
    token = resume_token(frame)
    return [*lines, f"-- resume {token}"] if tokens and token else lines

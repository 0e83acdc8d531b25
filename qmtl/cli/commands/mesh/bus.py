"""`qmtl bus`: follow control events, look at stream sizes and consumer lag, mend dead letters."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Sequence
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.listings import show_listing, shown_as_json
from qmtl.cli.show.messages import as_dict, when
from qmtl.cli.show.tables import show_table
from qmtl.control.v1 import broker_stream_service_pb2 as brokerstreamservicepb
from qmtl.control.v1 import broker_stream_service_pb2_grpc as brokerstreamrpc
from qmtl.control.v1 import dead_letter_service_pb2 as deadletterservicepb
from qmtl.control.v1 import dead_letter_service_pb2_grpc as deadletterrpc
from qmtl.control.v1 import event_tail_service_pb2 as eventtailservicepb
from qmtl.control.v1 import event_tail_service_pb2_grpc as eventtailrpc
from qmtl.rpc.client.channel import MeshChannel


@with_access
def tail(
    access: Access,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Payload type, for example activation_updated.")
    ] = None,
    keys: Annotated[list[str] | None, typer.Option("--key", help="Only this key, for example a world id.")] = None,
    after: Annotated[int, typer.Option(help="From the event after this stream sequence.", min=0)] = 0,
    all_kept: Annotated[bool, typer.Option("--all", help="From the oldest event kept.")] = False,
    count: Annotated[int, typer.Option(help="End after this many events. 0: never.", min=0)] = 0,
) -> None:
    """Follow control events as they are stored, one line each."""
    start = Timestamp(seconds=1) if all_kept else None
    request = eventtailservicepb.TailRequest(
        types=types or [], keys=keys or [], after_control_sequence=after, start_time=start
    )

    async def call(channel: MeshChannel) -> None:
        stream = eventtailrpc.EventTailServiceStub(channel).Tail(request)
        seen = 0
        try:
            async for reply in stream:
                _show_event(reply, access.json)
                seen += 1
                if seen == count:
                    return
        finally:
            stream.cancel()

    ask(access, call)


@with_access
def lag(access: Access) -> None:
    """Show the sizes of the streams and how far each durable consumer is behind."""

    async def call(channel: MeshChannel) -> brokerstreamservicepb.GetStreamsResponse:
        return await brokerstreamrpc.BrokerStreamServiceStub(channel).GetStreams(
            brokerstreamservicepb.GetStreamsRequest()
        )

    reply = ask(access, call)
    if shown_as_json(access, reply):
        return
    rows = [
        (s.name, str(s.messages), str(s.bytes), f"{s.first_stream_sequence}..{s.last_stream_sequence}", str(s.replicas))
        for s in reply.streams
    ]
    show_table("streams", ("stream", "messages", "bytes", "sequences", "replicas"), rows)
    consumers = [
        (s.name, c.name, str(c.pending), str(c.ack_pending), str(c.redelivered))
        for s in reply.streams
        for c in s.consumers
    ]
    show_table("consumers", ("stream", "consumer", "pending", "unacknowledged", "redelivered"), consumers)


@with_access
def dlq(
    access: Access,
    replay: Annotated[int, typer.Option(help="Send this dead letter to its original subject again.", min=0)] = 0,
) -> None:
    """List dead letters, newest first; --replay sends one back."""

    async def call(channel: MeshChannel) -> deadletterservicepb.ListDeadLettersResponse:
        stub = deadletterrpc.DeadLetterServiceStub(channel)
        if replay:
            await stub.ReplayDeadLetter(deadletterservicepb.ReplayDeadLetterRequest(dead_letter_sequence=replay))
        return await stub.ListDeadLetters(deadletterservicepb.ListDeadLettersRequest())

    reply = ask(access, call)
    columns = ("sequence", "subject", "consumer", "deliveries", "time", "reason")
    show_listing(access, reply.dead_letters, "dead letters", columns, _letter_rows)


def _letter_rows(letters: Sequence[deadletterservicepb.DeadLetter]) -> list[tuple[str, ...]]:
    return [
        (str(x.dead_letter_sequence), x.original_subject, x.consumer, str(x.deliveries), when(x.time), x.message)
        for x in letters
    ]


def _show_event(reply: eventtailservicepb.TailResponse, json: bool) -> None:
    event = reply.event
    if json:
        typer.echo(jsonlib.dumps(as_dict(reply), ensure_ascii=False))
        return
    kind = event.WhichOneof("payload") or "unknown"
    typer.echo(
        f"{reply.control_sequence:>8} {when(event.time)} {event.source:<13} {kind:<24} {event.key} r{event.revision}"
    )

"""`qmtl queue read`: the values a node wrote, as the gateway hands them out."""

from __future__ import annotations

import asyncio
import json as jsonlib
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Annotated

import pyarrow
import typer
from grpc import aio

from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.ids import whole_compute_key
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.formats import instant
from qmtl.cli.show.messages import when
from qmtl.core.errors import InvalidRequest
from qmtl.gateway.v1 import queue_service_pb2 as queueservicepb
from qmtl.gateway.v1 import queue_service_pb2_grpc as queuerpc
from qmtl.rpc.client.channel import MeshChannel
from qmtl.rpc.client.streams import scoped

QUIET_S = 2.0


@with_access
def read(
    access: Access,
    compute_key: Annotated[str, typer.Argument(help="Compute key, as `qmtl queues list` shows it.")],
    world: Annotated[str, typer.Option("--world", help="World of the key.")],
    start: Annotated[str, typer.Option("--from", help="First bucket, for example 2021-03-01T12:00Z.")] = "",
    sequence: Annotated[int, typer.Option("--from-sequence", help="First record. 0: see the others.", min=0)] = 0,
    last: Annotated[bool, typer.Option("--last", help="Only the newest record, then what follows.")] = False,
    count: Annotated[int, typer.Option(help="End after this many records. 0: never.", min=0)] = 0,
    quiet: Annotated[
        float, typer.Option(help="End when nothing came for this many seconds. 0: never.", min=0)
    ] = QUIET_S,
) -> None:
    """Print the rows of a queue, all that is kept unless an option says where to begin."""
    if sum((bool(start), bool(sequence), last)) > 1:
        raise InvalidRequest("E_POSITION_OPTIONS", "give one of --from, --from-sequence and --last")
    request = queueservicepb.ReadQueueRequest(compute_key=whole_compute_key(access, compute_key), world_id=world)
    if start:
        request.start_time.FromDatetime(instant(start, "--from"))
    elif last:
        request.last = True
    else:
        request.start_queue_sequence = sequence or 1

    async def call(channel: MeshChannel) -> int:
        seen = 0
        async for reply in _replies(queuerpc.QueueServiceStub(channel).ReadQueue(request), quiet):
            for line in record_lines(reply, json=access.json):
                typer.echo(line)
            seen += 1
            if seen == count:
                break
        return seen

    if not ask(access, call):
        typer.echo("nothing there", err=True)


async def _replies(
    stream: aio.UnaryStreamCall[queueservicepb.ReadQueueRequest, queueservicepb.ReadQueueResponse], quiet_s: float
) -> AsyncIterator[queueservicepb.ReadQueueResponse]:
    """Replies until the stream ends, or pauses for too long."""
    with scoped(stream) as replies:
        each = replies.__aiter__()
        while True:
            try:
                async with asyncio.timeout(quiet_s or None):
                    reply = await anext(each)
            except (TimeoutError, StopAsyncIteration):
                return
            yield reply


def record_lines(reply: queueservicepb.ReadQueueResponse, *, json: bool) -> Iterator[str]:
    """One record: its place, then its rows."""
    batch = reply.batch
    first, last = when(batch.start_time), when(batch.end_time)
    rows = _rows(batch.arrow_ipc)
    if json:
        place = {"sequence": reply.queue_sequence, "writer_epoch": batch.writer_epoch}
        yield jsonlib.dumps({**place, "start_time": first, "end_time": last, "rows": rows})
        return
    yield f"record {reply.queue_sequence} by writer epoch {batch.writer_epoch}, buckets {first} to {last}"
    for row in rows:
        yield "  " + "  ".join(f"{name}={value}" for name, value in row.items())


def _rows(arrow_ipc: bytes) -> list[dict[str, str]]:
    """The rows of one Arrow IPC stream as text; numbers at full precision."""
    if not arrow_ipc:
        return []
    with pyarrow.ipc.open_stream(arrow_ipc) as reader:
        table = reader.read_all()
    return [{name: _cell(value) for name, value in row.items()} for row in table.to_pylist()]


def _cell(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)

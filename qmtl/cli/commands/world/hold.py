"""`qmtl world freeze|drain`: stop a whole world by hand, and prove it: sent, written, committed at brokerage."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import typer

from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, WorldId, with_access
from qmtl.cli.show.messages import as_dict, show_json
from qmtl.core.errors import DeadlineExceeded, Exhausted, Unavailable
from qmtl.rpc.client.channel import MeshChannel
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import apply_service_pb2_grpc as applyrpc

CALL_S = 5.0
AGAIN_S = 0.5
LAPSE_S = 6  # ttl of a gate session and its margin

Reply = applyservicepb.FreezeWorldResponse | applyservicepb.DrainWorldResponse
Message = Annotated[str, typer.Option("--message", "-m", help="Why; kept in the audit log.")]
RequestId = Annotated[str, typer.Option("--request", help="Idempotency key; the same again asks how it stands.")]
Within = Annotated[float, typer.Option("--within", help="Seconds to go on asking until brokerage has committed it.")]


@with_access
def freeze(
    access: Access, world_id: WorldId, message: Message = "", request_id: RequestId = "", within: Within = 60.0
) -> None:
    """Stop a whole world at once, also during an apply and for what is bound later; `qmtl world resume` leads out."""
    request = applyservicepb.FreezeWorldRequest(world_id=world_id, request_id=_key(request_id), message=message)

    async def call(channel: MeshChannel) -> Reply:
        stub = applyrpc.ApplyServiceStub(channel)
        return await until_proved(
            lambda: stub.FreezeWorld(request, timeout=CALL_S), f"freeze --request {request.request_id}", within
        )

    _finish(access, request.request_id, "frozen", ask(access, call))


@with_access
def drain(
    access: Access, world_id: WorldId, message: Message = "", request_id: RequestId = "", within: Within = 60.0
) -> None:
    """Let a whole world only reduce what it holds, as `freeze` otherwise; what is frozen stays frozen."""
    request = applyservicepb.DrainWorldRequest(world_id=world_id, request_id=_key(request_id), message=message)

    async def call(channel: MeshChannel) -> Reply:
        stub = applyrpc.ApplyServiceStub(channel)
        return await until_proved(
            lambda: stub.DrainWorld(request, timeout=CALL_S), f"drain --request {request.request_id}", within
        )

    _finish(access, request.request_id, "drained", ask(access, call))


async def until_proved(send: Callable[[], Awaitable[Reply]], act: str, within_s: float) -> Reply:
    """Ask under the same id until brokerage has committed the fence; each step is told. Raises what it ended with."""
    deadline, written = time.monotonic() + within_s, False
    typer.echo(f"sent      {act}", err=True)
    while True:
        try:
            reply = await send()
        except (Unavailable, DeadlineExceeded, Exhausted) as error:
            said = error.hint if error.reason == "E_HOLD_UNWRITTEN" else _protection(written=written)
            typer.echo(f"no answer {error.reason}: {error.message}; {said}", err=True)
            if time.monotonic() > deadline:
                raise
        else:
            if not written:
                typer.echo(f"written   {reply.run.run_id}, fence epoch {reply.run.fence_epoch}", err=True)
            written = True
            if not reply.fence_pending or time.monotonic() > deadline:
                return reply
        await asyncio.sleep(AGAIN_S)


def _protection(*, written: bool) -> str:
    """What keeps orders back meanwhile."""
    if written:
        return "it is written: gates hold it, and brokerage is told until it has it"
    return f"it may not be written: gates that renew there shut the world within {LAPSE_S} s to all that adds risk"


def _finish(access: Access, request_id: str, state: str, reply: Reply) -> None:
    if access.json:
        show_json(as_dict(reply))
    elif reply.fence_pending:
        typer.echo(f"pending   brokerage has not committed epoch {reply.run.fence_epoch}; it is told until it has")
        typer.echo(f"          ask again with --request {request_id}")
    else:
        typer.echo(f"committed {reply.run.world_id} is {state} at brokerage, fence epoch {reply.run.fence_epoch}")
        typer.echo(f"on the wire: {', '.join(reply.on_the_wire) or 'nothing'}")
        if isinstance(reply, applyservicepb.FreezeWorldResponse):
            typer.echo(f"held until it opens: {', '.join(reply.held) or 'nothing'}")
            tell_unprotected(reply.unprotected)
        typer.echo(f"leave it with: qmtl world resume {reply.run.world_id} {reply.run.run_id}")
    if reply.fence_pending:
        raise typer.Exit(1)


def tell_unprotected(positions: Sequence[str]) -> None:
    """Name positions that have lost their exits, if there are any."""
    if positions:
        typer.echo(f"UNPROTECTED, without the exits they had: {', '.join(positions)}")


def _key(given: str) -> str:
    return given or f"cli-{uuid.uuid4().hex[:12]}"

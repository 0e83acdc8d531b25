"""The audited write that every subject uses: one transaction that ends in narrowing, and the fence before the answer.

A refused write is audited like a committed one. What narrowing means is not known here: the function is handed in.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial, wraps
from typing import Any, TypeVar

import structlog
from google.protobuf.message import Message
from sqlalchemy import Connection

from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import require_stated
from qmtl.rpc.chunks import gathered
from qmtl.sql.database import Database
from worldservice.metrics import WorldMetrics
from worldservice.worlds.acts import (
    REFUSED,
    Act,
    act_of,
    audit_row,
    audit_write,
    audited_text,
    world_of,
    world_to_read,
)
from worldservice.worlds.domain.world import Effect, World
from worldservice.worlds.store.audit import append_audit
from worldservice.worlds.store.worlds import update_world

PARSED_HERE_MAX = 32 * 1024  # bytes of a request that may hold the loop while it is written down
log = structlog.stdlib.get_logger("qmtl.worldservice.worlds")

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res")


@dataclass(frozen=True, slots=True)
class Writes:
    """What a write needs. `draining` is set when the server goes away, so that open streams end.

    `narrow` lowers the world's activation to its decision, in the transaction it is given; `push_fence` tells brokerage
    the world's fence and answers whether it has confirmed it.
    """

    db: Database
    clock: Clock
    metrics: WorldMetrics
    draining: asyncio.Event
    narrow: Callable[[Connection, World, Act], Effect]
    push_fence: Callable[[str], Awaitable[bool]]

    def save_world(self, conn: Connection, act: Act, world: World) -> Effect:
        """Store a changed world, narrow to what follows from it, audit."""
        update_world(conn, world)
        effect = self.narrow(conn, world, act)
        audit_write(conn, act, f"world etag {world.etag}")
        return effect

    async def enforce(self, world_id: str, effect: Effect | None) -> bool:
        """Tell brokerage what a commit narrowed, before the caller is answered; True while it has not confirmed."""
        return effect is not None and effect.fence_pending and not await self.push_fence(world_id)


class AuditedServicer:
    """A servicer whose writes are methods under `audited`."""

    def __init__(self, writes: Writes) -> None:
        self.writes = writes


def audited(
    method: Callable[[Any, Req, Act], Awaitable[Res]],
) -> Callable[[Any, Req, Any], Awaitable[Res]]:
    """Make an RPC method of a write: it gets its Act, and what it refuses is audited before it is answered."""

    @wraps(method)
    async def rpc(servicer: AuditedServicer, request: Req, context: object) -> Res:
        act = await _act_of(method.__name__, servicer.writes, request)
        return await _to_its_end(_carry_out(method, servicer, request, act))

    return rpc


def audited_as(
    told: Callable[[Req], str],
) -> Callable[[Callable[[Any, Req, Act], Awaitable[Res]]], Callable[[Any, Req, Any], Awaitable[Res]]]:
    """As `audited`, of a large request: the audit log keeps what `told` says of it instead of its text."""

    def make(method: Callable[[Any, Req, Act], Awaitable[Res]]) -> Callable[[Any, Req, Any], Awaitable[Res]]:
        @wraps(method)
        async def rpc(servicer: AuditedServicer, request: Req, context: object) -> Res:
            clock = servicer.writes.clock
            act = act_of(method.__name__, world_of(request), request, clock, text=told(request))
            return await _to_its_end(_carry_out(method, servicer, request, act))

        return rpc

    return make


def audited_in_chunks(
    payload: type[Req], told: Callable[[Req], str] | None = None
) -> Callable[[Callable[[Any, Req, Act], Awaitable[Res]]], Callable[[Any, AsyncIterator[Any], Any], Awaitable[Res]]]:
    """As `audited`, of a write whose payload comes in chunks: read for operators of the world that metadata names.

    `told`: what the audit log keeps of a payload, where it does not keep all of it.
    """

    def make(
        method: Callable[[Any, Req, Act], Awaitable[Res]],
    ) -> Callable[[Any, AsyncIterator[Any], Any], Awaitable[Res]]:
        @wraps(method)
        async def rpc(servicer: AuditedServicer, request_iterator: AsyncIterator[Any], context: object) -> Res:
            said, writes = require_stated(), servicer.writes
            before = act_of(method.__name__, said.world_ids[0], payload(), writes.clock)
            async with _refusals_audited(writes, before):
                for world_id in said.world_ids:
                    await writes.db.read(
                        partial(world_to_read, caller=before.caller, world_id=world_id, want=Role.OPERATOR)
                    )
                request = await gathered(request_iterator, said, payload)
                said.check_worlds([world_of(request)])
            if told is None:
                act = await _act_of(method.__name__, writes, request)
            else:
                act = act_of(method.__name__, world_of(request), request, writes.clock, text=told(request))
            return await _to_its_end(_carry_out(method, servicer, request, act))

        return rpc

    return make


async def beside(request: Req, work: Callable[[Req], Res]) -> Res:
    """What a function makes of a request; of a large one in another thread, so that nobody waits for it."""
    if request.ByteSize() > PARSED_HERE_MAX:
        return await asyncio.to_thread(work, request)
    return work(request)


async def _act_of(event: str, writes: Writes, request: Message) -> Act:
    """The act of a request; the text of a large one is made in another thread, for who may write the world only."""
    size = request.ByteSize()
    if size <= PARSED_HERE_MAX:
        return act_of(event, world_of(request), request, writes.clock)
    act = act_of(event, world_of(request), request, writes.clock, text=f"{size} bytes")
    if act.world_id and not act.caller.own_act:
        async with _refusals_audited(writes, act):
            await writes.db.read(partial(world_to_read, caller=act.caller, world_id=act.world_id, want=Role.OPERATOR))
    return replace(act, request=await asyncio.to_thread(audited_text, request))


async def _to_its_end(work: Coroutine[Any, Any, Res]) -> Res:
    """A write goes on when its caller gives up: between its commit and brokerage's knowing lies no cancellation."""
    going = asyncio.ensure_future(work)
    going.add_done_callback(lambda done: done.cancelled() or done.exception())  # a caller that left asks no more
    return await asyncio.shield(going)


async def _carry_out(
    method: Callable[[Any, Req, Act], Awaitable[Res]], servicer: AuditedServicer, request: Req, act: Act
) -> Res:
    async with _refusals_audited(servicer.writes, act):
        return await method(servicer, request, act)


@asynccontextmanager
async def _refusals_audited(writes: Writes, act: Act) -> AsyncIterator[None]:
    try:
        yield
    except QmtlError as refusal:
        writes.metrics.refusals.labels(act.event, refusal.reason).inc()
        for reason in filter(None, refusal.metadata.get("blocks", "").split(",")):
            writes.metrics.promotion_blocks.labels(reason).inc()
        await _audit_refusal(writes.db, act, refusal)
        raise


async def _audit_refusal(db: Database, act: Act, refusal: QmtlError) -> None:
    row = audit_row(act, REFUSED, f"{refusal.reason}: {refusal.message}")
    try:
        await db.write(lambda conn: append_audit(conn, row))
    except QmtlError as error:  # the caller is told of the refusal itself, which matters more
        log.error("refusal_not_audited", act=act.event, world=act.world_id, reason=refusal.reason, error=str(error))

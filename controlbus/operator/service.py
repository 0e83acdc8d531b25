"""The operator service: look at the bus and mend it. It holds no state of its own; everything is asked of the broker.

Control events of several worlds flow together, so a token limited to worlds sees only keys that begin with one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from datetime import UTC
from importlib.metadata import version
from typing import Any, Final

import structlog
from nats.aio.msg import Msg
from nats.js import api

from controlbus.bus import Bus
from controlbus.events.control_event import PAYLOAD_TYPES, UndecodableEvent, check_types, decode
from controlbus.events.dead_letters import letters, replay
from controlbus.jetstream import streams
from controlbus.jetstream.connection import down
from controlbus.jetstream.ordered_reader import Start, read
from controlbus.jetstream.subjects import control_filter
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import service_pb2 as pb
from qmtl.control.v1 import service_pb2_grpc as rpc
from qmtl.core.clock import Clock
from qmtl.core.errors import Exhausted, InvalidRequest, PermissionDenied, Violation
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call, require_role, require_world

log = structlog.stdlib.get_logger("qmtl.controlbus")

PAGE_DEFAULT: Final = 100
PAGE_MAX: Final = 1000
KEYS_MAX: Final = 100
CONSUMERS_MAX: Final = 1000
WORLD_KEYED: Final = frozenset(
    {
        "activation_updated",
        "activation_acked",
        "policy_updated",
        "decision_updated",
        "evaluation_run_updated",
        "exit_signal_emitted",
    }
)
PLANNED: Final[Mapping[str, str]] = {}

Context = Any  # grpc.aio.ServicerContext; the interceptors use it, no method here does


class ControlBus(rpc.ControlBusServiceServicer):
    """The bus behind its contract."""

    def __init__(self, bus: Bus, clock: Clock, draining: asyncio.Event, tails_max: int) -> None:
        self._bus = bus
        self._draining = draining
        self._tails_left = tails_max
        self._started_at = clock.now()

    async def Tail(self, request: pb.TailRequest, context: Context) -> AsyncIterator[pb.TailResponse]:
        """Ends when the server drains; the client resumes after the last sequence it saw."""
        require_role(Role.READER)
        filters = _tail_filters(request)
        start = _tail_start(request)
        if not self._tails_left:
            raise Exhausted("E_TAILS", "too many open tails", retry_after_s=5.0)
        if not self._bus.link.up:
            raise down(self._bus.link.detail)
        self._tails_left -= 1
        try:
            async with (
                aclosing(read(self._bus.link, filters, start)) as messages,
                aclosing(_until(self._draining, messages)) as undrained,
            ):
                async for sequence, message in undrained:
                    reply = _tail_reply(sequence, message)
                    if reply is not None:
                        yield reply
        finally:
            self._tails_left += 1

    async def GetStreams(self, request: pb.GetStreamsRequest, context: Context) -> pb.GetStreamsResponse:
        require_role(Role.READER)
        return pb.GetStreamsResponse(streams=[await self._stream(spec.name) for spec in streams.STREAMS])

    async def ListDeadLetters(self, request: pb.ListDeadLettersRequest, context: Context) -> pb.ListDeadLettersResponse:
        _require_all_worlds()
        require_role(Role.READER)
        found, before = await letters(self._bus.link, _page_before(request.page), _page_size(request.page))
        page = commonpb.PageInfo(next_page_token=str(before) if before else "")
        return pb.ListDeadLettersResponse(dead_letters=found, page=page)

    async def ReplayDeadLetter(
        self, request: pb.ReplayDeadLetterRequest, context: Context
    ) -> pb.ReplayDeadLetterResponse:
        _require_all_worlds()
        require_role(Role.OPERATOR)
        sequence = await replay(self._bus.link, request.sequence)
        log.warning("dead_letter_replayed", letter=request.sequence, sequence=sequence, actor=current_call().actor)
        return pb.ReplayDeadLetterResponse(sequence=sequence)

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:
        nats_state = self._bus.status()
        reachable = commonpb.DEPENDENCY_STATE_REACHABLE
        status = commonpb.ServiceStatus(
            service="controlbus",
            version=version("qmtl"),
            dependencies=[
                commonpb.DependencyStatus(
                    name="nats",
                    state=reachable if nats_state.connected else commonpb.DEPENDENCY_STATE_UNREACHABLE,
                    detail="" if nats_state.connected else f"{nats_state.detail}, since {nats_state.since:%FT%TZ}",
                )
            ],
            degraded=not nats_state.connected,
        )
        status.started_at.FromDatetime(self._started_at)
        return pb.GetStatusResponse(status=status)

    async def _stream(self, name: str) -> pb.StreamInfo:
        link = self._bus.link
        info = await link.ask(link.js.stream_info(name))
        consumers: list[api.ConsumerInfo] = []
        while len(consumers) < CONSUMERS_MAX:
            page = await link.ask(link.js.consumers_info(name, offset=len(consumers)))
            consumers += page
            if not page or len(consumers) >= info.state.consumer_count:
                break
        return pb.StreamInfo(
            name=name,
            messages=info.state.messages,
            bytes=info.state.bytes,
            first_sequence=info.state.first_seq,
            last_sequence=info.state.last_seq,
            replicas=info.config.num_replicas or 1,
            consumers=[_consumer(each) for each in consumers if each.config.durable_name],
        )


def _consumer(info: api.ConsumerInfo) -> pb.ConsumerInfo:
    return pb.ConsumerInfo(
        name=info.name,
        pending=info.num_pending or 0,
        ack_pending=info.num_ack_pending or 0,
        redelivered=info.num_redelivered or 0,
    )


def _tail_filters(request: pb.TailRequest) -> list[str]:
    """Raises InvalidRequest (E_BUS_TYPE, E_BUS_FILTER) and PermissionDenied (E_WORLD_FORBIDDEN)."""
    types, keys = tuple(request.types), tuple(request.keys)
    check_types(types)
    if len(keys) > KEYS_MAX:
        violation = Violation("keys", f"{len(keys)} keys", f"at most {KEYS_MAX}")
        raise InvalidRequest("E_BUS_FILTER", str(violation), violations=[violation])
    if _limited_to_worlds():
        _check_worlds(types, keys)
    types = types or PAYLOAD_TYPES
    if not keys:
        return [control_filter(kind) for kind in types]
    return sorted({control_filter(kind, key) for kind in types for key in keys})


def _limited_to_worlds() -> bool:
    identity = current_call().identity
    return identity is not None and identity.worlds is not None


def _check_worlds(types: tuple[str, ...], keys: tuple[str, ...]) -> None:
    if not keys or not types or not WORLD_KEYED.issuperset(types):
        raise PermissionDenied(
            "E_WORLD_FORBIDDEN",
            "a token limited to worlds can tail only keys and types of those worlds",
            hint="name keys, and types among " + ", ".join(sorted(WORLD_KEYED)),
        )
    for key in keys:
        require_world(key.partition("/")[0])


def _require_all_worlds() -> None:
    """Dead letters hold bodies of every world."""
    if _limited_to_worlds():
        raise PermissionDenied("E_WORLD_FORBIDDEN", "dead letters need a token that is not limited to worlds")


def _tail_start(request: pb.TailRequest) -> Start:
    if request.after_sequence:
        return Start(after=request.after_sequence)
    if request.HasField("start_time"):
        return Start(time=request.start_time.ToDatetime(tzinfo=UTC))
    return Start.NEW


def _tail_reply(sequence: int, message: Msg) -> pb.TailResponse | None:
    """None for bytes that are no event: consumers bury those, a tail has nothing to show."""
    try:
        return pb.TailResponse(event=decode(message.data), sequence=sequence)
    except UndecodableEvent as error:
        log.warning("undecodable_event", sequence=sequence, reason=str(error))
        return None


def _page_size(page: commonpb.PageRequest) -> int:
    return min(page.page_size or PAGE_DEFAULT, PAGE_MAX)


def _page_before(page: commonpb.PageRequest) -> int | None:
    if not page.page_token:
        return None
    if not page.page_token.isascii() or not page.page_token.isdecimal() or not 0 < int(page.page_token) < 2**63:
        violation = Violation("page.page_token", "not one of ours", "a next_page_token, or empty")
        raise InvalidRequest("E_PAGE_TOKEN", str(violation), violations=[violation])
    return int(page.page_token)


async def _until(
    ends: asyncio.Event, messages: AsyncGenerator[tuple[int, Msg], None]
) -> AsyncGenerator[tuple[int, Msg], None]:
    """The messages until the event is set."""
    ending = asyncio.create_task(ends.wait())
    try:
        while True:
            coming = asyncio.ensure_future(anext(messages))
            try:
                await asyncio.wait([coming, ending], return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not coming.done():
                    coming.cancel()
            if not coming.done():
                await asyncio.gather(coming, return_exceptions=True)
                return
            yield coming.result()
    finally:
        ending.cancel()

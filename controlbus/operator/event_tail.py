"""EventTailService: control events as they are stored, for operators.

Events of several worlds flow together, so a token limited to worlds sees only keys that begin with one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

import structlog
from nats.aio.msg import Msg

from controlbus.bus import Bus
from controlbus.events.control_event import PAYLOAD_TYPES, UndecodableEvent, check_types, decode
from controlbus.jetstream.connection import down
from controlbus.jetstream.ordered_reader import Start, read
from controlbus.jetstream.subjects import control_filter
from qmtl.control.v1 import event_tail_service_pb2 as eventtailservicepb
from qmtl.control.v1 import event_tail_service_pb2_grpc as eventtailrpc
from qmtl.core.errors import Exhausted, PermissionDenied, refused
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call, require_role, require_world
from qmtl.rpc.server.streaming import until_set
from qmtl.wire.instants import instant_from_proto

log = structlog.stdlib.get_logger("qmtl.controlbus.operator")

KEYS_MAX: Final = 100
WORLD_KEYED: Final = frozenset(
    {
        "activation_updated",
        "activation_acked",
        "policy_updated",
        "decision_updated",
        "evaluation_run_updated",
        "exit_signal_emitted",
        "world_queues_updated",
    }
)


class EventTailService(eventtailrpc.EventTailServiceServicer):
    """Reads the CONTROL stream for at most `tails_max` callers at a time."""

    def __init__(self, bus: Bus, draining: asyncio.Event, tails_max: int) -> None:
        self._bus = bus
        self._draining = draining
        self._tails_left = tails_max

    async def Tail(
        self, request: eventtailservicepb.TailRequest, context: object
    ) -> AsyncIterator[eventtailservicepb.TailResponse]:
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
                aclosing(until_set(self._draining, messages)) as undrained,
            ):
                async for sequence, message in undrained:
                    reply = _tail_reply(sequence, message)
                    if reply is not None:
                        yield reply
        finally:
            self._tails_left += 1


def _tail_filters(request: eventtailservicepb.TailRequest) -> list[str]:
    """Raises InvalidRequest (E_BUS_TYPE, E_BUS_FILTER) and PermissionDenied (E_WORLD_FORBIDDEN)."""
    types, keys = tuple(request.types), tuple(request.keys)
    check_types(types)
    if len(keys) > KEYS_MAX:
        raise refused("E_BUS_FILTER", "keys", f"{len(keys)} keys", f"at most {KEYS_MAX}")
    if _is_limited_to_worlds():
        _check_worlds(types, keys)
    types = types or PAYLOAD_TYPES
    if not keys:
        return [control_filter(kind) for kind in types]
    return sorted({control_filter(kind, key) for kind in types for key in keys})


def _is_limited_to_worlds() -> bool:
    """Whether the caller's token is for some worlds only."""
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


def _tail_start(request: eventtailservicepb.TailRequest) -> Start:
    if request.after_control_sequence:
        return Start(after=request.after_control_sequence)
    if request.HasField("start_time"):
        return Start(time=instant_from_proto(request.start_time, "start_time"))
    return Start.NEW


def _tail_reply(sequence: int, message: Msg) -> eventtailservicepb.TailResponse | None:
    """None for bytes that are no event: consumers bury those, a tail has nothing to show."""
    try:
        return eventtailservicepb.TailResponse(event=decode(message.data), control_sequence=sequence)
    except UndecodableEvent as error:
        log.warning("undecodable_event", sequence=sequence, reason=str(error))
        return None

"""Freezes and drains that could not be written, told to the other replicas: a gateway may renew at any of them.

The store, which they share, does not take them; the broker keeps each for as long as an unwritten hold counts. It is
told at best: whoever means a hold asks on, and each time it is told again.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from uuid import uuid4

import structlog
from google.protobuf.message import DecodeError

from controlbus.bus import Bus
from controlbus.coordination.lease import TTL
from controlbus.events.control_event import MESSAGE_ID
from controlbus.jetstream.ordered_reader import Start, TooOld, check_had, read
from controlbus.jetstream.streams import LEASES
from controlbus.jetstream.subjects import key_tokens
from qmtl.core.errors import Conflict, Unavailable
from qmtl.world.v1 import apply_pb2 as applypb
from worldservice.activation.domain.hold import Hold, HoldState
from worldservice.activation.domain.unwritten import KEPT, UnwrittenHolds

TELL_S = 1.0
SUBJECT = f"$KV.{LEASES}.worldservice.holds"
_STATES = {
    applypb.APPLY_STATE_FROZEN: HoldState.FROZEN,
    applypb.APPLY_STATE_DRAINED: HoldState.DRAINED,
}
log = structlog.stdlib.get_logger("qmtl.worldservice.activation")


class HoldNotices:
    """Tells of the unwritten holds of this process, and hears of those of others; `unwritten` has both."""

    def __init__(self, bus: Bus, unwritten: UnwrittenHolds) -> None:
        self._bus = bus
        self.unwritten = unwritten

    async def tell(self, world_id: str, hold: Hold) -> None:
        """One could not be written: it counts here at once, and elsewhere if the broker takes it within a second."""
        self.unwritten.asked(world_id, hold)
        said = applypb.ApplyRun(world_id=world_id, run_id=hold.run_id, state=f"APPLY_STATE_{hold.state.value}")
        subject = f"{SUBJECT}.{key_tokens(f'{world_id}/{hold.state.value}')}"
        headers = {MESSAGE_ID: f"hold-{uuid4().hex}", TTL: str(int(KEPT.total_seconds()))}
        try:
            async with asyncio.timeout(TELL_S):
                await self._bus.link.publish(subject, said.SerializeToString(), headers)
        except (Unavailable, Conflict, TimeoutError) as error:
            log.warning("hold_untold", world_id=world_id, run_id=hold.run_id, error=str(error) or "no answer")

    async def run(self) -> None:
        """Hear for ever what is told from now on."""
        while True:
            try:
                messages = read(self._bus.link, [f"{SUBJECT}.>"], Start.NEW, f"KV_{LEASES}", check_had)
                async with aclosing(messages):
                    async for _, message in messages:
                        self._hear(message.data)
            except TooOld:  # the bucket was made anew
                continue

    def _hear(self, body: bytes) -> None:
        try:
            said = applypb.ApplyRun.FromString(body)
        except DecodeError as error:
            log.error("hold_unreadable", error=str(error))
            return
        state = _STATES.get(said.state)
        if state is not None:  # a mark that a notice has expired says nothing
            self.unwritten.asked(said.world_id, Hold(said.run_id, state))

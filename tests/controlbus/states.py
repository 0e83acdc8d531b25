"""Small makers of events for the tests of this room."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import sqlalchemy as sa

from controlbus.bus import Bus
from controlbus.events.control_event import ControlEventDraft, cloud_headers, number
from controlbus.jetstream.subjects import control_subject
from controlbus.outbox.outbox import outbox_tables
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import Unavailable

OUTBOX = outbox_tables(sa.MetaData())


def policy(world: str, version: int = 1) -> ControlEventDraft:
    payload = controlpb.PolicyUpdated(world_id=world, policy_version=version)
    return ControlEventDraft("worldservice", world, payload, datetime.now(UTC))


def unique(name: str) -> str:
    """A key or a consumer name no other test uses on the shared server."""
    return f"{name}-{uuid4().hex[:8]}"


async def publish(bus: Bus, world: str, revision: int) -> controlpb.ControlEvent:
    """Publish an event as a relay would, until it is stored, with a revision of our choice."""
    event = number(policy(world, revision), revision)
    subject = control_subject("policy_updated", world)
    body = event.SerializeToString()
    while True:
        await bus.link.wait_up()
        await bus.wait_ready()
        try:
            await bus.publish(subject, body, msg_id=event.event_id, headers=cloud_headers(event))
        except Unavailable:
            await bus.link.pause()
        else:
            return event

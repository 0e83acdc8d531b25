"""Steps in the life of a queue, drafted inside the transaction that took them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from controlbus.events.control_event import ControlEventDraft
from dagmanager.tables import outbox
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.clock import Clock
from qmtl.rpc.auth.call import current_call

SOURCE = "dagmanager"
Payload = (
    controlpb.QueueUpdated | controlpb.QueueLifecycle | controlpb.SentinelWeightUpdated | controlpb.WorldQueuesUpdated
)


@dataclass(frozen=True, slots=True)
class Cause:
    """When and on whose behalf something happened, for the events that tell of it."""

    now: datetime
    correlation_id: str = ""
    request_id: str = ""


def cause_of_call(clock: Clock, request_id: str = "") -> Cause:
    """The running call as a cause; `request_id` where the request names one of its own."""
    call = current_call()
    return Cause(clock.now(), call.correlation_id, request_id or call.request_id)


def publish_step(
    conn: Connection, compute_key: str, step: controlpb.QueueLifecycleStep, reason: str, cause: Cause
) -> None:
    """Publish that a queue passed a step of its life."""
    payload = controlpb.QueueLifecycle(compute_key=compute_key, step=step, message=reason)
    outbox.append(conn, draft(compute_key, payload, cause))


def draft(key: str, payload: Payload, cause: Cause) -> ControlEventDraft:
    """An event of this service about a key."""
    return ControlEventDraft(SOURCE, key, payload, cause.now, cause.correlation_id, cause.request_id)

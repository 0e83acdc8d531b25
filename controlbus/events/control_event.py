"""ControlEvent: how it is drafted, numbered, put on the wire and read back.

    draft = ControlEventDraft("worldservice", world_id, controlpb.PolicyUpdated(...), clock.now())
    event = outbox.append(conn, draft)      # gets its revision and event_id inside the transaction

Dispatch is by payload type (the oneof field's name, for example "policy_updated"), never by subject.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

from google.protobuf.message import DecodeError, Message

from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.rpc.telemetry.ids import new_id
from qmtl.rpc.telemetry.traces import current_traceparent

SCHEMA_VERSION = 1
MESSAGE_ID = "Nats-Msg-Id"
BODY_MAX = 900 * 1024  # the broker takes 1 MiB with headers; refuse at the door, not in the relay

_ONEOF = controlpb.ControlEvent.DESCRIPTOR.oneofs_by_name["payload"]
PAYLOAD_TYPES: tuple[str, ...] = tuple(field.name for field in _ONEOF.fields)
_FIELD_OF = {field.message_type.full_name: field.name for field in _ONEOF.fields if field.message_type is not None}


class UndecodableEvent(ValueError):
    """Bytes that are no control event this build knows; the text says why."""


@dataclass(frozen=True, slots=True)
class ControlEventDraft:
    """A fact before its commit. `key` is what the state belongs to; `payload` its whole state after the change."""

    source: str
    key: str
    payload: Message
    time: datetime
    correlation_id: str = ""
    causation_id: str = ""
    traceparent: str = field(default_factory=current_traceparent)
    schema_version: int = SCHEMA_VERSION


def payload_type(event: controlpb.ControlEvent) -> str:
    """The payload's field name. Raises UndecodableEvent when there is none (a newer type, or a damaged body)."""
    name: str | None = event.WhichOneof("payload")
    if name is None:
        raise UndecodableEvent("payload type is unknown to this build")
    return name


def payload_of(event: controlpb.ControlEvent) -> Message:
    """The payload itself. Raises UndecodableEvent when there is none."""
    name = payload_type(event)
    for field_descriptor, value in event.ListFields():
        if field_descriptor.name == name:
            payload: Message = value
            return payload
    raise UndecodableEvent(f"{name} is not set")


def type_of_payload(payload: Message) -> str:
    """The type name of a payload message. Raises InvalidRequest if it is no control payload."""
    full_name = payload.DESCRIPTOR.full_name
    if full_name not in _FIELD_OF:
        raise InvalidRequest(
            "E_BUS_TYPE",
            f"{full_name} is no control payload",
            violations=[Violation("payload", full_name, "one of the payloads of qmtl.control.v1.ControlEvent")],
        )
    return _FIELD_OF[full_name]


def check_types(types: tuple[str, ...]) -> None:
    """Raises InvalidRequest naming the first unknown payload type."""
    for name in types:
        if name not in PAYLOAD_TYPES:
            raise InvalidRequest(
                "E_BUS_TYPE",
                f"unknown event type {name!r}",
                violations=[Violation("types", name, "one of " + ", ".join(PAYLOAD_TYPES))],
            )


def number(draft: ControlEventDraft, revision: int) -> controlpb.ControlEvent:
    """The event of a draft, with the revision its transaction allocated."""
    event = controlpb.ControlEvent(
        event_id=new_id(),
        source=draft.source,
        key=draft.key,
        revision=revision,
        schema_version=draft.schema_version,
        correlation_id=draft.correlation_id,
        causation_id=draft.causation_id,
        **{type_of_payload(draft.payload): draft.payload},  # type: ignore[arg-type]  # the oneof field of that very type
    )
    event.time.FromDatetime(draft.time.astimezone(UTC))
    return event


def decode(body: bytes) -> controlpb.ControlEvent:
    """Raises UndecodableEvent for bytes that are not a whole, known control event."""
    event = controlpb.ControlEvent()
    try:
        event.ParseFromString(body)
    except DecodeError as error:
        raise UndecodableEvent(f"not a ControlEvent: {error}") from None
    payload_type(event)
    for name, value in (("event_id", event.event_id), ("key", event.key), ("revision", event.revision)):
        if not value:
            raise UndecodableEvent(f"{name} is empty")
    return event


def cloud_headers(event: controlpb.ControlEvent, traceparent: str = "") -> Mapping[str, str]:
    """CloudEvents attributes in binary mode, and the trace the event belongs to."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": event.event_id,
        "ce-source": event.source,
        "ce-type": f"qmtl.control.v1.{payload_type(event)}",
        "ce-time": event.time.ToJsonString(),
        "ce-subject": quote(event.key, safe=" /:,=@{}[]\"'&|~!*+()"),
    }
    if traceparent:
        headers["traceparent"] = traceparent
    return headers

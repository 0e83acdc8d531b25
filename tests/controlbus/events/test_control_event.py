"""Control events on the wire: whole round trip, headers, and what counts as undecodable."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlbus.events.control_event import (
    PAYLOAD_TYPES,
    ControlEventDraft,
    UndecodableEvent,
    check_types,
    cloud_headers,
    decode,
    number,
    payload_of,
    payload_type,
)
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import InvalidRequest

EARLIEST, LATEST = datetime.fromisoformat("1970-01-02"), datetime.fromisoformat("2200-01-01")
TIMES = st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC))


@given(st.text(min_size=1), st.text(), st.integers(1, 2**63), TIMES, st.sampled_from(PAYLOAD_TYPES))
def test_what_is_numbered_decodes_to_the_same(key: str, cause: str, revision: int, time: datetime, kind: str) -> None:
    field = controlpb.ControlEvent.DESCRIPTOR.fields_by_name[kind]
    draft = ControlEventDraft("s", key, payload_of(_blank(kind)), time, causation_id=cause, correlation_id="c")
    event = number(draft, revision)
    again = decode(event.SerializeToString())
    assert again == event
    assert payload_type(again) == kind
    assert payload_of(again).DESCRIPTOR is field.message_type
    assert (again.key, again.revision, again.causation_id) == (key, revision, cause)
    assert again.time.ToDatetime(tzinfo=UTC) == time


@given(st.text(min_size=1))
def test_headers_are_printable_ascii_whatever_the_key(key: str) -> None:
    event = _blank("policy_updated")
    event.key = key
    headers = cloud_headers(event, "00-aa-bb-01")
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert headers["traceparent"] == "00-aa-bb-01"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\xff\xff", "not a ControlEvent"),
        (b"", "payload type"),
        (controlpb.ControlEvent(event_id="e", key="k", revision=1).SerializeToString(), "payload type"),
        (controlpb.ControlEvent(key="k", revision=1, policy_updated={}).SerializeToString(), "event_id is empty"),
        (controlpb.ControlEvent(event_id="e", revision=1, policy_updated={}).SerializeToString(), "key is empty"),
        (controlpb.ControlEvent(event_id="e", key="k", policy_updated={}).SerializeToString(), "revision is empty"),
    ],
)
def test_what_is_no_event_says_why(body: bytes, why: str) -> None:
    with pytest.raises(UndecodableEvent, match=why):
        decode(body)


def test_unknown_types_are_refused_by_name() -> None:
    check_types(PAYLOAD_TYPES)
    with pytest.raises(InvalidRequest, match="polcy_updated"):
        check_types(("policy_updated", "polcy_updated"))


def _blank(kind: str) -> controlpb.ControlEvent:
    event = controlpb.ControlEvent(event_id="e", key="k", revision=1, source="s")
    number = controlpb.ControlEvent.DESCRIPTOR.fields_by_name[kind].number
    event.MergeFromString(bytes([(number << 3 | 2) & 0x7F | 0x80, (number << 3 | 2) >> 7, 0]))
    return event

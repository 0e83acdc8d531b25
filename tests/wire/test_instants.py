"""Timestamps and Durations: what they hold comes back exactly, what they should not hold is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import NEWEST_S, OLDEST_S
from qmtl.wire.instants import (
    NS_SECONDS_MAX,
    instant_from_proto,
    instant_to_proto,
    ns_from_proto,
    ns_to_proto,
    span_from_proto,
    span_to_proto,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)


def refusal(read: Callable[[], object]) -> tuple[str, str] | None:
    """The reason and field that reading was refused with."""
    try:
        read()
    except InvalidRequest as error:
        return error.reason, error.violations[0].field
    return None


@given(instant=st.datetimes(timezones=st.just(UTC)))
def test_an_instant_comes_back(instant: datetime) -> None:
    assert instant_from_proto(instant_to_proto(instant), "at") == instant


@given(ns=st.integers(-NS_SECONDS_MAX * 10**9, NS_SECONDS_MAX * 10**9))
def test_nanoseconds_come_back(ns: int) -> None:
    assert ns_from_proto(ns_to_proto(ns), "at") == ns


@given(span=st.timedeltas(timedelta(days=-3_000_000), timedelta(days=3_000_000)))
def test_a_span_comes_back(span: timedelta) -> None:
    assert span_from_proto(span_to_proto(span), "ttl") == span


@given(seconds=INT64, nanos=INT32)
def test_any_timestamp_is_read_or_refused(seconds: int, nanos: int) -> None:
    message = Timestamp(seconds=seconds, nanos=nanos)
    for read in (instant_from_proto, ns_from_proto):
        assert refusal(partial(read, message, "at")) in (None, ("E_TIMESTAMP", "at"))


@given(seconds=INT64, nanos=INT32)
def test_any_duration_is_read_or_refused(seconds: int, nanos: int) -> None:
    message = Duration(seconds=seconds, nanos=nanos)
    assert refusal(partial(span_from_proto, message, "ttl")) in (None, ("E_DURATION", "ttl"))


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(NEWEST_S + 1, 0), (OLDEST_S - 1, 0), (0, -1), (0, 10**9), (0, 1), (2**62, 0)]
)
def test_a_timestamp_outside_the_calendar_is_refused(seconds: int, nanos: int) -> None:
    with pytest.raises(InvalidRequest):
        instant_from_proto(Timestamp(seconds=seconds, nanos=nanos), "at")


def test_none_is_an_absent_field() -> None:
    assert instant_to_proto(None) is None

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

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import NEWEST_S, OLDEST_S
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.wire.instants import (
    NS_SECONDS_MAX,
    instant_from_proto,
    instant_to_proto,
    ns_from_proto,
    ns_to_proto,
    require_times,
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


def test_a_time_without_meaning_is_found_at_any_depth_and_named_by_its_path() -> None:
    bars = [barspb.Bar(), barspb.Bar(close_time=Timestamp(nanos=-1))]
    range_ = commonpb.TimeRange(end=Timestamp(seconds=2**62))
    for message, reason, path in (
        (dataservicepb.SubscribeResponse(bars=bars), "E_TIMESTAMP", "bars[1].close_time"),
        (dataservicepb.FetchRequest(range=range_), "E_TIMESTAMP", "range.end"),
        (datasetspb.Dataset(interval=Duration(seconds=1, nanos=-1)), "E_DURATION", "interval"),
    ):
        assert refusal(partial(require_times, message)) == (reason, path)
    require_times(dataservicepb.SubscribeResponse(bars=bars[:1], watermark=Timestamp(seconds=5)))

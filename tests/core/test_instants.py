"""Instants: exact in both directions, and nothing without a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import from_ns, from_us, timestamp_text, to_ns, to_us

INSTANTS = st.datetimes(timezones=st.just(UTC))


@given(instant=INSTANTS)
def test_microseconds_and_nanoseconds_come_back_as_the_same_instant(instant: datetime) -> None:
    assert from_us(to_us(instant)) == instant
    assert from_ns(to_ns(instant)) == instant
    assert to_ns(instant) == to_us(instant) * 1000


def test_another_zone_is_the_same_instant() -> None:
    east = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert to_us(east) == to_us(datetime(2026, 1, 1, tzinfo=UTC)) == 1_767_225_600_000_000


def test_nanoseconds_below_a_microsecond_are_cut_towards_the_past() -> None:
    assert from_ns(1_999) == from_us(1)
    assert from_ns(-1) == from_us(-1)


@pytest.mark.parametrize("convert", [to_us, to_ns, timestamp_text])
def test_an_instant_without_a_zone_is_refused(convert: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        convert(datetime(2026, 1, 1))  # type: ignore[operator]  # noqa: DTZ001 - the case
    assert caught.value.reason == "E_TIMESTAMP"

"""Instants as columns: what is written comes back exactly."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from qmtl.sql.instants import instant, instant_or_none, micros, micros_or_none


@given(at=st.datetimes(timezones=st.just(UTC)))
def test_an_instant_comes_back_exactly(at: datetime) -> None:
    assert instant(micros(at)) == at
    assert instant_or_none(micros_or_none(at)) == at


def test_an_absent_instant_is_null() -> None:
    assert micros_or_none(None) is None
    assert instant_or_none(None) is None

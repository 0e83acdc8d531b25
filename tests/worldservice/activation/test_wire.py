"""Activation on the wire: what is turned into a message and back is the same value; unknown words are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest
from qmtl.core.modes import EffectiveMode
from qmtl.wire.windows import windows_from_proto
from qmtl.world.v1 import activation_pb2 as activationpb
from worldservice.activation.domain.activation import Entry
from worldservice.activation.domain.operator_changes import Change
from worldservice.activation.wire import change_from_proto, entry_from_proto, entry_to_proto
from worldservice.worlds.domain.binding import Side

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
TIME = st.integers(0, 7_258_118_400_000_000).map(
    lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)
MAYBE_TIME = st.none() | TIME
ENTRY = st.builds(
    Entry,
    TEXT,
    st.sampled_from(Side),
    st.booleans(),
    st.decimals(0, 1, places=6).map(float),
    st.booleans(),
    st.booleans(),
    MAYBE_TIME,
    MAYBE_TIME,
    TIME,
    TEXT,
    st.sampled_from(EffectiveMode),
    MAYBE_TIME,
)


@settings(max_examples=50)
@given(ENTRY)
def test_an_entry_comes_back(entry: Entry) -> None:
    assert entry_from_proto(entry_to_proto(entry)) == entry


def test_a_change_keeps_what_it_does_not_name() -> None:
    message = activationpb.ActivationChange(strategy_id="s", side=commonpb.SIDE_SHORT, drain=True)
    assert change_from_proto(message, "changes[0]") == Change("s", Side.SHORT, drain=True)


def test_a_change_without_a_side_is_refused_with_its_path() -> None:
    with pytest.raises(InvalidRequest) as caught:
        change_from_proto(activationpb.ActivationChange(strategy_id="s"), "changes[3]")
    assert caught.value.violations[0].field == "changes[3].side"


@pytest.mark.parametrize("field", ["valid_from", "valid_until"])
@pytest.mark.parametrize("time", [{"seconds": 253_402_300_800}, {"nanos": -1}, {"seconds": -(2**62)}])
def test_a_time_out_of_range_is_refused_with_its_path(field: str, time: dict[str, int]) -> None:
    message = activationpb.ActivationChange(strategy_id="s", side=commonpb.SIDE_LONG, **{field: time})  # type: ignore[arg-type]  # a time as a dict
    with pytest.raises(InvalidRequest) as caught:
        change_from_proto(message, "changes[0]")
    assert (caught.value.reason, caught.value.violations[0].field) == ("E_TIMESTAMP", f"changes[0].{field}")


@pytest.mark.parametrize(
    ("field", "window"),
    [
        ("opens", {"opens": {"seconds": 2**62}}),
        ("opens", {"opens": {"seconds": -1}}),
        ("closes", {"closes": {"seconds": 86_400}}),
        ("closes", {"closes": {"nanos": 2_000_000_000}}),
        *(("time_zone", {"time_zone": name}) for name in ("", "localtime", "Factory", "posix/UTC", "Nope/X")),
        ("days", {"days": []}),
        ("days", {"days": [9]}),
    ],
)
def test_a_window_that_is_none_is_refused(field: str, window: dict[str, Any]) -> None:
    message = activationpb.ActivationWindow(**{"days": [1], "time_zone": "UTC", **window})
    with pytest.raises(InvalidRequest) as refused:
        windows_from_proto([message])
    assert (refused.value.reason, refused.value.violations[0].field) == ("E_WINDOW", f"windows.{field}")

"""Mappers pass on what both sides call the same, and refuse to be made while a field has no source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.wire.instants import instant_to_proto
from qmtl.wire.mapping import mapper

STARTED = datetime(2024, 1, 2, tzinfo=UTC)


class State(Enum):
    """How a dependency is."""

    REACHABLE = "reachable"


@dataclass(frozen=True, slots=True)
class Dependency:
    """The value of a DependencyStatus."""

    name: str
    state: State

    @property
    def detail(self) -> str:
        """Of a property's value too."""
        return f"{self.name} answers"


@dataclass(frozen=True, slots=True)
class Stretch:
    """The value of a TimeRange."""

    begin: datetime
    end: datetime | None

    def start(self) -> datetime:
        """A method, not a field."""
        return self.begin


def _state(one: Dependency) -> str:
    return f"DEPENDENCY_STATE_{one.state.name}"


def test_plain_fields_are_passed_on_and_told_ones_made() -> None:
    made = mapper(Dependency, commonpb.DependencyStatus, absent=("breaker",), state=_state)(
        Dependency("nats", State.REACHABLE)
    )
    assert made == commonpb.DependencyStatus(
        name="nats", state=commonpb.DEPENDENCY_STATE_REACHABLE, detail="nats answers"
    )


def test_instants_of_the_same_name_are_passed_on_as_timestamps() -> None:
    whole = mapper(Stretch, commonpb.TimeRange, start=lambda one: instant_to_proto(one.begin))
    assert whole(Stretch(STARTED, STARTED)).end.ToDatetime(UTC) == STARTED


def test_none_and_absent_fields_stay_unset() -> None:
    whole = mapper(
        Stretch,
        commonpb.TimeRange,
        start=lambda one: instant_to_proto(one.begin),
    )
    assert whole(Stretch(STARTED, None)) == commonpb.TimeRange(start=instant_to_proto(STARTED))
    assert not whole(Stretch(STARTED, None)).HasField("end")
    short = mapper(Dependency, commonpb.DependencyStatus, absent=("state", "detail", "breaker"))
    assert short(Dependency("nats", State.REACHABLE)) == commonpb.DependencyStatus(name="nats")


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: mapper(Dependency, commonpb.DependencyStatus, absent=("breaker",)), "DependencyStatus.state"),
        (lambda: mapper(Stretch, commonpb.TimeRange), "TimeRange.start"),
        (
            lambda: mapper(Stretch, commonpb.DependencyStatus, absent=("state", "detail", "breaker")),
            "DependencyStatus.name",
        ),
        (lambda: mapper(Dependency, commonpb.DependencyStatus, state=_state, rows=_state), "rows"),
        (lambda: mapper(Dependency, commonpb.DependencyStatus, state=_state, absent=("rows",)), "rows"),
        (lambda: mapper(Dependency, commonpb.DependencyStatus, state=_state, absent=("state",)), "state told"),
    ],
    ids=("enum", "method", "not there", "told unknown", "absent unknown", "both"),
)
def test_a_field_without_a_source_is_refused_when_the_mapper_is_made(make: Callable[[], object], field: str) -> None:
    with pytest.raises(TypeError, match=field):
        make()

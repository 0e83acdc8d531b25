"""How a vertex with several inputs joins them by event time: which inputs make its events, and who may be missing.

Inputs of the finest interval make the events; a slower input gives the newest of its values that is known by then, so
that a bar is seen at its close and never inside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from qmtl.core.errors import refused


class Join(Enum):
    """Which instants are events, where inputs of one interval do not all have a value at one.

    DROP: those at which every input has one. AS_OF: those at which any has one; the others give their newest. WAIT:
    those at which the last of all inputs has come again since the event before (refresh times: Barndorff-Nielsen,
    Hansen, Lunde and Shephard 2011).
    """

    DROP = "drop"
    AS_OF = "as_of"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Joining:
    """The rule, and for each input whether it makes events (`drives`) or is read as of them."""

    rule: Join
    drives: tuple[bool, ...]


def joining_of(intervals_s: Sequence[int], rule: Join = Join.DROP, clock: int | None = None) -> Joining | None:
    """How inputs of these intervals are joined; None: plainly, by instants at which every one has a value.

    `clock`: the one input that makes the events, whatever the intervals are.
    """
    finest = min(intervals_s)
    drives = tuple(i == clock if clock is not None else each == finest for i, each in enumerate(intervals_s))
    return None if all(drives) and (rule is Join.DROP or len(drives) == 1) else Joining(rule, drives)


def join_named(rule: Join | str) -> Join:
    """A rule by its name. Raises InvalidRequest (E_FIELD)."""
    try:
        return Join(rule)
    except ValueError:
        raise refused("E_FIELD", "join", repr(rule), "one of " + ", ".join(each.value for each in Join)) from None

"""The words of the SDK: which semantic kind may feed which, schemas and the limits every name and number must keep.

Legality of a connection follows from the kinds alone, never from a strategy's name or type. Bad input is
refused here, once, with the field, the value and what is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from qmtl.core.dag import TAG, TAGS_MAX, SemanticKind
from qmtl.core.errors import InvalidRequest, Violation

INTERVAL_S_MAX = 7 * 86_400
PERIOD_MAX = 10_000
NS_PER_S = 1_000_000_000

_INTERVAL = re.compile(r"([1-9][0-9]*)([smhdw])", re.ASCII)
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Late(Enum):
    """What happens to a bar that comes after the watermark passed it. Orders already sent are never unsent."""

    DROP = "drop"
    SIDE_OUTPUT = "side_output"


TRADING = frozenset({SemanticKind.DECISION_VALUE, SemanticKind.COMMAND_VALUE})
"""The decision and order path: what a delayed stream may never reach."""

_READABLE_BY_ALL = frozenset(SemanticKind) - {SemanticKind.MUTABLE_EXECUTION_STATE}

FEEDS: dict[SemanticKind, frozenset[SemanticKind]] = {
    SemanticKind.CAUSAL_STREAM: _READABLE_BY_ALL,
    # A causal node behind a label would launder it. An artifact made from labels is sealed: it may be read by all.
    SemanticKind.DELAYED_STREAM: frozenset({SemanticKind.DELAYED_STREAM, SemanticKind.IMMUTABLE_ARTIFACT}),
    SemanticKind.IMMUTABLE_ARTIFACT: _READABLE_BY_ALL,
    # A shared stream must not depend on one account's state: its NodeID is shared by every strategy.
    SemanticKind.MUTABLE_EXECUTION_STATE: frozenset({SemanticKind.MUTABLE_EXECUTION_STATE, *TRADING}),
    SemanticKind.DECISION_VALUE: TRADING,
    SemanticKind.COMMAND_VALUE: frozenset({SemanticKind.COMMAND_VALUE}),
}
"""The type rule: which kinds each kind may feed."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Fields of a node's values, all float64; `compat_id` names the major version, `default` the main field."""

    compat_id: str
    fields: tuple[str, ...]
    default: str

    def column(self, field: str) -> int:
        """Index of a field. Raises InvalidRequest (E_FIELD_UNKNOWN)."""
        if field not in self.fields:
            raise refused("E_FIELD_UNKNOWN", "field", field, f"one of {', '.join(self.fields)}")
        return self.fields.index(field)


OHLCV = Schema("qmtl.ohlcv.v1", ("open", "high", "low", "close", "volume"), "close")
VALUE = Schema("qmtl.value.v1", ("value",), "value")
DIRECTION = Schema("qmtl.direction.v1", ("direction",), "direction")
TARGET = Schema("qmtl.position_target.v1", ("target",), "target")
COMMAND = Schema("qmtl.order_command.v1", ("target", "price"), "target")


def refused(reason: str, field: str, value: object, want: str, hint: str = "") -> InvalidRequest:
    """An InvalidRequest about one field."""
    violation = Violation(field, str(value), want)
    return InvalidRequest(reason, str(violation), hint=hint, violations=(violation,))


def parse_interval(text: str) -> int:
    """Seconds of "15m", "1h", "1d" ...; 1 s to 1 w. Raises InvalidRequest (E_INTERVAL)."""
    match = _INTERVAL.fullmatch(text)
    seconds = int(match[1]) * _UNIT_S[match[2]] if match and len(match[1]) <= 9 else 0
    if not 1 <= seconds <= INTERVAL_S_MAX:
        raise refused("E_INTERVAL", "interval", text, "a number and one of s m h d w, from 1s to 1w")
    return seconds


def check_period(period: int, field: str = "period") -> int:
    """A count of bars, 1 to 10,000. Raises InvalidRequest (E_PERIOD)."""
    if isinstance(period, bool) or not isinstance(period, int) or not 1 <= period <= PERIOD_MAX:
        raise refused("E_PERIOD", field, period, f"a whole number of bars from 1 to {PERIOD_MAX}")
    return period


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Trimmed, unique, sorted tags. Raises InvalidRequest (E_TAG)."""
    trimmed = sorted({tag.strip() for tag in tags})
    for tag in trimmed:
        if not TAG.fullmatch(tag):
            raise refused("E_TAG", "tags", repr(tag), "1 to 100 of the characters A-Z a-z 0-9 _ . -")
    if len(trimmed) > TAGS_MAX:
        raise refused("E_TAG", "tags", f"{len(trimmed)} tags", f"at most {TAGS_MAX}")
    return tuple(trimmed)


def tag_of(symbol: str) -> str:
    """A symbol as a tag: characters a tag cannot hold become '-'."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", symbol, flags=re.ASCII)[:100]

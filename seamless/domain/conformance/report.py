"""What conformance found in one delivery: a finding for each rule, what is there and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from qmtl.calendars import spans
from qmtl.calendars.spans import Coverage


class Rule(Enum):
    """The rules, in the order they run."""

    SCHEMA = "schema"
    SCHEMA_CANARY = "schema_canary"
    UNREADABLE = "unreadable"
    UTC = "utc"
    SORT = "sort"
    DUPLICATE = "duplicate"
    REVISED = "revised"
    GRID = "grid"
    OHLC = "ohlc"
    FINITE = "finite"
    NEGATIVE_VOLUME = "negative_volume"
    STEP_CHANGE = "step_change"
    CALENDAR = "calendar"
    GAP = "gap"
    PARTIAL_LAST_BAR = "partial_last_bar"
    SPARSE_VOLUME = "sparse_volume"


class Action(Enum):
    """What a rule did with the rows that it found."""

    KEPT = "kept"
    DROPPED = "dropped"
    REPAIRED = "repaired"


@dataclass(frozen=True, slots=True)
class Sample:
    """One example of a finding."""

    time_ns: int
    detail: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found: a count, the first samples, and whether the preset refuses over it."""

    rule: Rule
    count: int
    action: Action
    blocking: bool
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class ConformanceReport:
    """The outcome of conformance over one delivery."""

    dataset: str
    policy: str
    rule_version: str
    rows_in: int
    rows_out: int
    interval_ns: int
    expected: Coverage
    have: Coverage
    gaps: Coverage
    findings: tuple[Finding, ...]
    schema: str = ""  # the strict version of the schema that the columns were compared with
    canary_schema: str = ""  # the version in canary
    held_back: int = 0  # of the bars that were left, the newest that are not sealed

    @property
    def blocked_by(self) -> tuple[Rule, ...]:
        return tuple(f.rule for f in self.findings if f.blocking and f.count)

    @property
    def expected_rows(self) -> int:
        return spans.bars(self.expected, self.interval_ns)

    @property
    def coverage_ratio(self) -> float:
        return spans.ratio(self.have, self.expected, self.interval_ns)

    def count(self, rule: Rule) -> int:
        """How much one rule found."""
        return next(f.count for f in self.findings if f.rule is rule)

"""Constraints and hysteresis of a selection: the sections of a policy document as frozen rules.

A limit that is not set is no limit; one that is set refuses whoever cannot show the number it needs.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from worldservice.policy.domain.document import Document, Plain, parse_duration, parse_word, refused_value

STREAK_MAX = 1_000
GROSS_MAX = 1_000.0


class UnknownPair(Enum):
    """What a correlation that nobody has measured means for the later of the two."""

    REJECT = "reject"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class CorrelationLimit:
    """How alike two selected strategies may be."""

    max_pairwise: float
    unknown_pair: UnknownPair = UnknownPair.REJECT


@dataclass(frozen=True, slots=True)
class ExposureLimits:
    """Fractions of the world's capital; None is no limit."""

    long: float | None = None
    short: float | None = None
    max_leverage: float | None = None
    sector_cap: float | None = None


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a selection has to keep within; None: no limit."""

    correlation: CorrelationLimit | None = None
    exposure: ExposureLimits | None = None


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """A strategy enters after so many passes in a row, and leaves after so many failures and its dwell."""

    promote_after: int = 1
    demote_after: int = 1
    min_dwell: timedelta = timedelta()


def parse_constraints(selection: Document) -> Constraints:
    """The section selection.constraints."""
    if selection.optional("constraints") is None:
        return Constraints()
    section = selection.section("constraints")
    section.only("correlation", "exposure")
    return Constraints(
        correlation=_correlation(section) if section.optional("correlation") is not None else None,
        exposure=_exposure(section) if section.optional("exposure") is not None else None,
    )


def parse_hysteresis(selection: Document) -> Hysteresis | None:
    """The section selection.hysteresis; absent: a selection follows each evaluation at once."""
    if selection.optional("hysteresis") is None:
        return None
    section = selection.section("hysteresis")
    section.only("promote_after", "demote_after", "min_dwell")
    dwell = section.optional("min_dwell")
    return Hysteresis(
        promote_after=_streak(section, "promote_after"),
        demote_after=_streak(section, "demote_after"),
        min_dwell=timedelta() if dwell is None else parse_duration(dwell, f"{section.path}.min_dwell"),
    )


def _correlation(constraints: Document) -> CorrelationLimit:
    section = constraints.section("correlation")
    section.only("max_pairwise", "unknown_pair")
    limit = _number(section.required("max_pairwise"), f"{section.path}.max_pairwise", -1.0, 1.0)
    word = section.optional("unknown_pair")
    if word is None:
        return CorrelationLimit(limit)
    return CorrelationLimit(limit, parse_word(word, f"{section.path}.unknown_pair", UnknownPair))


def _exposure(constraints: Document) -> ExposureLimits:
    section = constraints.section("exposure")
    section.only("gross_budget", "max_leverage", "sector_cap")
    budget = section.section("gross_budget") if section.optional("gross_budget") is not None else None
    if budget is not None:
        budget.only("long", "short")
    return ExposureLimits(
        long=_limit(budget, "long") if budget is not None else None,
        short=_limit(budget, "short") if budget is not None else None,
        max_leverage=_limit(section, "max_leverage"),
        sector_cap=_limit(section, "sector_cap"),
    )


def _limit(section: Document, key: str) -> float | None:
    value = section.optional(key)
    return None if value is None else _number(value, f"{section.path}.{key}", 0.0, GROSS_MAX)


def _number(value: Plain, path: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise refused_value(path, value, f"a number from {low:g} to {high:g}")
    return float(value)


def _streak(section: Document, key: str) -> int:
    value = section.optional(key)
    if value is None:
        return 1
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= STREAK_MAX:
        raise refused_value(f"{section.path}.{key}", value, f"a whole number from 1 to {STREAK_MAX}")
    return value

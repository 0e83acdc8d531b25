"""The terms every active strategy of a world trades under: activation windows and risk limits."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from decimal import Decimal

from qmtl.calendars.windows import Window, zone
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import InvalidRequest
from qmtl.core.limits import UNLIMITED, RiskLimits
from worldservice.policy.domain.document import Document, Plain, refused_value

WINDOWS_MAX = 32

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_DAYS = re.compile(r"([a-z]{3})\.\.([a-z]{3})")

_WALL = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")

DIGITS_MAX = 18  # of an amount, before the point and after it together
_AMOUNT = 'above 0: a whole number, or a decimal in quotes like "2500.50"'


def parse_limits(gating: Document) -> RiskLimits:
    """The section gating_policy.risk_limits; absent: no limit."""
    if gating.optional("risk_limits") is None:
        return UNLIMITED
    section = gating.section("risk_limits")
    section.only("max_order_notional", "max_position_notional", "max_gross_notional", "max_net_notional")
    position = None if section.optional("max_position_notional") is None else section.section("max_position_notional")
    if position is not None:
        position.only("long", "short")
    limits = RiskLimits(
        order_notional_max=_amount(section, "max_order_notional"),
        long_notional_max=_amount(position, "long"),
        short_notional_max=_amount(position, "short"),
        gross_notional_max=_amount(section, "max_gross_notional"),
        net_notional_max=_amount(section, "max_net_notional"),
    )
    if limits == UNLIMITED:
        raise refused_value(section.path, "no limit", "at least one limit")
    return limits


def _amount(section: Document | None, key: str) -> Decimal | None:
    value = None if section is None else section.optional(key)
    if section is None or value is None:
        return None
    path = f"{section.path}.{key}"
    if isinstance(value, float | bool):
        raise refused_value(path, value, _AMOUNT)
    try:
        amount = parse_decimal(str(value), path)
    except InvalidRequest:
        raise refused_value(path, value, _AMOUNT) from None
    if amount <= 0 or len(amount.as_tuple().digits) > DIGITS_MAX:
        raise refused_value(path, value, f"{_AMOUNT}, of at most {DIGITS_MAX} digits")
    return amount


@dataclass(frozen=True, slots=True)
class Terms:
    """What a policy says of all entries alike: when they may take new risk, and how much the world may."""

    windows: tuple[Window, ...] = ()
    limits: RiskLimits = UNLIMITED


NO_TERMS = Terms()


def parse_windows(root: Document) -> tuple[Window, ...]:
    """The section activation_windows; absent: always open."""
    value = root.optional("activation_windows")
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str) or not 0 < len(value) <= WINDOWS_MAX:
        raise refused_value("activation_windows", value, f"a list of 1 to {WINDOWS_MAX} windows")
    return tuple(_window(Document.at(f"activation_windows[{i}]", one)) for i, one in enumerate(value))


def _window(section: Document) -> Window:
    section.only("days", "from", "to", "tz")
    name = section.required("tz")
    try:
        zone(str(name))
    except (KeyError, ValueError, OSError):
        raise refused_value(f"{section.path}.tz", name, "an IANA zone like America/New_York or UTC") from None
    return Window(_days(section), _wall(section, "from"), _wall(section, "to"), str(name))


def _days(section: Document) -> frozenset[int]:
    value, path = section.required("days"), f"{section.path}.days"
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise refused_value(path, value, "a list like [mon..fri] or [sat, sun]")
    return frozenset(day for word in value for day in _span_of_days(word, path))


def _span_of_days(word: Plain, path: str) -> Sequence[int]:
    found = _DAYS.fullmatch(word) if isinstance(word, str) else None
    first, last = found.groups() if found else (word, word)
    if first not in DAYS or last not in DAYS:
        raise refused_value(path, word, f"days of {', '.join(DAYS)}, or a span like mon..fri")
    start, end = DAYS.index(str(first)), DAYS.index(str(last))
    return [(start + step) % len(DAYS) for step in range((end - start) % len(DAYS) + 1)]


def _wall(section: Document, key: str) -> time:
    value = section.required(key)
    found = _WALL.fullmatch(value) if isinstance(value, str) else None
    if found is None or (value == "24:00" and key == "from"):
        raise refused_value(f"{section.path}.{key}", value, 'a wall time in quotes, "00:00" to "24:00"')
    return time() if value == "24:00" else time(int(found[1]), int(found[2]))

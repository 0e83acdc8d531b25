"""How ids, spans, times and numbers are written for people, and read from them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from qmtl.core.decimals import format_decimal
from qmtl.core.errors import InvalidRequest
from qmtl.stats.lot_trades import EXACT

_UNITS = (("d", 86_400), ("h", 3600), ("m", 60))
_DIGEST = "blake3:"

_BAR_WIDTH = 30


def short_id(text: str, length: int = 12) -> str:
    """The first digits of a digest; other ids stay whole."""
    return text.removeprefix(_DIGEST)[:length] if text.startswith(_DIGEST) else text


def span_word(seconds: float) -> str:
    """A span in its largest whole unit: 900 is 15m; "" for 0."""
    for unit, size in _UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s" if seconds else ""


def number(value: float) -> str:
    """A metric's value, four digits are enough to see why."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def money(amount: Decimal) -> str:
    """An amount for people: to 8 places, which the exact numbers of --json are not cut to."""
    return format_decimal(amount.quantize(Decimal("1e-8"), context=EXACT))


def share_bar(share: float) -> str:
    """A share as a bar, full from 1 on and empty below 0, and as the percentage that it is."""
    full = int(min(1.0, max(0.0, share)) * _BAR_WIDTH)
    return f"[{'#' * full}{'.' * (_BAR_WIDTH - full)}] {share:7.2%}"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def instant(text: str, option: str) -> datetime:
    """A time as people write it, UTC unless it says otherwise. Raises InvalidRequest (E_TIME)."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(
            "E_TIME", f"{option} is {text!r}, want for example 2021-03-01 or 2021-03-01T12:30Z"
        ) from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)

"""What an account has traded, by day of UTC and instrument: the volume that tiers of fees go by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fees.model import VolumeCount
from brokerage.domain.money import currency_scale, fit
from qmtl.core.instants import from_ns

DAY_NS = 86_400_000_000_000
DAYS_KEPT = 31
"""Days that some schedule may look back on, the longest month's and thirty, each with today."""


@dataclass(frozen=True, slots=True)
class Traded:
    """Quantity and value in quote currency of trades in one instrument, at its scales."""

    instrument: Instrument
    quantity: int
    notional: int

    def counted(self, count: VolumeCount, instrument: Instrument) -> int:
        """What a schedule counts of it for an execution in an instrument."""
        if count.shares:
            return self._at_scale(instrument.quantity_scale)
        currency = count.currency or instrument.quote
        if self.instrument.quote == currency:
            return self.notional
        if self.instrument.base == currency:
            return self._at_scale(currency_scale(currency))
        return 0

    def _at_scale(self, scale: int) -> int:
        """The quantity at a scale, down."""
        units: int = self.quantity * 10**scale // 10**self.instrument.quantity_scale
        return units


class TradedVolumes:
    """Not thread-safe; one caller changes it. `changed` are the days and symbols that were added to."""

    def __init__(self) -> None:
        self.changed: set[tuple[int, str]] = set()
        self._days: dict[int, dict[str, Traded]] = {}

    def restore(self, day: int, traded: Traded) -> None:
        """Take over what is known of a day, counted from the epoch."""
        self._days.setdefault(day, {})[traded.instrument.symbol] = traded

    def of(self, day: int, symbol: str) -> Traded:
        """What was traded on a day. Raises KeyError where nothing was."""
        return self._days[day][symbol]

    def add(self, traded: Traded, at_ns: int) -> None:
        """Count a fill."""
        day, symbol = at_ns // DAY_NS, traded.instrument.symbol
        known = self._days.setdefault(day, {}).get(symbol)
        if known is not None:
            quantity, notional = known.quantity + traded.quantity, known.notional + traded.notional
            traded = Traded(traded.instrument, fit(quantity, "day's quantity"), fit(notional, "day's value"))
        self._days[day][symbol] = traded
        self.changed.add((day, symbol))
        for old in [one for one in self._days if one <= day - DAYS_KEPT]:
            del self._days[old]

    def before(self, count: VolumeCount, own: Traded, at_ns: int) -> int:
        """The volume that an execution at an instant is charged by; `own` is what its order had filled before."""
        total = sum(traded.counted(count, own.instrument) for traded in self._within(count.days, at_ns))
        return total if count.days else max(total - own.counted(count, own.instrument), 0)

    def _within(self, days: int, at_ns: int) -> Iterator[Traded]:
        """Trades of so many days until an instant, or of its calendar month."""
        today = at_ns // DAY_NS
        first = today - (days or from_ns(at_ns).day) + 1
        for day, traded in self._days.items():
            if first <= day <= today:
                yield from traded.values()

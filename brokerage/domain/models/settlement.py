"""When what a trade brings becomes cash that can be used, and the daily settlement of futures."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from brokerage.domain.money import divide
from qmtl.core.errors import refused
from qmtl.core.instants import from_ns, to_ns


@dataclass(frozen=True, slots=True)
class Cycle:
    """Trades of a day from `first` on settle so many business days later."""

    first: date
    days: int


US_EQUITY_CYCLES = (Cycle(date(1995, 6, 7), 3), Cycle(date(2017, 9, 5), 2), Cycle(date(2024, 5, 28), 1))
"""T+3, T+2 and T+1. Source: SEC rule 15c6-1 and its releases 33-7022, 34-80295 and 34-96930."""


@dataclass(frozen=True, slots=True)
class DelayedSettlement:
    """Proceeds are settled on the business day so many after the trade's, at `at` of the exchange's zone.

    `business_days` are the days on which money moves, in order: trading days less bank holidays. The day of a trade is
    that of its instant in the zone; on a bank holiday it is counted from there. What a purchase costs leaves settled
    cash at once. Sources: Lean, DelayedSettlementModel (06:00); FINRA's notices of settlement dates.
    """

    zone: str
    business_days: Sequence[date]
    cycles: Sequence[Cycle] = US_EQUITY_CYCLES
    at: time = time(6)

    def settles_ns(self, traded_ns: int) -> int:
        """When the proceeds of a trade may be used.

        Raises InvalidRequest (E_CALENDAR_RANGE) where the trade or its settlement is outside the days that are known.
        """
        traded = from_ns(traded_ns).astimezone(ZoneInfo(self.zone)).date()
        days = [cycle.days for cycle in self.cycles if cycle.first <= traded]
        settled = bisect_right(self.business_days, traded) - 1 + (days[-1] if days else 0)
        if not days or not self.business_days or traded < self.business_days[0]:
            raise refused("E_CALENDAR_RANGE", "traded", traded, "a day that the calendar and the cycles know")
        if settled >= len(self.business_days):
            raise refused("E_CALENDAR_RANGE", "settled", f"{days[-1]} days after {traded}", "a calendar that goes on")
        local = datetime.combine(self.business_days[settled], self.at, ZoneInfo(self.zone))
        return to_ns(local.astimezone(UTC))


@dataclass(frozen=True, slots=True)
class MarkedToMarket:
    """What futures have been paid for already: profit settled in cash, of a position of a signed quantity."""

    quantity: int = 0
    settled: int = 0

    def mark(self, quantity: int, profit: int) -> tuple[MarkedToMarket, int]:
        """At the day's change: the open profit at the settlement price less what was settled is paid in cash."""
        return MarkedToMarket(quantity, profit), profit - self.settled

    def close(self, closed: int, realised: int) -> tuple[MarkedToMarket, int]:
        """Closing part of a position: its profit less its share of what was settled is paid; the rest stays settled.

        `closed` is at most the quantity, unsigned.
        """
        share = divide(self.settled * closed, abs(self.quantity)) if self.quantity else 0
        left = abs(self.quantity) - closed
        rest = MarkedToMarket(left if self.quantity > 0 else -left, self.settled - share)
        return rest, realised - share

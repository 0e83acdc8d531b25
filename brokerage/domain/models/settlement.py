"""When what a trade brings becomes cash that can be used."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from brokerage.domain.market.instrument import AssetClass, Instrument
from brokerage.domain.models.source import refuse_table
from qmtl.calendars.exchanges import us_bank_holidays
from qmtl.calendars.published import hours_around
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


_US_CALENDARS = frozenset({"XNYS", "XNAS"})


def share_settles_ns(instrument: Instrument, traded_ns: int) -> int:
    """When the proceeds of shares of a US exchange may be used; what is no share settles at once.

    Raises NotFound (E_PROFILE_TABLE_MISSING) for shares of an exchange whose cycles are not known, or that have none.
    """
    if instrument.asset_class is not AssetClass.EQUITY:
        return traded_ns
    if instrument.calendar not in _US_CALENDARS:
        raise refuse_table("settlement_cycles")
    return _us_settlement(instrument.calendar, from_ns(traded_ns).year).settles_ns(traded_ns)


@lru_cache(maxsize=64)
def _us_settlement(calendar: str, year: int) -> DelayedSettlement:
    """The settlement of a year's trades, by the trading days on which money moves."""
    hours = hours_around(calendar, to_ns(datetime(year, 7, 1, tzinfo=UTC)))
    holidays = {day for around in (year - 1, year, year + 1) for day in us_bank_holidays(around)}
    return DelayedSettlement(hours.tz, tuple(day for day in hours.trading_days() if day not in holidays))

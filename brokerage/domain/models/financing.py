"""What money and borrowed shares cost over time: margin interest, borrow, funding.

Each is an amount of one moment for one balance or position, half to even at the currency's scale; negative is paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from brokerage.domain.models.source import Dated, TableSource, value_at
from brokerage.domain.money import RATE_ONE, divide, rate
from qmtl.core.decimals import format_decimal
from qmtl.core.errors import NotFound
from qmtl.core.instants import from_ns, to_ns

IBKR_INTEREST = TableSource(
    "Interest Charged on Margin Loans | Interactive Brokers, with its worked example",
    "https://www.interactivebrokers.com.sg/en/index.php?f=5425&nhf=T",
    "2024; the example of 2019",
)

YEAR_DAYS = {"GBP": 365, "AUD": 365, "CAD": 365, "HKD": 365, "NZD": 365, "SGD": 365, "ZAR": 365, "KRW": 365, "INR": 365}
"""Days of a year of interest by the currency's money market; 360 for every other."""


@dataclass(frozen=True, slots=True)
class InterestTier:
    """The spread over the benchmark, in 1e-8, on the part of a balance beyond `above` (scaled)."""

    above: int
    spread: int


def _tiers(*rows: tuple[int, int]) -> tuple[InterestTier, ...]:
    return tuple(InterestTier(above * 10**8, spread) for above, spread in rows)


IBKR_PRO_USD = _tiers((0, 1_500_000), (100_000, 1_000_000), (1_000_000, 750_000), (50_000_000, 500_000))
"""Benchmark + 1.5, 1, 0.75 and 0.5 %, each on its part of a USD loan. Source: IBKR_INTEREST."""


def loan_interest(currency: str, balance: int, tiers: Sequence[InterestTier], benchmark: int, days: int = 1) -> int:
    """Interest of so many days on a negative settled balance; 0 on any other.

    Each part of the loan bears max(benchmark, 0) + spread of its tier, a year of 360 or 365 days by the currency.
    """
    owed, total = -balance, 0
    if owed <= 0:
        return 0
    ends = [tier.above for tier in tiers[1:]]
    for tier, end in zip(tiers, [*ends, owed], strict=True):
        total += max(min(owed, end) - tier.above, 0) * (max(benchmark, 0) + tier.spread)
    return -divide(total * days, RATE_ONE * YEAR_DAYS.get(currency, 360))


FED_FUNDS = TableSource(
    "The Fed Explained, accessible version: FOMC's target range for the federal funds rate",
    "https://www.federalreserve.gov/aboutthefed/fedexplained/accessible-version.htm",
    "June 2024; before 2014 the page on open market operations as archived in 2009",
)

FOMC = TableSource(
    "Federal Reserve issues FOMC statement",
    "https://www.federalreserve.gov/newsevents/pressreleases/monetary{year}{month}{day}a.htm",
    "each row by the statement of the day before; by news of them those of 2026-01-28, 03-18 and 04-29 changed nothing",
)


def _from(year: int, month: int, day: int, percent: str, source: TableSource = FED_FUNDS) -> Dated[int]:
    return Dated(to_ns(datetime(year, month, day, tzinfo=UTC)), rate(percent) // 100, source)


FED_FUNDS_UPPER = (
    _from(2008, 12, 16, "0.25"),
    _from(2015, 12, 17, "0.5"),
    _from(2016, 12, 15, "0.75"),
    _from(2017, 3, 16, "1"),
    _from(2017, 6, 15, "1.25"),
    _from(2017, 12, 14, "1.5"),
    _from(2018, 3, 22, "1.75"),
    _from(2018, 6, 14, "2"),
    _from(2018, 9, 27, "2.25"),
    _from(2018, 12, 20, "2.5"),
    _from(2019, 8, 1, "2.25"),
    _from(2019, 9, 19, "2"),
    _from(2019, 10, 31, "1.75"),
    _from(2020, 3, 4, "1.25"),
    _from(2020, 3, 16, "0.25"),
    _from(2022, 3, 17, "0.5"),
    _from(2022, 5, 5, "1"),
    _from(2022, 6, 16, "1.75"),
    _from(2022, 7, 28, "2.5"),
    _from(2022, 9, 22, "3.25"),
    _from(2022, 11, 3, "4"),
    _from(2022, 12, 15, "4.5"),
    _from(2023, 2, 2, "4.75"),
    _from(2023, 3, 23, "5"),
    _from(2023, 5, 4, "5.25"),
    _from(2023, 7, 27, "5.5"),
    _from(2024, 9, 19, "5", FOMC),
    _from(2024, 11, 8, "4.75", FOMC),
    _from(2024, 12, 19, "4.5", FOMC),
    _from(2025, 9, 18, "4.25", FOMC),
    _from(2025, 10, 30, "4", FOMC),
    _from(2025, 12, 11, "3.75", FOMC),
)
"""The upper end of the target range by the day it began: never less than the effective rate by which IBKR charges. Each
row says where it was read: FED_FUNDS or FOMC.
"""

FED_FUNDS_KNOWN_UNTIL = to_ns(datetime(2026, 6, 18, tzinfo=UTC))
"""The day after the first meeting of which no decision was read: from here on the last rate is an assumption."""


@dataclass(frozen=True, slots=True)
class LoanRates:
    """What loans in a currency cost: tiers of spreads over a benchmark by its day, which is known until an instant
    (None: for good). `refuses`: later days have no rate; else the last one is assumed, and told.
    """

    tiers: tuple[InterestTier, ...]
    benchmark: tuple[Dated[int], ...]
    until_ns: int | None = None
    refuses: bool = False

    def of_day(self, currency: str, balance: int, at_ns: int) -> int:
        """Interest of the day of an instant. Raises NotFound (E_PROFILE_TABLE_MISSING) before the first benchmark, and
        after the last where that is refused.
        """
        if balance >= 0:
            return 0
        if self.refuses and self._ended(at_ns):
            raise NotFound(
                "E_PROFILE_TABLE_MISSING", f"benchmark of {currency} is not known from {self._until} on: no rate"
            )
        benchmark = value_at(self.benchmark, at_ns, f"benchmark of {currency}")
        return loan_interest(currency, balance, self.tiers, benchmark)

    def assumed(self, currency: str, at_ns: int) -> str:
        """What was assumed for the day of an instant; empty: nothing."""
        if not self._ended(at_ns):
            return ""
        last = format_decimal(Decimal(self.benchmark[-1].value * 100) / RATE_ONE)
        return f"the benchmark of {currency} loans is {last} % after {self._until}, where its table ends"

    def _ended(self, at_ns: int) -> bool:
        return self.until_ns is not None and at_ns >= self.until_ns

    @property
    def _until(self) -> str:
        return str(from_ns(self.until_ns or 0).date())


IBKR_LOANS = {"USD": LoanRates(IBKR_PRO_USD, FED_FUNDS_UPPER, FED_FUNDS_KNOWN_UNTIL)}
"""Loans in other currencies have no table."""


@dataclass(frozen=True, slots=True)
class BorrowRate:
    """Of one symbol on one day: fee rate of shorts and rebate rate of longs, in 1e-8 a year, and how much there is to
    borrow; None: without limit.
    """

    fee: int = 0
    rebate: int = 0
    available: int | None = None


UNLIMITED = BorrowRate()
"""A day the table does not have: without limit, at no rate."""


def borrow_cost(value: int, rate: BorrowRate, days: int = 1) -> int:
    """Cash of one date change: signed value x rate / 360 x days, the fee for shorts (paid), the rebate for longs.

    Source: Lean, MarginInterestRateModel and the shortable provider's table `date,quantity,rebate,fee`.
    """
    return divide(value * (rate.fee if value < 0 else rate.rebate) * days, RATE_ONE * 360)


def shortable(held: int, wanted: int, rate: BorrowRate) -> int:
    """How much of a sale of `wanted` may be made: what is held long, and what is left to borrow."""
    if rate.available is None:
        return wanted
    return min(wanted, max(held + rate.available, 0))


def parse_borrow_row(row: str, quantity_scale: int) -> tuple[date, BorrowRate]:
    """One row `date,quantity,rebate %,fee %`; an empty quantity is without limit. ValueError for any other form."""
    day, quantity, rebate, fee = row.strip().split(",")
    available = None if quantity == "" else int(Decimal(quantity).scaleb(quantity_scale))
    percent = RATE_ONE // 100
    return date.fromisoformat(day), BorrowRate(int(Decimal(fee) * percent), int(Decimal(rebate) * percent), available)


HOUR_NS = 3_600_000_000_000
FUNDING_EVERY_NS = 8 * HOUR_NS
"""Binance's usual interval: 00, 08 and 16 UTC. Symbols of 4 and 1 hours exist: the venue says which."""


def funding_payment(notional: int, rate: int) -> int:
    """Cash of one funding instant: -rate x signed notional at the mark. Longs pay a positive rate, shorts get it."""
    return -divide(notional * rate, RATE_ONE)


def funding_instants(after_ns: int, until_ns: int, every_ns: int = FUNDING_EVERY_NS) -> range:
    """The funding instants in (after, until], on the grid of the interval from the epoch."""
    return range((after_ns // every_ns + 1) * every_ns, until_ns + 1, every_ns)

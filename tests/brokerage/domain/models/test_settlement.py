"""When proceeds settle: cycles, weekends, holidays, half days, changes of the clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.settlement import DelayedSettlement
from qmtl.calendars.exchanges import us_bank_holidays, weekdays
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import from_ns, to_ns

HOLIDAYS = frozenset(
    {date(2017, 9, 4), date(2024, 5, 27), date(2024, 7, 4), date(2024, 11, 28), date(2024, 12, 25), date(2025, 1, 1)}
    | us_bank_holidays(2024)
)
DAYS = tuple(weekdays(date(2017, 8, 28), date(2025, 1, 10), HOLIDAYS))
MODEL = DelayedSettlement("America/New_York", DAYS)


def settles(*moment: int) -> str:
    year, month, day, hour, minute = moment
    return f"{from_ns(MODEL.settles_ns(to_ns(datetime(year, month, day, hour, minute, tzinfo=UTC)))):%Y-%m-%d %H:%M}"


# 06:00 New York is 10:00 UTC in summer and 11:00 in winter
@pytest.mark.parametrize(
    ("traded", "settled"),
    [
        ((2017, 9, 1, 15, 0), "2017-09-07 10:00"),  # T+3 over a weekend and Labor Day
        ((2017, 9, 5, 15, 0), "2017-09-07 10:00"),  # the first day of T+2: both settle on one day, as the SEC said
        ((2024, 5, 24, 15, 0), "2024-05-29 10:00"),  # the last day of T+2, over Memorial Day
        ((2024, 5, 28, 15, 0), "2024-05-29 10:00"),  # the first day of T+1
        ((2024, 5, 31, 15, 0), "2024-06-03 10:00"),  # a weekend
        ((2024, 7, 3, 15, 0), "2024-07-05 10:00"),  # a holiday
        ((2024, 11, 27, 20, 0), "2024-11-29 11:00"),
        ((2024, 11, 29, 17, 0), "2024-12-02 11:00"),  # a half day is a business day
        # FINRA: trades of Friday 2024-10-11 and of Columbus Day, when exchanges trade and banks do not, settle together
        ((2024, 10, 10, 15, 0), "2024-10-11 10:00"),
        ((2024, 10, 11, 15, 0), "2024-10-15 10:00"),
        ((2024, 10, 14, 15, 0), "2024-10-15 10:00"),
        ((2024, 11, 1, 15, 0), "2024-11-04 11:00"),  # the clock changes on Sunday
        ((2024, 3, 8, 15, 0), "2024-03-12 10:00"),
        ((2024, 6, 4, 3, 59), "2024-06-04 10:00"),  # 23:59 of the 3rd in New York
        ((2024, 6, 4, 4, 0), "2024-06-05 10:00"),  # midnight
        ((2024, 6, 8, 15, 0), "2024-06-10 10:00"),  # a trade of a Saturday
        ((2024, 12, 24, 15, 0), "2024-12-26 11:00"),
        ((2024, 12, 31, 15, 0), "2025-01-02 11:00"),
    ],
)
def test_proceeds_settle_on_business_days(traded: tuple[int, ...], settled: str) -> None:
    assert settles(*traded) == settled


@pytest.mark.parametrize("moment", [(2017, 8, 27, 15, 0), (2025, 1, 10, 15, 0), (2025, 1, 11, 15, 0)])
def test_days_that_the_calendar_does_not_know_are_refused(moment: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequest, match="E_CALENDAR_RANGE"):
        settles(*moment)


def test_before_the_first_cycle_nothing_settles_by_a_guess() -> None:
    with pytest.raises(InvalidRequest, match="E_CALENDAR_RANGE"):
        DelayedSettlement("America/New_York", (date(1995, 6, 6), date(1995, 6, 7))).settles_ns(
            to_ns(datetime(1995, 6, 6, 15, tzinfo=UTC))
        )
    with pytest.raises(InvalidRequest, match="E_CALENDAR_RANGE"):
        DelayedSettlement("America/New_York", ()).settles_ns(0)


@given(st.integers(0, len(DAYS) - 8), st.integers(5 * 3_600, 86_399))
def test_proceeds_settle_after_the_trade_and_in_the_order_of_trades_of_one_cycle(place: int, second: int) -> None:
    day = DAYS[place]
    first = to_ns(datetime(day.year, day.month, day.day, tzinfo=UTC)) + second * 10**9
    settled = MODEL.settles_ns(first)
    assert first < settled
    if day not in (date(2017, 9, 1), date(2024, 5, 24)):
        assert settled <= MODEL.settles_ns(first + 24 * 3_600 * 10**9)


def test_the_first_cycle_begins_on_its_day() -> None:
    days = tuple(weekdays(date(1995, 6, 5), date(1995, 6, 16)))
    old = DelayedSettlement("America/New_York", days)
    assert from_ns(old.settles_ns(to_ns(datetime(1995, 6, 7, 15, tzinfo=UTC)))).date() == date(1995, 6, 12)
    with pytest.raises(InvalidRequest, match="E_CALENDAR_RANGE"):
        old.settles_ns(to_ns(datetime(1995, 6, 6, 15, tzinfo=UTC)))


@pytest.mark.parametrize("kind", BuyingPower)
@pytest.mark.parametrize("later", [False, True])
def test_only_shares_that_settle_later_on_cash_wait(kind: BuyingPower, later: bool) -> None:
    profile = replace(BrokerageProfile(), shares_settle_later=later, buying_power=kind)
    assert (profile.settles is not None) is (later and kind is BuyingPower.CASH)
    assert profile.moves_with_time is (later and kind is BuyingPower.CASH)

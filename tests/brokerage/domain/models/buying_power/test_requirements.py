"""Margin by rate, by contract, by bracket and for day traders, at the edges of each."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from brokerage.domain.models.buying_power.requirements import (
    REG_T,
    REG_T_SHORT,
    ContractMargin,
    MarginRates,
    by_leverage,
    day_trader_leverage,
)
from qmtl.calendars.exchanges import US_EQUITY, session_of_day
from qmtl.core.instants import to_ns

USD = 10**8


def test_regulation_t_takes_half_to_open_and_a_quarter_or_three_tenths_to_hold() -> None:
    assert (REG_T.to_open(10_000 * USD), REG_T.to_hold(10_000 * USD)) == (5_000 * USD, 2_500 * USD)
    assert (REG_T_SHORT.to_open(-10_000 * USD), REG_T_SHORT.to_hold(-10_000 * USD)) == (5_000 * USD, 3_000 * USD)


def test_requirements_are_rounded_up_and_do_not_know_a_sign() -> None:
    thirds = by_leverage(3)
    assert thirds == MarginRates(33_333_334, 33_333_334)
    assert (thirds.to_open(3), thirds.to_open(-3), thirds.to_hold(0)) == (2, 2, 0)
    assert [by_leverage(4).to_hold(value) for value in (1, 4, 5, -5)] == [1, 1, 2, 2]


def at(*moment: int) -> int:
    year, month, day, hour, minute, second = moment
    return to_ns(datetime(year, month, day, hour, minute, second, tzinfo=UTC))


# 2024-11-27 is a whole day, to 21:00 UTC; 2024-11-29 closes at 18:00 UTC; 2024-07-02 is in summer time, to 20:00 UTC
@pytest.mark.parametrize(
    ("moment", "leverage"),
    [
        (at(2024, 11, 27, 14, 29, 59), 2),
        (at(2024, 11, 27, 14, 30, 0), 4),
        (at(2024, 11, 27, 20, 49, 59), 4),
        (at(2024, 11, 27, 20, 50, 0), 2),  # the last ten minutes count as closed
        (at(2024, 11, 27, 20, 59, 59), 2),
        (at(2024, 11, 27, 21, 0, 0), 2),
        (at(2024, 11, 29, 17, 49, 59), 4),
        (at(2024, 11, 29, 17, 50, 0), 2),
        (at(2024, 7, 2, 13, 30, 0), 4),
        (at(2024, 7, 2, 19, 49, 59), 4),
        (at(2024, 7, 2, 19, 50, 0), 2),
    ],
)
def test_a_day_trader_has_four_times_until_ten_minutes_before_the_close(moment: int, leverage: int) -> None:
    day = datetime.fromtimestamp(moment // 10**9, UTC).date()
    early = time(13) if day == date(2024, 11, 29) else None
    assert day_trader_leverage(moment, session_of_day(day, US_EQUITY, early).regular) == leverage


def test_without_a_session_a_day_trader_has_twice() -> None:
    assert day_trader_leverage(at(2024, 11, 28, 15, 0, 0), None) == 2


def test_a_contract_has_its_margin_whatever_its_price() -> None:
    margin = ContractMargin(13_200 * USD, 12_000 * USD)
    assert (margin.to_open(-3, 0), margin.to_hold(3, 0)) == (39_600 * USD, 36_000 * USD)
    assert margin.to_open(5, 1) == 6_600 * USD
    assert ContractMargin(1, 1).to_hold(15, 1) == 2

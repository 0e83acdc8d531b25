"""The end of DAY orders: midnight, New York's evening over changes of the clock, closes and half days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from brokerage.domain.market.instrument import AssetClass
from brokerage.domain.models.day_orders import day_ends_ns
from qmtl.calendars.exchanges import US_EQUITY, daily_hours, weekdays
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import from_ns, to_ns

Moment = tuple[int, int, int, int, int]
HOURS = daily_hours(
    "XNYS",
    "by hand",
    US_EQUITY,
    list(weekdays(date(2024, 11, 25), date(2024, 12, 3), frozenset({date(2024, 11, 28)}))),
    {date(2024, 11, 29): time(13)},
)


def ends(asset_class: AssetClass, moment: Moment) -> str:
    year, month, day, hour, minute = moment
    accepted = to_ns(datetime(year, month, day, hour, minute, tzinfo=UTC))
    found = day_ends_ns(asset_class, accepted, HOURS)
    assert found > accepted
    return f"{from_ns(found):%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("moment", "want"), [((2024, 6, 3, 0, 0), "06-04 00:00"), ((2024, 6, 3, 23, 59), "06-04 00:00")]
)
def test_crypto_ends_at_midnight_utc(moment: Moment, want: str) -> None:
    assert ends(AssetClass.CRYPTO, moment) == want


@pytest.mark.parametrize(
    ("moment", "want"),
    [
        ((2024, 6, 3, 20, 59), "06-03 21:00"),
        ((2024, 6, 3, 21, 0), "06-04 21:00"),  # at 17:00 it is the next day's
        ((2024, 1, 3, 21, 59), "01-03 22:00"),
        ((2024, 3, 9, 23, 0), "03-10 21:00"),  # the clock goes forward in between
        ((2024, 11, 2, 22, 0), "11-03 22:00"),  # and back
    ],
)
def test_currency_ends_at_five_in_new_york(moment: Moment, want: str) -> None:
    assert ends(AssetClass.FOREX, moment) == want


@pytest.mark.parametrize("asset_class", [AssetClass.EQUITY, AssetClass.FUTURE])
@pytest.mark.parametrize(
    ("moment", "want"),
    [
        ((2024, 11, 27, 15, 0), "11-27 21:00"),
        ((2024, 11, 27, 20, 59), "11-27 21:00"),
        ((2024, 11, 27, 21, 0), "11-29 18:00"),  # over a holiday to a half day
        ((2024, 11, 30, 12, 0), "12-02 21:00"),
    ],
)
def test_shares_and_futures_end_at_the_next_close(asset_class: AssetClass, moment: Moment, want: str) -> None:
    assert ends(asset_class, moment) == want


def test_without_sessions_or_beyond_them_nothing_is_guessed() -> None:
    accepted = to_ns(datetime(2024, 12, 3, 21, 0, tzinfo=UTC))
    for hours in (None, HOURS):
        with pytest.raises(InvalidRequest, match="E_CALENDAR_RANGE"):
            day_ends_ns(AssetClass.EQUITY, accepted, hours)

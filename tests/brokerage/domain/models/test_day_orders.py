"""The end of DAY orders: midnight, New York's evening over changes of the clock, closes and half days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time

import pytest

from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.models.day_orders import (
    auction_session,
    closed_ns,
    day_ends_ns,
    holds_regular_hours,
    opened_ns,
)
from qmtl.calendars.exchanges import US_EQUITY, daily_hours, weekdays
from qmtl.calendars.spans import Span
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


STOCK = instrument("X", base="X", quote="USD", calendar="XNYS")
HOUR = 3_600_000_000_000
OPENS = to_ns(datetime(2024, 12, 2, 14, 30, tzinfo=UTC))
CLOSES = to_ns(datetime(2024, 12, 2, 21, tzinfo=UTC))


def span(start_ns: int, end_ns: int) -> Bar:
    return Bar(start_ns, end_ns, 1, 1, 1, 1, 1)


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "opened", "closed"),
    [
        (OPENS - 2 * HOUR, CLOSES + 2 * HOUR, OPENS, CLOSES),
        (OPENS - 2 * HOUR, OPENS + 1, OPENS, OPENS + 1),  # ends while the exchange is open
        (OPENS - 2 * HOUR, OPENS, OPENS - 2 * HOUR, OPENS),  # holds nothing of the session
        (CLOSES - 1, CLOSES + 2 * HOUR, CLOSES - 1, CLOSES),
        (CLOSES, CLOSES + 2 * HOUR, CLOSES, CLOSES + 2 * HOUR),
        (OPENS + HOUR, CLOSES, OPENS + HOUR, CLOSES),
        (OPENS - 1, OPENS - 1 + HOUR, OPENS - 1, OPENS - 1 + HOUR),  # an hour is not long
        (OPENS - 1, OPENS + HOUR, OPENS, OPENS + HOUR),
        (CLOSES + 1 - HOUR, CLOSES + 1, CLOSES + 1 - HOUR, CLOSES + 1),
        (CLOSES - HOUR, CLOSES + 1, CLOSES - HOUR, CLOSES),
    ],
)
def test_a_long_bar_trades_from_the_open_to_the_close_in_it(
    start_ns: int, end_ns: int, opened: int, closed: int
) -> None:
    assert (opened_ns(STOCK, span(start_ns, end_ns)), closed_ns(STOCK, span(start_ns, end_ns))) == (opened, closed)
    plain = replace(STOCK, calendar="")
    assert (opened_ns(plain, span(start_ns, end_ns)), closed_ns(plain, span(start_ns, end_ns))) == (start_ns, end_ns)


def test_a_span_holds_regular_hours_if_any_instant_of_it_is_of_them() -> None:
    spans = [(OPENS - 1, OPENS), (OPENS - 1, OPENS + 1), (CLOSES - 1, CLOSES), (CLOSES, CLOSES + 1)]
    assert [holds_regular_hours(STOCK, *one) for one in spans] == [False, True, True, False]
    assert holds_regular_hours(replace(STOCK, calendar=""), CLOSES, CLOSES + 1)


def test_the_session_of_an_auction_is_the_one_that_ends_with_its_order() -> None:
    assert auction_session(STOCK, CLOSES) == Span(OPENS, CLOSES)
    with pytest.raises(InvalidRequest, match="E_CALENDAR_RANGE"):
        auction_session(STOCK, CLOSES + 1)

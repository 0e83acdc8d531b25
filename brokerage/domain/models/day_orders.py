"""When an order ends by its time in force: with the venue's sessions, by New York for currency, by UTC for crypto.

An order for an auction ends with the session of its auction: what did not trade there by then never will.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, Instrument
from brokerage.domain.orders.states import AUCTIONS, TimeInForce
from qmtl.calendars.exchanges import ExchangeHours
from qmtl.calendars.published import hours_around
from qmtl.calendars.spans import Span
from qmtl.calendars.windows import zone
from qmtl.core.errors import refused
from qmtl.core.instants import from_ns, to_ns

_NEW_YORK, _FOREX_END = "America/New_York", time(17)
_DAY = timedelta(days=1)


def day_ends_ns(asset_class: AssetClass, accepted_ns: int, hours: ExchangeHours | None = None) -> int:
    """The instant from which a DAY order accepted at an instant is expired; always after it.

    Crypto: the next midnight UTC. Currency: the next 17:00 New York. Shares and futures: the next regular close of
    `hours`, which an order of a weekend or after the close waits for. Source: Lean, TimeInForce.Day. Raises
    InvalidRequest (E_CALENDAR_RANGE) without hours where they decide, or beyond the days they know.
    """
    accepted = from_ns(accepted_ns)
    if asset_class is AssetClass.CRYPTO:
        return to_ns(datetime.combine(accepted.date() + _DAY, time(0), UTC))
    if asset_class is AssetClass.FOREX:
        local = accepted.astimezone(zone(_NEW_YORK))
        day = local.date() if local.time() < _FOREX_END else local.date() + _DAY
        return to_ns(datetime.combine(day, _FOREX_END, zone(_NEW_YORK)).astimezone(UTC))
    if hours is None:
        raise refused("E_CALENDAR_RANGE", "hours", "none", f"the sessions of a venue for {asset_class.value}")
    return hours.next_close(accepted_ns)


def order_ends_ns(tif: TimeInForce, instrument: Instrument, accepted_ns: int) -> int | None:
    """The instant from which an order of an instrument is expired by its time in force; None: by none of these.

    AT_OPEN and AT_CLOSE end with the session that opens at or after the order, or closes after it. Raises
    InvalidRequest (E_CALENDAR_RANGE, E_CALENDAR_UNKNOWN) where the sessions are not known, or there are no auctions.
    """
    if tif is not TimeInForce.DAY and tif not in AUCTIONS:
        return None
    if tif is TimeInForce.DAY and instrument.asset_class in _CALENDAR_FREE:
        return day_ends_ns(instrument.asset_class, accepted_ns)
    hours = _hours(instrument, tif, accepted_ns)
    if tif is TimeInForce.DAY:
        return day_ends_ns(instrument.asset_class, accepted_ns, hours)
    return hours.next_close(hours.next_open(accepted_ns - 1) if tif is TimeInForce.AT_OPEN else accepted_ns)


def auction_session(instrument: Instrument, ends_ns: int) -> Span:
    """The session of an order for an auction that ends at an instant, its close."""
    session = hours_around(instrument.calendar, ends_ns).session_at(ends_ns - 1)
    if session is None:
        raise refused("E_CALENDAR_RANGE", "session", ends_ns, f"the close of a session of {instrument.calendar}")
    return session.regular


def opened_ns(instrument: Instrument, bar: Bar) -> int:
    """When the open of a bar was traded: a bar of more than an hour that begins while its exchange is closed, and holds
    the opening of a session, opens with it; any other at its start. A day from midnight UTC is so of its own session,
    not of the evening before it in New York.

    Raises InvalidRequest (E_CALENDAR_RANGE, E_CALENDAR_UNKNOWN) where the sessions of a long bar are not known.
    """
    if not instrument.calendar or not bar.coarse:
        return bar.start_ns
    hours = hours_around(instrument.calendar, bar.start_ns)
    if hours.is_open(bar.start_ns):
        return bar.start_ns
    opens = hours.next_open(bar.start_ns)
    return opens if opens < bar.end_ns else bar.start_ns


def closed_ns(instrument: Instrument, bar: Bar) -> int:
    """By when the last trade of a bar was made: a bar of more than an hour that ends while its exchange is closed, and
    holds the close of a session, closed with it; any other at its end. Raises as `opened_ns`.
    """
    if not instrument.calendar or not bar.coarse:
        return bar.end_ns
    hours = hours_around(instrument.calendar, bar.start_ns)
    if hours.is_open(bar.end_ns - 1):
        return bar.end_ns
    closed = hours.last_close(bar.end_ns)
    return closed if closed > bar.start_ns else bar.end_ns


def holds_regular_hours(instrument: Instrument, start_ns: int, end_ns: int) -> bool:
    """Whether a span holds regular hours of an instrument's exchange; one without a calendar is always open."""
    if not instrument.calendar:
        return True
    return hours_around(instrument.calendar, start_ns).is_open_within(Span(start_ns, end_ns))


_CALENDAR_FREE = frozenset({AssetClass.CRYPTO, AssetClass.FOREX})


def _hours(instrument: Instrument, tif: TimeInForce, at_ns: int) -> ExchangeHours:
    if instrument.asset_class in _CALENDAR_FREE:
        raise refused("E_CALENDAR_RANGE", tif.value, instrument.symbol, "an instrument that has auctions")
    if not instrument.calendar:
        raise refused("E_CALENDAR_RANGE", f"calendar of {instrument.symbol}", "none", "the code of its exchange (XNYS)")
    return hours_around(instrument.calendar, at_ns)

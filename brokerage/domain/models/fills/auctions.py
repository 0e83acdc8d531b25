"""Orders for the opening and the closing of a session, on bars."""

from __future__ import annotations

from brokerage.domain.market.bars import Bar
from brokerage.domain.models.fills.outcome import NOT_REACHED, NOT_YET, Match
from brokerage.domain.models.slippage.price import Slip
from brokerage.domain.orders.states import TimeInForce
from qmtl.calendars.spans import Span


def fill_on_open(bar: Bar, accepted_ns: int, session: Span, slip: Slip, limit: int | None = None) -> Match:
    """At the open of the first regular bar of a session that opened at or after the order, moved by slippage.

    An order of during the session waits for the next one; the bar in progress never counts. With a limit: unmoved, if
    the open is at it or better. Source: Lean.
    """
    if not auction_held(TimeInForce.AT_OPEN, bar, accepted_ns, session):
        return NOT_YET
    return in_auction(bar.open, slip, limit, at_open=True)


def fill_on_close(bar: Bar, accepted_ns: int, session: Span, slip: Slip, limit: int | None = None) -> Match:
    """At the close of the bar that ends a session which was to close after the order, moved by slippage.

    `session` is as the venue held it: on a half day it ends early. A bar that began before the order may fill it, as
    its close comes after; the close itself must lie after the order. With a limit: unmoved, if the close is at it or
    better. Source: Lean.
    """
    if not auction_held(TimeInForce.AT_CLOSE, bar, accepted_ns, session):
        return NOT_YET
    return in_auction(bar.close, slip, limit, at_open=False)


def auction_held(tif: TimeInForce, bar: Bar, accepted_ns: int, session: Span) -> bool:
    """Whether a bar holds the auction of a session, for an order that was accepted before it."""
    if tif is TimeInForce.AT_CLOSE:
        return session.end_ns > accepted_ns and bar.start_ns < session.end_ns <= bar.end_ns
    return session.start_ns >= accepted_ns and bar.start_ns >= accepted_ns and _opens(bar, session)


def _opens(bar: Bar, session: Span) -> bool:
    """Whether the open of a bar is one of a session."""
    if bar.coarse and bar.start_ns <= session.start_ns < bar.end_ns:
        return True
    return session.start_ns <= bar.start_ns < session.end_ns


def in_auction(price: int, slip: Slip, limit: int | None, *, at_open: bool) -> Match:
    """A fill at the one price of an auction."""
    if limit is None:
        return Match(1, slip.moved(price), at_open=at_open)
    return NOT_REACHED if (price - limit) * slip.side.sign > 0 else Match(1, price, at_open=at_open)

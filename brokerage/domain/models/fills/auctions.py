"""Orders for the opening and the closing of a session, on bars."""

from __future__ import annotations

from brokerage.domain.market.bars import Bar
from brokerage.domain.models.fills.outcome import NOT_YET, Match
from brokerage.domain.models.slippage.price import Slip
from qmtl.calendars.spans import Span


def fill_on_open(bar: Bar, accepted_ns: int, session: Span, slip: Slip) -> Match:
    """At the open of the first regular bar of a session that opened at or after the order, moved by slippage.

    An order of during the session waits for the next one; the bar in progress never counts. Source: Lean.
    """
    if session.start_ns < accepted_ns or not session.start_ns <= bar.start_ns < session.end_ns:
        return NOT_YET
    return Match(1, slip.moved(bar.open), at_open=True)


def fill_on_close(bar: Bar, accepted_ns: int, session: Span, slip: Slip) -> Match:
    """At the close of the bar that ends a session which was to close after the order, moved by slippage.

    `session` is as the venue held it: on a half day it ends early. A bar that began before the order may fill it, as
    its close comes after; the close itself must lie after the order. Source: Lean.
    """
    if session.end_ns <= accepted_ns or not bar.start_ns < session.end_ns <= bar.end_ns:
        return NOT_YET
    return Match(1, slip.moved(bar.close))

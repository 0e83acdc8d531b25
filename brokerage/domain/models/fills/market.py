"""Market orders on bars: at the open, moved by slippage."""

from __future__ import annotations

from brokerage.domain.market.bars import Bar
from brokerage.domain.models.fills.outcome import Match
from brokerage.domain.models.slippage.price import Slip


def fill_at_open(bar: Bar, slip: Slip) -> Match:
    """A fill at the open of the bar."""
    return Match(1, slip.moved(bar.open), at_open=True)

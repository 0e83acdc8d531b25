"""Market orders on bars: at the open, moved by slippage."""

from __future__ import annotations

from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fills.outcome import Match
from brokerage.domain.models.slippage import slipped
from brokerage.domain.orders.order import Side


def fill_at_open(side: Side, instrument: Instrument, bar: Bar, slippage: int) -> Match:
    """A fill at the open of the bar."""
    return Match(1, slipped(bar.open, slippage, instrument, side))

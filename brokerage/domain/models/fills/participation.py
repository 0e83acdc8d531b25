"""How much of a bar's volume a strategy may take."""

from __future__ import annotations

from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import RATE_ONE, floor_to


def volume_budget(instrument: Instrument, bar: Bar, participation: int) -> int:
    """The share of a bar's volume that may be taken, down to the lot; -1 when fills are in full."""
    if not participation:
        return -1
    return floor_to(bar.volume * participation // RATE_ONE, instrument.lot)

"""Ticks of a feed's messages as exact values. One that is none is refused by field."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from brokerage.domain.market.bars import exact_units, volume_units
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.ticks import Level, MarkTick, QuoteTick, Tick, TradeTick
from qmtl.core.errors import refused
from qmtl.data.v1 import ticks_pb2 as tickspb
from qmtl.wire.instants import ns_from_proto


def tick_from_proto(message: tickspb.Tick, instrument: Instrument) -> Tick:
    """A tick at an instrument's scales; what a quantity has below them is cut off.

    Raises InvalidRequest (E_FIELD, E_PRICE_SCALE, E_AMOUNT_NOT_FINITE, E_AMOUNT_OVERFLOW).
    """
    at_ns = ns_from_proto(message.time, "ticks.time")
    if message.HasField("quote"):
        bids, asks = (_levels(side, instrument) for side in (message.quote.bids, message.quote.asks))
        for field, one, sign in (("bids", bids, -1), ("asks", asks, 1)):
            if any((after.price - before.price) * sign <= 0 for before, after in pairwise(one)):
                raise refused("E_FIELD", f"ticks.quote.{field}", [level.price for level in one], "best first")
        if bids and asks and bids[0].price >= asks[0].price:
            raise refused("E_FIELD", "ticks.quote.bids", bids[0].price, f"below the best ask, {asks[0].price}")
        return QuoteTick(at_ns, bids, asks)
    if message.HasField("trade"):
        price, quantity = _scaled([message.trade.price], [message.trade.quantity], instrument)[0]
        return TradeTick(at_ns, price, quantity)
    if not message.HasField("mark"):
        raise refused("E_FIELD", "ticks.event", "none", "a quote, a trade or a mark price")
    return MarkTick(at_ns, _scaled([message.mark.price], [1.0], instrument)[0][0])


def _levels(side: Sequence[tickspb.BookLevel], instrument: Instrument) -> tuple[Level, ...]:
    pairs = _scaled([one.price for one in side], [one.quantity for one in side], instrument)
    return tuple(Level(price, quantity) for price, quantity in pairs)


def _scaled(prices: Sequence[float], quantities: Sequence[float], instrument: Instrument) -> list[tuple[int, int]]:
    for field, found in (("price", prices), ("quantity", quantities)):
        if any(not one > 0 for one in found):
            raise refused("E_FIELD", f"ticks.{field}", min(found), "above 0")
    exact = exact_units(instrument, np.array(prices, dtype=np.float64))
    return list(zip(exact, volume_units(instrument, np.array(quantities, dtype=np.float64)), strict=True))

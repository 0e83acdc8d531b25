"""What a compiled stretch wrote down, as columns, and as the fills and orders that they stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from brokerage.domain.backtest.direct import FILL_SEQ
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.order import Owner, order_id
from qmtl.core.decimals import from_scaled
from qmtl.core.fills import FillEvent
from qmtl.sdk.execution.port import MarketOrder, SentOrder, order_name

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Times

_DIGITS = 28
"""Digits that decimals keep: sums of fewer are those of integers."""

_SUM_END = 1 << 61
"""Sums of which doubles say that they are below this are within 64 bits, with what is held at a price beside them."""


_WHOLE_MAX = 2**52
"""Numbers up to here are doubles, so that one division gives the double nearest to the quotient."""


@dataclass(frozen=True, slots=True, eq=False)
class FillColumns:
    """Fills of whole market orders: signed quantities, prices in units of `price_unit` at the instrument's scale, fees
    in quote currency, and when each was decided, made and booked. `first`: the client order id of the first fill, where
    its order was sent before.
    """

    owner: Owner
    instrument: Instrument
    price_unit: int
    money_scale: int
    quantities: Times
    prices: Times
    fees: Times
    first: list[str]
    decided_ns: list[int]
    made_ns: Times
    booked_ns: Times

    def __len__(self) -> int:
        return len(self.quantities)

    @property
    def places(self) -> int:
        """Decimal places of what a fill is worth."""
        instrument = self.instrument
        of_price = instrument.price_scale - len(str(self.price_unit)) + 1
        return of_price + instrument.quantity_scale + max(-int(instrument.multiplier.as_tuple().exponent), 0)

    def trades(self) -> Iterator[str]:
        """The ids of the fills."""
        symbol, first = self.instrument.symbol, len(self.first)
        orders = [*self.first, *(order_name(symbol, at_ns) for at_ns in self.decided_ns[first:])]
        return (f"{order_id(self.owner, order)}-{FILL_SEQ}" for order in orders)

    def rows(self) -> list[FillEvent]:
        """The fills."""
        symbol, currency = self.instrument.symbol, self.instrument.quote
        return [
            FillEvent(
                symbol,
                self.instrument.quantity_decimal(quantity),
                self.instrument.price_decimal(price * self.price_unit),
                from_scaled(fee, self.money_scale),
                currency,
                made_ns,
                trade,
                booked_ns,
            )
            for quantity, price, fee, trade, made_ns, booked_ns in zip(
                self.quantities.tolist(),
                self.prices.tolist(),
                self.fees.tolist(),
                self.trades(),
                self.made_ns.tolist(),
                self.booked_ns.tolist(),
                strict=True,
            )
        ]


@dataclass(frozen=True, slots=True, eq=False)
class OrderColumns:
    """Market orders: signed quantities, the positions they are toward, and the closes they were decided at."""

    instrument: Instrument
    quantities: list[int]
    targets: list[int]
    decided_ns: list[int]

    def __len__(self) -> int:
        return len(self.quantities)

    @property
    def sent(self) -> int:
        """How many orders that are."""
        return len(self.quantities)

    def rows(self) -> list[SentOrder]:
        """The orders."""
        symbol, units = self.instrument.symbol, self.instrument.quantity_decimal
        return [
            MarketOrder(order_name(symbol, decided_ns), symbol, units(quantity), decided_ns, units(target))
            for quantity, target, decided_ns in zip(self.quantities, self.targets, self.decided_ns, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Activity:
    """What fills of one symbol came to: closed round trips as time and profit, and all that was paid and traded."""

    trips: Sequence[tuple[int, float]]
    fees: Fraction
    notional: Fraction


def activity_of(parts: Sequence[FillColumns]) -> Activity | None:
    """As `round_trips` and sums of the fills, in integers; None where those in decimals would round, or a trip closes
    by parts: decimals are the law then.
    """
    first = parts[0]
    value = Fraction(first.instrument.multiplier) * first.price_unit
    value /= 10 ** (first.instrument.price_scale + first.instrument.quantity_scale)
    up, fee_up = value.numerator * 10**first.money_scale, value.denominator
    down = value.denominator * 10**first.money_scale
    common = gcd(up, fee_up, down)
    up, fee_up, down = up // common, fee_up // common, down // common
    scale = 10 ** max(first.places, first.money_scale)
    columns = [(part.quantities, part.prices, part.fees, part.made_ns) for part in parts]
    quantity, price, fee, made_ns = (np.concatenate(column) for column in zip(*columns, strict=True))
    if not np.abs(quantity).astype(np.float64) @ price < _SUM_END or not fee.astype(np.float64).sum() < _SUM_END:
        return None
    fees, traded = int(fee.sum()), int((np.abs(quantity) * price).sum())
    held = np.concatenate([[0], np.cumsum(quantity)])[:-1]  # before each fill
    closes = np.flatnonzero((held < 0) & (quantity > 0) | (held > 0) & (quantity < 0))
    if (np.abs(quantity[closes]) < np.abs(held[closes])).any():
        return None
    # a trip has cost the flows since the fill before its first, and what a fill that turned a position has left
    flow, paid = np.cumsum(quantity * price), np.cumsum(fee)
    begun = (held[closes] + quantity[closes]) * price[closes] - flow[closes]
    cost = flow[closes - 1] + np.concatenate([[0], begun])[:-1]
    gain, charged = held[closes] * price[closes] - cost, np.diff(paid[closes], prepend=0)
    trips = zip(made_ns[closes].tolist(), _quotients(gain, up, charged, fee_up, down), strict=True)
    if traded * value * scale >= 10 ** (_DIGITS - 1):
        return None
    return Activity(list(trips), Fraction(fees, 10**first.money_scale), traded * value)


def _quotients(gain: Times, up: int, charged: Times, fee_up: int, down: int) -> list[float]:
    """(gain * up - charged * fee_up) / down of each, as the double nearest to it."""
    most = float(np.abs(gain).max(initial=0)) * up + float(np.abs(charged).max(initial=0)) * fee_up
    if max(most, up, fee_up, down) < _WHOLE_MAX:
        exact: list[float] = ((gain * up - charged * fee_up) / down).tolist()
        return exact
    return [(won * up - lost * fee_up) / down for won, lost in zip(gain.tolist(), charged.tolist(), strict=True)]

"""From a fraction of the equity to an order, fees included. Source: QuantConnect Lean, BuyingPowerModel."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fees.model import FeeModel
from brokerage.domain.money import RATE_ONE, floor_to

BUFFER = 250_000
"""0.25 % of the equity that a target leaves free, in 1e-8."""

MINIMUM_CHANGE = 100_000
"""A target that differs from what is held by less than 0.1 % of the equity is no order."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a target is sized against: the instrument, its price, what is held of it (signed), and the equity in its
    quote currency.
    """

    instrument: Instrument
    price: int
    held: int
    equity: int


def order_for_target(holding: Holding, fraction: int, fee: FeeModel, *, buffer: int = BUFFER) -> int:
    """The signed order quantity that brings a holding to `fraction` (1e-8) of the equity less the buffer.

    target = fraction x (equity - buffer x equity - fee of the order), in lots rounded toward less exposure; the fee is
    asked again until the target with it is within what it allows. A fraction of 0 closes all, in lots or not. 0: there
    is nothing to do, or nothing can be done with an equity of 0 or less.
    """
    instrument, held = holding.instrument, holding.held
    if not fraction:
        return -held
    if holding.equity <= 0 or holding.price <= 0:
        return 0
    free = holding.equity - holding.equity * buffer // RATE_ONE
    wanted = _value(free, fraction)
    if abs(wanted - instrument.notional(holding.price, held)) * RATE_ONE < holding.equity * MINIMUM_CHANGE:
        return 0
    quantity = _quantity(holding, wanted)
    while quantity:
        order = quantity - held
        cost = fee.bound(instrument, abs(instrument.notional(holding.price, order)), abs(order)) if order else 0
        allowed = _value(free - cost, fraction) if cost < free else 0
        if abs(instrument.notional(holding.price, quantity)) <= abs(allowed):
            return order
        quantity = _less(_quantity(holding, allowed), quantity, instrument.lot)
    return -held


def _value(free: int, fraction: int) -> int:
    """A signed share of what is free, toward zero."""
    amount: int = abs(fraction) * free // RATE_ONE
    return amount if fraction > 0 else -amount


def _quantity(holding: Holding, value: int) -> int:
    """The whole lots that a signed value buys, toward zero."""
    one = holding.instrument.notional(holding.price, holding.instrument.lot)
    lots = abs(value) // one if one else 0
    quantity = floor_to(lots * holding.instrument.lot, holding.instrument.lot)
    return quantity if value >= 0 else -quantity


def _less(found: int, before: int, lot: int) -> int:
    """The new quantity, but at least a lot nearer to zero than the last: so the search ends."""
    nearer = max(abs(before) - lot, 0)
    size = min(abs(found), nearer)
    return size if before > 0 else -size

"""The margin call: what is closed when the margin of positions is no longer covered by equity.

As Lean does it (Common/Securities/DefaultMarginCallModel.cs): the positions that lose most go first, until what is used
is covered again. Equity of 0 or less closes everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import floor_to
from brokerage.domain.orders.order import Owner
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.maintenance import AccountMargin, HeldMargin, MarginState

PARTS_MAX = 50
"""Orders into which a reduction above the venue's largest is cut at one bar; what is left goes at the next."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """Quantity to be taken off one owner's position by one order; signed as the order."""

    owner: Owner
    instrument: Instrument
    quantity: int


@dataclass(frozen=True, slots=True)
class MarginCall:
    """What is to be closed, and the sentence with its numbers. `ruined`: no equity is left, everything is closed."""

    reductions: tuple[Reduction, ...]
    message: str
    ruined: bool


def margin_call(view: AccountView, margin: AccountMargin | None) -> MarginCall | None:
    """What has to be closed now, at the marks; None while the account is not called, or nothing of it can be closed by
    a call.
    """
    if margin is None or margin.state is not MarginState.CALLED:
        return None
    newest_ns = max((mark.at_ns for mark in view.marks.values()), default=0)
    closable = [one for one in margin.held if view.tradable(one.instrument.symbol, newest_ns)]
    stuck = sorted({one.instrument.symbol for one in margin.held} - {one.instrument.symbol for one in closable})
    kept = f"; not tradable: {', '.join(stuck)}" if stuck else ""
    if margin.equity <= 0:
        every = tuple(part for one in closable for part in _parts(view, one, floor_to(_size(one), one.instrument.lot)))
        return MarginCall(every, f"LIQUIDATION: {margin.numbers}; everything is closed{kept}", True)
    reductions = _reductions(view, closable, max(margin.used - margin.equity, 1))
    return MarginCall(reductions, f"MARGIN_CALL: {margin.numbers}{kept}", False) if reductions else None


def _reductions(view: AccountView, held: list[HeldMargin], missing: int) -> tuple[Reduction, ...]:
    """Whole lots of the biggest losers, up, until as much margin is free as is missing; no less of one than the venue
    takes.
    """
    found: list[Reduction] = []
    for one in held:
        if missing <= 0:
            break
        quantity, lot = one.closable, one.instrument.lot
        lots = -(-(missing * quantity) // (max(one.margin, 1) * lot))
        least = -(-one.instrument.quantity_min // lot)
        parts = list(_parts(view, one, min(max(lots, least) * lot, floor_to(quantity, lot))))
        if not parts:
            continue
        found += parts
        missing -= one.margin * sum(abs(part.quantity) for part in parts) // quantity
    return tuple(found)


def _size(one: HeldMargin) -> int:
    return abs(one.position.quantity)


def _parts(view: AccountView, one: HeldMargin, quantity: int) -> Iterator[Reduction]:
    """So much of a position, closed by orders as alike as lots allow, each no larger and no smaller than the venue
    takes, if that leaves a part of it: none where it takes no order so small.
    """
    instrument, sign = one.instrument, -1 if one.position.quantity > 0 else 1
    if not quantity or quantity < instrument.quantity_min:
        return
    most = largest_order(instrument, view.marks[instrument.symbol].price) or quantity
    least = max(-(-instrument.quantity_min // instrument.lot), 1)
    parts = max(min(-(-quantity // most), PARTS_MAX, quantity // instrument.lot // least), 1)
    lots = min(quantity, parts * most) // instrument.lot
    for number in range(parts):
        yield Reduction(one.owner, instrument, sign * instrument.lot * ((lots + number) // parts))


def largest_order(instrument: Instrument, price: int) -> int:
    """The largest quantity that the venue takes in one market order at a price, in whole lots; 0: there is no bound, or
    it takes not even a lot.
    """
    up, down = instrument.value_ratio
    bounds = [instrument.quantity_max] if instrument.quantity_max else []
    if instrument.notional_max and price > 0:
        bounds.append(instrument.notional_max * down // (price * up))
    return floor_to(min(bounds), instrument.lot) if bounds else 0

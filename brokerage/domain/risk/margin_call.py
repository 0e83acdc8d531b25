"""The margin call: what is closed when the margin of positions is no longer covered by equity.

As Lean does it (Common/Securities/DefaultMarginCallModel.cs): the positions that lose most go first, until what is used
is covered again. Equity of 0 or less closes everything.
"""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import floor_to
from brokerage.domain.orders.order import Owner
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.maintenance import AccountMargin, HeldMargin, MarginState


@dataclass(frozen=True, slots=True)
class Reduction:
    """Quantity to be taken off one owner's position; signed as the order."""

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
        whole = ((one, floor_to(abs(one.position.quantity), one.instrument.lot)) for one in closable)
        every = tuple(_off(one, quantity) for one, quantity in whole if quantity)
        return MarginCall(every, f"LIQUIDATION: {margin.numbers}; everything is closed{kept}", True)
    reductions = _reductions(closable, max(margin.used - margin.equity, 1))
    return MarginCall(reductions, f"MARGIN_CALL: {margin.numbers}{kept}", False) if reductions else None


def _reductions(held: list[HeldMargin], missing: int) -> tuple[Reduction, ...]:
    """Whole lots of the biggest losers, up, until as much margin is free as is missing."""
    found: list[Reduction] = []
    for one in held:
        if missing <= 0:
            break
        quantity, lot = one.closable, one.instrument.lot
        lots = -(-(missing * quantity) // (max(one.margin, 1) * lot))
        taken = min(lots * lot, floor_to(quantity, lot))
        if not taken:
            continue
        found.append(_off(one, taken))
        missing -= one.margin * taken // quantity
    return tuple(found)


def _off(one: HeldMargin, quantity: int) -> Reduction:
    """So much of a position, closed."""
    return Reduction(one.owner, one.instrument, -quantity if one.position.quantity > 0 else quantity)

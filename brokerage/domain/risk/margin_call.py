"""The margin call: when the margin of positions is no longer covered by equity, and what is closed then.

As Lean does it (Common/Securities/DefaultMarginCallModel.cs): nothing while margin remains or what is used is within
110 % of equity; then the positions that lose most go first, until what is used is covered again. Equity of 0 or less
closes everything.
"""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.accounts.position import Position, position_value
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.buying_power.margins import Held
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.money import money_text
from brokerage.domain.orders.order import Owner
from brokerage.domain.risk.account_view import AccountView

BUFFER_PERCENT = 110
"""Share of equity that used margin may reach before positions are closed."""


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


@dataclass(frozen=True, slots=True)
class _Held:
    owner: Owner
    instrument: Instrument
    position: Position
    margin: int
    profit: int


def margin_call(view: AccountView) -> MarginCall | None:
    """What has to be closed now, at the marks; None while equity covers the margin, or nothing of it can be closed by a
    call. CASH accounts owe nothing.
    """
    if view.profile.buying_power is BuyingPower.CASH:
        return None
    held = _positions(view)
    equity, used = view.equity(), sum(one.margin for one in held)
    newest_ns = max((mark.at_ns for mark in view.marks.values()), default=0)
    if not held or equity > used or used * 100 <= max(equity, 0) * BUFFER_PERCENT:
        return None
    currency = view.base_currency
    owned, taken = (f"{money_text(currency, amount)} {currency}" for amount in (equity, used))
    numbers = f"equity is {owned}, margin in use {taken}"
    closable = [one for one in held if view.tradable(one.instrument.symbol, newest_ns)]
    stuck = sorted({one.instrument.symbol for one in held} - {one.instrument.symbol for one in closable})
    kept = f"; not tradable: {', '.join(stuck)}" if stuck else ""
    if equity <= 0:
        every = tuple(Reduction(one.owner, one.instrument, -one.position.quantity) for one in closable)
        return MarginCall(every, f"LIQUIDATION: {numbers}; everything is closed{kept}", True)
    if not closable:
        return None
    return MarginCall(_reductions(closable, used - equity), f"MARGIN_CALL: {numbers}{kept}", False)


def _positions(view: AccountView) -> list[_Held]:
    """Positions with a price, the biggest loser first."""
    found: list[_Held] = []
    for owner, book in view.books.items():
        for symbol, position in book.ledger.positions.items():
            instrument, mark = book.ledger.instruments[symbol], view.marks.get(symbol)
            if not position.quantity or mark is None:
                continue
            value = position_value(instrument, position, mark.price)
            kept = view.profile.funding.maintenance(Held(instrument, position.quantity, value, mark.at_ns))
            margin = view.in_base(kept, instrument.quote)
            profit = view.in_base(value - position.cost, instrument.quote)
            if margin is not None and profit is not None:
                found.append(_Held(owner, instrument, position, margin, profit))
    return sorted(found, key=lambda one: (one.profit, one.instrument.symbol))


def _reductions(held: list[_Held], missing: int) -> tuple[Reduction, ...]:
    """Whole lots of the biggest losers, up, until as much margin is free as is missing."""
    found: list[Reduction] = []
    for one in held:
        if missing <= 0:
            break
        quantity, lot = abs(one.position.quantity), one.instrument.lot
        lots = -(-(missing * quantity) // (max(one.margin, 1) * lot))
        taken = min(lots * lot, quantity)
        found.append(Reduction(one.owner, one.instrument, -taken if one.position.quantity > 0 else taken))
        missing -= one.margin * taken // quantity
    return tuple(found)

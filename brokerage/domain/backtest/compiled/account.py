"""One account with one instrument, in a form that compiles: what an order takes, what a fill costs and books.

The formulas are those of `Slip`, `PercentFee`, `BuyingPowerModel`, `bound` and `settled`, in the units of
`AccountTerms`; each answers FAILED, or False first, where 64 bits cannot be proved to hold it.
"""

from __future__ import annotations

from typing import NamedTuple

from brokerage.domain.backtest.compiled.exact import FAILED, half_even, quotient, signed_half_even, up

_RATE_ONE = 10**8
_AMOUNT_END = 1 << 60
"""Amounts stay below this, so that a sum of four is within 64 bits."""


class AccountTerms(NamedTuple):
    """What does not change in a run. Prices are in units of a `price unit` that divides all of them; `value_up` over
    `value_down` is the value of one such unit times one unit of quantity. Rates are in 1e-8; `leverage` 0: CASH.
    """

    leverage: int
    value_up: int
    value_down: int
    price_end: int
    lot: int
    quantity_min: int
    quantity_max: int
    notional_min: int
    notional_max: int
    taker: int
    fee_bound: int
    slippage: int
    tick: int
    participation: int


class Holding(NamedTuple):
    """A position, and the settled cash beside it."""

    quantity: int
    cost: int
    realised: int
    fees: int
    fills: int
    cash: int


def worth(terms: AccountTerms, price: int, quantity: int) -> int:
    """`Instrument.notional` of a price and a quantity of 0 or more; FAILED."""
    if price >= terms.price_end:
        return FAILED
    found = half_even(price * terms.value_up, quantity, terms.value_down)
    return found if found < _AMOUNT_END else FAILED


def fee_bound(terms: AccountTerms, notional: int) -> int:
    """The most that one order of a notional may be charged; FAILED."""
    if not terms.fee_bound:
        return 0
    found = half_even(notional, terms.fee_bound, _RATE_ONE)
    return found + 1 if found >= 0 else FAILED


def equity(terms: AccountTerms, held: Holding, price: int) -> tuple[bool, int]:
    """Cash and the value of the position at a price."""
    value = worth(terms, price, abs(held.quantity))
    return value >= 0, held.cash + (value if held.quantity > 0 else -value)


def covers_margin(terms: AccountTerms, held: Holding, price: int) -> bool:
    """Whether equity is shown to be more than the margin in use: there is nothing to call for."""
    if not terms.leverage or not held.quantity:
        return True
    value = worth(terms, price, abs(held.quantity))
    worthy = held.cash + (value if held.quantity > 0 else -value)
    return value >= 0 and worthy > margin_of(terms, value)


def is_taken(terms: AccountTerms, held: Holding, price: int, signed: int, target: int) -> bool:
    """Whether an order is taken whole by every rule of the pre-trade check, as `DirectOrders.take` asks them."""
    return is_allowed(terms, held, price, signed, target) and _is_paid(terms, held, price, signed)


def is_allowed(terms: AccountTerms, held: Holding, price: int, signed: int, target: int) -> bool:
    """Whether every rule but that of money takes an order whole."""
    size = abs(signed)
    if not size or size % terms.lot or not _within_target(terms, held.quantity, signed, target):
        return False
    if size < terms.quantity_min or (terms.quantity_max and size > terms.quantity_max):
        return False
    notional = worth(terms, price, size)
    if notional < terms.notional_min or (terms.notional_max and notional > terms.notional_max):
        return False
    return worth(terms, price, abs(held.quantity) + size) >= 0 and notional >= 0


def _within_target(terms: AccountTerms, held: int, signed: int, target: int) -> bool:
    """Whether `sizing.bound` at weight 1 leaves the order whole."""
    sign = 1 if signed > 0 else -1
    most, size = abs(target) - abs(target) % terms.lot, abs(signed)
    reducing = min(size, abs(held)) if held * sign < 0 else 0
    room = max((most if target > 0 else -most) * sign, 0) - max(held * sign + reducing, 0)
    return size - reducing <= max(room, 0)


def _is_paid(terms: AccountTerms, held: Holding, price: int, signed: int) -> bool:
    """Whether free money covers what an order opens, and what it sells is there."""
    cost = needed(terms, held.quantity, price, signed)
    if cost <= 0:
        return cost == 0
    if not terms.leverage:
        return cost <= held.cash
    now = worth(terms, price, abs(held.quantity))
    worthy = held.cash + (now if held.quantity > 0 else -now)
    return cost <= worthy - margin_of(terms, now)


def needed(terms: AccountTerms, held: int, price: int, signed: int) -> int:
    """What an order takes of free money; FAILED where it cannot be proved, and where it sells what is not there."""
    notional = worth(terms, price, abs(signed))
    fee = fee_bound(terms, notional) if notional >= 0 else FAILED
    if fee < 0:
        return FAILED
    if not terms.leverage:
        if signed > 0:
            return notional + fee
        return 0 if -signed <= held else FAILED
    now = worth(terms, price, abs(held))
    after = _margin_after(terms, held, price, signed, notional)
    if now < 0 or after < 0:
        return FAILED
    kept = margin_of(terms, now)
    return max(kept, after + fee) - kept


def _margin_after(terms: AccountTerms, held: int, price: int, signed: int, notional: int) -> int:
    """`BuyingPowerModel._filled` of one order: the margin of the position it leaves."""
    size = abs(signed)
    if (held < 0) == (signed < 0) or not held:
        value = worth(terms, price, abs(held))
        return margin_of(terms, value) + margin_of(terms, notional) if value >= 0 else FAILED
    if size <= abs(held):
        value = worth(terms, price, abs(held) - size)
        return margin_of(terms, value) if value >= 0 else FAILED
    opened = up(notional, size - abs(held), size)
    return margin_of(terms, opened) if opened >= 0 else FAILED


def margin_of(terms: AccountTerms, value: int) -> int:
    """What a position of a value keeps of the equity."""
    return -(-value // terms.leverage)


def budget(terms: AccountTerms, volume: int) -> int:
    """`volume_budget`: what of a bar's volume may be taken; a negative one is no cap."""
    if not terms.participation:
        return -1
    found, _ = quotient(volume, terms.participation, _RATE_ONE)
    return max(found - found % terms.lot, 0)


def moved(terms: AccountTerms, price: int, way: int) -> int:
    """`Slip.moved` by a constant share: against the trader, outward to a tick; FAILED."""
    if not terms.slippage:
        return price
    ticks = up(price, terms.slippage, _RATE_ONE * terms.tick)
    if ticks < 0 or ticks >= _AMOUNT_END // terms.tick:
        return FAILED
    return max(price + way * ticks * terms.tick, terms.tick)


def filled(terms: AccountTerms, held: Holding, price: int, signed: int) -> tuple[bool, Holding, int]:
    """Book a fill that took, with its fee, as `position.settled`: what is held after it, and the fee."""
    return filled_at(terms, held, price, signed, terms.taker)


def filled_at(terms: AccountTerms, held: Holding, price: int, signed: int, rate: int) -> tuple[bool, Holding, int]:
    """As `filled`, for a fee of a rate in 1e-8."""
    size = abs(signed)
    notional = worth(terms, price, size)
    fee = half_even(notional, rate, _RATE_ONE) if notional >= 0 else FAILED
    if fee < 0:
        return False, held, 0
    flow = -notional if signed > 0 else notional
    quantity, cost, realised = held.quantity, held.cost, held.realised
    closing = min(size, abs(quantity)) if (quantity < 0) != (signed < 0) else 0
    if closing:
        closed = worth(terms, price, closing)
        sure, share = signed_half_even(cost, closing, abs(quantity))
        if closed < 0 or not sure:
            return False, held, 0
        close_flow = -closed if signed > 0 else closed
        realised += close_flow - share
        cost -= share + (flow - close_flow)
    else:
        cost -= flow
    after = Holding(quantity + signed, cost, realised, held.fees + fee, held.fills + 1, held.cash + flow - fee)
    return is_small(after), after, fee


def is_small(held: Holding) -> bool:
    """Whether another fill is sure to stay within 64 bits."""
    largest = max(abs(held.quantity), abs(held.cost), abs(held.realised), held.fees, abs(held.cash))
    return largest < _AMOUNT_END

"""From targets to orders: a pure planner that says what to hold when a target changes.

It acts on the change of a target, not on every bar, so that a fraction of equity does not churn with the price.
Quantities are exact decimals, cut toward zero to the lot. Client order ids are made of the symbol and the bar's time
alone, so asking twice about one bar is one order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation

from qmtl.core.decimals import to_decimal
from qmtl.core.errors import refused
from qmtl.sdk.execution.legs import Protection, closing_part, permitted_part
from qmtl.sdk.execution.port import (
    AskFee,
    Decision,
    HeldPosition,
    LimitOrder,
    MarketOrder,
    Permission,
    ask,
    order_name,
)
from qmtl.sdk.strategy.rules import Sizing, TradeRule

_EXACT = Context(prec=800, traps=[InvalidOperation, DivisionByZero, Inexact])
"""Lots are counted without rounding (28 digits may be a lot too many), of any target and price that a double can be."""

_ROUNDS = 40
"""Fees are a small share of what is traded, so each round leaves a small share of the error of the one before."""


@dataclass(slots=True)
class Planner:
    """Follows one command node. `last` is the target last acted on; a restart finds it in the node's history. None: no
    target is, as the weight of what is held has changed, or an order was sent that is not all of a target.
    """

    rule: TradeRule
    last: float | None = 0.0
    rejections: int = 0  # of orders toward the target, by their venue
    protection: Protection = field(default_factory=Protection)

    def due(self, target: float) -> bool:
        """Whether a target is still to be acted on. Raises InvalidRequest (E_TARGET) for one that is not finite."""
        if not math.isfinite(target):
            raise refused("E_TARGET", "target", target, "a finite number")
        return target != self.last


@dataclass(frozen=True, slots=True)
class Followed:
    """A command node, its rule, and the targets that were last acted on and told."""

    node_id: str
    rule: TradeRule
    acted: float  # not a number: none is
    told: float


@dataclass(frozen=True, slots=True)
class Leg:
    """One target of a decision: what is held of a symbol, and what it is worth at the deciding bar."""

    planner: Planner
    time_ns: int
    target: float
    price: float
    held: HeldPosition
    weight: Decimal = Decimal(1)
    exits: tuple[str, ...] = ()  # open stops and targets of what is held
    version: int = 0
    reduce_only: bool = False
    exact_target: Decimal = field(init=False, compare=False)
    exact_price: Decimal = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "exact_target", to_decimal(self.target))
        object.__setattr__(self, "exact_price", to_decimal(self.price))

    @property
    def symbol(self) -> str:
        return self.planner.rule.symbol

    @property
    def lot(self) -> Decimal:
        """The step of its orders: the rule's own, else the instrument's."""
        return self.planner.rule.lot or self.held.lot

    def weighed(self, whole: Decimal) -> Decimal:
        """The position to hold: the weight's share of the whole, cut toward zero to the lot."""
        return whole if self.weight == 1 else cut(self.weight * whole, self.lot)

    def whole(self, equity: Decimal) -> Decimal:
        """The position that the target means at an equity, cut toward zero to the lot."""
        if self.planner.rule.sizing is Sizing.UNITS:
            return cut(self.exact_target, self.lot)
        if self.price <= 0.0:
            return Decimal(0)
        worth, lot = _EXACT.multiply(self.exact_target, equity), _EXACT.multiply(self.exact_price, self.lot)
        return _EXACT.multiply(_EXACT.divide_int(worth, lot), self.lot)

    def change(self, wanted: Decimal, withheld: Decimal) -> Decimal:
        """The signed quantity that brings what is held to what is wanted, with what is withheld of a purchase bought
        beside it. What is not flat ends flat to the lot of the instrument, however coarse the rule's own.
        """
        held = self.held.expected
        if not wanted:
            return -cut(held, self.held.lot)
        quantity = wanted - cut(held, self.lot)
        return quantity + cut(withheld, self.lot) if quantity > 0 else quantity

    def order(self, quantity: Decimal, target: Decimal, part: str = "") -> MarketOrder:
        """A market order of this leg toward a whole position; `part` tells the orders of one bar apart."""
        name = order_name(self.symbol, self.time_ns, self.version) + part
        return MarketOrder(name, self.symbol, quantity, self.time_ns, target)

    def entry(self, quantity: Decimal, target: Decimal) -> MarketOrder | LimitOrder:
        """An order of this leg that only adds: at the market, or by the limit of its rule."""
        order, limit = self.order(quantity, target), self.planner.rule.limit
        if limit is None:
            return order
        price = limit.price(self.exact_price, buys=quantity > 0, tick=self.held.tick)
        if price is None:
            raise refused("E_BRACKET", "order.offset", f"no price above 0 at {self.exact_price}", "a smaller offset")
        name, symbol, at_ns = order.client_order_id, order.symbol, order.decided_ns
        return LimitOrder(name, symbol, quantity, at_ns, price, order.position_target)


@dataclass(frozen=True, slots=True)
class Change:
    """What a leg orders: a signed quantity, toward a whole position before any weight."""

    quantity: Decimal
    target: Decimal


@dataclass(frozen=True, slots=True)
class Sized:
    """A leg with the part of its change that is permitted now. `whole`: nothing of it was held back."""

    leg: Leg
    quantity: Decimal
    whole: bool
    target: Decimal

    def order(self, quantity: Decimal, part: str = "") -> MarketOrder:
        """An order of this leg for a part of its change."""
        return self.leg.order(quantity, self.target, part)

    @property
    def closing(self) -> Decimal:
        return closing_part(self.leg.held.expected, self.quantity)

    @property
    def turns(self) -> bool:
        """Whether it ends on the other side."""
        return self.closing not in (0, self.quantity)

    @property
    def flattens(self) -> bool:
        """Whether less than a lot is held after it."""
        return replace(self.leg.held, expected=self.leg.held.expected + self.quantity).is_flat

    @property
    def grows(self) -> bool:
        """Whether more is held after it than before."""
        held = self.leg.held.expected
        return abs(held + self.quantity) > abs(held)


def permitted(leg: Leg, change: Change, permission: Permission) -> Sized:
    """A leg with the part of its change that may be sent."""
    part = permitted_part(leg.held.expected, change.quantity, permission)
    return Sized(leg, part, part == change.quantity, change.target)


def changes(legs: Sequence[Leg]) -> Decision[list[Change]]:
    """The changes of all legs of a decision, sized together: each target holds of the equity that is left
    once the fees of all legs are paid.

    The fees follow from the sizes and the sizes from the fees: repeated from no fees until they agree. Where they
    swing between two lots, the sizes that leave enough for their fees are taken.
    """
    fees, withheld = Decimal(0), [Decimal(0)] * len(legs)
    best = _sized(legs, fees, withheld)
    if all(leg.planner.rule.sizing is Sizing.UNITS for leg in legs):
        return best
    set_aside: Decimal | None = None
    for _ in range(_ROUNDS):
        found, needed = _sized(legs, fees, withheld), Decimal(0)
        for number, (leg, change) in enumerate(zip(legs, found, strict=True)):
            if change.quantity:
                fee = yield from ask(AskFee(leg.symbol, change.quantity, leg.exact_price, leg.time_ns))
                needed += fee.money
                withheld[number] = fee.withheld
        if set_aside is None or (needed <= fees < set_aside):
            best, set_aside = found, fees if needed <= fees else None
        if needed == fees:
            break
        fees = needed
    return best


def _sized(legs: Sequence[Leg], fees: Decimal, withheld: Sequence[Decimal]) -> list[Change]:
    found: list[Change] = []
    for leg, base in zip(legs, withheld, strict=True):
        equity = max(leg.held.equity - fees, Decimal(0))
        whole = leg.whole(equity)
        quantity = leg.change(leg.weighed(whole), base)
        # what is withheld is bought beside the target: the position that bounds the order is larger by it
        beside = base / leg.weight if base and quantity > 0 and leg.weight else Decimal(0)
        found.append(Change(quantity, whole + cut(beside, leg.lot) if beside else whole))
    return found


def cut(quantity: Decimal, lot: Decimal) -> Decimal:
    """Toward zero to a multiple of the lot."""
    return _EXACT.multiply(_EXACT.divide_int(quantity, lot), lot)

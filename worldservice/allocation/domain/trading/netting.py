"""Legs become orders: one per leg, or netted over the legs of a symbol at a venue; lots, bounds, slices.

Exact values are netted and rounded once: three legs of -1/3 at lot .01 are -1.00, where rounding each gives -.99.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from itertools import groupby

from worldservice.allocation.domain.amounts import steps_toward_zero
from worldservice.allocation.domain.legs import Leg, LegReason, Mark, reduces
from worldservice.allocation.domain.shares import Owner
from worldservice.allocation.domain.trading.constraints import Constraints, Terms

NO_LOT = Fraction(1, 10**8)
"""Step of a symbol whose lot nobody states: the finest that brokerage keeps."""


class Execution(Enum):
    """PER_WORLD: an order per leg, in the strategy's own name. NETTED: one per symbol, booked to its legs by share."""

    PER_WORLD = "PER_WORLD"
    NETTED = "NETTED"


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """A leg with what is left of it in whole lots. `rounded` 0: it was dropped, and the last reason says why."""

    leg: Leg
    rounded: Fraction
    reasons: tuple[LegReason, ...]

    @property
    def reduce_only(self) -> bool:
        """Of what is traded, not of the exact delta."""
        return reduces(self.leg.quantity, self.rounded or self.leg.delta)

    @property
    def is_dropped(self) -> bool:
        """Whether nothing of it is traded."""
        return not self.rounded

    def dropped(self, reason: LegReason) -> PlannedLeg:
        """The leg with nothing left, and why."""
        return replace(self, rounded=Fraction(0), reasons=(*self.reasons, reason))


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """An order to send, in slices that add up to `quantity` (signed). `legs`: indices into the plan's legs.

    `lot`: its step; `shares`: of a netted order the whole steps of each leg, which add up to its own.
    """

    venue: str
    symbol: str
    quantity: Fraction
    lot: Fraction
    slices: tuple[Fraction, ...]
    reduce_only: bool
    legs: tuple[int, ...]
    shares: tuple[int, ...]


def residual_lots(orders: Sequence[PlannedOrder]) -> Fraction:
    """How many lots of orders are no leg's, or are lost in slices, all together: 0."""
    lost = Fraction(0)
    for order in orders:
        lost += abs(order.quantity - sum(order.slices, Fraction(0))) / order.lot
        if order.shares:
            lost += abs(order.quantity / order.lot - sum(order.shares))
    return lost


def rounded_legs(legs: Sequence[Leg], constraints: Constraints) -> list[PlannedLeg]:
    """Each leg by itself: lot toward zero, least quantity, least notional."""
    return [_bounded(PlannedLeg(leg, *_in_lots(leg, constraints)), constraints) for leg in legs]


def netted_legs(legs: Sequence[Leg], constraints: Constraints) -> tuple[list[PlannedLeg], dict[int, Fraction]]:
    """Legs in whole steps that add up to the net of their symbol, and the net by the index of its first leg.

    The net is rounded once; the bounds are the net's. Opposite legs cross, and a net of 0 crosses all of them.
    """
    planned: list[PlannedLeg] = []
    nets: dict[int, Fraction] = {}
    for (venue, symbol), group in groupby(sorted(legs, key=_at), key=_at):
        members = list(group)
        terms = constraints.of(venue, symbol)
        lot, first = terms.lot or NO_LOT, len(planned)
        steps = whole_steps([leg.delta / lot for leg in members], [leg.quantity / lot for leg in members])
        net = sum(steps) * lot
        reason = _below(net, members[0].mark.value, terms) if net else None
        for leg, each in zip(members, steps, strict=True):
            notes = (*leg.notes, *(() if each else (LegReason.BELOW_LOT,)))
            row = PlannedLeg(leg, each * lot, notes)
            planned.append(row if reason is None or row.is_dropped else row.dropped(reason))
        if reason is None and any(steps):
            nets[first] = net
    return planned, nets


def whole_steps(deltas: Sequence[Fraction], held: Sequence[Fraction]) -> list[int]:
    """Whole steps by largest remainder that add up to the sum of the deltas, cut toward zero. Ties: the earlier.

    A leg that reduces never gets more steps than are held of it, so that none goes through zero.
    """
    wanted = steps_toward_zero(sum(deltas, Fraction(0)), Fraction(1))
    most = [abs(q) // 1 if reduces(q, d) else None for q, d in zip(held, deltas, strict=True)]
    steps = [delta.numerator // delta.denominator for delta in deltas]
    steps = [s if m is None else max(min(s, m), -m) for s, m in zip(steps, most, strict=True)]
    order, left = sorted(range(len(deltas)), key=lambda i: (-(deltas[i] - steps[i]), i)), wanted - sum(steps)
    for index in order:
        if left <= 0:
            break
        bound = most[index]
        if deltas[index] > steps[index] and (bound is None or steps[index] + 1 <= bound):
            steps[index] += 1
            left -= 1
    return steps


def orders_of(planned: Sequence[PlannedLeg], constraints: Constraints, split: Split) -> list[PlannedOrder]:
    """One order a leg that is left, those that only reduce first; `split` cuts it into slices of whole lots."""
    orders = []
    for index, row in enumerate(planned):
        if not row.is_dropped:
            leg = row.leg
            terms = constraints.of(leg.venue, leg.symbol)
            lot = terms.lot or NO_LOT
            steps = steps_toward_zero(row.rounded, lot)
            slices = split.slices(steps, lot, leg.mark, terms.order_notional_max)
            sent = (row.rounded,) if slices == [steps] else tuple(each * lot for each in slices)
            orders.append(
                PlannedOrder(
                    leg.venue, leg.symbol, row.rounded, lot, sent, row.reduce_only,
                    (index,), (steps,),
                )
            )  # fmt: skip
    return sorted(orders, key=lambda order: (not order.reduce_only, order.legs))


def netted_orders(
    planned: Sequence[PlannedLeg], nets: dict[int, Fraction], constraints: Constraints, split: Split
) -> list[PlannedOrder]:
    """One order a symbol and venue; one whose net is 0 has no slice and crosses at the mark."""
    orders = []
    for first, net in nets.items():
        at = _at(planned[first].leg)
        end = next((i for i in range(first, len(planned)) if _at(planned[i].leg) != at), len(planned))
        members = [i for i in range(first, end) if not planned[i].is_dropped]
        terms = constraints.of(*at)
        lot = terms.lot or NO_LOT
        slices = split.slices(steps_toward_zero(net, lot), lot, planned[first].leg.mark, terms.order_notional_max)
        steps = tuple(steps_toward_zero(planned[i].rounded, lot) for i in members)
        reducing = all(planned[i].reduce_only for i in members)
        orders.append(
            PlannedOrder(
                *at, net, lot, tuple(each * lot for each in slices), reducing,
                tuple(members), steps,
            )
        )  # fmt: skip
    return sorted(orders, key=lambda order: (not order.reduce_only, order.legs))


@dataclass(frozen=True, slots=True)
class Split:
    """How orders are cut: `left` of a pace says what is left after each slice, 1 to 0; empty: at once."""

    left: tuple[Fraction, ...] = ()

    def slices(self, steps: int, lot: Fraction, mark: Mark, notional_max: Fraction | None) -> list[int]:
        """Signed steps of the slices of an order: those of its pace, each within the most notional of one order."""
        sign, whole = (-1 if steps < 0 else 1), abs(steps)
        if not whole:
            return []
        paced = _paced(whole, self.left) if self.left else [whole]
        per = whole if notional_max is None else max(int(notional_max // (lot * mark.value)), 1)
        return [sign * each for part in paced for each in _even(part, -(-part // per))]


def owners_of(orders: Iterable[PlannedOrder], planned: Sequence[PlannedLeg]) -> list[Owner]:
    """All owners that orders trade for, by name."""
    return sorted({planned[index].leg.owner for order in orders for index in order.legs})


def _in_lots(leg: Leg, constraints: Constraints) -> tuple[Fraction, tuple[LegReason, ...]]:
    lot = constraints.of(leg.venue, leg.symbol).lot or NO_LOT
    steps = steps_toward_zero(leg.delta, lot)
    return steps * lot, leg.notes if steps else (*leg.notes, LegReason.BELOW_LOT)


def _bounded(row: PlannedLeg, constraints: Constraints) -> PlannedLeg:
    if row.is_dropped:
        return row
    terms, value = constraints.of(row.leg.venue, row.leg.symbol), row.leg.mark.value
    reason = _below(row.rounded, value, terms)
    if reason is not None:
        return row.dropped(reason)
    most = terms.order_notional_max
    if most is not None and abs(row.rounded) * value > most:
        return replace(row, reasons=(*row.reasons, LegReason.SLICED))
    return row


def _below(quantity: Fraction, value: Fraction, terms: Terms) -> LegReason | None:
    if terms.quantity_min is not None and abs(quantity) < terms.quantity_min:
        return LegReason.BELOW_MIN_QUANTITY
    if terms.notional_min is not None and abs(quantity) * value < terms.notional_min:
        return LegReason.BELOW_MIN_NOTIONAL
    most = terms.order_notional_max
    if most is not None and (terms.lot or NO_LOT) * value > most:
        return LegReason.BELOW_LOT  # not one lot is within the most notional of an order
    return None


def _paced(whole: int, left: Sequence[Fraction]) -> list[int]:
    """Whole steps whose sums follow the pace, each cut up to a whole step so that none is left at the end."""
    remaining = [-(-whole * each.numerator // each.denominator) for each in left]
    return [before - after for before, after in zip([whole, *remaining], remaining, strict=False) if before > after]


def _even(steps: int, parts: int) -> list[int]:
    each, more = divmod(steps, parts)
    return [each + 1] * more + [each] * (parts - more)


def _at(leg: Leg) -> tuple[str, str]:
    return leg.venue, leg.symbol

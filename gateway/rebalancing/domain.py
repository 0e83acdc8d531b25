"""What an executor decides: ids and prices of orders, what came of them, where a run ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from enum import Enum

from qmtl.core.netting.attribution import attributed

TRIES = 3
PAPER = "paper"
"""The venue that is simulated."""
NETTING = "@netting"
"""World and strategy of an order for several legs."""
CROSSED = ".0"
"""Ends the client_order_id of what each share of an order got whose shares trade with each other only."""
SLIPPAGE_BPS = Decimal(20)
"""The farthest that a limit lies from the mark where a request does not say."""
STOPPING = frozenset({
    "FENCED", "TRADING_HALTED", "GATE_ACTIVATION_UNKNOWN", "GATE_ACTIVATION_STALE", "GATE_FROZEN",
    "GATE_SESSION_LAPSED",
})  # fmt: skip
"""Denials that stop a whole run where it is: a freeze, a halt, a lapsed session. Others stop their leg."""
UNKNOWN = frozenset({"GATE_ACTIVATION_UNKNOWN", "GATE_ACTIVATION_STALE"})
"""Denials of a gateway that does not know yet, or has just lost sight of a peer, as after a start."""
UNKNOWN_WAIT_S = 30.0
_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True)
class LegPart:
    """What an order, or a slice of one, trades of one leg; the quantity is signed."""

    leg: int
    world_id: str
    strategy_id: str
    quantity: Decimal
    reduce_only: bool


@dataclass(frozen=True, slots=True)
class LegOrder:
    """The order of one leg, as planned. Quantities are signed; `slices` add up to the order."""

    leg: int
    world_id: str
    strategy_id: str
    symbol: str
    slices: tuple[Decimal, ...]
    reduce_only: bool
    target: Decimal

    @property
    def parts(self) -> tuple[LegPart, ...]:
        """Its only leg."""
        return (self._part(sum(self.slices, Decimal(0))),)

    def slice_parts(self, number: int) -> tuple[LegPart, ...]:
        """What a slice trades."""
        return (self._part(self.slices[number]),)

    def _part(self, quantity: Decimal) -> LegPart:
        return LegPart(self.leg, self.world_id, self.strategy_id, quantity, self.reduce_only)


@dataclass(frozen=True, slots=True)
class NettedOrder:
    """One order for several legs, by world and strategy; their quantities add up to it, and to 0 where they cross."""

    symbol: str
    slices: tuple[Decimal, ...]
    lot: Decimal
    reduce_only: bool
    parts: tuple[LegPart, ...]

    @property
    def leg(self) -> int:
        """The first leg, which its orders are named by."""
        return self.parts[0].leg

    def slice_parts(self, number: int) -> tuple[LegPart, ...]:
        """What a slice trades of each leg: whole steps that follow the slices, and are the legs' at the end."""
        if not sum(self.slices):
            return self.parts
        shares = [int(part.quantity / self.lot) for part in self.parts]
        before, filled = [0] * len(shares), 0
        for size in self.slices[: number + 1]:
            filled += abs(int(size / self.lot))
            after = attributed(shares, filled, before)
            taken = [now - was for now, was in zip(after, before, strict=True)]
            before = after
        steps = zip(self.parts, taken, strict=True)
        return tuple(replace(part, quantity=step * self.lot) for part, step in steps if step)


PlannedOrder = LegOrder | NettedOrder


def net_of(parts: Sequence[LegPart]) -> Decimal:
    """What the parts of an order come to at its venue."""
    return sum((part.quantity for part in parts), Decimal(0))


def less(part: LegPart, traded: Decimal) -> LegPart:
    """What is left of a part after a signed quantity of it was traded."""
    return replace(part, quantity=part.quantity - traded)


@dataclass(frozen=True, slots=True)
class Filled:
    """What was traded of a leg: absolute quantity, quantity x price, fees by currency, and why it stopped short."""

    quantity: Decimal = Decimal(0)
    notional: Decimal = Decimal(0)
    fees: Mapping[str, Decimal] = field(default_factory=dict)
    reason: str = ""

    def with_order(self, quantity: Decimal, average_price: Decimal, fees: Mapping[str, Decimal]) -> Filled:
        """Beside one more order."""
        return self.with_trade(quantity, _EXACT.multiply(quantity, average_price), fees)

    def with_trade(self, quantity: Decimal, notional: Decimal, fees: Mapping[str, Decimal]) -> Filled:
        """Beside so much more, for so much."""
        sums = dict(self.fees)
        for currency, fee in fees.items():
            sums[currency] = _EXACT.add(sums.get(currency, Decimal(0)), fee)
        money = _EXACT.add(self.notional, notional)
        return replace(self, quantity=self.quantity + quantity, notional=money, fees=sums)

    def because(self, reason: str) -> Filled:
        """Stopped short."""
        return replace(self, reason=reason)


class End(Enum):
    """How a run ends."""

    COMPLETED = "COMPLETED"
    PARTIAL = "PARTIAL"
    CANCELED = "CANCELED"


def order_id(run_id: str, leg: int, part: int, attempt: int) -> str:
    """The client_order_id of a try: after a kill, or from a second gateway, it names the same order again."""
    return f"rb-{run_id}-{leg}-{part}-{attempt}"


def limit_price(mark: Decimal, tick: Decimal, *, buys: bool, slippage_bps: Decimal = SLIPPAGE_BPS) -> Decimal:
    """The worst price within the slippage allowed, at a tick that is not beyond it."""
    slippage = slippage_bps.scaleb(-4)
    worst = mark * (1 + slippage if buys else 1 - slippage)
    ticks = (worst / tick).to_integral_value(ROUND_FLOOR if buys else ROUND_CEILING)
    return max(ticks, Decimal(1)) * tick


def is_asked_again(denial: str, waited_s: float) -> bool:
    """Whether an order that a gate denied is sent again: it did not know, and it has not been waited for long."""
    return denial in UNKNOWN and waited_s < UNKNOWN_WAIT_S


def position_target(target: Decimal, weight: Decimal, lot: Decimal, places: int) -> Decimal | None:
    """The signed target before scaling: once brokerage takes the weight's share of it, down to a lot, it is not below
    `target`. `places`: those that quantities of the instrument are kept at. None: the weight is 0.
    """
    if weight <= 0:
        return None
    lots = (abs(target) / lot).to_integral_value(ROUND_CEILING) * lot
    asked = (lots / weight).quantize(Decimal(1).scaleb(-places), ROUND_CEILING)
    return asked.copy_sign(target)


def end_of(orders: Sequence[PlannedOrder], filled: Mapping[int, Filled], *, canceled: bool) -> End:
    """COMPLETED when every leg is filled to the step; a canceled run is CANCELED whatever was filled."""
    if canceled:
        return End.CANCELED
    parts = [part for order in orders for part in order.parts]
    whole = all(filled.get(part.leg, Filled()).quantity == abs(part.quantity) for part in parts)
    return End.COMPLETED if whole else End.PARTIAL


def reasons_of(orders: Sequence[PlannedOrder], filled: Mapping[int, Filled], most: int = 100) -> list[str]:
    """Why legs stopped short, one a leg; the last says of how many more it is not told."""
    found = []
    for symbol, part in ((order.symbol, part) for order in orders for part in order.parts):
        of_leg = filled.get(part.leg, Filled())
        if of_leg.quantity != abs(part.quantity):
            named = f"{part.world_id}/{part.strategy_id} {symbol}"
            found.append(shortened(f"leg {part.leg} {named}: {of_leg.reason or 'NOT_SENT'}", 500))
    if len(found) <= most:
        return found
    return [*found[: most - 1], f"and {len(found) - most + 1} legs more"]


def shortened(text: str, most: int) -> str:
    """A sentence in so many bytes of UTF-8 at most: one that is cut ends in "..."."""
    written = text.encode()
    return text if len(written) <= most else written[: max(most - 3, 0)].decode(errors="ignore") + "..."[:most]

"""What an executor decides: ids and prices of orders, what came of them, where a run ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from enum import Enum

TRIES = 3
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
    def buys(self) -> bool:
        """Whether it buys."""
        return sum(self.slices) > 0


@dataclass(frozen=True, slots=True)
class Filled:
    """What was traded of a leg: absolute quantity, quantity x price, fees by currency, and why it stopped short."""

    quantity: Decimal = Decimal(0)
    notional: Decimal = Decimal(0)
    fees: Mapping[str, Decimal] = field(default_factory=dict)
    reason: str = ""

    def with_order(self, quantity: Decimal, average_price: Decimal, fees: Mapping[str, Decimal]) -> Filled:
        """Beside one more order."""
        sums = dict(self.fees)
        for currency, fee in fees.items():
            sums[currency] = _EXACT.add(sums.get(currency, Decimal(0)), fee)
        notional = _EXACT.add(self.notional, _EXACT.multiply(quantity, average_price))
        return replace(self, quantity=self.quantity + quantity, notional=notional, fees=sums)

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


def end_of(orders: Sequence[LegOrder], filled: Mapping[int, Filled], *, canceled: bool) -> End:
    """COMPLETED when every leg is filled to the step; a canceled run is CANCELED whatever was filled."""
    if canceled:
        return End.CANCELED
    whole = all(filled.get(o.leg, Filled()).quantity == abs(sum(o.slices)) for o in orders)
    return End.COMPLETED if whole else End.PARTIAL


def reasons_of(orders: Sequence[LegOrder], filled: Mapping[int, Filled], most: int = 100) -> list[str]:
    """Why legs stopped short, one a leg, the first of them."""
    found = []
    for order in orders:
        of_leg = filled.get(order.leg, Filled())
        if of_leg.quantity != abs(sum(order.slices)):
            named = f"{order.world_id}/{order.strategy_id} {order.symbol}"
            found.append(f"leg {order.leg} {named}: {of_leg.reason or 'NOT_SENT'}"[:500])
    return found[:most]

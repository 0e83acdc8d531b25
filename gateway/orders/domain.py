"""The order gate: one pure check of an order against the activation this gateway holds.

It can only narrow. What it cannot know, the position, it leaves to brokerage: an order whose increasing side is
not open passes as reduce-only when the opposite side's entry stands. Unknown, stale or ambiguous shuts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum

from qmtl.calendars.windows import Window, closes_at, is_open, opens_at
from qmtl.core.modes import EffectiveMode, ExecutionDomain, domain_of, lower, orders_allowed
from qmtl.core.traffic import version_of


class Side(Enum):
    """A side of a strategy's exposure."""

    LONG = "LONG"
    SHORT = "SHORT"

    @property
    def other(self) -> Side:
        """The opposite side."""
        return Side.SHORT if self is Side.LONG else Side.LONG


class GateDenial(Enum):
    """The rules of the gate, by name."""

    ACTIVATION_UNKNOWN = "ACTIVATION_UNKNOWN"
    ACTIVATION_STALE = "ACTIVATION_STALE"
    INACTIVE = "INACTIVE"
    FROZEN = "FROZEN"
    MODE_FORBIDS_ORDERS = "MODE_FORBIDS_ORDERS"
    OUTSIDE_WINDOW = "OUTSIDE_WINDOW"
    OTHER_CANARY_SHARE = "OTHER_CANARY_SHARE"
    SESSION_LAPSED = "SESSION_LAPSED"


@dataclass(frozen=True, slots=True)
class GateEntry:
    """What one strategy may do on one side."""

    active: bool
    weight: Decimal
    freeze: bool
    drain: bool
    valid_from: datetime | None
    valid_until: datetime | None
    mode: EffectiveMode


@dataclass(frozen=True, slots=True)
class WorldGate:
    """A world's activation at one revision, as the gate reads it."""

    world_id: str
    revision: int
    epoch: int
    mode: EffectiveMode
    entries: Mapping[tuple[str, Side], GateEntry]
    windows: tuple[Window, ...] = ()

    def closes_at(self, now: datetime) -> datetime | None:
        """When who may take new risk now may not any more; None when nobody may, or nothing ends it."""
        trading = [entry for entry in self.entries.values() if _adds(entry, now)]
        if not trading or not is_open(self.windows, now):
            return None
        ends = [closes_at(self.windows, now), *(entry.valid_until for entry in trading)]
        return min((end for end in ends if end is not None), default=None)


@dataclass(frozen=True, slots=True)
class GatedOrder:
    """What the gate needs to know of an order. `position_side` is None for a netted position."""

    strategy_id: str
    buys: bool
    reduce_only: bool
    position_side: Side | None
    symbol: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Passed:
    """What brokerage is told: the epoch it was gated under, and how far it may go."""

    epoch: int
    revision: int
    weight: Decimal
    domain: ExecutionDomain
    reduce_only: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The rule that refused, and a sentence for a person."""

    denial: GateDenial
    reason: str


@dataclass(frozen=True, slots=True)
class RefusedOne:
    """Which order of a list was refused, and why."""

    number: int
    refused: Refused


OVERLAY = "@overlay"
"""The strategy that a world's hedge belongs to; only rebalancing runs trade it."""

NO_NEW_RISK = Refused(
    GateDenial.ACTIVATION_STALE, "a service that the gateway needs is away: only reducing orders pass until it is back"
)

LAPSED = Refused(
    GateDenial.SESSION_LAPSED,
    "the gateway has not heard from worldservice in time: only reducing orders pass until it has",
)

HOLD_ASKED = Refused(
    GateDenial.FROZEN,
    "a freeze or drain of the world is asked for and cannot be written: only reducing orders pass until it is",
)


def check_order(
    gate: WorldGate | None,
    session_valid: bool,
    order: GatedOrder,
    now: datetime,
    *,
    new_risk: bool = True,
    hold_asked: bool = False,
) -> Passed | Refused:
    """Decide one order; total. `now` is the gate's clock, `session_valid` what it says of the gate session.

    Without `new_risk`, because this gateway is degraded, only reducing passes; so it is once the session has lapsed,
    and while a hold of the world is asked for, under the epoch last heard of: brokerage's fence, standings and book
    decide whether it really reduces.
    """
    if gate is None and not session_valid:
        return LAPSED
    if gate is None:
        return Refused(GateDenial.ACTIVATION_UNKNOWN, "the gateway does not know the world's activation yet")
    increasing, reducing = _sides(order)
    refusals: list[Refused] = []
    if increasing is not None and not order.reduce_only:
        shut = LAPSED if not session_valid else HOLD_ASKED if hold_asked else None if new_risk else NO_NEW_RISK
        verdict = shut or _check_increase(gate, order.strategy_id, increasing, now)
        if isinstance(verdict, Passed):
            return verdict
        refusals.append(verdict)
    if reducing is not None:
        verdict = _check_reduction(gate, order.strategy_id, reducing, now)
        if isinstance(verdict, Passed):
            return verdict
        refusals.append(verdict)
    return refusals[0] if refusals else Refused(GateDenial.INACTIVE, "the order opens nothing and closes nothing")


def hedge_gate(gate: WorldGate, domain: ExecutionDomain, now: datetime) -> WorldGate:
    """The activation as the world's hedge is gated by it in a domain. It has no entry of its own: it may add, by orders
    of either side, while any strategy of the world may in that domain, and reduce while any may. Its weight is 1.
    """
    trading = [entry for entry in gate.entries.values() if domain_of(entry.mode) is domain]
    widest = max(
        trading, key=lambda entry: (_adds(entry, now), not entry.freeze, entry.active or entry.drain), default=None
    )
    entry = None if widest is None else replace(widest, weight=Decimal(1))
    return replace(gate, entries={} if entry is None else {(OVERLAY, side): entry for side in Side})


def check_list(verdicts: Sequence[Passed | Refused], orders: Sequence[GatedOrder]) -> Passed | RefusedOne:
    """One verdict for orders that are taken whole or not at all, of the verdict of each.

    Of those that may add, the lowest weight counts for all. Where one that does not say so may only reduce, all do.
    """
    for number, verdict in enumerate(verdicts):
        if isinstance(verdict, Refused):
            return RefusedOne(number, verdict)
    passed = [verdict for verdict in verdicts if isinstance(verdict, Passed)]
    first = passed[0]
    for number, one in enumerate(passed):
        if one.domain is not first.domain:
            domains = f"{one.domain.value} and {first.domain.value} orders in one list"
            return RefusedOne(number, Refused(GateDenial.MODE_FORBIDS_ORDERS, domains))
    adding = [one.weight for one in passed if not one.reduce_only]
    asked = [one for one, order in zip(passed, orders, strict=True) if not order.reduce_only]
    return Passed(
        epoch=min(one.epoch for one in passed),
        revision=min(one.revision for one in passed),
        weight=min(adding or [one.weight for one in passed]),
        domain=first.domain,
        reduce_only=any(one.reduce_only for one in asked) or not asked,
    )


def check_share(order: GatedOrder, verdict: Passed | Refused) -> Passed | Refused:
    """The verdict of a share of a netted order, which is not scaled: one that adds passes whole or not at all."""
    if isinstance(verdict, Refused) or order.reduce_only or not (verdict.reduce_only or verdict.weight <= 0):
        return verdict
    return Refused(GateDenial.INACTIVE, f"{order.strategy_id} may only reduce at revision {verdict.revision}")


def check_canary_share(order: GatedOrder, weights: Mapping[int, float] | None) -> Refused | None:
    """Whether the symbol is routed to the version that asks; `weights` by version, empty without sentinels.

    What is not known (None) is nobody's: that lets no order pass. An order that says that it only reduces is any
    version's: a position must not be left without one that may close it.
    """
    if order.reduce_only:
        return None
    if weights is None:
        return Refused(
            GateDenial.ACTIVATION_UNKNOWN,
            f"the gateway does not know yet which version of {order.strategy_id} trades {order.symbol}",
        )
    if not weights:
        return None
    version = order.version or max(weights)
    owner = version_of(order.strategy_id, order.symbol, weights)
    if owner == version:
        return None
    whose = "no version" if owner is None else f"version {owner}"
    return Refused(
        GateDenial.OTHER_CANARY_SHARE, f"{order.symbol} is routed to {whose}, not {version}: only reduce_only orders"
    )


def _sides(order: GatedOrder) -> tuple[Side | None, Side | None]:
    """The side the order can increase and the side it can reduce."""
    bought = Side.LONG if order.buys else Side.SHORT
    if order.position_side is None:
        return bought, bought.other
    return (bought, None) if order.position_side is bought else (None, order.position_side)


def _check_increase(gate: WorldGate, strategy_id: str, side: Side, now: datetime) -> Passed | Refused:
    entry = gate.entries.get((strategy_id, side))
    refused = _refuse_shut(gate, entry, strategy_id, side)
    if refused is not None or entry is None:
        return refused or _absent(strategy_id, side)
    if lower(entry.mode, gate.mode) is not entry.mode:  # no worldservice says so; what contradicts itself opens nothing
        contradiction = f"{strategy_id} {side.value} is at {entry.mode.value} in a world at {gate.mode.value}"
        return Refused(GateDenial.MODE_FORBIDS_ORDERS, contradiction)
    if entry.drain or not entry.active:
        state = "draining" if entry.drain else "not active"
        return Refused(GateDenial.INACTIVE, f"{strategy_id} {side.value} is {state} at revision {gate.revision}")
    if not _in_window(entry, now):
        return Refused(
            GateDenial.OUTSIDE_WINDOW, f"{strategy_id} {side.value} is outside the time that its activation is valid"
        )
    if not is_open(gate.windows, now):
        at = opens_at(gate.windows, now)
        again = f", which opens at {at.isoformat()}" if at is not None else ""
        return Refused(GateDenial.OUTSIDE_WINDOW, f"world {gate.world_id} is outside its window{again}")
    return _passed(gate, entry, reduce_only=False)


def _check_reduction(gate: WorldGate, strategy_id: str, side: Side, now: datetime) -> Passed | Refused:
    """Reducing passes while the side's entry stands: active, draining or past its window, but never frozen."""
    entry = gate.entries.get((strategy_id, side))
    refused = _refuse_shut(gate, entry, strategy_id, side)
    if refused is not None or entry is None:
        return refused or _absent(strategy_id, side)
    if not (entry.active or entry.drain):
        return Refused(GateDenial.INACTIVE, f"{strategy_id} {side.value} is not active at revision {gate.revision}")
    return _passed(gate, entry, reduce_only=True)


def _refuse_shut(gate: WorldGate, entry: GateEntry | None, strategy_id: str, side: Side) -> Refused | None:
    if entry is None:
        return _absent(strategy_id, side)
    if not orders_allowed(domain_of(gate.mode)) or not orders_allowed(domain_of(entry.mode)):
        mode = entry.mode if orders_allowed(domain_of(gate.mode)) else gate.mode
        return Refused(GateDenial.MODE_FORBIDS_ORDERS, f"effective mode {mode.value} lets no order pass")
    if entry.freeze:
        return Refused(GateDenial.FROZEN, f"{strategy_id} {side.value} is frozen at revision {gate.revision}")
    return None


def _adds(entry: GateEntry, now: datetime) -> bool:
    return entry.active and not entry.freeze and not entry.drain and _in_window(entry, now)


def _absent(strategy_id: str, side: Side) -> Refused:
    return Refused(GateDenial.INACTIVE, f"{strategy_id} has no {side.value} entry in the world's activation")


def _in_window(entry: GateEntry, now: datetime) -> bool:
    after_start = entry.valid_from is None or entry.valid_from <= now
    return after_start and (entry.valid_until is None or now < entry.valid_until)


def _passed(gate: WorldGate, entry: GateEntry, *, reduce_only: bool) -> Passed:
    return Passed(gate.epoch, gate.revision, entry.weight, domain_of(entry.mode), reduce_only)

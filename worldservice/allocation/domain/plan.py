"""A plan of rebalancing: legs, what was dropped and why, orders, totals, warnings, and the hash of what it would trade.

Pure and independent of the order of rows. Its hash covers the request and everything that would be traded, so that a
plan made again has it too unless one of these moved; marks, times and costs may move without moving it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from qmtl.core.errors import Exhausted, refused
from qmtl.core.identity.canonical import canonical_json, digest
from worldservice.allocation.domain.amounts import decimal_of, text_of, total, total_size
from worldservice.allocation.domain.budgets import Budget
from worldservice.allocation.domain.legs import Held, Leg, LegReason, check_marks, legs_of
from worldservice.allocation.domain.scaling import ScaleMode, Scales
from worldservice.allocation.domain.shares import STRATEGIES_MAX, Owner
from worldservice.allocation.domain.trading.budgeting import named_budgets, within_budgets
from worldservice.allocation.domain.trading.constraints import Constraints, aliased, notes_of
from worldservice.allocation.domain.trading.cost import Cost, Market, cost_of
from worldservice.allocation.domain.trading.netting import (
    Execution,
    PlannedLeg,
    PlannedOrder,
    Split,
    netted_legs,
    netted_orders,
    orders_of,
    rounded_legs,
)
from worldservice.allocation.domain.trading.overlay import (
    COST_MAX_BPS,
    Choice,
    Proxy,
    Way,
    check_proxies,
    choices_of,
    hybrid_hedges,
    overlay_legs,
    unfinished,
)

LEGS_MAX = 10_000
VALID_FOR, VALID_FOR_MAX = timedelta(minutes=5), timedelta(hours=1)
PRICE_AGE_MAX = timedelta(minutes=15)
HEADROOM_MIN = Fraction(1, 10)


class Approach(Enum):
    """SCALE: positions are traded. OVERLAY: a hedge per world instead. HYBRID: what is cheap is scaled."""

    SCALE = "SCALE"
    OVERLAY = "OVERLAY"
    HYBRID = "HYBRID"


class Standing(Enum):
    """Whether an owner may take new risk on a side: its entry is ACTIVE and the fence OPEN, or which is not."""

    OPEN = "OPEN"
    NOT_ACTIVE = "NOT_ACTIVE"
    FENCED = "FENCED"


@dataclass(frozen=True, slots=True)
class Book:
    """An account as brokerage has it at one place of its event log. `used_margin` None: it has none, or it is not told,
    which `margin_untold` says. `ended`: symbols whose session on paper is over, in which no order fills any more.
    """

    account: str
    sequence: int
    equity: Fraction
    held: tuple[Held, ...]
    used_margin: Fraction | None = None
    gross_max: Fraction | None = None
    net_max: Fraction | None = None
    margin_untold: bool = False
    ended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a plan; `content` is its canonical form, which the hash covers."""

    content: str
    scales: Scales
    changes: Mapping[str, Fraction]
    mode: ScaleMode = ScaleMode.EXACT
    execution: Execution = Execution.PER_WORLD
    approach: Approach = Approach.SCALE
    band: Fraction = Fraction(0)
    split: Split = field(default_factory=Split)
    valid_for: timedelta = VALID_FOR
    price_age_max: timedelta = PRICE_AGE_MAX
    markets: Mapping[str, Market] = field(default_factory=dict)
    days: Decimal = Decimal(1)
    cost_max_bps: Decimal = COST_MAX_BPS
    proxies: Mapping[str, Proxy] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """What binds the orders of a plan: constraints, who may take new risk on which side (+1, -1), budgets."""

    constraints: Constraints
    standing: Mapping[tuple[Owner, int], Standing] = field(default_factory=dict)
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """Gross and net exposure in quote currency, and headroom = 1 - used margin / equity where the margin is told."""

    gross: Fraction
    net: Fraction
    headroom: Fraction | None


@dataclass(frozen=True, slots=True)
class LegCost:
    """The estimated cost of a leg in basis points. None: COST_UNKNOWN."""

    leg: int
    cost: Cost | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan. `warnings` begin with a name and go on for people. `closes`: worlds, and strategies as
    world/strategy, whose positions it closes only because the set after does not name them. `exposures`: gross of each
    strategy before and after.
    """

    account: str
    sequence: int
    execution: Execution
    legs: tuple[PlannedLeg, ...]
    orders: tuple[PlannedOrder, ...]
    before: Totals
    after: Totals
    costs: tuple[LegCost, ...]
    choices: tuple[Choice, ...]
    warnings: tuple[str, ...]
    created_at: datetime
    valid_until: datetime
    plan_hash: str
    closes: tuple[str, ...] = ()
    exposures: Mapping[Owner, tuple[Fraction, Fraction]] = field(default_factory=dict)

    @property
    def dropped(self) -> tuple[PlannedLeg, ...]:
        """Legs of which nothing is traded."""
        return tuple(row for row in self.legs if row.is_dropped)


_Exposures = Mapping[tuple[str, str, str, str], Fraction]
"""Money of positions by world, strategy, venue and symbol, signed."""


def plan_of(book: Book, asked: Asked, rules: Rules, now: datetime) -> Plan:
    """The plan. Raises NotReady (E_MARK_MISSING, E_MARK_STALE), InvalidRequest (E_OVERLAY_PROXY,
    E_OVERLAY_DUPLICATE, E_FIELD), Exhausted (E_TOO_MANY_ROWS).
    """
    if not timedelta(0) < asked.valid_for <= VALID_FOR_MAX:
        raise refused("E_FIELD", "valid_for", str(asked.valid_for), f"above 0, at most {VALID_FOR_MAX}")
    priced = [(each.symbol, each.mark) for each in book.held if each.quantity]
    if asked.approach is not Approach.SCALE:
        priced += [(each.symbol, each.mark) for each in asked.proxies.values()]
    check_marks(priced, now, asked.price_age_max)
    held, renamed = aliased(book.held, rules.constraints)
    legs, choices, banded = _legs(held, asked)
    if renamed:
        legs = [replace(leg, notes=(*notes_of(leg.key, renamed), *leg.notes)) for leg in legs]
    if len(legs) > LEGS_MAX or len({leg.owner for leg in legs}) > STRATEGIES_MAX:
        raise Exhausted("E_TOO_MANY_ROWS", f"{len(legs)} legs, want at most {LEGS_MAX} of {STRATEGIES_MAX} strategies")
    planned, orders = _planned(held, legs, asked, rules)
    planned = [*planned, *banded]
    was, becomes = _exposures(held, planned)
    owners = _by_owner(was, becomes)
    before, after = _totals(book, was, becomes, owners)
    costs = tuple(LegCost(index, _cost(row, asked)) for index, row in enumerate(planned) if not row.is_dropped)
    closes = _closes(legs, asked)
    warnings = (
        *map(_closing, closes.items()), *_warnings(planned, choices, costs), *_hedge_warnings(held, legs, asked),
        *named_budgets(planned, rules.budgets), *_account_warnings(book, after, orders),
    )  # fmt: skip
    return Plan(
        book.account, book.sequence, asked.execution, tuple(planned), tuple(orders), before, after, costs,
        tuple(choices), warnings, now, now + asked.valid_for, _hash(book.account, asked, planned, orders),
        tuple(closes), owners,
    )  # fmt: skip


def _legs(held: Sequence[Held], asked: Asked) -> tuple[list[Leg], list[Choice], list[PlannedLeg]]:
    """Legs to trade, how a hybrid chose, and legs within the band."""
    places = {world: (proxy.venue, proxy.symbol) for world, proxy in asked.proxies.items()}
    if asked.approach is Approach.OVERLAY:
        changes = {world_id: g for world_id, g in asked.changes.items() if g != 1}
        check_proxies(changes, places)
        found = overlay_legs(held, changes, asked.proxies)
    else:
        found = legs_of(held, asked.scales, asked.mode)
    legs = [leg for leg in found if not asked.band or abs(leg.scale.g - 1) > asked.band]
    within = [leg for leg in found if abs(leg.scale.g - 1) <= asked.band] if asked.band else []
    banded = [PlannedLeg(leg, Fraction(0), (LegReason.WITHIN_BAND,)) for leg in within]
    if asked.approach is not Approach.HYBRID:
        return legs, [], banded
    check_proxies({leg.owner.world_id for leg in legs}, places)
    hedged = [leg for leg in legs if leg.owner.is_hedge]
    own = [leg for leg in legs if not leg.owner.is_hedge]
    choices = choices_of(own, asked.markets, asked.days, asked.cost_max_bps, asked.proxies)
    hedges = hybrid_hedges(choices, hedged, held, asked.markets, asked.proxies)
    return sorted([*(c.leg for c in choices if c.is_scaled), *hedges], key=lambda leg: leg.key), choices, banded


def _planned(
    held: Sequence[Held], legs: Sequence[Leg], asked: Asked, rules: Rules
) -> tuple[list[PlannedLeg], list[PlannedOrder]]:
    if asked.execution is Execution.NETTED:
        allowed = [leg for leg in legs if _closed(leg, rules) is None]
        shut = [PlannedLeg(leg, Fraction(0), (*leg.notes, reason)) for leg in legs if (reason := _closed(leg, rules))]
        rows = within_budgets(held, [PlannedLeg(leg, leg.delta, leg.notes) for leg in allowed], rules.budgets)
        shut += [row for row in rows if row.is_dropped]  # one share above its budget would deny the order of all
        planned, nets = netted_legs([row.leg for row in rows if not row.is_dropped], rules.constraints)
        orders = netted_orders(planned, nets, rules.constraints, asked.split)
        return [*planned, *shut], orders
    rows = rounded_legs(legs, rules.constraints)
    rows = [row if row.is_dropped or (why := _closed(row.leg, rules)) is None else row.dropped(why) for row in rows]
    planned = within_budgets(held, rows, rules.budgets)
    return planned, orders_of(planned, rules.constraints, asked.split)


def _closed(leg: Leg, rules: Rules) -> LegReason | None:
    """Increasing legs need an ACTIVE entry and an OPEN fence; reducing ones pass in a drain."""
    if leg.reduce_only:
        return None
    side = 1 if leg.delta > 0 else -1
    match rules.standing.get((leg.owner, side), Standing.NOT_ACTIVE):
        case Standing.OPEN:
            return None
        case Standing.FENCED:
            return LegReason.FENCED
        case _:
            return LegReason.NOT_ACTIVE


def _exposures(held: Sequence[Held], planned: Sequence[PlannedLeg]) -> tuple[_Exposures, _Exposures]:
    """Money of all positions at their marks, before and after what is traded."""
    before = {(*each.owner, each.venue, each.symbol): each.quantity * each.mark.value for each in held if each.mark}
    moved = {
        row.leg.key: (row.leg.quantity + row.rounded) * row.leg.mark.value for row in planned if not row.is_dropped
    }
    return before, {**before, **moved}


def _totals(
    book: Book, was: _Exposures, becomes: _Exposures, owners: Mapping[Owner, tuple[Fraction, Fraction]]
) -> tuple[Totals, Totals]:
    """Of the account before and after. Margin is taken to move with gross exposure."""
    gross = [total(sides) for sides in zip(*owners.values(), strict=True)] or [Fraction(0), Fraction(0)]
    headrooms: list[Fraction | None] = [None, None]
    if book.used_margin is not None and book.equity > 0:
        used = book.used_margin / book.equity
        headrooms = [1 - used, 1 - used * (gross[1] / gross[0] if gross[0] else 1)]
    before, after = map(Totals, gross, (total(was.values()), total(becomes.values())), headrooms)
    return before, after


def _by_owner(was: _Exposures, becomes: _Exposures) -> dict[Owner, tuple[Fraction, Fraction]]:
    """Gross exposure of each owner, before and after."""
    rows: dict[Owner, tuple[list[Fraction], list[Fraction]]] = {}
    for side, exposures in enumerate((was, becomes)):
        for (world_id, strategy_id, _, _), money in exposures.items():
            rows.setdefault(Owner(world_id, strategy_id), ([], []))[side].append(money)
    return {owner: (total_size(before), total_size(after)) for owner, (before, after) in rows.items()}


def _cost(row: PlannedLeg, asked: Asked) -> Cost | None:
    market = asked.markets.get(row.leg.symbol)
    return None if market is None else cost_of(market, decimal_of(row.rounded), asked.days)


def _closes(legs: Sequence[Leg], asked: Asked) -> dict[str, int]:
    """How many positions are closed of each world and strategy that nobody named, by name."""
    if asked.approach is Approach.OVERLAY:
        return {}
    held = [leg for leg in legs if leg.scale.g == 0 and (asked.approach is Approach.SCALE or not leg.owner.is_hedge)]
    found = Counter(asked.scales.left_out(leg.owner) for leg in held)
    return {name: found[name] for name in sorted(found) if name}


def _closing(closed: tuple[str, int]) -> str:
    name, positions = closed
    return (
        f"CLOSES: the set after does not name {name}, so its share is 0 and all its positions are closed ({positions})"
    )


def _warnings(planned: Sequence[PlannedLeg], choices: Sequence[Choice], costs: Sequence[LegCost]) -> tuple[str, ...]:
    found = []
    for row in planned:
        leg = row.leg
        if leg.scale.is_against_own:
            found.append(f"AGAINST_OWN_SHARE: {_named(leg)} moves by {leg.scale.g}, its own share by {leg.scale.own}")
    found += [
        f"{c.way.value}: {_named(c.leg)}" for c in choices if c.way in (Way.COST_UNKNOWN, Way.OVERLAY_UNCORRELATED)
    ]
    unknown = sorted({planned[each.leg].leg.symbol for each in costs if each.cost is None})
    if unknown:
        found.append(f"COST_UNKNOWN: {', '.join(unknown)}")
    return tuple(found)


def _hedge_warnings(held: Sequence[Held], legs: Sequence[Leg], asked: Asked) -> list[str]:
    """What a hedge leaves undone: beyond 0, and of strategies whose own shares change otherwise than their world's."""
    if asked.approach is Approach.SCALE:
        return []
    changes = {leg.owner.world_id: leg.scale.world for leg in legs if leg.owner.is_hedge}
    found = [
        f"HEDGE_AT_ZERO: the hedge of {world_id} ends at 0; scale {world_id} by {text_of(g, 9)} then, for the rest"
        for world_id, g in unfinished(legs, held, changes).items()
    ]
    if asked.approach is Approach.OVERLAY:
        other = {each.owner for each in held if each.owner.world_id in changes and each.quantity}
        named = sorted("/".join(o) for o in other if asked.scales.of(o, asked.mode).g != changes[o.world_id])
        found += [f"WORLD_ONLY: hedged by the change of its world, not by its own: {', '.join(named)}"] if named else []
    return found


def _account_warnings(book: Book, after: Totals, orders: Sequence[PlannedOrder]) -> tuple[str, ...]:
    found = []
    if over := sorted(book.ended & {order.symbol for order in orders if order.quantity}):
        found.append(f"NO_BARS_LEFT: the session that brings {', '.join(over)} has ended: no order in it fills")
    if book.gross_max is not None and after.gross > book.gross_max:
        found.append("GROSS_ABOVE_LIMIT: gross exposure after the plan is above the account's gross_max")
    if book.net_max is not None and abs(after.net) > book.net_max:
        found.append("NET_ABOVE_LIMIT: net exposure after the plan is above the account's net_max")
    if book.margin_untold:
        found.append("HEADROOM_UNKNOWN: the account is on margin, and its venue does not tell how much of it is used")
    if after.headroom is not None and after.headroom < HEADROOM_MIN:
        found.append("HEADROOM_LOW: less than a tenth of equity is free of margin after the plan")
    return tuple(found)


def _named(leg: Leg) -> str:
    return f"{leg.owner.world_id}/{leg.owner.strategy_id} {leg.symbol}"


def _hash(account: str, asked: Asked, planned: Sequence[PlannedLeg], orders: Sequence[PlannedOrder]) -> str:
    legs = [
        [
            *row.leg.key,
            str(row.leg.quantity),
            str(row.leg.delta),
            str(row.rounded),
            _words(r.value for r in row.reasons),
        ]
        for row in planned
    ]
    sent = [
        [order.venue, order.symbol, str(order.quantity), _words(order.slices), str(order.reduce_only),
         _words(order.legs), _words(order.shares)]
        for order in orders
    ]  # fmt: skip
    return digest(canonical_json([account, asked.content, asked.execution.value, legs, sent]))


def _words(values: Iterable[object]) -> str:
    """Numbers or names, none of which has a blank."""
    return " ".join(map(str, values))

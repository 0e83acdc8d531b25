"""Overlay: a world's book stays and a hedge in its proxy instrument stands for the change, or for its dear part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from qmtl.core.errors import InvalidRequest, refused
from worldservice.allocation.domain.amounts import decimal_of
from worldservice.allocation.domain.legs import Held, Leg, LegReason, Mark
from worldservice.allocation.domain.scaling import Scale
from worldservice.allocation.domain.shares import ONE, OVERLAY, Owner
from worldservice.allocation.domain.trading.cost import Market, cost_of

COST_MAX_BPS = Decimal(15)
CORRELATION_MIN = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Proxy:
    """The instrument that a world is hedged with. `mark` None: no price is known."""

    venue: str
    symbol: str
    mark: Mark | None


class Way(Enum):
    """How a symbol's change is made, and why."""

    SCALED = "SCALED"
    HEDGED = "HEDGED"
    COST_UNKNOWN = "COST_UNKNOWN"
    OVERLAY_UNCORRELATED = "OVERLAY_UNCORRELATED"


@dataclass(frozen=True, slots=True)
class Choice:
    """The way that a leg is made. COST_UNKNOWN is hedged, OVERLAY_UNCORRELATED is scaled. `bps`: of trading what all
    legs trade of its symbol; `hedge_bps`: of its own part of the hedge; None: unknown.
    """

    leg: Leg
    way: Way
    bps: Decimal | None
    hedge_bps: Decimal | None = None

    @property
    def is_scaled(self) -> bool:
        """Whether the position itself is traded."""
        return self.way in (Way.SCALED, Way.OVERLAY_UNCORRELATED)


def check_proxies(worlds: Iterable[str], proxies: Mapping[str, tuple[str, str]]) -> None:
    """Raises InvalidRequest (E_OVERLAY_PROXY, E_OVERLAY_DUPLICATE): each world that changes has one of its own."""
    if missing := sorted(set(worlds) - set(proxies)):
        raise InvalidRequest("E_OVERLAY_PROXY", f"no proxy for {', '.join(missing)}, want one a world")
    by_proxy: dict[tuple[str, str], str] = {}
    for world_id in sorted(proxies):
        other = by_proxy.setdefault(proxies[world_id], world_id)
        if other != world_id:
            shown = " ".join(proxies[world_id])
            raise refused("E_OVERLAY_DUPLICATE", f"proxies[{world_id}]", shown, f"not the proxy of {other} too")


def overlay_legs(held: Iterable[Held], changes: Mapping[str, Fraction], proxies: Mapping[str, Proxy]) -> list[Leg]:
    """A hedge per world whose scale gw is not 1: delta = (gw - 1) x world notional / (price x multiplier).

    What a world's overlay holds already counts as its notional: its hedge is what is traded.
    """
    rows = list(held)
    found = []
    for world_id in sorted(changes):
        money = (changes[world_id] - 1) * _notional(rows, world_id)
        found += _hedge(rows, world_id, money, changes[world_id], proxies[world_id])
    return found


def choices_of(
    legs: Sequence[Leg],
    markets: Mapping[str, Market],
    days: Decimal,
    cost_max_bps: Decimal = COST_MAX_BPS,
    proxies: Mapping[str, Proxy] | None = None,
) -> list[Choice]:
    """Hybrid: a symbol is scaled where trading it costs at most `cost_max_bps`, else hedged by beta to the proxy.

    Where the correlation to the proxy is unknown or below .5 a hedge would not hedge: scaled after all.
    """
    traded: dict[str, Fraction] = {}
    for leg in legs:
        traded[leg.symbol] = traded.get(leg.symbol, Fraction(0)) + abs(leg.delta)
    found = []
    for leg in legs:
        market = markets.get(leg.symbol)
        cost = None if market is None else cost_of(market, decimal_of(traded[leg.symbol]), days)
        bps = None if cost is None else cost.total
        if bps is not None and bps <= cost_max_bps:
            way = Way.SCALED
        elif market is None or market.beta is None or abs(market.correlation or Decimal(0)) < CORRELATION_MIN:
            way = Way.OVERLAY_UNCORRELATED
        else:
            way = Way.COST_UNKNOWN if bps is None else Way.HEDGED
        found.append(Choice(leg, way, bps, _hedge_bps(leg, markets, days, (proxies or {}).get(leg.owner.world_id))))
    return found


def hybrid_hedges(
    choices: Sequence[Choice],
    hedged: Sequence[Leg],
    held: Iterable[Held],
    markets: Mapping[str, Market],
    proxies: Mapping[str, Proxy],
) -> list[Leg]:
    """A hedge per world for the legs that are not scaled: their notional by beta, in the world's proxy.

    `hedged`: the changes of hedges held already, which are traded with it; those in another instrument stay legs.
    """
    rows, money, change = list(held), dict[str, Fraction](), dict[str, Fraction]()
    for choice in choices:
        if not choice.is_scaled:
            leg = choice.leg
            _add(money, leg.owner.world_id, leg.delta * leg.mark.value * Fraction(markets[leg.symbol].beta or 0))
            change[leg.owner.world_id] = leg.scale.world
    legs = []
    for leg in hedged:
        proxy = proxies[leg.owner.world_id]
        if (leg.venue, leg.symbol) == (proxy.venue, proxy.symbol):
            _add(money, leg.owner.world_id, leg.delta * leg.mark.value)
            change[leg.owner.world_id] = leg.scale.world
        else:
            legs.append(leg)
    for world_id in sorted(money):
        legs += _hedge(rows, world_id, money[world_id], change[world_id], proxies[world_id])
    return legs


def unfinished(legs: Sequence[Leg], held: Sequence[Held], asked: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """Of each world whose hedge was cut at 0 the scale that is still to be asked of it once `legs` are traded, its
    positions that are scaled among them: `asked` x notional before / notional after.
    """
    moved, found = dict[str, Fraction](), {}
    for leg in legs:
        _add(moved, leg.owner.world_id, leg.delta * leg.mark.value)
    for leg in legs:
        if LegReason.HEDGE_AT_ZERO in leg.notes:
            world_id = leg.owner.world_id
            before = _notional(held, world_id)
            after = before + moved[world_id]
            found[world_id] = asked[world_id] * before / after if after else asked[world_id]
    return found


def _add(money: dict[str, Fraction], world_id: str, more: Fraction) -> None:
    money[world_id] = money.get(world_id, Fraction(0)) + more


def _hedge(held: Sequence[Held], world_id: str, money: Fraction, change: Fraction, proxy: Proxy) -> list[Leg]:
    """The hedge's leg; it ends at 0 where it would go through it."""
    if proxy.mark is None or not money:
        return []
    owner, delta = Owner(world_id, OVERLAY), money / proxy.mark.value
    notes: tuple[LegReason, ...] = ()
    at = (owner, proxy.venue, proxy.symbol)
    before = sum((each.quantity for each in held if (each.owner, each.venue, each.symbol) == at), Fraction(0))
    if before * (before + delta) < 0:
        delta, notes = -before, (LegReason.HEDGE_AT_ZERO,)
    return [Leg(owner, proxy.venue, proxy.symbol, before, delta, Scale(change, change, ONE), proxy.mark, notes)]


def _hedge_bps(leg: Leg, markets: Mapping[str, Market], days: Decimal, proxy: Proxy | None) -> Decimal | None:
    """Cost of a leg's part of the hedge; None: unknown."""
    market = markets.get(leg.symbol)
    if proxy is None or proxy.mark is None or market is None or market.beta is None or proxy.symbol not in markets:
        return None
    quantity = leg.delta * leg.mark.value * Fraction(market.beta) / proxy.mark.value
    cost = cost_of(markets[proxy.symbol], decimal_of(quantity), days)
    return None if cost is None else cost.total


def _notional(held: Sequence[Held], world_id: str) -> Fraction:
    """What a world holds at its marks, signed, with its hedge."""
    mine = (each.quantity * each.mark.value for each in held if each.owner.world_id == world_id and each.mark)
    return sum(mine, Fraction(0))

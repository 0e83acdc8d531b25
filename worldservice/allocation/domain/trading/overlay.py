"""Overlay: a world's book stays and a hedge in its proxy instrument stands for the change, or for its dear part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from qmtl.core.errors import InvalidRequest, refused
from worldservice.allocation.domain.amounts import decimal_of
from worldservice.allocation.domain.legs import Held, Leg, Mark
from worldservice.allocation.domain.scaling import Scale
from worldservice.allocation.domain.shares import ONE, Owner
from worldservice.allocation.domain.trading.cost import Market, cost_of

OVERLAY = "@overlay"
"""The strategy of a world that its hedge belongs to."""
COST_MAX_BPS = Decimal(15)
CORRELATION_MIN = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Proxy:
    """The instrument that a world is hedged with."""

    venue: str
    symbol: str
    mark: Mark


class Way(Enum):
    """How a symbol's change is made, and why."""

    SCALED = "SCALED"
    HEDGED = "HEDGED"
    COST_UNKNOWN = "COST_UNKNOWN"
    OVERLAY_UNCORRELATED = "OVERLAY_UNCORRELATED"


@dataclass(frozen=True, slots=True)
class Choice:
    """The way that a leg is made. COST_UNKNOWN is hedged, OVERLAY_UNCORRELATED is scaled; `bps` None: unknown."""

    leg: Leg
    way: Way
    bps: Decimal | None

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
        notional = sum(
            (each.quantity * each.mark.value for each in rows if each.owner.world_id == world_id and each.mark),
            Fraction(0),
        )
        found += _hedge(rows, world_id, (changes[world_id] - 1) * notional, changes[world_id], proxies[world_id])
    return found


def choices_of(
    legs: Sequence[Leg], markets: Mapping[str, Market], days: Decimal, cost_max_bps: Decimal = COST_MAX_BPS
) -> list[Choice]:
    """Hybrid: a leg is scaled where its cost is at most `cost_max_bps`, else hedged by beta to the proxy.

    Where the correlation to the proxy is unknown or below .5 a hedge would not hedge: scaled after all.
    """
    found = []
    for leg in legs:
        market = markets.get(leg.symbol)
        cost = None if market is None else cost_of(market, decimal_of(leg.delta), days)
        if cost is not None and cost.total <= cost_max_bps:
            found.append(Choice(leg, Way.SCALED, cost.total))
        elif market is None or market.beta is None or abs(market.correlation or Decimal(0)) < CORRELATION_MIN:
            found.append(Choice(leg, Way.OVERLAY_UNCORRELATED, None if cost is None else cost.total))
        else:
            way = Way.COST_UNKNOWN if cost is None else Way.HEDGED
            found.append(Choice(leg, way, None if cost is None else cost.total))
    return found


def hybrid_hedges(
    choices: Sequence[Choice], held: Iterable[Held], markets: Mapping[str, Market], proxies: Mapping[str, Proxy]
) -> list[Leg]:
    """A hedge per world for the legs that are not scaled: their notional by beta, in the world's proxy."""
    rows, by_world = list(held), dict[str, Fraction]()
    for choice in choices:
        if not choice.is_scaled:
            leg = choice.leg
            beta = Fraction(markets[leg.symbol].beta or 0)
            money = leg.delta * leg.mark.value * beta
            by_world[leg.owner.world_id] = by_world.get(leg.owner.world_id, Fraction(0)) + money
    legs = []
    for world_id in sorted(by_world):
        change = next(c.leg.scale.world for c in choices if c.leg.owner.world_id == world_id)
        legs += _hedge(rows, world_id, by_world[world_id], change, proxies[world_id])
    return legs


def _hedge(held: Sequence[Held], world_id: str, money: Fraction, change: Fraction, proxy: Proxy) -> list[Leg]:
    delta = money / proxy.mark.value
    owner = Owner(world_id, OVERLAY)
    at = (owner, proxy.venue, proxy.symbol)
    before = sum((each.quantity for each in held if (each.owner, each.venue, each.symbol) == at), Fraction(0))
    if not delta:
        return []
    return [Leg(owner, proxy.venue, proxy.symbol, before, delta, Scale(change, change, ONE), proxy.mark)]

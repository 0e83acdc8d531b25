"""The scale of a position: how much of it is left after shares change. Delta = quantity x (g - 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Protocol

from worldservice.allocation.domain.shares import ONE, ZERO, Owner, Shares


class ScaleMode(Enum):
    """EXACT: the strategy's own change where it has one. WORLD_BOUND: never less of a change than its world's."""

    EXACT = "EXACT"
    WORLD_BOUND = "WORLD_BOUND"


@dataclass(frozen=True, slots=True)
class Scale:
    """What a position is multiplied by: `g`, from its world's `world` and its strategy's `own` change."""

    g: Fraction
    world: Fraction
    own: Fraction

    @property
    def is_against_own(self) -> bool:
        """Whether a position moves the other way than the strategy's own share: only WORLD_BOUND does that."""
        return self.g != self.own and (self.g - 1) * (self.own - 1) < 0


class Scales(Protocol):
    """Where scales come from: two sets of shares, or numbers that were asked for."""

    def of(self, owner: Owner, mode: ScaleMode) -> Scale: ...

    def left_out(self, owner: Owner) -> str:
        """What is without a share after the change because nobody named it: a world, or world/strategy. Else ""."""
        ...


def ratio(before: Fraction, after: Fraction) -> Fraction:
    """after / before; from nothing: 1 if there is something now, else 0."""
    if before == 0:
        return ONE if after > 0 else ZERO
    return after / before


def scale(world: Fraction, own: Fraction, mode: ScaleMode) -> Scale:
    """The scale under a mode. WORLD_BOUND: gw < 1: min(gw, gs); gw > 1: max(gw, gs); gw = 1: gs."""
    if mode is ScaleMode.EXACT or world == 1:
        return Scale(own, world, own)
    return Scale(min(world, own) if world < 1 else max(world, own), world, own)


@dataclass(frozen=True, slots=True)
class ShareChange:
    """Scales from the set before and the set after. A strategy that neither names changes as its world does, and so
    does the hedge of a world: its share bounds it, and says nothing of what it stands for.
    """

    before: Shares
    after: Shares

    def of(self, owner: Owner, mode: ScaleMode) -> Scale:
        """The scale of a position of this owner."""
        world = ratio(self.before.world(owner.world_id), self.after.world(owner.world_id))
        named = not owner.is_hedge and (owner in self.before.strategies or owner in self.after.strategies)
        own = ratio(self.before.strategy(owner), self.after.strategy(owner)) if named else world
        return scale(world, own, mode)

    def left_out(self, owner: Owner) -> str:
        """The world, or the strategy that only the set before names."""
        if owner.world_id not in self.after.worlds:
            return owner.world_id
        dropped = owner in self.before.strategies and owner not in self.after.strategies and not owner.is_hedge
        return f"{owner.world_id}/{owner.strategy_id}" if dropped else ""


@dataclass(frozen=True, slots=True)
class ExplicitScales:
    """Scales as they were asked for; who is not named stays as it is."""

    worlds: Mapping[str, Fraction] = field(default_factory=dict)
    strategies: Mapping[Owner, Fraction] = field(default_factory=dict)

    def of(self, owner: Owner, mode: ScaleMode) -> Scale:
        """The scale of a position of this owner."""
        world = self.worlds.get(owner.world_id, ONE)
        return scale(world, self.strategies.get(owner, world), mode)

    def left_out(self, owner: Owner) -> str:
        """Nobody: a scale of 0 was asked for."""
        return ""

"""Shares: which part of an account's equity its worlds, and the strategies in them, may use. A set names everything.

Who is absent from a set has share 0. Nothing here trades, opens or closes anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import Exhausted, InvalidRequest, NotFound, Violation, refused
from worldservice.allocation.domain.amounts import text_of

OVERLAY = "@overlay"
"""The strategy of a world that its hedge belongs to. Its share is what the hedge may use, beside the world's."""
SHARE_PLACES = 9
STRATEGIES_MAX = 2_000
CASH_BUFFER = Fraction(2, 100)
ZERO, ONE = Fraction(0), Fraction(1)


class Owner(NamedTuple):
    """A strategy in a world, as brokerage books its orders."""

    world_id: str
    strategy_id: str

    @property
    def is_hedge(self) -> bool:
        """Whether it is the world's hedge."""
        return self.strategy_id == OVERLAY


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of one account. Absent is 0."""

    worlds: Mapping[str, Fraction] = field(default_factory=dict)
    strategies: Mapping[Owner, Fraction] = field(default_factory=dict)

    @property
    def named(self) -> frozenset[str]:
        """Worlds that have a share or whose strategies have."""
        return frozenset({*self.worlds, *(owner.world_id for owner in self.strategies)})

    def over(self, world_ids: Iterable[str]) -> Shares:
        """With 0 written for those of these worlds that are absent."""
        return replace(self, worlds={**dict.fromkeys(world_ids, ZERO), **self.worlds})

    def world(self, world_id: str) -> Fraction:
        """The share of a world."""
        return self.worlds.get(world_id, ZERO)

    def strategy(self, owner: Owner) -> Fraction:
        """The share of a strategy in a world."""
        return self.strategies.get(owner, ZERO)


@dataclass(frozen=True, slots=True)
class Terms:
    """What goes with a set: equity that no world may use, and whether another person executes than applied."""

    cash_buffer: Fraction = CASH_BUFFER
    two_person: bool = False


@dataclass(frozen=True, slots=True)
class AllocationSet:
    """A set as it was recorded. `revision` counts from 1 per account; `content` is the digest of what was asked."""

    account: str
    revision: int
    run_id: str
    shares: Shares
    terms: Terms
    reason: str
    actor: str
    created_at: datetime
    content: str


def share_of(text: str, path: str) -> Fraction:
    """A share of 0 to 1 with at most 9 places. Raises InvalidRequest (E_SHARE)."""
    try:
        value = parse_decimal(text, path)
    except InvalidRequest:
        raise refused("E_SHARE", path, repr(text[:60]), "a plain decimal of 0 to 1") from None
    if not 0 <= value <= 1:
        raise refused("E_SHARE", path, text, "0 to 1")
    if Fraction(value) * 10**SHARE_PLACES % 1:
        raise refused("E_SHARE", path, text, f"at most {SHARE_PLACES} decimal places")
    return Fraction(value)


def shares_of(worlds: Iterable[tuple[str, str]], strategies: Iterable[tuple[str, str, str]]) -> Shares:
    """A set from rows of text: (world, share) and (world, strategy, share).

    Raises InvalidRequest (E_SHARE, E_DUPLICATE_KEY), Exhausted (E_TOO_MANY_ROWS).
    """
    by_world: dict[str, Fraction] = {}
    by_owner: dict[Owner, Fraction] = {}
    for index, (world_id, text) in enumerate(worlds):
        _once(by_world, world_id, f"worlds[{index}]", world_id)
        by_world[world_id] = share_of(text, f"worlds[{index}].share")
    for index, (world_id, strategy_id, text) in enumerate(strategies):
        owner = Owner(world_id, strategy_id)
        _once(by_owner, owner, f"strategies[{index}]", f"{world_id}/{strategy_id}")
        by_owner[owner] = share_of(text, f"strategies[{index}].share")
    if max(len(by_owner), len(by_world)) > STRATEGIES_MAX:
        raise Exhausted("E_TOO_MANY_ROWS", f"{len(by_owner)} strategies, want at most {STRATEGIES_MAX}")
    return Shares(by_world, by_owner)


def check_shares(shares: Shares, terms: Terms) -> None:
    """Every sum that is too large, all told together. Raises InvalidRequest (E_SHARE) with path and sum.

    The share of a world's hedge counts among the worlds', not within its world's: what it hedges stays.
    """
    found: list[Violation] = []
    hedges = sum((share for owner, share in shares.strategies.items() if owner.is_hedge), ZERO)
    total, most = sum(shares.worlds.values(), hedges), ONE - terms.cash_buffer
    if total > most:
        named = f"worlds and {OVERLAY}" if hedges else "worlds"
        found.append(Violation(named, f"sum {text_of(total, 9)}", f"at most {text_of(most, 9)}, the rest is cash"))
    inner = {owner: share for owner, share in shares.strategies.items() if not owner.is_hedge}
    for world_id in sorted({owner.world_id for owner in inner}):
        inside = sum((share for owner, share in inner.items() if owner.world_id == world_id), ZERO)
        if inside > shares.world(world_id):
            want = f"at most the world's {text_of(shares.world(world_id), 9)}"
            found.append(Violation(f"strategies of {world_id}", f"sum {text_of(inside, 9)}", want))
    if found:
        raise InvalidRequest("E_SHARE", "; ".join(map(str, found)), violations=tuple(found))


def check_known(shares: Shares, served: Collection[str], bound: Collection[Owner], account: str) -> None:
    """Raises NotFound (E_WORLD_UNKNOWN, E_STRATEGY_UNKNOWN) naming all that the account or its worlds do not have."""
    if strangers := sorted(shares.named - set(served)):
        raise NotFound("E_WORLD_UNKNOWN", f"account {account} does not serve {_list(strangers)}")
    strangers_in = {owner for owner in shares.strategies if not owner.is_hedge} - set(bound)
    if unbound := sorted("/".join(owner) for owner in strangers_in):
        raise NotFound("E_STRATEGY_UNKNOWN", f"not bound: {_list(unbound)}")


def _once(seen: Collection[object], key: object, path: str, shown: str) -> None:
    if key in seen:
        raise refused("E_DUPLICATE_KEY", path, shown, "each once")


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(names[:20]) + more

"""Positions, shares and plans for the tests of allocations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction

from worldservice.allocation.domain.legs import Held, Mark
from worldservice.allocation.domain.plan import Asked, Book, Plan, Rules, Standing, plan_of
from worldservice.allocation.domain.scaling import ExplicitScales, ScaleMode, Scales
from worldservice.allocation.domain.shares import Owner, Shares, shares_of
from worldservice.allocation.domain.trading.constraints import Constraints, Row, Terms, constraints_of
from worldservice.allocation.domain.trading.netting import Execution

NOW = datetime(2026, 3, 2, 14, 3, tzinfo=UTC)
MARK = Mark(Fraction(60_000), Fraction(1), NOW)
F = Fraction


def shares(worlds: Mapping[str, str], strategies: Mapping[str, str] | None = None) -> Shares:
    """A set from text; strategies by "world/strategy"."""
    rows = [(*key.split("/"), share) for key, share in (strategies or {}).items()]
    return shares_of(worlds.items(), [(world, strategy, share) for world, strategy, share in rows])


def held(owner: str, quantity: str, symbol: str = "BTC", mark: Mark | None = MARK, venue: str = "paper") -> Held:
    """A position of "world/strategy"."""
    world, strategy = owner.split("/")
    return Held(Owner(world, strategy), venue, symbol, Fraction(quantity), mark)


def lots(lot: str, **more: str) -> Constraints:
    """Constraints of every symbol."""
    terms = Terms(Fraction(lot), **{name: Fraction(value) for name, value in more.items()})  # type: ignore[arg-type]
    return constraints_of([Row("", "", terms)], {})


def scaled(**owners: str) -> ExplicitScales:
    """Scales of worlds."""
    return ExplicitScales({world: Fraction(g) for world, g in owners.items()})


def planned(
    rows: list[Held],
    scales: Scales,
    constraints: Constraints,
    execution: Execution = Execution.PER_WORLD,
    mode: ScaleMode = ScaleMode.EXACT,
    **more: object,
) -> Plan:
    """A plan in which everybody may take new risk."""
    open_to_all = {(each.owner, side): Standing.OPEN for each in rows for side in (1, -1)}
    asked = Asked("asked", scales, {}, mode, execution, **more)  # type: ignore[arg-type]
    book = Book("main", 7, Fraction(1_000_000), tuple(rows))
    return plan_of(book, asked, Rules(constraints, open_to_all), NOW)

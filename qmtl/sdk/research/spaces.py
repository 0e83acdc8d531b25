"""A space of parameters, and points of it drawn at random."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qmtl.core.errors import refused
from qmtl.sdk.research.trials import Params, Value

_DRAWS_PER_TRY = 50
_POINTS_SEARCHED = 10_000
"""Of so many points the last that was not seen is found as well."""


@dataclass(frozen=True, slots=True)
class Between:
    """A number from low to high, both included: whole if both are."""

    low: float
    high: float

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def draw(self, random: np.random.Generator) -> Value:
        if self.whole:
            return int(random.integers(int(self.low), int(self.high) + 1))
        return float(random.uniform(self.low, self.high))


Space = Mapping[str, Sequence[Value] | Between]
Point = tuple[Value, ...]


def check_space(space: Space, trials: int) -> None:
    """Raises InvalidRequest (E_FIELD) for an empty space or parameter, bounds in the wrong order, too few points."""
    if not space or trials < 1:
        raise refused("E_FIELD", "space" if not space else "trials", len(space) if not space else trials, "1 or more")
    for name, each in space.items():
        if isinstance(each, Between) and not -math.inf < each.low <= each.high < math.inf:
            raise refused("E_FIELD", f"space of {name}", f"{each.low} to {each.high}", "two numbers, low <= high")
        if not isinstance(each, Between) and not each:
            raise refused("E_FIELD", f"space of {name}", "empty", "1 value or more")
    if (points := points_of(space)) < trials:
        raise refused("E_FIELD", "trials", trials, f"no more than the points of the space, which are {points:g}")


def points_of(space: Space) -> float:
    """How many points a space has; infinity with a parameter that is not whole."""
    return math.prod(
        (each.high - each.low + 1 if each.whole else math.inf if each.high > each.low else 1)
        if isinstance(each, Between)
        else len(set(each))
        for each in space.values()
    )


def point_of(params: Params) -> Point:
    """What tells two tries apart."""
    return tuple(params.values())


def drawn(space: Space, count: int, random: np.random.Generator, seen: set[Point]) -> Iterator[Params]:
    """`count` points that are not among those seen, which they join. Raises InvalidRequest (E_FIELD)."""
    left = count
    for _ in range(max(count, int(min(points_of(space), _POINTS_SEARCHED))) * _DRAWS_PER_TRY):
        params = {
            name: each.draw(random) if isinstance(each, Between) else each[int(random.integers(len(each)))]
            for name, each in space.items()
        }
        if point_of(params) not in seen:
            seen.add(point_of(params))
            yield params
            left -= 1
        if not left:
            return
    raise refused("E_FIELD", "trials", count, f"no more than the points of the space; {count - left} were found")

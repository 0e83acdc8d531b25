"""Exposures summed by account, world, strategy, symbol and sector, exactly, with what limits leave of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from worldservice.risk.domain.scope import Scope, ScopeKind
from worldservice.risk.domain.snapshot import Exposure

UNKNOWN_SECTOR = "?"
ZERO = Decimal(0)


class ExposureGroup(Enum):
    """What exposures are summed by."""

    ACCOUNT = "ACCOUNT"
    WORLD = "WORLD"
    STRATEGY = "STRATEGY"
    SYMBOL = "SYMBOL"
    SECTOR = "SECTOR"


@dataclass(frozen=True, slots=True)
class GroupLimit:
    """The most that a group may have; `net`: of the absolute net, else of the gross with what is reserved."""

    most: Decimal
    net: bool = False


@dataclass(frozen=True, slots=True)
class ExposureRow:
    """Exposure of one group. `reserved` None: not told for all of it. `limit` None: none binds it."""

    group: ExposureGroup
    name: str
    gross: Decimal
    net: Decimal
    reserved: Decimal | None
    limit: GroupLimit | None = None

    @property
    def headroom(self) -> Decimal | None:
        """What the limit leaves; negative: beyond it."""
        if self.limit is None:
            return None
        used = abs(self.net) if self.limit.net else self.gross + (self.reserved or ZERO)
        return self.limit.most - used


Limits = Mapping[tuple[ExposureGroup, str], GroupLimit]


def exposure_rows(scope: Scope, exposures: Sequence[Exposure], limits: Limits | None = None) -> list[ExposureRow]:
    """Rows by group, then name. Gross is the sum of |notional| of positions, so that no strategy hides another's."""
    groups: dict[ExposureGroup, Callable[[Exposure], str]] = {
        ExposureGroup.ACCOUNT: lambda one: scope.name if scope.kind is ScopeKind.ACCOUNT else "",
        ExposureGroup.WORLD: lambda one: world_of_id(scope, one.strategy_id),
        ExposureGroup.STRATEGY: lambda one: one.strategy_id,
        ExposureGroup.SYMBOL: lambda one: one.symbol,
        ExposureGroup.SECTOR: lambda one: one.sector or UNKNOWN_SECTOR,
    }
    rows: list[ExposureRow] = []
    for group, name_of in groups.items():
        members: dict[str, list[Exposure]] = {}
        for one in exposures:
            if (name := name_of(one)) or group is not ExposureGroup.ACCOUNT:
                members.setdefault(name, []).append(one)
        rows += [_row(group, name, members[name], (limits or {}).get((group, name))) for name in sorted(members)]
    return rows


def world_of_id(scope: Scope, strategy_id: str) -> str:
    """The world of an id of a snapshot: the scope's own, or the part before the slash."""
    return scope.name if scope.kind is ScopeKind.WORLD else strategy_id.partition("/")[0]


def _row(group: ExposureGroup, name: str, members: Sequence[Exposure], limit: GroupLimit | None) -> ExposureRow:
    told = [one.reserved for one in members if one.reserved is not None]
    return ExposureRow(
        group=group,
        name=name,
        gross=sum((abs(one.notional) for one in members), ZERO),
        net=sum((one.notional for one in members), ZERO),
        reserved=sum(told, ZERO) if len(told) == len(members) else None,
        limit=limit,
    )

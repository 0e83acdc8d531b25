"""A snapshot: what a producer measured of a scope at one instant, and the hash of that. It derives nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum

from qmtl.core.decimals import format_decimal
from qmtl.core.identity.canonical import Json, canonical_json, digest
from qmtl.core.instants import timestamp_text
from worldservice.risk.domain.returns import DailyReturns
from worldservice.risk.domain.scope import Scope

CASH = "@cash"
TTL = timedelta(seconds=900)
TTL_MAX = timedelta(seconds=86_400)


class RiskStage(Enum):
    """Which trading a snapshot is of; paper and live never meet."""

    PAPER = "PAPER"
    LIVE = "LIVE"


@dataclass(frozen=True, slots=True)
class Exposure:
    """One position of a strategy, valued in the currency of the scope's capital."""

    strategy_id: str
    symbol: str
    quantity: Decimal
    mark: Decimal
    notional: Decimal  # signed: quantity x mark x multiplier
    sector: str = ""
    asset_class: str = ""
    reserved: Decimal | None = None  # what open orders may add to its gross; None: not told


@dataclass(frozen=True, slots=True)
class Scenario:
    """Shocks as fractions of price, by symbol, else sector, else asset class; or a window of past days."""

    name: str
    by_symbol: Mapping[str, float]
    by_sector: Mapping[str, float]
    by_asset_class: Mapping[str, float]
    window: tuple[date, date] | None = None  # both ends included


@dataclass(frozen=True, slots=True)
class CovarianceTriangle:
    """A covariance as it was sent: sorted ids, lower triangle by rows with the diagonal, per day, fractions squared."""

    ids: tuple[str, ...]
    triangle: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who measured, at which stage, from which point of an account's ledger."""

    actor: str
    stage: RiskStage
    net_of_costs: bool = True
    account_sequence: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """See risk.proto. `capital` is the scope's equity in `currency`; None: nothing is measured against it."""

    scope: Scope
    version: str
    as_of: datetime
    weights: Mapping[str, float]
    returns: Mapping[str, DailyReturns]
    provenance: Provenance
    covariance: CovarianceTriangle | None = None
    exposures: tuple[Exposure, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    capital: Decimal | None = None
    currency: str = ""
    ttl: timedelta = TTL

    @property
    def expires_at(self) -> datetime:
        """When it is no longer fresh: counted from what it is of, so that an old fact posted late is not fresh."""
        return self.as_of + self.ttl

    def shares(self) -> dict[str, float]:
        """The weights divided by their sum, sorted by id, with cash."""
        total = sum(self.weights[name] for name in sorted(self.weights))
        return {name: self.weights[name] / total for name in sorted(self.weights)}

    def invested(self) -> dict[str, float]:
        """The shares of strategies that have one, without cash."""
        return {name: share for name, share in self.shares().items() if share > 0 and name != CASH}

    def content_hash(self) -> str:
        """BLAKE3 of the canonical JSON of all content."""
        return digest(canonical_json(content_of(self)))


def content_of(snapshot: Snapshot) -> Json:
    """What the hash is of: all that was measured, by whom, and for how long it holds."""
    covariance = snapshot.covariance
    return {
        "scope": snapshot.scope.text,
        "version": snapshot.version,
        "as_of": timestamp_text(snapshot.as_of),
        "ttl_s": int(snapshot.ttl.total_seconds()),
        "weights": dict(snapshot.weights),
        "returns": {name: _returns(one) for name, one in snapshot.returns.items()},
        "covariance": None if covariance is None else {"ids": covariance.ids, "triangle": covariance.triangle},
        "exposures": [_exposure(one) for one in snapshot.exposures],
        "scenarios": [_scenario(one) for one in snapshot.scenarios],
        "capital": None if snapshot.capital is None else format_decimal(snapshot.capital),
        "currency": snapshot.currency,
        "provenance": {
            "actor": snapshot.provenance.actor,
            "stage": snapshot.provenance.stage.value,
            "frequency": "DAILY",
            "net_of_costs": snapshot.provenance.net_of_costs,
            "account_sequence": str(snapshot.provenance.account_sequence),
        },
    }


def _returns(one: DailyReturns) -> Json:
    return {"days": runs_of(one.days), "values": one.values, "closed": runs_of(one.closed)}


def runs_of(days: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending days as runs (first day, number of days) without a hole: the one short form of them."""
    if days and days[-1] - days[0] + 1 == len(days):
        return [(days[0], len(days))]
    runs: list[tuple[int, int]] = []
    for day in days:
        if runs and day == runs[-1][0] + runs[-1][1]:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((day, 1))
    return runs


def _exposure(one: Exposure) -> Json:
    return {
        "strategy_id": one.strategy_id,
        "symbol": one.symbol,
        "quantity": format_decimal(one.quantity),
        "mark": format_decimal(one.mark),
        "notional": format_decimal(one.notional),
        "sector": one.sector,
        "asset_class": one.asset_class,
        "reserved": None if one.reserved is None else format_decimal(one.reserved),
    }


def _scenario(one: Scenario) -> Json:
    return {
        "name": one.name,
        "by_symbol": dict(one.by_symbol),
        "by_sector": dict(one.by_sector),
        "by_asset_class": dict(one.by_asset_class),
        "window": None if one.window is None else [day.isoformat() for day in one.window],
    }

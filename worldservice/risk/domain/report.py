"""The risk report of a snapshot: every number by the formulas beside, with its method and its sample.

Pure: the same snapshot gives the same bits. What cannot be computed is absent and says why, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import NotReady, QmtlError
from qmtl.stats.drawdowns import drawdowns
from worldservice.policy.domain.risk.terms import SCOPE_FIGURES
from worldservice.risk.domain.covariance import (
    Covariance,
    covariance_of_days,
    covariance_of_triangle,
    quadratic_vol,
    sample_short,
)
from worldservice.risk.domain.returns import SharedReturns, shared_returns
from worldservice.risk.domain.snapshot import Snapshot
from worldservice.risk.domain.stress import StressLoss, correlation_one, past_window, shocked, worst_windows
from worldservice.risk.domain.tail_risk import (
    HISTORY_DAYS_MIN,
    TailRisk,
    components,
    historical_tail,
    normal_tail,
)

if TYPE_CHECKING:
    from qmtl.core.arrays.types import Floats

SAMPLE_SHORT = "RISK_SAMPLE_SHORT"


@dataclass(frozen=True, slots=True)
class StrategyRisk:
    """One strategy of a report: share of capital, daily vol, component of VaR 99 and its share; drawdown now."""

    strategy_id: str
    weight: float
    vol: float | None
    component: float | None
    component_share: float | None
    drawdown: float | None


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is absent from a report, why, and what it would take."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class RiskReport:
    """All risk numbers of a snapshot. `normal`, `historical` None: see `missing`.

    `shrinkage` and `covariance_days` are of a derived covariance; `history_days` are those of the historical method.
    """

    snapshot_version: str
    snapshot_hash: str
    as_of: datetime
    normal: TailRisk | None
    historical: TailRisk | None
    vol: float | None
    strategies: tuple[StrategyRisk, ...]
    stress: tuple[StressLoss, ...]
    drawdown: float | None
    leverage: float | None
    shrinkage: float | None
    covariance_days: int | None
    history_days: int
    missing: tuple[Shortfall, ...]

    @property
    def figures(self) -> Mapping[str, float]:
        """The numbers by name (see SCOPE_FIGURES) that this report has: what limits and rules read."""
        found: dict[str, float | None] = {}
        for method, tail in (("normal", self.normal), ("historical", self.historical)):
            for name in ("var_99", "es_99", "var_975", "es_975"):
                value = None if tail is None else getattr(tail, name)
                found[f"{name}_{method}"] = value
                found[name] = _larger(found.get(name), value)
        found["vol"] = self.vol
        found["drawdown"] = self.drawdown
        found["leverage"] = self.leverage
        found["stress_loss"] = max((one.loss for one in self.stress), default=None)
        found["component_share"] = max(
            (one.component_share for one in self.strategies if one.component_share is not None), default=None
        )
        return {name: value for name in SCOPE_FIGURES if (value := found.get(name)) is not None}

    def strategy_figures(self, strategy_id: str) -> Mapping[str, float]:
        """What rules about a single strategy read: its own drawdown, vol, component_share."""
        one = next((each for each in self.strategies if each.strategy_id == strategy_id), None)
        values = (
            {} if one is None else {"drawdown": one.drawdown, "vol": one.vol, "component_share": one.component_share}
        )
        return {name: value for name, value in values.items() if value is not None}


def risk_report(snapshot: Snapshot, content_hash: str = "") -> RiskReport:
    """Every number of a snapshot.

    Raises NotReady (E_RISK_INPUT), naming the strategies, where there is neither a covariance nor a return of a
    strategy with a weight; too few days leave numbers out, and `missing` says which and why.
    """
    weights = snapshot.invested()
    check_inputs(snapshot, weights)
    shared = days_of(snapshot, tuple(weights))
    vector = np.array(list(weights.values()))
    book = shared.weighted(vector) if shared.ids else np.empty(0)
    missing: list[Shortfall] = []
    covariance = _covariance(snapshot, shared, missing)
    historical = historical_tail(book)
    if historical is None and weights:
        missing.append(_history_short(snapshot, shared))
    vol = None if covariance is None else quadratic_vol(vector, covariance.of(tuple(weights)))
    return RiskReport(
        snapshot_version=snapshot.version,
        snapshot_hash=content_hash or snapshot.content_hash(),
        as_of=snapshot.as_of,
        normal=None if vol is None else normal_tail(vol),
        historical=historical,
        vol=vol,
        strategies=_strategies(snapshot, weights, covariance),
        stress=tuple(_stress(snapshot, weights, covariance, shared, book, missing)),
        drawdown=_drawdown(book),
        leverage=_leverage(snapshot),
        shrinkage=None if covariance is None else covariance.shrinkage,
        covariance_days=None if covariance is None else covariance.days,
        history_days=len(book),
        missing=tuple(missing),
    )


def check_inputs(snapshot: Snapshot, weights: Mapping[str, float]) -> None:
    """Raises NotReady (E_RISK_INPUT) naming the strategies of which neither returns nor covariance are known."""
    covered = frozenset(() if snapshot.covariance is None else snapshot.covariance.ids)
    unknown = [name for name in weights if name not in covered and not _has_returns(snapshot, name)]
    if unknown:
        raise NotReady(
            "E_RISK_INPUT",
            f"snapshot {snapshot.version} has neither returns nor a covariance of {', '.join(unknown)}",
            hint="put a snapshot with the daily returns of every strategy that has a weight",
            metadata={"strategy_ids": ",".join(unknown)},
        )


def days_of(snapshot: Snapshot, ids: tuple[str, ...]) -> SharedReturns:
    """The days that these strategies share; no column where one of them has no returns at all. `ids` sorted."""
    if not all(_has_returns(snapshot, name) for name in ids):
        return shared_returns({})
    return shared_returns({name: snapshot.returns[name] for name in ids})


def covariance_of_snapshot(snapshot: Snapshot, shared: SharedReturns) -> Covariance:
    """The covariance that was sent, else that of the shared days. Raises NotReady (E_RISK_SAMPLE_SHORT)."""
    if snapshot.covariance is not None:
        return covariance_of_triangle(snapshot.covariance.ids, snapshot.covariance.triangle)
    return covariance_of_days(shared, snapshot.returns)


def _covariance(snapshot: Snapshot, shared: SharedReturns, missing: list[Shortfall]) -> Covariance | None:
    try:
        if snapshot.covariance is None and not shared.ids:
            return Covariance((), np.empty((0, 0)))
        return covariance_of_snapshot(snapshot, shared)
    except QmtlError as error:
        if error.reason != "E_RISK_SAMPLE_SHORT":
            raise
        missing.append(Shortfall(SAMPLE_SHORT, error.message))
        return None


def _history_short(snapshot: Snapshot, shared: SharedReturns) -> Shortfall:
    returns = {name: snapshot.returns[name] for name in snapshot.invested() if _has_returns(snapshot, name)}
    absent = [name for name in snapshot.invested() if name not in returns]
    if absent:
        return Shortfall(SAMPLE_SHORT, f"the historical method has no returns of {', '.join(absent)}")
    short = sample_short("the historical method", len(shared), HISTORY_DAYS_MIN, returns)
    return Shortfall(SAMPLE_SHORT, short.message)


def _strategies(
    snapshot: Snapshot, weights: Mapping[str, float], covariance: Covariance | None
) -> tuple[StrategyRisk, ...]:
    parts = {} if covariance is None else components(weights, covariance)
    total = math.fsum(parts.values())
    vols = {} if covariance is None else dict(zip(covariance.ids, covariance.vols().tolist(), strict=True))
    found = []
    for name, weight in weights.items():
        part = parts.get(name)
        returns = snapshot.returns.get(name)
        found.append(
            StrategyRisk(
                strategy_id=name,
                weight=weight,
                vol=vols.get(name),
                component=part,
                component_share=part / total if part is not None and total > 0 else None,
                drawdown=None if returns is None else _drawdown(np.array(returns.values)),
            )
        )
    return tuple(found)


def _stress(
    snapshot: Snapshot,
    weights: Mapping[str, float],
    covariance: Covariance | None,
    shared: SharedReturns,
    book: Floats,
    missing: list[Shortfall],
) -> list[StressLoss]:
    found = [] if covariance is None else [correlation_one(weights, covariance)]
    found += worst_windows(book)
    for scenario in snapshot.scenarios:
        if scenario.window is not None:
            past = past_window(scenario, shared, np.array(list(weights.values())))
            if past is None:
                missing.append(Shortfall(SAMPLE_SHORT, f"scenario {scenario.name}: no shared day lies in its window"))
            else:
                found.append(past)
        elif snapshot.capital is not None and snapshot.capital > 0:
            found.append(shocked(scenario, snapshot.exposures, snapshot.capital))
        else:
            missing.append(Shortfall("E_RISK_INPUT", f"scenario {scenario.name}: the snapshot has no capital above 0"))
    return found


def _drawdown(returns: Floats) -> float | None:
    """How far the compounded returns stand below their peak now, the start included."""
    if not len(returns):
        return None
    curve = np.concatenate(([1.0], np.cumprod(1.0 + returns)))
    return float(drawdowns(curve)[-1])


def _leverage(snapshot: Snapshot) -> float | None:
    """Gross exposure over capital; None without a capital above 0."""
    if snapshot.capital is None or snapshot.capital <= 0:
        return None
    return float(sum(abs(one.notional) for one in snapshot.exposures) / snapshot.capital)


def _has_returns(snapshot: Snapshot, name: str) -> bool:
    returns = snapshot.returns.get(name)
    return returns is not None and len(returns.days) > 0


def _larger(first: float | None, second: float | None) -> float | None:
    """The larger of the two that are known."""
    known = [value for value in (first, second) if value is not None]
    return max(known, default=None)

"""Forecasts of VaR and ES as they were stored before the return came, joined with the returns that came since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from worldservice.risk.domain.forecasts.backtest import ForecastDay
from worldservice.risk.domain.report import RiskReport
from worldservice.risk.domain.returns import DailyReturns, SharedReturns, shared_returns

FIGURES = ("var_99", "var_975", "es_975")


@dataclass(frozen=True, slots=True)
class Forecast:
    """The first report of a UTC day (its ordinal): the larger method's figures, and the book they are of."""

    day: int
    snapshot_version: str
    weights: Mapping[str, float]
    var_99: float
    var_975: float
    es_975: float


def forecast_of(report: RiskReport, weights: Mapping[str, float]) -> Forecast | None:
    """What a report forecasts for the UTC day of its as_of; None where it lacks the numbers."""
    figures = report.figures
    if not all(name in figures for name in FIGURES) or not weights:
        return None
    return Forecast(
        report.as_of.date().toordinal(),
        report.snapshot_version,
        dict(weights),
        *(figures[name] for name in FIGURES),
    )


def forecast_days(
    forecasts: Sequence[Forecast], returns: Mapping[str, DailyReturns], first_day: int, last_day: int
) -> tuple[list[ForecastDay], int]:
    """Forecasts with the return of their book, oldest first, and how many days of the window lack either.

    Days when a member's calendar is closed compound into the next day open to all, and are judged by the forecast of
    the first day of them: the others came when a part of that return was known.
    """
    by_day = {one.day: one for one in forecasts if first_day <= one.day <= last_day}
    cache: dict[tuple[str, ...], tuple[SharedReturns, dict[int, int]]] = {}
    found: dict[int, ForecastDay] = {}
    covered: set[int] = set()
    for one in by_day.values():
        ids = tuple(sorted(one.weights))
        if ids not in cache:
            known = {name: returns[name] for name in ids if name in returns and returns[name].days}
            shared = shared_returns(known if len(known) == len(ids) else {})
            cache[ids] = (shared, {int(start): at for at, start in enumerate(shared.starts)})
        shared, rows = cache[ids]
        at = rows.get(one.day)
        if at is None:
            continue
        weights = np.array([one.weights[name] for name in ids])
        day = int(shared.days[at])
        found[one.day] = ForecastDay(day, one.var_99, one.var_975, one.es_975, float(shared.rows[at] @ weights))
        covered.update(range(one.day, day + 1))
    window = set(range(first_day, last_day + 1))
    return [found[day] for day in sorted(found)], len(window - covered)

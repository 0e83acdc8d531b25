"""Reports, tests of forecasts, breaches, exposures and account limits as messages. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.decimals import format_decimal
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.wire.instants import instant_to_proto
from qmtl.wire.mapping import mapper
from worldservice.risk.domain.breaches.breach import Breach
from worldservice.risk.domain.exposure import ExposureRow
from worldservice.risk.domain.forecasts.backtest import ForecastDay, ForecastTests, LikelihoodRatio
from worldservice.risk.domain.report import RiskReport, StrategyRisk
from worldservice.risk.domain.scope import Scope
from worldservice.risk.domain.tail_risk import TailRisk
from worldservice.risk.wire.snapshots import figures_to_proto

_strategy_to_proto = mapper(StrategyRisk, riskpb.StrategyRisk)


def report_to_proto(scope: Scope, report: RiskReport, strategies: Iterable[StrategyRisk]) -> riskpb.RiskReport:
    """A report with the rows of strategies that the caller may see."""
    return riskpb.RiskReport(
        scope=scope.text,
        snapshot_version=report.snapshot_version,
        snapshot_hash=report.snapshot_hash,
        as_of=instant_to_proto(report.as_of),
        normal=tail_to_proto(report.normal),
        historical=tail_to_proto(report.historical),
        figures=figures_to_proto(report.figures),
        strategies=map(_strategy_to_proto, strategies),
        stress=[riskpb.StressLoss(name=one.name, loss=one.loss, unshocked=one.unshocked) for one in report.stress],
        shrinkage=report.shrinkage,
        covariance_days=report.covariance_days or 0,
        history_days=report.history_days,
        missing=[riskpb.RiskShortfall(reason=one.reason, detail=one.detail) for one in report.missing],
    )


def tail_to_proto(tail: TailRisk | None) -> riskpb.TailRisk | None:
    """None stays None, which leaves the field absent."""
    if tail is None:
        return None
    return riskpb.TailRisk(var_99=tail.var_99, es_99=tail.es_99, var_975=tail.var_975, es_975=tail.es_975)


def forecast_tests_to_proto(tests: ForecastTests) -> riskpb.ForecastTests:
    """All tests of a row of days."""
    return riskpb.ForecastTests(
        days=tests.days,
        missing=tests.missing,
        exceptions=tests.exceptions,
        unconditional=_ratio(tests.unconditional),
        independence=_ratio(tests.independence),
        conditional=_ratio(tests.conditional),
        z2=tests.shortfall.z2,
        z2_critical=tests.shortfall.critical,
        z2_red=tests.shortfall.red,
        zone="BASEL_ZONE_UNSPECIFIED" if tests.zone is None else f"BASEL_ZONE_{tests.zone.name}",
        verdict=f"FORECAST_VERDICT_{tests.verdict.name}",
        model_rejected=tests.model_rejected,
    )


forecast_day_to_proto = mapper(ForecastDay, riskpb.ForecastDay, day=lambda one: date.fromordinal(one.day).isoformat())
"""A forecast and what came."""


breach_to_proto = mapper(
    Breach,
    riskpb.RiskBreach,
    state=lambda one: f"BREACH_STATE_{one.state.name}",
    figures=lambda one: figures_to_proto(one.figures),
)
"""A breach as it stands."""


def exposure_to_proto(row: ExposureRow) -> riskpb.ExposureRow:
    """Amounts as decimal strings; what is not told is empty."""
    return riskpb.ExposureRow(
        group=f"EXPOSURE_GROUP_{row.group.name}",
        name=row.name,
        gross=format_decimal(row.gross),
        net=format_decimal(row.net),
        reserved=_text(row.reserved),
        limit=_text(None if row.limit is None else row.limit.most),
        headroom=_text(row.headroom),
    )


def broken_to_proto(broken: Iterable[tuple[str, float, float]]) -> list[riskpb.BrokenLimit]:
    """Limits as (name, value, most)."""
    return [riskpb.BrokenLimit(limit=name, value=value, max=most) for name, value, most in broken]


def differences(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What figures rise by, of those that both have."""
    return {name: value - before[name] for name, value in after.items() if name in before}


LIMIT_FIELDS = ("gross_max", "net_max", "leverage_max", "symbol_max", "sector_max")
"""Limits that are one number of the whole account."""


def merged_limits(limits: bytes, budgets: bytes) -> accountpb.AccountLimits:
    """The limits that people put, with the budgets that allocations add: of a world and strategy the tighter. Capital
    is that of the allocations.
    """
    message = accountpb.AccountLimits.FromString(limits)
    tightest = {(one.world_id, one.strategy_id): one for one in message.budgets}
    for one in accountpb.AccountLimits.FromString(budgets).budgets:
        key = (one.world_id, one.strategy_id)
        known = tightest.setdefault(key, one)
        if Decimal(known.gross_max) < Decimal(one.gross_max):
            one.gross_max = known.gross_max
        tightest[key] = one
    kept = [tightest[key] for key in sorted(tightest)]
    del message.budgets[:]
    message.budgets.extend(kept)
    return message


def widened(ours: accountpb.AccountLimits, theirs: accountpb.AccountLimits) -> list[str]:
    """Where limits let through more than others do, by name and with both numbers."""
    found = []
    pairs = [(name, getattr(ours, name), getattr(theirs, name)) for name in LIMIT_FIELDS]
    mine = {(one.world_id, one.strategy_id): one.gross_max for one in ours.budgets}
    for one in theirs.budgets:
        name = "/".join(filter(None, ("budget of " + one.world_id, one.strategy_id)))
        pairs.append((name, mine.get((one.world_id, one.strategy_id), ""), one.gross_max))
    for name, own, other in pairs:
        if other and (not own or Decimal(own) > Decimal(other)):
            found.append(f"{name} from {other} to {own or 'none'}")
    return found


def _ratio(one: LikelihoodRatio) -> riskpb.LikelihoodRatio:
    return riskpb.LikelihoodRatio(statistic=one.statistic, p=one.p)


def _text(value: Decimal | None) -> str:
    return "" if value is None else format_decimal(value)

"""What reads answer: rows are read in one transaction, numbers are computed beside the loop from what was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.decimals import format_decimal
from qmtl.core.errors import NotReady, refused
from qmtl.core.instants import to_us
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from worldservice.policy.store import policy_of
from worldservice.risk.access import (
    hidden_worlds,
    require_reader,
    shown_exposures,
    shown_id,
    shown_snapshot,
    shown_strategies,
)
from worldservice.risk.domain.breaches.breach import Breach
from worldservice.risk.domain.candidate import CandidateRisk, explain_candidate
from worldservice.risk.domain.covariance import covariance_of_triangle
from worldservice.risk.domain.exposure import ExposureGroup, GroupLimit, Limits, exposure_rows
from worldservice.risk.domain.forecasts.backtest import ForecastTests, backtest_forecasts
from worldservice.risk.domain.forecasts.forecast import Forecast, forecast_days
from worldservice.risk.domain.header import SnapshotHeader, SnapshotState, Stored
from worldservice.risk.domain.report import risk_report
from worldservice.risk.domain.returns import DailyReturns
from worldservice.risk.domain.scope import Scope, ScopeKind
from worldservice.risk.domain.snapshot import RiskStage, Snapshot
from worldservice.risk.files import SnapshotFiles
from worldservice.risk.reading import current_header, inline, state_of, whole
from worldservice.risk.store import account_limits, forecasts, snapshots
from worldservice.risk.wire.reports import (
    broken_to_proto,
    differences,
    exposure_to_proto,
    forecast_day_to_proto,
    forecast_tests_to_proto,
    merged_limits,
    report_to_proto,
)
from worldservice.risk.wire.snapshots import (
    figures_to_proto,
    header_to_proto,
    series_to_proto,
    stored_to_proto,
)
from worldservice.worlds.domain.roles import Caller
from worldservice.worlds.store.worlds import get_world

WINDOW_MIN, WINDOW_DEFAULT, WINDOW_MAX = 60, 250, 2_000
EXPANDED_BYTES_MAX = 900 * 1024  # a reply has at most 1 MiB


@dataclass(frozen=True, slots=True)
class ReportInput:
    """A stored snapshot, how it stands, and the worlds whose names the caller may not read."""

    stored: Stored
    state: SnapshotState
    hidden: frozenset[str]


@dataclass(frozen=True, slots=True)
class CandidateInput:
    """The book's snapshot, those that may have the candidate's returns, and the limits of the policy."""

    stored: Stored
    others: tuple[Stored, ...]
    limits: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class BacktestInput:
    """Forecasts of a window of days (ordinals, both included), and the snapshots that have the returns since."""

    stored: Stored
    forecasts: tuple[Forecast, ...]
    first_day: int
    last_day: int


def place(header: SnapshotHeader) -> tuple[int, int]:
    """Where a listing goes on after a header."""
    return to_us(header.as_of), header.revision


def window_of(asked: int) -> int:
    """Days back; 0 is 250. Raises InvalidRequest (E_FIELD)."""
    window = asked or WINDOW_DEFAULT
    if not WINDOW_MIN <= window <= WINDOW_MAX:
        raise refused("E_FIELD", "window", asked, f"{WINDOW_MIN} to {WINDOW_MAX:,} days, or 0 for {WINDOW_DEFAULT}")
    return window


def snapshot_message(
    conn: Connection, caller: Caller, header: SnapshotHeader, now: datetime, files: SnapshotFiles | None
) -> riskpb.RiskSnapshot:
    """A snapshot as the caller may see it; with `files`, what its refs hold. Raises NotReady (E_REF_...)."""
    stored = snapshots.load_snapshot(conn, header)
    message = stored_to_proto(stored.content, header, state_of(conn, header, now))
    if files is not None and (message.HasField("returns_ref") or message.HasField("covariance_ref")):
        message = _expanded(message, whole(stored, files))
    return shown_snapshot(message, header.scope, hidden_worlds(conn, caller, header.scope, _ids(message)))


def report_input(
    conn: Connection, caller: Caller, scope: Scope, version: str, stage: RiskStage | None, now: datetime
) -> ReportInput:
    """Raises NotReady (E_SNAPSHOT_MISSING, E_SNAPSHOT_EXPIRED), NotFound (E_SNAPSHOT_UNKNOWN)."""
    require_reader(conn, caller, scope)
    header = snapshots.find_header(conn, scope, version) if version else current_header(conn, scope, now, stage)
    if header is None:
        raise snapshots.unknown(scope, version)
    stored = snapshots.load_snapshot(conn, header)
    ids = [one.id for one in riskpb.RiskSnapshot.FromString(stored.content).weights]
    return ReportInput(stored, state_of(conn, header, now), hidden_worlds(conn, caller, scope, ids))


def report_answer(found: ReportInput, files: SnapshotFiles) -> riskservicepb.GetReportResponse:
    """The report, derived now, and whether it says what was stored. Raises NotReady (E_RISK_INPUT)."""
    header = found.stored.header
    report = risk_report(whole(found.stored, files), header.hash)
    if found.hidden:  # what is missing names strategies
        unnamed = tuple(replace(one, detail="told to readers of its worlds only") for one in report.missing)
        report = replace(report, missing=unnamed)
    rows = shown_strategies(header.scope, report.strategies, found.hidden)
    return riskservicepb.GetReportResponse(
        report=report_to_proto(header.scope, report, rows),
        header=header_to_proto(header, found.state),
        same_as_stored=dict(report.figures) == dict(header.figures),
    )


def candidate_input(
    conn: Connection, caller: Caller, scope: Scope, stage: RiskStage, strategy_id: str, now: datetime
) -> CandidateInput:
    """Raises NotReady (E_SNAPSHOT_MISSING, E_SNAPSHOT_EXPIRED), NotFound (E_STRATEGY_UNKNOWN for a hidden one)."""
    require_reader(conn, caller, scope)
    stored = snapshots.load_snapshot(conn, current_header(conn, scope, now, stage))
    others = [snapshots.newest(conn, scope, other) for other in RiskStage if other is not stage]
    loaded = tuple(snapshots.load_snapshot(conn, one) for one in others if one is not None)
    if hidden_worlds(conn, caller, scope, [strategy_id]):
        raise NotReady("E_RISK_INPUT", f"no returns of {strategy_id} are there for this caller")
    return CandidateInput(stored, loaded, limits_of(conn, scope))


def limits_of(conn: Connection, scope: Scope) -> Mapping[str, float]:
    """The risk limits of a world's policy; none in an account."""
    if scope.kind is not ScopeKind.WORLD:
        return {}
    policy = policy_of(conn, get_world(conn, scope.name))
    return {} if policy is None or policy.risk is None else policy.risk.limits


def candidate_answer(
    found: CandidateInput, strategy_id: str, share: float, files: SnapshotFiles
) -> riskservicepb.ExplainCandidateResponse:
    """Raises InvalidRequest (E_FIELD), NotReady (E_RISK_INPUT, E_RISK_SAMPLE_SHORT)."""
    book = whole(found.stored, files)
    told = explained(book, [whole(one, files) for one in found.others], strategy_id, share)
    figures = incremental_figures(told)
    broken = [
        (name, figures[name], most) for name, most in found.limits.items() if name in figures and figures[name] > most
    ]
    return riskservicepb.ExplainCandidateResponse(
        snapshot_version=book.version,
        before=figures_to_proto(told.before.figures),
        after=figures_to_proto(told.after.figures),
        incremental=figures_to_proto(differences(told.after.figures, told.before.figures)),
        correlation=told.correlation,
        broken=broken_to_proto(broken),
    )


def explained(book: Snapshot, others: list[Snapshot], strategy_id: str, share: float) -> CandidateRisk:
    """A candidate beside the book of a snapshot; its returns are in it, or in another snapshot of the scope.

    Raises InvalidRequest (E_FIELD), NotReady (E_RISK_INPUT, E_RISK_SAMPLE_SHORT).
    """
    returns: dict[str, DailyReturns] = {}
    for other in others:
        returns.update(other.returns)
    returns.update(book.returns)
    given = None
    if book.covariance is not None:
        given = covariance_of_triangle(book.covariance.ids, book.covariance.triangle)
    covered = given is not None and strategy_id in given.ids
    if not covered and (strategy_id not in returns or not returns[strategy_id].days):
        raise NotReady(
            "E_RISK_INPUT",
            f"no current snapshot of {book.scope} has returns of {strategy_id}",
            hint="its producer has to put them, paper or live",
            metadata={"strategy_ids": strategy_id},
        )
    return explain_candidate(book.invested(), strategy_id, share, returns, given)


def incremental_figures(told: CandidateRisk) -> Mapping[str, float]:
    """The figures after, and what VaR and ES rise by, under the names that limits have."""
    rises = differences(told.after.figures, told.before.figures)
    return {**told.after.figures, **{f"incremental_{name}": value for name, value in rises.items()}}


def backtest_input(
    conn: Connection, caller: Caller, scope: Scope, stage: RiskStage, window: int, now: datetime
) -> BacktestInput:
    """Raises NotReady (E_SNAPSHOT_MISSING)."""
    require_reader(conn, caller, scope)
    header = snapshots.newest(conn, scope, stage)
    if header is None:
        raise NotReady("E_SNAPSHOT_MISSING", f"{scope} has no snapshot of {stage.value}", hint="put one")
    last_day = now.date().toordinal() - 1
    first_day = last_day - window + 1
    rows = forecasts.forecasts_of(conn, scope, stage, first_day, last_day)
    return BacktestInput(snapshots.load_snapshot(conn, header), tuple(rows), first_day, last_day)


def backtest_answer(found: BacktestInput, files: SnapshotFiles) -> riskservicepb.BacktestForecastsResponse:
    """Absent tests where no day has both a forecast and a return."""
    returns = whole(found.stored, files).returns
    days, missing = forecast_days(found.forecasts, returns, found.first_day, found.last_day)
    tests = backtest_forecasts(days, missing) if days else None
    return riskservicepb.BacktestForecastsResponse(
        tests=None if tests is None else forecast_tests_to_proto(tests),
        days=[forecast_day_to_proto(one) for one in days],
    )


def backtest_tests(conn: Connection, snapshot: Snapshot, stage: RiskStage, now: datetime) -> ForecastTests | None:
    """The tests of the last 250 days by the returns of a snapshot; None where no day has both."""
    last_day = now.date().toordinal() - 1
    first_day = last_day - WINDOW_DEFAULT + 1
    rows = forecasts.forecasts_of(conn, snapshot.scope, stage, first_day, last_day)
    days, missing = forecast_days(rows, snapshot.returns, first_day, last_day)
    return backtest_forecasts(days, missing) if days else None


def shown_breaches(conn: Connection, caller: Caller, scope: Scope, found: list[Breach]) -> list[Breach]:
    """Breaches with the names of hidden worlds' strategies replaced by their world."""
    hidden = hidden_worlds(conn, caller, scope, [one.target for one in found if one.target])
    return [replace(one, target=shown_id(scope, one.target, hidden)) if one.target else one for one in found]


def exposure_answer(
    conn: Connection, caller: Caller, scope: Scope, stage: RiskStage | None, now: datetime
) -> riskservicepb.GetExposureResponse:
    """Raises NotReady (E_SNAPSHOT_MISSING, E_SNAPSHOT_EXPIRED)."""
    require_reader(conn, caller, scope)
    header = current_header(conn, scope, now, stage)
    stored = snapshots.load_snapshot(conn, header)
    snapshot = inline(stored)
    hidden = hidden_worlds(conn, caller, scope, [one.strategy_id for one in snapshot.exposures])
    exposures = shown_exposures(scope, snapshot.exposures, hidden)
    rows = exposure_rows(scope, exposures, group_limits(conn, snapshot))
    return riskservicepb.GetExposureResponse(
        header=header_to_proto(header, state_of(conn, header, now)),
        capital="" if snapshot.capital is None else format_decimal(snapshot.capital),
        currency=snapshot.currency,
        rows=[exposure_to_proto(row) for row in rows],
    )


def group_limits(conn: Connection, snapshot: Snapshot) -> Limits:
    """What the limits of an account leave each group: gross as money, symbol and sector as shares of capital."""
    scope = snapshot.scope
    if scope.kind is not ScopeKind.ACCOUNT:
        return {}
    stored = account_limits.load_limits(conn, scope.name)
    limits = merged_limits(stored.limits, stored.budgets)
    found: dict[tuple[ExposureGroup, str], GroupLimit] = {}
    mosts = [Decimal(limits.gross_max)] if limits.gross_max else []
    if limits.leverage_max and snapshot.capital is not None:
        mosts.append(Decimal(limits.leverage_max) * snapshot.capital)
    if mosts:
        found[ExposureGroup.ACCOUNT, scope.name] = GroupLimit(min(mosts))
    for budget in limits.budgets:
        group = ExposureGroup.STRATEGY if budget.strategy_id else ExposureGroup.WORLD
        name = f"{budget.world_id}/{budget.strategy_id}" if budget.strategy_id else budget.world_id
        found[group, name] = GroupLimit(Decimal(budget.gross_max))
    found.update(_shares(limits, snapshot))
    return found


def _shares(limits: accountpb.AccountLimits, snapshot: Snapshot) -> Limits:
    if snapshot.capital is None:
        return {}
    found = {}
    if limits.symbol_max:
        most = GroupLimit(Decimal(limits.symbol_max) * snapshot.capital, net=True)
        found.update({(ExposureGroup.SYMBOL, one.symbol): most for one in snapshot.exposures})
    if limits.sector_max:
        most = GroupLimit(Decimal(limits.sector_max) * snapshot.capital, net=True)
        found.update({(ExposureGroup.SECTOR, one.sector or "?"): most for one in snapshot.exposures})
    return found


def _ids(message: riskpb.RiskSnapshot) -> list[str]:
    return [*(one.id for one in message.weights), *(one.id for one in message.returns)]


def _expanded(message: riskpb.RiskSnapshot, snapshot: Snapshot) -> riskpb.RiskSnapshot:
    """The message with what its refs hold in it. Raises NotReady (E_REF_SIZE) where a reply has no room for that."""
    if message.HasField("returns_ref"):
        message.returns.extend(series_to_proto(name, one) for name, one in snapshot.returns.items())
    if message.HasField("covariance_ref") and snapshot.covariance is not None:
        message.covariance.ids.extend(snapshot.covariance.ids)
        message.covariance.lower_triangle.extend(snapshot.covariance.triangle)
    if message.ByteSize() > EXPANDED_BYTES_MAX:
        raise NotReady(
            "E_REF_SIZE", f"snapshot {message.version} expanded has {message.ByteSize()} bytes, want at most "
            f"{EXPANDED_BYTES_MAX}", hint="ask without expand, and read the files"
        )  # fmt: skip
    return message

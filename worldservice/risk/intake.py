"""The way of a snapshot into the hub: read, checked and reported on beside the loop, then stored in one commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial

from sqlalchemy import Connection

from qmtl.core.errors import Conflict, NotFound
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.sql.database import signal
from worldservice.risk.access import names_of
from worldservice.risk.domain.checks import check_snapshot
from worldservice.risk.domain.forecasts.forecast import forecast_of
from worldservice.risk.domain.header import SnapshotHeader
from worldservice.risk.domain.report import RiskReport, risk_report
from worldservice.risk.domain.scope import Scope, ScopeKind
from worldservice.risk.domain.snapshot import Snapshot
from worldservice.risk.events import snapshot_updated
from worldservice.risk.files import SnapshotFiles
from worldservice.risk.reading import state_of
from worldservice.risk.store import forecasts, snapshots
from worldservice.risk.wire.snapshots import contents_of, snapshot_from_proto
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, audit_write
from worldservice.worlds.domain.world import Effect
from worldservice.worlds.store import bindings

SNAPSHOT_SIGNAL = "risk-snapshot"
OTHERS = frozenset({"@operator", "@external", "@overlay"})
"""Who holds something and is no strategy: people by hand, the venue by itself, a world's hedge."""
Judge = Callable[[Connection, Act, "Arrival", SnapshotHeader], Effect | None]
"""Judges a stored snapshot that is the newest of its stage by the rules of its scope, in the same transaction."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A snapshot that passed its checks, with its report and what is stored of it."""

    snapshot: Snapshot
    hash: str
    report: RiskReport
    content: bytes
    series: bytes


@dataclass(frozen=True, slots=True)
class Put:
    """What became of a put."""

    header: SnapshotHeader
    deduplicated: bool
    effect: Effect | None


def arrival(message: riskpb.RiskSnapshot, scope: Scope, actor: str, now: datetime, files: SnapshotFiles) -> Arrival:
    """Read and check a snapshot, and compute its report: pure but for the files its refs name.

    Raises InvalidRequest and NotReady as PutSnapshot says.
    """
    snapshot, faults = snapshot_from_proto(message, scope, actor)
    snapshot = files.resolved(snapshot, message)
    check_snapshot(snapshot, now, faults)
    content_hash = snapshot.content_hash()
    content, series = contents_of(message)
    return Arrival(snapshot, content_hash, risk_report(snapshot, content_hash), content, series)


def store_arrival(conn: Connection, act: Act, arrived: Arrival, judge: Judge) -> Put:
    """Store a snapshot, its forecast and its event. The caller has checked the role.

    Raises Conflict (E_SNAPSHOT_CONFLICT), NotFound (E_STRATEGY_UNKNOWN).
    """
    snapshot = arrived.snapshot
    scope, version = snapshot.scope, snapshot.version
    revision = snapshots.lock_scope(conn, scope)
    known = snapshots.find_header(conn, scope, version)
    if known is not None:
        if known.hash != arrived.hash:
            raise Conflict(
                "E_SNAPSHOT_CONFLICT",
                f"snapshot {version} of {scope} has the hash {known.hash}, and this one {arrived.hash}",
                hint="put it again under a new version",
                metadata={"hash": known.hash},
            )
        audit_write(conn, act, f"snapshot {version} again, unchanged")
        return Put(known, deduplicated=True, effect=None)
    _require_bound(conn, snapshot)
    header = SnapshotHeader(
        scope=scope,
        version=version,
        stage=snapshot.provenance.stage,
        actor=snapshot.provenance.actor,
        measured=act.caller.own_act,
        as_of=snapshot.as_of,
        expires_at=snapshot.expires_at,
        created_at=act.now,
        revision=revision + 1,
        hash=arrived.hash,
        figures=arrived.report.figures,
    )
    snapshots.insert_snapshot(conn, header, arrived.content, arrived.series)
    last = snapshots.newest(conn, scope, header.stage)
    if last is None or header.measured or not last.measured:
        _store_forecast(conn, header, arrived)
    effect = judge(conn, act, arrived, header) if last is not None and last.revision == header.revision else None
    outbox.append(conn, snapshot_updated(header, state_of(conn, header, act.now), act))
    signal(conn, SNAPSHOT_SIGNAL)
    audit_write(conn, act, f"snapshot {version} revision {header.revision}: {_told(header.figures)}")
    return Put(header, deduplicated=False, effect=effect)


def _require_bound(conn: Connection, snapshot: Snapshot) -> None:
    """Raises NotFound (E_STRATEGY_UNKNOWN). Who was unbound may still hold something, so it is known too, and so may
    who is no strategy (OTHERS), in a world or in none.
    """
    scope = snapshot.scope
    named = {*names_of(snapshot.weights), *snapshot.returns, *(one.strategy_id for one in snapshot.exposures)}
    bound = cache(partial(bindings.ever_bound, conn))
    for name in sorted(named):
        world, strategy = (scope.name, name) if scope.kind is ScopeKind.WORLD else _parts(name)
        if name in OTHERS or strategy in OTHERS:
            continue
        if strategy not in bound(world):
            raise NotFound(
                "E_STRATEGY_UNKNOWN",
                f"{name} is not bound in {scope}",
                hint="bind it first; in an account an id is world_id/strategy_id",
                metadata={"strategy_id": strategy},
            )


def _parts(name: str) -> tuple[str, str]:
    world, _, strategy = name.partition("/")
    return world, strategy


def _store_forecast(conn: Connection, header: SnapshotHeader, arrived: Arrival) -> None:
    """The first report of a UTC day is its forecast, if it came on that day: later the return would be known."""
    forecast = forecast_of(arrived.report, arrived.snapshot.invested())
    if forecast is None or header.created_at.date() != header.as_of.date():
        return
    if not forecasts.has_forecast(conn, header.scope, header.stage, forecast.day):
        forecasts.insert_forecast(conn, header, forecast)


def _told(figures: Mapping[str, float]) -> str:
    shown = [f"{name} {figures[name]:.6g}" for name in ("var_99", "es_975", "drawdown", "leverage") if name in figures]
    return ", ".join(shown) or "no figures"

"""Snapshots as messages: read with every fault noted by its path, and written back without refs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import TypeVar

from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import InvalidRequest, Violation, refused
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.wire.fields import enum_from_proto
from qmtl.wire.instants import instant_from_proto, instant_to_proto, span_from_proto
from worldservice.risk.domain.header import SnapshotHeader, SnapshotState
from worldservice.risk.domain.returns import DailyReturns
from worldservice.risk.domain.scope import Scope
from worldservice.risk.domain.snapshot import (
    CASH,
    TTL,
    CovarianceTriangle,
    Exposure,
    Provenance,
    RiskStage,
    Scenario,
    Snapshot,
)

T = TypeVar("T")
INLINE_COVARIANCE_MAX = 100
INLINE_POINTS_MAX = 20_000
NAME_MAX = 200


class Faults(list[Violation]):
    """The faults that reading a message met."""

    def add(self, field: str, value: object, want: str) -> None:
        """Note one."""
        self.append(Violation(field, str(value)[:200], want))

    def parsed(self, parse: Callable[[], T], instead: T) -> T:
        """What `parse` makes of a field; its fault is noted, and `instead` stands for the value."""
        try:
            return parse()
        except InvalidRequest as error:
            self.extend(error.violations or [Violation("snapshot", error.message, "a valid value")])
            return instead


def stage_from_proto(number: int, field: str) -> RiskStage:
    """Raises InvalidRequest (E_ENUM)."""
    return enum_from_proto(number, riskpb.RiskStage, "RISK_STAGE_", RiskStage, field)


def stage_filter(number: int, field: str) -> RiskStage | None:
    """None for unspecified: either. Raises InvalidRequest (E_ENUM)."""
    return stage_from_proto(number, field) if number else None


def snapshot_from_proto(message: riskpb.RiskSnapshot, scope: Scope, actor: str) -> tuple[Snapshot, Faults]:
    """The snapshot a message says, without what its refs hold, and the faults met; `as_of` must be there.

    Raises InvalidRequest (E_TIMESTAMP, E_ENUM): without them nothing else can be judged.
    """
    faults = Faults()
    if not message.HasField("as_of"):
        raise refused("E_TIMESTAMP", "snapshot.as_of", "absent", "an instant")
    ttl = TTL
    if message.HasField("ttl"):
        ttl = faults.parsed(lambda: span_from_proto(message.ttl, "snapshot.ttl"), TTL)
    capital = None
    if message.capital:
        capital = faults.parsed(lambda: parse_decimal(message.capital, "snapshot.capital"), None)
    if len(message.currency) > 16 or not message.currency.isascii():
        faults.add("snapshot.currency", message.currency, "a currency, at most 16 characters")
    return Snapshot(
        scope=scope,
        version=message.version,
        as_of=instant_from_proto(message.as_of, "snapshot.as_of"),
        weights=_weights(message.weights, faults),
        returns=_returns(message.returns, faults),
        provenance=Provenance(
            actor, stage_from_proto(message.stage, "snapshot.stage"), message.net_of_costs, message.account_sequence
        ),
        covariance=_covariance(message, faults),
        exposures=tuple(
            _exposure(one, f"snapshot.exposures[{at}]", faults) for at, one in enumerate(message.exposures)
        ),
        scenarios=tuple(
            _scenario(one, f"snapshot.scenarios[{at}]", faults) for at, one in enumerate(message.scenarios)
        ),
        capital=capital,
        currency=message.currency,
        ttl=ttl,
    ), faults


def header_to_proto(header: SnapshotHeader, state: SnapshotState) -> riskpb.SnapshotHeader:
    """A header as it stands."""
    return riskpb.SnapshotHeader(
        scope=header.scope.text,
        version=header.version,
        as_of=instant_to_proto(header.as_of),
        expires_at=instant_to_proto(header.expires_at),
        stage=f"RISK_STAGE_{header.stage.name}",
        actor=header.actor,
        hash=header.hash,
        created_at=instant_to_proto(header.created_at),
        revision=header.revision,
        state=f"SNAPSHOT_STATE_{state.name}",
        figures=figures_to_proto(header.figures),
    )


def figures_to_proto(figures: Mapping[str, float]) -> list[riskpb.RiskFigure]:
    """Figures in the order they have."""
    return [riskpb.RiskFigure(name=name, value=value) for name, value in figures.items()]


def stored_to_proto(content: bytes, header: SnapshotHeader, state: SnapshotState) -> riskpb.RiskSnapshot:
    """A stored snapshot whole, with what the hub knows of it."""
    message = riskpb.RiskSnapshot.FromString(content)
    message.scope = header.scope.text
    message.actor = header.actor
    message.hash = header.hash
    message.created_at.CopyFrom(instant_to_proto(header.created_at))
    message.revision = header.revision
    message.MergeFrom(riskpb.RiskSnapshot(state=f"SNAPSHOT_STATE_{state.name}"))
    return message


def contents_of(message: riskpb.RiskSnapshot) -> tuple[bytes, bytes]:
    """What is stored of a message: the snapshot without output fields and series, and the series, each serialised."""
    rest, series = riskpb.RiskSnapshot(), riskpb.RiskSnapshot(returns=message.returns)
    rest.CopyFrom(message)
    for name in ("scope", "returns", "actor", "hash", "created_at", "revision", "state"):
        rest.ClearField(name)
    return rest.SerializeToString(deterministic=True), series.SerializeToString(deterministic=True)


def series_to_proto(name: str, one: DailyReturns) -> riskpb.ReturnSeries:
    """A series; offsets are left out where its days are consecutive. At least one day."""
    first = one.days[0]
    offsets = [day - first for day in one.days]
    return riskpb.ReturnSeries(
        id=name,
        start_day=one.first.isoformat(),
        values=one.values,
        offsets=[] if offsets == list(range(len(offsets))) else offsets,
        closed_offsets=[day - first for day in one.closed if day >= first],
    )


def _weights(given: Iterable[riskpb.RiskWeight], faults: Faults) -> dict[str, float]:
    found: dict[str, float] = {}
    for at, one in enumerate(given):
        if one.id in found or not _is_name(one.id):
            faults.add(f"snapshot.weights[{at}].id", one.id or "empty", "an id, each once")
        found[one.id] = one.share
    return found


def _returns(given: Iterable[riskpb.ReturnSeries], faults: Faults) -> dict[str, DailyReturns]:
    found: dict[str, DailyReturns] = {}
    points = 0
    for at, one in enumerate(given):
        path = f"snapshot.returns[{at}]"
        points += len(one.values)
        if one.id in found or not _is_name(one.id) or one.id == CASH:
            faults.add(f"{path}.id", one.id or "empty", f"an id other than {CASH}, each once")
        if one.offsets and (len(one.offsets) != len(one.values) or one.offsets[0] != 0):
            faults.add(f"{path}.offsets", f"{len(one.offsets)} offsets", "one a value, the first 0, or none")
            continue
        first = faults.parsed(lambda one=one, path=path: _day(one.start_day, f"{path}.start_day"), None)  # type: ignore[misc]  # bound now
        if first is None:
            continue
        start = first.toordinal()
        span = max([len(one.values), *one.offsets, *one.closed_offsets])
        if start + span > date.max.toordinal():
            faults.add(path, f"{span} days from {one.start_day}", "days up to the year 9999")
            continue
        offsets = one.offsets or range(len(one.values))
        found[one.id] = DailyReturns(
            tuple(start + offset for offset in offsets),
            tuple(one.values),
            tuple(start + at for at in one.closed_offsets),
        )
    if points > INLINE_POINTS_MAX:
        faults.add("snapshot.returns", f"{points} points", f"at most {INLINE_POINTS_MAX:,} inline, or returns_ref")
    return found


def _covariance(message: riskpb.RiskSnapshot, faults: Faults) -> CovarianceTriangle | None:
    if not message.HasField("covariance"):
        return None
    given = message.covariance
    if len(given.ids) > INLINE_COVARIANCE_MAX:
        faults.add("snapshot.covariance.ids", len(given.ids), f"at most {INLINE_COVARIANCE_MAX} inline")
    return CovarianceTriangle(tuple(given.ids), tuple(given.lower_triangle))


def _exposure(one: riskpb.RiskExposure, path: str, faults: Faults) -> Exposure:
    def amount(text: str, field: str) -> Decimal:
        return faults.parsed(lambda: parse_decimal(text, f"{path}.{field}"), Decimal(0))

    for field, name in (("strategy_id", one.strategy_id), ("symbol", one.symbol)):
        if not _is_name(name):
            faults.add(f"{path}.{field}", name or "empty", "a name")
    mark = amount(one.mark, "mark")
    reserved = amount(one.reserved, "reserved") if one.reserved else None
    for field, value in (("mark", mark), ("reserved", reserved)):
        if value is not None and value < 0:
            faults.add(f"{path}.{field}", value, "0 or more")
    return Exposure(
        one.strategy_id,
        one.symbol,
        amount(one.quantity, "quantity"),
        mark,
        amount(one.notional, "notional"),
        one.sector,
        one.asset_class,
        reserved,
    )


def _scenario(one: riskpb.StressScenario, path: str, faults: Faults) -> Scenario:
    window = None
    if one.first_day or one.last_day:
        first = faults.parsed(lambda: _day(one.first_day, f"{path}.first_day"), None)
        last = faults.parsed(lambda: _day(one.last_day, f"{path}.last_day"), None)
        window = None if first is None or last is None else (first, last)
    tables = (dict(one.by_symbol), dict(one.by_sector), dict(one.by_asset_class))
    return Scenario(one.name, *tables, window)


def _day(text: str, field: str) -> date:
    """Raises InvalidRequest (E_FIELD)."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        raise refused("E_FIELD", field, text or "empty", "a day such as 2026-01-31")
    return found


def _is_name(text: str) -> bool:
    return 0 < len(text) <= NAME_MAX and text.isprintable()

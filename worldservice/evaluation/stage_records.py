"""Rows of stage records: kept with every run that is appended, so that nobody reads all runs for what they cover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping

from qmtl.sql.instants import instant_or_none, micros_or_none
from qmtl.sql.statements.prepared import Prepared
from worldservice.evaluation.domain.runs import Evidence
from worldservice.evaluation.domain.stage_records import MICROSECOND, RunSpan, StageRecord, with_run
from worldservice.evaluation.tables import stage_records
from worldservice.worlds.domain.binding import Stage

_SPANS = TypeAdapter(tuple[RunSpan, ...])
_T = stage_records.c


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stage record without its runs: what they cover, where data ends, the row of the newest computed one, else 0."""

    stage: Stage
    version: str
    newest: int
    observed: timedelta
    data_end: datetime | None


def note_run(conn: Connection, world_id: str, strategy_id: str, evidence: Evidence, sequence: int) -> None:
    """Keep the records of a strategy's stage after a run was appended at a row."""
    key = {"world": world_id, "strategy": strategy_id, "stage": evidence.stage.value}
    known = [_record(row) for row in _OF_STAGE.rows(conn, key).mappings()]
    for record in with_run(known, evidence, sequence):
        row = {"world_id": world_id, "strategy_id": strategy_id, **_values(record)}
        _FORGET.run(conn, {**key, "version": record.version})
        _KEEP.run(conn, row)


def records_of(conn: Connection, world_id: str) -> Mapping[str, Sequence[Recorded]]:
    """The records of every strategy of a world, by strategy."""
    found: dict[str, list[Recorded]] = {}
    for row in _OF_WORLD.rows(conn, {"world": world_id}).mappings():
        found.setdefault(row["strategy_id"], []).append(_recorded(row))
    return found


def records_of_strategy(conn: Connection, world_id: str, strategy_id: str) -> Sequence[Recorded]:
    """The records of one strategy."""
    rows = _OF_STRATEGY.rows(conn, {"world": world_id, "strategy": strategy_id}).mappings()
    return [_recorded(row) for row in rows]


def _values(record: StageRecord) -> dict[str, object]:
    return {
        "stage": record.stage.value,
        "version": record.version,
        "newest": record.newest,
        "observed_us": record.observed() // MICROSECOND,
        "data_end_us": micros_or_none(record.data_end),
        "spans": _SPANS.dump_json(record.spans).decode(),
    }


def _record(row: RowMapping) -> StageRecord:
    spans = _SPANS.validate_json(row["spans"])
    return StageRecord(Stage(row["stage"]), row["version"], spans, instant_or_none(row["data_end_us"]))


def _recorded(row: RowMapping) -> Recorded:
    return Recorded(
        Stage(row["stage"]), row["version"], row["newest"], row["observed_us"] * MICROSECOND,
        instant_or_none(row["data_end_us"]),
    )  # fmt: skip


_SHOWN = (_T.strategy_id, _T.stage, _T.version, _T.newest, _T.observed_us, _T.data_end_us)
_MINE = (_T.world_id == sa.bindparam("world"), _T.strategy_id == sa.bindparam("strategy"))
_OF_STAGE = Prepared(sa.select(stage_records).where(*_MINE, _T.stage == sa.bindparam("stage")))
_OF_WORLD = Prepared(sa.select(*_SHOWN).where(_T.world_id == sa.bindparam("world")))
_OF_STRATEGY = Prepared(sa.select(*_SHOWN).where(*_MINE))
_FORGET = Prepared(
    sa.delete(stage_records).where(*_MINE, _T.stage == sa.bindparam("stage"), _T.version == sa.bindparam("version"))
)
_KEEP = Prepared(sa.insert(stage_records))

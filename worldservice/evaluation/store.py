"""Rows of evaluation runs and decisions; revisions and decisions are appended, never changed."""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping

from qmtl.core.errors import NotFound
from qmtl.core.paging import Page
from qmtl.sql.instants import instant, instant_or_none, micros, micros_or_none
from qmtl.sql.statements.prepared import Later, Prepared
from worldservice.evaluation.domain.decision import Decision
from worldservice.evaluation.domain.reports import EvaluationReport
from worldservice.evaluation.domain.runs import EvaluationRun, Evidence
from worldservice.evaluation.domain.selection import Tenure
from worldservice.evaluation.stage_records import note_run
from worldservice.evaluation.tables import decisions, evaluation_runs, tenures
from worldservice.worlds.domain.binding import Stage

RUNS_MAX = 200
_EVIDENCE = TypeAdapter(Evidence)
_REPORT = TypeAdapter(EvaluationReport)
_DECISION = TypeAdapter(Decision)


def append_run(conn: Connection, run: EvaluationRun) -> None:
    """Add a revision of a run, and keep what its stage comes to."""
    result = conn.execute(
        sa.insert(evaluation_runs)
        .values(
            world_id=run.world_id,
            strategy_id=run.strategy_id,
            run_id=run.evidence.run_id,
            revision=run.revision,
            stage=run.evidence.stage.value,
            evidence=_EVIDENCE.dump_json(run.evidence).decode(),
            report=None if run.report is None else _REPORT.dump_json(run.report).decode(),
            recommended_stage=run.recommended_stage.value,
            created_by=run.created_by,
            created_us=micros(run.created_at),
        )
        .returning(evaluation_runs.c.sequence)
    )
    note_run(conn, run.world_id, run.strategy_id, run.evidence, int(result.scalar_one()))


def find_run(conn: Connection, world_id: str, strategy_id: str, run_id: str) -> EvaluationRun | None:
    """The run at its latest revision."""
    table = evaluation_runs
    where = (table.c.world_id == world_id, table.c.strategy_id == strategy_id, table.c.run_id == run_id)
    query = sa.select(table).where(*where).order_by(table.c.revision.desc()).limit(1)
    row = conn.execute(query).mappings().one_or_none()
    return None if row is None else _run(row)


def ask_evaluated(conn: Connection, world_id: str, strategy_id: str) -> Later[bool]:
    """Whether there is any run of a strategy in a world, to be heard later."""
    rows = _ANY_RUN.ask(conn, {"world": world_id, "strategy": strategy_id}).rows
    return lambda: rows().first() is not None


def get_run(conn: Connection, world_id: str, strategy_id: str, run_id: str) -> EvaluationRun:
    """The run at its latest revision. Raises NotFound (E_RUN_UNKNOWN)."""
    found = find_run(conn, world_id, strategy_id, run_id)
    if found is None:
        raise NotFound("E_RUN_UNKNOWN", f"strategy {strategy_id} has no run {run_id!r} in world {world_id}")
    return found


def list_runs(
    conn: Connection, world_id: str, strategy_id: str, page: Page[tuple[int, int]]
) -> list[tuple[int, EvaluationRun]]:
    """Runs at their latest revision, newest first, with their sequence.

    `after` is the last sequence seen and the highest: of later revisions the pages that follow tell nothing.
    """
    table = evaluation_runs
    newest = (
        sa.select(sa.func.max(table.c.sequence))
        .where(table.c.world_id == world_id)
        .group_by(table.c.strategy_id, table.c.run_id)
    )
    if page.after is not None:
        newest = newest.where(table.c.sequence <= page.after[1])
    query = sa.select(table).where(table.c.sequence.in_(newest.scalar_subquery())).order_by(table.c.sequence.desc())
    if strategy_id:
        query = query.where(table.c.strategy_id == strategy_id)
    if page.after is not None:
        query = query.where(table.c.sequence < page.after[0])
    rows = conn.execute(query.limit(page.size + 1)).mappings()
    return [(row["sequence"], _run(row)) for row in rows]


def newest_runs(conn: Connection, world_id: str, strategy_ids: Collection[str]) -> list[EvaluationRun]:
    """The run each strategy was last evaluated by, as its last event told it; all strategies when none is named."""
    table = evaluation_runs
    newest = sa.select(sa.func.max(table.c.sequence)).where(table.c.world_id == world_id).group_by(table.c.strategy_id)
    query = sa.select(table).where(table.c.sequence.in_(newest.scalar_subquery())).order_by(table.c.strategy_id)
    runs = [_run(row) for row in conn.execute(query).mappings()]
    return [run for run in runs if not strategy_ids or run.strategy_id in strategy_ids]


def runs_of_stage(conn: Connection, world_id: str, strategy_id: str, stage: Stage) -> list[EvaluationRun]:
    """The newest runs of a strategy at a stage, each at its latest revision, newest first; 200 at most."""
    table = evaluation_runs
    where = (table.c.world_id == world_id, table.c.strategy_id == strategy_id, table.c.stage == stage.value)
    newest = sa.select(sa.func.max(table.c.sequence)).where(*where).group_by(table.c.run_id)
    query = sa.select(table).where(table.c.sequence.in_(newest.scalar_subquery())).order_by(table.c.sequence.desc())
    return [_run(row) for row in conn.execute(query.limit(RUNS_MAX)).mappings()]


def runs_until(conn: Connection, world_id: str, strategy_id: str, at: datetime) -> list[EvaluationRun]:
    """Every revision of a strategy's runs that was recorded by an instant, oldest first."""
    table = evaluation_runs
    where = (table.c.world_id == world_id, table.c.strategy_id == strategy_id, table.c.created_us <= micros(at))
    return [_run(row) for row in conn.execute(sa.select(table).where(*where).order_by(table.c.sequence)).mappings()]


def evidence_at(conn: Connection, sequences: Collection[int]) -> Mapping[int, tuple[int, Evidence]]:
    """Revision and evidence of runs, by the rows at which they stand."""
    if not sequences:
        return {}
    rows = _EVIDENCE_AT.rows(conn, {"sequences": sorted(sequences)})
    return {sequence: (revision, _evidence(text)) for sequence, revision, text in rows}


def latest_evidence(conn: Connection, world_id: str, stage: Stage) -> Mapping[str, Evidence]:
    """The evidence of each strategy's newest run at a stage, by strategy."""
    rows = _NEWEST_EVIDENCE.rows(conn, {"world": world_id, "stage": stage.value})
    return {row.strategy_id: _evidence(row.evidence) for row in rows}


def tenures_of(conn: Connection, world_id: str) -> Mapping[str, Tenure]:
    """By strategy, what hysteresis remembers."""
    rows = conn.execute(sa.select(tenures).where(tenures.c.world_id == world_id)).mappings()
    return {row["strategy_id"]: _tenure(row) for row in rows}


def save_tenures(conn: Connection, world_id: str, before: Mapping[str, Tenure], after: Mapping[str, Tenure]) -> None:
    """Store what hysteresis remembers of the strategies whose counters moved between `before` and `after`."""
    moved = [tenure for name, tenure in after.items() if before.get(name) != tenure]
    if not moved:
        return
    names = [tenure.strategy_id for tenure in moved]
    conn.execute(sa.delete(tenures).where(tenures.c.world_id == world_id, tenures.c.strategy_id.in_(names)))
    rows = [
        {
            "world_id": world_id,
            "strategy_id": tenure.strategy_id,
            "selected": tenure.selected,
            "since_us": micros_or_none(tenure.since),
            "passes": tenure.passes,
            "failures": tenure.failures,
            "counted_end_us": micros_or_none(tenure.counted_end),
        }
        for tenure in moved
    ]
    conn.execute(sa.insert(tenures), rows)


def append_decision(conn: Connection, decision: Decision) -> None:
    """Add a decision that is news."""
    conn.execute(
        sa.insert(decisions).values(
            world_id=decision.world_id,
            decision=_DECISION.dump_json(decision).decode(),
            decided_us=micros(decision.decided_at),
        )
    )


def last_decision(conn: Connection, world_id: str) -> Decision | None:
    """The decision that was published last, or None."""
    text = _LAST_DECISION.rows(conn, {"world": world_id}).scalar_one_or_none()
    return None if text is None else _DECISION.validate_json(text)


@lru_cache(maxsize=8192)
def _evidence(text: str) -> Evidence:
    """Every decision reads all of a world's evidence again; parsing it was a fifth of the time of a decision."""
    return _EVIDENCE.validate_json(text)


def _tenure(row: RowMapping) -> Tenure:
    return Tenure(
        strategy_id=row["strategy_id"],
        selected=row["selected"],
        since=instant_or_none(row["since_us"]),
        passes=row["passes"],
        failures=row["failures"],
        counted_end=instant_or_none(row["counted_end_us"]),
    )


def _run(row: RowMapping) -> EvaluationRun:
    return EvaluationRun(
        world_id=row["world_id"],
        strategy_id=row["strategy_id"],
        revision=row["revision"],
        evidence=_evidence(row["evidence"]),
        report=None if row["report"] is None else _REPORT.validate_json(row["report"]),
        recommended_stage=Stage(row["recommended_stage"]),
        created_by=row["created_by"],
        created_at=instant(row["created_us"]),
    )


_NEWEST_EVIDENCE = Prepared(
    sa.select(evaluation_runs.c.strategy_id, evaluation_runs.c.evidence).where(
        evaluation_runs.c.sequence.in_(
            sa.select(sa.func.max(evaluation_runs.c.sequence))
            .where(
                evaluation_runs.c.world_id == sa.bindparam("world"), evaluation_runs.c.stage == sa.bindparam("stage")
            )
            .group_by(evaluation_runs.c.strategy_id)
            .scalar_subquery()
        )
    )
)
_LAST_DECISION = Prepared(
    sa.select(decisions.c.decision)
    .where(decisions.c.world_id == sa.bindparam("world"))
    .order_by(decisions.c.sequence.desc())
    .limit(1)
)
_ANY_RUN = Prepared(
    sa.select(evaluation_runs.c.sequence)
    .where(
        evaluation_runs.c.world_id == sa.bindparam("world"), evaluation_runs.c.strategy_id == sa.bindparam("strategy")
    )
    .limit(1)
)
_AT = evaluation_runs.c
_EVIDENCE_AT = Prepared(
    sa.select(_AT.sequence, _AT.revision, _AT.evidence).where(
        _AT.sequence.in_(sa.bindparam("sequences", expanding=True))
    )
)

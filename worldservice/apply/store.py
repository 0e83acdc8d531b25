"""Rows of apply runs and their timeline."""

from datetime import datetime

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy import Connection

from qmtl.core.errors import NotFound
from qmtl.sql.instants import instant, micros, micros_or_none
from qmtl.sql.statements.prepared import Prepared
from worldservice.apply.domain.run import ApplyRun, ApplyState, ApplyTimeouts, TimelineStep, clamped
from worldservice.apply.tables import apply_runs, apply_steps

_RUN = TypeAdapter(ApplyRun)


def insert_run(conn: Connection, run: ApplyRun) -> None:
    """A second running one in the same world breaks the unique index, whatever was checked before."""
    conn.execute(sa.insert(apply_runs).values(world_id=run.world_id, run_id=run.run_id, **_values(run)))


def save_run(conn: Connection, run: ApplyRun) -> None:
    """Store the run as it is now."""
    where = (apply_runs.c.world_id == run.world_id, apply_runs.c.run_id == run.run_id)
    conn.execute(sa.update(apply_runs).where(*where).values(**_values(run)))


def find_run(conn: Connection, world_id: str, run_id: str) -> ApplyRun | None:
    """A run by its id, or None."""
    where = (apply_runs.c.world_id == world_id, apply_runs.c.run_id == run_id)
    text = conn.execute(sa.select(apply_runs.c.run).where(*where)).scalar_one_or_none()
    return None if text is None else _RUN.validate_json(text)


def has_run(conn: Connection, world_id: str, run_id: str) -> bool:
    """Whether a run is on record."""
    where = (apply_runs.c.world_id == world_id, apply_runs.c.run_id == run_id)
    return conn.execute(sa.select(sa.exists().where(*where))).scalar_one()


def get_run(conn: Connection, world_id: str, run_id: str) -> ApplyRun:
    """A run by its id. Raises NotFound (E_RUN_UNKNOWN)."""
    found = find_run(conn, world_id, run_id)
    if found is None:
        raise NotFound("E_RUN_UNKNOWN", f"world {world_id} has no apply {run_id!r}")
    return found


def last_run(conn: Connection, world_id: str) -> ApplyRun | None:
    """The run that has the last word on whether the world is frozen."""
    query = sa.select(apply_runs.c.run).where(apply_runs.c.world_id == world_id)
    text = conn.execute(query.order_by(apply_runs.c.sequence.desc()).limit(1)).scalar_one_or_none()
    return None if text is None else _RUN.validate_json(text)


def unsettled_runs(conn: Connection) -> list[tuple[str, str]]:
    """World and run id of every run for which something is still to be done."""
    return [(row.world_id, row.run_id) for row in _UNSETTLED.rows(conn)]


def clamp_runs(conn: Connection, now: datetime, limits: ApplyTimeouts) -> int:
    """Bring in the deadlines of unsettled runs that were stored before the clock was set back; how many runs."""
    late = 0
    for world_id, run_id in unsettled_runs(conn):
        run = get_run(conn, world_id, run_id)
        if (within := clamped(run, now, limits)) != run:
            save_run(conn, within)
            late += 1
    return late


def append_step(conn: Connection, run: ApplyRun, detail: str, time: datetime) -> None:
    """Add a line to the run's timeline, in its state of now."""
    values = {"world_id": run.world_id, "run_id": run.run_id, "state": run.state.value, "detail": detail}
    conn.execute(sa.insert(apply_steps).values(**values, time_us=micros(time)))


def steps_of(conn: Connection, world_id: str, run_id: str) -> list[TimelineStep]:
    """The timeline of a run, oldest first."""
    where = (apply_steps.c.world_id == world_id, apply_steps.c.run_id == run_id)
    rows = conn.execute(sa.select(apply_steps).where(*where).order_by(apply_steps.c.sequence)).mappings()
    return [TimelineStep(ApplyState(row["state"]), row["detail"], instant(row["time_us"])) for row in rows]


def _values(run: ApplyRun) -> dict[str, object]:
    return {
        "state": run.state.value,
        "run": _RUN.dump_json(run).decode(),
        "unsettled": run.unsettled,
        "ended_us": micros_or_none(run.ended_at),
    }


_UNSETTLED = Prepared(
    sa.select(apply_runs.c.world_id, apply_runs.c.run_id).where(apply_runs.c.unsettled).order_by(apply_runs.c.sequence)
)

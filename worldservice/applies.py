"""Rows of apply runs, their timeline, the acknowledgements of gateways, and approvals to go live."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping

from qmtl.core.errors import NotFound
from worldservice.domain.apply import ApplyRun, ApplyState
from worldservice.domain.gates import GateSession
from worldservice.domain.records import Approval
from worldservice.tables import (
    apply_acks,
    apply_runs,
    apply_steps,
    gate_sessions,
    instant,
    instant_or_none,
    live_approvals,
    micros,
    micros_or_none,
)

_RUN = TypeAdapter(ApplyRun)


@dataclass(frozen=True, slots=True)
class TimelineStep:
    state: ApplyState
    detail: str
    time: datetime


def insert_run(conn: Connection, run: ApplyRun) -> None:
    """A second running one in the same world breaks the unique index, whatever was checked before."""
    conn.execute(sa.insert(apply_runs).values(world_id=run.world_id, run_id=run.run_id, **_values(run)))


def save_run(conn: Connection, run: ApplyRun) -> None:
    where = (apply_runs.c.world_id == run.world_id, apply_runs.c.run_id == run.run_id)
    conn.execute(sa.update(apply_runs).where(*where).values(**_values(run)))


def find_run(conn: Connection, world_id: str, run_id: str) -> ApplyRun | None:
    where = (apply_runs.c.world_id == world_id, apply_runs.c.run_id == run_id)
    text = conn.execute(sa.select(apply_runs.c.run).where(*where)).scalar_one_or_none()
    return None if text is None else _RUN.validate_json(text)


def get_run(conn: Connection, world_id: str, run_id: str) -> ApplyRun:
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
    query = sa.select(apply_runs.c.world_id, apply_runs.c.run_id).where(apply_runs.c.unsettled)
    return [(row.world_id, row.run_id) for row in conn.execute(query.order_by(apply_runs.c.sequence))]


def append_step(conn: Connection, run: ApplyRun, detail: str, time: datetime) -> None:
    values = {"world_id": run.world_id, "run_id": run.run_id, "state": run.state.value, "detail": detail}
    conn.execute(sa.insert(apply_steps).values(**values, time_us=micros(time)))


def steps_of(conn: Connection, world_id: str, run_id: str) -> list[TimelineStep]:
    where = (apply_steps.c.world_id == world_id, apply_steps.c.run_id == run_id)
    rows = conn.execute(sa.select(apply_steps).where(*where).order_by(apply_steps.c.sequence)).mappings()
    return [TimelineStep(ApplyState(row["state"]), row["detail"], instant(row["time_us"])) for row in rows]


def save_ack(
    conn: Connection, world_id: str, run_id: str, gateway_id: str, boot_id: str, sequence: int, now: datetime
) -> bool:
    """Record an acknowledgement; False when it is on record already."""
    key = {
        "world_id": world_id,
        "run_id": run_id,
        "gateway_id": gateway_id,
        "boot_id": boot_id,
        "sequence": sequence,
    }
    query = sa.select(sa.func.count()).select_from(apply_acks).filter_by(**key)
    if conn.execute(query).scalar_one():
        return False
    conn.execute(sa.insert(apply_acks).values(**key, time_us=micros(now)))
    return True


def acks_of(conn: Connection, world_id: str, run_id: str) -> list[tuple[str, str, int]]:
    where = (apply_acks.c.world_id == world_id, apply_acks.c.run_id == run_id)
    query = sa.select(apply_acks.c.gateway_id, apply_acks.c.boot_id, apply_acks.c.sequence).where(*where)
    return [(row.gateway_id, row.boot_id, row.sequence) for row in conn.execute(query)]


def gates(conn: Connection) -> tuple[GateSession, ...]:
    """Every gate session on record, lapsed ones too; what each has applied is not read."""
    rows = conn.execute(sa.select(gate_sessions.c.gateway_id, gate_sessions.c.boot_id, gate_sessions.c.renewed_us))
    return tuple(GateSession(row.gateway_id, row.boot_id, instant(row.renewed_us), {}) for row in rows)


def save_approval(conn: Connection, approval: Approval) -> None:
    """One per strategy; approving again replaces it, the audit log keeps both."""
    where = (live_approvals.c.world_id == approval.world_id, live_approvals.c.strategy_id == approval.strategy_id)
    conn.execute(sa.delete(live_approvals).where(*where))
    conn.execute(
        sa.insert(live_approvals).values(
            world_id=approval.world_id,
            strategy_id=approval.strategy_id,
            approved_by=approval.approved_by,
            reason=approval.reason,
            approved_us=micros(approval.approved_at),
            expires_us=micros_or_none(approval.expires_at),
            revoked_us=micros_or_none(approval.revoked_at),
        )
    )


def find_approval(conn: Connection, world_id: str, strategy_id: str) -> Approval | None:
    where = (live_approvals.c.world_id == world_id, live_approvals.c.strategy_id == strategy_id)
    row = conn.execute(sa.select(live_approvals).where(*where)).mappings().one_or_none()
    return None if row is None else _approval(row)


def approved(conn: Connection, world_id: str, now: datetime) -> frozenset[str]:
    """Strategies with an approval that holds now."""
    rows = conn.execute(sa.select(live_approvals).where(live_approvals.c.world_id == world_id)).mappings()
    return frozenset(found.strategy_id for found in map(_approval, rows) if found.holds(now))


def _approval(row: RowMapping) -> Approval:
    return Approval(
        world_id=row["world_id"],
        strategy_id=row["strategy_id"],
        approved_by=row["approved_by"],
        reason=row["reason"],
        approved_at=instant(row["approved_us"]),
        expires_at=instant_or_none(row["expires_us"]),
        revoked_at=instant_or_none(row["revoked_us"]),
    )


def _values(run: ApplyRun) -> dict[str, object]:
    return {
        "state": run.state.value,
        "run": _RUN.dump_json(run).decode(),
        "unsettled": run.unsettled,
        "ended_us": micros_or_none(run.ended_at),
    }

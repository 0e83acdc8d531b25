"""Rows of the gate sessions of gateways, and of what they have acknowledged."""

from __future__ import annotations

import json
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from qmtl.sql.instants import instant, micros
from qmtl.sql.statements.prepared import Prepared
from worldservice.activation.domain.gate_session import GateSession
from worldservice.activation.tables import gate_acks, gate_sessions

ACKED_SIGNAL = "activation_acked"  # of commits that recorded an acknowledgement
_HELD = Prepared(
    sa.select(gate_sessions).where(gate_sessions.c.gateway_id == sa.bindparam("gateway")).with_for_update()
)
_SAVE = Prepared(sa.update(gate_sessions).where(gate_sessions.c.gateway_id == sa.bindparam("gateway")))


def find_gate(conn: Connection, gateway_id: str) -> GateSession | None:
    """A gateway's session, with its row held until the transaction ends."""
    row = _HELD.rows(conn, {"gateway": gateway_id}).mappings().one_or_none()
    if row is None:
        return None
    return GateSession(
        row["gateway_id"],
        row["boot_id"],
        instant(row["renewed_us"]),
        json.loads(row["applied"]),
        instant(row["opened_us"]),
        row["displaced_boot"],
        row["refused_boot"],
    )


def save_gate(conn: Connection, gate: GateSession) -> None:
    """Take the place of the session the gateway had."""
    values = {
        "boot_id": gate.boot_id,
        "renewed_us": micros(gate.renewed_at),
        "applied": json.dumps(dict(gate.applied), sort_keys=True),
        "opened_us": micros(gate.opened_at),
        "displaced_boot": gate.displaced,
        "refused_boot": gate.refused,
    }
    if _SAVE.run(conn, {"gateway": gate.gateway_id, **values}) == 0:
        conn.execute(sa.insert(gate_sessions).values(gateway_id=gate.gateway_id, **values))


def clamp_gates(conn: Connection, now: datetime) -> None:
    """Sessions renewed later than now were stored before the clock was set back: they have a whole life from now on."""
    late = gate_sessions.c.renewed_us > micros(now)
    conn.execute(sa.update(gate_sessions).where(late).values(renewed_us=micros(now)))


def prune_gates(conn: Connection, before: datetime) -> None:
    """Drop sessions that were not renewed since an instant."""
    conn.execute(sa.delete(gate_sessions).where(gate_sessions.c.renewed_us < micros(before)))


def count_gates(conn: Connection, since: datetime) -> int:
    """Gate sessions renewed since an instant."""
    query = sa.select(sa.func.count()).select_from(gate_sessions).where(gate_sessions.c.renewed_us >= micros(since))
    return int(conn.execute(query).scalar_one())


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
    query = sa.select(sa.func.count()).select_from(gate_acks).filter_by(**key)
    if conn.execute(query).scalar_one():
        return False
    conn.execute(sa.insert(gate_acks).values(**key, time_us=micros(now)))
    return True


def acks_of(conn: Connection, world_id: str, run_id: str) -> list[tuple[str, str, int]]:
    """Who has acknowledged which sequence of a run: gateway, boot, sequence."""
    where = (gate_acks.c.world_id == world_id, gate_acks.c.run_id == run_id)
    query = sa.select(gate_acks.c.gateway_id, gate_acks.c.boot_id, gate_acks.c.sequence).where(*where)
    return [(row.gateway_id, row.boot_id, row.sequence) for row in conn.execute(query)]


def list_gates(conn: Connection) -> tuple[GateSession, ...]:
    """Every gate session on record, lapsed ones too; what each has applied is not read."""
    columns = gate_sessions.c
    rows = conn.execute(sa.select(columns.gateway_id, columns.boot_id, columns.renewed_us, columns.opened_us))
    return tuple(
        GateSession(row.gateway_id, row.boot_id, instant(row.renewed_us), {}, instant(row.opened_us)) for row in rows
    )

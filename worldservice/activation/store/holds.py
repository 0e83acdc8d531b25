"""Rows of holds: which apply has a world's activation for itself."""

import sqlalchemy as sa
from sqlalchemy import Connection

from worldservice.activation.domain.hold import Hold, HoldState
from worldservice.activation.tables import activation_holds


def find_hold(conn: Connection, world_id: str) -> Hold | None:
    """The hold on a world's activation; None: no apply ever was."""
    query = sa.select(activation_holds.c.run_id, activation_holds.c.state).where(
        activation_holds.c.world_id == world_id
    )
    row = conn.execute(query).one_or_none()
    return None if row is None else Hold(row.run_id, HoldState(row.state))


def save_hold(conn: Connection, world_id: str, hold: Hold) -> None:
    """Take the place of the hold there is; the caller holds the world's lock."""
    conn.execute(sa.delete(activation_holds).where(activation_holds.c.world_id == world_id))
    values = {"world_id": world_id, "run_id": hold.run_id, "state": hold.state.value}
    conn.execute(sa.insert(activation_holds).values(**values))

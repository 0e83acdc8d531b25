"""Rows of order lists and of runs that wait for their replay. A run is taken by moving its time on: a lease."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping

from qmtl.core.errors import Exhausted, NotFound
from qmtl.sql.instants import instant, micros
from qmtl.sql.statements.prepared import Prepared
from worldservice.evaluation.domain.runs import Evidence
from worldservice.evaluation.replay.pending import LEASE, PACE_MAX, PendingReplay, ReplayState
from worldservice.evaluation.replay.tables import order_lists, pending_replays
from worldservice.worlds.domain.binding import Stage

LISTS_KEPT = 20
LISTS_BYTES_MAX = 1 << 30
COMPUTED = (Stage.BACKTEST, Stage.PAPER)  # whose numbers may be computed here
_EVIDENCE = TypeAdapter(Evidence)


def put_list(
    conn: Connection, key: tuple[str, str, str], body: bytes, now: datetime, bytes_max: int = LISTS_BYTES_MAX
) -> None:
    """Keep a list by (world, strategy, hash); of a strategy the newest 20 are kept.

    Raises Exhausted (E_ORDER_LISTS_FULL) where those of the world would take more than `bytes_max` together.
    """
    world_id, strategy_id, name = key
    table = order_lists
    of_strategy = (table.c.world_id == world_id, table.c.strategy_id == strategy_id)
    conn.execute(sa.delete(table).where(*of_strategy, table.c.hash == name))
    kept = sa.select(table.c.put_us, table.c.hash).where(*of_strategy).order_by(table.c.put_us.desc(), table.c.hash)
    for row in conn.execute(kept).all()[LISTS_KEPT - 1 :]:
        conn.execute(sa.delete(table).where(*of_strategy, table.c.hash == row.hash))
    held = conn.execute(sa.select(sa.func.sum(sa.func.length(table.c.body))).where(table.c.world_id == world_id))
    taken = held.scalar_one() or 0
    if taken + len(body) > bytes_max:
        raise Exhausted(
            "E_ORDER_LISTS_FULL",
            f"order lists of world {world_id} take {taken} bytes, {len(body)} more are above {bytes_max}",
            hint="unbind strategies that are done: their lists go with them",
            metadata={"world_id": world_id},
        )
    values = {"world_id": world_id, "strategy_id": strategy_id, "hash": name, "body": body, "put_us": micros(now)}
    conn.execute(sa.insert(table).values(values))


def get_list(conn: Connection, world_id: str, strategy_id: str, name: str) -> bytes:
    """A list by its hash. Raises NotFound (E_ORDER_LIST_UNKNOWN)."""
    table = order_lists
    where = (table.c.world_id == world_id, table.c.strategy_id == strategy_id, table.c.hash == name)
    body = conn.execute(sa.select(table.c.body).where(*where)).scalar_one_or_none()
    if body is None:
        raise NotFound(
            "E_ORDER_LIST_UNKNOWN",
            f"strategy {strategy_id} has no order list {name[:80]!r} in world {world_id}",
            hint="send it with PutOrderList, then evaluate",
        )
    return bytes(body)


def forget_strategy(conn: Connection, world_id: str, strategy_id: str) -> None:
    """Its lists and what waits for them go with its binding."""
    for stage in COMPUTED:
        drop_pending(conn, world_id, strategy_id, stage)
    table = order_lists
    conn.execute(sa.delete(table).where(table.c.world_id == world_id, table.c.strategy_id == strategy_id))


def put_pending(conn: Connection, pending: PendingReplay) -> None:
    """Store a run that waits; of a strategy there is one at each stage."""
    drop_pending(conn, pending.world_id, pending.strategy_id, pending.asked.stage)
    conn.execute(sa.insert(pending_replays).values(_values(pending)))


def drop_pending(conn: Connection, world_id: str, strategy_id: str, stage: Stage) -> None:
    """Nothing waits for a strategy at a stage any more."""
    conn.execute(sa.delete(pending_replays).where(*_of(world_id, strategy_id, stage)))


def find_pending(conn: Connection, world_id: str, strategy_id: str, stage: Stage) -> PendingReplay | None:
    """The run of a strategy at a stage that waits or was refused, or None."""
    query = sa.select(pending_replays).where(*_of(world_id, strategy_id, stage))
    row = conn.execute(query).mappings().one_or_none()
    return None if row is None else _pending(row)


def find_waiting(conn: Connection, world_id: str, strategy_id: str, run_id: str) -> PendingReplay | None:
    """The run of this id, of any stage, if it waits or was refused."""
    found = (find_pending(conn, world_id, strategy_id, stage) for stage in COMPUTED)
    return next((one for one in found if one is not None and one.asked.run_id == run_id), None)


def list_pending(conn: Connection, world_id: str) -> list[PendingReplay]:
    """All of a world."""
    query = sa.select(pending_replays).where(pending_replays.c.world_id == world_id)
    order = (pending_replays.c.strategy_id, pending_replays.c.stage)
    return [_pending(row) for row in conn.execute(query.order_by(*order)).mappings()]


def take_due(conn: Connection, now: datetime, after: str = "") -> PendingReplay | None:
    """Take a run for the length of a lease; None: none is due, or another replica has it.

    Worlds take turns: of the next one by id after `after` that has runs due, the one that has been due longest.
    """
    table = pending_replays
    row = _DUE.rows(conn, {"now": micros(now), "after": after}).mappings().one_or_none()
    if row is None:
        return None
    owner = _of(row["world_id"], row["strategy_id"], Stage(row["stage"]))
    mine = (*owner, table.c.due_us == row["due_us"], table.c.run_id == row["run_id"])
    taken = conn.execute(sa.update(table).where(*mine).values(due_us=micros(now + LEASE)))
    return _pending(row) if taken.rowcount == 1 else None


def still_asked(conn: Connection, pending: PendingReplay) -> bool:
    """Whether a run that was taken is still the one that its strategy waits for."""
    found = find_pending(conn, pending.world_id, pending.strategy_id, pending.asked.stage)
    return found is not None and found.asked == pending.asked and found.state is ReplayState.PENDING


def clamp_pending(conn: Connection, now: datetime) -> None:
    """Runs due later than any lease were stored before the clock was set back: they are due now."""
    late = pending_replays.c.due_us > micros(now + LEASE + PACE_MAX)
    conn.execute(sa.update(pending_replays).where(late).values(due_us=micros(now)))


def _of(world_id: str, strategy_id: str, stage: Stage) -> tuple[sa.ColumnElement[bool], ...]:
    table = pending_replays.c
    return (table.world_id == world_id, table.strategy_id == strategy_id, table.stage == stage.value)


def _values(pending: PendingReplay) -> Mapping[str, Any]:
    return {
        "world_id": pending.world_id,
        "strategy_id": pending.strategy_id,
        "stage": pending.asked.stage.value,
        "run_id": pending.asked.run_id,
        "asked": _EVIDENCE.dump_json(pending.asked).decode(),
        "state": pending.state.value,
        "reason": pending.reason,
        "message": pending.message,
        "attempts": pending.attempts,
        "spent": pending.spent,
        "created_by": pending.created_by,
        "correlation_id": pending.correlation_id,
        "created_us": micros(pending.created_at),
        "due_us": micros(pending.due_at),
    }


def _pending(row: RowMapping) -> PendingReplay:
    return PendingReplay(
        world_id=row["world_id"],
        strategy_id=row["strategy_id"],
        asked=_EVIDENCE.validate_json(row["asked"]),
        created_by=row["created_by"],
        correlation_id=row["correlation_id"],
        created_at=instant(row["created_us"]),
        due_at=instant(row["due_us"]),
        state=ReplayState(row["state"]),
        reason=row["reason"],
        message=row["message"],
        attempts=row["attempts"],
        spent=row["spent"],
    )


_DUE = Prepared(
    sa.select(pending_replays)
    .where(
        pending_replays.c.state == ReplayState.PENDING.value,
        pending_replays.c.due_us <= sa.bindparam("now", type_=sa.BigInteger),
    )
    .order_by(
        sa.case((pending_replays.c.world_id > sa.bindparam("after", type_=sa.Text), 0), else_=1),
        pending_replays.c.world_id,
        pending_replays.c.due_us,
    )
    .limit(1)
)

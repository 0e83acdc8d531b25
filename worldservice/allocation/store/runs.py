"""Rows of rebalancing runs: the state as a value, request and plan as they were sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import IntegrityError

from qmtl.core.errors import NotFound, NotReady
from qmtl.core.paging import Page
from qmtl.sql.statements.prepared import Prepared
from worldservice.allocation.domain.run import Run
from worldservice.allocation.tables import rebalance_runs

REBALANCE_SIGNAL = "rebalance"
_RUN = TypeAdapter(Run)
_ROW = rebalance_runs.c
_GOING = Prepared(
    sa.select(_ROW.account, _ROW.run_id).where(_ROW.state.in_(["EXECUTING", "CANCELING"])).order_by(_ROW.sequence)
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run with what was asked and planned, as messages in bytes. `sequence` 0: not stored yet."""

    run: Run
    request: bytes
    plan: bytes
    sequence: int = 0


def insert_run(conn: Connection, found: Recorded) -> None:
    """Record a run; a second of one id breaks the key, whatever was checked before."""
    values = {**_values(found.run), "request": found.request, "plan": found.plan}
    conn.execute(sa.insert(rebalance_runs).values(account=found.run.account, run_id=found.run.run_id, **values))


def save_run(conn: Connection, run: Run) -> None:
    """Store a run as it is now. Raises NotReady (E_REBALANCE_RUNNING): another of the account is under way."""
    where = (_ROW.account == run.account, _ROW.run_id == run.run_id)
    other = sa.select(_ROW.run_id).where(
        _ROW.account == run.account, _ROW.run_id != run.run_id, _ROW.state.in_(["EXECUTING", "CANCELING"])
    )
    going = conn.execute(other).scalar_one_or_none() if run.state.value in ("EXECUTING", "CANCELING") else None
    try:
        if going is None:
            conn.execute(sa.update(rebalance_runs).where(*where).values(_values(run)))
            return
    except IntegrityError:
        pass
    raise NotReady("E_REBALANCE_RUNNING", f"account {run.account} has a rebalance under way: {going or 'another'}")


def find_run(conn: Connection, account: str, run_id: str, *, lock: bool = False) -> Recorded | None:
    """A run by its id, or None."""
    query = sa.select(rebalance_runs).where(_ROW.account == account, _ROW.run_id == run_id)
    row = conn.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    return None if row is None else _recorded(row)


def get_run(conn: Connection, account: str, run_id: str, *, lock: bool = False) -> Recorded:
    """A run by its id. Raises NotFound (E_RUN_UNKNOWN)."""
    found = find_run(conn, account, run_id, lock=lock)
    if found is None:
        raise NotFound("E_RUN_UNKNOWN", f"account {account} has no rebalance {run_id!r}")
    return found


def list_runs(conn: Connection, account: str, page: Page[tuple[int]]) -> Sequence[Recorded]:
    """Newest first, one more than the page shows."""
    query = sa.select(rebalance_runs).where(_ROW.account == account)
    if page.after is not None:
        query = query.where(_ROW.sequence < page.after[0])
    return [
        _recorded(row) for row in conn.execute(query.order_by(_ROW.sequence.desc()).limit(page.size + 1)).mappings()
    ]


def going_runs(conn: Connection) -> list[tuple[str, str]]:
    """Account and id of every run under way."""
    return [(row.account, row.run_id) for row in _GOING.rows(conn)]


def _values(run: Run) -> dict[str, object]:
    return {"state": run.state.value, "revision": run.revision, "run": _RUN.dump_json(run).decode()}


def _recorded(row: RowMapping) -> Recorded:
    return Recorded(_RUN.validate_json(row["run"]), row["request"], row["plan"], row["sequence"])

"""The submissions database: accepted means committed here, with its event and its INGEST row.

Every change after acceptance compares the claim epoch, so a worker that lost its claim changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import IntegrityError

from controlbus.database import signal
from controlbus.events import BODY_MAX, ControlEventDraft
from controlbus.subjects import ingest_subject
from gateway import releases
from gateway.domain.submissions import LIVE, State, move
from gateway.instants import from_ns, to_ns
from gateway.tables import HISTORY, LIVE_DAGS, OUTBOX, RELEASES, STRATEGIES, WORLDS
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import AlreadyExists, Conflict, Exhausted, NotFound

STATE_NUMBERS: Mapping[State, controlpb.StrategyState] = {
    State.QUEUED: controlpb.STRATEGY_STATE_QUEUED,
    State.PROCESSING: controlpb.STRATEGY_STATE_PROCESSING,
    State.COMPLETED: controlpb.STRATEGY_STATE_COMPLETED,
    State.FAILED: controlpb.STRATEGY_STATE_FAILED,
    State.CANCELED: controlpb.STRATEGY_STATE_CANCELED,
}
_PENDING = sa.exists().where(RELEASES.c.strategy_id == STRATEGIES.c.strategy_id).label("release_pending")
_ROWS = sa.select(STRATEGIES, _PENDING)
TODO_SIGNAL = "submissions"  # raised when there is work for a worker


@dataclass(frozen=True, slots=True)
class Submission:
    """What acceptance stores."""

    strategy_id: str
    request_id: str
    body_digest: str
    request: bytes
    name: str
    dag_digest: str
    nodes: int
    subject: str
    world_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A stored submission."""

    strategy_id: str
    request_id: str
    body_digest: str
    request: bytes
    dag_digest: str
    nodes: int
    subject: str
    state: State
    reason: str
    revision: int
    claim_epoch: int
    attempts: int
    created_at: datetime
    updated_at: datetime
    outcome: bytes | None
    world_ids: tuple[str, ...]
    release_pending: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A move of a strategy: to which state, why, by whom, when."""

    state: State
    reason: str
    actor: str
    at: datetime


def accept(conn: Connection, submission: Submission, at: datetime, pending_max: int) -> tuple[Record, bool]:
    """Store a submission QUEUED; (record, True) when this very request was accepted before.

    Raises Conflict (E_REQUEST_ID_REUSED), AlreadyExists (E_DUPLICATE), Exhausted (E_QUEUE_FULL).
    """
    if known := find_request(conn, submission.subject, submission.request_id):
        if known.body_digest != submission.body_digest:
            raise Conflict(
                "E_REQUEST_ID_REUSED",
                f"request_id {submission.request_id!r} came before with another body",
                hint="use a new request_id for a new submission",
                metadata={"strategy_id": known.strategy_id},
            )
        return known, True
    _check_room(conn, pending_max)
    _reserve_dag(conn, submission)
    now = to_ns(at)
    values = {
        "strategy_id": submission.strategy_id, "request_id": submission.request_id,
        "body_digest": submission.body_digest, "request": submission.request, "name": submission.name,
        "dag_digest": submission.dag_digest, "nodes": submission.nodes, "subject": submission.subject,
        "state": State.QUEUED.value, "reason": "", "revision": 0, "claim_epoch": 0, "claim_until_ns": 0,
        "attempts": 0, "next_attempt_ns": now, "created_ns": now, "updated_ns": now, "outcome": None,
    }  # fmt: skip
    conn.execute(sa.insert(STRATEGIES).values(values))
    worlds = [{"strategy_id": submission.strategy_id, "world_id": world} for world in submission.world_ids]
    conn.execute(sa.insert(WORLDS), worlds)
    _ingest(conn, submission)
    _record(conn, submission.strategy_id, submission.world_ids, Step(State.QUEUED, "", submission.subject, at))
    return get(conn, submission.strategy_id), False


def claim(conn: Connection, worker: str, at: datetime, ttl: timedelta) -> Record | None:
    """Take the next submission that is due, or one whose worker let its claim run out."""
    now, table = to_ns(at), STRATEGIES
    # two questions, because one with OR reads every waiting row for each claim
    waiting = (table.c.state == State.QUEUED.value, table.c.next_attempt_ns <= now, table.c.next_attempt_ns)
    abandoned = (table.c.state == State.PROCESSING.value, table.c.claim_until_ns <= now, table.c.claim_until_ns)
    for in_state, due, order in (abandoned, waiting):
        query = sa.select(table.c.strategy_id, table.c.state).where(in_state, due).order_by(order).limit(1)
        found = conn.execute(query.with_for_update(skip_locked=True)).first()
        if found is not None:
            break
    else:
        return None
    values = {
        "claim_epoch": table.c.claim_epoch + 1, "claim_until_ns": now + int(ttl.total_seconds() * 1e9),
        "attempts": table.c.attempts + 1, "state": State.PROCESSING.value, "updated_ns": now,
    }  # fmt: skip
    conn.execute(sa.update(table).where(table.c.strategy_id == found.strategy_id).values(values))
    if found.state == State.QUEUED.value:
        step = Step(State.PROCESSING, "", worker, at)
        _record(conn, found.strategy_id, worlds_of(conn, found.strategy_id), step)
    return get(conn, found.strategy_id)


def finish(conn: Connection, record: Record, step: Step, outcome: bytes | None) -> bool:
    """End a claim with COMPLETED or FAILED; False when the claim was lost, and nothing is changed then."""
    return _settle(conn, record, step, {"outcome": outcome, "reason": step.reason})


def put_back(conn: Connection, record: Record, step: Step, retry_at: datetime) -> bool:
    """Give a claim back to be tried again at an instant."""
    return _settle(conn, record, step, {"next_attempt_ns": to_ns(retry_at), "reason": step.reason})


def cancel(conn: Connection, strategy_id: str, step: Step) -> Record:
    """CANCELED from any live state, with its release due; idempotent. Raises NotFound, NotReady (E_STRATEGY_FAILED)."""
    record = get(conn, strategy_id)
    if record.state is State.CANCELED:
        return record
    move(record.state, State.CANCELED)
    now = to_ns(step.at)
    held_until = conn.execute(
        sa.select(STRATEGIES.c.claim_until_ns).where(STRATEGIES.c.strategy_id == strategy_id)
    ).scalar_one()
    # a worker in the middle of it may bind and diff until its claim runs out
    settle = max(now, held_until) if record.state is State.PROCESSING else now
    releases.schedule(conn, strategy_id, step.actor, now, settle)
    values = {
        "state": State.CANCELED.value, "reason": step.reason, "claim_epoch": record.claim_epoch + 1,
        "updated_ns": now,
    }  # fmt: skip
    conn.execute(sa.update(STRATEGIES).where(STRATEGIES.c.strategy_id == strategy_id).values(values))
    conn.execute(sa.delete(LIVE_DAGS).where(LIVE_DAGS.c.strategy_id == strategy_id))
    _record(conn, strategy_id, record.world_ids, step)
    return get(conn, strategy_id)


def released(conn: Connection, release: releases.Release, at: datetime) -> None:
    """A release was carried out, begun at `at`."""
    releases.done(conn, release, at)
    signal(conn, strategy_signal(release.strategy_id))


def lost(conn: Connection, record: Record, at: datetime) -> None:
    """The worker of a lost claim is through: what it bound meanwhile is released now, when the strategy has ended."""
    releases.hurry(conn, record.strategy_id, at)


def get(conn: Connection, strategy_id: str) -> Record:
    """One submission. Raises NotFound (E_STRATEGY_UNKNOWN)."""
    row = conn.execute(_ROWS.where(STRATEGIES.c.strategy_id == strategy_id)).mappings().first()
    if row is None:
        raise NotFound("E_STRATEGY_UNKNOWN", f"no strategy {strategy_id!r}", metadata={"strategy_id": strategy_id})
    return _to_record(row, worlds_of(conn, strategy_id))


def find_request(conn: Connection, subject: str, request_id: str) -> Record | None:
    """The submission a request made, if it came before."""
    query = _ROWS.where(STRATEGIES.c.subject == subject, STRATEGIES.c.request_id == request_id)
    row = conn.execute(query).mappings().first()
    return _to_record(row, worlds_of(conn, row["strategy_id"])) if row is not None else None


def page(
    conn: Connection, world_id: str, state: State | None, before: tuple[int, str] | None, limit: int
) -> Sequence[Record]:
    """Submissions, newest first, of one world or all; `before` is (created_ns, strategy_id) of the last one seen."""
    table = STRATEGIES
    query = _ROWS.order_by(table.c.created_ns.desc(), table.c.strategy_id.desc()).limit(limit)
    if world_id:
        inside = sa.select(WORLDS.c.strategy_id).where(WORLDS.c.world_id == world_id)
        query = query.where(table.c.strategy_id.in_(inside))
    if state is not None:
        query = query.where(table.c.state == state.value)
    if before is not None:
        query = query.where(sa.tuple_(table.c.created_ns, table.c.strategy_id) < before)
    rows = conn.execute(query).mappings().all()
    return [_to_record(row, worlds_of(conn, row["strategy_id"])) for row in rows]


def history(conn: Connection, strategy_id: str) -> list[tuple[int, Step]]:
    """Every step of a strategy's life, in order."""
    get(conn, strategy_id)
    query = sa.select(HISTORY).where(HISTORY.c.strategy_id == strategy_id).order_by(HISTORY.c.sequence)
    return [
        (row["sequence"], Step(State(row["state"]), row["reason"], row["actor"], from_ns(row["time_ns"])))
        for row in conn.execute(query).mappings()
    ]


def queued(conn: Connection) -> int:
    """How many submissions wait or are in work."""
    todo = (State.QUEUED.value, State.PROCESSING.value)
    return conn.execute(sa.select(sa.func.count()).where(STRATEGIES.c.state.in_(todo))).scalar_one()


def worlds_of(conn: Connection, strategy_id: str) -> tuple[str, ...]:
    """The worlds of a strategy, sorted."""
    query = sa.select(WORLDS.c.world_id).where(WORLDS.c.strategy_id == strategy_id).order_by(WORLDS.c.world_id)
    return tuple(conn.execute(query).scalars())


def strategy_signal(strategy_id: str) -> str:
    """Raised when a strategy changed."""
    return f"strategy/{strategy_id}"


def _ingest(conn: Connection, submission: Submission) -> None:
    """Queue the request for INGEST, in as many parts in order as the broker's message size asks for."""
    parts = [submission.request[start : start + BODY_MAX] for start in range(0, len(submission.request), BODY_MAX)]
    for number, part in enumerate(parts, start=1):
        headers = {"qmtl-subject": _ascii(submission.subject), "qmtl-part": f"{number}/{len(parts)}"}
        OUTBOX.append_raw(
            conn, ingest_subject(submission.strategy_id), submission.strategy_id,
            f"ingest:{submission.strategy_id}/{number}", part, headers,
        )  # fmt: skip


def _check_room(conn: Connection, pending_max: int) -> None:
    if queued(conn) >= pending_max:
        raise Exhausted(
            "E_QUEUE_FULL", f"{pending_max} submissions wait already", hint="retry with the same request_id",
            retry_after_s=1.0,
        )  # fmt: skip


def _reserve_dag(conn: Connection, submission: Submission) -> None:
    """One live strategy per (DAG, world): the primary key decides between racing gateways."""
    query = sa.select(LIVE_DAGS.c.strategy_id, LIVE_DAGS.c.world_id).where(
        LIVE_DAGS.c.dag_digest == submission.dag_digest, LIVE_DAGS.c.world_id.in_(submission.world_ids)
    )
    rows = [
        {"dag_digest": submission.dag_digest, "world_id": world, "strategy_id": submission.strategy_id}
        for world in submission.world_ids
    ]
    taken = conn.execute(query).first()
    if taken is None:
        try:
            with conn.begin_nested():
                conn.execute(sa.insert(LIVE_DAGS), rows)
            return
        except IntegrityError:
            taken = conn.execute(query).one()
    raise AlreadyExists(
        "E_DUPLICATE", f"the same DAG is live in world {taken.world_id!r} as {taken.strategy_id}",
        hint="attach to it, or cancel it first",
        metadata={"strategy_id": taken.strategy_id, "world_id": taken.world_id},
    )  # fmt: skip


def _claimed(record: Record) -> sa.ColumnElement[bool]:
    table = STRATEGIES.c
    return sa.and_(
        table.strategy_id == record.strategy_id, table.claim_epoch == record.claim_epoch,
        table.state == State.PROCESSING.value,
    )  # fmt: skip


def _settle(conn: Connection, record: Record, step: Step, values: dict[str, Any]) -> bool:
    move(State.PROCESSING, step.state)
    values |= {"state": step.state.value, "updated_ns": to_ns(step.at)}
    if conn.execute(sa.update(STRATEGIES).where(_claimed(record)).values(values)).rowcount != 1:
        return False
    if step.state not in LIVE:
        conn.execute(sa.delete(LIVE_DAGS).where(LIVE_DAGS.c.strategy_id == record.strategy_id))
        releases.schedule(conn, record.strategy_id, record.subject, to_ns(step.at), to_ns(step.at))
    _record(conn, record.strategy_id, record.world_ids, step)
    return True


def _record(conn: Connection, strategy_id: str, world_ids: Sequence[str], step: Step) -> None:
    """History row, event, and the revision they share."""
    payload = controlpb.StrategyStateChanged(
        strategy_id=strategy_id, state=STATE_NUMBERS[step.state], reason=step.reason, world_ids=world_ids
    )
    event = OUTBOX.append(conn, ControlEventDraft("gateway", strategy_id, payload, step.at))
    conn.execute(sa.update(STRATEGIES).where(STRATEGIES.c.strategy_id == strategy_id).values(revision=event.revision))
    values = {
        "strategy_id": strategy_id, "sequence": event.revision, "state": step.state.value, "reason": step.reason,
        "actor": step.actor, "time_ns": to_ns(step.at),
    }  # fmt: skip
    conn.execute(sa.insert(HISTORY).values(values))
    signal(conn, strategy_signal(strategy_id))
    if step.state is State.QUEUED:
        signal(conn, TODO_SIGNAL)


def _to_record(row: RowMapping, world_ids: tuple[str, ...]) -> Record:
    return Record(
        strategy_id=row["strategy_id"], request_id=row["request_id"], body_digest=row["body_digest"],
        request=row["request"], dag_digest=row["dag_digest"], nodes=row["nodes"], subject=row["subject"],
        state=State(row["state"]), reason=row["reason"], revision=row["revision"], claim_epoch=row["claim_epoch"],
        attempts=row["attempts"], created_at=from_ns(row["created_ns"]), updated_at=from_ns(row["updated_ns"]),
        outcome=row["outcome"], world_ids=world_ids, release_pending=bool(row["release_pending"]),
    )  # fmt: skip


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()

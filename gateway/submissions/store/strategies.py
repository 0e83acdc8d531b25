"""The submissions database: accepted means committed here, with its event and its INGEST row.

Every change after acceptance compares the claim epoch, so a worker that lost its claim changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from controlbus.events.control_event import BODY_MAX
from controlbus.jetstream.subjects import ingest_subject
from gateway.instants import from_ns, to_ns
from gateway.submissions.domain import Claim, Record, State, Step, Submission, move
from gateway.submissions.events import TODO_SIGNAL, publish_step, strategy_signal
from gateway.submissions.store import releases
from gateway.submissions.tables import HISTORY, LIVE_DAGS, OUTBOX, RELEASES, STRATEGIES, WORLDS
from qmtl.core.errors import AlreadyExists, Conflict, Exhausted, NotFound, Unavailable
from qmtl.sql.database import signal


class Raced(Unavailable):
    """Another gateway changed what this transaction rests on: it may be run again at once."""


def accept(
    conn: Connection, submission: Submission, at: datetime, pending_max: int, claim: Claim | None = None
) -> tuple[Record, bool]:
    """Store a submission, QUEUED or, with a claim, PROCESSING at once; (record, True): it was accepted before.

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
    _ingest(conn, submission)
    steps = [Step(State.QUEUED, "", submission.subject, at)]
    if claim is not None:
        steps.append(Step(State.PROCESSING, "", claim.worker, at))
    revisions = [publish_step(conn, submission.strategy_id, submission.world_ids, step) for step in steps]
    record = _fresh(submission, steps[-1], revisions[-1], claimed=claim is not None)
    conn.execute(_INSERT_STRATEGY, _row(submission, record, claim))
    conn.execute(_INSERT_WORLDS, [{"strategy_id": record.strategy_id, "world_id": w} for w in record.world_ids])
    conn.execute(
        _INSERT_HISTORY, [_history_row(record.strategy_id, *pair) for pair in zip(revisions, steps, strict=True)]
    )
    if claim is None:
        signal(conn, TODO_SIGNAL)
    return record, False


def cancel(conn: Connection, strategy_id: str, step: Step) -> Record:
    """CANCELED from any live state, with its release due; idempotent. Raises NotFound, NotReady (E_STRATEGY_STATE)."""
    record = get(conn, strategy_id, lock=True)
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
        "updated_ns": now, "revision": record_step(conn, record, step),
    }  # fmt: skip
    conn.execute(UPDATE_STRATEGY, {"id": strategy_id, **values})
    conn.execute(sa.delete(LIVE_DAGS).where(LIVE_DAGS.c.strategy_id == strategy_id))
    return get(conn, strategy_id)


def released(conn: Connection, release: releases.Release, at: datetime) -> None:
    """A release was carried out, begun at `at`."""
    releases.done(conn, release, at)
    signal(conn, strategy_signal(release.strategy_id))


def get(conn: Connection, strategy_id: str, *, lock: bool = False) -> Record:
    """One submission, with its row held until the transaction ends if wanted. Raises NotFound (E_STRATEGY_UNKNOWN)."""
    row = conn.execute(_LOCK_ONE if lock else _ONE, {"id": strategy_id}).mappings().first()
    if row is None:
        raise NotFound("E_STRATEGY_UNKNOWN", f"no strategy {strategy_id!r}", metadata={"strategy_id": strategy_id})
    return to_record(row, worlds_of(conn, strategy_id))


def find_request(conn: Connection, subject: str, request_id: str) -> Record | None:
    """The submission a request made, if it came before."""
    row = conn.execute(_REQUEST, {"subject": subject, "request_id": request_id}).mappings().first()
    return to_record(row, worlds_of(conn, row["strategy_id"])) if row is not None else None


def page(
    conn: Connection, world_id: str, state: State | None, before: tuple[int, str] | None, limit: int
) -> Sequence[Record]:
    """Submissions, newest first, of one world or all; `before` is (created_ns, strategy_id) of the last one seen."""
    table = STRATEGIES
    query = STRATEGY_ROWS.order_by(table.c.created_ns.desc(), table.c.strategy_id.desc()).limit(limit)
    if world_id:
        inside = sa.select(WORLDS.c.strategy_id).where(WORLDS.c.world_id == world_id)
        query = query.where(table.c.strategy_id.in_(inside))
    if state is not None:
        query = query.where(table.c.state == state.value)
    if before is not None:
        query = query.where(sa.tuple_(table.c.created_ns, table.c.strategy_id) < before)
    rows = conn.execute(query).mappings().all()
    return [to_record(row, worlds_of(conn, row["strategy_id"])) for row in rows]


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
    return conn.execute(_COUNT_TODO).scalar_one()


def worlds_of(conn: Connection, strategy_id: str) -> tuple[str, ...]:
    """The worlds of a strategy, sorted."""
    return tuple(conn.execute(_WORLDS_OF, {"id": strategy_id}).scalars())


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
    rows = [
        {"dag_digest": submission.dag_digest, "world_id": world, "strategy_id": submission.strategy_id}
        for world in submission.world_ids
    ]
    if all(conn.execute(_RESERVE, row).rowcount == 1 for row in rows):
        return
    query = sa.select(LIVE_DAGS.c.strategy_id, LIVE_DAGS.c.world_id).where(
        LIVE_DAGS.c.dag_digest == submission.dag_digest, LIVE_DAGS.c.world_id.in_(submission.world_ids),
        LIVE_DAGS.c.strategy_id != submission.strategy_id,
    )  # fmt: skip
    taken = conn.execute(query).first()
    if taken is None:  # it ended between the two statements, or it is this very request at another gateway
        raise Raced("E_DUPLICATE_GONE", "the same DAG was just accepted or canceled", retry_after_s=0.1)
    raise AlreadyExists(
        "E_DUPLICATE", f"the same DAG is live in world {taken.world_id!r} as {taken.strategy_id}",
        hint="attach to it, or cancel it first",
        metadata={"strategy_id": taken.strategy_id, "world_id": taken.world_id},
    )  # fmt: skip


def record_step(conn: Connection, record: Record, step: Step) -> int:
    """History row and event of a move; the revision they share, which the caller stores."""
    revision = publish_step(conn, record.strategy_id, record.world_ids, step)
    conn.execute(_INSERT_HISTORY, _history_row(record.strategy_id, revision, step))
    if step.state is State.QUEUED:
        signal(conn, TODO_SIGNAL)
    return revision


def _history_row(strategy_id: str, revision: int, step: Step) -> dict[str, object]:
    return {
        "strategy_id": strategy_id, "sequence": revision, "state": step.state.value, "reason": step.reason,
        "actor": step.actor, "time_ns": to_ns(step.at),
    }  # fmt: skip


def _fresh(submission: Submission, step: Step, revision: int, *, claimed: bool) -> Record:
    """The record of a submission that is accepted now."""
    return Record(
        strategy_id=submission.strategy_id, request_id=submission.request_id, body_digest=submission.body_digest,
        request=submission.request, dag_digest=submission.dag_digest, nodes=submission.nodes,
        subject=submission.subject, state=step.state, reason="", revision=revision, claim_epoch=int(claimed),
        attempts=int(claimed), created_at=step.at, updated_at=step.at, outcome=None,
        world_ids=submission.world_ids, release_pending=False,
    )  # fmt: skip


def _row(submission: Submission, record: Record, claim: Claim | None) -> dict[str, object]:
    at = to_ns(record.created_at)
    return {
        "strategy_id": record.strategy_id, "request_id": record.request_id, "body_digest": record.body_digest,
        "request": record.request, "name": submission.name, "dag_digest": record.dag_digest, "nodes": record.nodes,
        "subject": record.subject, "state": record.state.value, "reason": record.reason, "revision": record.revision,
        "claim_epoch": record.claim_epoch, "claim_until_ns": to_ns(claim.until) if claim is not None else 0,
        "attempts": record.attempts, "next_attempt_ns": at, "created_ns": at, "updated_ns": at, "outcome": None,
    }  # fmt: skip


def to_record(row: RowMapping, world_ids: tuple[str, ...]) -> Record:
    return Record(
        strategy_id=row["strategy_id"], request_id=row["request_id"], body_digest=row["body_digest"],
        request=row["request"], dag_digest=row["dag_digest"], nodes=row["nodes"], subject=row["subject"],
        state=State(row["state"]), reason=row["reason"], revision=row["revision"], claim_epoch=row["claim_epoch"],
        attempts=row["attempts"], created_at=from_ns(row["created_ns"]), updated_at=from_ns(row["updated_ns"]),
        outcome=row["outcome"], world_ids=world_ids, release_pending=bool(row["release_pending"]),
    )  # fmt: skip


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


# Statements of every submission, built once: building one costs as much as running it.
_PENDING = sa.exists().where(RELEASES.c.strategy_id == STRATEGIES.c.strategy_id).label("release_pending")
STRATEGY_ROWS = sa.select(STRATEGIES, _PENDING)
_ONE = STRATEGY_ROWS.where(STRATEGIES.c.strategy_id == sa.bindparam("id"))
_LOCK_ONE = _ONE.with_for_update(of=STRATEGIES)
_REQUEST = STRATEGY_ROWS.where(
    STRATEGIES.c.subject == sa.bindparam("subject"), STRATEGIES.c.request_id == sa.bindparam("request_id")
)
_COUNT_TODO = sa.select(sa.func.count()).where(STRATEGIES.c.state.in_((State.QUEUED.value, State.PROCESSING.value)))
_WORLDS_OF = sa.select(WORLDS.c.world_id).where(WORLDS.c.strategy_id == sa.bindparam("id")).order_by(WORLDS.c.world_id)
_INSERT_STRATEGY = sa.insert(STRATEGIES)
_INSERT_WORLDS = sa.insert(WORLDS)
_INSERT_HISTORY = sa.insert(HISTORY)
_RESERVE = sa.text(
    "INSERT INTO live_dags (dag_digest, world_id, strategy_id) VALUES (:dag_digest, :world_id, :strategy_id) "
    "ON CONFLICT DO NOTHING"
)
UPDATE_STRATEGY = sa.update(STRATEGIES).where(STRATEGIES.c.strategy_id == sa.bindparam("id"))

"""The submissions database: accepted means committed here, with its event and its INGEST row.

Every change after acceptance compares the claim epoch, so a worker that lost its claim changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from controlbus.database import signal
from controlbus.events import BODY_MAX, ControlEventDraft
from controlbus.subjects import ingest_subject
from gateway import releases
from gateway.domain.submissions import LIVE, State, move
from gateway.instants import from_ns, to_ns
from gateway.tables import HISTORY, LIVE_DAGS, OUTBOX, RELEASES, STRATEGIES, WORLDS
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.errors import AlreadyExists, Conflict, Exhausted, NotFound, Unavailable

STATE_NUMBERS: Mapping[State, controlpb.StrategyState] = {
    State.QUEUED: controlpb.STRATEGY_STATE_QUEUED,
    State.PROCESSING: controlpb.STRATEGY_STATE_PROCESSING,
    State.COMPLETED: controlpb.STRATEGY_STATE_COMPLETED,
    State.FAILED: controlpb.STRATEGY_STATE_FAILED,
    State.CANCELED: controlpb.STRATEGY_STATE_CANCELED,
}
TODO_SIGNAL = "submissions"  # raised when there is work for a worker


class Raced(Unavailable):
    """Another gateway changed what this transaction rests on: it may be run again at once."""


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


@dataclass(frozen=True, slots=True)
class Claim:
    """Who works on a submission, and when another may take it if nothing was heard until then."""

    worker: str
    until: datetime


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
    revisions = [_publish(conn, submission.strategy_id, submission.world_ids, step) for step in steps]
    record = _fresh(submission, steps[-1], revisions[-1], claimed=claim is not None)
    conn.execute(_INSERT_STRATEGY, _row(submission, record, claim))
    conn.execute(_INSERT_WORLDS, [{"strategy_id": record.strategy_id, "world_id": w} for w in record.world_ids])
    conn.execute(
        _INSERT_HISTORY, [_history_row(record.strategy_id, *pair) for pair in zip(revisions, steps, strict=True)]
    )
    if claim is None:
        signal(conn, TODO_SIGNAL)
    return record, False


def any_due(conn: Connection, at: datetime) -> bool:
    """Whether a claim would find something: asked before the write transaction that does."""
    return any(conn.execute(query.limit(1), {"now": to_ns(at)}).first() for query in (_ABANDONED, _WAITING))


def claim(conn: Connection, claim: Claim, at: datetime, most: int) -> list[Record]:
    """Take up to `most` submissions that are due: first those whose worker let its claim run out."""
    found: list[RowMapping] = []
    for query in (_ABANDONED, _WAITING):  # two questions: one with OR reads every waiting row for each claim
        locked = query.limit(most - len(found)).with_for_update(skip_locked=True, of=STRATEGIES)
        found += conn.execute(locked, {"now": to_ns(at)}).mappings().all()
    return [_claim(conn, row, claim, at) for row in found]


def _claim(conn: Connection, row: RowMapping, claim: Claim, at: datetime) -> Record:
    before = _to_record(row, worlds_of(conn, row["strategy_id"]))
    step = Step(State.PROCESSING, "", claim.worker, at)
    revision = before.revision if before.state is State.PROCESSING else _tell(conn, before, step)
    record = replace(
        before, state=State.PROCESSING, revision=revision, claim_epoch=before.claim_epoch + 1,
        attempts=before.attempts + 1, updated_at=at,
    )  # fmt: skip
    values = {
        "claim_epoch": record.claim_epoch, "claim_until_ns": to_ns(claim.until), "attempts": record.attempts,
        "state": record.state.value, "updated_ns": to_ns(at), "revision": revision,
    }  # fmt: skip
    conn.execute(_UPDATE, {"id": record.strategy_id, **values})
    return record


def finish(conn: Connection, record: Record, step: Step, outcome: bytes | None) -> Record | None:
    """End a claim with COMPLETED or FAILED; None when the claim was lost, and nothing is changed then."""
    settled = _settle(conn, record, step, {"outcome": outcome})
    return None if settled is None else replace(settled, outcome=outcome)


def put_back(conn: Connection, record: Record, step: Step, retry_at: datetime) -> bool:
    """Give a claim back to be tried again at an instant."""
    return _settle(conn, record, step, {"next_attempt_ns": to_ns(retry_at)}) is not None


def cancel(conn: Connection, strategy_id: str, step: Step) -> Record:
    """CANCELED from any live state, with its release due; idempotent. Raises NotFound, NotReady (E_STRATEGY_FAILED)."""
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
        "updated_ns": now, "revision": _tell(conn, record, step),
    }  # fmt: skip
    conn.execute(_UPDATE, {"id": strategy_id, **values})
    conn.execute(sa.delete(LIVE_DAGS).where(LIVE_DAGS.c.strategy_id == strategy_id))
    return get(conn, strategy_id)


def released(conn: Connection, release: releases.Release, at: datetime) -> None:
    """A release was carried out, begun at `at`."""
    releases.done(conn, release, at)
    signal(conn, strategy_signal(release.strategy_id))


def lost(conn: Connection, record: Record, at: datetime) -> None:
    """The worker of a lost claim is through: what it bound meanwhile is released now, when the strategy has ended."""
    if get(conn, record.strategy_id, lock=True).state in LIVE or releases.hurry(conn, record.strategy_id, at):
        return
    releases.schedule(conn, record.strategy_id, record.subject, to_ns(at), to_ns(at))


def get(conn: Connection, strategy_id: str, *, lock: bool = False) -> Record:
    """One submission, with its row held until the transaction ends if wanted. Raises NotFound (E_STRATEGY_UNKNOWN)."""
    row = conn.execute(_LOCK_ONE if lock else _ONE, {"id": strategy_id}).mappings().first()
    if row is None:
        raise NotFound("E_STRATEGY_UNKNOWN", f"no strategy {strategy_id!r}", metadata={"strategy_id": strategy_id})
    return _to_record(row, worlds_of(conn, strategy_id))


def find_request(conn: Connection, subject: str, request_id: str) -> Record | None:
    """The submission a request made, if it came before."""
    row = conn.execute(_REQUEST, {"subject": subject, "request_id": request_id}).mappings().first()
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
    return conn.execute(_COUNT_TODO).scalar_one()


def worlds_of(conn: Connection, strategy_id: str) -> tuple[str, ...]:
    """The worlds of a strategy, sorted."""
    return tuple(conn.execute(_WORLDS_OF, {"id": strategy_id}).scalars())


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


def _settle(conn: Connection, record: Record, step: Step, values: dict[str, Any]) -> Record | None:
    """Move a claimed submission on; None when the claim was lost. While it holds nobody else raises the revision."""
    move(State.PROCESSING, step.state)
    after = replace(record, state=step.state, reason=step.reason, revision=record.revision + 1, updated_at=step.at)
    values |= {
        "state": after.state.value, "reason": after.reason, "revision": after.revision, "updated_ns": to_ns(step.at)
    }  # fmt: skip
    held = {"id": record.strategy_id, "epoch": record.claim_epoch}
    if conn.execute(_UPDATE_CLAIMED, {**held, **values}).rowcount != 1:
        return None
    if step.state not in LIVE:
        conn.execute(sa.delete(LIVE_DAGS).where(LIVE_DAGS.c.strategy_id == record.strategy_id))
        releases.schedule(conn, record.strategy_id, record.subject, to_ns(step.at), to_ns(step.at))
    published = _tell(conn, record, step)
    assert published == after.revision, f"{record.strategy_id}: revision {published}, want {after.revision}"
    return after


def _tell(conn: Connection, record: Record, step: Step) -> int:
    """History row and event of a move; the revision they share, which the caller stores."""
    revision = _publish(conn, record.strategy_id, record.world_ids, step)
    conn.execute(_INSERT_HISTORY, _history_row(record.strategy_id, revision, step))
    if step.state is State.QUEUED:
        signal(conn, TODO_SIGNAL)
    return revision


def _publish(conn: Connection, strategy_id: str, world_ids: Sequence[str], step: Step) -> int:
    payload = controlpb.StrategyStateChanged(
        strategy_id=strategy_id, state=STATE_NUMBERS[step.state], reason=step.reason, world_ids=world_ids
    )
    signal(conn, strategy_signal(strategy_id))
    return OUTBOX.append(conn, ControlEventDraft("gateway", strategy_id, payload, step.at)).revision


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


# Statements of every submission, built once: building one costs as much as running it.
_PENDING = sa.exists().where(RELEASES.c.strategy_id == STRATEGIES.c.strategy_id).label("release_pending")
_ROWS = sa.select(STRATEGIES, _PENDING)
_ONE = _ROWS.where(STRATEGIES.c.strategy_id == sa.bindparam("id"))
_LOCK_ONE = _ONE.with_for_update(of=STRATEGIES)
_REQUEST = _ROWS.where(
    STRATEGIES.c.subject == sa.bindparam("subject"), STRATEGIES.c.request_id == sa.bindparam("request_id")
)
_WAITING = _ROWS.where(
    STRATEGIES.c.state == State.QUEUED.value, STRATEGIES.c.next_attempt_ns <= sa.bindparam("now")
).order_by(STRATEGIES.c.next_attempt_ns)
_ABANDONED = _ROWS.where(
    STRATEGIES.c.state == State.PROCESSING.value, STRATEGIES.c.claim_until_ns <= sa.bindparam("now")
).order_by(STRATEGIES.c.claim_until_ns)
_COUNT_TODO = sa.select(sa.func.count()).where(STRATEGIES.c.state.in_((State.QUEUED.value, State.PROCESSING.value)))
_WORLDS_OF = sa.select(WORLDS.c.world_id).where(WORLDS.c.strategy_id == sa.bindparam("id")).order_by(WORLDS.c.world_id)
_INSERT_STRATEGY = sa.insert(STRATEGIES)
_INSERT_WORLDS = sa.insert(WORLDS)
_INSERT_HISTORY = sa.insert(HISTORY)
_RESERVE = sa.text(
    "INSERT INTO live_dags (dag_digest, world_id, strategy_id) VALUES (:dag_digest, :world_id, :strategy_id) "
    "ON CONFLICT DO NOTHING"
)
_UPDATE = sa.update(STRATEGIES).where(STRATEGIES.c.strategy_id == sa.bindparam("id"))
_UPDATE_CLAIMED = _UPDATE.where(
    STRATEGIES.c.claim_epoch == sa.bindparam("epoch"), STRATEGIES.c.state == State.PROCESSING.value
)

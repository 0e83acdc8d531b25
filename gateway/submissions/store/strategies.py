"""The submissions database: accepted means committed here, with its event and its INGEST row.

Every change after acceptance compares the claim epoch, so a worker that lost its claim changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NoReturn

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from controlbus.events.control_event import BODY_MAX
from controlbus.jetstream.subjects import ingest_subject
from controlbus.outbox.outbox import RawDraft
from gateway.submissions.domain import Claim, Record, State, Step, Submission, move
from gateway.submissions.events import TODO_SIGNAL, publish_steps, strategy_signal
from gateway.submissions.store import releases
from gateway.submissions.store.room import QueueLimits, ask_queued, check_room
from gateway.submissions.tables import (
    ASSIGNMENTS,
    HISTORY,
    LIVE_DAGS,
    NODES,
    OUTBOX,
    OUTCOMES,
    RELEASES,
    REQUESTS,
    STRATEGIES,
    WORLDS,
)
from qmtl.core.errors import AlreadyExists, Conflict, NotFound, Unavailable
from qmtl.core.paging import Page
from qmtl.sql.database import signal
from qmtl.sql.instants import instant, micros
from qmtl.sql.statements.lists import bounded
from qmtl.sql.statements.prepared import Prepared


class Raced(Unavailable):
    """Another gateway changed what this transaction rests on: it may be run again at once."""


def accept(
    conn: Connection, submission: Submission, at: datetime, limits: QueueLimits, claim: Claim | None = None
) -> tuple[Record, bool]:
    """Store a submission, QUEUED or, with a claim, PROCESSING at once; (record, True): it was accepted before.

    Raises Conflict (E_REQUEST_ID_REUSED), AlreadyExists (E_DUPLICATE), Exhausted (E_QUEUE_FULL,
    E_SHARE_EXCEEDED).
    """
    waiting = ask_queued(conn)
    if known := find_request(conn, submission.subject, submission.request_id):
        if known.body_digest != submission.body_digest:
            raise Conflict(
                "E_REQUEST_ID_REUSED",
                f"request_id {submission.request_id!r} came before with another body",
                hint="use a new request_id for a new submission",
                metadata={"strategy_id": known.strategy_id},
            )
        return known, True
    check_room(conn, submission, limits, waiting())
    reserved = [_RESERVE.ask(conn, row) for row in _reservations(submission)]
    _ingest(conn, submission)
    steps = [Step(State.QUEUED, submission.subject, at)]
    if claim is not None:
        steps.append(Step(State.PROCESSING, claim.worker, at))
    revisions = publish_steps(conn, submission.strategy_id, submission.world_ids, steps)
    if not all(answer.rows().all() for answer in reserved):
        _refuse_duplicate(conn, submission)
    record = _fresh(submission, steps[-1], revisions[-1], claimed=claim is not None)
    _INSERT_STRATEGY.send(conn, _row(record, claim))
    _INSERT_REQUEST.send(conn, {"strategy_id": record.strategy_id, "request": submission.request})
    _INSERT_NODES.send(conn, {"strategy_id": record.strategy_id, "node_ids": "\n".join(submission.node_ids)})
    _INSERT_WORLDS.send_each(conn, [{"strategy_id": record.strategy_id, "world_id": w} for w in record.world_ids])
    _INSERT_HISTORY.send_each(
        conn, [_history_row(record.strategy_id, *pair) for pair in zip(revisions, steps, strict=True)]
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
    now = micros(step.at)
    held_until = conn.execute(
        sa.select(STRATEGIES.c.claim_until_us).where(STRATEGIES.c.strategy_id == strategy_id)
    ).scalar_one()
    # a worker in the middle of it may bind and diff until its claim runs out
    settle = max(now, held_until) if record.state is State.PROCESSING else now
    releases.schedule(conn, strategy_id, step.actor, now, settle)
    values = {
        "state": State.CANCELED.value, "reason": step.reason, "message": step.message,
        "claim_epoch": record.claim_epoch + 1, "updated_us": now, "revision": record_step(conn, record, step),
    }  # fmt: skip
    UPDATE_STRATEGY.send(conn, {"id": strategy_id, **values})
    conn.execute(sa.delete(LIVE_DAGS).where(LIVE_DAGS.c.strategy_id == strategy_id))
    return get(conn, strategy_id)


def released(conn: Connection, release: releases.Release, at: datetime) -> None:
    """A release was carried out, begun at `at`."""
    releases.done(conn, release, at)
    signal(conn, strategy_signal(release.strategy_id))


def get(conn: Connection, strategy_id: str, *, lock: bool = False) -> Record:
    """One submission, with its row held until the transaction ends if wanted. Raises NotFound (E_STRATEGY_UNKNOWN)."""
    row = (_LOCK_ONE if lock else _ONE).rows(conn, {"id": strategy_id}).mappings().first()
    if row is None:
        raise NotFound("E_STRATEGY_UNKNOWN", f"no strategy {strategy_id!r}", metadata={"strategy_id": strategy_id})
    return to_record(row, worlds_of(conn, strategy_id))


def find_request(conn: Connection, subject: str, request_id: str) -> Record | None:
    """The submission a request made, if it came before."""
    row = _REQUEST.rows(conn, {"subject": subject, "request_id": request_id}).mappings().first()
    return to_record(row, worlds_of(conn, row["strategy_id"])) if row is not None else None


def request_of(conn: Connection, strategy_id: str) -> bytes:
    """The request as it was accepted."""
    body: bytes = _REQUEST_OF.rows(conn, {"id": strategy_id}).scalar_one()
    return body


def node_ids_of(conn: Connection, strategy_id: str) -> frozenset[str]:
    """The nodes a strategy's DAG has."""
    return frozenset(_NODES_OF.rows(conn, {"id": strategy_id}).scalar_one().split("\n"))


def outcome_of(conn: Connection, strategy_id: str) -> bytes:
    """What a strategy came to in its worlds; empty before it was COMPLETED."""
    return _OUTCOME_OF.rows(conn, {"id": strategy_id}).scalar_one_or_none() or b""


def assignments_of(conn: Connection, strategy_id: str, world_id: str, first: int, limit: int) -> list[bytes]:
    """At most `limit` parts of a strategy's assignments in a world, from part `first` on."""
    after = ASSIGNMENTS.c.part >= sa.literal(first)  # a number of 64 bits, which the column's type has no room for
    query = sa.select(ASSIGNMENTS.c.body).where(
        ASSIGNMENTS.c.strategy_id == strategy_id, ASSIGNMENTS.c.world_id == world_id, after
    )
    return list(conn.execute(query.order_by(ASSIGNMENTS.c.part).limit(limit)).scalars())


def key_of(record: Record) -> tuple[int, str]:
    """The place of a submission in listings."""
    return micros(record.created_at), record.strategy_id


def page(conn: Connection, world_id: str, state: State | None, page: Page[tuple[int, str]]) -> Sequence[Record]:
    """Submissions, newest first, of one world or all; one more than the page has, if there is one."""
    table = STRATEGIES
    query = STRATEGY_ROWS.order_by(table.c.created_us.desc(), table.c.strategy_id.desc()).limit(page.size + 1)
    if world_id:
        inside = sa.select(WORLDS.c.strategy_id).where(WORLDS.c.world_id == world_id)
        query = query.where(table.c.strategy_id.in_(inside))
    if state is not None:
        query = query.where(table.c.state == state.value)
    if page.after is not None:
        query = query.where(sa.tuple_(table.c.created_us, table.c.strategy_id) < page.after)
    rows = conn.execute(query).mappings().all()
    worlds = _worlds_of_each(conn, [row["strategy_id"] for row in rows])
    return [to_record(row, worlds[row["strategy_id"]]) for row in rows]


def history(conn: Connection, strategy_id: str) -> list[tuple[int, Step]]:
    """Every step of a strategy's life, in order."""
    get(conn, strategy_id)
    query = sa.select(HISTORY).where(HISTORY.c.strategy_id == strategy_id).order_by(HISTORY.c.sequence)
    return [
        (
            row["sequence"],
            Step(State(row["state"]), row["actor"], instant(row["time_us"]), row["reason"], row["message"]),
        )
        for row in conn.execute(query).mappings()
    ]


def worlds_of(conn: Connection, strategy_id: str) -> tuple[str, ...]:
    """The worlds of a strategy, sorted."""
    return tuple(_WORLDS_OF.rows(conn, {"id": strategy_id}).scalars())


def _worlds_of_each(conn: Connection, strategy_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {strategy_id: [] for strategy_id in strategy_ids}
    for part in bounded(strategy_ids):
        query = sa.select(WORLDS).where(WORLDS.c.strategy_id.in_(part)).order_by(WORLDS.c.world_id)
        for strategy_id, world_id in conn.execute(query):
            found[strategy_id].append(world_id)
    return {strategy_id: tuple(worlds) for strategy_id, worlds in found.items()}


def _ingest(conn: Connection, submission: Submission) -> None:
    """Queue the request for INGEST, in as many parts in order as the broker's message size asks for."""
    parts = [submission.request[start : start + BODY_MAX] for start in range(0, len(submission.request), BODY_MAX)]
    strategy_id, subject = submission.strategy_id, ingest_subject(submission.strategy_id)
    drafts = []
    for number, part in enumerate(parts, start=1):
        headers = {"qmtl-subject": _ascii(submission.subject), "qmtl-part": f"{number}/{len(parts)}"}
        drafts.append(RawDraft(subject, strategy_id, f"ingest:{strategy_id}/{number}", part, headers))
    OUTBOX.append_raw(conn, drafts)


def _reservations(submission: Submission) -> list[dict[str, str]]:
    """One live strategy per (DAG, world): the primary key decides between racing gateways."""
    return [
        {"dag_digest": submission.dag_digest, "world_id": world, "strategy_id": submission.strategy_id}
        for world in submission.world_ids
    ]


def _refuse_duplicate(conn: Connection, submission: Submission) -> NoReturn:
    """Of a DAG that was not reserved in each world. Raises AlreadyExists (E_DUPLICATE), Raced."""
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
    (revision,) = publish_steps(conn, record.strategy_id, record.world_ids, [step])
    _INSERT_HISTORY.send(conn, _history_row(record.strategy_id, revision, step))
    if step.state is State.QUEUED:
        signal(conn, TODO_SIGNAL)
    return revision


def _history_row(strategy_id: str, revision: int, step: Step) -> dict[str, object]:
    return {
        "strategy_id": strategy_id, "sequence": revision, "state": step.state.value, "reason": step.reason,
        "message": step.message, "actor": step.actor, "time_us": micros(step.at),
    }  # fmt: skip


def _fresh(submission: Submission, step: Step, revision: int, *, claimed: bool) -> Record:
    """The record of a submission that is accepted now."""
    return Record(
        strategy_id=submission.strategy_id, request_id=submission.request_id, body_digest=submission.body_digest,
        meta=submission.meta, dag_digest=submission.dag_digest, nodes=len(submission.node_ids),
        subject=submission.subject, state=step.state, reason="", message="", revision=revision,
        claim_epoch=int(claimed), attempts=int(claimed), created_at=step.at, updated_at=step.at,
        sentinel_id="", plan_version=0, world_ids=submission.world_ids, release_pending=False,
    )  # fmt: skip


def _row(record: Record, claim: Claim | None) -> dict[str, object]:
    at = micros(record.created_at)
    return {
        "strategy_id": record.strategy_id, "request_id": record.request_id, "body_digest": record.body_digest,
        "meta": record.meta, "dag_digest": record.dag_digest, "nodes": record.nodes, "message": record.message,
        "subject": record.subject, "state": record.state.value, "reason": record.reason, "revision": record.revision,
        "claim_epoch": record.claim_epoch, "claim_until_us": micros(claim.until) if claim is not None else 0,
        "attempts": record.attempts, "next_attempt_us": at, "created_us": at, "updated_us": at,
        "sentinel_id": "", "plan_version": 0,
    }  # fmt: skip


def to_record(row: RowMapping, world_ids: tuple[str, ...]) -> Record:
    """A row with the worlds of its strategy."""
    return Record(
        strategy_id=row["strategy_id"], request_id=row["request_id"], body_digest=row["body_digest"], meta=row["meta"],
        dag_digest=row["dag_digest"], nodes=row["nodes"], subject=row["subject"], state=State(row["state"]),
        reason=row["reason"], message=row["message"], revision=row["revision"], claim_epoch=row["claim_epoch"],
        attempts=row["attempts"], created_at=instant(row["created_us"]), updated_at=instant(row["updated_us"]),
        sentinel_id=row["sentinel_id"], plan_version=row["plan_version"], world_ids=world_ids,
        release_pending=bool(row["release_pending"]),
    )  # fmt: skip


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


# Statements of every submission, built once: building one costs as much as running it.
_PENDING = sa.exists().where(RELEASES.c.strategy_id == STRATEGIES.c.strategy_id).label("release_pending")
STRATEGY_ROWS = sa.select(STRATEGIES, _PENDING)
_BY_ID = STRATEGY_ROWS.where(STRATEGIES.c.strategy_id == sa.bindparam("id"))
_ONE = Prepared(_BY_ID)
_LOCK_ONE = Prepared(_BY_ID.with_for_update(of=STRATEGIES))
_REQUEST = Prepared(
    STRATEGY_ROWS.where(
        STRATEGIES.c.subject == sa.bindparam("subject"), STRATEGIES.c.request_id == sa.bindparam("request_id")
    )
)
_WORLDS_OF = Prepared(
    sa.select(WORLDS.c.world_id).where(WORLDS.c.strategy_id == sa.bindparam("id")).order_by(WORLDS.c.world_id)
)
_INSERT_STRATEGY = Prepared(sa.insert(STRATEGIES))
_INSERT_REQUEST = Prepared(sa.insert(REQUESTS))
_INSERT_NODES = Prepared(sa.insert(NODES))
_REQUEST_OF = Prepared(sa.select(REQUESTS.c.request).where(REQUESTS.c.strategy_id == sa.bindparam("id")))
_NODES_OF = Prepared(sa.select(NODES.c.node_ids).where(NODES.c.strategy_id == sa.bindparam("id")))
_OUTCOME_OF = Prepared(sa.select(OUTCOMES.c.outcome).where(OUTCOMES.c.strategy_id == sa.bindparam("id")))
_INSERT_WORLDS = Prepared(sa.insert(WORLDS))
_INSERT_HISTORY = Prepared(sa.insert(HISTORY))
_RESERVE = Prepared(
    "INSERT INTO live_dags (dag_digest, world_id, strategy_id) VALUES (:dag_digest, :world_id, :strategy_id) "
    "ON CONFLICT DO NOTHING RETURNING world_id"
)
UPDATE_STRATEGY = Prepared(sa.update(STRATEGIES).where(STRATEGIES.c.strategy_id == sa.bindparam("id")))

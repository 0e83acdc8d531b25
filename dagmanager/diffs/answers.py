"""Stored answers: a diff's chunks as bytes, kept so that the same question is answered without a look at the graph.

An answer is content-addressed and shared by the requests that got it. A question seen before may be answered
again only while nothing it rests on changed; who else computes in its contexts is part of the question.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.diffs import wire
from dagmanager.diffs.domain.chunks import chunk_bounds
from dagmanager.diffs.domain.diff import Assignment
from dagmanager.tables import answers, diffs, seen
from qmtl.core.errors import Conflict, InvalidRequest, Violation
from qmtl.core.identity import canonical
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.sql.instants import micros
from qmtl.sql.statements.prepared import Later, Prepared

KEEP = timedelta(days=7)
PRUNE_MAX = 200

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Answer:
    """The chunks of a diff, serialised without their summary, and the summary of the last.

    `answer_id` is set on answers that came from the store.
    """

    body: bytes
    summary: diffpb.DiffSummary
    answer_id: str = ""

    def chunks(self, from_chunk: int = 0) -> Iterator[diffpb.DiffChunk]:
        """The chunks from one on. Raises InvalidRequest (E_CHUNK_OUT_OF_RANGE) beyond the last."""
        last = self.summary.chunks - 1
        if from_chunk > last:
            violation = Violation("from_chunk", str(from_chunk), f"at most {last}")
            raise InvalidRequest("E_CHUNK_OUT_OF_RANGE", str(violation), violations=(violation,))
        for index, frame in enumerate(_frames(self.body)):
            if index < from_chunk:
                continue
            chunk = diffpb.DiffChunk.FromString(frame)
            if index == last:
                chunk.summary.CopyFrom(self.summary)
            yield chunk


def build(assignments: Sequence[Assignment], summary: diffpb.DiffSummary) -> Answer:
    """Cut assignments into chunks and count them into the summary."""
    return build_from_messages([wire.assignment_to_proto(assignment) for assignment in assignments], summary)


def build_from_messages(messages: Sequence[diffpb.QueueAssignment], summary: diffpb.DiffSummary) -> Answer:
    """As build, from messages."""
    parts: list[bytes] = []
    sizes = [message.ByteSize() + 4 for message in messages]
    for index, (start, stop) in enumerate(chunk_bounds(sizes)):
        frame = diffpb.DiffChunk(chunk_index=index, assignments=messages[start:stop]).SerializeToString()
        parts += (_LENGTH.pack(len(frame)), frame)
    summary.chunks = len(parts) // 2
    return Answer(b"".join(parts), summary)


def find_by_request(conn: Connection, request_id: str, strategy_id: str, request_digest: str) -> Answer | None:
    """The answer this request got, if it was answered.

    An empty `request_digest` asks by id alone, as a client does that resumes without sending its DAG again.
    Raises Conflict (E_REQUEST_ID_REUSED) for another request under the same id.
    """
    return ask_by_request(conn, request_id, strategy_id, request_digest)()


def ask_by_request(conn: Connection, request_id: str, strategy_id: str, request_digest: str) -> Later[Answer | None]:
    """As `find_by_request`, to be heard later."""
    rows = _BY_REQUEST.ask(conn, {"id": request_id}).rows

    def heard() -> Answer | None:
        row = rows().one_or_none()
        if row is None:
            return None
        if row.strategy_id != strategy_id or request_digest not in ("", row.request_digest):
            raise Conflict(
                "E_REQUEST_ID_REUSED",
                f"request_id {request_id!r} was used for another request",
                hint="use a new request_id for every new request",
                metadata={"request_id": request_id},
            )
        return Answer(row.body, diffpb.DiffSummary.FromString(row.summary), row.answer_id)

    return heard


def keep_for_request(
    conn: Connection, request_id: str, strategy_id: str, request_digest: str, answer: Answer, now: datetime
) -> bool:
    """Keep what a request got; False when another process answered the same request meanwhile."""
    return (
        _KEEP_DIFF.run(
            conn,
            {
                "request_id": request_id,
                "request_digest": request_digest,
                "strategy_id": strategy_id,
                "answer_id": _keep_body(conn, answer, now),
                "summary": answer.summary.SerializeToString(),
                "now": micros(now),
            },
        )
        == 1
    )


def find_seen(conn: Connection, question: str, settled_revision: int) -> Answer | None:
    """The settled answer to a question, if it was asked at this revision."""
    row = _SEEN.rows(conn, {"question": question, "settled_revision": settled_revision}).one_or_none()
    if row is None:
        return None
    return Answer(row.body, diffpb.DiffSummary.FromString(row.summary), row.answer_id)


def keep_seen(conn: Connection, question: str, settled_revision: int, answer: Answer, now: datetime) -> None:
    """Keep the settled answer to a question; one with an `answer_id` was kept in this transaction already."""
    answer.summary.seen_before = True
    _KEEP_SEEN.send(
        conn,
        {
            "question": question,
            "settled_revision": settled_revision,
            "answer_id": answer.answer_id or _keep_body(conn, answer, now),
            "summary": answer.summary.SerializeToString(),
            "now": micros(now),
        },
    )


def prune(conn: Connection, now: datetime) -> int:
    """Forget answers given more than a week ago, in a bounded batch; returns how many rows went."""
    before = micros(now - KEEP)
    gone = 0
    for table, key in ((diffs, diffs.c.request_id), (seen, seen.c.question)):
        old = sa.select(key).where(table.c.created_us < before).order_by(table.c.created_us).limit(PRUNE_MAX)
        gone += conn.execute(sa.delete(table).where(key.in_(old.scalar_subquery()))).rowcount
    used = sa.exists().where(diffs.c.answer_id == answers.c.answer_id) | sa.exists().where(
        seen.c.answer_id == answers.c.answer_id
    )
    unused = sa.select(answers.c.answer_id).where(answers.c.created_us < before, ~used).limit(PRUNE_MAX)
    # The age is asked again outside: PostgreSQL looks at it anew when a diff has just taken the row up.
    dead = sa.delete(answers).where(answers.c.answer_id.in_(unused.scalar_subquery()), answers.c.created_us < before)
    return gone + conn.execute(dead).rowcount


_BY_REQUEST = Prepared(
    sa.select(diffs.c.request_digest, diffs.c.strategy_id, diffs.c.summary, answers.c.body, answers.c.answer_id)
    .join(answers, answers.c.answer_id == diffs.c.answer_id)
    .where(diffs.c.request_id == sa.bindparam("id"))
)
_SEEN = Prepared(
    sa.select(seen.c.summary, answers.c.body, answers.c.answer_id)
    .join(answers, answers.c.answer_id == seen.c.answer_id)
    .where(seen.c.question == sa.bindparam("question"), seen.c.settled_revision == sa.bindparam("settled_revision"))
)
_KEEP_DIFF = Prepared(
    "INSERT INTO diffs (request_id, request_digest, strategy_id, answer_id, summary, created_us) "
    "VALUES (:request_id, :request_digest, :strategy_id, :answer_id, :summary, :now) ON CONFLICT DO NOTHING"
)
_KEEP_SEEN = Prepared(
    "INSERT INTO seen (question, settled_revision, answer_id, summary, created_us) "
    "VALUES (:question, :settled_revision, :answer_id, :summary, :now) ON CONFLICT (question) DO UPDATE SET "
    "settled_revision = excluded.settled_revision, answer_id = excluded.answer_id, "
    "summary = excluded.summary, created_us = excluded.created_us"
)
_KEEP_BODY = Prepared(
    "INSERT INTO answers (answer_id, body, created_us) VALUES (:answer_id, :body, :now) "
    "ON CONFLICT (answer_id) DO UPDATE SET created_us = excluded.created_us"
)

_TOUCH = Prepared("UPDATE answers SET created_us = :now WHERE answer_id = :answer_id")


def _keep_body(conn: Connection, answer: Answer, now: datetime) -> str:
    if answer.answer_id and _TOUCH.run(conn, {"answer_id": answer.answer_id, "now": micros(now)}):
        return answer.answer_id
    answer_id = canonical.digest(answer.body)
    _KEEP_BODY.send(conn, {"answer_id": answer_id, "body": answer.body, "now": micros(now)})
    return answer_id


def _frames(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        (length,) = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size
        yield body[at : at + length]
        at += length

"""Claims on submissions: a worker takes one by lease, and changes nothing once it lost it.

Every change compares the claim's epoch, which grows at each claim.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from gateway.submissions.domain import LIVE, Claim, Outcome, Record, State, Step, move
from gateway.submissions.store import releases
from gateway.submissions.store.strategies import STRATEGY_ROWS, UPDATE_STRATEGY, get, record_step, to_record, worlds_of
from gateway.submissions.tables import ASSIGNMENTS, LIVE_DAGS, OUTCOMES, STRATEGIES
from qmtl.sql.instants import micros
from qmtl.sql.statements.prepared import Prepared

AHEAD_MAX = timedelta(minutes=11)  # the longest claim, and more


def clamp(conn: Connection, at: datetime) -> int:
    """Make due what is farther ahead than any claim or attempt is ever set; how many were.

    The clock was set back since it was stored. While a process runs its own time is steady, so this is asked at start.
    """
    late = 0
    for column in (STRATEGIES.c.claim_until_us, STRATEGIES.c.next_attempt_us):
        ahead = sa.and_(STRATEGIES.c.state.in_([state.value for state in LIVE]), column > micros(at + AHEAD_MAX))
        late += conn.execute(sa.update(STRATEGIES).where(ahead).values({column: micros(at)})).rowcount
    return late + releases.clamp(conn, at)


def any_due(conn: Connection, at: datetime) -> bool:
    """Whether a claim would find something: asked before the write transaction that does."""
    asked = [query.ask(conn, {"now": micros(at)}) for query in (_ANY_ABANDONED, _ANY_WAITING)]
    return any(answer.rows().first() for answer in asked)


def claim(conn: Connection, claim: Claim, at: datetime, most: int) -> list[Record]:
    """Take up to `most` submissions that are due: first those whose worker let its claim run out."""
    found: list[RowMapping] = []
    for query in (_ABANDONED, _WAITING):  # two questions: one with OR reads every waiting row for each claim
        locked = query.limit(most - len(found)).with_for_update(skip_locked=True, of=STRATEGIES)
        found += conn.execute(locked, {"now": micros(at)}).mappings().all()
    return [_claim(conn, row, claim, at) for row in found]


def _claim(conn: Connection, row: RowMapping, claim: Claim, at: datetime) -> Record:
    before = to_record(row, worlds_of(conn, row["strategy_id"]))
    step = Step(State.PROCESSING, claim.worker, at)
    revision = before.revision if before.state is State.PROCESSING else record_step(conn, before, step)
    record = replace(
        before, state=State.PROCESSING, revision=revision, claim_epoch=before.claim_epoch + 1,
        attempts=before.attempts + 1, updated_at=at,
    )  # fmt: skip
    values = {
        "claim_epoch": record.claim_epoch, "claim_until_us": micros(claim.until), "attempts": record.attempts,
        "state": record.state.value, "updated_us": micros(at), "revision": revision,
    }  # fmt: skip
    UPDATE_STRATEGY.send(conn, {"id": record.strategy_id, **values})
    return record


def finish(conn: Connection, record: Record, step: Step, outcome: Outcome | None) -> Record | None:
    """End a claim with COMPLETED or FAILED; None when the claim was lost, and nothing is changed then."""
    if outcome is None:
        return _settle(conn, record, step, {})
    named = {"sentinel_id": outcome.sentinel_id, "plan_version": outcome.plan_version}
    settled = _settle(conn, record, step, dict(named))
    if settled is None:
        return None
    _INSERT_OUTCOME.send(conn, {"strategy_id": record.strategy_id, "outcome": outcome.body})
    rows = [
        {"strategy_id": record.strategy_id, "world_id": world_id, "part": part, "body": body}
        for world_id, parts in outcome.assignments.items()
        for part, body in enumerate(parts)
    ]
    if rows:
        _INSERT_ASSIGNMENTS.send_each(conn, rows)
    return replace(settled, sentinel_id=outcome.sentinel_id, plan_version=outcome.plan_version)


def put_back(conn: Connection, record: Record, step: Step, retry_at: datetime) -> bool:
    """Give a claim back to be tried again at an instant."""
    return _settle(conn, record, step, {"next_attempt_us": micros(retry_at)}) is not None


def lost(conn: Connection, record: Record, at: datetime) -> None:
    """The worker of a lost claim is through: what it bound meanwhile is released now, when the strategy has ended."""
    if get(conn, record.strategy_id, lock=True).state in LIVE or releases.hurry(conn, record.strategy_id, at):
        return
    releases.schedule(conn, record.strategy_id, record.subject, micros(at), micros(at))


def _settle(conn: Connection, record: Record, step: Step, values: dict[str, Any]) -> Record | None:
    """Move a claimed submission on; None when the claim was lost. While it holds nobody else raises the revision."""
    move(State.PROCESSING, step.state)
    after = replace(
        record, state=step.state, reason=step.reason, message=step.message,
        revision=record.revision + 1, updated_at=step.at,
    )  # fmt: skip
    values |= {
        "state": after.state.value, "reason": after.reason, "message": after.message,
        "revision": after.revision, "updated_us": micros(step.at),
    }  # fmt: skip
    held = {"id": record.strategy_id, "epoch": record.claim_epoch}
    if _UPDATE_CLAIMED.run(conn, {**held, **values}) != 1:
        return None
    if step.state not in LIVE:
        conn.execute(sa.delete(LIVE_DAGS).where(LIVE_DAGS.c.strategy_id == record.strategy_id))
        releases.schedule(conn, record.strategy_id, record.subject, micros(step.at), micros(step.at))
    published = record_step(conn, record, step)
    assert published == after.revision, f"{record.strategy_id}: revision {published}, want {after.revision}"
    return after


_INSERT_OUTCOME = Prepared(sa.insert(OUTCOMES))
_INSERT_ASSIGNMENTS = Prepared(sa.insert(ASSIGNMENTS))
_WAITING = STRATEGY_ROWS.where(
    STRATEGIES.c.state == State.QUEUED.value, STRATEGIES.c.next_attempt_us <= sa.bindparam("now")
).order_by(STRATEGIES.c.next_attempt_us)
_ABANDONED = STRATEGY_ROWS.where(
    STRATEGIES.c.state == State.PROCESSING.value, STRATEGIES.c.claim_until_us <= sa.bindparam("now")
).order_by(STRATEGIES.c.claim_until_us)
_ANY_WAITING, _ANY_ABANDONED = Prepared(_WAITING.limit(1)), Prepared(_ABANDONED.limit(1))
_UPDATE_CLAIMED = Prepared(
    sa.update(STRATEGIES).where(
        STRATEGIES.c.strategy_id == sa.bindparam("id"),
        STRATEGIES.c.claim_epoch == sa.bindparam("epoch"),
        STRATEGIES.c.state == State.PROCESSING.value,
    )
)

"""Room in the queue of submissions: for all together, and in bytes for each identity and each world.

Shares are counted from a number of waiting submissions on: below, nobody keeps anybody waiting, and the sum would cost
more than it protects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.submissions.domain import State, Submission
from gateway.submissions.tables import REQUESTS, STRATEGIES, WORLDS
from qmtl.core.errors import Exhausted
from qmtl.sql.statements.prepared import Later, Prepared

RETRY_S: Final = 1.0
_TODO = STRATEGIES.c.state.in_((State.QUEUED.value, State.PROCESSING.value))


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How many submissions wait at most, their bytes, and from how many on those are counted."""

    submissions_max: int
    identity_bytes_max: int = 64 * 1024 * 1024
    world_bytes_max: int = 128 * 1024 * 1024
    counted_from: int = 64


def queued(conn: Connection) -> int:
    """How many submissions wait or are in work."""
    return ask_queued(conn)()


def ask_queued(conn: Connection) -> Later[int]:
    """As `queued`, to be heard later."""
    rows = _COUNT.ask(conn).rows
    return lambda: int(rows().scalar_one())


def check_room(conn: Connection, submission: Submission, limits: QueueLimits, count: int) -> None:
    """`count`: how many wait or are in work.

    Raises Exhausted: E_QUEUE_FULL, or E_SHARE_EXCEEDED for an identity or a world whose submissions wait already.
    """
    if count >= limits.submissions_max:
        raise Exhausted(
            "E_QUEUE_FULL",
            f"{limits.submissions_max} submissions wait already",
            hint="retry with the same request_id",
            retry_after_s=RETRY_S,
        )
    if count < limits.counted_from:
        return
    size = len(submission.request)
    own: int = conn.execute(_OF_IDENTITY, {"subject": submission.subject}).scalar_one()
    if own + size > limits.identity_bytes_max:
        raise _share(submission.subject, own, limits.identity_bytes_max)
    for world_id in submission.world_ids:
        held: int = conn.execute(_OF_WORLD, {"world_id": world_id}).scalar_one()
        if held + size > limits.world_bytes_max:
            raise _share(f"world {world_id}", held, limits.world_bytes_max)


def _share(whose: str, held: int, most: int) -> Exhausted:
    return Exhausted(
        "E_SHARE_EXCEEDED",
        f"{held} bytes of submissions of {whose} wait already, want at most {most} with this one",
        hint="retry with the same request_id",
        retry_after_s=RETRY_S,
        metadata={"share": "queue_bytes", "limit": str(most)},
    )


_COUNT = Prepared(sa.select(sa.func.count()).where(_TODO))
_BYTES = sa.select(sa.func.coalesce(sa.func.sum(sa.func.length(REQUESTS.c.request)), 0)).join(
    STRATEGIES, STRATEGIES.c.strategy_id == REQUESTS.c.strategy_id
)
_OF_IDENTITY = _BYTES.where(_TODO, STRATEGIES.c.subject == sa.bindparam("subject"))
_OF_WORLD = _BYTES.join(WORLDS, WORLDS.c.strategy_id == REQUESTS.c.strategy_id).where(
    _TODO, WORLDS.c.world_id == sa.bindparam("world_id")
)

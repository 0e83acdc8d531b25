"""What garbage collection may drop: released queues past the time to live and grace of their class.

Pure: a queue as the catalogue has it in, a verdict out. Whatever is not plainly due is kept, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from dagmanager.artifacts.domain import Artifact
from dagmanager.queues.domain.queues import RETENTION, Counters, QueueState, Retention
from qmtl.core.identity.nodes import QueueClass

BATCH = 50
STORAGE_HIGH = 0.8
REPORTED_MAX = 1_000
RETRY_AFTER = timedelta(hours=1)
PLAN_RETENTION = Retention(timedelta(days=180), timedelta(days=30), archive=True)
"""How long a sentinel outlives the last reference to its plan."""


class Kept(Enum):
    """Why a queue was not dropped."""

    QUEUE_UNKNOWN = "QUEUE_UNKNOWN"
    IN_USE = "IN_USE"
    DROPPED_BEFORE = "DROPPED_BEFORE"
    UNKNOWN_CLASS = "UNKNOWN_CLASS"
    NOT_DUE = "NOT_DUE"
    BATCH_FULL = "BATCH_FULL"
    """Due, and left for the next round."""
    FOREIGN_RECORDS = "FOREIGN_RECORDS"
    """Its subject holds what is no record of this queue."""
    ARCHIVE_INCOMPLETE = "ARCHIVE_INCOMPLETE"
    """The broker's records are not those the catalogue counted."""
    ARCHIVE_TOO_LARGE = "ARCHIVE_TOO_LARGE"
    ARCHIVE_FAILED = "ARCHIVE_FAILED"
    """It could not be written, or did not read back as it was written."""
    CHANGED = "CHANGED"
    """Somebody took it up, or wrote to it, while it was looked at."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A queue as the catalogue has it. `queue_class` and `state` are stored words, maybe of a later build."""

    compute_key: str
    node_id: str
    world_id: str
    execution_domain: str
    queue_class: str
    state: str
    released_at: datetime | None
    counters: Counters
    put_off: bool = False
    """It could not be dropped less than an hour ago."""

    @property
    def archived_first(self) -> bool:
        """Whether its class is kept in a file before it is dropped."""
        return RETENTION[QueueClass[self.queue_class]].archive


@dataclass(slots=True)
class Round:
    """What a round saw and did. `archives` are files with the queue each was made of."""

    at: datetime
    observed: int = 0
    candidates: list[Candidate] = field(default_factory=list)
    processed: int = 0
    skipped: dict[str, Kept] = field(default_factory=dict)
    archives: list[tuple[str, Artifact]] = field(default_factory=list)


def judge(queue: Candidate, now: datetime) -> Kept | None:
    """Why a queue must be kept; None: it may be dropped."""
    if queue.state == QueueState.DROPPED.name:
        return Kept.DROPPED_BEFORE
    if queue.state != QueueState.RELEASED.name or queue.released_at is None:
        return Kept.IN_USE
    if queue.queue_class not in QueueClass.__members__:
        return Kept.UNKNOWN_CLASS
    if RETENTION[QueueClass[queue.queue_class]].ends_at(queue.released_at) > now:
        return Kept.NOT_DUE
    return None


def batch_size(full: int, storage_used: float) -> int:
    """How many queues one round drops: half as many, at least one, while broker storage is over 80 %."""
    return max(1, full // 2) if storage_used > STORAGE_HIGH else full

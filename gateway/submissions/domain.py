"""Submissions: their states and legal moves, their names, and when a failed attempt is tried again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from qmtl.core.errors import InvalidRequest, NotReady, Violation
from qmtl.core.identity.canonical import digest

WORLDS_MAX = 16
REQUEST_ID_MAX = 128
NAME_MAX = 100
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class State(Enum):
    """Where a submission stands."""

    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


MOVES: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.PROCESSING, State.CANCELED}),
    # back to QUEUED when a dependency is away, or the worker that held it died
    State.PROCESSING: frozenset({State.COMPLETED, State.FAILED, State.QUEUED, State.CANCELED}),
    State.COMPLETED: frozenset({State.CANCELED}),
    State.FAILED: frozenset(),
    State.CANCELED: frozenset(),
}
LIVE = frozenset({State.QUEUED, State.PROCESSING, State.COMPLETED})


def move(state: State, to: State) -> State:
    """The state after a move. Raises NotReady (E_STRATEGY_STATE) for a move the table does not have."""
    if to not in MOVES[state]:
        raise NotReady(
            "E_STRATEGY_STATE", f"a {state.value} strategy cannot become {to.value}", metadata={"state": state.value}
        )
    return to


def strategy_id_of(subject: str, request_id: str) -> str:
    """The name of the strategy a request makes: one request, one strategy, on any gateway."""
    return "s-" + digest(f"{subject}\n{request_id}".encode()).removeprefix("blake3:")[:20]


def backoff_s(attempts: int) -> float:
    """Seconds until the next attempt after `attempts` failed ones."""
    return BACKOFF_S[min(attempts, len(BACKOFF_S)) - 1] if attempts > 0 else 0.0


def check_request(request_id: str, name: str, world_ids: list[str]) -> None:
    """Refuse a request that can never be served. Raises InvalidRequest (E_REQUEST_ID, E_NAME, E_WORLD_IDS...)."""
    if not 1 <= len(request_id) <= REQUEST_ID_MAX or not request_id.isprintable():
        raise _refused("E_REQUEST_ID", "request_id", repr(request_id[:40]), f"1 to {REQUEST_ID_MAX} characters")
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable():
        raise _refused("E_NAME", "meta.name", repr(name[:40]), f"1 to {NAME_MAX} characters")
    check_worlds(world_ids)


def check_worlds(world_ids: list[str]) -> None:
    """Raises InvalidRequest (E_WORLD_IDS_REQUIRED, E_WORLD_IDS)."""
    if not world_ids:
        raise _refused("E_WORLD_IDS_REQUIRED", "world_ids", "empty", "the world to evaluate the strategy in")
    if len(set(world_ids)) != len(world_ids) or len(world_ids) > WORLDS_MAX:
        raise _refused("E_WORLD_IDS", "world_ids", f"{len(world_ids)} names", f"at most {WORLDS_MAX}, each once")


def check_crc32(claimed: int, actual: int) -> None:
    """Raises InvalidRequest (E_CHECKSUM_MISMATCH)."""
    if claimed != actual:
        raise _refused(
            "E_CHECKSUM_MISMATCH",
            "node_ids_crc32",
            str(claimed),
            f"{actual}, the CRC32 of the sorted NodeIDs joined by newlines",
        )


def _refused(reason: str, field: str, value: str, want: str) -> InvalidRequest:
    violation = Violation(field, value, want)
    return InvalidRequest(reason, str(violation), violations=(violation,))


@dataclass(frozen=True, slots=True)
class Submission:
    """What acceptance stores."""

    strategy_id: str
    request_id: str
    body_digest: str
    request: bytes
    meta: bytes
    dag_digest: str
    node_ids: tuple[str, ...]
    subject: str
    world_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A stored submission, without what is large: its request, its node ids and its outcomes."""

    strategy_id: str
    request_id: str
    body_digest: str
    meta: bytes
    dag_digest: str
    nodes: int
    subject: str
    state: State
    reason: str
    message: str
    revision: int
    claim_epoch: int
    attempts: int
    created_at: datetime
    updated_at: datetime
    sentinel_id: str
    plan_version: int
    world_ids: tuple[str, ...]
    release_pending: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A move of a strategy: to which state, by whom, when; the stable reason and the words for people, if any."""

    state: State
    actor: str
    at: datetime
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a completed submission came to: for its readers, `body` and the assignments of each world in parts."""

    sentinel_id: str
    plan_version: int
    body: bytes
    assignments: Mapping[str, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Claim:
    """Who works on a submission, and when another may take it if nothing was heard until then."""

    worker: str
    until: datetime

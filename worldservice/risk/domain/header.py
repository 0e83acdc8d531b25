"""A stored snapshot without its content, and how it stands among those of its scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from worldservice.risk.domain.scope import Scope
from worldservice.risk.domain.snapshot import RiskStage


class SnapshotState(Enum):
    """CURRENT: the newest of its scope, stage and actor, within its time; EXPIRED: the newest, past it."""

    CURRENT = "CURRENT"
    SUPERSEDED = "SUPERSEDED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class SnapshotHeader:
    """What is kept of a snapshot beside its content. `revision` counts the changes of the scope; `measured`: a service
    put it, from its books, and no person did.
    """

    scope: Scope
    version: str
    stage: RiskStage
    actor: str
    measured: bool
    as_of: datetime
    expires_at: datetime
    created_at: datetime
    revision: int
    hash: str
    figures: Mapping[str, float]

    @property
    def place(self) -> tuple[datetime, int]:
        """Its order: the later as_of is newer, ties by revision."""
        return self.as_of, self.revision

    def state(self, newest: SnapshotHeader, now: datetime) -> SnapshotState:
        """How it stands, `newest` being the newest of its scope, stage and actor."""
        if self.place < newest.place:
            return SnapshotState.SUPERSEDED
        return SnapshotState.CURRENT if now < self.expires_at else SnapshotState.EXPIRED


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored snapshot: its header, and its content as a serialised message."""

    header: SnapshotHeader
    content: bytes

"""Snapshots read whole, for the hub's own calls and for other subjects: current ones, and hub returns."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import Connection

from qmtl.core.errors import NotReady
from qmtl.risk.v1 import risk_pb2 as riskpb
from worldservice.risk.domain.checks import expired
from worldservice.risk.domain.header import SnapshotHeader, SnapshotState, Stored
from worldservice.risk.domain.returns import DailyReturns
from worldservice.risk.domain.scope import Scope
from worldservice.risk.domain.snapshot import RiskStage, Snapshot
from worldservice.risk.files import SnapshotFiles
from worldservice.risk.store import snapshots
from worldservice.risk.wire.snapshots import snapshot_from_proto

T = TypeVar("T")
NO_FILES = SnapshotFiles("")
WORLDS_REMEMBERED = 64


def current_header(
    conn: Connection, scope: Scope, now: datetime, stage: RiskStage | None = None, actor: str = ""
) -> SnapshotHeader:
    """The header of the current snapshot. Raises NotReady (E_SNAPSHOT_MISSING, E_SNAPSHOT_EXPIRED)."""
    found = snapshots.newest(conn, scope, stage, actor)
    if found is None:
        wanted = " ".join(["" if stage is None else f"of {stage.value}", f"by {actor}" if actor else ""]).strip()
        raise NotReady(
            "E_SNAPSHOT_MISSING",
            f"{scope} has no snapshot{' ' if wanted else ''}{wanted}",
            hint="put one; see that its producer runs",
        )
    if found.expires_at <= now:
        raise expired(found.as_of, found.expires_at, now, f"snapshot {found.version} of {scope}")
    return found


def current_snapshot(
    conn: Connection,
    scope: Scope,
    now: datetime,
    stage: RiskStage | None = None,
    files: SnapshotFiles = NO_FILES,
) -> Snapshot:
    """The current snapshot of a scope, whole. Raises NotReady (E_SNAPSHOT_MISSING, E_SNAPSHOT_EXPIRED, E_REF_...)."""
    return whole(snapshots.load_snapshot(conn, current_header(conn, scope, now, stage)), files)


def hub_returns(
    conn: Connection, world_id: str, stage: RiskStage, files: SnapshotFiles = NO_FILES
) -> tuple[Mapping[str, DailyReturns], str]:
    """Daily returns of a world's strategies at a stage as the newest snapshot has them, expired too, and its version.

    Empty, and "", where there is no snapshot. Days that are over stay true when the snapshot is no longer fresh.
    """
    found = snapshots.newest(conn, Scope(f"world:{world_id}"), stage)
    if found is None:
        return {}, ""
    return whole(snapshots.load_snapshot(conn, found), files).returns, found.version


class Remembered(Generic[T]):
    """What was made of the newest snapshot of a scope and stage, until another is asked about. A stored snapshot never
    changes, so it is made once; of the scopes that were not asked about for longest it is forgotten.
    """

    def __init__(self) -> None:
        self._made = OrderedDict[tuple[str, RiskStage], tuple[SnapshotHeader, T]]()

    def of(self, header: SnapshotHeader, make: Callable[[], T]) -> T:
        """What was made of this snapshot, or is made now. Raises what `make` raises, and remembers nothing then."""
        key = header.scope.text, header.stage
        known = self._made.get(key)
        if known is not None and known[0] == header:
            return known[1]
        found = make()
        self._made.pop(key, None)
        self._made[key] = header, found  # at the end, as the one that is asked about
        while len(self._made) > WORLDS_REMEMBERED:
            self._made.popitem(last=False)
        return found


class HubReturns:
    """As `hub_returns`, for who asks again and again: a snapshot is read once, until a newer one is there."""

    def __init__(self, files: SnapshotFiles = NO_FILES) -> None:
        self._files = files
        self._read = Remembered[Mapping[str, DailyReturns]]()

    def header(self, conn: Connection, world_id: str, stage: RiskStage) -> SnapshotHeader | None:
        """The newest snapshot's; None: there is none."""
        return snapshots.newest(conn, Scope(f"world:{world_id}"), stage)

    def of(self, conn: Connection, world_id: str, stage: RiskStage) -> Mapping[str, DailyReturns]:
        """By strategy. Raises NotReady (E_REF_...)."""
        header = self.header(conn, world_id, stage)
        if header is None:
            return {}
        return self._read.of(header, lambda: whole(snapshots.load_snapshot(conn, header), self._files).returns)


def whole(stored: Stored, files: SnapshotFiles) -> Snapshot:
    """A stored snapshot as a value, with what its refs hold. Raises NotReady (E_REF_...)."""
    return files.resolved(inline(stored), riskpb.RiskSnapshot.FromString(stored.content))


def inline(stored: Stored) -> Snapshot:
    """A stored snapshot without what its refs hold: weights, exposures, capital."""
    message = riskpb.RiskSnapshot.FromString(stored.content)
    return snapshot_from_proto(message, stored.header.scope, stored.header.actor)[0]


def state_of(conn: Connection, header: SnapshotHeader, now: datetime) -> SnapshotState:
    """How a stored snapshot stands among those of its scope, stage and actor."""
    last = snapshots.newest(conn, header.scope, header.stage, header.actor)
    return header.state(last or header, now)

"""Pure: what a follower of states makes of snapshots and events, whatever is lost, doubled or out of order.

An event carries the whole state of its key, and an owner commits before it publishes. So a revision seen is dropped,
the next one is applied, and a jump is healed by the owner's snapshot of that key. No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from google.protobuf.message import Message


@dataclass(frozen=True, slots=True)
class Current:
    """The state of one key at a revision, as a payload of its type; `payload` None: the owner has no such key."""

    kind: str
    key: str
    revision: int
    payload: Message | None


class Verdict(Enum):
    """What to do with an event."""

    APPLY = "APPLY"
    DROP = "DROP"  # seen, or older than the snapshot
    GAP = "GAP"  # load the key's snapshot and `heal`


class Tracker:
    """The revisions a follower has reached, per type and key."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], int] = {}

    def restore(self, kind: str, snapshot: Iterable[Current]) -> list[Current]:
        """Take the owner's whole snapshot of a type as the truth; returns what changed, keys that went included."""
        states = {state.key: state for state in snapshot}
        known = [key for (seen_kind, key) in self._seen if seen_kind == kind]
        gone = [Current(kind, key, self._seen.pop((kind, key)), None) for key in known if key not in states]
        changed = [state for state in states.values() if self._seen.get((kind, state.key)) != state.revision]
        self._seen.update({(kind, state.key): state.revision for state in states.values()})
        return gone + changed

    def offer(self, event: Current) -> Verdict:
        """Judge an event; APPLY also records it."""
        seen = self._seen.get((event.kind, event.key), 0)
        if event.revision <= seen:
            return Verdict.DROP
        if event.revision > seen + 1:
            return Verdict.GAP
        self._seen[event.kind, event.key] = event.revision
        return Verdict.APPLY

    def heal(self, event: Current, snapshot: Current | None) -> Current:
        """After GAP: what the key's state is now, given the owner's answer (None: no such key)."""
        if snapshot is None:
            state = Current(event.kind, event.key, event.revision, None)
        elif snapshot.revision >= event.revision:
            state = snapshot
        else:
            state = event  # a replica that lags behind the event; the event is whole and newer
        self._seen[event.kind, event.key] = state.revision
        return state

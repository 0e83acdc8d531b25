"""What the audit log keeps of an activation: one record per change, and the fold that makes the activation of them.

A record holds what changed; now and then one holds the whole set, so that a fold never has to begin far back. Each
carries the hash of the set it leads to, so that a broken log is seen and not believed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from qmtl.core.errors import DataLoss
from qmtl.core.windows import Window
from worldservice.domain.activation import Activation, Entry, Fence, Phase, empty, state_hash
from worldservice.domain.worlds import Side

WHOLE_EVERY = 500
Key = tuple[str, Side]


@dataclass(frozen=True, slots=True)
class ActivationRecord:
    """One change: the entries that changed (all of them when `whole`), those that went, and the head afterwards."""

    revision: int
    whole: bool
    entries: tuple[Entry, ...]
    removed: tuple[Key, ...]
    fence: Fence
    run_id: str
    sequence: int
    phase: Phase
    requires_ack: bool
    time: datetime
    windows: tuple[Window, ...]
    state_hash: str


def record_of(before: Activation, after: Activation, *, first: bool) -> ActivationRecord:
    """What became of `before`; the `first` record of a world, and each 500th revision, is whole."""
    whole = first or after.revision % WHOLE_EVERY == 0
    known = {_key(entry): entry for entry in before.entries}
    there = {_key(entry) for entry in after.entries}
    return ActivationRecord(
        revision=after.revision,
        whole=whole,
        entries=tuple(entry for entry in after.entries if whole or known.get(_key(entry)) != entry),
        removed=() if whole else tuple(key for key in known if key not in there),
        fence=after.fence,
        run_id=after.run_id,
        sequence=after.sequence,
        phase=after.phase,
        requires_ack=after.requires_ack,
        time=after.time,
        windows=after.windows,
        state_hash=after.state_hash,
    )


def rebuild(world_id: str, created_at: datetime, records: Iterable[ActivationRecord]) -> Activation:
    """The activation a world's records lead to. Raises DataLoss (E_AUDIT_BROKEN)."""
    activation = empty(world_id, created_at)
    for record in records:
        activation = _apply(activation, record)
    return activation


def _apply(before: Activation, record: ActivationRecord) -> Activation:
    if not record.whole and record.revision not in (before.revision, before.revision + 1):
        raise _broken(before.world_id, record.revision, f"it follows on revision {before.revision}")
    entries = {} if record.whole else {_key(entry): entry for entry in before.entries}
    entries.update({_key(entry): entry for entry in record.entries})
    for key in record.removed:
        entries.pop(key, None)
    ordered = tuple(entries[key] for key in sorted(entries, key=lambda key: (key[0], key[1].value)))
    if state_hash(ordered, record.windows) != record.state_hash:
        raise _broken(before.world_id, record.revision, "its set has another hash than it says")
    return replace(
        before,
        revision=record.revision,
        entries=ordered,
        fence=record.fence,
        run_id=record.run_id,
        sequence=record.sequence,
        phase=record.phase,
        requires_ack=record.requires_ack,
        time=record.time,
        windows=record.windows,
    )


def _key(entry: Entry) -> Key:
    return entry.strategy_id, entry.side


def _broken(world_id: str, revision: int, why: str) -> DataLoss:
    return DataLoss("E_AUDIT_BROKEN", f"the record of revision {revision} of world {world_id} does not fit: {why}")

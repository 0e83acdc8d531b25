"""Audit records of an activation, one per change, and how they are folded into the activation again.

A record holds what changed; now and then one holds the whole set, so that a fold never has to begin far back. Each
carries the hash of the set it leads to, so that a broken log is seen and not believed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from qmtl.calendars.windows import Window
from qmtl.core.errors import DataLoss
from worldservice.activation.domain.activation import Activation, Entry, Fence, Phase, Standings, empty, state_hash
from worldservice.worlds.domain.binding import Side

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
    may_not_add: tuple[Key, ...] = ()  # who could before; `fence.standings` then has who could not


def record_of(before: Activation, after: Activation, recorded: int | None) -> ActivationRecord:
    """What became of `before`; whole at each 500th revision, and where the newest record is not of `before`.

    `recorded` is the revision of that record, None for the first of a world.
    """
    whole = recorded != before.revision or after.revision % WHOLE_EVERY == 0
    known = {_key(entry): entry for entry in before.entries}
    there = {_key(entry) for entry in after.entries}
    return ActivationRecord(
        revision=after.revision,
        whole=whole,
        entries=tuple(entry for entry in after.entries if whole or known.get(_key(entry)) != entry),
        removed=() if whole else tuple(key for key in known if key not in there),
        fence=after.fence if whole else replace(after.fence, standings=after.fence.standings - before.fence.standings),
        run_id=after.run_id,
        sequence=after.sequence,
        phase=after.phase,
        requires_ack=after.requires_ack,
        time=after.time,
        windows=after.windows,
        state_hash=after.state_hash,
        may_not_add=() if whole else tuple(sorted(before.fence.standings - after.fence.standings, key=_in_order)),
    )


def rebuild(world_id: str, created_at: datetime, records: Iterable[ActivationRecord]) -> Activation:
    """The activation a world's records lead to. Raises DataLoss (E_AUDIT_BROKEN).

    The set is hashed where a record holds the whole of it and where the fold ends, not at each step: what is wrong
    between is wrong at the end too, or was undone by a later change of the same entry.
    """
    entries: dict[Key, Entry] = {}
    standings: Standings = frozenset()
    last: ActivationRecord | None = None
    for record in records:
        revision = 0 if last is None else last.revision
        if not record.whole and record.revision not in (revision, revision + 1):
            raise _broken(world_id, record.revision, f"it follows on revision {revision}")
        entries = {} if record.whole else entries
        entries.update((_key(entry), entry) for entry in record.entries)
        for key in record.removed:
            entries.pop(key, None)
        standings = (frozenset() if record.whole else standings - set(record.may_not_add)) | record.fence.standings
        if record.whole:
            _checked(world_id, record, entries)
        last = record
    before = empty(world_id, created_at)
    if last is None:
        return before
    whole = replace(last, fence=replace(last.fence, standings=standings))
    return _after(before, whole, _checked(world_id, last, entries))


def _checked(world_id: str, record: ActivationRecord, entries: Mapping[Key, Entry]) -> tuple[Entry, ...]:
    """The entries in order, if they are the set the record says."""
    ordered = tuple(entries[key] for key in sorted(entries, key=lambda key: (key[0], key[1].value)))
    if state_hash(ordered, record.windows) != record.state_hash:
        raise _broken(world_id, record.revision, "its set has another hash than it says")
    return ordered


def _after(before: Activation, record: ActivationRecord, entries: tuple[Entry, ...]) -> Activation:
    return replace(
        before,
        revision=record.revision,
        entries=entries,
        fence=record.fence,
        run_id=record.run_id,
        sequence=record.sequence,
        phase=record.phase,
        requires_ack=record.requires_ack,
        time=record.time,
        windows=record.windows,
    )


def _in_order(key: Key) -> tuple[str, str]:
    return key[0], key[1].value


def _key(entry: Entry) -> Key:
    return entry.strategy_id, entry.side


def _broken(world_id: str, revision: int, why: str) -> DataLoss:
    return DataLoss("E_AUDIT_BROKEN", f"the record of revision {revision} of world {world_id} does not fit: {why}")

"""A follower ends in the owner's state whatever is doubled, reordered or lost on the way."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from controlbus.events.revisions import Current, Tracker, Verdict
from qmtl.control.v1 import control_pb2 as controlpb

KEYS = ("a", "b", "c")


def state(key: str, revision: int) -> Current:
    return Current("policy_updated", key, revision, controlpb.PolicyUpdated(world_id=key, policy_version=revision))


@dataclass
class Owner:
    """Commits in order; a snapshot is what was committed so far."""

    committed: dict[str, int] = field(default_factory=dict)

    def commit(self, key: str) -> Current:
        self.committed[key] = self.committed.get(key, 0) + 1
        return state(key, self.committed[key])

    def snapshot(self) -> list[Current]:
        return [state(key, revision) for key, revision in self.committed.items()]

    def one(self, key: str) -> Current | None:
        return state(key, self.committed[key]) if key in self.committed else None


class Copy:
    """What a consumer of a follower keeps."""

    def __init__(self) -> None:
        self.tracker = Tracker()
        self.states: dict[str, Current] = {}
        self.applied: list[tuple[str, int]] = []

    def take(self, current: Current) -> None:
        self.applied.append((current.key, current.revision))
        if current.payload is None:
            self.states.pop(current.key, None)
        else:
            self.states[current.key] = current

    def restore(self, owner: Owner) -> None:
        for current in self.tracker.restore("policy_updated", owner.snapshot()):
            self.take(current)

    def hear(self, event: Current, owner: Owner) -> None:
        verdict = self.tracker.offer(event)
        if verdict is Verdict.APPLY:
            self.take(event)
        elif verdict is Verdict.GAP:
            self.take(self.tracker.heal(event, owner.one(event.key)))


@given(st.lists(st.sampled_from(KEYS), min_size=1, max_size=30), st.data())
def test_any_delivery_ends_in_the_owners_state(keys: list[str], data: st.DataObject) -> None:
    """The snapshot is taken somewhere in the history; delivery starts at or before it, and then anything happens."""
    owner, copy = Owner(), Copy()
    joined = data.draw(st.integers(0, len(keys)), label="snapshot after")
    position = data.draw(st.integers(0, joined), label="deliver from")
    events = []
    for i, key in enumerate(keys):
        if i == joined and data.draw(st.booleans(), label="with a first snapshot"):
            copy.restore(owner)
        events.append(owner.commit(key))
    heard = events[position:] if copy.states else events
    numbers = range(len(heard))
    lost = data.draw(st.sets(st.sampled_from(numbers)), label="lost") if heard else set()
    last = {event.key: i for i, event in enumerate(heard)}
    kept = [i for i in numbers if i not in lost or last[heard[i].key] == i]
    doubled = data.draw(st.lists(st.sampled_from(kept), max_size=10), label="doubled") if kept else []
    for i in data.draw(st.permutations(kept + doubled), label="order"):
        copy.hear(heard[i], owner)
    assert {key: current.revision for key, current in copy.states.items()} == owner.committed
    assert len(set(copy.applied)) == len(copy.applied), "a state was applied twice"
    for key in KEYS:
        revisions = [revision for applied, revision in copy.applied if applied == key]
        assert revisions == sorted(revisions), "a copy went back"


@given(st.lists(st.sampled_from(KEYS), max_size=20), st.integers(0, 20))
def test_in_order_delivery_never_asks_for_a_snapshot(keys: list[str], joined_after: int) -> None:
    owner, copy = Owner(), Copy()
    for i, key in enumerate(keys):
        event = owner.commit(key)
        if i < joined_after:
            copy.restore(owner)
        assert copy.tracker.offer(event) in (Verdict.APPLY, Verdict.DROP)


def test_a_key_the_owner_dropped_goes_at_the_next_snapshot() -> None:
    tracker = Tracker()
    assert tracker.restore("policy_updated", [state("a", 3), state("b", 1)]) == [state("a", 3), state("b", 1)]
    assert tracker.restore("policy_updated", [state("b", 1)]) == [Current("policy_updated", "a", 3, None)]
    assert tracker.offer(state("a", 1)) is Verdict.APPLY


def test_a_gap_of_a_key_the_owner_does_not_have_ends_in_gone() -> None:
    tracker = Tracker()
    assert tracker.offer(state("a", 5)) is Verdict.GAP
    assert tracker.heal(state("a", 5), None) == Current("policy_updated", "a", 5, None)
    assert tracker.offer(state("a", 5)) is Verdict.DROP
    assert tracker.offer(state("a", 6)) is Verdict.APPLY


def test_a_lagging_replica_does_not_take_a_state_back() -> None:
    tracker = Tracker()
    tracker.restore("policy_updated", [state("a", 2)])
    assert tracker.offer(state("a", 5)) is Verdict.GAP
    assert tracker.heal(state("a", 5), state("a", 3)) == state("a", 5)
    assert tracker.offer(state("a", 4)) is Verdict.DROP


def test_types_are_followed_apart() -> None:
    tracker = Tracker()
    tracker.restore("policy_updated", [state("a", 2)])
    other = Current("decision_updated", "a", 1, None)
    assert tracker.offer(other) is Verdict.APPLY
    assert tracker.restore("decision_updated", [Current("decision_updated", "a", 1, None)]) == []

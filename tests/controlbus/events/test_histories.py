"""Generated histories: whatever a subscriber missed, it ends with the state of one that saw everything.

A history interleaves the owner's commits with what happens to the subscriber: it joins late, loses its position and
loads a snapshot, hears an event, hears an old one again, or hears one before its predecessors. The snapshots of a real
owner take time: commits go on between the moment it was read and the moment it arrives.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from controlbus.events.revisions import Current, Tracker, Verdict
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.dag.v1 import queue_pb2 as queuepb
from tests.support.shared.examples import examples

KIND = "queue_updated"
KEYS = ("a", "b", "c")
NAMES = ("q1", "q2", "q3", "q4")

Commit = tuple[str, frozenset[str]]


@dataclass
class Owner:
    """Commits whole sets: an event carries the set after the change, as QueueUpdated does; the empty set, too."""

    events: list[Current] = field(default_factory=list)
    last: dict[str, Current] = field(default_factory=dict)

    def commit(self, key: str, queues: frozenset[str]) -> None:
        revision = self.last[key].revision + 1 if key in self.last else 1
        payload = controlpb.QueueUpdated(queues=[queuepb.Queue(compute_key=name) for name in sorted(queues)])
        self.last[key] = Current(KIND, key, revision, payload)
        self.events.append(self.last[key])


class Subscriber:
    """A follower as controlbus.events.follower drives it, and the copy its reader keeps."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._tracker = Tracker()
        self._connected = False
        self._position = 0
        self.copy: dict[str, Current] = {}
        self.applied: list[tuple[str, int]] = []

    def connect(self) -> None:
        """Pin the position; the snapshot is read some commits later."""
        self._connected, self._position = False, len(self._owner.events)

    def hear_next(self) -> None:
        """The snapshot first, if that is due, then the next event of the stream."""
        if not self._connected:
            self._connected = True
            for state in self._tracker.restore(KIND, self._owner.last.values()):
                self._keep(state)
        elif self._position < len(self._owner.events):
            self.hear(self._position)
            self._position += 1

    def hear(self, number: int) -> None:
        """Any event of the stream, doubled or out of its turn."""
        if self._connected:
            event = self._owner.events[number]
            verdict = self._tracker.offer(event)
            if verdict is Verdict.APPLY:
                self._keep(event)
            elif verdict is Verdict.GAP:
                self._keep(self._tracker.heal(event, self._owner.last[event.key]))

    def hear_all(self) -> None:
        while not self._connected or self._position < len(self._owner.events):
            self.hear_next()

    def _keep(self, state: Current) -> None:
        self.applied.append((state.key, state.revision))
        self.copy[state.key] = state


commits = st.tuples(st.sampled_from(KEYS), st.frozensets(st.sampled_from(NAMES)))
strays = st.integers(0, 1_000_000)  # an event of those there are: an old one again, or one that is not its turn
steps = st.one_of(commits, st.sampled_from(["hear next", "hear next", "hear next", "connect"]), strays)
Step = Commit | str | int


def play(history: list[Step], owner: Owner, subscriber: Subscriber) -> None:
    for step in history:
        if isinstance(step, tuple):
            owner.commit(*step)
        elif step == "connect":
            subscriber.connect()
        elif step == "hear next":
            subscriber.hear_next()
        elif isinstance(step, int) and owner.events:
            subscriber.hear(step % len(owner.events))


@settings(max_examples=examples(100, 300))
@given(st.lists(commits, max_size=20), st.lists(steps, min_size=20, max_size=80))
def test_late_joiners_reconnects_duplicates_and_reordering_end_in_the_same_state(
    before: list[Commit], history: list[Step]
) -> None:
    owner = Owner()
    complete, troubled = Subscriber(owner), Subscriber(owner)
    complete.connect()
    complete.hear_next()
    for commit in before:
        owner.commit(*commit)
    troubled.connect()
    play(history, owner, troubled)
    for subscriber in (complete, troubled):  # then everything is quiet, and what is left arrives
        subscriber.hear_all()
        for key in KEYS:
            revisions = [revision for applied, revision in subscriber.applied if applied == key]
            assert revisions == sorted(set(revisions)), "applied twice, or went back"
    assert troubled.copy == complete.copy == owner.last
    assert complete.applied == [(event.key, event.revision) for event in owner.events]

"""Whoever follows QueueUpdated ends with the server's set: joined late, reconnected, told twice or out of order.

Histories of diffs, releases and garbage collection are generated and played against a real store; the events it
wrote are then delivered badly to the follower's own bookkeeping.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from controlbus.events.revisions import Current, Tracker, Verdict
from dagmanager.garbage import store as garbage_store
from dagmanager.garbage.domain import judge
from dagmanager.garbage.store import Condemned
from dagmanager.plans import release
from dagmanager.queues import watches
from dagmanager.queues.domain.queues import MatchMode, tag_query
from dagmanager.queues.events import Cause
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.core.identity.nodes import QueueClass
from qmtl.core.modes import ExecutionDomain
from qmtl.sql.database import Database
from tests.dagmanager.graph_store import GraphStore
from tests.dagmanager.graphs import NOW, node, tag_query_node

KIND = "queue_updated"
QUERY = tag_query(["btc"], MatchMode.ANY, 900, "w1", ExecutionDomain.BACKTEST)
Act = tuple[str, int]
ACTS = st.lists(
    st.tuples(st.sampled_from(["diff", "more", "release", "collect"]), st.integers(0, 2)), min_size=1, max_size=10
)


@dataclass(frozen=True)
class History:
    """What the server published, and its set after each act with how much had been published by then."""

    events: list[Current]
    states: list[Current]
    published: list[int]


async def play(acts: list[Act]) -> History:
    """Act by act on an empty store whose set of tagged queues somebody watches."""
    with tempfile.TemporaryDirectory() as folder:
        db = Database(f"sqlite:///{folder}/graph.db", synchronous="NORMAL")
        await db.migrate("dagmanager:migrations")
        graph_store = GraphStore(db)
        await graph_store.diff([tag_query_node(["btc"])], "asker", decline=True)
        states, published, live = [await current(graph_store)], [len(await sets(graph_store))], set[str]()
        for day, (verb, which) in enumerate(acts):
            await act(graph_store, verb, f"s{which}", day, live)
            states.append(await current(graph_store))
            published.append(len(await sets(graph_store)))
        history = History(await sets(graph_store), states, published)
        await db.close()
        return history


async def act(graph_store: GraphStore, verb: str, strategy: str, turn: int, live: set[str]) -> None:
    cause = Cause(NOW + turn * timedelta(days=40))
    shared = node("shared", tags=["btc"], queue_class=QueueClass.RAW)
    own = node(strategy, shared, tags=["btc", strategy], queue_class=QueueClass.RAW)
    if verb in ("diff", "more"):
        extra = [node(f"more-{strategy}", tags=["btc"])] if verb == "more" else []
        await graph_store.diff([shared, own, *extra], strategy, decline=True, now=cause.now)
        live.add(strategy)
    elif verb == "release" and strategy in live:
        await graph_store.write(lambda conn: release.release_plan(conn, strategy, 0, "w1", cause))
    elif verb == "collect":
        found = await graph_store.db.read(lambda conn: garbage_store.due(conn, cause.now, tried_before=True))
        condemned = [Condemned(each, 0) for each in found if judge(each, cause.now) is None]
        await graph_store.write(lambda conn: garbage_store.drop(conn, condemned, cause))


async def current(graph_store: GraphStore) -> Current:
    """What the server answers to whoever asks for a snapshot."""
    found, revision = await graph_store.db.read(lambda conn: watches.snapshot(conn, QUERY))
    return Current(KIND, QUERY.key, revision, controlpb.QueueUpdated(queues=found))


async def sets(graph_store: GraphStore) -> list[Current]:
    events = [event for event in await graph_store.events() if event.HasField(KIND)]
    return [
        Current(KIND, event.key, event.revision, controlpb.QueueUpdated(queues=event.queue_updated.queues))
        for event in events
    ]


def deliver(tracker: Tracker, state: Current, events: list[Current], owner: Current) -> Current:
    """What a follower makes of deliveries, `owner` answering when it finds a gap."""
    for event in events:
        match tracker.offer(event):
            case Verdict.APPLY:
                state = event
            case Verdict.GAP:
                state = tracker.heal(event, owner)
            case Verdict.DROP:
                pass
    return state


@settings(max_examples=30)
@given(ACTS, st.data())
def test_every_follower_ends_with_the_servers_set(acts: list[Act], data: st.DataObject) -> None:
    history = asyncio.run(play(acts))
    assert [event.revision for event in history.events] == list(range(1, len(history.events) + 1))
    last = len(history.states) - 1
    joins = sorted(data.draw(st.sets(st.integers(0, last), min_size=1, max_size=3)))
    tracker, state = Tracker(), history.states[0]
    for at, until in zip(joins, [*joins[1:], last], strict=True):
        tracker.restore(KIND, [history.states[at]])
        state = history.states[at]
        news = history.events[history.published[at] : history.published[until]]
        old = history.events[: history.published[at]]
        again = data.draw(st.lists(st.sampled_from(news + old), max_size=5)) if news or old else []
        lagging = data.draw(st.integers(at, until))
        state = deliver(tracker, state, data.draw(st.permutations(news + again)), history.states[lagging])
    assert (state.revision, state.payload) == (history.states[-1].revision, history.states[-1].payload)


@settings(max_examples=15)
@given(ACTS)
def test_each_event_is_the_whole_set_of_its_moment(acts: list[Act]) -> None:
    history = asyncio.run(play(acts))
    by_revision = {event.revision: event.payload for event in history.events}
    for state in history.states:
        assert state.payload == by_revision[state.revision]

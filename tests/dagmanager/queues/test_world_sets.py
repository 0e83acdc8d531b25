"""The active queues of a world, published with a revision that a snapshot can carry."""

from __future__ import annotations

from dagmanager.plans import release
from dagmanager.queues.world_sets import SHOWN_MAX, world_set_revision
from dagmanager.sentinels import reads as sentinel_reads
from qmtl.dag.v1 import sentinel_service_pb2 as sentinelservicepb
from tests.dagmanager.graph_store import CAUSE, GraphStore
from tests.dagmanager.graphs import chain, context


async def published(graph_store: GraphStore) -> list[tuple[str, int, int]]:
    """(world, revision, queues shown) of each set."""
    return [
        (event.key, event.revision, len(event.world_queues_updated.queues)) for event in await graph_store.world_sets()
    ]


async def test_a_set_follows_what_is_added_and_released_and_nothing_else(graph_store: GraphStore) -> None:
    await graph_store.diff(chain(2), strategy_id="s1")
    await graph_store.diff(chain(2), strategy_id="s2")  # shares the queues of the first
    await graph_store.diff(chain(3), strategy_id="s3")
    await graph_store.write(lambda conn: release.release_plan(conn, "s3", 1, "w1", CAUSE))
    assert await published(graph_store) == [("w1", 1, 2), ("w1", 2, 3), ("w1", 3, 2)]
    assert await graph_store.db.read(lambda conn: world_set_revision(conn, "w1")) == 3


async def test_worlds_have_sets_of_their_own(graph_store: GraphStore) -> None:
    await graph_store.diff(chain(1), contexts=[context("w1"), context("w2")])
    await graph_store.diff(chain(2), contexts=[context("w2")])
    assert await published(graph_store) == [("w1", 1, 1), ("w2", 1, 1), ("w2", 2, 2)]
    assert {queue.world_id for queue in (await graph_store.world_sets())[-1].world_queues_updated.queues} == {"w2"}
    assert await graph_store.db.read(lambda conn: world_set_revision(conn, "w3")) == 0


async def test_a_set_too_large_for_an_event_only_says_that_it_changed(graph_store: GraphStore) -> None:
    await graph_store.diff(chain(SHOWN_MAX))
    await graph_store.diff(chain(SHOWN_MAX + 1))
    whole, cut = [event.world_queues_updated for event in await graph_store.world_sets()]
    assert (len(whole.queues), whole.truncated) == (SHOWN_MAX, False)
    assert (len(cut.queues), cut.truncated) == (0, True)


async def test_a_listing_of_sentinels_carries_the_revision_of_the_last_event(graph_store: GraphStore) -> None:
    for length in (1, 2):
        await graph_store.diff(chain(length))
    listed = await graph_store.db.read(
        lambda conn: sentinel_reads.list_sentinels(conn, sentinelservicepb.ListSentinelsRequest(strategy_id="s1"), None)
    )
    events = [event for event in await graph_store.events() if event.HasField("sentinel_weight_updated")]
    assert listed.sentinel_set_revision == events[-1].revision == 2

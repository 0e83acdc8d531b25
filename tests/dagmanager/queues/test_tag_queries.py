"""Registered tag queries hear the whole set after each change, and are forgotten with the last who asks."""

from __future__ import annotations

from dagmanager.plans import release
from tests.dagmanager.graph_store import CAUSE, GraphStore
from tests.dagmanager.graphs import context, node, tag_query_node


async def test_registered_queries_hear_the_whole_set_after_each_change(graph_store: GraphStore) -> None:
    await graph_store.diff([node("a", tags=["btc"])], "s1")
    await graph_store.diff([tag_query_node(["btc"])], "asker", decline=True)
    await graph_store.diff([node("b", tags=["btc"]), node("c", tags=["eth"])], "s2", decline=True)
    await graph_store.diff([node("d", tags=["btc"])], "s3", [context("elsewhere")], decline=True)
    await graph_store.write(lambda conn: release.release_plan(conn, "s1", 1, "w1", CAUSE))
    sets = [event for event in await graph_store.events() if event.HasField("queue_updated")]
    assert [(event.revision, len(event.queue_updated.queues)) for event in sets] == [(1, 1), (2, 2), (3, 1)]
    assert len({event.key for event in sets}) == 1
    assert [queue.tags for queue in sets[-1].queue_updated.queues] == [["btc"]]


async def test_a_query_hears_of_tags_added_to_a_node_that_was_there(graph_store: GraphStore) -> None:
    await graph_store.diff([node("a")], "s1", decline=True)
    await graph_store.diff([tag_query_node(["btc"])], "asker", decline=True)
    await graph_store.diff([node("a", tags=["btc"])], "s2", decline=True)
    sets = [len(event.queue_updated.queues) for event in await graph_store.events()]
    assert sets == [0, 1]


async def test_a_query_is_forgotten_with_the_last_plan_that_asks(graph_store: GraphStore) -> None:
    asker = [tag_query_node(["btc"])]
    await graph_store.diff(asker, "one", decline=True)
    await graph_store.diff(asker, "two", decline=True)
    for strategy in ("one", "two"):
        await graph_store.write(lambda conn, of=strategy: release.release_plan(conn, of, 1, "w1", CAUSE))  # type: ignore[misc]  # default binds the loop's value
        await graph_store.diff([node(f"for-{strategy}", tags=["btc"])], f"s-{strategy}", decline=True)
    assert [len(event.queue_updated.queues) for event in await graph_store.events()] == [0, 1]

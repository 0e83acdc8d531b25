"""Registered tag queries hear the whole set after each change, and are forgotten with the last who asks."""

from __future__ import annotations

from dagmanager.plans import release
from tests.dagmanager.estate import CAUSE, Estate
from tests.dagmanager.graphs import context, node, tag_query_node


async def test_registered_queries_hear_the_whole_set_after_each_change(estate: Estate) -> None:
    await estate.diff([node("a", tags=["btc"])], "s1")
    await estate.diff([tag_query_node(["btc"])], "asker", decline=True)
    await estate.diff([node("b", tags=["btc"]), node("c", tags=["eth"])], "s2", decline=True)
    await estate.diff([node("d", tags=["btc"])], "s3", [context("elsewhere")], decline=True)
    await estate.write(lambda conn: release.release_plan(conn, "s1", 1, "w1", CAUSE))
    sets = [event for event in await estate.events() if event.HasField("queue_updated")]
    assert [(event.revision, len(event.queue_updated.queues)) for event in sets] == [(1, 1), (2, 2), (3, 1)]
    assert len({event.key for event in sets}) == 1
    assert [queue.tags for queue in sets[-1].queue_updated.queues] == [["btc"]]


async def test_a_query_hears_of_tags_added_to_a_node_that_was_there(estate: Estate) -> None:
    await estate.diff([node("a")], "s1", decline=True)
    await estate.diff([tag_query_node(["btc"])], "asker", decline=True)
    await estate.diff([node("a", tags=["btc"])], "s2", decline=True)
    sets = [len(event.queue_updated.queues) for event in await estate.events()]
    assert sets == [0, 1]


async def test_a_query_is_forgotten_with_the_last_plan_that_asks(estate: Estate) -> None:
    asker = [tag_query_node(["btc"])]
    await estate.diff(asker, "one", decline=True)
    await estate.diff(asker, "two", decline=True)
    for strategy in ("one", "two"):
        await estate.write(lambda conn, of=strategy: release.release_plan(conn, of, 1, "w1", CAUSE))  # type: ignore[misc]  # default binds the loop's value
        await estate.diff([node(f"for-{strategy}", tags=["btc"])], f"s-{strategy}", decline=True)
    assert [len(event.queue_updated.queues) for event in await estate.events()] == [0, 1]

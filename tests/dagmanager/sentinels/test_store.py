"""Which submissions make a sentinel, and whose traffic it moves."""

from __future__ import annotations

from dataclasses import replace

from dagmanager.sentinels import store as sentinels_store
from dagmanager.tables import sentinels
from tests.dagmanager.graph_store import GraphStore
from tests.dagmanager.graphs import chain, context


async def test_sentinels_are_made_unless_declined_or_in_safe_mode(graph_store: GraphStore) -> None:
    made = await graph_store.diff(chain(1), "a", weight=0.5)
    declined = await graph_store.diff(chain(1), "b", decline=True)
    unsafe = await graph_store.diff(chain(1), "c", [replace(context(), safe_mode=True)])
    assert [answer.summary.sentinel_id for answer in (made, declined, unsafe)] == ["a@1", "", ""]
    assert await graph_store.count(sentinels) == 1
    (event,) = await graph_store.events()
    assert (event.key, event.sentinel_weight_updated.sentinels[0].traffic_weight) == ("a", "0.5")


async def test_the_sentinel_of_a_version_names_its_worlds(graph_store: GraphStore) -> None:
    await graph_store.diff(chain(1), contexts=[context("b"), context("a")])
    assert await graph_store.db.read(lambda conn: sentinels_store.worlds_of_sentinel(conn, "s1@1")) == ["a", "b"]

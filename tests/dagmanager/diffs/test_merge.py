"""The graph's transactions, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
import sqlalchemy as sa

from dagmanager.diffs import merge
from dagmanager.graph import reads
from dagmanager.revisions import GRAPH, SETTLED, revision
from dagmanager.tables import dags, diffs, nodes, outbox, queues
from qmtl.core.errors import Conflict, InvalidRequest
from qmtl.core.identity.dag import check_dag
from qmtl.core.modes import ExecutionDomain
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.sql.database import Database
from tests.dagmanager.graph_store import GraphStore, assignments, keys
from tests.dagmanager.graphs import NOW, chain, context, node, renamed
from tests.support.round_trips import counted_trips


async def test_a_first_diff_is_new_and_the_same_again_is_seen(graph_store: GraphStore) -> None:
    first = await graph_store.diff(chain(5))
    again = await graph_store.diff(chain(5))
    assert (first.summary.new_nodes, first.summary.new_queues, first.summary.seen_before) == (5, 5, False)
    assert (again.summary.reused_nodes, again.summary.reused_queues, again.summary.seen_before) == (5, 5, True)
    assert keys(again) == keys(first)
    assert {each.disposition for each in assignments(again)} == {diffpb.DISPOSITION_REUSED}
    assert all(each.queue_reused for each in assignments(again))
    assert again.summary.version == first.summary.version == 1


async def test_upload_order_changes_nothing(graph_store: GraphStore) -> None:
    made = chain(6)
    first = await graph_store.diff(made)
    random.Random(1).shuffle(made)
    again = await graph_store.diff(made)
    assert keys(again) == keys(first)
    assert again.summary.version == 1
    assert await graph_store.count(dags) == 1


async def test_the_same_request_gets_the_same_answer_for_ever(graph_store: GraphStore) -> None:
    first = await graph_store.diff(chain(5), request_id="r")
    await graph_store.diff(chain(5), "other")
    again = await graph_store.diff(chain(5), request_id="r")
    assert (again.body, again.summary) == (first.body, first.summary)


async def test_another_request_under_the_same_id_is_refused(graph_store: GraphStore) -> None:
    await graph_store.diff(chain(5), request_id="r")
    with pytest.raises(Conflict) as caught:
        await graph_store.diff(chain(4), request_id="r")
    assert caught.value.reason == "E_REQUEST_ID_REUSED"


async def test_strategies_share_a_prefix_and_see_each_other(graph_store: GraphStore) -> None:
    common = chain(3)
    await graph_store.diff([*common, node("mine", common[-1])], "s1")
    second = await graph_store.diff([*common, node("yours", common[-1])], "s2")
    assert (second.summary.new_nodes, second.summary.reused_nodes) == (1, 3)
    assert [each.shared_with for each in assignments(second)] == [1, 1, 1, 0]


async def test_who_shares_is_part_of_the_question(graph_store: GraphStore) -> None:
    """A stored answer that says "shared with nobody" must not be given once somebody shares."""
    await graph_store.diff(chain(2), "s1")
    await graph_store.diff(chain(2), "s2")
    again = await graph_store.diff(chain(2), "s1")
    assert [each.shared_with for each in assignments(again)] == [1, 1]
    assert not again.summary.seen_before


async def test_another_world_or_domain_shares_nodes_and_no_queue(graph_store: GraphStore) -> None:
    first = await graph_store.diff(chain(3), contexts=[context("w1")])
    other_world = await graph_store.diff(chain(3), contexts=[context("w2")])
    other_domain = await graph_store.diff(chain(3), contexts=[context("w1", ExecutionDomain.DRYRUN)])
    for answer in (other_world, other_domain):
        assert (answer.summary.new_nodes, answer.summary.new_queues) == (0, 3)
        assert {k for _, k, _ in keys(answer)}.isdisjoint(k for _, k, _ in keys(first))
    assert (await graph_store.count(nodes), await graph_store.count(queues)) == (3, 9)


async def test_one_diff_serves_several_worlds(graph_store: GraphStore) -> None:
    answer = await graph_store.diff(chain(2), contexts=[context("b"), context("a")])
    assert [each.world_id for each in assignments(answer)] == ["a", "b", "a", "b"]
    assert (answer.summary.new_nodes, answer.summary.new_queues) == (2, 4)


async def test_a_changed_schema_buffers_and_unsettles_stored_answers(graph_store: GraphStore) -> None:
    old = node("n", schema_hash="s1", period=14)
    await graph_store.diff([old])
    changed = await graph_store.diff([replace(old, schema_hash="s2")], "s2")
    assert [(each.disposition, each.buffer_lag) for each in assignments(changed)] == [
        (diffpb.DISPOSITION_REUSED_WITH_BUFFERING, 14)
    ]
    again = await graph_store.diff([replace(old, schema_hash="s2")], "s2")
    assert again.summary.seen_before
    assert assignments(again)[0].disposition == diffpb.DISPOSITION_REUSED_WITH_BUFFERING
    found = await graph_store.db.read(lambda conn: reads.get_node(conn, old.node_id, None))
    assert found.buffering_since.ToDatetime(tzinfo=NOW.tzinfo) == NOW
    assert await graph_store.db.read(lambda conn: revision(conn, SETTLED)) == 1


async def test_a_stored_answer_is_not_given_after_a_schema_changed(graph_store: GraphStore) -> None:
    old = node("n", schema_hash="s1", period=14)
    place = [context("w1")]
    await graph_store.diff([old], "s1", place)
    await graph_store.diff([replace(old, schema_hash="s2")], "s2", [context("w2")])
    again = await graph_store.diff([old], "s1", place)
    assert not again.summary.seen_before
    assert assignments(again)[0].disposition == diffpb.DISPOSITION_REUSED_WITH_BUFFERING


async def test_labels_of_two_nodes_with_the_same_short_digest_differ(graph_store: GraphStore) -> None:
    await graph_store.diff([node("n")])
    label = (await graph_store.diff([node("n")])).body
    assert label
    found = await graph_store.db.read(lambda conn: conn.execute(sa.select(nodes.c.label)).scalar_one())
    other = node("other")
    taken = found.replace(node("n").node_id[7:15], other.node_id[7:15])
    await graph_store.write(lambda conn: conn.execute(sa.update(nodes).values(label=taken)))
    answer = await graph_store.diff([other], "s2")
    assert assignments(answer)[0].topic.endswith(f"_{other.node_id[7:17]}_v1")


async def test_a_collision_is_refused(graph_store: GraphStore) -> None:
    made = node("n")
    await graph_store.diff([made])
    await graph_store.write(lambda conn: conn.execute(sa.update(nodes).values(canonical=b"{}")))
    with pytest.raises(InvalidRequest) as caught:
        await graph_store.diff([made], "s2")
    assert caught.value.reason == "E_NODE_ID_COLLISION"
    assert await graph_store.count(diffs) == 1


async def test_the_graph_revision_grows_with_changes_only(graph_store: GraphStore) -> None:
    async def at() -> int:
        return await graph_store.db.read(lambda conn: revision(conn, GRAPH))

    await graph_store.diff(chain(2))
    first = await at()
    await graph_store.diff(chain(2))
    await graph_store.diff(renamed(chain(2), "x"), "s2")
    assert await at() == first
    await graph_store.diff(chain(3))
    assert await at() == first + 1


async def test_overlapping_diffs_at_once_give_one_row_each(graph_store: GraphStore) -> None:
    common = chain(20)
    jobs = [
        graph_store.diff([*common, *chain(5, f"own{index % 4}-")], f"s{index}", [context("w1"), context("w2")])
        for index in range(12)
    ]
    found = await asyncio.gather(*jobs)
    assert await graph_store.count(nodes) == 20 + 4 * 5
    assert await graph_store.count(queues) == 2 * (20 + 4 * 5)
    answered: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for answer in found:
        for each in assignments(answer):
            answered.setdefault((each.node_id, each.world_id), set()).add((each.compute_key, each.topic))
    assert all(len(said) == 1 for said in answered.values())
    assert sum(answer.summary.new_nodes for answer in found) == 40


async def test_identical_diffs_of_one_strategy_at_once_are_one_version(graph_store: GraphStore) -> None:
    found = await asyncio.gather(*(graph_store.diff(chain(30)) for _ in range(8)))
    assert {answer.summary.version for answer in found} == {1}
    assert sum(answer.summary.new_nodes for answer in found) == 30


async def test_a_preview_says_the_same_and_changes_nothing(graph_store: GraphStore) -> None:
    dag = check_dag(chain(4))
    said = await graph_store.db.read(lambda conn: merge.preview(conn, dag, [context()], graph_store.members))
    assert await graph_store.count(nodes) == 0
    done = await graph_store.diff(chain(4))
    assert keys(said) == keys(done)
    assert said.summary.new_queues == 4


async def test_a_restart_finds_everything(database_url: str) -> None:
    first = Database(database_url)
    await first.migrate("dagmanager:migrations")
    before = await GraphStore(first).diff(chain(3), request_id="r")
    told = (await first.read(outbox.backlog)).depth
    assert told > 0
    await first.close()
    second = Database(database_url)
    await second.migrate("dagmanager:migrations")
    after = await GraphStore(second).diff(chain(3), request_id="r")
    assert (await second.read(outbox.backlog)).depth == told
    await second.close()
    assert (after.body, after.summary) == (before.body, before.summary)


async def test_how_often_a_diff_waits_for_its_store(postgres_url: str) -> None:
    async with counted_trips(postgres_url) as trips:
        store = GraphStore(Database(trips.url, pool_size=1))
        await store.diff(chain(3), "s1")
        before, dag = trips.count, chain(4)
        await store.diff([*dag, node("mine", dag[-1])], "s2")
        assert trips.count - before == 17
        await store.db.close()

"""The graph's transactions, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from controlbus.database import Database
from dagmanager import answers, plans, queuerows, reads, rollout, store
from dagmanager.domain.queues import MatchMode, tag_query
from dagmanager.events import Cause
from dagmanager.revisions import GRAPH, SETTLED, revision
from dagmanager.tables import dags, diffs, from_us, metadata, nodes, outbox, queues, sentinels, to_us
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.dag import check_dag
from qmtl.core.errors import Conflict, InvalidRequest, NotFound
from qmtl.core.modes import ExecutionDomain
from qmtl.core.split import version_of
from qmtl.dag.v1 import dag_pb2 as dagpb
from qmtl.dag.v1 import service_pb2 as servicepb
from tests.dagmanager.estate import Estate, assignments, keys
from tests.dagmanager.graphs import NOW, chain, context, node, renamed, tag_query_node

CAUSE = Cause(NOW)


async def test_migrations_make_the_tables_the_code_declares(estate: Estate) -> None:
    def differences(conn: sa.Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(conn), metadata))

    assert await estate.db.read(differences) == []


async def test_a_first_diff_is_new_and_the_same_again_is_seen(estate: Estate) -> None:
    first = await estate.diff(chain(5))
    again = await estate.diff(chain(5))
    assert (first.summary.new_nodes, first.summary.new_queues, first.summary.seen_before) == (5, 5, False)
    assert (again.summary.reused_nodes, again.summary.reused_queues, again.summary.seen_before) == (5, 5, True)
    assert keys(again) == keys(first)
    assert {each.disposition for each in assignments(again)} == {dagpb.DISPOSITION_REUSED}
    assert all(each.queue_reused for each in assignments(again))
    assert again.summary.version == first.summary.version == 1


async def test_upload_order_changes_nothing(estate: Estate) -> None:
    made = chain(6)
    first = await estate.diff(made)
    random.Random(1).shuffle(made)
    again = await estate.diff(made)
    assert keys(again) == keys(first)
    assert again.summary.version == 1
    assert await estate.count(dags) == 1


async def test_the_same_request_gets_the_same_answer_for_ever(estate: Estate) -> None:
    first = await estate.diff(chain(5), request_id="r")
    await estate.diff(chain(5), "other")
    again = await estate.diff(chain(5), request_id="r")
    assert (again.body, again.summary) == (first.body, first.summary)


async def test_another_request_under_the_same_id_is_refused(estate: Estate) -> None:
    await estate.diff(chain(5), request_id="r")
    with pytest.raises(Conflict) as caught:
        await estate.diff(chain(4), request_id="r")
    assert caught.value.reason == "E_REQUEST_ID_REUSED"


async def test_strategies_share_a_prefix_and_see_each_other(estate: Estate) -> None:
    common = chain(3)
    await estate.diff([*common, node("mine", common[-1])], "s1")
    second = await estate.diff([*common, node("yours", common[-1])], "s2")
    assert (second.summary.new_nodes, second.summary.reused_nodes) == (1, 3)
    assert [each.shared_with for each in assignments(second)] == [1, 1, 1, 0]


async def test_who_shares_is_part_of_the_question(estate: Estate) -> None:
    """A stored answer that says "shared with nobody" must not be given once somebody shares."""
    await estate.diff(chain(2), "s1")
    await estate.diff(chain(2), "s2")
    again = await estate.diff(chain(2), "s1")
    assert [each.shared_with for each in assignments(again)] == [1, 1]
    assert not again.summary.seen_before


async def test_another_world_or_domain_shares_nodes_and_no_queue(estate: Estate) -> None:
    first = await estate.diff(chain(3), contexts=[context("w1")])
    other_world = await estate.diff(chain(3), contexts=[context("w2")])
    other_domain = await estate.diff(chain(3), contexts=[context("w1", ExecutionDomain.DRYRUN)])
    for answer in (other_world, other_domain):
        assert (answer.summary.new_nodes, answer.summary.new_queues) == (0, 3)
        assert {k for _, k, _ in keys(answer)}.isdisjoint(k for _, k, _ in keys(first))
    assert (await estate.count(nodes), await estate.count(queues)) == (3, 9)


async def test_one_diff_serves_several_worlds(estate: Estate) -> None:
    answer = await estate.diff(chain(2), contexts=[context("b"), context("a")])
    assert [each.world_id for each in assignments(answer)] == ["a", "b", "a", "b"]
    assert (answer.summary.new_nodes, answer.summary.new_queues) == (2, 4)


async def test_a_changed_schema_buffers_and_unsettles_stored_answers(estate: Estate) -> None:
    old = node("n", schema_hash="s1", period=14)
    await estate.diff([old])
    changed = await estate.diff([replace(old, schema_hash="s2")], "s2")
    assert [(each.disposition, each.buffer_lag) for each in assignments(changed)] == [
        (dagpb.DISPOSITION_REUSED_WITH_BUFFERING, 14)
    ]
    again = await estate.diff([replace(old, schema_hash="s2")], "s2")
    assert again.summary.seen_before
    assert assignments(again)[0].disposition == dagpb.DISPOSITION_REUSED_WITH_BUFFERING
    found = await estate.db.read(lambda conn: reads.get_node(conn, old.node_id, None))
    assert found.buffering_since.ToDatetime(tzinfo=NOW.tzinfo) == NOW
    assert await estate.db.read(lambda conn: revision(conn, SETTLED)) == 1


async def test_a_stored_answer_is_not_given_after_a_schema_changed(estate: Estate) -> None:
    old = node("n", schema_hash="s1", period=14)
    place = [context("w1")]
    await estate.diff([old], "s1", place)
    await estate.diff([replace(old, schema_hash="s2")], "s2", [context("w2")])
    again = await estate.diff([old], "s1", place)
    assert not again.summary.seen_before
    assert assignments(again)[0].disposition == dagpb.DISPOSITION_REUSED_WITH_BUFFERING


async def test_versions_follow_the_dag(estate: Estate) -> None:
    versions = [
        (await estate.diff(made, label=label)).summary.version
        for made, label in ((chain(2), ""), (chain(3), ""), (chain(3), "v2"), (chain(3), "hotfix"), (chain(2), ""))
    ]
    assert versions == [1, 2, 2, 3, 4]
    listed = await estate.db.read(lambda conn: reads.list_plans(conn, "s1", commonpb.PageRequest(), None))
    assert [(plan.version, plan.version_label) for plan in listed.plans] == [
        (4, "v4"), (3, "hotfix"), (2, "v2"), (1, "v1")
    ]  # fmt: skip


async def test_the_stored_plan_is_the_submitted_dag(estate: Estate) -> None:
    made = chain(3, tags=["btc"])
    await estate.diff(made)
    plan = await estate.db.read(lambda conn: reads.get_plan(conn, "s1", 0, None))
    assert [each.name for each in plan.dag.nodes] == ["n0", "n1", "n2"]
    assert (plan.version, list(plan.live_worlds), plan.created_by) == (1, ["w1"], "alice")
    with pytest.raises(NotFound):
        await estate.db.read(lambda conn: reads.get_plan(conn, "s1", 2, None))


async def test_sentinels_are_made_unless_declined_or_in_safe_mode(estate: Estate) -> None:
    made = await estate.diff(chain(1), "a", weight=0.5)
    declined = await estate.diff(chain(1), "b", decline=True)
    unsafe = await estate.diff(chain(1), "c", [replace(context(), safe_mode=True)])
    assert [answer.summary.sentinel_id for answer in (made, declined, unsafe)] == ["a@1", "", ""]
    assert await estate.count(sentinels) == 1
    (event,) = await estate.events()
    assert (event.key, event.sentinel_weight_updated.sentinels[0].traffic_weight) == ("a", 0.5)


async def test_a_weight_is_published_on_change_only(estate: Estate) -> None:
    await estate.diff(chain(1))
    await estate.diff(chain(2))
    for weight in (0.25, 0.25, 0.0):
        await estate.write(lambda conn, to=weight: rollout.set_weight(conn, "s1@2", to, "", CAUSE))  # type: ignore[misc]  # default binds the loop's value
    events = [event.sentinel_weight_updated for event in await estate.events()]
    assert [[each.traffic_weight for each in event.sentinels] for event in events] == [
        [1.0], [1.0, 1.0], [1.0, 0.25], [1.0, 0.0]
    ]  # fmt: skip
    assert [event.revision for event in await estate.events()] == [1, 2, 3, 4]


async def test_a_canary_is_rolled_back_by_one_call(estate: Estate) -> None:
    await estate.diff(chain(1))
    await estate.diff(chain(2), weight=0.5)
    symbols = [f"SYM{index}" for index in range(200)]

    async def owners() -> set[int | None]:
        event = (await estate.events())[-1].sentinel_weight_updated
        weights = {each.version: each.traffic_weight for each in event.sentinels}
        return {version_of("s1", symbol, weights) for symbol in symbols}

    assert await owners() == {1, 2}
    await estate.write(lambda conn: rollout.set_weight(conn, "s1@2", 0.0, "", CAUSE))
    assert await owners() == {1}


async def test_labels_of_two_nodes_with_the_same_short_digest_differ(estate: Estate) -> None:
    await estate.diff([node("n")])
    label = (await estate.diff([node("n")])).body
    assert label
    found = await estate.db.read(lambda conn: conn.execute(sa.select(nodes.c.label)).scalar_one())
    other = node("other")
    taken = found.replace(node("n").node_id[7:15], other.node_id[7:15])
    await estate.write(lambda conn: conn.execute(sa.update(nodes).values(label=taken)))
    answer = await estate.diff([other], "s2")
    assert assignments(answer)[0].topic.endswith(f"_{other.node_id[7:17]}_v1")


async def test_a_collision_is_refused(estate: Estate) -> None:
    made = node("n")
    await estate.diff([made])
    await estate.write(lambda conn: conn.execute(sa.update(nodes).values(canonical=b"{}")))
    with pytest.raises(InvalidRequest) as caught:
        await estate.diff([made], "s2")
    assert caught.value.reason == "E_NODE_ID_COLLISION"
    assert await estate.count(diffs) == 1


async def test_release_frees_only_what_nobody_else_holds(estate: Estate) -> None:
    common = chain(2)
    await estate.diff([*common, node("mine", common[-1])], "s1")
    await estate.diff(common, "s2")
    released = [
        await estate.write(lambda conn: store.release_plan(conn, "s1", 1, "w1", CAUSE)),
        await estate.write(lambda conn: store.release_plan(conn, "s1", 1, "w1", CAUSE)),
        await estate.write(lambda conn: store.release_plan(conn, "s2", 1, "w1", CAUSE)),
    ]
    assert released == [1, 0, 2]
    with pytest.raises(NotFound):
        await estate.write(lambda conn: store.release_plan(conn, "s1", 9, "w1", CAUSE))


async def test_two_versions_of_one_strategy_hold_what_they_share(estate: Estate) -> None:
    await estate.diff(chain(2))
    await estate.diff(chain(3))
    assert await estate.write(lambda conn: store.release_plan(conn, "s1", 1, "w1", CAUSE)) == 0
    assert await estate.write(lambda conn: store.release_plan(conn, "s1", 2, "w1", CAUSE)) == 3


async def test_a_released_plan_comes_back_to_life(estate: Estate) -> None:
    first = await estate.diff(chain(2))
    await estate.write(lambda conn: store.release_plan(conn, "s1", 1, "w1", CAUSE))
    again = await estate.diff(chain(2))
    assert keys(again) == keys(first)
    assert not again.summary.seen_before
    states = await estate.db.read(lambda conn: set(conn.execute(sa.select(queues.c.state)).scalars()))
    assert states == {"ACTIVE"}
    assert await estate.db.read(lambda conn: plans.live_worlds(conn, "s1", 1)) == ["w1"]
    assert await estate.write(lambda conn: store.release_plan(conn, "s1", 1, "w1", CAUSE)) == 2


async def test_registered_queries_hear_the_whole_set_after_each_change(estate: Estate) -> None:
    await estate.diff([node("a", tags=["btc"])], "s1")
    await estate.diff([tag_query_node(["btc"])], "asker", decline=True)
    await estate.diff([node("b", tags=["btc"]), node("c", tags=["eth"])], "s2", decline=True)
    await estate.diff([node("d", tags=["btc"])], "s3", [context("elsewhere")], decline=True)
    await estate.write(lambda conn: store.release_plan(conn, "s1", 1, "w1", CAUSE))
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
        await estate.write(lambda conn, of=strategy: store.release_plan(conn, of, 1, "w1", CAUSE))  # type: ignore[misc]  # default binds the loop's value
        await estate.diff([node(f"for-{strategy}", tags=["btc"])], f"s-{strategy}", decline=True)
    assert [len(event.queue_updated.queues) for event in await estate.events()] == [0, 1]


async def test_progress_counts_each_range_once(estate: Estate) -> None:
    (each,) = assignments(await estate.diff([node("n")]))
    hour = timedelta(hours=1)

    async def report(first: int, last: int, rows: int) -> dagpb.Queue:
        await estate.write(
            lambda conn: queuerows.report_progress(conn, each.compute_key, NOW + first * hour, NOW + last * hour, rows)
        )
        return await estate.db.read(lambda conn: queuerows.get_queue(conn, each.compute_key))

    assert (await report(0, 3, 4)).rows == 4
    assert (await report(0, 3, 4)).rows == 4
    found = await report(4, 5, 2)
    assert (found.rows, found.first_bucket.seconds, found.last_bucket.seconds) == (
        6, int(NOW.timestamp()), int((NOW + 5 * hour).timestamp())
    )  # fmt: skip
    with pytest.raises(InvalidRequest):
        await report(5, 6, 2)


async def test_old_answers_are_forgotten_and_used_ones_kept(estate: Estate) -> None:
    later = NOW + answers.KEEP + timedelta(seconds=1)
    await estate.diff(chain(1), request_id="old")
    await estate.diff(chain(1), request_id="new", now=later)
    assert await estate.write(lambda conn: answers.prune(conn, later)) > 0
    left = await estate.db.read(lambda conn: list(conn.execute(sa.select(diffs.c.request_id)).scalars()))
    assert left == ["new"]
    assert assignments(await estate.diff(chain(1), request_id="new", now=later))


async def test_the_graph_revision_grows_with_changes_only(estate: Estate) -> None:
    async def at() -> int:
        return await estate.db.read(lambda conn: revision(conn, GRAPH))

    await estate.diff(chain(2))
    first = await at()
    await estate.diff(chain(2))
    await estate.diff(renamed(chain(2), "x"), "s2")
    assert await at() == first
    await estate.diff(chain(3))
    assert await at() == first + 1


async def test_overlapping_diffs_at_once_give_one_row_each(estate: Estate) -> None:
    common = chain(20)
    jobs = [
        estate.diff([*common, *chain(5, f"own{index % 4}-")], f"s{index}", [context("w1"), context("w2")])
        for index in range(12)
    ]
    found = await asyncio.gather(*jobs)
    assert await estate.count(nodes) == 20 + 4 * 5
    assert await estate.count(queues) == 2 * (20 + 4 * 5)
    answered: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for answer in found:
        for each in assignments(answer):
            answered.setdefault((each.node_id, each.world_id), set()).add((each.compute_key, each.topic))
    assert all(len(said) == 1 for said in answered.values())
    assert sum(answer.summary.new_nodes for answer in found) == 40


async def test_identical_diffs_of_one_strategy_at_once_are_one_version(estate: Estate) -> None:
    found = await asyncio.gather(*(estate.diff(chain(30)) for _ in range(8)))
    assert {answer.summary.version for answer in found} == {1}
    assert sum(answer.summary.new_nodes for answer in found) == 30


async def test_a_preview_says_the_same_and_changes_nothing(estate: Estate) -> None:
    dag = check_dag(chain(4))
    said = await estate.db.read(lambda conn: store.preview(conn, dag, [context()], estate.members))
    assert await estate.count(nodes) == 0
    done = await estate.diff(chain(4))
    assert keys(said) == keys(done)
    assert said.summary.new_queues == 4


def test_instants_are_exact() -> None:
    moment = NOW.replace(microsecond=123_457)
    assert from_us(to_us(moment)) == moment


async def test_the_sentinel_of_a_version_names_its_worlds(estate: Estate) -> None:
    await estate.diff(chain(1), contexts=[context("b"), context("a")])
    assert await estate.db.read(lambda conn: plans.worlds_of_sentinel(conn, "s1@1")) == ["a", "b"]


async def test_a_restart_finds_everything(database_url: str) -> None:
    first = Database(database_url)
    await first.migrate("dagmanager:migrations")
    before = await Estate(first).diff(chain(3), request_id="r")
    await first.close()
    second = Database(database_url)
    await second.migrate("dagmanager:migrations")
    after = await Estate(second).diff(chain(3), request_id="r")
    assert (await second.read(outbox.backlog)).depth == 1
    await second.close()
    assert (after.body, after.summary) == (before.body, before.summary)


async def test_readers_find_nodes_edges_and_queues(estate: Estate) -> None:
    a, b, c = chain(3, tags=["btc"])
    await estate.diff([a, b, c, node("alone", tags=["eth"])], "s1")
    await estate.diff([a], "s2", [context("w2")])
    graph = await estate.db.read(lambda conn: reads.strategy_graph(conn, "s1", None))
    assert {(edge.from_node_id, edge.to_node_id) for edge in graph.edges} == {
        (a.node_id, b.node_id),
        (b.node_id, c.node_id),
    }
    near = await estate.db.read(lambda conn: reads.neighbourhood(conn, a.node_id, 0, None))
    assert {each.node_id for each in near.nodes} == {a.node_id, b.node_id}
    all_near = await estate.db.read(lambda conn: reads.neighbourhood(conn, a.node_id, 2, None))
    assert {each.node_id for each in all_near.nodes} == {a.node_id, b.node_id, c.node_id}
    found = await estate.db.read(lambda conn: reads.get_node(conn, a.node_id, None))
    assert list(found.strategies) == ["s1", "s2"]
    request = servicepb.ListNodesRequest(tag="btc", strategy_id="s1", node_type="indicator.ema")
    listed = await estate.db.read(lambda conn: reads.list_nodes(conn, request, None))
    assert {each.node_id for each in listed.nodes} == {a.node_id, b.node_id, c.node_id}
    mine = servicepb.ListQueuesRequest(strategy_id="s1", node_id=a.node_id)
    queues_of = await estate.db.read(lambda conn: queuerows.page_of_queues(conn, mine, None))
    assert [(queue.world_id, queue.references) for queue in queues_of.queues] == [("w1", 1)]
    query = tag_query(["btc"], MatchMode.ALL, 900)
    matching = await estate.db.read(lambda conn: queuerows.matching_queues(conn, query, 10))
    assert len(matching) == 4

"""Versions of plans follow their DAGs."""

from __future__ import annotations

import pytest

from dagmanager.plans import reads
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotFound
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from tests.dagmanager.graph_store import GraphStore
from tests.dagmanager.graphs import chain


async def test_versions_follow_the_dag(graph_store: GraphStore) -> None:
    versions = [
        (await graph_store.diff(made, label=label)).summary.version
        for made, label in ((chain(2), ""), (chain(3), ""), (chain(3), "v2"), (chain(3), "hotfix"), (chain(2), ""))
    ]
    assert versions == [1, 2, 2, 3, 4]
    listed = await graph_store.db.read(lambda conn: reads.list_plans(conn, "s1", commonpb.PageRequest(), None))
    assert [(plan.version, plan.version_label) for plan in listed.plans] == [
        (4, "v4"), (3, "hotfix"), (2, "v2"), (1, "v1")
    ]  # fmt: skip


async def test_the_stored_plan_is_the_submitted_dag(graph_store: GraphStore) -> None:
    made = chain(3, tags=["btc"])
    await graph_store.diff(made)
    plan = await graph_store.db.read(lambda conn: reads.get_plan(conn, "s1", 0, None))
    asked = planservicepb.ListPlanNodesRequest(strategy_id="s1", page=commonpb.PageRequest(page_size=2))
    first = await graph_store.db.read(lambda conn: reads.plan_nodes(conn, asked, None))
    asked.page.page_token = first.page.next_page_token
    rest = await graph_store.db.read(lambda conn: reads.plan_nodes(conn, asked, None))
    assert [each.name for each in (*first.nodes, *rest.nodes)] == ["n0", "n1", "n2"]
    assert (first.version, len(first.nodes), rest.page.next_page_token) == (1, 2, "")
    assert (plan.version, list(plan.live_worlds), plan.created_by) == (1, ["w1"], "alice")
    with pytest.raises(NotFound):
        await graph_store.db.read(lambda conn: reads.get_plan(conn, "s1", 2, None))

"""Dispositions, queues per context and ComputeKeys, as pure decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given

from dagmanager.diffs.domain import diff
from dagmanager.diffs.domain.diff import Disposition, Known, KnownNode
from dagmanager.queues.domain.queues import QueueState
from qmtl.core.errors import InvalidRequest
from qmtl.core.identity import keys as identity_keys
from qmtl.core.identity.dag import check_dag
from qmtl.core.identity.nodes import Dag, DagNode
from qmtl.core.modes import ComputeContext, ExecutionDomain
from tests.dagmanager.graphs import NOW, chain, context, contexts, dags, node

NOTHING = Known({}, {}, {}, {})


def decide(dag: Dag, places: Sequence[ComputeContext], known: Known = NOTHING) -> diff.DiffOutcome:
    labels = {node_id: f"label-{node_id}" for node_id in dag.node_ids}
    keys = {place.world_id: diff.compute_keys(dag.node_ids, place) for place in places}
    return diff.decide(dag, places, keys, replace(known, labels=labels))


def after(outcome: diff.DiffOutcome, known: Known = NOTHING) -> Known:
    """What the graph knows once an outcome is stored."""
    nodes = dict(known.nodes)
    for each in (*outcome.new_nodes, *outcome.changed_schemas):
        since = NOW if each in outcome.changed_schemas else None
        nodes[each.node_id] = KnownNode(f"label-{each.node_id}", each.schema_hash, tuple(sorted(each.tags)), since)
    queues = {**known.queues, **{queue.compute_key: QueueState.ACTIVE for queue in outcome.new_queues}}
    return Known(nodes, queues, {}, {})


@given(contexts)
def test_compute_keys_are_those_of_identity(place: ComputeContext) -> None:
    ids = [each.node_id for each in chain(3)]
    expected = {
        node_id: identity_keys.compute_key(
            node_id, place.world_id, place.execution_domain, place.as_of, place.partition
        )
        for node_id in ids
    }
    assert diff.compute_keys(ids, place) == expected


@given(dags())
def test_a_second_diff_changes_nothing_and_is_what_the_first_settled_to(nodes: list[DagNode]) -> None:
    dag = check_dag(nodes)
    places = (context("a"), context("b", ExecutionDomain.DRYRUN))
    first = decide(dag, places)
    second = decide(dag, places, after(first))
    assert {a.disposition for a in first.assignments} == {Disposition.NEW}
    assert second == diff.settled(first)
    assert (second.new_nodes, second.new_queues, second.changed_schemas, second.new_tags) == ((), (), (), {})


def test_a_known_node_in_a_new_context_is_shared_and_its_queue_is_not() -> None:
    dag = check_dag(chain(3))
    first = decide(dag, (context("a"),))
    second = decide(dag, (context("b"),), after(first))
    assert {a.disposition for a in second.assignments} == {Disposition.REUSED}
    assert not any(a.queue_reused for a in second.assignments)
    assert {a.compute_key for a in first.assignments}.isdisjoint(a.compute_key for a in second.assignments)
    assert second.counts == diff.DiffCounts(3, 0, 3, 0, 3, 0)


def test_a_changed_schema_is_reused_with_a_lag_of_one_period() -> None:
    old = node("n", schema_hash="s1", period=14)
    known = after(decide(check_dag([old]), (context(),)))
    changed = decide(check_dag([replace(old, schema_hash="s2")]), (context(),), known)
    assert [(a.disposition, a.buffer_lag) for a in changed.assignments] == [(Disposition.REUSED_WITH_BUFFERING, 14)]
    assert [each.schema_hash for each in changed.changed_schemas] == ["s2"]


def test_buffering_stays_until_it_is_over_and_does_not_start_again() -> None:
    new = node("n", schema_hash="s2", period=14)
    known = Known({new.node_id: KnownNode("l", "s2", (), NOW)}, {}, {}, {})
    outcome = decide(check_dag([new]), (context(),), known)
    assert outcome.assignments[0].disposition is Disposition.REUSED_WITH_BUFFERING
    assert outcome.changed_schemas == ()


def test_an_unstated_schema_claims_nothing() -> None:
    silent = node("n", schema_hash="")
    known = Known({silent.node_id: KnownNode("l", "s1")}, {}, {}, {})
    assert decide(check_dag([silent]), (context(),), known).assignments[0].disposition is Disposition.REUSED


@pytest.mark.parametrize(
    ("state", "reused"), [(QueueState.RELEASED, True), (QueueState.DROPPED, False), (QueueState.ARCHIVED, False)]
)
def test_a_queue_that_had_ended_lives_again(state: QueueState, reused: bool) -> None:
    dag = check_dag([node("n")])
    known = after(decide(dag, (context(),)))
    ended = replace(known, queues=dict.fromkeys(known.queues, state))
    outcome = decide(dag, (context(),), ended)
    assert [queue.revived for queue in outcome.new_queues] == [True]
    assert outcome.assignments[0].queue_reused is reused


def test_tags_of_a_shared_node_add_up() -> None:
    tagged = node("n", tags=["fast", "btc"])
    known = Known({tagged.node_id: KnownNode("l", "s1", ("btc", "slow"))}, {}, {}, {})
    assert decide(check_dag([tagged]), (context(),), known).new_tags == {tagged.node_id: ("btc", "fast", "slow")}


def test_a_node_cannot_gather_tags_without_end() -> None:
    tagged = node("n", tags=["one-more"])
    stored = tuple(sorted(f"t{index}" for index in range(32)))
    with pytest.raises(InvalidRequest) as caught:
        decide(check_dag([tagged]), (context(),), Known({tagged.node_id: KnownNode("l", "s1", stored)}, {}, {}, {}))
    assert caught.value.reason == "E_TOO_MANY_TAGS"


@pytest.mark.parametrize(
    ("places", "nodes", "reason"),
    [
        ([], 1, "E_WORLD_IDS_REQUIRED"),
        ([context("")], 1, "E_WORLD_IDS_REQUIRED"),
        ([context("w"), context("")], 1, "E_WORLD_IDS_REQUIRED"),
        ([context("a"), context("a", ExecutionDomain.LIVE)], 1, "E_DUPLICATE_CONTEXT"),
        ([context(str(index)) for index in range(65)], 1, "E_TOO_MANY_ASSIGNMENTS"),
        ([context(str(index)) for index in range(11)], 10_000, "E_TOO_MANY_ASSIGNMENTS"),
    ],
)
def test_bad_contexts_are_refused(places: list[ComputeContext], nodes: int, reason: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        diff.check_contexts(places, nodes)
    assert caught.value.reason == reason

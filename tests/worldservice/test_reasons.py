"""What worldservice's domains and messages refuse by themselves, each by its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from qmtl.core.errors import InvalidRequest, NotFound, NotReady
from qmtl.core.modes import ExecutionDomain
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from tests.worldservice.samples import NOW, world
from worldservice.evaluation.wire import evidence_from_request, execution_from_proto
from worldservice.graph.domain.nodes import NodeStatus, WorldNode, check_node
from worldservice.worlds.domain.roles import check_revoke
from worldservice.worlds.domain.session import SessionPlan, advance, open_session
from worldservice.worlds.domain.world import WorldChange, WorldState, change_world, require_active

NODE = WorldNode("w1", "blake3:" + "a" * 64, ExecutionDomain.BACKTEST, NodeStatus.VALID, "", {})


def test_a_node_of_a_world_is_named_by_a_node_id() -> None:
    check_node(NODE)
    with pytest.raises(InvalidRequest, match="E_NODE_ID"):
        check_node(replace(NODE, node_id="sma"))


@pytest.mark.parametrize("annotations", [{"": "x"}, {"key": "a\nb"}, {str(number): "x" for number in range(10_000)}])
def test_annotations_are_few_and_short(annotations: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="E_ANNOTATIONS"):
        check_node(replace(NODE, annotations=annotations))


def test_a_grant_that_is_not_there_cannot_be_revoked() -> None:
    with pytest.raises(NotFound, match="E_GRANT_UNKNOWN"):
        check_revoke([], "ann")


def test_a_closed_session_does_not_go_on() -> None:
    session = open_session("w1", ExecutionDomain.DRYRUN, SessionPlan(NOW, "p", ""), NOW)
    assert advance(session, NOW + timedelta(days=1)).watermark == NOW + timedelta(days=1)
    with pytest.raises(NotReady, match="E_SESSION_CLOSED"):
        advance(replace(session, closed_at=NOW), NOW)


@pytest.mark.parametrize("coverage", [-0.1, 1.5, float("nan")])
def test_coverage_is_a_share(coverage: float) -> None:
    with pytest.raises(InvalidRequest, match="E_COVERAGE"):
        evidence_from_request(evaluationservicepb.EvaluateRequest(coverage_ratio=coverage))


def test_an_execution_model_of_a_run_is_whole() -> None:
    with pytest.raises(InvalidRequest, match="E_EXECUTION_MODEL"):
        execution_from_proto(decisionpb.ExecutionModel(), "execution_model")


def test_a_world_is_not_deleted_by_an_update_and_a_deleted_one_not_used() -> None:
    made = world()
    with pytest.raises(InvalidRequest, match="E_WORLD_FIELD"):
        change_world(made, WorldChange(made.etag, state=WorldState.DELETED), NOW)
    for state, reason in ((WorldState.DELETED, "E_WORLD_DELETED"), (WorldState.SUSPENDED, "E_WORLD_SUSPENDED")):
        with pytest.raises(NotReady, match=reason):
            require_active(replace(made, state=state))

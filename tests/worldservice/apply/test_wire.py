"""Pairs of the wire of applies, approvals, the World View Graph, and what an evaluation says of exposure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest
from qmtl.core.modes import ExecutionDomain
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import world_graph_pb2 as worldgraphpb
from worldservice.apply import wire as apply_wire
from worldservice.apply.domain.targets import Target
from worldservice.bindings import wire as bindings_wire
from worldservice.evaluation import wire as evaluation_wire
from worldservice.evaluation.domain.runs import Footprint
from worldservice.graph import wire as graph_wire
from worldservice.graph.domain.edges import EdgeStanding
from worldservice.graph.domain.nodes import EdgeKey, EdgeOverride, NodeStatus, Validation, WorldNode
from worldservice.policy.domain.execution_model import ExecutionModel, FillModel
from worldservice.worlds.domain.binding import Approval, Side, Stage

NAME = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
TIME = st.integers(0, 7_258_118_400_000_000).map(
    lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)
UNIT = st.floats(0, 1)
DOMAIN = st.sampled_from(ExecutionDomain)


@given(st.builds(Target, NAME, st.sampled_from(Side), UNIT, st.sampled_from(Stage)))
def test_a_target_comes_back(target: Target) -> None:
    assert apply_wire.target_from_proto(apply_wire.target_to_proto(target), "targets[0]") == target


@given(st.builds(Approval, TEXT, TEXT, TEXT, TEXT, TIME, st.none() | TIME, st.none() | TIME))
def test_an_approval_comes_back(approval: Approval) -> None:
    assert bindings_wire.approval_from_proto(bindings_wire.approval_to_proto(approval)) == approval


@given(
    st.builds(WorldNode, TEXT, TEXT, DOMAIN, st.sampled_from(NodeStatus), TEXT, st.dictionaries(TEXT, TEXT, max_size=3))
)
def test_a_world_node_comes_back(node: WorldNode) -> None:
    assert graph_wire.node_from_proto(graph_wire.node_to_proto(node)) == node


@given(
    st.builds(
        Validation, TEXT, TEXT, TEXT, DOMAIN, st.booleans(), st.dictionaries(TEXT, st.floats(-9, 9), max_size=3), TIME
    )
)
def test_a_validation_comes_back(validation: Validation) -> None:
    assert graph_wire.validation_from_proto(graph_wire.validation_to_proto(validation)) == validation


@given(st.builds(EdgeOverride, st.builds(EdgeKey, TEXT, TEXT, DOMAIN, TEXT, DOMAIN), st.booleans(), TEXT))
def test_an_edge_override_comes_back(override: EdgeOverride) -> None:
    sent = graph_wire.override_to_proto(override, EdgeStanding.OFF)
    assert graph_wire.override_from_proto(sent) == override
    assert sent.standing == worldgraphpb.EDGE_STANDING_OFF


def test_an_edge_without_domains_is_one_in_backtest_and_without_a_beginning_one_within_its_domain() -> None:
    bare = worldgraphpb.EdgeOverride(world_id="w", from_node_id="a", to_node_id="b")
    assert graph_wire.override_from_proto(bare).key == EdgeKey(
        "w", "a", ExecutionDomain.BACKTEST, "b", ExecutionDomain.BACKTEST
    )
    bare.to_domain = commonpb.EXECUTION_DOMAIN_LIVE
    assert graph_wire.override_from_proto(bare).key == EdgeKey(
        "w", "a", ExecutionDomain.LIVE, "b", ExecutionDomain.LIVE
    )


RATE, FEE = st.decimals("0", "1", places=6), st.decimals("-1", "1", places=6)


@given(st.builds(ExecutionModel, st.sampled_from(FillModel), FEE, FEE, RATE, st.decimals("0", "9", places=2)))
def test_what_a_run_assumed_comes_back(model: ExecutionModel) -> None:
    message = evaluation_wire.execution_to_proto(model)
    assert message is not None
    assert evaluation_wire.execution_from_proto(message, "execution_model", whole=True) == model


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (decisionpb.ExecutionModel(fill=decisionpb.FILL_MODEL_NEXT_BAR), "execution_model"),
        (decisionpb.ExecutionModel(fill=99), "execution_model.fill"),  # type: ignore[arg-type]  # of a later version
        (decisionpb.ExecutionModel(slippage_rate="-0.1"), "execution_model.slippage_rate"),
        (decisionpb.ExecutionModel(participation="-1"), "execution_model.participation"),
        (decisionpb.ExecutionModel(maker_fee_rate="1.5"), "execution_model.maker_fee_rate"),
        (decisionpb.ExecutionModel(taker_fee_rate="1e-3"), "execution_model.taker_fee_rate"),
    ],
)
def test_what_a_run_assumed_is_said_whole_and_exactly(message: decisionpb.ExecutionModel, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        evaluation_wire.execution_from_proto(message, "execution_model", whole=True)
    assert caught.value.violations[0].field == field


@given(st.builds(Footprint, UNIT, UNIT, NAME | st.just("")))
def test_a_footprint_comes_back(footprint: Footprint) -> None:
    assert evaluation_wire.footprint_from_proto(evaluation_wire.footprint_to_proto(footprint)) == footprint


@given(st.dictionaries(NAME, st.floats(-1, 1), max_size=4))
def test_correlations_come_sorted(found: dict[str, float]) -> None:
    assert evaluation_wire.correlations_from_proto(found) == tuple(sorted(found.items()))


@pytest.mark.parametrize(
    "target",
    [
        applypb.ApplyTarget(strategy_id="s", weight=0.5, stage=bindingpb.STAGE_PAPER),
        applypb.ApplyTarget(strategy_id="s", side="SIDE_LONG", weight=1.5, stage=bindingpb.STAGE_PAPER),
        applypb.ApplyTarget(strategy_id="s", side="SIDE_LONG", weight=float("nan"), stage=bindingpb.STAGE_PAPER),
        applypb.ApplyTarget(strategy_id="s", side="SIDE_LONG", weight=0.5),
        applypb.ApplyTarget(strategy_id="", side="SIDE_LONG", weight=0.5, stage=bindingpb.STAGE_PAPER),
    ],
)
def test_a_target_that_is_not_whole_is_refused(target: applypb.ApplyTarget) -> None:
    with pytest.raises(InvalidRequest):
        apply_wire.targets_from_request(applyservicepb.ApplyRequest(targets=applypb.ApplyTargets(targets=[target])))


def test_an_unknown_unfreeze_ack_is_refused_and_an_unset_one_means_all() -> None:
    assert apply_wire.acks_opening_from_proto(applypb.UNFREEZE_ACK_UNSPECIFIED)
    assert not apply_wire.acks_opening_from_proto(applypb.UNFREEZE_ACK_NONE)
    with pytest.raises(InvalidRequest):
        apply_wire.acks_opening_from_proto(99)  # type: ignore[arg-type]  # a value of a newer peer

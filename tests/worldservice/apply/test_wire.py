"""What an apply is asked, on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from worldservice.apply import wire as apply_wire
from worldservice.apply.domain.targets import Target
from worldservice.worlds.domain.binding import Side, Stage

NAME = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)
UNIT = st.decimals(0, 1, places=6).map(float)


@given(st.builds(Target, NAME, st.sampled_from(Side), UNIT, st.sampled_from(Stage)))
def test_a_target_comes_back(target: Target) -> None:
    assert apply_wire.target_from_proto(apply_wire.target_to_proto(target), "targets[0]") == target


@pytest.mark.parametrize(
    "target",
    [
        applypb.ApplyTarget(strategy_id="s", weight="0.5", stage=bindingpb.STAGE_PAPER),
        applypb.ApplyTarget(strategy_id="s", side="SIDE_LONG", weight="1.5", stage=bindingpb.STAGE_PAPER),
        applypb.ApplyTarget(strategy_id="s", side="SIDE_LONG", weight="nan", stage=bindingpb.STAGE_PAPER),
        applypb.ApplyTarget(strategy_id="s", side="SIDE_LONG", weight="0.5"),
        applypb.ApplyTarget(strategy_id="", side="SIDE_LONG", weight="0.5", stage=bindingpb.STAGE_PAPER),
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

"""What an evaluation says of execution, exposure and correlations, on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.world.v1 import decision_pb2 as decisionpb
from worldservice.evaluation import wire as evaluation_wire
from worldservice.evaluation.domain.runs import Footprint
from worldservice.policy.domain.execution_model import ExecutionModel, FillModel

NAME = st.from_regex(r"[a-z0-9]{1,12}", fullmatch=True)
SHARE = st.integers(0, 10**9).map(lambda millionths: millionths / 10**6)  # of capital, as a decimal says it


RATE, FEE = st.decimals("0", "1", places=6), st.decimals("-1", "1", places=6)


PROFILES = st.sampled_from(["", "ibkr_equities"])
SHARES = st.decimals("0", "9", places=2)


@given(st.builds(ExecutionModel, st.sampled_from(FillModel), FEE, FEE, RATE, SHARES, PROFILES))
def test_what_a_run_assumed_comes_back(model: ExecutionModel) -> None:
    message = evaluation_wire.execution_to_proto(model)
    assert message is not None
    assert evaluation_wire.execution_from_proto(message, "execution_model") == model


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (decisionpb.ExecutionModel(fill=decisionpb.FILL_MODEL_NEXT_BAR), "execution_model"),
        (decisionpb.ExecutionModel(fill=99), "execution_model.fill"),  # type: ignore[arg-type]  # of a later version
        (decisionpb.ExecutionModel(slippage_rate="-0.1"), "execution_model.slippage_rate"),
        (decisionpb.ExecutionModel(participation="-1"), "execution_model.participation"),
        (decisionpb.ExecutionModel(maker_fee_rate="1.5"), "execution_model.maker_fee_rate"),
        (decisionpb.ExecutionModel(taker_fee_rate="1e-3"), "execution_model.taker_fee_rate"),
        (decisionpb.ExecutionModel(profile="Not A Name"), "execution_model.profile"),
    ],
)
def test_what_a_run_assumed_is_said_whole_and_exactly(message: decisionpb.ExecutionModel, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        evaluation_wire.execution_from_proto(message, "execution_model")
    assert caught.value.violations[0].field == field


@given(st.builds(Footprint, SHARE, SHARE, NAME | st.just("")))
def test_a_footprint_comes_back(footprint: Footprint) -> None:
    assert evaluation_wire.footprint_from_proto(evaluation_wire.footprint_to_proto(footprint), "footprint") == footprint


@given(st.dictionaries(NAME, st.floats(-1, 1), max_size=4))
def test_correlations_come_sorted(found: dict[str, float]) -> None:
    assert evaluation_wire.correlations_from_proto(found, "correlations") == tuple(sorted(found.items()))

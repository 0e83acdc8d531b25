"""What an activation becomes on its way from worldservice through the gate to brokerage."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokerage.orders.wire import gate_from_proto as stamped_from_proto
from gateway.orders.domain import GatedOrder, Passed, check_order
from gateway.orders.wire import (
    asked_order_from_proto,
    gate_from_proto,
    gated_list_from_proto,
    gated_order_from_proto,
    stamp_to_proto,
)
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest
from qmtl.world.v1 import activation_pb2 as activationpb

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def activation(weight: float) -> activationpb.ActivationEnvelope:
    mode = commonpb.EFFECTIVE_MODE_PAPER
    entry = activationpb.ActivationEntry(
        strategy_id="s",
        side=commonpb.SIDE_LONG,
        active=True,
        weight=format(Decimal(repr(weight)), "f"),
        effective_mode=mode,
    )
    return activationpb.ActivationEnvelope(
        world_id="w", world_revision=1, fence_epoch=1, effective_mode=mode, entries=[entry]
    )


@pytest.mark.parametrize(
    ("weight", "units"), [(1 / 3, 33_333_333), (0.1, 10_000_000), (1.0, 100_000_000), (1e-9, 0), (0.0, 0)]
)
@pytest.mark.parametrize("buys", [True, False])
def test_brokerage_reads_every_legal_weight_never_larger(weight: float, units: int, buys: bool) -> None:
    verdict = check_order(gate_from_proto(activation(weight)), True, GatedOrder("s", buys, False, None), NOW)
    assert isinstance(verdict, Passed)
    assert stamped_from_proto(stamp_to_proto(verdict, "g")).weight == units


def test_no_caller_takes_an_id_of_a_rebalancing_run() -> None:
    order = orderpb.Order(
        account="a", world_id="w", strategy_id="s", client_order_id="rb-run-1-1-1", symbol="X", side="ORDER_SIDE_BUY"
    )
    assert gated_order_from_proto(order) == GatedOrder("s", True, False, None, "X")
    for read in (asked_order_from_proto, lambda one: gated_list_from_proto([one, one])):
        with pytest.raises(InvalidRequest, match="those are of rebalancing runs") as caught:
            read(order)
        assert caught.value.reason == "E_NAME"


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -0.1, 1.1])
def test_an_activation_with_an_illegal_weight_is_not_read(weight: float) -> None:
    with pytest.raises(InvalidRequest, match=r"E_WEIGHT|E_DECIMAL"):
        gate_from_proto(activation(weight))

"""Events of accounts as one world's stream shows them: whom they concern, and nothing of other worlds."""

from __future__ import annotations

from typing import cast

from gateway.events.topics import ControlWorlds, relayed
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.sql.database import Database
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb

SET = allocationpb.AllocationSet(
    account="main",
    worlds=[allocationpb.WorldShare(world_id=world, share="0.2") for world in ("w1", "w2")],
    strategies=[allocationpb.StrategyShare(world_id=world, strategy_id="s", share="0.1") for world in ("w1", "w2")],
)
RUN = rebalancepb.RebalanceRun(
    account="main",
    world_ids=["w1", "w2"],
    plan=rebalancepb.RebalancePlan(
        legs=[rebalancepb.RebalanceLeg(world_id=world, rounded="1") for world in ("w1", "w2")],
        before=rebalancepb.RebalanceTotals(gross="5"),
        warnings=["COST_UNKNOWN: w2/s BTC"],
    ),
    progress=[rebalancepb.LegProgress(filled="1")] * 2,
)
EVENTS = (
    controlpb.ControlEvent(key="account:main", allocation_updated=controlpb.AllocationUpdated(allocations=SET)),
    controlpb.ControlEvent(key="account:main", rebalancing_planned=controlpb.RebalancingPlanned(run=RUN)),
    controlpb.ControlEvent(key="account:main", rebalance_state_changed=controlpb.RebalanceStateChanged(run=RUN)),
)


async def test_they_concern_the_worlds_they_name() -> None:
    worlds = ControlWorlds(cast("Database", None))
    assert [await worlds(event) for event in EVENTS] == [("w1", "w2")] * 3


def test_a_world_sees_its_own_rows_only() -> None:
    shares = relayed(EVENTS[0], "w1").allocation_updated.allocations
    assert [row.world_id for row in shares.worlds] == ["w1"]
    assert [row.world_id for row in shares.strategies] == ["w1"]
    for run in (relayed(EVENTS[1], "w2").rebalancing_planned.run, relayed(EVENTS[2], "w2").rebalance_state_changed.run):
        assert [leg.world_id for leg in run.plan.legs] == ["w2"]
        assert list(run.world_ids) == ["w2"]
        assert "w1" not in str(run)
        assert not run.progress
        assert not run.plan.warnings
        assert not run.plan.before.gross
    assert len(EVENTS[1].rebalancing_planned.run.plan.legs) == 2, "the shared event stays as it is"

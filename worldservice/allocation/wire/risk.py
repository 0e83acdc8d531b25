"""Risk before and after a plan, on its message."""

from __future__ import annotations

from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from worldservice.allocation.hub import PlanRisk
from worldservice.risk.wire.snapshots import figures_to_proto


def with_risk(message: rebalancepb.RebalancePlan, risk: PlanRisk) -> rebalancepb.RebalancePlan:
    """The plan with the figures of its account; where there are none a warning says why."""
    message.risk_snapshot = risk.version
    message.risk_before.extend(figures_to_proto(risk.before))
    message.risk_after.extend(figures_to_proto(risk.after))
    if risk.unknown:
        message.warnings.append(risk.unknown)
    return message

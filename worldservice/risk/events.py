"""Events of snapshots, breaches, account limits and exits."""

from __future__ import annotations

from controlbus.events.control_event import ControlEventDraft
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.risk.v1 import risk_pb2 as riskpb
from worldservice.risk.domain.breaches.breach import Breach
from worldservice.risk.domain.header import SnapshotHeader, SnapshotState
from worldservice.risk.wire.reports import breach_to_proto
from worldservice.risk.wire.snapshots import header_to_proto
from worldservice.worlds.acts import Act, draft
from worldservice.worlds.domain.binding import Side
from worldservice.worlds.wire import side_to_proto


def snapshot_updated(header: SnapshotHeader, state: SnapshotState, act: Act) -> ControlEventDraft:
    """A snapshot was put."""
    return draft(header.scope.text, controlpb.RiskSnapshotUpdated(header=header_to_proto(header, state)), act)


def risk_breached(breach: Breach, act: Act) -> ControlEventDraft:
    """A breach moved."""
    return draft(f"{breach.scope}/{breach.rule}", controlpb.RiskBreached(breach=breach_to_proto(breach)), act)


def limits_updated(limits: riskpb.HubAccountLimits, act: Act) -> ControlEventDraft:
    """Limits changed, or are confirmed."""
    return draft(f"account:{limits.account}", controlpb.AccountLimitsUpdated(limits=limits), act)


def exit_signal(world_id: str, strategy_id: str, side: Side, rule: str, message: str, act: Act) -> ControlEventDraft:
    """A rule led a strategy's side out."""
    payload = controlpb.ExitSignalEmitted(
        world_id=world_id, strategy_id=strategy_id, side=side_to_proto(side), rule=rule, message=message
    )
    return draft(f"{world_id}/{strategy_id}", payload, act)

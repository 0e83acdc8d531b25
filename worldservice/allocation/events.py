"""The events of shares and rebalancing runs. They belong to an account."""

from __future__ import annotations

from controlbus.events.control_event import ControlEventDraft
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from worldservice.allocation.wire.plan import told_in_event
from worldservice.worlds.acts import Act, draft
from worldservice.worlds.domain.roles import account_scope


def allocation_updated(message: allocationpb.AllocationSet, act: Act) -> ControlEventDraft:
    """The whole set after a change."""
    return draft(account_scope(message.account), controlpb.AllocationUpdated(allocations=message), act)


def rebalancing_planned(message: rebalancepb.RebalanceRun, act: Act) -> ControlEventDraft:
    """A recorded run with its plan; the message given is cut to what an event has."""
    return draft(account_scope(message.account), controlpb.RebalancingPlanned(run=told_in_event(message)), act)


def rebalance_state_changed(message: rebalancepb.RebalanceRun, act: Act) -> ControlEventDraft:
    """A run in another state."""
    return draft(account_scope(message.account), controlpb.RebalanceStateChanged(run=message), act)

"""Bindings and approvals to go live as messages of the contract."""

from __future__ import annotations

from collections.abc import Collection

from qmtl.core.modes import ExecutionDomain
from qmtl.wire.contexts import DOMAIN_NUMBERS
from qmtl.wire.instants import instant_from_proto
from qmtl.world.v1 import binding_pb2 as bindingpb
from worldservice.worlds.domain.binding import Approval, Binding, BindingState
from worldservice.worlds.fields import enum_from_proto, instant_to_proto
from worldservice.worlds.wire import sides_from_proto, sides_to_proto, stage_from_proto, stage_to_proto


def approval_to_proto(approval: Approval) -> bindingpb.LiveApproval:
    return bindingpb.LiveApproval(
        world_id=approval.world_id,
        strategy_id=approval.strategy_id,
        approved_by=approval.approved_by,
        reason=approval.reason,
        approved_at=instant_to_proto(approval.approved_at),
        expires_at=instant_to_proto(approval.expires_at),
        revoked_at=instant_to_proto(approval.revoked_at),
    )


def approval_from_proto(message: bindingpb.LiveApproval) -> Approval:
    expires, revoked = message.HasField("expires_at"), message.HasField("revoked_at")
    return Approval(
        world_id=message.world_id,
        strategy_id=message.strategy_id,
        approved_by=message.approved_by,
        reason=message.reason,
        approved_at=instant_from_proto(message.approved_at, "approved_at"),
        expires_at=instant_from_proto(message.expires_at, "expires_at") if expires else None,
        revoked_at=instant_from_proto(message.revoked_at, "revoked_at") if revoked else None,
    )


def binding_to_proto(binding: Binding, opened: Collection[ExecutionDomain] = ()) -> bindingpb.Binding:
    """`opened`: domains whose edges an apply has opened to it."""
    return bindingpb.Binding(
        world_id=binding.world_id,
        strategy_id=binding.strategy_id,
        stage=stage_to_proto(binding.stage),
        state=f"BINDING_STATE_{binding.state.name}",
        created_by=binding.created_by,
        created_at=instant_to_proto(binding.created_at),
        sides=sides_to_proto(binding.sides),
        opened_domains=sorted(DOMAIN_NUMBERS[domain] for domain in opened),
    )


def binding_from_proto(message: bindingpb.Binding) -> Binding:
    return Binding(
        world_id=message.world_id,
        strategy_id=message.strategy_id,
        stage=stage_from_proto(message.stage, "stage"),
        state=enum_from_proto(message.state, bindingpb.BindingState, "BINDING_STATE_", BindingState, "state"),
        sides=sides_from_proto(message.sides, "sides"),
        created_by=message.created_by,
        created_at=instant_from_proto(message.created_at, "created_at"),
    )

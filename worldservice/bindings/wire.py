"""Bindings and approvals to go live as messages of the contract."""

from __future__ import annotations

from collections.abc import Collection

from qmtl.core.modes import ExecutionDomain
from qmtl.wire.contexts import DOMAIN_NUMBERS
from qmtl.wire.instants import instant_to_proto
from qmtl.world.v1 import binding_pb2 as bindingpb
from worldservice.worlds.domain.binding import Binding
from worldservice.worlds.wire import sides_to_proto, stage_to_proto


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

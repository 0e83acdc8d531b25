"""Worlds, stages, sides, roles and grants as messages of the contract, and back."""

from collections.abc import Iterable

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import refused
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from qmtl.core.roles import Role
from qmtl.wire.contexts import DOMAIN_NUMBERS, DOMAINS, MODE_NUMBERS, MODES
from qmtl.wire.fields import enum_from_proto, known_enum
from qmtl.wire.instants import instant_to_proto
from qmtl.wire.mapping import mapper
from qmtl.world.v1 import access_pb2 as accesspb
from qmtl.world.v1 import audit_pb2 as auditpb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import world_pb2 as worldpb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from worldservice.worlds.domain.audit import AuditRow
from worldservice.worlds.domain.binding import BOTH_SIDES, Approval, Side, Stage
from worldservice.worlds.domain.roles import Grant
from worldservice.worlds.domain.world import World, WorldChange, WorldState

WRITTEN = ("name", "allow_live", "circuit_breaker", "state", "data_presets")  # by UpdateWorld


world_to_proto = mapper(
    World, worldpb.World, labels=lambda world: dict(world.labels), state=lambda world: f"WORLD_STATE_{world.state.name}"
)


approval_to_proto = mapper(Approval, bindingpb.LiveApproval, message=lambda approval: approval.reason)


def change_from_proto(request: worldservicepb.UpdateWorldRequest) -> WorldChange:
    """What the mask names; the rest keeps. Raises InvalidRequest (E_FIELD, E_ENUM)."""
    if not request.update_mask.paths:
        raise refused("E_FIELD", "update_mask", "empty", f"at least one of {', '.join(WRITTEN)}")
    for index, path in enumerate(request.update_mask.paths):
        if path not in WRITTEN:
            raise refused("E_FIELD", f"update_mask.paths[{index}]", path, f"one of {', '.join(WRITTEN)}")
    named = frozenset(request.update_mask.paths)
    state = None
    if "state" in named:
        state = enum_from_proto(request.state, worldpb.WorldState, "WORLD_STATE_", WorldState, "state")
    return WorldChange(
        etag=request.etag,
        name=request.name if "name" in named else None,
        allow_live=request.allow_live if "allow_live" in named else None,
        circuit_breaker=request.circuit_breaker if "circuit_breaker" in named else None,
        state=state,
        data_presets=tuple(request.data_presets) if "data_presets" in named else None,
    )


def domain_to_proto(domain: ExecutionDomain) -> commonpb.ExecutionDomain:
    return DOMAIN_NUMBERS[domain]


def domain_from_proto(number: commonpb.ExecutionDomain, field: str) -> ExecutionDomain:
    """Raises InvalidRequest (E_ENUM)."""
    return known_enum(DOMAINS, number, field)


def mode_to_proto(mode: EffectiveMode) -> commonpb.EffectiveMode:
    return MODE_NUMBERS[mode]


def mode_from_proto(number: commonpb.EffectiveMode, field: str) -> EffectiveMode:
    """Raises InvalidRequest (E_ENUM)."""
    return known_enum(MODES, number, field)


def stage_to_proto(stage: Stage) -> str:
    return f"STAGE_{stage.name}"


def stage_from_proto(number: int, field: str) -> Stage:
    """Raises InvalidRequest (E_ENUM)."""
    return enum_from_proto(number, bindingpb.Stage, "STAGE_", Stage, field)


def role_to_proto(role: Role) -> str:
    """No role is UNSPECIFIED: a caller reads it as nothing allowed."""
    return "ROLE_UNSPECIFIED" if role is Role.NONE else f"ROLE_{role.name}"


def role_from_proto(number: int, field: str) -> Role:
    """A role that can be granted: READER, OPERATOR or OWNER."""
    return enum_from_proto(number, commonpb.Role, "ROLE_", Role, field)


def grant_to_proto(grant: Grant) -> accesspb.RoleGrant:
    kind, _, name = grant.scope.partition(":")
    return accesspb.RoleGrant(
        world_id=name if kind == "world" else None,
        account=name if kind == "account" else None,
        subject=grant.subject,
        role=role_to_proto(grant.role),
        granted_by=grant.granted_by,
        granted_at=instant_to_proto(grant.granted_at),
    )


def sides_from_proto(numbers: Iterable[int], field: str) -> frozenset[Side]:
    """Empty means both."""
    sides = {enum_from_proto(number, commonpb.Side, "SIDE_", Side, field) for number in numbers}
    return frozenset(sides) or BOTH_SIDES


def sides_to_proto(sides: frozenset[Side]) -> list[str]:
    """Names in a fixed order: messages with them are hashed and compared."""
    return sorted(f"SIDE_{side.name}" for side in sides)


def side_to_proto(side: Side) -> str:
    return f"SIDE_{side.name}"


def side_from_proto(number: int, field: str) -> Side:
    """Raises InvalidRequest (E_ENUM)."""
    return enum_from_proto(number, commonpb.Side, "SIDE_", Side, field)


def audit_to_proto(row: AuditRow) -> auditpb.AuditEntry:
    """The record of a change of the activation is passed on as it was stored."""
    message = auditpb.AuditEntry(
        audit_number=row.sequence,
        world_id=row.world_id,
        actor=row.actor,
        event=row.event,
        request=row.request,
        result=f"AUDIT_RESULT_{row.result}",
        message=row.detail,
        correlation_id=row.correlation_id,
        time=instant_to_proto(row.time),
    )
    if row.record is not None:
        message.activation.MergeFromString(row.record.content)
    return message

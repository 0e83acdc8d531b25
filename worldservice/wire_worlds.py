"""Proto and domain, both ways: worlds, policies, bindings, grants, audit, metrics, presets."""

from collections.abc import Collection

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.modes import ExecutionDomain
from qmtl.wire.words import DOMAIN_NUMBERS, instant_from_proto
from qmtl.world.v1 import service_pb2 as servicepb
from qmtl.world.v1 import world_pb2 as worldpb
from worldservice.domain.access import Grant, Role
from worldservice.domain.metrics import Metric
from worldservice.domain.presets import Preset
from worldservice.domain.worlds import (
    Binding,
    BindingState,
    PolicyRecord,
    PolicyStatus,
    Stage,
    World,
    WorldChange,
    WorldState,
)
from worldservice.wire import (
    enum_from_proto,
    instant_to_proto,
    sides_from_proto,
    sides_to_proto,
)


def world_to_proto(world: World) -> worldpb.World:
    return worldpb.World(
        world_id=world.world_id,
        name=world.name,
        owner=world.owner,
        labels=dict(world.labels),
        state=f"WORLD_STATE_{world.state.name}",
        allow_live=world.allow_live,
        circuit_breaker=world.circuit_breaker,
        default_policy_version=world.default_policy_version,
        data_presets=world.data_presets,
        created_at=instant_to_proto(world.created_at),
        updated_at=instant_to_proto(world.updated_at),
        etag=world.etag,
    )


def world_from_proto(message: worldpb.World) -> World:
    return World(
        world_id=message.world_id,
        name=message.name,
        owner=message.owner,
        labels=dict(message.labels),
        state=enum_from_proto(message.state, worldpb.WorldState, "WORLD_STATE_", WorldState, "state"),
        allow_live=message.allow_live,
        circuit_breaker=message.circuit_breaker,
        default_policy_version=message.default_policy_version,
        data_presets=tuple(message.data_presets),
        created_at=instant_from_proto(message.created_at, "created_at"),
        updated_at=instant_from_proto(message.updated_at, "updated_at"),
        revision=int(message.etag.removeprefix("w")),
    )


def change_from_proto(request: servicepb.UpdateWorldRequest) -> WorldChange:
    state = None
    if request.state != worldpb.WORLD_STATE_UNSPECIFIED:
        state = enum_from_proto(request.state, worldpb.WorldState, "WORLD_STATE_", WorldState, "state")
    return WorldChange(
        etag=request.etag,
        name=request.name if request.HasField("name") else None,
        allow_live=request.allow_live if request.HasField("allow_live") else None,
        circuit_breaker=request.circuit_breaker if request.HasField("circuit_breaker") else None,
        state=state,
        data_presets=tuple(request.data_presets) or None,
    )


def policy_to_proto(record: PolicyRecord) -> worldpb.Policy:
    return worldpb.Policy(
        world_id=record.world_id,
        version=record.version,
        document=record.document,
        checksum=record.checksum,
        status=f"POLICY_STATUS_{record.status.name}",
        created_by=record.created_by,
        created_at=instant_to_proto(record.created_at),
        valid_from=instant_to_proto(record.valid_from),
    )


def policy_from_proto(message: worldpb.Policy) -> PolicyRecord:
    has_start = message.HasField("valid_from")
    return PolicyRecord(
        world_id=message.world_id,
        version=message.version,
        document=message.document,
        checksum=message.checksum,
        status=enum_from_proto(message.status, worldpb.PolicyStatus, "POLICY_STATUS_", PolicyStatus, "status"),
        created_by=message.created_by,
        created_at=instant_from_proto(message.created_at, "created_at"),
        valid_from=instant_from_proto(message.valid_from, "valid_from") if has_start else None,
    )


def binding_to_proto(binding: Binding, opened: Collection[ExecutionDomain] = ()) -> worldpb.Binding:
    """`opened`: domains whose edges an apply has opened to it."""
    return worldpb.Binding(
        world_id=binding.world_id,
        strategy_id=binding.strategy_id,
        stage=stage_to_proto(binding.stage),
        state=f"BINDING_STATE_{binding.state.name}",
        created_by=binding.created_by,
        created_at=instant_to_proto(binding.created_at),
        sides=sides_to_proto(binding.sides),
        opened_domains=sorted(DOMAIN_NUMBERS[domain] for domain in opened),
    )


def binding_from_proto(message: worldpb.Binding) -> Binding:
    return Binding(
        world_id=message.world_id,
        strategy_id=message.strategy_id,
        stage=stage_from_proto(message.stage, "stage"),
        state=enum_from_proto(message.state, worldpb.BindingState, "BINDING_STATE_", BindingState, "state"),
        sides=sides_from_proto(message.sides, "sides"),
        created_by=message.created_by,
        created_at=instant_from_proto(message.created_at, "created_at"),
    )


def stage_to_proto(stage: Stage) -> str:
    return f"STAGE_{stage.name}"


def stage_from_proto(number: int, field: str) -> Stage:
    return enum_from_proto(number, worldpb.Stage, "STAGE_", Stage, field)


def role_to_proto(role: Role) -> str:
    """No role is UNSPECIFIED: a caller reads it as nothing allowed."""
    return "ROLE_UNSPECIFIED" if role is Role.NONE else f"ROLE_{role.name}"


def role_from_proto(number: int, field: str) -> Role:
    """A role that can be granted: READER, OPERATOR or OWNER."""
    return enum_from_proto(number, commonpb.Role, "ROLE_", Role, field)


def grant_to_proto(grant: Grant) -> worldpb.RoleGrant:
    return worldpb.RoleGrant(
        world_id=grant.world_id,
        subject=grant.subject,
        role=role_to_proto(grant.role),
        granted_by=grant.granted_by,
        granted_at=instant_to_proto(grant.granted_at),
    )


def grant_from_proto(message: worldpb.RoleGrant) -> Grant:
    role = role_from_proto(message.role, "role")
    granted_at = instant_from_proto(message.granted_at, "granted_at")
    return Grant(message.world_id, message.subject, role, message.granted_by, granted_at)


def metric_to_proto(metric: Metric) -> servicepb.MetricDefinition:
    return servicepb.MetricDefinition(
        name=metric.name,
        group=metric.group.value,
        unit=metric.unit.value,
        direction=f"METRIC_DIRECTION_{metric.direction.name}",
        formula=metric.formula,
        type=servicepb.METRIC_TYPE_INT if metric.integral else servicepb.METRIC_TYPE_DOUBLE,
    )


def preset_to_proto(preset: Preset) -> servicepb.PolicyPreset:
    return servicepb.PolicyPreset(name=preset.name, document=preset.document, description=preset.description)

"""Policy versions, metrics and presets as messages of the contract."""

from __future__ import annotations

from qmtl.wire.instants import instant_from_proto
from qmtl.world.v1 import service_pb2 as servicepb
from qmtl.world.v1 import world_pb2 as worldpb
from worldservice.policy.domain.metric_catalogue import Metric
from worldservice.policy.domain.presets import PolicyPreset
from worldservice.policy.domain.versions import PolicyRecord, PolicyStatus
from worldservice.worlds.fields import enum_from_proto, instant_to_proto


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


def metric_to_proto(metric: Metric) -> servicepb.MetricDefinition:
    return servicepb.MetricDefinition(
        name=metric.name,
        group=metric.group.value,
        unit=metric.unit.value,
        direction=f"METRIC_DIRECTION_{metric.direction.name}",
        formula=metric.formula,
        type=servicepb.METRIC_TYPE_INT if metric.integral else servicepb.METRIC_TYPE_DOUBLE,
    )


def preset_to_proto(preset: PolicyPreset) -> servicepb.PolicyPreset:
    return servicepb.PolicyPreset(name=preset.name, document=preset.document, description=preset.description)

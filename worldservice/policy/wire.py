"""Policy versions, metrics and presets as messages of the contract."""

from __future__ import annotations

from qmtl.wire.instants import instant_from_proto
from qmtl.world.v1 import policy_pb2 as policypb
from worldservice.policy.domain.metric_catalogue import Metric
from worldservice.policy.domain.presets import PolicyPreset
from worldservice.policy.domain.versions import PolicyRecord, PolicyStatus
from worldservice.worlds.fields import enum_from_proto, instant_to_proto


def policy_to_proto(record: PolicyRecord) -> policypb.Policy:
    return policypb.Policy(
        world_id=record.world_id,
        version=record.version,
        document=record.document,
        checksum=record.checksum,
        status=f"POLICY_STATUS_{record.status.name}",
        created_by=record.created_by,
        created_at=instant_to_proto(record.created_at),
        valid_from=instant_to_proto(record.valid_from),
    )


def policy_from_proto(message: policypb.Policy) -> PolicyRecord:
    has_start = message.HasField("valid_from")
    return PolicyRecord(
        world_id=message.world_id,
        version=message.version,
        document=message.document,
        checksum=message.checksum,
        status=enum_from_proto(message.status, policypb.PolicyStatus, "POLICY_STATUS_", PolicyStatus, "status"),
        created_by=message.created_by,
        created_at=instant_from_proto(message.created_at, "created_at"),
        valid_from=instant_from_proto(message.valid_from, "valid_from") if has_start else None,
    )


def metric_to_proto(metric: Metric) -> policypb.MetricDefinition:
    return policypb.MetricDefinition(
        name=metric.name,
        group=metric.group.value,
        unit=metric.unit.value,
        direction=f"METRIC_DIRECTION_{metric.direction.name}",
        formula=metric.formula,
        type=policypb.METRIC_TYPE_INT if metric.integral else policypb.METRIC_TYPE_DOUBLE,
    )


def preset_to_proto(preset: PolicyPreset) -> policypb.PolicyPreset:
    return policypb.PolicyPreset(name=preset.name, document=preset.document, description=preset.description)

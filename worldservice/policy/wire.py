"""Policy versions, metrics and presets as messages of the contract."""

from __future__ import annotations

from qmtl.wire.instants import instant_to_proto
from qmtl.world.v1 import policy_pb2 as policypb
from worldservice.policy.domain.metric_catalogue import Metric
from worldservice.policy.domain.presets import PolicyPreset
from worldservice.policy.domain.versions import PolicyRecord


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

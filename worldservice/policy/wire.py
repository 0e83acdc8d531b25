"""Policy versions, metrics and presets as messages of the contract."""

from __future__ import annotations

from qmtl.wire.mapping import mapper
from qmtl.world.v1 import policy_pb2 as policypb
from worldservice.policy.domain.metric_catalogue import Metric
from worldservice.policy.domain.presets import PolicyPreset
from worldservice.policy.domain.versions import PolicyRecord

policy_to_proto = mapper(PolicyRecord, policypb.Policy, status=lambda record: f"POLICY_STATUS_{record.status.name}")


def metric_to_proto(metric: Metric) -> policypb.MetricDefinition:
    return policypb.MetricDefinition(
        name=metric.name,
        group=metric.group.value,
        unit=metric.unit.value,
        direction=f"METRIC_DIRECTION_{metric.direction.name}",
        formula=metric.formula,
        type=policypb.METRIC_TYPE_INT if metric.integral else policypb.METRIC_TYPE_DOUBLE,
    )


preset_to_proto = mapper(PolicyPreset, policypb.PolicyPreset)

import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.dag.v1 import queue_pb2 as _queue_pb2
from qmtl.dag.v1 import sentinel_pb2 as _sentinel_pb2
from qmtl.risk.v1 import risk_pb2 as _risk_pb2
from qmtl.world.v1 import activation_pb2 as _activation_pb2
from qmtl.world.v1 import allocation_pb2 as _allocation_pb2
from qmtl.world.v1 import campaign_pb2 as _campaign_pb2
from qmtl.world.v1 import decision_pb2 as _decision_pb2
from qmtl.world.v1 import divergence_pb2 as _divergence_pb2
from qmtl.world.v1 import evaluation_pb2 as _evaluation_pb2
from qmtl.world.v1 import policy_pb2 as _policy_pb2
from qmtl.world.v1 import rebalance_pb2 as _rebalance_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueueLifecycleStep(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUEUE_LIFECYCLE_STEP_UNSPECIFIED: _ClassVar[QueueLifecycleStep]
    QUEUE_LIFECYCLE_STEP_CREATED: _ClassVar[QueueLifecycleStep]
    QUEUE_LIFECYCLE_STEP_RECOMPUTE_DUE: _ClassVar[QueueLifecycleStep]
    QUEUE_LIFECYCLE_STEP_RECOMPUTED: _ClassVar[QueueLifecycleStep]
    QUEUE_LIFECYCLE_STEP_RELEASED: _ClassVar[QueueLifecycleStep]
    QUEUE_LIFECYCLE_STEP_ARCHIVED: _ClassVar[QueueLifecycleStep]
    QUEUE_LIFECYCLE_STEP_DROPPED: _ClassVar[QueueLifecycleStep]
    QUEUE_LIFECYCLE_STEP_RECORDS_LOST: _ClassVar[QueueLifecycleStep]

class StrategyState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STRATEGY_STATE_UNSPECIFIED: _ClassVar[StrategyState]
    STRATEGY_STATE_QUEUED: _ClassVar[StrategyState]
    STRATEGY_STATE_PROCESSING: _ClassVar[StrategyState]
    STRATEGY_STATE_COMPLETED: _ClassVar[StrategyState]
    STRATEGY_STATE_FAILED: _ClassVar[StrategyState]
    STRATEGY_STATE_CANCELED: _ClassVar[StrategyState]
QUEUE_LIFECYCLE_STEP_UNSPECIFIED: QueueLifecycleStep
QUEUE_LIFECYCLE_STEP_CREATED: QueueLifecycleStep
QUEUE_LIFECYCLE_STEP_RECOMPUTE_DUE: QueueLifecycleStep
QUEUE_LIFECYCLE_STEP_RECOMPUTED: QueueLifecycleStep
QUEUE_LIFECYCLE_STEP_RELEASED: QueueLifecycleStep
QUEUE_LIFECYCLE_STEP_ARCHIVED: QueueLifecycleStep
QUEUE_LIFECYCLE_STEP_DROPPED: QueueLifecycleStep
QUEUE_LIFECYCLE_STEP_RECORDS_LOST: QueueLifecycleStep
STRATEGY_STATE_UNSPECIFIED: StrategyState
STRATEGY_STATE_QUEUED: StrategyState
STRATEGY_STATE_PROCESSING: StrategyState
STRATEGY_STATE_COMPLETED: StrategyState
STRATEGY_STATE_FAILED: StrategyState
STRATEGY_STATE_CANCELED: StrategyState

class ControlEvent(_message.Message):
    __slots__ = ("event_id", "source", "key", "revision", "schema_version", "time", "correlation_id", "causation_id", "activation_updated", "activation_acked", "policy_updated", "decision_updated", "queue_updated", "queue_lifecycle", "sentinel_weight_updated", "evaluation_run_updated", "strategy_state_changed", "exit_signal_emitted", "world_queues_updated", "risk_snapshot_updated", "risk_breached", "account_limits_updated", "rebalancing_planned", "allocation_updated", "rebalance_state_changed", "campaign_updated", "promotion_updated", "divergence_reported")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSATION_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_UPDATED_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_ACKED_FIELD_NUMBER: _ClassVar[int]
    POLICY_UPDATED_FIELD_NUMBER: _ClassVar[int]
    DECISION_UPDATED_FIELD_NUMBER: _ClassVar[int]
    QUEUE_UPDATED_FIELD_NUMBER: _ClassVar[int]
    QUEUE_LIFECYCLE_FIELD_NUMBER: _ClassVar[int]
    SENTINEL_WEIGHT_UPDATED_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_RUN_UPDATED_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_STATE_CHANGED_FIELD_NUMBER: _ClassVar[int]
    EXIT_SIGNAL_EMITTED_FIELD_NUMBER: _ClassVar[int]
    WORLD_QUEUES_UPDATED_FIELD_NUMBER: _ClassVar[int]
    RISK_SNAPSHOT_UPDATED_FIELD_NUMBER: _ClassVar[int]
    RISK_BREACHED_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_LIMITS_UPDATED_FIELD_NUMBER: _ClassVar[int]
    REBALANCING_PLANNED_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_UPDATED_FIELD_NUMBER: _ClassVar[int]
    REBALANCE_STATE_CHANGED_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_UPDATED_FIELD_NUMBER: _ClassVar[int]
    PROMOTION_UPDATED_FIELD_NUMBER: _ClassVar[int]
    DIVERGENCE_REPORTED_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    source: str
    key: str
    revision: int
    schema_version: int
    time: _timestamp_pb2.Timestamp
    correlation_id: str
    causation_id: str
    activation_updated: ActivationUpdated
    activation_acked: ActivationAcked
    policy_updated: PolicyUpdated
    decision_updated: DecisionUpdated
    queue_updated: QueueUpdated
    queue_lifecycle: QueueLifecycle
    sentinel_weight_updated: SentinelWeightUpdated
    evaluation_run_updated: EvaluationRunUpdated
    strategy_state_changed: StrategyStateChanged
    exit_signal_emitted: ExitSignalEmitted
    world_queues_updated: WorldQueuesUpdated
    risk_snapshot_updated: RiskSnapshotUpdated
    risk_breached: RiskBreached
    account_limits_updated: AccountLimitsUpdated
    rebalancing_planned: RebalancingPlanned
    allocation_updated: AllocationUpdated
    rebalance_state_changed: RebalanceStateChanged
    campaign_updated: CampaignUpdated
    promotion_updated: PromotionUpdated
    divergence_reported: DivergenceReported
    def __init__(self, event_id: _Optional[str] = ..., source: _Optional[str] = ..., key: _Optional[str] = ..., revision: _Optional[int] = ..., schema_version: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., correlation_id: _Optional[str] = ..., causation_id: _Optional[str] = ..., activation_updated: _Optional[_Union[ActivationUpdated, _Mapping]] = ..., activation_acked: _Optional[_Union[ActivationAcked, _Mapping]] = ..., policy_updated: _Optional[_Union[PolicyUpdated, _Mapping]] = ..., decision_updated: _Optional[_Union[DecisionUpdated, _Mapping]] = ..., queue_updated: _Optional[_Union[QueueUpdated, _Mapping]] = ..., queue_lifecycle: _Optional[_Union[QueueLifecycle, _Mapping]] = ..., sentinel_weight_updated: _Optional[_Union[SentinelWeightUpdated, _Mapping]] = ..., evaluation_run_updated: _Optional[_Union[EvaluationRunUpdated, _Mapping]] = ..., strategy_state_changed: _Optional[_Union[StrategyStateChanged, _Mapping]] = ..., exit_signal_emitted: _Optional[_Union[ExitSignalEmitted, _Mapping]] = ..., world_queues_updated: _Optional[_Union[WorldQueuesUpdated, _Mapping]] = ..., risk_snapshot_updated: _Optional[_Union[RiskSnapshotUpdated, _Mapping]] = ..., risk_breached: _Optional[_Union[RiskBreached, _Mapping]] = ..., account_limits_updated: _Optional[_Union[AccountLimitsUpdated, _Mapping]] = ..., rebalancing_planned: _Optional[_Union[RebalancingPlanned, _Mapping]] = ..., allocation_updated: _Optional[_Union[AllocationUpdated, _Mapping]] = ..., rebalance_state_changed: _Optional[_Union[RebalanceStateChanged, _Mapping]] = ..., campaign_updated: _Optional[_Union[CampaignUpdated, _Mapping]] = ..., promotion_updated: _Optional[_Union[PromotionUpdated, _Mapping]] = ..., divergence_reported: _Optional[_Union[DivergenceReported, _Mapping]] = ...) -> None: ...

class CampaignUpdated(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: _campaign_pb2.Campaign
    def __init__(self, campaign: _Optional[_Union[_campaign_pb2.Campaign, _Mapping]] = ...) -> None: ...

class PromotionUpdated(_message.Message):
    __slots__ = ("promotion",)
    PROMOTION_FIELD_NUMBER: _ClassVar[int]
    promotion: _campaign_pb2.Promotion
    def __init__(self, promotion: _Optional[_Union[_campaign_pb2.Promotion, _Mapping]] = ...) -> None: ...

class DivergenceReported(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: _divergence_pb2.DivergenceReport
    def __init__(self, report: _Optional[_Union[_divergence_pb2.DivergenceReport, _Mapping]] = ...) -> None: ...

class RiskSnapshotUpdated(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _risk_pb2.SnapshotHeader
    def __init__(self, header: _Optional[_Union[_risk_pb2.SnapshotHeader, _Mapping]] = ...) -> None: ...

class RiskBreached(_message.Message):
    __slots__ = ("breach",)
    BREACH_FIELD_NUMBER: _ClassVar[int]
    breach: _risk_pb2.RiskBreach
    def __init__(self, breach: _Optional[_Union[_risk_pb2.RiskBreach, _Mapping]] = ...) -> None: ...

class AccountLimitsUpdated(_message.Message):
    __slots__ = ("limits",)
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    limits: _risk_pb2.HubAccountLimits
    def __init__(self, limits: _Optional[_Union[_risk_pb2.HubAccountLimits, _Mapping]] = ...) -> None: ...

class ActivationUpdated(_message.Message):
    __slots__ = ("activation",)
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    activation: _activation_pb2.ActivationEnvelope
    def __init__(self, activation: _Optional[_Union[_activation_pb2.ActivationEnvelope, _Mapping]] = ...) -> None: ...

class ActivationAcked(_message.Message):
    __slots__ = ("world_id", "run_id", "apply_sequence", "gateway_id", "boot_id", "acked_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    APPLY_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    ACKED_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    apply_sequence: int
    gateway_id: str
    boot_id: str
    acked_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ..., apply_sequence: _Optional[int] = ..., gateway_id: _Optional[str] = ..., boot_id: _Optional[str] = ..., acked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PolicyUpdated(_message.Message):
    __slots__ = ("world_id", "policy_version", "checksum", "status")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    policy_version: int
    checksum: str
    status: _policy_pb2.PolicyStatus
    def __init__(self, world_id: _Optional[str] = ..., policy_version: _Optional[int] = ..., checksum: _Optional[str] = ..., status: _Optional[_Union[_policy_pb2.PolicyStatus, str]] = ...) -> None: ...

class DecisionUpdated(_message.Message):
    __slots__ = ("decision",)
    DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.DecisionEnvelope
    def __init__(self, decision: _Optional[_Union[_decision_pb2.DecisionEnvelope, _Mapping]] = ...) -> None: ...

class QueueUpdated(_message.Message):
    __slots__ = ("query", "queues", "truncated")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    query: _queue_pb2.TagQuery
    queues: _containers.RepeatedCompositeFieldContainer[_queue_pb2.Queue]
    truncated: bool
    def __init__(self, query: _Optional[_Union[_queue_pb2.TagQuery, _Mapping]] = ..., queues: _Optional[_Iterable[_Union[_queue_pb2.Queue, _Mapping]]] = ..., truncated: _Optional[bool] = ...) -> None: ...

class WorldQueuesUpdated(_message.Message):
    __slots__ = ("world_id", "queues", "truncated")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    queues: _containers.RepeatedCompositeFieldContainer[_queue_pb2.Queue]
    truncated: bool
    def __init__(self, world_id: _Optional[str] = ..., queues: _Optional[_Iterable[_Union[_queue_pb2.Queue, _Mapping]]] = ..., truncated: _Optional[bool] = ...) -> None: ...

class QueueLifecycle(_message.Message):
    __slots__ = ("compute_key", "step", "message")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    step: QueueLifecycleStep
    message: str
    def __init__(self, compute_key: _Optional[str] = ..., step: _Optional[_Union[QueueLifecycleStep, str]] = ..., message: _Optional[str] = ...) -> None: ...

class SentinelWeightUpdated(_message.Message):
    __slots__ = ("strategy_id", "sentinels")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SENTINELS_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    sentinels: _containers.RepeatedCompositeFieldContainer[_sentinel_pb2.Sentinel]
    def __init__(self, strategy_id: _Optional[str] = ..., sentinels: _Optional[_Iterable[_Union[_sentinel_pb2.Sentinel, _Mapping]]] = ...) -> None: ...

class EvaluationRunUpdated(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _evaluation_pb2.EvaluationRun
    def __init__(self, run: _Optional[_Union[_evaluation_pb2.EvaluationRun, _Mapping]] = ...) -> None: ...

class StrategyStateChanged(_message.Message):
    __slots__ = ("strategy_id", "state", "reason", "world_ids", "message")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    WORLD_IDS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    state: StrategyState
    reason: str
    world_ids: _containers.RepeatedScalarFieldContainer[str]
    message: str
    def __init__(self, strategy_id: _Optional[str] = ..., state: _Optional[_Union[StrategyState, str]] = ..., reason: _Optional[str] = ..., world_ids: _Optional[_Iterable[str]] = ..., message: _Optional[str] = ...) -> None: ...

class ExitSignalEmitted(_message.Message):
    __slots__ = ("world_id", "strategy_id", "side", "rule", "message")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    side: _common_pb2.Side
    rule: str
    message: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., side: _Optional[_Union[_common_pb2.Side, str]] = ..., rule: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class RebalancingPlanned(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _rebalance_pb2.RebalanceRun
    def __init__(self, run: _Optional[_Union[_rebalance_pb2.RebalanceRun, _Mapping]] = ...) -> None: ...

class AllocationUpdated(_message.Message):
    __slots__ = ("allocations",)
    ALLOCATIONS_FIELD_NUMBER: _ClassVar[int]
    allocations: _allocation_pb2.AllocationSet
    def __init__(self, allocations: _Optional[_Union[_allocation_pb2.AllocationSet, _Mapping]] = ...) -> None: ...

class RebalanceStateChanged(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _rebalance_pb2.RebalanceRun
    def __init__(self, run: _Optional[_Union[_rebalance_pb2.RebalanceRun, _Mapping]] = ...) -> None: ...

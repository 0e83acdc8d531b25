import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import evaluation_pb2 as _evaluation_pb2
from qmtl.world.v1 import world_pb2 as _world_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MetricDirection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_DIRECTION_UNSPECIFIED: _ClassVar[MetricDirection]
    METRIC_DIRECTION_HIGHER_IS_BETTER: _ClassVar[MetricDirection]
    METRIC_DIRECTION_LOWER_IS_BETTER: _ClassVar[MetricDirection]

class MetricType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_TYPE_UNSPECIFIED: _ClassVar[MetricType]
    METRIC_TYPE_DOUBLE: _ClassVar[MetricType]
    METRIC_TYPE_INT: _ClassVar[MetricType]
METRIC_DIRECTION_UNSPECIFIED: MetricDirection
METRIC_DIRECTION_HIGHER_IS_BETTER: MetricDirection
METRIC_DIRECTION_LOWER_IS_BETTER: MetricDirection
METRIC_TYPE_UNSPECIFIED: MetricType
METRIC_TYPE_DOUBLE: MetricType
METRIC_TYPE_INT: MetricType

class CreateWorldRequest(_message.Message):
    __slots__ = ("world_id", "name", "labels", "data_presets", "allow_live")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESETS_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LIVE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    name: str
    labels: _containers.ScalarMap[str, str]
    data_presets: _containers.RepeatedScalarFieldContainer[str]
    allow_live: bool
    def __init__(self, world_id: _Optional[str] = ..., name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., data_presets: _Optional[_Iterable[str]] = ..., allow_live: _Optional[bool] = ...) -> None: ...

class CreateWorldResponse(_message.Message):
    __slots__ = ("world",)
    WORLD_FIELD_NUMBER: _ClassVar[int]
    world: _world_pb2.World
    def __init__(self, world: _Optional[_Union[_world_pb2.World, _Mapping]] = ...) -> None: ...

class GetWorldRequest(_message.Message):
    __slots__ = ("world_id",)
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    def __init__(self, world_id: _Optional[str] = ...) -> None: ...

class GetWorldResponse(_message.Message):
    __slots__ = ("world",)
    WORLD_FIELD_NUMBER: _ClassVar[int]
    world: _world_pb2.World
    def __init__(self, world: _Optional[_Union[_world_pb2.World, _Mapping]] = ...) -> None: ...

class ListWorldsRequest(_message.Message):
    __slots__ = ("page",)
    PAGE_FIELD_NUMBER: _ClassVar[int]
    page: _common_pb2.PageRequest
    def __init__(self, page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListWorldsResponse(_message.Message):
    __slots__ = ("worlds", "page")
    WORLDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    worlds: _containers.RepeatedCompositeFieldContainer[_world_pb2.World]
    page: _common_pb2.PageInfo
    def __init__(self, worlds: _Optional[_Iterable[_Union[_world_pb2.World, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class UpdateWorldRequest(_message.Message):
    __slots__ = ("world_id", "etag", "name", "allow_live", "circuit_breaker", "state", "data_presets")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LIVE_FIELD_NUMBER: _ClassVar[int]
    CIRCUIT_BREAKER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESETS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    etag: str
    name: str
    allow_live: bool
    circuit_breaker: bool
    state: _world_pb2.WorldState
    data_presets: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, world_id: _Optional[str] = ..., etag: _Optional[str] = ..., name: _Optional[str] = ..., allow_live: _Optional[bool] = ..., circuit_breaker: _Optional[bool] = ..., state: _Optional[_Union[_world_pb2.WorldState, str]] = ..., data_presets: _Optional[_Iterable[str]] = ...) -> None: ...

class UpdateWorldResponse(_message.Message):
    __slots__ = ("world",)
    WORLD_FIELD_NUMBER: _ClassVar[int]
    world: _world_pb2.World
    def __init__(self, world: _Optional[_Union[_world_pb2.World, _Mapping]] = ...) -> None: ...

class DeleteWorldRequest(_message.Message):
    __slots__ = ("world_id", "etag")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    etag: str
    def __init__(self, world_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteWorldResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PutPolicyRequest(_message.Message):
    __slots__ = ("world_id", "document", "make_default")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    MAKE_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    document: str
    make_default: bool
    def __init__(self, world_id: _Optional[str] = ..., document: _Optional[str] = ..., make_default: _Optional[bool] = ...) -> None: ...

class PutPolicyResponse(_message.Message):
    __slots__ = ("policy",)
    POLICY_FIELD_NUMBER: _ClassVar[int]
    policy: _world_pb2.Policy
    def __init__(self, policy: _Optional[_Union[_world_pb2.Policy, _Mapping]] = ...) -> None: ...

class GetPolicyRequest(_message.Message):
    __slots__ = ("world_id", "version")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    version: int
    def __init__(self, world_id: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class GetPolicyResponse(_message.Message):
    __slots__ = ("policy",)
    POLICY_FIELD_NUMBER: _ClassVar[int]
    policy: _world_pb2.Policy
    def __init__(self, policy: _Optional[_Union[_world_pb2.Policy, _Mapping]] = ...) -> None: ...

class ListPoliciesRequest(_message.Message):
    __slots__ = ("world_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListPoliciesResponse(_message.Message):
    __slots__ = ("policies", "page")
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    policies: _containers.RepeatedCompositeFieldContainer[_world_pb2.Policy]
    page: _common_pb2.PageInfo
    def __init__(self, policies: _Optional[_Iterable[_Union[_world_pb2.Policy, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class SetDefaultPolicyRequest(_message.Message):
    __slots__ = ("world_id", "version")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    version: int
    def __init__(self, world_id: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class SetDefaultPolicyResponse(_message.Message):
    __slots__ = ("world",)
    WORLD_FIELD_NUMBER: _ClassVar[int]
    world: _world_pb2.World
    def __init__(self, world: _Optional[_Union[_world_pb2.World, _Mapping]] = ...) -> None: ...

class ListMetricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListMetricsResponse(_message.Message):
    __slots__ = ("metrics",)
    METRICS_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedCompositeFieldContainer[MetricDefinition]
    def __init__(self, metrics: _Optional[_Iterable[_Union[MetricDefinition, _Mapping]]] = ...) -> None: ...

class MetricDefinition(_message.Message):
    __slots__ = ("name", "group", "unit", "direction", "formula", "type")
    NAME_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    FORMULA_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    group: str
    unit: str
    direction: MetricDirection
    formula: str
    type: MetricType
    def __init__(self, name: _Optional[str] = ..., group: _Optional[str] = ..., unit: _Optional[str] = ..., direction: _Optional[_Union[MetricDirection, str]] = ..., formula: _Optional[str] = ..., type: _Optional[_Union[MetricType, str]] = ...) -> None: ...

class ListPolicyPresetsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPolicyPresetsResponse(_message.Message):
    __slots__ = ("presets",)
    PRESETS_FIELD_NUMBER: _ClassVar[int]
    presets: _containers.RepeatedCompositeFieldContainer[PolicyPreset]
    def __init__(self, presets: _Optional[_Iterable[_Union[PolicyPreset, _Mapping]]] = ...) -> None: ...

class PolicyPreset(_message.Message):
    __slots__ = ("name", "document", "description")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    document: str
    description: str
    def __init__(self, name: _Optional[str] = ..., document: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class BindStrategyRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "on_behalf_of", "sides", "node_ids")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    ON_BEHALF_OF_FIELD_NUMBER: _ClassVar[int]
    SIDES_FIELD_NUMBER: _ClassVar[int]
    NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    on_behalf_of: str
    sides: _containers.RepeatedScalarFieldContainer[_common_pb2.Side]
    node_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., on_behalf_of: _Optional[str] = ..., sides: _Optional[_Iterable[_Union[_common_pb2.Side, str]]] = ..., node_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class BindStrategyResponse(_message.Message):
    __slots__ = ("binding", "decision")
    BINDING_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    binding: _world_pb2.Binding
    decision: _world_pb2.DecisionEnvelope
    def __init__(self, binding: _Optional[_Union[_world_pb2.Binding, _Mapping]] = ..., decision: _Optional[_Union[_world_pb2.DecisionEnvelope, _Mapping]] = ...) -> None: ...

class UnbindStrategyRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "on_behalf_of")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    ON_BEHALF_OF_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    on_behalf_of: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., on_behalf_of: _Optional[str] = ...) -> None: ...

class UnbindStrategyResponse(_message.Message):
    __slots__ = ("binding",)
    BINDING_FIELD_NUMBER: _ClassVar[int]
    binding: _world_pb2.Binding
    def __init__(self, binding: _Optional[_Union[_world_pb2.Binding, _Mapping]] = ...) -> None: ...

class ListBindingsRequest(_message.Message):
    __slots__ = ("world_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListBindingsResponse(_message.Message):
    __slots__ = ("bindings", "page")
    BINDINGS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    bindings: _containers.RepeatedCompositeFieldContainer[_world_pb2.Binding]
    page: _common_pb2.PageInfo
    def __init__(self, bindings: _Optional[_Iterable[_Union[_world_pb2.Binding, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class DecideRequest(_message.Message):
    __slots__ = ("world_id", "as_of", "with_reports")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    WITH_REPORTS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    as_of: _timestamp_pb2.Timestamp
    with_reports: bool
    def __init__(self, world_id: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., with_reports: _Optional[bool] = ...) -> None: ...

class DecideResponse(_message.Message):
    __slots__ = ("decision", "reports")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    decision: _world_pb2.DecisionEnvelope
    reports: _containers.RepeatedCompositeFieldContainer[_evaluation_pb2.EvaluationReport]
    def __init__(self, decision: _Optional[_Union[_world_pb2.DecisionEnvelope, _Mapping]] = ..., reports: _Optional[_Iterable[_Union[_evaluation_pb2.EvaluationReport, _Mapping]]] = ...) -> None: ...

class EvaluateRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id", "stage", "metrics", "dataset_fingerprint", "data_start", "data_end", "coverage", "footprint", "correlations", "execution_model")
    class CorrelationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    DATA_START_FIELD_NUMBER: _ClassVar[int]
    DATA_END_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    FOOTPRINT_FIELD_NUMBER: _ClassVar[int]
    CORRELATIONS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_MODEL_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    stage: _world_pb2.Stage
    metrics: _containers.RepeatedCompositeFieldContainer[_evaluation_pb2.Metric]
    dataset_fingerprint: str
    data_start: _timestamp_pb2.Timestamp
    data_end: _timestamp_pb2.Timestamp
    coverage: float
    footprint: _evaluation_pb2.Footprint
    correlations: _containers.ScalarMap[str, float]
    execution_model: _world_pb2.ExecutionModel
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ..., stage: _Optional[_Union[_world_pb2.Stage, str]] = ..., metrics: _Optional[_Iterable[_Union[_evaluation_pb2.Metric, _Mapping]]] = ..., dataset_fingerprint: _Optional[str] = ..., data_start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., data_end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., coverage: _Optional[float] = ..., footprint: _Optional[_Union[_evaluation_pb2.Footprint, _Mapping]] = ..., correlations: _Optional[_Mapping[str, float]] = ..., execution_model: _Optional[_Union[_world_pb2.ExecutionModel, _Mapping]] = ...) -> None: ...

class EvaluateResponse(_message.Message):
    __slots__ = ("run", "decision")
    RUN_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    run: _evaluation_pb2.EvaluationRun
    decision: _world_pb2.DecisionEnvelope
    def __init__(self, run: _Optional[_Union[_evaluation_pb2.EvaluationRun, _Mapping]] = ..., decision: _Optional[_Union[_world_pb2.DecisionEnvelope, _Mapping]] = ...) -> None: ...

class EvaluateCohortRequest(_message.Message):
    __slots__ = ("world_id", "run_id", "stage", "strategies")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    stage: _world_pb2.Stage
    strategies: _containers.RepeatedCompositeFieldContainer[EvaluateRequest]
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ..., stage: _Optional[_Union[_world_pb2.Stage, str]] = ..., strategies: _Optional[_Iterable[_Union[EvaluateRequest, _Mapping]]] = ...) -> None: ...

class EvaluateCohortResponse(_message.Message):
    __slots__ = ("runs", "decision")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[_evaluation_pb2.EvaluationRun]
    decision: _world_pb2.DecisionEnvelope
    def __init__(self, runs: _Optional[_Iterable[_Union[_evaluation_pb2.EvaluationRun, _Mapping]]] = ..., decision: _Optional[_Union[_world_pb2.DecisionEnvelope, _Mapping]] = ...) -> None: ...

class GetEvaluationRunRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class GetEvaluationRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _evaluation_pb2.EvaluationRun
    def __init__(self, run: _Optional[_Union[_evaluation_pb2.EvaluationRun, _Mapping]] = ...) -> None: ...

class ListEvaluationRunsRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListEvaluationRunsResponse(_message.Message):
    __slots__ = ("runs", "page")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[_evaluation_pb2.EvaluationRun]
    page: _common_pb2.PageInfo
    def __init__(self, runs: _Optional[_Iterable[_Union[_evaluation_pb2.EvaluationRun, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class ActivationChange(_message.Message):
    __slots__ = ("strategy_id", "side", "active", "weight", "freeze", "drain", "valid_from", "valid_until", "stage")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    FREEZE_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    side: _common_pb2.Side
    active: bool
    weight: float
    freeze: bool
    drain: bool
    valid_from: _timestamp_pb2.Timestamp
    valid_until: _timestamp_pb2.Timestamp
    stage: _world_pb2.Stage
    def __init__(self, strategy_id: _Optional[str] = ..., side: _Optional[_Union[_common_pb2.Side, str]] = ..., active: _Optional[bool] = ..., weight: _Optional[float] = ..., freeze: _Optional[bool] = ..., drain: _Optional[bool] = ..., valid_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., valid_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stage: _Optional[_Union[_world_pb2.Stage, str]] = ...) -> None: ...

class SetActivationRequest(_message.Message):
    __slots__ = ("world_id", "etag", "changes", "reason")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    etag: str
    changes: _containers.RepeatedCompositeFieldContainer[ActivationChange]
    reason: str
    def __init__(self, world_id: _Optional[str] = ..., etag: _Optional[str] = ..., changes: _Optional[_Iterable[_Union[ActivationChange, _Mapping]]] = ..., reason: _Optional[str] = ...) -> None: ...

class SetActivationResponse(_message.Message):
    __slots__ = ("activation",)
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    activation: _world_pb2.ActivationEnvelope
    def __init__(self, activation: _Optional[_Union[_world_pb2.ActivationEnvelope, _Mapping]] = ...) -> None: ...

class GetActivationRequest(_message.Message):
    __slots__ = ("world_id",)
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    def __init__(self, world_id: _Optional[str] = ...) -> None: ...

class GetActivationResponse(_message.Message):
    __slots__ = ("activation",)
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    activation: _world_pb2.ActivationEnvelope
    def __init__(self, activation: _Optional[_Union[_world_pb2.ActivationEnvelope, _Mapping]] = ...) -> None: ...

class GetStateHashRequest(_message.Message):
    __slots__ = ("world_id",)
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    def __init__(self, world_id: _Optional[str] = ...) -> None: ...

class GetStateHashResponse(_message.Message):
    __slots__ = ("revision", "state_hash")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    STATE_HASH_FIELD_NUMBER: _ClassVar[int]
    revision: int
    state_hash: str
    def __init__(self, revision: _Optional[int] = ..., state_hash: _Optional[str] = ...) -> None: ...

class WatchActivationRequest(_message.Message):
    __slots__ = ("world_id",)
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    def __init__(self, world_id: _Optional[str] = ...) -> None: ...

class WatchActivationResponse(_message.Message):
    __slots__ = ("activation",)
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    activation: _world_pb2.ActivationEnvelope
    def __init__(self, activation: _Optional[_Union[_world_pb2.ActivationEnvelope, _Mapping]] = ...) -> None: ...

class ApproveLiveRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "reason", "expires_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    reason: str
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., reason: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ApproveLiveResponse(_message.Message):
    __slots__ = ("approval",)
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    approval: _world_pb2.LiveApproval
    def __init__(self, approval: _Optional[_Union[_world_pb2.LiveApproval, _Mapping]] = ...) -> None: ...

class RevokeLiveRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "reason")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    reason: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RevokeLiveResponse(_message.Message):
    __slots__ = ("approval",)
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    approval: _world_pb2.LiveApproval
    def __init__(self, approval: _Optional[_Union[_world_pb2.LiveApproval, _Mapping]] = ...) -> None: ...

class ApplyRequest(_message.Message):
    __slots__ = ("world_id", "run_id", "targets", "evaluate", "etag", "unfreeze_ack")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UNFREEZE_ACK_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    targets: ApplyTargets
    evaluate: bool
    etag: str
    unfreeze_ack: _world_pb2.UnfreezeAck
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ..., targets: _Optional[_Union[ApplyTargets, _Mapping]] = ..., evaluate: _Optional[bool] = ..., etag: _Optional[str] = ..., unfreeze_ack: _Optional[_Union[_world_pb2.UnfreezeAck, str]] = ...) -> None: ...

class ApplyTargets(_message.Message):
    __slots__ = ("targets",)
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    targets: _containers.RepeatedCompositeFieldContainer[_world_pb2.ApplyTarget]
    def __init__(self, targets: _Optional[_Iterable[_Union[_world_pb2.ApplyTarget, _Mapping]]] = ...) -> None: ...

class ApplyResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _world_pb2.ApplyRun
    def __init__(self, run: _Optional[_Union[_world_pb2.ApplyRun, _Mapping]] = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ("world_id", "run_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class ResumeResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _world_pb2.ApplyRun
    def __init__(self, run: _Optional[_Union[_world_pb2.ApplyRun, _Mapping]] = ...) -> None: ...

class GetApplyRunRequest(_message.Message):
    __slots__ = ("world_id", "run_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class GetApplyRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _world_pb2.ApplyRun
    def __init__(self, run: _Optional[_Union[_world_pb2.ApplyRun, _Mapping]] = ...) -> None: ...

class WatchApplyRunRequest(_message.Message):
    __slots__ = ("world_id", "run_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class WatchApplyRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _world_pb2.ApplyRun
    def __init__(self, run: _Optional[_Union[_world_pb2.ApplyRun, _Mapping]] = ...) -> None: ...

class AckActivationRequest(_message.Message):
    __slots__ = ("world_id", "run_id", "sequence", "gateway_id", "boot_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    sequence: int
    gateway_id: str
    boot_id: str
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ..., sequence: _Optional[int] = ..., gateway_id: _Optional[str] = ..., boot_id: _Optional[str] = ...) -> None: ...

class AckActivationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OpenGateSessionRequest(_message.Message):
    __slots__ = ("gateway_id", "boot_id")
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    gateway_id: str
    boot_id: str
    def __init__(self, gateway_id: _Optional[str] = ..., boot_id: _Optional[str] = ...) -> None: ...

class OpenGateSessionResponse(_message.Message):
    __slots__ = ("session", "activations")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    session: _world_pb2.GateSession
    activations: _containers.RepeatedCompositeFieldContainer[_world_pb2.ActivationEnvelope]
    def __init__(self, session: _Optional[_Union[_world_pb2.GateSession, _Mapping]] = ..., activations: _Optional[_Iterable[_Union[_world_pb2.ActivationEnvelope, _Mapping]]] = ...) -> None: ...

class RenewGateSessionRequest(_message.Message):
    __slots__ = ("gateway_id", "boot_id", "applied_revisions")
    class AppliedRevisionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    APPLIED_REVISIONS_FIELD_NUMBER: _ClassVar[int]
    gateway_id: str
    boot_id: str
    applied_revisions: _containers.ScalarMap[str, int]
    def __init__(self, gateway_id: _Optional[str] = ..., boot_id: _Optional[str] = ..., applied_revisions: _Optional[_Mapping[str, int]] = ...) -> None: ...

class RenewGateSessionResponse(_message.Message):
    __slots__ = ("session", "activations")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    session: _world_pb2.GateSession
    activations: _containers.RepeatedCompositeFieldContainer[_world_pb2.ActivationEnvelope]
    def __init__(self, session: _Optional[_Union[_world_pb2.GateSession, _Mapping]] = ..., activations: _Optional[_Iterable[_Union[_world_pb2.ActivationEnvelope, _Mapping]]] = ...) -> None: ...

class OpenSessionRequest(_message.Message):
    __slots__ = ("world_id", "execution_domain", "data_preset", "start", "dataset_fingerprint")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESET_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    execution_domain: _common_pb2.ExecutionDomain
    data_preset: str
    start: _timestamp_pb2.Timestamp
    dataset_fingerprint: str
    def __init__(self, world_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., data_preset: _Optional[str] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dataset_fingerprint: _Optional[str] = ...) -> None: ...

class OpenSessionResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: _world_pb2.Session
    def __init__(self, session: _Optional[_Union[_world_pb2.Session, _Mapping]] = ...) -> None: ...

class GetSessionRequest(_message.Message):
    __slots__ = ("world_id", "execution_domain")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    execution_domain: _common_pb2.ExecutionDomain
    def __init__(self, world_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ...) -> None: ...

class GetSessionResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: _world_pb2.Session
    def __init__(self, session: _Optional[_Union[_world_pb2.Session, _Mapping]] = ...) -> None: ...

class AdvanceWatermarkRequest(_message.Message):
    __slots__ = ("session_id", "watermark")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    watermark: _timestamp_pb2.Timestamp
    def __init__(self, session_id: _Optional[str] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AdvanceWatermarkResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: _world_pb2.Session
    def __init__(self, session: _Optional[_Union[_world_pb2.Session, _Mapping]] = ...) -> None: ...

class CloseSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class CloseSessionResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: _world_pb2.Session
    def __init__(self, session: _Optional[_Union[_world_pb2.Session, _Mapping]] = ...) -> None: ...

class UpsertWorldNodeRequest(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: _world_pb2.WorldNode
    def __init__(self, node: _Optional[_Union[_world_pb2.WorldNode, _Mapping]] = ...) -> None: ...

class UpsertWorldNodeResponse(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: _world_pb2.WorldNode
    def __init__(self, node: _Optional[_Union[_world_pb2.WorldNode, _Mapping]] = ...) -> None: ...

class ListWorldNodesRequest(_message.Message):
    __slots__ = ("world_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListWorldNodesResponse(_message.Message):
    __slots__ = ("nodes", "page")
    NODES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[_world_pb2.WorldNode]
    page: _common_pb2.PageInfo
    def __init__(self, nodes: _Optional[_Iterable[_Union[_world_pb2.WorldNode, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class DeleteWorldNodeRequest(_message.Message):
    __slots__ = ("world_id", "node_id", "execution_domain")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    node_id: str
    execution_domain: _common_pb2.ExecutionDomain
    def __init__(self, world_id: _Optional[str] = ..., node_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ...) -> None: ...

class DeleteWorldNodeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EvalKeyParts(_message.Message):
    __slots__ = ("node_id", "world_id", "execution_domain", "contract_id", "dataset_fingerprint", "code_version", "resource_policy")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CODE_VERSION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_POLICY_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    world_id: str
    execution_domain: _common_pb2.ExecutionDomain
    contract_id: str
    dataset_fingerprint: str
    code_version: str
    resource_policy: str
    def __init__(self, node_id: _Optional[str] = ..., world_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., contract_id: _Optional[str] = ..., dataset_fingerprint: _Optional[str] = ..., code_version: _Optional[str] = ..., resource_policy: _Optional[str] = ...) -> None: ...

class LookupValidationRequest(_message.Message):
    __slots__ = ("parts",)
    PARTS_FIELD_NUMBER: _ClassVar[int]
    parts: EvalKeyParts
    def __init__(self, parts: _Optional[_Union[EvalKeyParts, _Mapping]] = ...) -> None: ...

class LookupValidationResponse(_message.Message):
    __slots__ = ("validation",)
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    validation: _world_pb2.Validation
    def __init__(self, validation: _Optional[_Union[_world_pb2.Validation, _Mapping]] = ...) -> None: ...

class PutValidationRequest(_message.Message):
    __slots__ = ("parts", "valid", "metrics")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    PARTS_FIELD_NUMBER: _ClassVar[int]
    VALID_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    parts: EvalKeyParts
    valid: bool
    metrics: _containers.ScalarMap[str, float]
    def __init__(self, parts: _Optional[_Union[EvalKeyParts, _Mapping]] = ..., valid: _Optional[bool] = ..., metrics: _Optional[_Mapping[str, float]] = ...) -> None: ...

class PutValidationResponse(_message.Message):
    __slots__ = ("validation",)
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    validation: _world_pb2.Validation
    def __init__(self, validation: _Optional[_Union[_world_pb2.Validation, _Mapping]] = ...) -> None: ...

class InvalidateValidationsRequest(_message.Message):
    __slots__ = ("world_id", "node_id", "execution_domain")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    node_id: str
    execution_domain: _common_pb2.ExecutionDomain
    def __init__(self, world_id: _Optional[str] = ..., node_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ...) -> None: ...

class InvalidateValidationsResponse(_message.Message):
    __slots__ = ("invalidated",)
    INVALIDATED_FIELD_NUMBER: _ClassVar[int]
    invalidated: int
    def __init__(self, invalidated: _Optional[int] = ...) -> None: ...

class PutEdgeOverrideRequest(_message.Message):
    __slots__ = ("override",)
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    override: _world_pb2.EdgeOverride
    def __init__(self, override: _Optional[_Union[_world_pb2.EdgeOverride, _Mapping]] = ...) -> None: ...

class PutEdgeOverrideResponse(_message.Message):
    __slots__ = ("override", "fence_pending")
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    FENCE_PENDING_FIELD_NUMBER: _ClassVar[int]
    override: _world_pb2.EdgeOverride
    fence_pending: bool
    def __init__(self, override: _Optional[_Union[_world_pb2.EdgeOverride, _Mapping]] = ..., fence_pending: _Optional[bool] = ...) -> None: ...

class ListEdgeOverridesRequest(_message.Message):
    __slots__ = ("world_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListEdgeOverridesResponse(_message.Message):
    __slots__ = ("overrides", "page")
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    overrides: _containers.RepeatedCompositeFieldContainer[_world_pb2.EdgeOverride]
    page: _common_pb2.PageInfo
    def __init__(self, overrides: _Optional[_Iterable[_Union[_world_pb2.EdgeOverride, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class DeleteEdgeOverrideRequest(_message.Message):
    __slots__ = ("world_id", "from_node_id", "to_node_id", "to_domain", "from_domain")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TO_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TO_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    FROM_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    from_node_id: str
    to_node_id: str
    to_domain: _common_pb2.ExecutionDomain
    from_domain: _common_pb2.ExecutionDomain
    def __init__(self, world_id: _Optional[str] = ..., from_node_id: _Optional[str] = ..., to_node_id: _Optional[str] = ..., to_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., from_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ...) -> None: ...

class DeleteEdgeOverrideResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GrantRequest(_message.Message):
    __slots__ = ("world_id", "subject", "role")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    subject: str
    role: _common_pb2.Role
    def __init__(self, world_id: _Optional[str] = ..., subject: _Optional[str] = ..., role: _Optional[_Union[_common_pb2.Role, str]] = ...) -> None: ...

class GrantResponse(_message.Message):
    __slots__ = ("grant",)
    GRANT_FIELD_NUMBER: _ClassVar[int]
    grant: _world_pb2.RoleGrant
    def __init__(self, grant: _Optional[_Union[_world_pb2.RoleGrant, _Mapping]] = ...) -> None: ...

class RevokeRequest(_message.Message):
    __slots__ = ("world_id", "subject")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    subject: str
    def __init__(self, world_id: _Optional[str] = ..., subject: _Optional[str] = ...) -> None: ...

class RevokeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListGrantsRequest(_message.Message):
    __slots__ = ("world_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListGrantsResponse(_message.Message):
    __slots__ = ("grants", "page")
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    grants: _containers.RepeatedCompositeFieldContainer[_world_pb2.RoleGrant]
    page: _common_pb2.PageInfo
    def __init__(self, grants: _Optional[_Iterable[_Union[_world_pb2.RoleGrant, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class GetEffectiveRoleRequest(_message.Message):
    __slots__ = ("world_id",)
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    def __init__(self, world_id: _Optional[str] = ...) -> None: ...

class GetEffectiveRoleResponse(_message.Message):
    __slots__ = ("role", "subject", "ttl")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    role: _common_pb2.Role
    subject: str
    ttl: _duration_pb2.Duration
    def __init__(self, role: _Optional[_Union[_common_pb2.Role, str]] = ..., subject: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ListAuditRequest(_message.Message):
    __slots__ = ("world_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListAuditResponse(_message.Message):
    __slots__ = ("entries", "page")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_world_pb2.AuditEntry]
    page: _common_pb2.PageInfo
    def __init__(self, entries: _Optional[_Iterable[_Union[_world_pb2.AuditEntry, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class RebuildActivationRequest(_message.Message):
    __slots__ = ("world_id", "revision")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    revision: int
    def __init__(self, world_id: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class RebuildActivationResponse(_message.Message):
    __slots__ = ("activation", "same_as_stored", "records")
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    SAME_AS_STORED_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    activation: _world_pb2.ActivationEnvelope
    same_as_stored: bool
    records: int
    def __init__(self, activation: _Optional[_Union[_world_pb2.ActivationEnvelope, _Mapping]] = ..., same_as_stored: _Optional[bool] = ..., records: _Optional[int] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("status", "worlds", "gate_sessions", "fences_pending")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    WORLDS_FIELD_NUMBER: _ClassVar[int]
    GATE_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    FENCES_PENDING_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.ServiceStatus
    worlds: int
    gate_sessions: int
    fences_pending: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, status: _Optional[_Union[_common_pb2.ServiceStatus, _Mapping]] = ..., worlds: _Optional[int] = ..., gate_sessions: _Optional[int] = ..., fences_pending: _Optional[_Iterable[str]] = ...) -> None: ...

import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import order_pb2 as _order_pb2
from qmtl.broker.v1 import replay_pb2 as _replay_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.world.v1 import binding_pb2 as _binding_pb2
from qmtl.world.v1 import decision_pb2 as _decision_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MetricSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_SOURCE_UNSPECIFIED: _ClassVar[MetricSource]
    METRIC_SOURCE_REQUEST: _ClassVar[MetricSource]
    METRIC_SOURCE_LATEST_RUN: _ClassVar[MetricSource]
    METRIC_SOURCE_RISK_HUB: _ClassVar[MetricSource]
    METRIC_SOURCE_REPLAY: _ClassVar[MetricSource]
    METRIC_SOURCE_BOOKS: _ClassVar[MetricSource]

class EvidenceState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVIDENCE_STATE_UNSPECIFIED: _ClassVar[EvidenceState]
    EVIDENCE_STATE_CLAIMED: _ClassVar[EvidenceState]
    EVIDENCE_STATE_PENDING: _ClassVar[EvidenceState]
    EVIDENCE_STATE_REPLAYED: _ClassVar[EvidenceState]
    EVIDENCE_STATE_REFUSED: _ClassVar[EvidenceState]

class EvaluationSummary(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVALUATION_SUMMARY_UNSPECIFIED: _ClassVar[EvaluationSummary]
    EVALUATION_SUMMARY_PASS: _ClassVar[EvaluationSummary]
    EVALUATION_SUMMARY_WARN: _ClassVar[EvaluationSummary]
    EVALUATION_SUMMARY_FAIL: _ClassVar[EvaluationSummary]

class PipelineStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PIPELINE_STAGE_UNSPECIFIED: _ClassVar[PipelineStage]
    PIPELINE_STAGE_DATA_CURRENCY: _ClassVar[PipelineStage]
    PIPELINE_STAGE_SUFFICIENCY: _ClassVar[PipelineStage]
    PIPELINE_STAGE_GATES: _ClassVar[PipelineStage]
    PIPELINE_STAGE_SCORE: _ClassVar[PipelineStage]
    PIPELINE_STAGE_SELECTION: _ClassVar[PipelineStage]
    PIPELINE_STAGE_VALIDATION: _ClassVar[PipelineStage]
    PIPELINE_STAGE_EDGES: _ClassVar[PipelineStage]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_PASS: _ClassVar[Outcome]
    OUTCOME_WARN: _ClassVar[Outcome]
    OUTCOME_FAIL: _ClassVar[Outcome]
    OUTCOME_SKIPPED: _ClassVar[Outcome]
METRIC_SOURCE_UNSPECIFIED: MetricSource
METRIC_SOURCE_REQUEST: MetricSource
METRIC_SOURCE_LATEST_RUN: MetricSource
METRIC_SOURCE_RISK_HUB: MetricSource
METRIC_SOURCE_REPLAY: MetricSource
METRIC_SOURCE_BOOKS: MetricSource
EVIDENCE_STATE_UNSPECIFIED: EvidenceState
EVIDENCE_STATE_CLAIMED: EvidenceState
EVIDENCE_STATE_PENDING: EvidenceState
EVIDENCE_STATE_REPLAYED: EvidenceState
EVIDENCE_STATE_REFUSED: EvidenceState
EVALUATION_SUMMARY_UNSPECIFIED: EvaluationSummary
EVALUATION_SUMMARY_PASS: EvaluationSummary
EVALUATION_SUMMARY_WARN: EvaluationSummary
EVALUATION_SUMMARY_FAIL: EvaluationSummary
PIPELINE_STAGE_UNSPECIFIED: PipelineStage
PIPELINE_STAGE_DATA_CURRENCY: PipelineStage
PIPELINE_STAGE_SUFFICIENCY: PipelineStage
PIPELINE_STAGE_GATES: PipelineStage
PIPELINE_STAGE_SCORE: PipelineStage
PIPELINE_STAGE_SELECTION: PipelineStage
PIPELINE_STAGE_VALIDATION: PipelineStage
PIPELINE_STAGE_EDGES: PipelineStage
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_PASS: Outcome
OUTCOME_WARN: Outcome
OUTCOME_FAIL: Outcome
OUTCOME_SKIPPED: Outcome

class OrderList(_message.Message):
    __slots__ = ("world_id", "strategy_id", "orders", "cancels", "dataset_fingerprints", "range", "equity_after", "base_currency")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    CANCELS_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINTS_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    EQUITY_AFTER_FIELD_NUMBER: _ClassVar[int]
    BASE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    orders: _containers.RepeatedCompositeFieldContainer[_order_pb2.Order]
    cancels: _containers.RepeatedCompositeFieldContainer[_replay_pb2.ReplayedCancel]
    dataset_fingerprints: _containers.RepeatedScalarFieldContainer[str]
    range: _common_pb2.TimeRange
    equity_after: _timestamp_pb2.Timestamp
    base_currency: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., orders: _Optional[_Iterable[_Union[_order_pb2.Order, _Mapping]]] = ..., cancels: _Optional[_Iterable[_Union[_replay_pb2.ReplayedCancel, _Mapping]]] = ..., dataset_fingerprints: _Optional[_Iterable[str]] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., equity_after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., base_currency: _Optional[str] = ...) -> None: ...

class PaperBooks(_message.Message):
    __slots__ = ("account", "session_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    session_id: str
    def __init__(self, account: _Optional[str] = ..., session_id: _Optional[str] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("name", "value", "source", "source_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    source: MetricSource
    source_id: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ..., source: _Optional[_Union[MetricSource, str]] = ..., source_id: _Optional[str] = ...) -> None: ...

class RuleVerdict(_message.Message):
    __slots__ = ("stage", "rule", "outcome", "reason", "inputs", "explanation")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    stage: PipelineStage
    rule: str
    outcome: Outcome
    reason: _decision_pb2.DecisionReason
    inputs: _containers.RepeatedCompositeFieldContainer[Metric]
    explanation: str
    def __init__(self, stage: _Optional[_Union[PipelineStage, str]] = ..., rule: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., reason: _Optional[_Union[_decision_pb2.DecisionReason, str]] = ..., inputs: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., explanation: _Optional[str] = ...) -> None: ...

class EvaluationReport(_message.Message):
    __slots__ = ("world_id", "strategy_id", "policy_version", "ruleset_hash", "summary", "verdicts", "score", "selected", "rank", "evaluated_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    RULESET_HASH_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SELECTED_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    policy_version: int
    ruleset_hash: str
    summary: EvaluationSummary
    verdicts: _containers.RepeatedCompositeFieldContainer[RuleVerdict]
    score: float
    selected: bool
    rank: int
    evaluated_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., policy_version: _Optional[int] = ..., ruleset_hash: _Optional[str] = ..., summary: _Optional[_Union[EvaluationSummary, str]] = ..., verdicts: _Optional[_Iterable[_Union[RuleVerdict, _Mapping]]] = ..., score: _Optional[float] = ..., selected: _Optional[bool] = ..., rank: _Optional[int] = ..., evaluated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Footprint(_message.Message):
    __slots__ = ("long_gross", "short_gross", "sector")
    LONG_GROSS_FIELD_NUMBER: _ClassVar[int]
    SHORT_GROSS_FIELD_NUMBER: _ClassVar[int]
    SECTOR_FIELD_NUMBER: _ClassVar[int]
    long_gross: str
    short_gross: str
    sector: str
    def __init__(self, long_gross: _Optional[str] = ..., short_gross: _Optional[str] = ..., sector: _Optional[str] = ...) -> None: ...

class EvaluationRun(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id", "stage", "run_revision", "metrics", "report", "recommended_stage", "dataset_fingerprint", "data_start", "data_end", "created_by", "created_at", "coverage_ratio", "footprint", "correlations", "execution_model", "evidence_state", "order_list", "claims", "evidence_reason", "evidence_message", "warnings", "data_presets", "paper_books")
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
    RUN_REVISION_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDED_STAGE_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    DATA_START_FIELD_NUMBER: _ClassVar[int]
    DATA_END_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_RATIO_FIELD_NUMBER: _ClassVar[int]
    FOOTPRINT_FIELD_NUMBER: _ClassVar[int]
    CORRELATIONS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_MODEL_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_STATE_FIELD_NUMBER: _ClassVar[int]
    ORDER_LIST_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_REASON_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESETS_FIELD_NUMBER: _ClassVar[int]
    PAPER_BOOKS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    stage: _binding_pb2.Stage
    run_revision: int
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    report: EvaluationReport
    recommended_stage: _binding_pb2.Stage
    dataset_fingerprint: str
    data_start: _timestamp_pb2.Timestamp
    data_end: _timestamp_pb2.Timestamp
    created_by: str
    created_at: _timestamp_pb2.Timestamp
    coverage_ratio: float
    footprint: Footprint
    correlations: _containers.ScalarMap[str, float]
    execution_model: _decision_pb2.ExecutionModel
    evidence_state: EvidenceState
    order_list: str
    claims: _containers.RepeatedCompositeFieldContainer[Metric]
    evidence_reason: str
    evidence_message: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    data_presets: _containers.RepeatedScalarFieldContainer[str]
    paper_books: PaperBooks
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ..., stage: _Optional[_Union[_binding_pb2.Stage, str]] = ..., run_revision: _Optional[int] = ..., metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., report: _Optional[_Union[EvaluationReport, _Mapping]] = ..., recommended_stage: _Optional[_Union[_binding_pb2.Stage, str]] = ..., dataset_fingerprint: _Optional[str] = ..., data_start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., data_end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_by: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., coverage_ratio: _Optional[float] = ..., footprint: _Optional[_Union[Footprint, _Mapping]] = ..., correlations: _Optional[_Mapping[str, float]] = ..., execution_model: _Optional[_Union[_decision_pb2.ExecutionModel, _Mapping]] = ..., evidence_state: _Optional[_Union[EvidenceState, str]] = ..., order_list: _Optional[str] = ..., claims: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., evidence_reason: _Optional[str] = ..., evidence_message: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ..., data_presets: _Optional[_Iterable[str]] = ..., paper_books: _Optional[_Union[PaperBooks, _Mapping]] = ...) -> None: ...

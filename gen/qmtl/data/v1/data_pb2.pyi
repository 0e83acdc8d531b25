import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GapKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GAP_KIND_UNSPECIFIED: _ClassVar[GapKind]
    GAP_KIND_NOT_FETCHED: _ClassVar[GapKind]
    GAP_KIND_VERIFIED_EMPTY: _ClassVar[GapKind]
    GAP_KIND_OUTAGE: _ClassVar[GapKind]
    GAP_KIND_UNKNOWN: _ClassVar[GapKind]

class SpanSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SPAN_SOURCE_UNSPECIFIED: _ClassVar[SpanSource]
    SPAN_SOURCE_CACHE: _ClassVar[SpanSource]
    SPAN_SOURCE_STORAGE: _ClassVar[SpanSource]
    SPAN_SOURCE_BACKFILL: _ClassVar[SpanSource]
    SPAN_SOURCE_LIVE: _ClassVar[SpanSource]
    SPAN_SOURCE_ARTIFACT: _ClassVar[SpanSource]

class ConformanceRule(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONFORMANCE_RULE_UNSPECIFIED: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_SCHEMA: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_UTC: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_SORT: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_DUPLICATE: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_REVISED: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_GRID: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_OHLC: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_FINITE: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_VOLUME: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_STEP: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_GAP: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_PARTIAL_LAST_BAR: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_SPARSE_VOLUME: _ClassVar[ConformanceRule]

class ConformanceAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONFORMANCE_ACTION_UNSPECIFIED: _ClassVar[ConformanceAction]
    CONFORMANCE_ACTION_FLAGGED: _ClassVar[ConformanceAction]
    CONFORMANCE_ACTION_DROPPED: _ClassVar[ConformanceAction]
    CONFORMANCE_ACTION_REPAIRED: _ClassVar[ConformanceAction]
    CONFORMANCE_ACTION_REFUSED: _ClassVar[ConformanceAction]

class SlaOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SLA_OUTCOME_UNSPECIFIED: _ClassVar[SlaOutcome]
    SLA_OUTCOME_MET: _ClassVar[SlaOutcome]
    SLA_OUTCOME_PARTIAL: _ClassVar[SlaOutcome]
    SLA_OUTCOME_HOLD: _ClassVar[SlaOutcome]
    SLA_OUTCOME_BREACHED: _ClassVar[SlaOutcome]

class DatasetState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATASET_STATE_UNSPECIFIED: _ClassVar[DatasetState]
    DATASET_STATE_INGESTING: _ClassVar[DatasetState]
    DATASET_STATE_READY: _ClassVar[DatasetState]
    DATASET_STATE_UNAVAILABLE: _ClassVar[DatasetState]
GAP_KIND_UNSPECIFIED: GapKind
GAP_KIND_NOT_FETCHED: GapKind
GAP_KIND_VERIFIED_EMPTY: GapKind
GAP_KIND_OUTAGE: GapKind
GAP_KIND_UNKNOWN: GapKind
SPAN_SOURCE_UNSPECIFIED: SpanSource
SPAN_SOURCE_CACHE: SpanSource
SPAN_SOURCE_STORAGE: SpanSource
SPAN_SOURCE_BACKFILL: SpanSource
SPAN_SOURCE_LIVE: SpanSource
SPAN_SOURCE_ARTIFACT: SpanSource
CONFORMANCE_RULE_UNSPECIFIED: ConformanceRule
CONFORMANCE_RULE_SCHEMA: ConformanceRule
CONFORMANCE_RULE_UTC: ConformanceRule
CONFORMANCE_RULE_SORT: ConformanceRule
CONFORMANCE_RULE_DUPLICATE: ConformanceRule
CONFORMANCE_RULE_REVISED: ConformanceRule
CONFORMANCE_RULE_GRID: ConformanceRule
CONFORMANCE_RULE_OHLC: ConformanceRule
CONFORMANCE_RULE_FINITE: ConformanceRule
CONFORMANCE_RULE_VOLUME: ConformanceRule
CONFORMANCE_RULE_STEP: ConformanceRule
CONFORMANCE_RULE_GAP: ConformanceRule
CONFORMANCE_RULE_PARTIAL_LAST_BAR: ConformanceRule
CONFORMANCE_RULE_SPARSE_VOLUME: ConformanceRule
CONFORMANCE_ACTION_UNSPECIFIED: ConformanceAction
CONFORMANCE_ACTION_FLAGGED: ConformanceAction
CONFORMANCE_ACTION_DROPPED: ConformanceAction
CONFORMANCE_ACTION_REPAIRED: ConformanceAction
CONFORMANCE_ACTION_REFUSED: ConformanceAction
SLA_OUTCOME_UNSPECIFIED: SlaOutcome
SLA_OUTCOME_MET: SlaOutcome
SLA_OUTCOME_PARTIAL: SlaOutcome
SLA_OUTCOME_HOLD: SlaOutcome
SLA_OUTCOME_BREACHED: SlaOutcome
DATASET_STATE_UNSPECIFIED: DatasetState
DATASET_STATE_INGESTING: DatasetState
DATASET_STATE_READY: DatasetState
DATASET_STATE_UNAVAILABLE: DatasetState

class Gap(_message.Message):
    __slots__ = ("range", "kind", "bars")
    RANGE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BARS_FIELD_NUMBER: _ClassVar[int]
    range: _common_pb2.TimeRange
    kind: GapKind
    bars: int
    def __init__(self, range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., kind: _Optional[_Union[GapKind, str]] = ..., bars: _Optional[int] = ...) -> None: ...

class Span(_message.Message):
    __slots__ = ("range", "source", "rows")
    RANGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    range: _common_pb2.TimeRange
    source: SpanSource
    rows: int
    def __init__(self, range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., source: _Optional[_Union[SpanSource, str]] = ..., rows: _Optional[int] = ...) -> None: ...

class ConformanceFinding(_message.Message):
    __slots__ = ("rule", "action", "rows", "samples", "blocking")
    RULE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    BLOCKING_FIELD_NUMBER: _ClassVar[int]
    rule: ConformanceRule
    action: ConformanceAction
    rows: int
    samples: _containers.RepeatedScalarFieldContainer[str]
    blocking: bool
    def __init__(self, rule: _Optional[_Union[ConformanceRule, str]] = ..., action: _Optional[_Union[ConformanceAction, str]] = ..., rows: _Optional[int] = ..., samples: _Optional[_Iterable[str]] = ..., blocking: _Optional[bool] = ...) -> None: ...

class ConformanceReport(_message.Message):
    __slots__ = ("dataset", "preset", "rows_in", "rows_out", "findings", "gaps", "bars_expected", "bars_present", "data_ratio", "resolved_ratio", "rule_version")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    ROWS_IN_FIELD_NUMBER: _ClassVar[int]
    ROWS_OUT_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    BARS_EXPECTED_FIELD_NUMBER: _ClassVar[int]
    BARS_PRESENT_FIELD_NUMBER: _ClassVar[int]
    DATA_RATIO_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_RATIO_FIELD_NUMBER: _ClassVar[int]
    RULE_VERSION_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    preset: str
    rows_in: int
    rows_out: int
    findings: _containers.RepeatedCompositeFieldContainer[ConformanceFinding]
    gaps: _containers.RepeatedCompositeFieldContainer[Gap]
    bars_expected: int
    bars_present: int
    data_ratio: float
    resolved_ratio: float
    rule_version: str
    def __init__(self, dataset: _Optional[str] = ..., preset: _Optional[str] = ..., rows_in: _Optional[int] = ..., rows_out: _Optional[int] = ..., findings: _Optional[_Iterable[_Union[ConformanceFinding, _Mapping]]] = ..., gaps: _Optional[_Iterable[_Union[Gap, _Mapping]]] = ..., bars_expected: _Optional[int] = ..., bars_present: _Optional[int] = ..., data_ratio: _Optional[float] = ..., resolved_ratio: _Optional[float] = ..., rule_version: _Optional[str] = ...) -> None: ...

class FetchMetadata(_message.Message):
    __slots__ = ("dataset", "requested", "delivered", "rows", "coverage_ratio", "gaps", "findings", "dataset_fingerprint", "as_of", "spans", "sla", "sla_phase", "downgrade_reason", "artifact_fingerprint")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_RATIO_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    SLA_FIELD_NUMBER: _ClassVar[int]
    SLA_PHASE_FIELD_NUMBER: _ClassVar[int]
    DOWNGRADE_REASON_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    requested: _common_pb2.TimeRange
    delivered: _common_pb2.TimeRange
    rows: int
    coverage_ratio: float
    gaps: _containers.RepeatedCompositeFieldContainer[Gap]
    findings: _containers.RepeatedCompositeFieldContainer[ConformanceFinding]
    dataset_fingerprint: str
    as_of: _timestamp_pb2.Timestamp
    spans: _containers.RepeatedCompositeFieldContainer[Span]
    sla: SlaOutcome
    sla_phase: str
    downgrade_reason: str
    artifact_fingerprint: str
    def __init__(self, dataset: _Optional[str] = ..., requested: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., delivered: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., rows: _Optional[int] = ..., coverage_ratio: _Optional[float] = ..., gaps: _Optional[_Iterable[_Union[Gap, _Mapping]]] = ..., findings: _Optional[_Iterable[_Union[ConformanceFinding, _Mapping]]] = ..., dataset_fingerprint: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., spans: _Optional[_Iterable[_Union[Span, _Mapping]]] = ..., sla: _Optional[_Union[SlaOutcome, str]] = ..., sla_phase: _Optional[str] = ..., downgrade_reason: _Optional[str] = ..., artifact_fingerprint: _Optional[str] = ...) -> None: ...

class Dataset(_message.Message):
    __slots__ = ("dataset", "source", "symbol", "interval_s", "range", "rows", "data_ratio", "dataset_fingerprint", "as_of", "state", "detail")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    DATA_RATIO_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    source: str
    symbol: str
    interval_s: int
    range: _common_pb2.TimeRange
    rows: int
    data_ratio: float
    dataset_fingerprint: str
    as_of: _timestamp_pb2.Timestamp
    state: DatasetState
    detail: str
    def __init__(self, dataset: _Optional[str] = ..., source: _Optional[str] = ..., symbol: _Optional[str] = ..., interval_s: _Optional[int] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., rows: _Optional[int] = ..., data_ratio: _Optional[float] = ..., dataset_fingerprint: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[_Union[DatasetState, str]] = ..., detail: _Optional[str] = ...) -> None: ...

class Artifact(_message.Message):
    __slots__ = ("dataset_fingerprint", "dataset", "as_of", "range", "rows", "rule_version", "calendar", "calendar_version", "producer", "watermark", "leaves")
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    RULE_VERSION_FIELD_NUMBER: _ClassVar[int]
    CALENDAR_FIELD_NUMBER: _ClassVar[int]
    CALENDAR_VERSION_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    dataset_fingerprint: str
    dataset: str
    as_of: _timestamp_pb2.Timestamp
    range: _common_pb2.TimeRange
    rows: int
    rule_version: str
    calendar: str
    calendar_version: str
    producer: str
    watermark: _timestamp_pb2.Timestamp
    leaves: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, dataset_fingerprint: _Optional[str] = ..., dataset: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., rows: _Optional[int] = ..., rule_version: _Optional[str] = ..., calendar: _Optional[str] = ..., calendar_version: _Optional[str] = ..., producer: _Optional[str] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., leaves: _Optional[_Iterable[str]] = ...) -> None: ...

class Preset(_message.Message):
    __slots__ = ("name", "dataset", "description", "conformance", "min_coverage", "replay", "available", "detail", "symbol", "interval_s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CONFORMANCE_FIELD_NUMBER: _ClassVar[int]
    MIN_COVERAGE_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    dataset: str
    description: str
    conformance: str
    min_coverage: float
    replay: bool
    available: bool
    detail: str
    symbol: str
    interval_s: int
    def __init__(self, name: _Optional[str] = ..., dataset: _Optional[str] = ..., description: _Optional[str] = ..., conformance: _Optional[str] = ..., min_coverage: _Optional[float] = ..., replay: _Optional[bool] = ..., available: _Optional[bool] = ..., detail: _Optional[str] = ..., symbol: _Optional[str] = ..., interval_s: _Optional[int] = ...) -> None: ...

class Bar(_message.Message):
    __slots__ = ("open_time", "close_time", "open", "high", "low", "close", "volume", "correction")
    OPEN_TIME_FIELD_NUMBER: _ClassVar[int]
    CLOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    open_time: _timestamp_pb2.Timestamp
    close_time: _timestamp_pb2.Timestamp
    open: str
    high: str
    low: str
    close: str
    volume: str
    correction: bool
    def __init__(self, open_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., close_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., open: _Optional[str] = ..., high: _Optional[str] = ..., low: _Optional[str] = ..., close: _Optional[str] = ..., volume: _Optional[str] = ..., correction: _Optional[bool] = ...) -> None: ...

class RecordBatch(_message.Message):
    __slots__ = ("compute_key", "writer_epoch", "to", "input_window_hash", "node_state", "node_state_artifact", "arrow_ipc")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    WRITER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    INPUT_WINDOW_HASH_FIELD_NUMBER: _ClassVar[int]
    NODE_STATE_FIELD_NUMBER: _ClassVar[int]
    NODE_STATE_ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    ARROW_IPC_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    writer_epoch: int
    to: _timestamp_pb2.Timestamp
    input_window_hash: str
    node_state: bytes
    node_state_artifact: str
    arrow_ipc: bytes
    def __init__(self, compute_key: _Optional[str] = ..., writer_epoch: _Optional[int] = ..., to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., input_window_hash: _Optional[str] = ..., node_state: _Optional[bytes] = ..., node_state_artifact: _Optional[str] = ..., arrow_ipc: _Optional[bytes] = ..., **kwargs) -> None: ...

import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.data.v1 import bars_pb2 as _bars_pb2
from qmtl.data.v1 import conformance_pb2 as _conformance_pb2
from qmtl.data.v1 import coverage_pb2 as _coverage_pb2
from qmtl.data.v1 import ticks_pb2 as _ticks_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FetchMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FETCH_MODE_UNSPECIFIED: _ClassVar[FetchMode]
    FETCH_MODE_FAIL_FAST: _ClassVar[FetchMode]
    FETCH_MODE_AUTO_BACKFILL: _ClassVar[FetchMode]
    FETCH_MODE_PARTIAL: _ClassVar[FetchMode]
    FETCH_MODE_SEAMLESS: _ClassVar[FetchMode]

class SlaOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SLA_OUTCOME_UNSPECIFIED: _ClassVar[SlaOutcome]
    SLA_OUTCOME_MET: _ClassVar[SlaOutcome]
    SLA_OUTCOME_PARTIAL: _ClassVar[SlaOutcome]
    SLA_OUTCOME_HOLD: _ClassVar[SlaOutcome]
    SLA_OUTCOME_BREACHED: _ClassVar[SlaOutcome]

class SlaPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SLA_PHASE_UNSPECIFIED: _ClassVar[SlaPhase]
    SLA_PHASE_STORAGE: _ClassVar[SlaPhase]
    SLA_PHASE_BACKFILL: _ClassVar[SlaPhase]
    SLA_PHASE_LIVE: _ClassVar[SlaPhase]
    SLA_PHASE_TOTAL: _ClassVar[SlaPhase]

class FetchDowngrade(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FETCH_DOWNGRADE_UNSPECIFIED: _ClassVar[FetchDowngrade]
    FETCH_DOWNGRADE_LAG_ABOVE_LIMIT: _ClassVar[FetchDowngrade]
    FETCH_DOWNGRADE_AS_OF_BEHIND: _ClassVar[FetchDowngrade]
FETCH_MODE_UNSPECIFIED: FetchMode
FETCH_MODE_FAIL_FAST: FetchMode
FETCH_MODE_AUTO_BACKFILL: FetchMode
FETCH_MODE_PARTIAL: FetchMode
FETCH_MODE_SEAMLESS: FetchMode
SLA_OUTCOME_UNSPECIFIED: SlaOutcome
SLA_OUTCOME_MET: SlaOutcome
SLA_OUTCOME_PARTIAL: SlaOutcome
SLA_OUTCOME_HOLD: SlaOutcome
SLA_OUTCOME_BREACHED: SlaOutcome
SLA_PHASE_UNSPECIFIED: SlaPhase
SLA_PHASE_STORAGE: SlaPhase
SLA_PHASE_BACKFILL: SlaPhase
SLA_PHASE_LIVE: SlaPhase
SLA_PHASE_TOTAL: SlaPhase
FETCH_DOWNGRADE_UNSPECIFIED: FetchDowngrade
FETCH_DOWNGRADE_LAG_ABOVE_LIMIT: FetchDowngrade
FETCH_DOWNGRADE_AS_OF_BEHIND: FetchDowngrade

class FetchRequest(_message.Message):
    __slots__ = ("dataset", "range", "context", "session_id", "mode")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    range: _common_pb2.TimeRange
    context: _common_pb2.ComputeContext
    session_id: str
    mode: FetchMode
    def __init__(self, dataset: _Optional[str] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., context: _Optional[_Union[_common_pb2.ComputeContext, _Mapping]] = ..., session_id: _Optional[str] = ..., mode: _Optional[_Union[FetchMode, str]] = ...) -> None: ...

class FetchResponse(_message.Message):
    __slots__ = ("arrow_ipc", "metadata")
    ARROW_IPC_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    arrow_ipc: bytes
    metadata: FetchMetadata
    def __init__(self, arrow_ipc: _Optional[bytes] = ..., metadata: _Optional[_Union[FetchMetadata, _Mapping]] = ...) -> None: ...

class PhaseTime(_message.Message):
    __slots__ = ("phase", "spent", "budget")
    PHASE_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    phase: SlaPhase
    spent: _duration_pb2.Duration
    budget: _duration_pb2.Duration
    def __init__(self, phase: _Optional[_Union[SlaPhase, str]] = ..., spent: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., budget: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class FetchMetadata(_message.Message):
    __slots__ = ("dataset", "requested", "delivered", "rows", "coverage_ratio", "gaps", "findings", "dataset_fingerprint", "as_of", "spans", "sla", "sla_phase", "downgrade", "artifact_fingerprint", "phases", "backfilling", "sla_preset", "flagged_rows", "resolved_ratio")
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
    DOWNGRADE_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    PHASES_FIELD_NUMBER: _ClassVar[int]
    BACKFILLING_FIELD_NUMBER: _ClassVar[int]
    SLA_PRESET_FIELD_NUMBER: _ClassVar[int]
    FLAGGED_ROWS_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_RATIO_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    requested: _common_pb2.TimeRange
    delivered: _common_pb2.TimeRange
    rows: int
    coverage_ratio: float
    gaps: _containers.RepeatedCompositeFieldContainer[_coverage_pb2.Gap]
    findings: _containers.RepeatedCompositeFieldContainer[_conformance_pb2.ConformanceFinding]
    dataset_fingerprint: str
    as_of: _timestamp_pb2.Timestamp
    spans: _containers.RepeatedCompositeFieldContainer[_coverage_pb2.Span]
    sla: SlaOutcome
    sla_phase: SlaPhase
    downgrade: FetchDowngrade
    artifact_fingerprint: str
    phases: _containers.RepeatedCompositeFieldContainer[PhaseTime]
    backfilling: bool
    sla_preset: str
    flagged_rows: int
    resolved_ratio: float
    def __init__(self, dataset: _Optional[str] = ..., requested: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., delivered: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., rows: _Optional[int] = ..., coverage_ratio: _Optional[float] = ..., gaps: _Optional[_Iterable[_Union[_coverage_pb2.Gap, _Mapping]]] = ..., findings: _Optional[_Iterable[_Union[_conformance_pb2.ConformanceFinding, _Mapping]]] = ..., dataset_fingerprint: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., spans: _Optional[_Iterable[_Union[_coverage_pb2.Span, _Mapping]]] = ..., sla: _Optional[_Union[SlaOutcome, str]] = ..., sla_phase: _Optional[_Union[SlaPhase, str]] = ..., downgrade: _Optional[_Union[FetchDowngrade, str]] = ..., artifact_fingerprint: _Optional[str] = ..., phases: _Optional[_Iterable[_Union[PhaseTime, _Mapping]]] = ..., backfilling: _Optional[bool] = ..., sla_preset: _Optional[str] = ..., flagged_rows: _Optional[int] = ..., resolved_ratio: _Optional[float] = ...) -> None: ...

class SubscribeRequest(_message.Message):
    __slots__ = ("dataset", "start_time", "session_id", "follower")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    FOLLOWER_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    start_time: _timestamp_pb2.Timestamp
    session_id: str
    follower: str
    def __init__(self, dataset: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., session_id: _Optional[str] = ..., follower: _Optional[str] = ...) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("bars", "watermark", "end_of_session", "volume_unit", "ticks", "reached")
    BARS_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    END_OF_SESSION_FIELD_NUMBER: _ClassVar[int]
    VOLUME_UNIT_FIELD_NUMBER: _ClassVar[int]
    TICKS_FIELD_NUMBER: _ClassVar[int]
    REACHED_FIELD_NUMBER: _ClassVar[int]
    bars: _containers.RepeatedCompositeFieldContainer[_bars_pb2.Bar]
    watermark: _timestamp_pb2.Timestamp
    end_of_session: bool
    volume_unit: _bars_pb2.VolumeUnit
    ticks: _containers.RepeatedCompositeFieldContainer[_ticks_pb2.Tick]
    reached: _timestamp_pb2.Timestamp
    def __init__(self, bars: _Optional[_Iterable[_Union[_bars_pb2.Bar, _Mapping]]] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_of_session: _Optional[bool] = ..., volume_unit: _Optional[_Union[_bars_pb2.VolumeUnit, str]] = ..., ticks: _Optional[_Iterable[_Union[_ticks_pb2.Tick, _Mapping]]] = ..., reached: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.data.v1 import coverage_pb2 as _coverage_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConformanceStrictness(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONFORMANCE_STRICTNESS_UNSPECIFIED: _ClassVar[ConformanceStrictness]
    CONFORMANCE_STRICTNESS_STRICT: _ClassVar[ConformanceStrictness]
    CONFORMANCE_STRICTNESS_TOLERANT: _ClassVar[ConformanceStrictness]

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
    CONFORMANCE_RULE_UNREADABLE: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_SCHEMA_CANARY: _ClassVar[ConformanceRule]
    CONFORMANCE_RULE_CALENDAR: _ClassVar[ConformanceRule]

class ConformanceAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONFORMANCE_ACTION_UNSPECIFIED: _ClassVar[ConformanceAction]
    CONFORMANCE_ACTION_FLAGGED: _ClassVar[ConformanceAction]
    CONFORMANCE_ACTION_DROPPED: _ClassVar[ConformanceAction]
    CONFORMANCE_ACTION_REPAIRED: _ClassVar[ConformanceAction]
    CONFORMANCE_ACTION_REFUSED: _ClassVar[ConformanceAction]
CONFORMANCE_STRICTNESS_UNSPECIFIED: ConformanceStrictness
CONFORMANCE_STRICTNESS_STRICT: ConformanceStrictness
CONFORMANCE_STRICTNESS_TOLERANT: ConformanceStrictness
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
CONFORMANCE_RULE_UNREADABLE: ConformanceRule
CONFORMANCE_RULE_SCHEMA_CANARY: ConformanceRule
CONFORMANCE_RULE_CALENDAR: ConformanceRule
CONFORMANCE_ACTION_UNSPECIFIED: ConformanceAction
CONFORMANCE_ACTION_FLAGGED: ConformanceAction
CONFORMANCE_ACTION_DROPPED: ConformanceAction
CONFORMANCE_ACTION_REPAIRED: ConformanceAction
CONFORMANCE_ACTION_REFUSED: ConformanceAction

class ConformanceSample(_message.Message):
    __slots__ = ("open_time", "message")
    OPEN_TIME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    open_time: _timestamp_pb2.Timestamp
    message: str
    def __init__(self, open_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message: _Optional[str] = ...) -> None: ...

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
    samples: _containers.RepeatedCompositeFieldContainer[ConformanceSample]
    blocking: bool
    def __init__(self, rule: _Optional[_Union[ConformanceRule, str]] = ..., action: _Optional[_Union[ConformanceAction, str]] = ..., rows: _Optional[int] = ..., samples: _Optional[_Iterable[_Union[ConformanceSample, _Mapping]]] = ..., blocking: _Optional[bool] = ...) -> None: ...

class ConformanceReport(_message.Message):
    __slots__ = ("dataset", "strictness", "rows_in", "rows_out", "findings", "gaps", "bars_expected", "bars_present", "data_ratio", "resolved_ratio", "rule_version", "bars_held_back", "schema_version", "canary_schema_version")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    STRICTNESS_FIELD_NUMBER: _ClassVar[int]
    ROWS_IN_FIELD_NUMBER: _ClassVar[int]
    ROWS_OUT_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    BARS_EXPECTED_FIELD_NUMBER: _ClassVar[int]
    BARS_PRESENT_FIELD_NUMBER: _ClassVar[int]
    DATA_RATIO_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_RATIO_FIELD_NUMBER: _ClassVar[int]
    RULE_VERSION_FIELD_NUMBER: _ClassVar[int]
    BARS_HELD_BACK_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    CANARY_SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    strictness: ConformanceStrictness
    rows_in: int
    rows_out: int
    findings: _containers.RepeatedCompositeFieldContainer[ConformanceFinding]
    gaps: _containers.RepeatedCompositeFieldContainer[_coverage_pb2.Gap]
    bars_expected: int
    bars_present: int
    data_ratio: float
    resolved_ratio: float
    rule_version: str
    bars_held_back: int
    schema_version: str
    canary_schema_version: str
    def __init__(self, dataset: _Optional[str] = ..., strictness: _Optional[_Union[ConformanceStrictness, str]] = ..., rows_in: _Optional[int] = ..., rows_out: _Optional[int] = ..., findings: _Optional[_Iterable[_Union[ConformanceFinding, _Mapping]]] = ..., gaps: _Optional[_Iterable[_Union[_coverage_pb2.Gap, _Mapping]]] = ..., bars_expected: _Optional[int] = ..., bars_present: _Optional[int] = ..., data_ratio: _Optional[float] = ..., resolved_ratio: _Optional[float] = ..., rule_version: _Optional[str] = ..., bars_held_back: _Optional[int] = ..., schema_version: _Optional[str] = ..., canary_schema_version: _Optional[str] = ...) -> None: ...

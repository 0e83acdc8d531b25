from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.data.v1 import coverage_pb2 as _coverage_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetCoverageRequest(_message.Message):
    __slots__ = ("dataset", "range", "page")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    range: _common_pb2.TimeRange
    page: _common_pb2.PageRequest
    def __init__(self, dataset: _Optional[str] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class GetCoverageResponse(_message.Message):
    __slots__ = ("spans", "gaps", "data_ratio", "resolved_ratio", "page", "bars_held_back")
    SPANS_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    DATA_RATIO_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_RATIO_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    BARS_HELD_BACK_FIELD_NUMBER: _ClassVar[int]
    spans: _containers.RepeatedCompositeFieldContainer[_common_pb2.TimeRange]
    gaps: _containers.RepeatedCompositeFieldContainer[_coverage_pb2.Gap]
    data_ratio: float
    resolved_ratio: float
    page: _common_pb2.PageInfo
    bars_held_back: int
    def __init__(self, spans: _Optional[_Iterable[_Union[_common_pb2.TimeRange, _Mapping]]] = ..., gaps: _Optional[_Iterable[_Union[_coverage_pb2.Gap, _Mapping]]] = ..., data_ratio: _Optional[float] = ..., resolved_ratio: _Optional[float] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ..., bars_held_back: _Optional[int] = ...) -> None: ...

class EnsureCoverageRequest(_message.Message):
    __slots__ = ("dataset", "range")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    range: _common_pb2.TimeRange
    def __init__(self, dataset: _Optional[str] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ...) -> None: ...

class EnsureCoverageResponse(_message.Message):
    __slots__ = ("range", "bars_expected", "bars_present", "bars_empty", "windows", "windows_done", "failures", "done", "artifact_fingerprint", "bars_held_back")
    RANGE_FIELD_NUMBER: _ClassVar[int]
    BARS_EXPECTED_FIELD_NUMBER: _ClassVar[int]
    BARS_PRESENT_FIELD_NUMBER: _ClassVar[int]
    BARS_EMPTY_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_DONE_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    BARS_HELD_BACK_FIELD_NUMBER: _ClassVar[int]
    range: _common_pb2.TimeRange
    bars_expected: int
    bars_present: int
    bars_empty: int
    windows: int
    windows_done: int
    failures: _containers.RepeatedScalarFieldContainer[str]
    done: bool
    artifact_fingerprint: str
    bars_held_back: int
    def __init__(self, range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., bars_expected: _Optional[int] = ..., bars_present: _Optional[int] = ..., bars_empty: _Optional[int] = ..., windows: _Optional[int] = ..., windows_done: _Optional[int] = ..., failures: _Optional[_Iterable[str]] = ..., done: _Optional[bool] = ..., artifact_fingerprint: _Optional[str] = ..., bars_held_back: _Optional[int] = ...) -> None: ...

from qmtl.common.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
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

import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Artifact(_message.Message):
    __slots__ = ("dataset_fingerprint", "dataset", "as_of", "range", "rows", "rule_version", "calendar", "calendar_version", "producer", "watermark", "leaves", "months")
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
    MONTHS_FIELD_NUMBER: _ClassVar[int]
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
    months: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, dataset_fingerprint: _Optional[str] = ..., dataset: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., rows: _Optional[int] = ..., rule_version: _Optional[str] = ..., calendar: _Optional[str] = ..., calendar_version: _Optional[str] = ..., producer: _Optional[str] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., leaves: _Optional[_Iterable[str]] = ..., months: _Optional[_Iterable[str]] = ...) -> None: ...

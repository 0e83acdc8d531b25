import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DataSession(_message.Message):
    __slots__ = ("session_id", "world_id", "preset", "dataset", "start_time", "end_time", "bars_per_second", "watermark", "opened_at", "dataset_fingerprint", "waiting_for", "members", "recordings", "recorded_session_id", "universe_changed")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    BARS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    OPENED_AT_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    RECORDINGS_FIELD_NUMBER: _ClassVar[int]
    RECORDED_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    UNIVERSE_CHANGED_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    world_id: str
    preset: str
    dataset: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    bars_per_second: float
    watermark: _timestamp_pb2.Timestamp
    opened_at: _timestamp_pb2.Timestamp
    dataset_fingerprint: str
    waiting_for: _containers.RepeatedScalarFieldContainer[str]
    members: _containers.RepeatedCompositeFieldContainer[DataSessionMember]
    recordings: _containers.RepeatedCompositeFieldContainer[Recording]
    recorded_session_id: str
    universe_changed: bool
    def __init__(self, session_id: _Optional[str] = ..., world_id: _Optional[str] = ..., preset: _Optional[str] = ..., dataset: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., bars_per_second: _Optional[float] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., opened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dataset_fingerprint: _Optional[str] = ..., waiting_for: _Optional[_Iterable[str]] = ..., members: _Optional[_Iterable[_Union[DataSessionMember, _Mapping]]] = ..., recordings: _Optional[_Iterable[_Union[Recording, _Mapping]]] = ..., recorded_session_id: _Optional[str] = ..., universe_changed: _Optional[bool] = ...) -> None: ...

class Recording(_message.Message):
    __slots__ = ("preset", "dataset", "dataset_fingerprint", "as_of", "range", "rows")
    PRESET_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    preset: str
    dataset: str
    dataset_fingerprint: str
    as_of: _timestamp_pb2.Timestamp
    range: _common_pb2.TimeRange
    rows: int
    def __init__(self, preset: _Optional[str] = ..., dataset: _Optional[str] = ..., dataset_fingerprint: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., rows: _Optional[int] = ...) -> None: ...

class DataSessionMember(_message.Message):
    __slots__ = ("preset", "dataset", "dataset_fingerprint", "watermark", "lags")
    PRESET_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    LAGS_FIELD_NUMBER: _ClassVar[int]
    preset: str
    dataset: str
    dataset_fingerprint: str
    watermark: _timestamp_pb2.Timestamp
    lags: bool
    def __init__(self, preset: _Optional[str] = ..., dataset: _Optional[str] = ..., dataset_fingerprint: _Optional[str] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lags: _Optional[bool] = ...) -> None: ...

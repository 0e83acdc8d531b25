import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.data.v1 import data_sessions_pb2 as _data_sessions_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OpenDataSessionRequest(_message.Message):
    __slots__ = ("session_id", "world_id", "preset", "start_time", "span", "bars_per_second", "followers", "recordings", "recorded_session_id")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    SPAN_FIELD_NUMBER: _ClassVar[int]
    BARS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    FOLLOWERS_FIELD_NUMBER: _ClassVar[int]
    RECORDINGS_FIELD_NUMBER: _ClassVar[int]
    RECORDED_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    world_id: str
    preset: str
    start_time: _timestamp_pb2.Timestamp
    span: _duration_pb2.Duration
    bars_per_second: float
    followers: _containers.RepeatedScalarFieldContainer[str]
    recordings: _containers.RepeatedScalarFieldContainer[str]
    recorded_session_id: str
    def __init__(self, session_id: _Optional[str] = ..., world_id: _Optional[str] = ..., preset: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., span: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., bars_per_second: _Optional[float] = ..., followers: _Optional[_Iterable[str]] = ..., recordings: _Optional[_Iterable[str]] = ..., recorded_session_id: _Optional[str] = ...) -> None: ...

class OpenDataSessionResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: _data_sessions_pb2.DataSession
    def __init__(self, session: _Optional[_Union[_data_sessions_pb2.DataSession, _Mapping]] = ...) -> None: ...

class GetDataSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class GetDataSessionResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: _data_sessions_pb2.DataSession
    def __init__(self, session: _Optional[_Union[_data_sessions_pb2.DataSession, _Mapping]] = ...) -> None: ...

class ConfirmBarsRequest(_message.Message):
    __slots__ = ("session_id", "follower", "through", "leave")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    FOLLOWER_FIELD_NUMBER: _ClassVar[int]
    THROUGH_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    follower: str
    through: _timestamp_pb2.Timestamp
    leave: bool
    def __init__(self, session_id: _Optional[str] = ..., follower: _Optional[str] = ..., through: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., leave: _Optional[bool] = ...) -> None: ...

class ConfirmBarsResponse(_message.Message):
    __slots__ = ("watermark",)
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    watermark: _timestamp_pb2.Timestamp
    def __init__(self, watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SealRecordingRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class SealRecordingResponse(_message.Message):
    __slots__ = ("recordings",)
    RECORDINGS_FIELD_NUMBER: _ClassVar[int]
    recordings: _containers.RepeatedCompositeFieldContainer[_data_sessions_pb2.Recording]
    def __init__(self, recordings: _Optional[_Iterable[_Union[_data_sessions_pb2.Recording, _Mapping]]] = ...) -> None: ...

class CloseDataSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class CloseDataSessionResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: _data_sessions_pb2.DataSession
    def __init__(self, session: _Optional[_Union[_data_sessions_pb2.DataSession, _Mapping]] = ...) -> None: ...

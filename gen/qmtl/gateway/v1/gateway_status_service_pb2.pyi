import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DegradationLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEGRADATION_LEVEL_UNSPECIFIED: _ClassVar[DegradationLevel]
    DEGRADATION_LEVEL_NORMAL: _ClassVar[DegradationLevel]
    DEGRADATION_LEVEL_PARTIAL: _ClassVar[DegradationLevel]
    DEGRADATION_LEVEL_MINIMAL: _ClassVar[DegradationLevel]
    DEGRADATION_LEVEL_STATIC: _ClassVar[DegradationLevel]
DEGRADATION_LEVEL_UNSPECIFIED: DegradationLevel
DEGRADATION_LEVEL_NORMAL: DegradationLevel
DEGRADATION_LEVEL_PARTIAL: DegradationLevel
DEGRADATION_LEVEL_MINIMAL: DegradationLevel
DEGRADATION_LEVEL_STATIC: DegradationLevel

class GateStatus(_message.Message):
    __slots__ = ("world_id", "revision", "epoch", "effective_mode", "session_valid", "detail", "closes_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    SESSION_VALID_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    CLOSES_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    revision: int
    epoch: int
    effective_mode: _common_pb2.EffectiveMode
    session_valid: bool
    detail: str
    closes_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., revision: _Optional[int] = ..., epoch: _Optional[int] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., session_valid: _Optional[bool] = ..., detail: _Optional[str] = ..., closes_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("status", "level", "gates", "available", "submissions_queued", "event_subscribers", "p99_s")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    SUBMISSIONS_QUEUED_FIELD_NUMBER: _ClassVar[int]
    EVENT_SUBSCRIBERS_FIELD_NUMBER: _ClassVar[int]
    P99_S_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.ServiceStatus
    level: DegradationLevel
    gates: _containers.RepeatedCompositeFieldContainer[GateStatus]
    available: _containers.RepeatedScalarFieldContainer[str]
    submissions_queued: int
    event_subscribers: int
    p99_s: float
    def __init__(self, status: _Optional[_Union[_common_pb2.ServiceStatus, _Mapping]] = ..., level: _Optional[_Union[DegradationLevel, str]] = ..., gates: _Optional[_Iterable[_Union[GateStatus, _Mapping]]] = ..., available: _Optional[_Iterable[str]] = ..., submissions_queued: _Optional[int] = ..., event_subscribers: _Optional[int] = ..., p99_s: _Optional[float] = ...) -> None: ...

import datetime

from google.protobuf import duration_pb2 as _duration_pb2
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

class Capability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPABILITY_UNSPECIFIED: _ClassVar[Capability]
    CAPABILITY_SUBMISSIONS: _ClassVar[Capability]
    CAPABILITY_READS: _ClassVar[Capability]
    CAPABILITY_CACHED_READS: _ClassVar[Capability]
    CAPABILITY_ORDERS: _ClassVar[Capability]
    CAPABILITY_CANCELS: _ClassVar[Capability]
    CAPABILITY_EVENTS: _ClassVar[Capability]
    CAPABILITY_STATUS: _ClassVar[Capability]
DEGRADATION_LEVEL_UNSPECIFIED: DegradationLevel
DEGRADATION_LEVEL_NORMAL: DegradationLevel
DEGRADATION_LEVEL_PARTIAL: DegradationLevel
DEGRADATION_LEVEL_MINIMAL: DegradationLevel
DEGRADATION_LEVEL_STATIC: DegradationLevel
CAPABILITY_UNSPECIFIED: Capability
CAPABILITY_SUBMISSIONS: Capability
CAPABILITY_READS: Capability
CAPABILITY_CACHED_READS: Capability
CAPABILITY_ORDERS: Capability
CAPABILITY_CANCELS: Capability
CAPABILITY_EVENTS: Capability
CAPABILITY_STATUS: Capability

class GateStatus(_message.Message):
    __slots__ = ("world_id", "world_revision", "fence_epoch", "effective_mode", "session_valid", "message", "closes_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    WORLD_REVISION_FIELD_NUMBER: _ClassVar[int]
    FENCE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    SESSION_VALID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CLOSES_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    world_revision: int
    fence_epoch: int
    effective_mode: _common_pb2.EffectiveMode
    session_valid: bool
    message: str
    closes_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., world_revision: _Optional[int] = ..., fence_epoch: _Optional[int] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., session_valid: _Optional[bool] = ..., message: _Optional[str] = ..., closes_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("status", "level", "gates", "capabilities", "submissions_queued", "event_subscribers", "p99")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    SUBMISSIONS_QUEUED_FIELD_NUMBER: _ClassVar[int]
    EVENT_SUBSCRIBERS_FIELD_NUMBER: _ClassVar[int]
    P99_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.ServiceStatus
    level: DegradationLevel
    gates: _containers.RepeatedCompositeFieldContainer[GateStatus]
    capabilities: _containers.RepeatedScalarFieldContainer[Capability]
    submissions_queued: int
    event_subscribers: int
    p99: _duration_pb2.Duration
    def __init__(self, status: _Optional[_Union[_common_pb2.ServiceStatus, _Mapping]] = ..., level: _Optional[_Union[DegradationLevel, str]] = ..., gates: _Optional[_Iterable[_Union[GateStatus, _Mapping]]] = ..., capabilities: _Optional[_Iterable[_Union[Capability, str]]] = ..., submissions_queued: _Optional[int] = ..., event_subscribers: _Optional[int] = ..., p99: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

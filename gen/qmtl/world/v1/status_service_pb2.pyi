from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("status", "worlds", "gate_sessions", "fences_pending")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    WORLDS_FIELD_NUMBER: _ClassVar[int]
    GATE_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    FENCES_PENDING_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.ServiceStatus
    worlds: int
    gate_sessions: int
    fences_pending: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, status: _Optional[_Union[_common_pb2.ServiceStatus, _Mapping]] = ..., worlds: _Optional[int] = ..., gate_sessions: _Optional[int] = ..., fences_pending: _Optional[_Iterable[str]] = ...) -> None: ...

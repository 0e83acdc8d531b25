import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GateSession(_message.Message):
    __slots__ = ("gateway_id", "boot_id", "renewed_at", "ttl", "applied_world_revisions")
    class AppliedWorldRevisionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    RENEWED_AT_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    APPLIED_WORLD_REVISIONS_FIELD_NUMBER: _ClassVar[int]
    gateway_id: str
    boot_id: str
    renewed_at: _timestamp_pb2.Timestamp
    ttl: _duration_pb2.Duration
    applied_world_revisions: _containers.ScalarMap[str, int]
    def __init__(self, gateway_id: _Optional[str] = ..., boot_id: _Optional[str] = ..., renewed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., applied_world_revisions: _Optional[_Mapping[str, int]] = ...) -> None: ...

import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Plan(_message.Message):
    __slots__ = ("strategy_id", "version", "version_label", "digest", "created_by", "created_at", "live_worlds")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_LABEL_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    LIVE_WORLDS_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    version: int
    version_label: str
    digest: str
    created_by: str
    created_at: _timestamp_pb2.Timestamp
    live_worlds: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, strategy_id: _Optional[str] = ..., version: _Optional[int] = ..., version_label: _Optional[str] = ..., digest: _Optional[str] = ..., created_by: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., live_worlds: _Optional[_Iterable[str]] = ...) -> None: ...

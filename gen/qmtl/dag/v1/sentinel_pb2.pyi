import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Sentinel(_message.Message):
    __slots__ = ("sentinel_id", "strategy_id", "version", "commit_hash", "traffic_weight", "sentinel_revision", "etag", "created_at")
    SENTINEL_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    COMMIT_HASH_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SENTINEL_REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    sentinel_id: str
    strategy_id: str
    version: int
    commit_hash: str
    traffic_weight: str
    sentinel_revision: int
    etag: str
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, sentinel_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., version: _Optional[int] = ..., commit_hash: _Optional[str] = ..., traffic_weight: _Optional[str] = ..., sentinel_revision: _Optional[int] = ..., etag: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

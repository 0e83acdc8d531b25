import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorldState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORLD_STATE_UNSPECIFIED: _ClassVar[WorldState]
    WORLD_STATE_ACTIVE: _ClassVar[WorldState]
    WORLD_STATE_SUSPENDED: _ClassVar[WorldState]
    WORLD_STATE_DELETED: _ClassVar[WorldState]
WORLD_STATE_UNSPECIFIED: WorldState
WORLD_STATE_ACTIVE: WorldState
WORLD_STATE_SUSPENDED: WorldState
WORLD_STATE_DELETED: WorldState

class World(_message.Message):
    __slots__ = ("world_id", "name", "owner", "labels", "state", "allow_live", "circuit_breaker", "default_policy_version", "data_presets", "created_at", "updated_at", "etag")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LIVE_FIELD_NUMBER: _ClassVar[int]
    CIRCUIT_BREAKER_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESETS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    name: str
    owner: str
    labels: _containers.ScalarMap[str, str]
    state: WorldState
    allow_live: bool
    circuit_breaker: bool
    default_policy_version: int
    data_presets: _containers.RepeatedScalarFieldContainer[str]
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    etag: str
    def __init__(self, world_id: _Optional[str] = ..., name: _Optional[str] = ..., owner: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., state: _Optional[_Union[WorldState, str]] = ..., allow_live: _Optional[bool] = ..., circuit_breaker: _Optional[bool] = ..., default_policy_version: _Optional[int] = ..., data_presets: _Optional[_Iterable[str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

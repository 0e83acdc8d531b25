import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.dag.v1 import dag_pb2 as _dag_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueueState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUEUE_STATE_UNSPECIFIED: _ClassVar[QueueState]
    QUEUE_STATE_ACTIVE: _ClassVar[QueueState]
    QUEUE_STATE_RELEASED: _ClassVar[QueueState]
    QUEUE_STATE_ARCHIVED: _ClassVar[QueueState]
    QUEUE_STATE_DROPPED: _ClassVar[QueueState]

class MatchMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MATCH_MODE_UNSPECIFIED: _ClassVar[MatchMode]
    MATCH_MODE_ANY: _ClassVar[MatchMode]
    MATCH_MODE_ALL: _ClassVar[MatchMode]
QUEUE_STATE_UNSPECIFIED: QueueState
QUEUE_STATE_ACTIVE: QueueState
QUEUE_STATE_RELEASED: QueueState
QUEUE_STATE_ARCHIVED: QueueState
QUEUE_STATE_DROPPED: QueueState
MATCH_MODE_UNSPECIFIED: MatchMode
MATCH_MODE_ANY: MatchMode
MATCH_MODE_ALL: MatchMode

class Queue(_message.Message):
    __slots__ = ("compute_key", "node_id", "world_id", "execution_domain", "as_of", "partition", "topic", "interval", "tags", "queue_class", "state", "created_at", "first_bucket", "last_bucket", "rows", "references", "lost_first_bucket", "lost_last_bucket")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_CLASS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    FIRST_BUCKET_FIELD_NUMBER: _ClassVar[int]
    LAST_BUCKET_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    LOST_FIRST_BUCKET_FIELD_NUMBER: _ClassVar[int]
    LOST_LAST_BUCKET_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    node_id: str
    world_id: str
    execution_domain: _common_pb2.ExecutionDomain
    as_of: _timestamp_pb2.Timestamp
    partition: str
    topic: str
    interval: _duration_pb2.Duration
    tags: _containers.RepeatedScalarFieldContainer[str]
    queue_class: _dag_pb2.QueueClass
    state: QueueState
    created_at: _timestamp_pb2.Timestamp
    first_bucket: _timestamp_pb2.Timestamp
    last_bucket: _timestamp_pb2.Timestamp
    rows: int
    references: int
    lost_first_bucket: _timestamp_pb2.Timestamp
    lost_last_bucket: _timestamp_pb2.Timestamp
    def __init__(self, compute_key: _Optional[str] = ..., node_id: _Optional[str] = ..., world_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., partition: _Optional[str] = ..., topic: _Optional[str] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., tags: _Optional[_Iterable[str]] = ..., queue_class: _Optional[_Union[_dag_pb2.QueueClass, str]] = ..., state: _Optional[_Union[QueueState, str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., first_bucket: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_bucket: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rows: _Optional[int] = ..., references: _Optional[int] = ..., lost_first_bucket: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lost_last_bucket: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TagQuery(_message.Message):
    __slots__ = ("tags", "match_mode", "interval", "world_id", "execution_domain")
    TAGS_FIELD_NUMBER: _ClassVar[int]
    MATCH_MODE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    tags: _containers.RepeatedScalarFieldContainer[str]
    match_mode: MatchMode
    interval: _duration_pb2.Duration
    world_id: str
    execution_domain: _common_pb2.ExecutionDomain
    def __init__(self, tags: _Optional[_Iterable[str]] = ..., match_mode: _Optional[_Union[MatchMode, str]] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., world_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ...) -> None: ...

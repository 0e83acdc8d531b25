import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.dag.v1 import queue_pb2 as _queue_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetQueueRequest(_message.Message):
    __slots__ = ("compute_key",)
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    def __init__(self, compute_key: _Optional[str] = ...) -> None: ...

class GetQueueResponse(_message.Message):
    __slots__ = ("queue",)
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    queue: _queue_pb2.Queue
    def __init__(self, queue: _Optional[_Union[_queue_pb2.Queue, _Mapping]] = ...) -> None: ...

class ListQueuesRequest(_message.Message):
    __slots__ = ("world_id", "execution_domain", "node_id", "strategy_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    execution_domain: _common_pb2.ExecutionDomain
    node_id: str
    strategy_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., node_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListQueuesResponse(_message.Message):
    __slots__ = ("queues", "page", "world_queues_revision")
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    WORLD_QUEUES_REVISION_FIELD_NUMBER: _ClassVar[int]
    queues: _containers.RepeatedCompositeFieldContainer[_queue_pb2.Queue]
    page: _common_pb2.PageInfo
    world_queues_revision: int
    def __init__(self, queues: _Optional[_Iterable[_Union[_queue_pb2.Queue, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ..., world_queues_revision: _Optional[int] = ...) -> None: ...

class QueryQueuesRequest(_message.Message):
    __slots__ = ("query", "page")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    query: _queue_pb2.TagQuery
    page: _common_pb2.PageRequest
    def __init__(self, query: _Optional[_Union[_queue_pb2.TagQuery, _Mapping]] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryQueuesResponse(_message.Message):
    __slots__ = ("queues", "queue_set_revision", "page")
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    QUEUE_SET_REVISION_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    queues: _containers.RepeatedCompositeFieldContainer[_queue_pb2.Queue]
    queue_set_revision: int
    page: _common_pb2.PageInfo
    def __init__(self, queues: _Optional[_Iterable[_Union[_queue_pb2.Queue, _Mapping]]] = ..., queue_set_revision: _Optional[int] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class WatchQueuesRequest(_message.Message):
    __slots__ = ("query",)
    QUERY_FIELD_NUMBER: _ClassVar[int]
    query: _queue_pb2.TagQuery
    def __init__(self, query: _Optional[_Union[_queue_pb2.TagQuery, _Mapping]] = ...) -> None: ...

class WatchQueuesResponse(_message.Message):
    __slots__ = ("queues", "queue_set_revision", "more")
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    QUEUE_SET_REVISION_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    queues: _containers.RepeatedCompositeFieldContainer[_queue_pb2.Queue]
    queue_set_revision: int
    more: bool
    def __init__(self, queues: _Optional[_Iterable[_Union[_queue_pb2.Queue, _Mapping]]] = ..., queue_set_revision: _Optional[int] = ..., more: _Optional[bool] = ...) -> None: ...

class GetQueueStatsRequest(_message.Message):
    __slots__ = ("compute_keys",)
    COMPUTE_KEYS_FIELD_NUMBER: _ClassVar[int]
    compute_keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, compute_keys: _Optional[_Iterable[str]] = ...) -> None: ...

class GetQueueStatsResponse(_message.Message):
    __slots__ = ("stats",)
    STATS_FIELD_NUMBER: _ClassVar[int]
    stats: _containers.RepeatedCompositeFieldContainer[QueueStats]
    def __init__(self, stats: _Optional[_Iterable[_Union[QueueStats, _Mapping]]] = ...) -> None: ...

class QueueStats(_message.Message):
    __slots__ = ("compute_key", "depth", "last_queue_sequence", "last_bucket", "lag")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    LAST_QUEUE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_BUCKET_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    depth: int
    last_queue_sequence: int
    last_bucket: _timestamp_pb2.Timestamp
    lag: _duration_pb2.Duration
    def __init__(self, compute_key: _Optional[str] = ..., depth: _Optional[int] = ..., last_queue_sequence: _Optional[int] = ..., last_bucket: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lag: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

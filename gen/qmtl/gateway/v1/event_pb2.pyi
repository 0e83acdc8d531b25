import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import order_pb2 as _order_pb2
from qmtl.control.v1 import control_pb2 as _control_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Topic(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOPIC_UNSPECIFIED: _ClassVar[Topic]
    TOPIC_ACTIVATION: _ClassVar[Topic]
    TOPIC_QUEUES: _ClassVar[Topic]
    TOPIC_POLICY: _ClassVar[Topic]
    TOPIC_STRATEGY: _ClassVar[Topic]
    TOPIC_SENTINEL: _ClassVar[Topic]
    TOPIC_REBALANCING: _ClassVar[Topic]
    TOPIC_ORDERS: _ClassVar[Topic]

class NoticeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTICE_KIND_UNSPECIFIED: _ClassVar[NoticeKind]
    NOTICE_KIND_GOING_AWAY: _ClassVar[NoticeKind]
    NOTICE_KIND_LAGGING: _ClassVar[NoticeKind]
    NOTICE_KIND_RESUME_TOO_OLD: _ClassVar[NoticeKind]
    NOTICE_KIND_WINDOW_CLOSING: _ClassVar[NoticeKind]
TOPIC_UNSPECIFIED: Topic
TOPIC_ACTIVATION: Topic
TOPIC_QUEUES: Topic
TOPIC_POLICY: Topic
TOPIC_STRATEGY: Topic
TOPIC_SENTINEL: Topic
TOPIC_REBALANCING: Topic
TOPIC_ORDERS: Topic
NOTICE_KIND_UNSPECIFIED: NoticeKind
NOTICE_KIND_GOING_AWAY: NoticeKind
NOTICE_KIND_LAGGING: NoticeKind
NOTICE_KIND_RESUME_TOO_OLD: NoticeKind
NOTICE_KIND_WINDOW_CLOSING: NoticeKind

class EventStreamDescriptor(_message.Message):
    __slots__ = ("address", "stream_token", "topics", "expires_at", "fallback_address", "resume_token")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STREAM_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    address: str
    stream_token: str
    topics: _containers.RepeatedScalarFieldContainer[Topic]
    expires_at: _timestamp_pb2.Timestamp
    fallback_address: str
    resume_token: str
    def __init__(self, address: _Optional[str] = ..., stream_token: _Optional[str] = ..., topics: _Optional[_Iterable[_Union[Topic, str]]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., fallback_address: _Optional[str] = ..., resume_token: _Optional[str] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("topic", "states", "state_hash", "orders", "more", "truncated")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    STATE_HASH_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    topic: Topic
    states: _containers.RepeatedCompositeFieldContainer[_control_pb2.ControlEvent]
    state_hash: str
    orders: _containers.RepeatedCompositeFieldContainer[_order_pb2.OrderStatus]
    more: bool
    truncated: bool
    def __init__(self, topic: _Optional[_Union[Topic, str]] = ..., states: _Optional[_Iterable[_Union[_control_pb2.ControlEvent, _Mapping]]] = ..., state_hash: _Optional[str] = ..., orders: _Optional[_Iterable[_Union[_order_pb2.OrderStatus, _Mapping]]] = ..., more: _Optional[bool] = ..., truncated: _Optional[bool] = ...) -> None: ...

class EventBatch(_message.Message):
    __slots__ = ("events", "resume_token", "order_events")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ORDER_EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_control_pb2.ControlEvent]
    resume_token: str
    order_events: _containers.RepeatedCompositeFieldContainer[_order_pb2.OrderEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[_control_pb2.ControlEvent, _Mapping]]] = ..., resume_token: _Optional[str] = ..., order_events: _Optional[_Iterable[_Union[_order_pb2.OrderEvent, _Mapping]]] = ...) -> None: ...

class Bookmark(_message.Message):
    __slots__ = ("resume_token", "server_time")
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    server_time: _timestamp_pb2.Timestamp
    def __init__(self, resume_token: _Optional[str] = ..., server_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ("kind", "resume_token", "message")
    KIND_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    kind: NoticeKind
    resume_token: str
    message: str
    def __init__(self, kind: _Optional[_Union[NoticeKind, str]] = ..., resume_token: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("snapshot", "events", "bookmark", "notice")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    BOOKMARK_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    snapshot: Snapshot
    events: EventBatch
    bookmark: Bookmark
    notice: Notice
    def __init__(self, snapshot: _Optional[_Union[Snapshot, _Mapping]] = ..., events: _Optional[_Union[EventBatch, _Mapping]] = ..., bookmark: _Optional[_Union[Bookmark, _Mapping]] = ..., notice: _Optional[_Union[Notice, _Mapping]] = ...) -> None: ...

from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.gateway.v1 import event_pb2 as _event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateEventStreamRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "topics")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    topics: _containers.RepeatedScalarFieldContainer[_event_pb2.Topic]
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., topics: _Optional[_Iterable[_Union[_event_pb2.Topic, str]]] = ...) -> None: ...

class CreateEventStreamResponse(_message.Message):
    __slots__ = ("stream",)
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: _event_pb2.EventStreamDescriptor
    def __init__(self, stream: _Optional[_Union[_event_pb2.EventStreamDescriptor, _Mapping]] = ...) -> None: ...

class RefreshEventStreamRequest(_message.Message):
    __slots__ = ("stream_token",)
    STREAM_TOKEN_FIELD_NUMBER: _ClassVar[int]
    stream_token: str
    def __init__(self, stream_token: _Optional[str] = ...) -> None: ...

class RefreshEventStreamResponse(_message.Message):
    __slots__ = ("stream",)
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: _event_pb2.EventStreamDescriptor
    def __init__(self, stream: _Optional[_Union[_event_pb2.EventStreamDescriptor, _Mapping]] = ...) -> None: ...

class SubscribeEventsRequest(_message.Message):
    __slots__ = ("resume_token",)
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    def __init__(self, resume_token: _Optional[str] = ...) -> None: ...

class SubscribeEventsResponse(_message.Message):
    __slots__ = ("frame",)
    FRAME_FIELD_NUMBER: _ClassVar[int]
    frame: _event_pb2.Frame
    def __init__(self, frame: _Optional[_Union[_event_pb2.Frame, _Mapping]] = ...) -> None: ...

class GetJwksRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetJwksResponse(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[PublicKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[PublicKey, _Mapping]]] = ...) -> None: ...

class PublicKey(_message.Message):
    __slots__ = ("kid", "x")
    KID_FIELD_NUMBER: _ClassVar[int]
    X_FIELD_NUMBER: _ClassVar[int]
    kid: str
    x: str
    def __init__(self, kid: _Optional[str] = ..., x: _Optional[str] = ...) -> None: ...

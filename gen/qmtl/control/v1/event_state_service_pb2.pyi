from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.control.v1 import control_pb2 as _control_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_ACTIVATION_UPDATED: _ClassVar[EventKind]
    EVENT_KIND_POLICY_UPDATED: _ClassVar[EventKind]
    EVENT_KIND_DECISION_UPDATED: _ClassVar[EventKind]
    EVENT_KIND_EVALUATION_RUN_UPDATED: _ClassVar[EventKind]
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_ACTIVATION_UPDATED: EventKind
EVENT_KIND_POLICY_UPDATED: EventKind
EVENT_KIND_DECISION_UPDATED: EventKind
EVENT_KIND_EVALUATION_RUN_UPDATED: EventKind

class ListEventStatesRequest(_message.Message):
    __slots__ = ("world_id", "kinds", "strategy_ids")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_IDS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    kinds: _containers.RepeatedScalarFieldContainer[EventKind]
    strategy_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, world_id: _Optional[str] = ..., kinds: _Optional[_Iterable[_Union[EventKind, str]]] = ..., strategy_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ListEventStatesResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: _control_pb2.ControlEvent
    def __init__(self, state: _Optional[_Union[_control_pb2.ControlEvent, _Mapping]] = ...) -> None: ...

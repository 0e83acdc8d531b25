import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.control.v1 import control_pb2 as _control_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TailRequest(_message.Message):
    __slots__ = ("types", "keys", "after_control_sequence", "start_time")
    TYPES_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    AFTER_CONTROL_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    types: _containers.RepeatedScalarFieldContainer[str]
    keys: _containers.RepeatedScalarFieldContainer[str]
    after_control_sequence: int
    start_time: _timestamp_pb2.Timestamp
    def __init__(self, types: _Optional[_Iterable[str]] = ..., keys: _Optional[_Iterable[str]] = ..., after_control_sequence: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TailResponse(_message.Message):
    __slots__ = ("event", "control_sequence")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    CONTROL_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    event: _control_pb2.ControlEvent
    control_sequence: int
    def __init__(self, event: _Optional[_Union[_control_pb2.ControlEvent, _Mapping]] = ..., control_sequence: _Optional[int] = ...) -> None: ...

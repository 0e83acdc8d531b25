import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.world.v1 import activation_pb2 as _activation_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuditResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIT_RESULT_UNSPECIFIED: _ClassVar[AuditResult]
    AUDIT_RESULT_OK: _ClassVar[AuditResult]
    AUDIT_RESULT_REFUSED: _ClassVar[AuditResult]
AUDIT_RESULT_UNSPECIFIED: AuditResult
AUDIT_RESULT_OK: AuditResult
AUDIT_RESULT_REFUSED: AuditResult

class AuditEntry(_message.Message):
    __slots__ = ("audit_number", "world_id", "actor", "event", "request", "result", "message", "correlation_id", "time", "activation")
    AUDIT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    audit_number: int
    world_id: str
    actor: str
    event: str
    request: str
    result: AuditResult
    message: str
    correlation_id: str
    time: _timestamp_pb2.Timestamp
    activation: _activation_pb2.ActivationRecord
    def __init__(self, audit_number: _Optional[int] = ..., world_id: _Optional[str] = ..., actor: _Optional[str] = ..., event: _Optional[str] = ..., request: _Optional[str] = ..., result: _Optional[_Union[AuditResult, str]] = ..., message: _Optional[str] = ..., correlation_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., activation: _Optional[_Union[_activation_pb2.ActivationRecord, _Mapping]] = ...) -> None: ...

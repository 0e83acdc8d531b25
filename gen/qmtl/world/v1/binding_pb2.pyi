import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_BACKTEST: _ClassVar[Stage]
    STAGE_PAPER: _ClassVar[Stage]
    STAGE_LIVE: _ClassVar[Stage]

class BindingState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BINDING_STATE_UNSPECIFIED: _ClassVar[BindingState]
    BINDING_STATE_ACTIVE: _ClassVar[BindingState]
    BINDING_STATE_REMOVED: _ClassVar[BindingState]
STAGE_UNSPECIFIED: Stage
STAGE_BACKTEST: Stage
STAGE_PAPER: Stage
STAGE_LIVE: Stage
BINDING_STATE_UNSPECIFIED: BindingState
BINDING_STATE_ACTIVE: BindingState
BINDING_STATE_REMOVED: BindingState

class Binding(_message.Message):
    __slots__ = ("world_id", "strategy_id", "stage", "state", "created_by", "created_at", "sides", "opened_domains")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    SIDES_FIELD_NUMBER: _ClassVar[int]
    OPENED_DOMAINS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    stage: Stage
    state: BindingState
    created_by: str
    created_at: _timestamp_pb2.Timestamp
    sides: _containers.RepeatedScalarFieldContainer[_common_pb2.Side]
    opened_domains: _containers.RepeatedScalarFieldContainer[_common_pb2.ExecutionDomain]
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., stage: _Optional[_Union[Stage, str]] = ..., state: _Optional[_Union[BindingState, str]] = ..., created_by: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sides: _Optional[_Iterable[_Union[_common_pb2.Side, str]]] = ..., opened_domains: _Optional[_Iterable[_Union[_common_pb2.ExecutionDomain, str]]] = ...) -> None: ...

class LiveApproval(_message.Message):
    __slots__ = ("world_id", "strategy_id", "approved_by", "message", "approved_at", "expires_at", "revoked_at", "policy_version")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    APPROVED_BY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    APPROVED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    approved_by: str
    message: str
    approved_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    revoked_at: _timestamp_pb2.Timestamp
    policy_version: int
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., approved_by: _Optional[str] = ..., message: _Optional[str] = ..., approved_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., policy_version: _Optional[int] = ...) -> None: ...

import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExecutionDomain(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXECUTION_DOMAIN_UNSPECIFIED: _ClassVar[ExecutionDomain]
    EXECUTION_DOMAIN_BACKTEST: _ClassVar[ExecutionDomain]
    EXECUTION_DOMAIN_DRYRUN: _ClassVar[ExecutionDomain]
    EXECUTION_DOMAIN_LIVE: _ClassVar[ExecutionDomain]
    EXECUTION_DOMAIN_SHADOW: _ClassVar[ExecutionDomain]

class EffectiveMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EFFECTIVE_MODE_UNSPECIFIED: _ClassVar[EffectiveMode]
    EFFECTIVE_MODE_VALIDATE: _ClassVar[EffectiveMode]
    EFFECTIVE_MODE_COMPUTE_ONLY: _ClassVar[EffectiveMode]
    EFFECTIVE_MODE_PAPER: _ClassVar[EffectiveMode]
    EFFECTIVE_MODE_LIVE: _ClassVar[EffectiveMode]
    EFFECTIVE_MODE_SHADOW: _ClassVar[EffectiveMode]

class DowngradeReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DOWNGRADE_REASON_UNSPECIFIED: _ClassVar[DowngradeReason]
    DOWNGRADE_REASON_DECISION_UNAVAILABLE: _ClassVar[DowngradeReason]
    DOWNGRADE_REASON_STALE_DECISION: _ClassVar[DowngradeReason]
    DOWNGRADE_REASON_MISSING_AS_OF: _ClassVar[DowngradeReason]
    DOWNGRADE_REASON_MODE_CEILING: _ClassVar[DowngradeReason]

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_READER: _ClassVar[Role]
    ROLE_OPERATOR: _ClassVar[Role]
    ROLE_OWNER: _ClassVar[Role]

class Side(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_UNSPECIFIED: _ClassVar[Side]
    SIDE_LONG: _ClassVar[Side]
    SIDE_SHORT: _ClassVar[Side]

class DependencyState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPENDENCY_STATE_UNSPECIFIED: _ClassVar[DependencyState]
    DEPENDENCY_STATE_REACHABLE: _ClassVar[DependencyState]
    DEPENDENCY_STATE_DEGRADED: _ClassVar[DependencyState]
    DEPENDENCY_STATE_UNREACHABLE: _ClassVar[DependencyState]

class BreakerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_STATE_UNSPECIFIED: _ClassVar[BreakerState]
    BREAKER_STATE_CLOSED: _ClassVar[BreakerState]
    BREAKER_STATE_OPEN: _ClassVar[BreakerState]
    BREAKER_STATE_HALF_OPEN: _ClassVar[BreakerState]
EXECUTION_DOMAIN_UNSPECIFIED: ExecutionDomain
EXECUTION_DOMAIN_BACKTEST: ExecutionDomain
EXECUTION_DOMAIN_DRYRUN: ExecutionDomain
EXECUTION_DOMAIN_LIVE: ExecutionDomain
EXECUTION_DOMAIN_SHADOW: ExecutionDomain
EFFECTIVE_MODE_UNSPECIFIED: EffectiveMode
EFFECTIVE_MODE_VALIDATE: EffectiveMode
EFFECTIVE_MODE_COMPUTE_ONLY: EffectiveMode
EFFECTIVE_MODE_PAPER: EffectiveMode
EFFECTIVE_MODE_LIVE: EffectiveMode
EFFECTIVE_MODE_SHADOW: EffectiveMode
DOWNGRADE_REASON_UNSPECIFIED: DowngradeReason
DOWNGRADE_REASON_DECISION_UNAVAILABLE: DowngradeReason
DOWNGRADE_REASON_STALE_DECISION: DowngradeReason
DOWNGRADE_REASON_MISSING_AS_OF: DowngradeReason
DOWNGRADE_REASON_MODE_CEILING: DowngradeReason
ROLE_UNSPECIFIED: Role
ROLE_READER: Role
ROLE_OPERATOR: Role
ROLE_OWNER: Role
SIDE_UNSPECIFIED: Side
SIDE_LONG: Side
SIDE_SHORT: Side
DEPENDENCY_STATE_UNSPECIFIED: DependencyState
DEPENDENCY_STATE_REACHABLE: DependencyState
DEPENDENCY_STATE_DEGRADED: DependencyState
DEPENDENCY_STATE_UNREACHABLE: DependencyState
BREAKER_STATE_UNSPECIFIED: BreakerState
BREAKER_STATE_CLOSED: BreakerState
BREAKER_STATE_OPEN: BreakerState
BREAKER_STATE_HALF_OPEN: BreakerState

class ComputeContext(_message.Message):
    __slots__ = ("world_id", "execution_domain", "as_of", "partition", "dataset_fingerprint", "downgraded", "downgrade_reason", "safe_mode")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    DOWNGRADED_FIELD_NUMBER: _ClassVar[int]
    DOWNGRADE_REASON_FIELD_NUMBER: _ClassVar[int]
    SAFE_MODE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    execution_domain: ExecutionDomain
    as_of: _timestamp_pb2.Timestamp
    partition: str
    dataset_fingerprint: str
    downgraded: bool
    downgrade_reason: DowngradeReason
    safe_mode: bool
    def __init__(self, world_id: _Optional[str] = ..., execution_domain: _Optional[_Union[ExecutionDomain, str]] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., partition: _Optional[str] = ..., dataset_fingerprint: _Optional[str] = ..., downgraded: _Optional[bool] = ..., downgrade_reason: _Optional[_Union[DowngradeReason, str]] = ..., safe_mode: _Optional[bool] = ...) -> None: ...

class TimeRange(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: _timestamp_pb2.Timestamp
    end: _timestamp_pb2.Timestamp
    def __init__(self, start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PageRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class PageInfo(_message.Message):
    __slots__ = ("next_page_token",)
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    next_page_token: str
    def __init__(self, next_page_token: _Optional[str] = ...) -> None: ...

class DependencyStatus(_message.Message):
    __slots__ = ("name", "state", "detail", "breaker")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: DependencyState
    detail: str
    breaker: BreakerState
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[DependencyState, str]] = ..., detail: _Optional[str] = ..., breaker: _Optional[_Union[BreakerState, str]] = ...) -> None: ...

class ServiceStatus(_message.Message):
    __slots__ = ("service", "version", "started_at", "dependencies", "outbox_depth", "degraded", "uncounted")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    DEPENDENCIES_FIELD_NUMBER: _ClassVar[int]
    OUTBOX_DEPTH_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    UNCOUNTED_FIELD_NUMBER: _ClassVar[int]
    service: str
    version: str
    started_at: _timestamp_pb2.Timestamp
    dependencies: _containers.RepeatedCompositeFieldContainer[DependencyStatus]
    outbox_depth: int
    degraded: bool
    uncounted: bool
    def __init__(self, service: _Optional[str] = ..., version: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dependencies: _Optional[_Iterable[_Union[DependencyStatus, _Mapping]]] = ..., outbox_depth: _Optional[int] = ..., degraded: _Optional[bool] = ..., uncounted: _Optional[bool] = ...) -> None: ...

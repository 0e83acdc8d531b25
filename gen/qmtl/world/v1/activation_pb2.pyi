import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import fence_pb2 as _fence_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import limits_pb2 as _limits_pb2
from qmtl.world.v1 import binding_pb2 as _binding_pb2
from qmtl.world.v1 import session_pb2 as _session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApplyPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPLY_PHASE_UNSPECIFIED: _ClassVar[ApplyPhase]
    APPLY_PHASE_NONE: _ClassVar[ApplyPhase]
    APPLY_PHASE_FREEZE: _ClassVar[ApplyPhase]
    APPLY_PHASE_UNFREEZE: _ClassVar[ApplyPhase]

class Weekday(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WEEKDAY_UNSPECIFIED: _ClassVar[Weekday]
    WEEKDAY_MONDAY: _ClassVar[Weekday]
    WEEKDAY_TUESDAY: _ClassVar[Weekday]
    WEEKDAY_WEDNESDAY: _ClassVar[Weekday]
    WEEKDAY_THURSDAY: _ClassVar[Weekday]
    WEEKDAY_FRIDAY: _ClassVar[Weekday]
    WEEKDAY_SATURDAY: _ClassVar[Weekday]
    WEEKDAY_SUNDAY: _ClassVar[Weekday]

class ClosingState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLOSING_STATE_UNSPECIFIED: _ClassVar[ClosingState]
    CLOSING_STATE_CLOSING: _ClassVar[ClosingState]
    CLOSING_STATE_FLAT: _ClassVar[ClosingState]
    CLOSING_STATE_NOT_CLOSED: _ClassVar[ClosingState]
    CLOSING_STATE_STOPPED: _ClassVar[ClosingState]
APPLY_PHASE_UNSPECIFIED: ApplyPhase
APPLY_PHASE_NONE: ApplyPhase
APPLY_PHASE_FREEZE: ApplyPhase
APPLY_PHASE_UNFREEZE: ApplyPhase
WEEKDAY_UNSPECIFIED: Weekday
WEEKDAY_MONDAY: Weekday
WEEKDAY_TUESDAY: Weekday
WEEKDAY_WEDNESDAY: Weekday
WEEKDAY_THURSDAY: Weekday
WEEKDAY_FRIDAY: Weekday
WEEKDAY_SATURDAY: Weekday
WEEKDAY_SUNDAY: Weekday
CLOSING_STATE_UNSPECIFIED: ClosingState
CLOSING_STATE_CLOSING: ClosingState
CLOSING_STATE_FLAT: ClosingState
CLOSING_STATE_NOT_CLOSED: ClosingState
CLOSING_STATE_STOPPED: ClosingState

class ActivationChange(_message.Message):
    __slots__ = ("strategy_id", "side", "active", "weight", "freeze", "drain", "valid_from", "valid_until", "stage")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    FREEZE_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    side: _common_pb2.Side
    active: bool
    weight: str
    freeze: bool
    drain: bool
    valid_from: _timestamp_pb2.Timestamp
    valid_until: _timestamp_pb2.Timestamp
    stage: _binding_pb2.Stage
    def __init__(self, strategy_id: _Optional[str] = ..., side: _Optional[_Union[_common_pb2.Side, str]] = ..., active: _Optional[bool] = ..., weight: _Optional[str] = ..., freeze: _Optional[bool] = ..., drain: _Optional[bool] = ..., valid_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., valid_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stage: _Optional[_Union[_binding_pb2.Stage, str]] = ...) -> None: ...

class ActivationEntry(_message.Message):
    __slots__ = ("strategy_id", "side", "active", "weight", "freeze", "drain", "valid_from", "valid_until", "changed_at", "run_id", "effective_mode", "live_since")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    FREEZE_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    LIVE_SINCE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    side: _common_pb2.Side
    active: bool
    weight: str
    freeze: bool
    drain: bool
    valid_from: _timestamp_pb2.Timestamp
    valid_until: _timestamp_pb2.Timestamp
    changed_at: _timestamp_pb2.Timestamp
    run_id: str
    effective_mode: _common_pb2.EffectiveMode
    live_since: _timestamp_pb2.Timestamp
    def __init__(self, strategy_id: _Optional[str] = ..., side: _Optional[_Union[_common_pb2.Side, str]] = ..., active: _Optional[bool] = ..., weight: _Optional[str] = ..., freeze: _Optional[bool] = ..., drain: _Optional[bool] = ..., valid_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., valid_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., run_id: _Optional[str] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., live_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ActivationEnvelope(_message.Message):
    __slots__ = ("world_id", "world_revision", "previous_world_revision", "entries", "etag", "state_hash", "effective_mode", "fence_epoch", "run_id", "apply_sequence", "phase", "requires_ack", "time", "execution_domain", "fence_pending", "sessions", "windows", "limits")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    WORLD_REVISION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_WORLD_REVISION_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    STATE_HASH_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    FENCE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    APPLY_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_ACK_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    FENCE_PENDING_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    world_revision: int
    previous_world_revision: int
    entries: _containers.RepeatedCompositeFieldContainer[ActivationEntry]
    etag: str
    state_hash: str
    effective_mode: _common_pb2.EffectiveMode
    fence_epoch: int
    run_id: str
    apply_sequence: int
    phase: ApplyPhase
    requires_ack: bool
    time: _timestamp_pb2.Timestamp
    execution_domain: _common_pb2.ExecutionDomain
    fence_pending: bool
    sessions: _containers.RepeatedCompositeFieldContainer[_session_pb2.Session]
    windows: _containers.RepeatedCompositeFieldContainer[ActivationWindow]
    limits: _limits_pb2.RiskLimits
    def __init__(self, world_id: _Optional[str] = ..., world_revision: _Optional[int] = ..., previous_world_revision: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[ActivationEntry, _Mapping]]] = ..., etag: _Optional[str] = ..., state_hash: _Optional[str] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., fence_epoch: _Optional[int] = ..., run_id: _Optional[str] = ..., apply_sequence: _Optional[int] = ..., phase: _Optional[_Union[ApplyPhase, str]] = ..., requires_ack: _Optional[bool] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., fence_pending: _Optional[bool] = ..., sessions: _Optional[_Iterable[_Union[_session_pb2.Session, _Mapping]]] = ..., windows: _Optional[_Iterable[_Union[ActivationWindow, _Mapping]]] = ..., limits: _Optional[_Union[_limits_pb2.RiskLimits, _Mapping]] = ...) -> None: ...

class ActivationWindow(_message.Message):
    __slots__ = ("days", "opens", "closes", "time_zone")
    DAYS_FIELD_NUMBER: _ClassVar[int]
    OPENS_FIELD_NUMBER: _ClassVar[int]
    CLOSES_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    days: _containers.RepeatedScalarFieldContainer[Weekday]
    opens: _duration_pb2.Duration
    closes: _duration_pb2.Duration
    time_zone: str
    def __init__(self, days: _Optional[_Iterable[_Union[Weekday, str]]] = ..., opens: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., closes: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., time_zone: _Optional[str] = ...) -> None: ...

class ActivationRecord(_message.Message):
    __slots__ = ("world_revision", "whole", "entries", "removed", "fence_epoch", "fence_state", "effective_mode", "confirmed_fence_epoch", "run_id", "apply_sequence", "phase", "requires_ack", "time", "windows", "state_hash", "limits", "may_add", "may_not_add")
    WORLD_REVISION_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    FENCE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    FENCE_STATE_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_FENCE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    APPLY_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_ACK_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    STATE_HASH_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    MAY_ADD_FIELD_NUMBER: _ClassVar[int]
    MAY_NOT_ADD_FIELD_NUMBER: _ClassVar[int]
    world_revision: int
    whole: bool
    entries: _containers.RepeatedCompositeFieldContainer[ActivationEntry]
    removed: _containers.RepeatedCompositeFieldContainer[ActivationKey]
    fence_epoch: int
    fence_state: _fence_pb2.FenceState
    effective_mode: _common_pb2.EffectiveMode
    confirmed_fence_epoch: int
    run_id: str
    apply_sequence: int
    phase: ApplyPhase
    requires_ack: bool
    time: _timestamp_pb2.Timestamp
    windows: _containers.RepeatedCompositeFieldContainer[ActivationWindow]
    state_hash: str
    limits: _limits_pb2.RiskLimits
    may_add: _containers.RepeatedCompositeFieldContainer[ActivationKey]
    may_not_add: _containers.RepeatedCompositeFieldContainer[ActivationKey]
    def __init__(self, world_revision: _Optional[int] = ..., whole: _Optional[bool] = ..., entries: _Optional[_Iterable[_Union[ActivationEntry, _Mapping]]] = ..., removed: _Optional[_Iterable[_Union[ActivationKey, _Mapping]]] = ..., fence_epoch: _Optional[int] = ..., fence_state: _Optional[_Union[_fence_pb2.FenceState, str]] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., confirmed_fence_epoch: _Optional[int] = ..., run_id: _Optional[str] = ..., apply_sequence: _Optional[int] = ..., phase: _Optional[_Union[ApplyPhase, str]] = ..., requires_ack: _Optional[bool] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., windows: _Optional[_Iterable[_Union[ActivationWindow, _Mapping]]] = ..., state_hash: _Optional[str] = ..., limits: _Optional[_Union[_limits_pb2.RiskLimits, _Mapping]] = ..., may_add: _Optional[_Iterable[_Union[ActivationKey, _Mapping]]] = ..., may_not_add: _Optional[_Iterable[_Union[ActivationKey, _Mapping]]] = ...) -> None: ...

class ActivationKey(_message.Message):
    __slots__ = ("strategy_id", "side")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    side: _common_pb2.Side
    def __init__(self, strategy_id: _Optional[str] = ..., side: _Optional[_Union[_common_pb2.Side, str]] = ...) -> None: ...

class PositionClosing(_message.Message):
    __slots__ = ("strategy_id", "side", "effective_mode", "state", "begin_time", "until", "end_time", "detail")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    BEGIN_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    side: _common_pb2.Side
    effective_mode: _common_pb2.EffectiveMode
    state: ClosingState
    begin_time: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    detail: str
    def __init__(self, strategy_id: _Optional[str] = ..., side: _Optional[_Union[_common_pb2.Side, str]] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., state: _Optional[_Union[ClosingState, str]] = ..., begin_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., detail: _Optional[str] = ...) -> None: ...

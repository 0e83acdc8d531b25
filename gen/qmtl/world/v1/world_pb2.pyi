import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import broker_pb2 as _broker_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import limits_pb2 as _limits_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorldState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORLD_STATE_UNSPECIFIED: _ClassVar[WorldState]
    WORLD_STATE_ACTIVE: _ClassVar[WorldState]
    WORLD_STATE_SUSPENDED: _ClassVar[WorldState]
    WORLD_STATE_DELETED: _ClassVar[WorldState]

class PolicyStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POLICY_STATUS_UNSPECIFIED: _ClassVar[PolicyStatus]
    POLICY_STATUS_DRAFT: _ClassVar[PolicyStatus]
    POLICY_STATUS_ACTIVE: _ClassVar[PolicyStatus]
    POLICY_STATUS_DEPRECATED: _ClassVar[PolicyStatus]

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

class FillModel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILL_MODEL_UNSPECIFIED: _ClassVar[FillModel]
    FILL_MODEL_NEXT_BAR: _ClassVar[FillModel]

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

class SessionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SESSION_STATE_UNSPECIFIED: _ClassVar[SessionState]
    SESSION_STATE_OPEN: _ClassVar[SessionState]
    SESSION_STATE_CLOSED: _ClassVar[SessionState]

class ApplyState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPLY_STATE_UNSPECIFIED: _ClassVar[ApplyState]
    APPLY_STATE_REQUESTED: _ClassVar[ApplyState]
    APPLY_STATE_FREEZING: _ClassVar[ApplyState]
    APPLY_STATE_SWITCHING: _ClassVar[ApplyState]
    APPLY_STATE_UNFREEZING: _ClassVar[ApplyState]
    APPLY_STATE_COMPLETED: _ClassVar[ApplyState]
    APPLY_STATE_ROLLED_BACK: _ClassVar[ApplyState]
    APPLY_STATE_FROZEN: _ClassVar[ApplyState]

class UnfreezeAck(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNFREEZE_ACK_UNSPECIFIED: _ClassVar[UnfreezeAck]
    UNFREEZE_ACK_ALL: _ClassVar[UnfreezeAck]
    UNFREEZE_ACK_NONE: _ClassVar[UnfreezeAck]

class WorldNodeStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORLD_NODE_STATUS_UNSPECIFIED: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_UNKNOWN: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_VALIDATING: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_VALID: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_INVALID: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_RUNNING: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_PAUSED: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_STOPPED: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_ARCHIVED: _ClassVar[WorldNodeStatus]

class EdgeStanding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EDGE_STANDING_UNSPECIFIED: _ClassVar[EdgeStanding]
    EDGE_STANDING_ON: _ClassVar[EdgeStanding]
    EDGE_STANDING_OFF: _ClassVar[EdgeStanding]
    EDGE_STANDING_AWAITS_PROMOTION: _ClassVar[EdgeStanding]

class AuditResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIT_RESULT_UNSPECIFIED: _ClassVar[AuditResult]
    AUDIT_RESULT_OK: _ClassVar[AuditResult]
    AUDIT_RESULT_REFUSED: _ClassVar[AuditResult]
WORLD_STATE_UNSPECIFIED: WorldState
WORLD_STATE_ACTIVE: WorldState
WORLD_STATE_SUSPENDED: WorldState
WORLD_STATE_DELETED: WorldState
POLICY_STATUS_UNSPECIFIED: PolicyStatus
POLICY_STATUS_DRAFT: PolicyStatus
POLICY_STATUS_ACTIVE: PolicyStatus
POLICY_STATUS_DEPRECATED: PolicyStatus
STAGE_UNSPECIFIED: Stage
STAGE_BACKTEST: Stage
STAGE_PAPER: Stage
STAGE_LIVE: Stage
BINDING_STATE_UNSPECIFIED: BindingState
BINDING_STATE_ACTIVE: BindingState
BINDING_STATE_REMOVED: BindingState
FILL_MODEL_UNSPECIFIED: FillModel
FILL_MODEL_NEXT_BAR: FillModel
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
SESSION_STATE_UNSPECIFIED: SessionState
SESSION_STATE_OPEN: SessionState
SESSION_STATE_CLOSED: SessionState
APPLY_STATE_UNSPECIFIED: ApplyState
APPLY_STATE_REQUESTED: ApplyState
APPLY_STATE_FREEZING: ApplyState
APPLY_STATE_SWITCHING: ApplyState
APPLY_STATE_UNFREEZING: ApplyState
APPLY_STATE_COMPLETED: ApplyState
APPLY_STATE_ROLLED_BACK: ApplyState
APPLY_STATE_FROZEN: ApplyState
UNFREEZE_ACK_UNSPECIFIED: UnfreezeAck
UNFREEZE_ACK_ALL: UnfreezeAck
UNFREEZE_ACK_NONE: UnfreezeAck
WORLD_NODE_STATUS_UNSPECIFIED: WorldNodeStatus
WORLD_NODE_STATUS_UNKNOWN: WorldNodeStatus
WORLD_NODE_STATUS_VALIDATING: WorldNodeStatus
WORLD_NODE_STATUS_VALID: WorldNodeStatus
WORLD_NODE_STATUS_INVALID: WorldNodeStatus
WORLD_NODE_STATUS_RUNNING: WorldNodeStatus
WORLD_NODE_STATUS_PAUSED: WorldNodeStatus
WORLD_NODE_STATUS_STOPPED: WorldNodeStatus
WORLD_NODE_STATUS_ARCHIVED: WorldNodeStatus
EDGE_STANDING_UNSPECIFIED: EdgeStanding
EDGE_STANDING_ON: EdgeStanding
EDGE_STANDING_OFF: EdgeStanding
EDGE_STANDING_AWAITS_PROMOTION: EdgeStanding
AUDIT_RESULT_UNSPECIFIED: AuditResult
AUDIT_RESULT_OK: AuditResult
AUDIT_RESULT_REFUSED: AuditResult

class World(_message.Message):
    __slots__ = ("world_id", "name", "owner", "labels", "state", "allow_live", "circuit_breaker", "default_policy_version", "data_presets", "created_at", "updated_at", "etag")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LIVE_FIELD_NUMBER: _ClassVar[int]
    CIRCUIT_BREAKER_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESETS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    name: str
    owner: str
    labels: _containers.ScalarMap[str, str]
    state: WorldState
    allow_live: bool
    circuit_breaker: bool
    default_policy_version: int
    data_presets: _containers.RepeatedScalarFieldContainer[str]
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    etag: str
    def __init__(self, world_id: _Optional[str] = ..., name: _Optional[str] = ..., owner: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., state: _Optional[_Union[WorldState, str]] = ..., allow_live: _Optional[bool] = ..., circuit_breaker: _Optional[bool] = ..., default_policy_version: _Optional[int] = ..., data_presets: _Optional[_Iterable[str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("world_id", "version", "document", "checksum", "status", "created_by", "created_at", "valid_from")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    version: int
    document: str
    checksum: str
    status: PolicyStatus
    created_by: str
    created_at: _timestamp_pb2.Timestamp
    valid_from: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., version: _Optional[int] = ..., document: _Optional[str] = ..., checksum: _Optional[str] = ..., status: _Optional[_Union[PolicyStatus, str]] = ..., created_by: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., valid_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

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

class ExecutionModel(_message.Message):
    __slots__ = ("fill", "maker_fee_rate", "taker_fee_rate", "slippage_rate", "participation")
    FILL_FIELD_NUMBER: _ClassVar[int]
    MAKER_FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    TAKER_FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    SLIPPAGE_RATE_FIELD_NUMBER: _ClassVar[int]
    PARTICIPATION_FIELD_NUMBER: _ClassVar[int]
    fill: FillModel
    maker_fee_rate: str
    taker_fee_rate: str
    slippage_rate: str
    participation: str
    def __init__(self, fill: _Optional[_Union[FillModel, str]] = ..., maker_fee_rate: _Optional[str] = ..., taker_fee_rate: _Optional[str] = ..., slippage_rate: _Optional[str] = ..., participation: _Optional[str] = ...) -> None: ...

class DecisionEnvelope(_message.Message):
    __slots__ = ("world_id", "policy_version", "effective_mode", "reasons", "as_of", "ttl", "etag", "dataset_fingerprint", "coverage", "data_end", "decided_at", "ruleset_hash", "selected", "stale", "execution_model")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    DATA_END_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    RULESET_HASH_FIELD_NUMBER: _ClassVar[int]
    SELECTED_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_MODEL_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    policy_version: int
    effective_mode: _common_pb2.EffectiveMode
    reasons: _containers.RepeatedScalarFieldContainer[str]
    as_of: _timestamp_pb2.Timestamp
    ttl: _duration_pb2.Duration
    etag: str
    dataset_fingerprint: str
    coverage: float
    data_end: _timestamp_pb2.Timestamp
    decided_at: _timestamp_pb2.Timestamp
    ruleset_hash: str
    selected: _containers.RepeatedScalarFieldContainer[str]
    stale: bool
    execution_model: ExecutionModel
    def __init__(self, world_id: _Optional[str] = ..., policy_version: _Optional[int] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., reasons: _Optional[_Iterable[str]] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., etag: _Optional[str] = ..., dataset_fingerprint: _Optional[str] = ..., coverage: _Optional[float] = ..., data_end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decided_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ruleset_hash: _Optional[str] = ..., selected: _Optional[_Iterable[str]] = ..., stale: _Optional[bool] = ..., execution_model: _Optional[_Union[ExecutionModel, _Mapping]] = ...) -> None: ...

class ActivationEntry(_message.Message):
    __slots__ = ("strategy_id", "side", "active", "weight", "freeze", "drain", "valid_from", "valid_until", "changed_at", "run_id", "effective_mode")
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
    strategy_id: str
    side: _common_pb2.Side
    active: bool
    weight: float
    freeze: bool
    drain: bool
    valid_from: _timestamp_pb2.Timestamp
    valid_until: _timestamp_pb2.Timestamp
    changed_at: _timestamp_pb2.Timestamp
    run_id: str
    effective_mode: _common_pb2.EffectiveMode
    def __init__(self, strategy_id: _Optional[str] = ..., side: _Optional[_Union[_common_pb2.Side, str]] = ..., active: _Optional[bool] = ..., weight: _Optional[float] = ..., freeze: _Optional[bool] = ..., drain: _Optional[bool] = ..., valid_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., valid_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., run_id: _Optional[str] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ...) -> None: ...

class ActivationEnvelope(_message.Message):
    __slots__ = ("world_id", "revision", "previous_revision", "entries", "etag", "state_hash", "effective_mode", "epoch", "run_id", "sequence", "phase", "requires_ack", "time", "execution_domain", "fence_pending", "sessions", "windows", "limits")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_REVISION_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    STATE_HASH_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_ACK_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    FENCE_PENDING_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    revision: int
    previous_revision: int
    entries: _containers.RepeatedCompositeFieldContainer[ActivationEntry]
    etag: str
    state_hash: str
    effective_mode: _common_pb2.EffectiveMode
    epoch: int
    run_id: str
    sequence: int
    phase: ApplyPhase
    requires_ack: bool
    time: _timestamp_pb2.Timestamp
    execution_domain: _common_pb2.ExecutionDomain
    fence_pending: bool
    sessions: _containers.RepeatedCompositeFieldContainer[Session]
    windows: _containers.RepeatedCompositeFieldContainer[ActivationWindow]
    limits: _limits_pb2.RiskLimits
    def __init__(self, world_id: _Optional[str] = ..., revision: _Optional[int] = ..., previous_revision: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[ActivationEntry, _Mapping]]] = ..., etag: _Optional[str] = ..., state_hash: _Optional[str] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., epoch: _Optional[int] = ..., run_id: _Optional[str] = ..., sequence: _Optional[int] = ..., phase: _Optional[_Union[ApplyPhase, str]] = ..., requires_ack: _Optional[bool] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., fence_pending: _Optional[bool] = ..., sessions: _Optional[_Iterable[_Union[Session, _Mapping]]] = ..., windows: _Optional[_Iterable[_Union[ActivationWindow, _Mapping]]] = ..., limits: _Optional[_Union[_limits_pb2.RiskLimits, _Mapping]] = ...) -> None: ...

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

class Session(_message.Message):
    __slots__ = ("session_id", "world_id", "execution_domain", "start", "watermark", "data_preset", "state", "opened_at", "closed_at", "dataset_fingerprint")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OPENED_AT_FIELD_NUMBER: _ClassVar[int]
    CLOSED_AT_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    world_id: str
    execution_domain: _common_pb2.ExecutionDomain
    start: _timestamp_pb2.Timestamp
    watermark: _timestamp_pb2.Timestamp
    data_preset: str
    state: SessionState
    opened_at: _timestamp_pb2.Timestamp
    closed_at: _timestamp_pb2.Timestamp
    dataset_fingerprint: str
    def __init__(self, session_id: _Optional[str] = ..., world_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., data_preset: _Optional[str] = ..., state: _Optional[_Union[SessionState, str]] = ..., opened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., closed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dataset_fingerprint: _Optional[str] = ...) -> None: ...

class GateSession(_message.Message):
    __slots__ = ("gateway_id", "boot_id", "renewed_at", "ttl", "applied_revisions")
    class AppliedRevisionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    RENEWED_AT_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    APPLIED_REVISIONS_FIELD_NUMBER: _ClassVar[int]
    gateway_id: str
    boot_id: str
    renewed_at: _timestamp_pb2.Timestamp
    ttl: _duration_pb2.Duration
    applied_revisions: _containers.ScalarMap[str, int]
    def __init__(self, gateway_id: _Optional[str] = ..., boot_id: _Optional[str] = ..., renewed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., applied_revisions: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ApplyTarget(_message.Message):
    __slots__ = ("strategy_id", "side", "weight", "stage")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    side: _common_pb2.Side
    weight: float
    stage: Stage
    def __init__(self, strategy_id: _Optional[str] = ..., side: _Optional[_Union[_common_pb2.Side, str]] = ..., weight: _Optional[float] = ..., stage: _Optional[_Union[Stage, str]] = ...) -> None: ...

class ApplyRun(_message.Message):
    __slots__ = ("world_id", "run_id", "state", "requested_by", "targets", "epoch", "fence_confirmed", "reason", "steps", "created_at", "ended_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FENCE_CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    state: ApplyState
    requested_by: str
    targets: _containers.RepeatedCompositeFieldContainer[ApplyTarget]
    epoch: int
    fence_confirmed: bool
    reason: str
    steps: _containers.RepeatedCompositeFieldContainer[ApplyStep]
    created_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ..., state: _Optional[_Union[ApplyState, str]] = ..., requested_by: _Optional[str] = ..., targets: _Optional[_Iterable[_Union[ApplyTarget, _Mapping]]] = ..., epoch: _Optional[int] = ..., fence_confirmed: _Optional[bool] = ..., reason: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[ApplyStep, _Mapping]]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ApplyStep(_message.Message):
    __slots__ = ("state", "time", "detail")
    STATE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    state: ApplyState
    time: _timestamp_pb2.Timestamp
    detail: str
    def __init__(self, state: _Optional[_Union[ApplyState, str]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., detail: _Optional[str] = ...) -> None: ...

class WorldNode(_message.Message):
    __slots__ = ("world_id", "node_id", "execution_domain", "status", "last_eval_key", "annotations")
    class AnnotationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LAST_EVAL_KEY_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    node_id: str
    execution_domain: _common_pb2.ExecutionDomain
    status: WorldNodeStatus
    last_eval_key: str
    annotations: _containers.ScalarMap[str, str]
    def __init__(self, world_id: _Optional[str] = ..., node_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., status: _Optional[_Union[WorldNodeStatus, str]] = ..., last_eval_key: _Optional[str] = ..., annotations: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Validation(_message.Message):
    __slots__ = ("eval_key", "world_id", "node_id", "execution_domain", "valid", "metrics", "validated_at")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    EVAL_KEY_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    VALID_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    VALIDATED_AT_FIELD_NUMBER: _ClassVar[int]
    eval_key: str
    world_id: str
    node_id: str
    execution_domain: _common_pb2.ExecutionDomain
    valid: bool
    metrics: _containers.ScalarMap[str, float]
    validated_at: _timestamp_pb2.Timestamp
    def __init__(self, eval_key: _Optional[str] = ..., world_id: _Optional[str] = ..., node_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., valid: _Optional[bool] = ..., metrics: _Optional[_Mapping[str, float]] = ..., validated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EdgeOverride(_message.Message):
    __slots__ = ("world_id", "from_node_id", "to_node_id", "active", "reason", "to_domain", "from_domain", "standing")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TO_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TO_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    FROM_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    from_node_id: str
    to_node_id: str
    active: bool
    reason: str
    to_domain: _common_pb2.ExecutionDomain
    from_domain: _common_pb2.ExecutionDomain
    standing: EdgeStanding
    def __init__(self, world_id: _Optional[str] = ..., from_node_id: _Optional[str] = ..., to_node_id: _Optional[str] = ..., active: _Optional[bool] = ..., reason: _Optional[str] = ..., to_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., from_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., standing: _Optional[_Union[EdgeStanding, str]] = ...) -> None: ...

class RoleGrant(_message.Message):
    __slots__ = ("world_id", "subject", "role", "granted_by", "granted_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    GRANTED_BY_FIELD_NUMBER: _ClassVar[int]
    GRANTED_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    subject: str
    role: _common_pb2.Role
    granted_by: str
    granted_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., subject: _Optional[str] = ..., role: _Optional[_Union[_common_pb2.Role, str]] = ..., granted_by: _Optional[str] = ..., granted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AuditEntry(_message.Message):
    __slots__ = ("sequence", "world_id", "actor", "event", "request", "result", "detail", "correlation_id", "time", "activation")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    world_id: str
    actor: str
    event: str
    request: str
    result: AuditResult
    detail: str
    correlation_id: str
    time: _timestamp_pb2.Timestamp
    activation: ActivationRecord
    def __init__(self, sequence: _Optional[int] = ..., world_id: _Optional[str] = ..., actor: _Optional[str] = ..., event: _Optional[str] = ..., request: _Optional[str] = ..., result: _Optional[_Union[AuditResult, str]] = ..., detail: _Optional[str] = ..., correlation_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., activation: _Optional[_Union[ActivationRecord, _Mapping]] = ...) -> None: ...

class ActivationRecord(_message.Message):
    __slots__ = ("revision", "whole", "entries", "removed", "epoch", "fence_state", "effective_mode", "confirmed_epoch", "run_id", "sequence", "phase", "requires_ack", "time", "windows", "state_hash", "limits")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FENCE_STATE_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_EPOCH_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    REQUIRES_ACK_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    STATE_HASH_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    whole: bool
    entries: _containers.RepeatedCompositeFieldContainer[ActivationEntry]
    removed: _containers.RepeatedCompositeFieldContainer[ActivationKey]
    epoch: int
    fence_state: _broker_pb2.FenceState
    effective_mode: _common_pb2.EffectiveMode
    confirmed_epoch: int
    run_id: str
    sequence: int
    phase: ApplyPhase
    requires_ack: bool
    time: _timestamp_pb2.Timestamp
    windows: _containers.RepeatedCompositeFieldContainer[ActivationWindow]
    state_hash: str
    limits: _limits_pb2.RiskLimits
    def __init__(self, revision: _Optional[int] = ..., whole: _Optional[bool] = ..., entries: _Optional[_Iterable[_Union[ActivationEntry, _Mapping]]] = ..., removed: _Optional[_Iterable[_Union[ActivationKey, _Mapping]]] = ..., epoch: _Optional[int] = ..., fence_state: _Optional[_Union[_broker_pb2.FenceState, str]] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., confirmed_epoch: _Optional[int] = ..., run_id: _Optional[str] = ..., sequence: _Optional[int] = ..., phase: _Optional[_Union[ApplyPhase, str]] = ..., requires_ack: _Optional[bool] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., windows: _Optional[_Iterable[_Union[ActivationWindow, _Mapping]]] = ..., state_hash: _Optional[str] = ..., limits: _Optional[_Union[_limits_pb2.RiskLimits, _Mapping]] = ...) -> None: ...

class ActivationKey(_message.Message):
    __slots__ = ("strategy_id", "side")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    side: _common_pb2.Side
    def __init__(self, strategy_id: _Optional[str] = ..., side: _Optional[_Union[_common_pb2.Side, str]] = ...) -> None: ...

class LiveApproval(_message.Message):
    __slots__ = ("world_id", "strategy_id", "approved_by", "reason", "approved_at", "expires_at", "revoked_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    APPROVED_BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    APPROVED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    approved_by: str
    reason: str
    approved_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    revoked_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., approved_by: _Optional[str] = ..., reason: _Optional[str] = ..., approved_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.world.v1 import apply_pb2 as _apply_pb2
from qmtl.world.v1 import binding_pb2 as _binding_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CampaignPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAMPAIGN_PHASE_UNSPECIFIED: _ClassVar[CampaignPhase]
    CAMPAIGN_PHASE_BACKTEST: _ClassVar[CampaignPhase]
    CAMPAIGN_PHASE_PAPER: _ClassVar[CampaignPhase]
    CAMPAIGN_PHASE_LIVE_CANARY: _ClassVar[CampaignPhase]
    CAMPAIGN_PHASE_LIVE_FULL: _ClassVar[CampaignPhase]
    CAMPAIGN_PHASE_DEMOTED: _ClassVar[CampaignPhase]

class PromotionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROMOTION_STATE_UNSPECIFIED: _ClassVar[PromotionState]
    PROMOTION_STATE_REQUESTED: _ClassVar[PromotionState]
    PROMOTION_STATE_APPROVED: _ClassVar[PromotionState]
    PROMOTION_STATE_APPLYING: _ClassVar[PromotionState]
    PROMOTION_STATE_APPLIED: _ClassVar[PromotionState]
    PROMOTION_STATE_FAILED: _ClassVar[PromotionState]
    PROMOTION_STATE_REJECTED: _ClassVar[PromotionState]
    PROMOTION_STATE_WITHDRAWN: _ClassVar[PromotionState]
    PROMOTION_STATE_EXPIRED: _ClassVar[PromotionState]
    PROMOTION_STATE_VOID: _ClassVar[PromotionState]
    PROMOTION_STATE_RENEWED: _ClassVar[PromotionState]

class CampaignActionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAMPAIGN_ACTION_KIND_UNSPECIFIED: _ClassVar[CampaignActionKind]
    CAMPAIGN_ACTION_KIND_EVALUATE: _ClassVar[CampaignActionKind]
    CAMPAIGN_ACTION_KIND_REQUEST_PROMOTION: _ClassVar[CampaignActionKind]
    CAMPAIGN_ACTION_KIND_APPLY_PROMOTION: _ClassVar[CampaignActionKind]
    CAMPAIGN_ACTION_KIND_ADVANCE_CANARY: _ClassVar[CampaignActionKind]
    CAMPAIGN_ACTION_KIND_DEMOTE: _ClassVar[CampaignActionKind]
    CAMPAIGN_ACTION_KIND_RAISE_TO_PAPER: _ClassVar[CampaignActionKind]
CAMPAIGN_PHASE_UNSPECIFIED: CampaignPhase
CAMPAIGN_PHASE_BACKTEST: CampaignPhase
CAMPAIGN_PHASE_PAPER: CampaignPhase
CAMPAIGN_PHASE_LIVE_CANARY: CampaignPhase
CAMPAIGN_PHASE_LIVE_FULL: CampaignPhase
CAMPAIGN_PHASE_DEMOTED: CampaignPhase
PROMOTION_STATE_UNSPECIFIED: PromotionState
PROMOTION_STATE_REQUESTED: PromotionState
PROMOTION_STATE_APPROVED: PromotionState
PROMOTION_STATE_APPLYING: PromotionState
PROMOTION_STATE_APPLIED: PromotionState
PROMOTION_STATE_FAILED: PromotionState
PROMOTION_STATE_REJECTED: PromotionState
PROMOTION_STATE_WITHDRAWN: PromotionState
PROMOTION_STATE_EXPIRED: PromotionState
PROMOTION_STATE_VOID: PromotionState
PROMOTION_STATE_RENEWED: PromotionState
CAMPAIGN_ACTION_KIND_UNSPECIFIED: CampaignActionKind
CAMPAIGN_ACTION_KIND_EVALUATE: CampaignActionKind
CAMPAIGN_ACTION_KIND_REQUEST_PROMOTION: CampaignActionKind
CAMPAIGN_ACTION_KIND_APPLY_PROMOTION: CampaignActionKind
CAMPAIGN_ACTION_KIND_ADVANCE_CANARY: CampaignActionKind
CAMPAIGN_ACTION_KIND_DEMOTE: CampaignActionKind
CAMPAIGN_ACTION_KIND_RAISE_TO_PAPER: CampaignActionKind

class CampaignWindow(_message.Message):
    __slots__ = ("stage", "observed", "required", "progress_ratio")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_RATIO_FIELD_NUMBER: _ClassVar[int]
    stage: _binding_pb2.Stage
    observed: _duration_pb2.Duration
    required: _duration_pb2.Duration
    progress_ratio: float
    def __init__(self, stage: _Optional[_Union[_binding_pb2.Stage, str]] = ..., observed: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., required: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., progress_ratio: _Optional[float] = ...) -> None: ...

class CampaignBlock(_message.Message):
    __slots__ = ("reason", "strategy_id", "message")
    REASON_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    strategy_id: str
    message: str
    def __init__(self, reason: _Optional[str] = ..., strategy_id: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class Campaign(_message.Message):
    __slots__ = ("world_id", "strategy_id", "phase", "campaign_revision", "canary_step", "since", "strategy_version", "windows", "blocks", "next_action", "promotion", "paused_by", "paused_reason", "demoted_at", "notes", "demoted_by", "live_days", "approval", "approval_left", "renewal_blocks")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_REVISION_FIELD_NUMBER: _ClassVar[int]
    CANARY_STEP_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_VERSION_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_ACTION_FIELD_NUMBER: _ClassVar[int]
    PROMOTION_FIELD_NUMBER: _ClassVar[int]
    PAUSED_BY_FIELD_NUMBER: _ClassVar[int]
    PAUSED_REASON_FIELD_NUMBER: _ClassVar[int]
    DEMOTED_AT_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    DEMOTED_BY_FIELD_NUMBER: _ClassVar[int]
    LIVE_DAYS_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_LEFT_FIELD_NUMBER: _ClassVar[int]
    RENEWAL_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    phase: CampaignPhase
    campaign_revision: int
    canary_step: int
    since: _timestamp_pb2.Timestamp
    strategy_version: str
    windows: _containers.RepeatedCompositeFieldContainer[CampaignWindow]
    blocks: _containers.RepeatedCompositeFieldContainer[CampaignBlock]
    next_action: CampaignAction
    promotion: Promotion
    paused_by: str
    paused_reason: str
    demoted_at: _timestamp_pb2.Timestamp
    notes: _containers.RepeatedScalarFieldContainer[str]
    demoted_by: str
    live_days: int
    approval: _binding_pb2.LiveApproval
    approval_left: _duration_pb2.Duration
    renewal_blocks: _containers.RepeatedCompositeFieldContainer[CampaignBlock]
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., phase: _Optional[_Union[CampaignPhase, str]] = ..., campaign_revision: _Optional[int] = ..., canary_step: _Optional[int] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., strategy_version: _Optional[str] = ..., windows: _Optional[_Iterable[_Union[CampaignWindow, _Mapping]]] = ..., blocks: _Optional[_Iterable[_Union[CampaignBlock, _Mapping]]] = ..., next_action: _Optional[_Union[CampaignAction, _Mapping]] = ..., promotion: _Optional[_Union[Promotion, _Mapping]] = ..., paused_by: _Optional[str] = ..., paused_reason: _Optional[str] = ..., demoted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ..., demoted_by: _Optional[str] = ..., live_days: _Optional[int] = ..., approval: _Optional[_Union[_binding_pb2.LiveApproval, _Mapping]] = ..., approval_left: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., renewal_blocks: _Optional[_Iterable[_Union[CampaignBlock, _Mapping]]] = ...) -> None: ...

class Promotion(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id", "state", "requested_by", "requested_at", "reason", "strategy_version", "policy_version", "decided_by", "decided_at", "decision_reason", "expires_at", "applied_by", "apply_run_id", "ended_at", "message", "blocks", "renews")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_VERSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    DECISION_REASON_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    APPLIED_BY_FIELD_NUMBER: _ClassVar[int]
    APPLY_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    RENEWS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    state: PromotionState
    requested_by: str
    requested_at: _timestamp_pb2.Timestamp
    reason: str
    strategy_version: str
    policy_version: int
    decided_by: str
    decided_at: _timestamp_pb2.Timestamp
    decision_reason: str
    expires_at: _timestamp_pb2.Timestamp
    applied_by: str
    apply_run_id: str
    ended_at: _timestamp_pb2.Timestamp
    message: str
    blocks: _containers.RepeatedCompositeFieldContainer[CampaignBlock]
    renews: bool
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ..., state: _Optional[_Union[PromotionState, str]] = ..., requested_by: _Optional[str] = ..., requested_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., strategy_version: _Optional[str] = ..., policy_version: _Optional[int] = ..., decided_by: _Optional[str] = ..., decided_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decision_reason: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., applied_by: _Optional[str] = ..., apply_run_id: _Optional[str] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message: _Optional[str] = ..., blocks: _Optional[_Iterable[_Union[CampaignBlock, _Mapping]]] = ..., renews: _Optional[bool] = ...) -> None: ...

class CampaignAction(_message.Message):
    __slots__ = ("kind", "world_id", "strategy_id", "idempotency_key", "run_id", "stage", "message", "automatic")
    KIND_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    AUTOMATIC_FIELD_NUMBER: _ClassVar[int]
    kind: CampaignActionKind
    world_id: str
    strategy_id: str
    idempotency_key: str
    run_id: str
    stage: _binding_pb2.Stage
    message: str
    automatic: bool
    def __init__(self, kind: _Optional[_Union[CampaignActionKind, str]] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., run_id: _Optional[str] = ..., stage: _Optional[_Union[_binding_pb2.Stage, str]] = ..., message: _Optional[str] = ..., automatic: _Optional[bool] = ...) -> None: ...

class Trials(_message.Message):
    __slots__ = ("world_id", "strategy_id", "returns_arrow", "trials_hash")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RETURNS_ARROW_FIELD_NUMBER: _ClassVar[int]
    TRIALS_HASH_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    returns_arrow: bytes
    trials_hash: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., returns_arrow: _Optional[bytes] = ..., trials_hash: _Optional[str] = ...) -> None: ...

class TrialsSummary(_message.Message):
    __slots__ = ("trials_hash", "variant_count", "day_count", "sharpe_std", "overfitting_probability", "tried_count")
    TRIALS_HASH_FIELD_NUMBER: _ClassVar[int]
    VARIANT_COUNT_FIELD_NUMBER: _ClassVar[int]
    DAY_COUNT_FIELD_NUMBER: _ClassVar[int]
    SHARPE_STD_FIELD_NUMBER: _ClassVar[int]
    OVERFITTING_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    TRIED_COUNT_FIELD_NUMBER: _ClassVar[int]
    trials_hash: str
    variant_count: int
    day_count: int
    sharpe_std: float
    overfitting_probability: float
    tried_count: int
    def __init__(self, trials_hash: _Optional[str] = ..., variant_count: _Optional[int] = ..., day_count: _Optional[int] = ..., sharpe_std: _Optional[float] = ..., overfitting_probability: _Optional[float] = ..., tried_count: _Optional[int] = ...) -> None: ...

class EvaluationOverride(_message.Message):
    __slots__ = ("strategy_id", "run_id", "run_revision", "rule", "reason", "granted_by", "granted_at", "expires_at")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_REVISION_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    GRANTED_BY_FIELD_NUMBER: _ClassVar[int]
    GRANTED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    run_id: str
    run_revision: int
    rule: str
    reason: str
    granted_by: str
    granted_at: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ..., run_revision: _Optional[int] = ..., rule: _Optional[str] = ..., reason: _Optional[str] = ..., granted_by: _Optional[str] = ..., granted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PromotionPlan(_message.Message):
    __slots__ = ("blocks", "targets", "canary_step", "canary_share", "notes", "risk", "renews")
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    CANARY_STEP_FIELD_NUMBER: _ClassVar[int]
    CANARY_SHARE_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    RENEWS_FIELD_NUMBER: _ClassVar[int]
    blocks: _containers.RepeatedCompositeFieldContainer[CampaignBlock]
    targets: _containers.RepeatedCompositeFieldContainer[_apply_pb2.ApplyTarget]
    canary_step: int
    canary_share: str
    notes: _containers.RepeatedScalarFieldContainer[str]
    risk: _containers.RepeatedCompositeFieldContainer[RiskFigureChange]
    renews: bool
    def __init__(self, blocks: _Optional[_Iterable[_Union[CampaignBlock, _Mapping]]] = ..., targets: _Optional[_Iterable[_Union[_apply_pb2.ApplyTarget, _Mapping]]] = ..., canary_step: _Optional[int] = ..., canary_share: _Optional[str] = ..., notes: _Optional[_Iterable[str]] = ..., risk: _Optional[_Iterable[_Union[RiskFigureChange, _Mapping]]] = ..., renews: _Optional[bool] = ...) -> None: ...

class RiskFigureChange(_message.Message):
    __slots__ = ("figure", "before", "after")
    FIGURE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    figure: str
    before: float
    after: float
    def __init__(self, figure: _Optional[str] = ..., before: _Optional[float] = ..., after: _Optional[float] = ...) -> None: ...

import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import campaign_pb2 as _campaign_pb2
from qmtl.world.v1 import dossier_pb2 as _dossier_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetCampaignRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ...) -> None: ...

class GetCampaignResponse(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: _campaign_pb2.Campaign
    def __init__(self, campaign: _Optional[_Union[_campaign_pb2.Campaign, _Mapping]] = ...) -> None: ...

class ListCampaignsRequest(_message.Message):
    __slots__ = ("world_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListCampaignsResponse(_message.Message):
    __slots__ = ("campaigns", "page")
    CAMPAIGNS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    campaigns: _containers.RepeatedCompositeFieldContainer[_campaign_pb2.Campaign]
    page: _common_pb2.PageInfo
    def __init__(self, campaigns: _Optional[_Iterable[_Union[_campaign_pb2.Campaign, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class TickRequest(_message.Message):
    __slots__ = ("world_id", "now")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    now: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., now: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TickResponse(_message.Message):
    __slots__ = ("actions",)
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    actions: _containers.RepeatedCompositeFieldContainer[_campaign_pb2.CampaignAction]
    def __init__(self, actions: _Optional[_Iterable[_Union[_campaign_pb2.CampaignAction, _Mapping]]] = ...) -> None: ...

class RequestPromotionRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id", "reason")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    reason: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RequestPromotionResponse(_message.Message):
    __slots__ = ("promotion",)
    PROMOTION_FIELD_NUMBER: _ClassVar[int]
    promotion: _campaign_pb2.Promotion
    def __init__(self, promotion: _Optional[_Union[_campaign_pb2.Promotion, _Mapping]] = ...) -> None: ...

class WithdrawPromotionRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id", "reason")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    reason: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class WithdrawPromotionResponse(_message.Message):
    __slots__ = ("promotion",)
    PROMOTION_FIELD_NUMBER: _ClassVar[int]
    promotion: _campaign_pb2.Promotion
    def __init__(self, promotion: _Optional[_Union[_campaign_pb2.Promotion, _Mapping]] = ...) -> None: ...

class ApprovePromotionRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id", "reason", "expires_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    reason: str
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ..., reason: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ApprovePromotionResponse(_message.Message):
    __slots__ = ("promotion",)
    PROMOTION_FIELD_NUMBER: _ClassVar[int]
    promotion: _campaign_pb2.Promotion
    def __init__(self, promotion: _Optional[_Union[_campaign_pb2.Promotion, _Mapping]] = ...) -> None: ...

class RejectPromotionRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id", "reason")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    reason: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RejectPromotionResponse(_message.Message):
    __slots__ = ("promotion",)
    PROMOTION_FIELD_NUMBER: _ClassVar[int]
    promotion: _campaign_pb2.Promotion
    def __init__(self, promotion: _Optional[_Union[_campaign_pb2.Promotion, _Mapping]] = ...) -> None: ...

class PauseCampaignRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "reason")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    reason: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class PauseCampaignResponse(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: _campaign_pb2.Campaign
    def __init__(self, campaign: _Optional[_Union[_campaign_pb2.Campaign, _Mapping]] = ...) -> None: ...

class ResumeCampaignRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "reason")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    reason: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ResumeCampaignResponse(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: _campaign_pb2.Campaign
    def __init__(self, campaign: _Optional[_Union[_campaign_pb2.Campaign, _Mapping]] = ...) -> None: ...

class PlanPromotionRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ...) -> None: ...

class PlanPromotionResponse(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: _campaign_pb2.PromotionPlan
    def __init__(self, plan: _Optional[_Union[_campaign_pb2.PromotionPlan, _Mapping]] = ...) -> None: ...

class ApplyPromotionRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id", "force", "reason")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    force: bool
    reason: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ..., force: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class ApplyPromotionResponse(_message.Message):
    __slots__ = ("promotion",)
    PROMOTION_FIELD_NUMBER: _ClassVar[int]
    promotion: _campaign_pb2.Promotion
    def __init__(self, promotion: _Optional[_Union[_campaign_pb2.Promotion, _Mapping]] = ...) -> None: ...

class AdvanceCanaryRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class AdvanceCanaryResponse(_message.Message):
    __slots__ = ("campaign", "apply_run_id")
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    APPLY_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    campaign: _campaign_pb2.Campaign
    apply_run_id: str
    def __init__(self, campaign: _Optional[_Union[_campaign_pb2.Campaign, _Mapping]] = ..., apply_run_id: _Optional[str] = ...) -> None: ...

class AcquireLoopRequest(_message.Message):
    __slots__ = ("world_id", "holder")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    holder: str
    def __init__(self, world_id: _Optional[str] = ..., holder: _Optional[str] = ...) -> None: ...

class AcquireLoopResponse(_message.Message):
    __slots__ = ("acquired", "holder", "lease_epoch", "valid_for")
    ACQUIRED_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    LEASE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    VALID_FOR_FIELD_NUMBER: _ClassVar[int]
    acquired: bool
    holder: str
    lease_epoch: int
    valid_for: _duration_pb2.Duration
    def __init__(self, acquired: _Optional[bool] = ..., holder: _Optional[str] = ..., lease_epoch: _Optional[int] = ..., valid_for: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ReleaseLoopRequest(_message.Message):
    __slots__ = ("world_id", "holder")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    holder: str
    def __init__(self, world_id: _Optional[str] = ..., holder: _Optional[str] = ...) -> None: ...

class ReleaseLoopResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchCampaignsRequest(_message.Message):
    __slots__ = ("world_id",)
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    def __init__(self, world_id: _Optional[str] = ...) -> None: ...

class WatchCampaignsResponse(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: _campaign_pb2.Campaign
    def __init__(self, campaign: _Optional[_Union[_campaign_pb2.Campaign, _Mapping]] = ...) -> None: ...

class OverrideEvaluationRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id", "run_revision", "rule", "reason", "expires_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_REVISION_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    run_revision: int
    rule: str
    reason: str
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ..., run_revision: _Optional[int] = ..., rule: _Optional[str] = ..., reason: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OverrideEvaluationResponse(_message.Message):
    __slots__ = ("override",)
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    override: _campaign_pb2.EvaluationOverride
    def __init__(self, override: _Optional[_Union[_campaign_pb2.EvaluationOverride, _Mapping]] = ...) -> None: ...

class GetDossierRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "at", "verify")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    VERIFY_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    at: _timestamp_pb2.Timestamp
    verify: bool
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., verify: _Optional[bool] = ...) -> None: ...

class GetDossierResponse(_message.Message):
    __slots__ = ("lines", "at", "dossier_hash", "differences", "verified_count")
    LINES_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    DOSSIER_HASH_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_COUNT_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[_dossier_pb2.DossierLine]
    at: _timestamp_pb2.Timestamp
    dossier_hash: str
    differences: _containers.RepeatedScalarFieldContainer[str]
    verified_count: int
    def __init__(self, lines: _Optional[_Iterable[_Union[_dossier_pb2.DossierLine, _Mapping]]] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dossier_hash: _Optional[str] = ..., differences: _Optional[_Iterable[str]] = ..., verified_count: _Optional[int] = ...) -> None: ...

class PutTrialsRequest(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class PutTrialsResponse(_message.Message):
    __slots__ = ("summary",)
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    summary: _campaign_pb2.TrialsSummary
    def __init__(self, summary: _Optional[_Union[_campaign_pb2.TrialsSummary, _Mapping]] = ...) -> None: ...

import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import account_pb2 as _account_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EvidenceRule(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVIDENCE_RULE_UNSPECIFIED: _ClassVar[EvidenceRule]
    EVIDENCE_RULE_REPLAY: _ClassVar[EvidenceRule]
    EVIDENCE_RULE_CLAIMS: _ClassVar[EvidenceRule]

class OnPromote(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_PROMOTE_UNSPECIFIED: _ClassVar[OnPromote]
    ON_PROMOTE_ENTER: _ClassVar[OnPromote]
    ON_PROMOTE_KEEP: _ClassVar[OnPromote]

class FillModel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILL_MODEL_UNSPECIFIED: _ClassVar[FillModel]
    FILL_MODEL_NEXT_BAR: _ClassVar[FillModel]

class DecisionReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_REASON_UNSPECIFIED: _ClassVar[DecisionReason]
    DECISION_REASON_WORLD_DELETED: _ClassVar[DecisionReason]
    DECISION_REASON_NO_POLICY: _ClassVar[DecisionReason]
    DECISION_REASON_POLICY_UNREADABLE: _ClassVar[DecisionReason]
    DECISION_REASON_NO_BINDINGS: _ClassVar[DecisionReason]
    DECISION_REASON_WORLD_SUSPENDED: _ClassVar[DecisionReason]
    DECISION_REASON_CIRCUIT_BREAKER: _ClassVar[DecisionReason]
    DECISION_REASON_DATA_END_UNKNOWN: _ClassVar[DecisionReason]
    DECISION_REASON_DATA_END_IN_FUTURE: _ClassVar[DecisionReason]
    DECISION_REASON_DATA_STALE: _ClassVar[DecisionReason]
    DECISION_REASON_NOTHING_SELECTED: _ClassVar[DecisionReason]
    DECISION_REASON_LIVE_NOT_ALLOWED: _ClassVar[DecisionReason]
    DECISION_REASON_REPLAY_NEVER_LIVE: _ClassVar[DecisionReason]
    DECISION_REASON_LIVE_PROMOTION_DISABLED: _ClassVar[DecisionReason]
    DECISION_REASON_LIVE_NOT_APPROVED: _ClassVar[DecisionReason]
    DECISION_REASON_DATASET_FINGERPRINT_MISSING: _ClassVar[DecisionReason]
    DECISION_REASON_DATASET_FINGERPRINT_MISMATCH: _ClassVar[DecisionReason]
    DECISION_REASON_PAPER_PROFILE_UNMET: _ClassVar[DecisionReason]
    DECISION_REASON_LIVE_PROFILE_UNMET: _ClassVar[DecisionReason]
    DECISION_REASON_DIVERGENCE_GUARD: _ClassVar[DecisionReason]
    DECISION_REASON_CROSS_CONTEXT_CACHE_HIT: _ClassVar[DecisionReason]
    DECISION_REASON_EDGE_OFF: _ClassVar[DecisionReason]
    DECISION_REASON_EDGES_UNKNOWN: _ClassVar[DecisionReason]
    DECISION_REASON_EDGES_NOT_OPENED: _ClassVar[DecisionReason]
    DECISION_REASON_NO_EVALUATION: _ClassVar[DecisionReason]
    DECISION_REASON_HISTORY_UNKNOWN: _ClassVar[DecisionReason]
    DECISION_REASON_INSUFFICIENT_HISTORY: _ClassVar[DecisionReason]
    DECISION_REASON_EXECUTION_MODEL_UNKNOWN: _ClassVar[DecisionReason]
    DECISION_REASON_EXECUTION_MODEL_LENIENT: _ClassVar[DecisionReason]
    DECISION_REASON_GATE_FAILED: _ClassVar[DecisionReason]
    DECISION_REASON_GATE_NOT_COMPUTABLE: _ClassVar[DecisionReason]
    DECISION_REASON_METRIC_MISSING: _ClassVar[DecisionReason]
    DECISION_REASON_METRIC_MISSING_WARNED: _ClassVar[DecisionReason]
    DECISION_REASON_METRIC_MISSING_IGNORED: _ClassVar[DecisionReason]
    DECISION_REASON_ALTERNATIVE_HOLDS: _ClassVar[DecisionReason]
    DECISION_REASON_NO_PAPER_RUN: _ClassVar[DecisionReason]
    DECISION_REASON_DIVERGES: _ClassVar[DecisionReason]
    DECISION_REASON_SCORE_NOT_FINITE: _ClassVar[DecisionReason]
    DECISION_REASON_PROMOTION_PENDING: _ClassVar[DecisionReason]
    DECISION_REASON_HELD_BY_HYSTERESIS: _ClassVar[DecisionReason]
    DECISION_REASON_NOT_ELIGIBLE: _ClassVar[DecisionReason]
    DECISION_REASON_NOT_IN_TOP_K: _ClassVar[DecisionReason]
    DECISION_REASON_EXPOSURE_UNKNOWN: _ClassVar[DecisionReason]
    DECISION_REASON_LONG_BUDGET: _ClassVar[DecisionReason]
    DECISION_REASON_SHORT_BUDGET: _ClassVar[DecisionReason]
    DECISION_REASON_MAX_LEVERAGE: _ClassVar[DecisionReason]
    DECISION_REASON_SECTOR_CAP: _ClassVar[DecisionReason]
    DECISION_REASON_CORRELATION_UNKNOWN: _ClassVar[DecisionReason]
    DECISION_REASON_CORRELATED: _ClassVar[DecisionReason]
    DECISION_REASON_DECISION_UNAVAILABLE: _ClassVar[DecisionReason]
    DECISION_REASON_EVIDENCE_CLAIMED: _ClassVar[DecisionReason]
    DECISION_REASON_EVIDENCE_OF_OTHER_ACCOUNT: _ClassVar[DecisionReason]
    DECISION_REASON_DATA_PRESETS_MISSING: _ClassVar[DecisionReason]
    DECISION_REASON_EVIDENCE_OF_OTHER_DATA: _ClassVar[DecisionReason]
EVIDENCE_RULE_UNSPECIFIED: EvidenceRule
EVIDENCE_RULE_REPLAY: EvidenceRule
EVIDENCE_RULE_CLAIMS: EvidenceRule
ON_PROMOTE_UNSPECIFIED: OnPromote
ON_PROMOTE_ENTER: OnPromote
ON_PROMOTE_KEEP: OnPromote
FILL_MODEL_UNSPECIFIED: FillModel
FILL_MODEL_NEXT_BAR: FillModel
DECISION_REASON_UNSPECIFIED: DecisionReason
DECISION_REASON_WORLD_DELETED: DecisionReason
DECISION_REASON_NO_POLICY: DecisionReason
DECISION_REASON_POLICY_UNREADABLE: DecisionReason
DECISION_REASON_NO_BINDINGS: DecisionReason
DECISION_REASON_WORLD_SUSPENDED: DecisionReason
DECISION_REASON_CIRCUIT_BREAKER: DecisionReason
DECISION_REASON_DATA_END_UNKNOWN: DecisionReason
DECISION_REASON_DATA_END_IN_FUTURE: DecisionReason
DECISION_REASON_DATA_STALE: DecisionReason
DECISION_REASON_NOTHING_SELECTED: DecisionReason
DECISION_REASON_LIVE_NOT_ALLOWED: DecisionReason
DECISION_REASON_REPLAY_NEVER_LIVE: DecisionReason
DECISION_REASON_LIVE_PROMOTION_DISABLED: DecisionReason
DECISION_REASON_LIVE_NOT_APPROVED: DecisionReason
DECISION_REASON_DATASET_FINGERPRINT_MISSING: DecisionReason
DECISION_REASON_DATASET_FINGERPRINT_MISMATCH: DecisionReason
DECISION_REASON_PAPER_PROFILE_UNMET: DecisionReason
DECISION_REASON_LIVE_PROFILE_UNMET: DecisionReason
DECISION_REASON_DIVERGENCE_GUARD: DecisionReason
DECISION_REASON_CROSS_CONTEXT_CACHE_HIT: DecisionReason
DECISION_REASON_EDGE_OFF: DecisionReason
DECISION_REASON_EDGES_UNKNOWN: DecisionReason
DECISION_REASON_EDGES_NOT_OPENED: DecisionReason
DECISION_REASON_NO_EVALUATION: DecisionReason
DECISION_REASON_HISTORY_UNKNOWN: DecisionReason
DECISION_REASON_INSUFFICIENT_HISTORY: DecisionReason
DECISION_REASON_EXECUTION_MODEL_UNKNOWN: DecisionReason
DECISION_REASON_EXECUTION_MODEL_LENIENT: DecisionReason
DECISION_REASON_GATE_FAILED: DecisionReason
DECISION_REASON_GATE_NOT_COMPUTABLE: DecisionReason
DECISION_REASON_METRIC_MISSING: DecisionReason
DECISION_REASON_METRIC_MISSING_WARNED: DecisionReason
DECISION_REASON_METRIC_MISSING_IGNORED: DecisionReason
DECISION_REASON_ALTERNATIVE_HOLDS: DecisionReason
DECISION_REASON_NO_PAPER_RUN: DecisionReason
DECISION_REASON_DIVERGES: DecisionReason
DECISION_REASON_SCORE_NOT_FINITE: DecisionReason
DECISION_REASON_PROMOTION_PENDING: DecisionReason
DECISION_REASON_HELD_BY_HYSTERESIS: DecisionReason
DECISION_REASON_NOT_ELIGIBLE: DecisionReason
DECISION_REASON_NOT_IN_TOP_K: DecisionReason
DECISION_REASON_EXPOSURE_UNKNOWN: DecisionReason
DECISION_REASON_LONG_BUDGET: DecisionReason
DECISION_REASON_SHORT_BUDGET: DecisionReason
DECISION_REASON_MAX_LEVERAGE: DecisionReason
DECISION_REASON_SECTOR_CAP: DecisionReason
DECISION_REASON_CORRELATION_UNKNOWN: DecisionReason
DECISION_REASON_CORRELATED: DecisionReason
DECISION_REASON_DECISION_UNAVAILABLE: DecisionReason
DECISION_REASON_EVIDENCE_CLAIMED: DecisionReason
DECISION_REASON_EVIDENCE_OF_OTHER_ACCOUNT: DecisionReason
DECISION_REASON_DATA_PRESETS_MISSING: DecisionReason
DECISION_REASON_EVIDENCE_OF_OTHER_DATA: DecisionReason

class ExecutionModel(_message.Message):
    __slots__ = ("fill", "maker_fee_rate", "taker_fee_rate", "slippage_rate", "participation", "profile")
    FILL_FIELD_NUMBER: _ClassVar[int]
    MAKER_FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    TAKER_FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    SLIPPAGE_RATE_FIELD_NUMBER: _ClassVar[int]
    PARTICIPATION_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    fill: FillModel
    maker_fee_rate: str
    taker_fee_rate: str
    slippage_rate: str
    participation: str
    profile: str
    def __init__(self, fill: _Optional[_Union[FillModel, str]] = ..., maker_fee_rate: _Optional[str] = ..., taker_fee_rate: _Optional[str] = ..., slippage_rate: _Optional[str] = ..., participation: _Optional[str] = ..., profile: _Optional[str] = ...) -> None: ...

class DecisionEnvelope(_message.Message):
    __slots__ = ("world_id", "policy_version", "effective_mode", "reasons", "as_of", "ttl", "etag", "dataset_fingerprint", "coverage_ratio", "data_end", "decided_at", "ruleset_hash", "selected", "stale", "execution_model", "message", "evidence", "account_model", "on_promote")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_RATIO_FIELD_NUMBER: _ClassVar[int]
    DATA_END_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    RULESET_HASH_FIELD_NUMBER: _ClassVar[int]
    SELECTED_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_MODEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_MODEL_FIELD_NUMBER: _ClassVar[int]
    ON_PROMOTE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    policy_version: int
    effective_mode: _common_pb2.EffectiveMode
    reasons: _containers.RepeatedScalarFieldContainer[DecisionReason]
    as_of: _timestamp_pb2.Timestamp
    ttl: _duration_pb2.Duration
    etag: str
    dataset_fingerprint: str
    coverage_ratio: float
    data_end: _timestamp_pb2.Timestamp
    decided_at: _timestamp_pb2.Timestamp
    ruleset_hash: str
    selected: _containers.RepeatedScalarFieldContainer[str]
    stale: bool
    execution_model: ExecutionModel
    message: str
    evidence: EvidenceRule
    account_model: _account_pb2.AccountModel
    on_promote: OnPromote
    def __init__(self, world_id: _Optional[str] = ..., policy_version: _Optional[int] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., reasons: _Optional[_Iterable[_Union[DecisionReason, str]]] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., etag: _Optional[str] = ..., dataset_fingerprint: _Optional[str] = ..., coverage_ratio: _Optional[float] = ..., data_end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decided_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ruleset_hash: _Optional[str] = ..., selected: _Optional[_Iterable[str]] = ..., stale: _Optional[bool] = ..., execution_model: _Optional[_Union[ExecutionModel, _Mapping]] = ..., message: _Optional[str] = ..., evidence: _Optional[_Union[EvidenceRule, str]] = ..., account_model: _Optional[_Union[_account_pb2.AccountModel, _Mapping]] = ..., on_promote: _Optional[_Union[OnPromote, str]] = ...) -> None: ...

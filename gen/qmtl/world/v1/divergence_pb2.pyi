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

class DivergenceVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIVERGENCE_VERDICT_UNSPECIFIED: _ClassVar[DivergenceVerdict]
    DIVERGENCE_VERDICT_PASS: _ClassVar[DivergenceVerdict]
    DIVERGENCE_VERDICT_WARN: _ClassVar[DivergenceVerdict]
    DIVERGENCE_VERDICT_FAIL: _ClassVar[DivergenceVerdict]
    DIVERGENCE_VERDICT_UNKNOWN: _ClassVar[DivergenceVerdict]
DIVERGENCE_VERDICT_UNSPECIFIED: DivergenceVerdict
DIVERGENCE_VERDICT_PASS: DivergenceVerdict
DIVERGENCE_VERDICT_WARN: DivergenceVerdict
DIVERGENCE_VERDICT_FAIL: DivergenceVerdict
DIVERGENCE_VERDICT_UNKNOWN: DivergenceVerdict

class DivergenceReport(_message.Message):
    __slots__ = ("world_id", "strategy_id", "report_id", "created_at", "created_by", "start", "end", "verdict", "reasons", "order_list", "account", "session_id", "recordings", "coverage_ratio", "strategy_version", "execution_model", "figures", "terms", "denials", "days", "live_slippage_bps", "replay_slippage_bps", "policy_version", "drift", "execution_domain", "capital", "features", "replay_version", "unequal", "weight")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    REPORT_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    ORDER_LIST_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDINGS_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_RATIO_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_VERSION_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_MODEL_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    DENIALS_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    LIVE_SLIPPAGE_BPS_FIELD_NUMBER: _ClassVar[int]
    REPLAY_SLIPPAGE_BPS_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    DRIFT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    CAPITAL_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    REPLAY_VERSION_FIELD_NUMBER: _ClassVar[int]
    UNEQUAL_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    report_id: str
    created_at: _timestamp_pb2.Timestamp
    created_by: str
    start: _timestamp_pb2.Timestamp
    end: _timestamp_pb2.Timestamp
    verdict: DivergenceVerdict
    reasons: _containers.RepeatedScalarFieldContainer[str]
    order_list: str
    account: str
    session_id: str
    recordings: _containers.RepeatedScalarFieldContainer[str]
    coverage_ratio: float
    strategy_version: str
    execution_model: str
    figures: DivergenceFigures
    terms: DivergenceTerms
    denials: _containers.RepeatedCompositeFieldContainer[DivergenceDenials]
    days: _containers.RepeatedCompositeFieldContainer[DivergenceDay]
    live_slippage_bps: _containers.RepeatedScalarFieldContainer[float]
    replay_slippage_bps: _containers.RepeatedScalarFieldContainer[float]
    policy_version: int
    drift: _containers.RepeatedCompositeFieldContainer[FeatureDrift]
    execution_domain: _common_pb2.ExecutionDomain
    capital: str
    features: _containers.RepeatedCompositeFieldContainer[FeatureCounts]
    replay_version: str
    unequal: _containers.RepeatedScalarFieldContainer[str]
    weight: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., report_id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_by: _Optional[str] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., verdict: _Optional[_Union[DivergenceVerdict, str]] = ..., reasons: _Optional[_Iterable[str]] = ..., order_list: _Optional[str] = ..., account: _Optional[str] = ..., session_id: _Optional[str] = ..., recordings: _Optional[_Iterable[str]] = ..., coverage_ratio: _Optional[float] = ..., strategy_version: _Optional[str] = ..., execution_model: _Optional[str] = ..., figures: _Optional[_Union[DivergenceFigures, _Mapping]] = ..., terms: _Optional[_Union[DivergenceTerms, _Mapping]] = ..., denials: _Optional[_Iterable[_Union[DivergenceDenials, _Mapping]]] = ..., days: _Optional[_Iterable[_Union[DivergenceDay, _Mapping]]] = ..., live_slippage_bps: _Optional[_Iterable[float]] = ..., replay_slippage_bps: _Optional[_Iterable[float]] = ..., policy_version: _Optional[int] = ..., drift: _Optional[_Iterable[_Union[FeatureDrift, _Mapping]]] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., capital: _Optional[str] = ..., features: _Optional[_Iterable[_Union[FeatureCounts, _Mapping]]] = ..., replay_version: _Optional[str] = ..., unequal: _Optional[_Iterable[str]] = ..., weight: _Optional[str] = ...) -> None: ...

class FeatureDrift(_message.Message):
    __slots__ = ("node", "psi")
    NODE_FIELD_NUMBER: _ClassVar[int]
    PSI_FIELD_NUMBER: _ClassVar[int]
    node: str
    psi: float
    def __init__(self, node: _Optional[str] = ..., psi: _Optional[float] = ...) -> None: ...

class FeatureCounts(_message.Message):
    __slots__ = ("node", "reference_counts", "live_counts")
    NODE_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    LIVE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    node: str
    reference_counts: _containers.RepeatedScalarFieldContainer[int]
    live_counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, node: _Optional[str] = ..., reference_counts: _Optional[_Iterable[int]] = ..., live_counts: _Optional[_Iterable[int]] = ...) -> None: ...

class DivergenceFigures(_message.Message):
    __slots__ = ("pair_count", "shifted_count", "only_live_count", "only_replay_count", "match_rate", "fill_ratio", "live_slippage_bps", "replay_slippage_bps", "tracking_error", "day_count", "mean_difference", "mean_t")
    PAIR_COUNT_FIELD_NUMBER: _ClassVar[int]
    SHIFTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    ONLY_LIVE_COUNT_FIELD_NUMBER: _ClassVar[int]
    ONLY_REPLAY_COUNT_FIELD_NUMBER: _ClassVar[int]
    MATCH_RATE_FIELD_NUMBER: _ClassVar[int]
    FILL_RATIO_FIELD_NUMBER: _ClassVar[int]
    LIVE_SLIPPAGE_BPS_FIELD_NUMBER: _ClassVar[int]
    REPLAY_SLIPPAGE_BPS_FIELD_NUMBER: _ClassVar[int]
    TRACKING_ERROR_FIELD_NUMBER: _ClassVar[int]
    DAY_COUNT_FIELD_NUMBER: _ClassVar[int]
    MEAN_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    MEAN_T_FIELD_NUMBER: _ClassVar[int]
    pair_count: int
    shifted_count: int
    only_live_count: int
    only_replay_count: int
    match_rate: float
    fill_ratio: float
    live_slippage_bps: float
    replay_slippage_bps: float
    tracking_error: float
    day_count: int
    mean_difference: float
    mean_t: float
    def __init__(self, pair_count: _Optional[int] = ..., shifted_count: _Optional[int] = ..., only_live_count: _Optional[int] = ..., only_replay_count: _Optional[int] = ..., match_rate: _Optional[float] = ..., fill_ratio: _Optional[float] = ..., live_slippage_bps: _Optional[float] = ..., replay_slippage_bps: _Optional[float] = ..., tracking_error: _Optional[float] = ..., day_count: _Optional[int] = ..., mean_difference: _Optional[float] = ..., mean_t: _Optional[float] = ...) -> None: ...

class DivergenceTerms(_message.Message):
    __slots__ = ("live_pnl", "replay_pnl", "unmatched", "fill", "arrival", "execution", "fees", "funding", "mark", "opening")
    LIVE_PNL_FIELD_NUMBER: _ClassVar[int]
    REPLAY_PNL_FIELD_NUMBER: _ClassVar[int]
    UNMATCHED_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    ARRIVAL_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    FEES_FIELD_NUMBER: _ClassVar[int]
    FUNDING_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    live_pnl: str
    replay_pnl: str
    unmatched: str
    fill: str
    arrival: str
    execution: str
    fees: str
    funding: str
    mark: str
    opening: str
    def __init__(self, live_pnl: _Optional[str] = ..., replay_pnl: _Optional[str] = ..., unmatched: _Optional[str] = ..., fill: _Optional[str] = ..., arrival: _Optional[str] = ..., execution: _Optional[str] = ..., fees: _Optional[str] = ..., funding: _Optional[str] = ..., mark: _Optional[str] = ..., opening: _Optional[str] = ...) -> None: ...

class DivergenceDenials(_message.Message):
    __slots__ = ("rule", "live_count", "replay_count")
    RULE_FIELD_NUMBER: _ClassVar[int]
    LIVE_COUNT_FIELD_NUMBER: _ClassVar[int]
    REPLAY_COUNT_FIELD_NUMBER: _ClassVar[int]
    rule: str
    live_count: int
    replay_count: int
    def __init__(self, rule: _Optional[str] = ..., live_count: _Optional[int] = ..., replay_count: _Optional[int] = ...) -> None: ...

class DivergenceDay(_message.Message):
    __slots__ = ("day", "live_growth", "replay_growth")
    DAY_FIELD_NUMBER: _ClassVar[int]
    LIVE_GROWTH_FIELD_NUMBER: _ClassVar[int]
    REPLAY_GROWTH_FIELD_NUMBER: _ClassVar[int]
    day: str
    live_growth: float
    replay_growth: float
    def __init__(self, day: _Optional[str] = ..., live_growth: _Optional[float] = ..., replay_growth: _Optional[float] = ...) -> None: ...

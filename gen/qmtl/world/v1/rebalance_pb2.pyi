import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.risk.v1 import risk_pb2 as _risk_pb2
from qmtl.world.v1 import allocation_pb2 as _allocation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScaleMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCALE_MODE_UNSPECIFIED: _ClassVar[ScaleMode]
    SCALE_MODE_EXACT: _ClassVar[ScaleMode]
    SCALE_MODE_WORLD_BOUND: _ClassVar[ScaleMode]

class RebalanceExecution(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REBALANCE_EXECUTION_UNSPECIFIED: _ClassVar[RebalanceExecution]
    REBALANCE_EXECUTION_PER_WORLD: _ClassVar[RebalanceExecution]
    REBALANCE_EXECUTION_NETTED: _ClassVar[RebalanceExecution]

class RebalanceApproach(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REBALANCE_APPROACH_UNSPECIFIED: _ClassVar[RebalanceApproach]
    REBALANCE_APPROACH_SCALE: _ClassVar[RebalanceApproach]
    REBALANCE_APPROACH_OVERLAY: _ClassVar[RebalanceApproach]
    REBALANCE_APPROACH_HYBRID: _ClassVar[RebalanceApproach]

class LegReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEG_REASON_UNSPECIFIED: _ClassVar[LegReason]
    LEG_REASON_BELOW_LOT: _ClassVar[LegReason]
    LEG_REASON_BELOW_MIN_QUANTITY: _ClassVar[LegReason]
    LEG_REASON_BELOW_MIN_NOTIONAL: _ClassVar[LegReason]
    LEG_REASON_WITHIN_BAND: _ClassVar[LegReason]
    LEG_REASON_SYMBOL_ALIASED: _ClassVar[LegReason]
    LEG_REASON_SLICED: _ClassVar[LegReason]
    LEG_REASON_NOT_ACTIVE: _ClassVar[LegReason]
    LEG_REASON_FENCED: _ClassVar[LegReason]
    LEG_REASON_OVER_BUDGET: _ClassVar[LegReason]
    LEG_REASON_HEDGE_AT_ZERO: _ClassVar[LegReason]

class RebalanceState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REBALANCE_STATE_UNSPECIFIED: _ClassVar[RebalanceState]
    REBALANCE_STATE_RECORDED: _ClassVar[RebalanceState]
    REBALANCE_STATE_EXECUTING: _ClassVar[RebalanceState]
    REBALANCE_STATE_CANCELING: _ClassVar[RebalanceState]
    REBALANCE_STATE_COMPLETED: _ClassVar[RebalanceState]
    REBALANCE_STATE_PARTIAL: _ClassVar[RebalanceState]
    REBALANCE_STATE_CANCELED: _ClassVar[RebalanceState]
    REBALANCE_STATE_EXPIRED: _ClassVar[RebalanceState]

class RebalanceWay(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REBALANCE_WAY_UNSPECIFIED: _ClassVar[RebalanceWay]
    REBALANCE_WAY_SCALED: _ClassVar[RebalanceWay]
    REBALANCE_WAY_HEDGED: _ClassVar[RebalanceWay]
    REBALANCE_WAY_COST_UNKNOWN: _ClassVar[RebalanceWay]
    REBALANCE_WAY_OVERLAY_UNCORRELATED: _ClassVar[RebalanceWay]
SCALE_MODE_UNSPECIFIED: ScaleMode
SCALE_MODE_EXACT: ScaleMode
SCALE_MODE_WORLD_BOUND: ScaleMode
REBALANCE_EXECUTION_UNSPECIFIED: RebalanceExecution
REBALANCE_EXECUTION_PER_WORLD: RebalanceExecution
REBALANCE_EXECUTION_NETTED: RebalanceExecution
REBALANCE_APPROACH_UNSPECIFIED: RebalanceApproach
REBALANCE_APPROACH_SCALE: RebalanceApproach
REBALANCE_APPROACH_OVERLAY: RebalanceApproach
REBALANCE_APPROACH_HYBRID: RebalanceApproach
LEG_REASON_UNSPECIFIED: LegReason
LEG_REASON_BELOW_LOT: LegReason
LEG_REASON_BELOW_MIN_QUANTITY: LegReason
LEG_REASON_BELOW_MIN_NOTIONAL: LegReason
LEG_REASON_WITHIN_BAND: LegReason
LEG_REASON_SYMBOL_ALIASED: LegReason
LEG_REASON_SLICED: LegReason
LEG_REASON_NOT_ACTIVE: LegReason
LEG_REASON_FENCED: LegReason
LEG_REASON_OVER_BUDGET: LegReason
LEG_REASON_HEDGE_AT_ZERO: LegReason
REBALANCE_STATE_UNSPECIFIED: RebalanceState
REBALANCE_STATE_RECORDED: RebalanceState
REBALANCE_STATE_EXECUTING: RebalanceState
REBALANCE_STATE_CANCELING: RebalanceState
REBALANCE_STATE_COMPLETED: RebalanceState
REBALANCE_STATE_PARTIAL: RebalanceState
REBALANCE_STATE_CANCELED: RebalanceState
REBALANCE_STATE_EXPIRED: RebalanceState
REBALANCE_WAY_UNSPECIFIED: RebalanceWay
REBALANCE_WAY_SCALED: RebalanceWay
REBALANCE_WAY_HEDGED: RebalanceWay
REBALANCE_WAY_COST_UNKNOWN: RebalanceWay
REBALANCE_WAY_OVERLAY_UNCORRELATED: RebalanceWay

class ShareRevisions(_message.Message):
    __slots__ = ("before_revision", "after_revision")
    BEFORE_REVISION_FIELD_NUMBER: _ClassVar[int]
    AFTER_REVISION_FIELD_NUMBER: _ClassVar[int]
    before_revision: int
    after_revision: int
    def __init__(self, before_revision: _Optional[int] = ..., after_revision: _Optional[int] = ...) -> None: ...

class ExplicitScales(_message.Message):
    __slots__ = ("worlds", "strategies")
    WORLDS_FIELD_NUMBER: _ClassVar[int]
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    worlds: _containers.RepeatedCompositeFieldContainer[_allocation_pb2.WorldShare]
    strategies: _containers.RepeatedCompositeFieldContainer[_allocation_pb2.StrategyShare]
    def __init__(self, worlds: _Optional[_Iterable[_Union[_allocation_pb2.WorldShare, _Mapping]]] = ..., strategies: _Optional[_Iterable[_Union[_allocation_pb2.StrategyShare, _Mapping]]] = ...) -> None: ...

class OrderConstraint(_message.Message):
    __slots__ = ("venue", "symbol", "lot", "quantity_min", "notional_min", "order_notional_max", "canonical_symbol")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    LOT_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MIN_FIELD_NUMBER: _ClassVar[int]
    NOTIONAL_MIN_FIELD_NUMBER: _ClassVar[int]
    ORDER_NOTIONAL_MAX_FIELD_NUMBER: _ClassVar[int]
    CANONICAL_SYMBOL_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    lot: str
    quantity_min: str
    notional_min: str
    order_notional_max: str
    canonical_symbol: str
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., lot: _Optional[str] = ..., quantity_min: _Optional[str] = ..., notional_min: _Optional[str] = ..., order_notional_max: _Optional[str] = ..., canonical_symbol: _Optional[str] = ...) -> None: ...

class SymbolMarket(_message.Message):
    __slots__ = ("symbol", "daily_vol", "daily_volume", "half_spread_bps", "fee_bps", "shares_outstanding", "beta", "correlation")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    DAILY_VOL_FIELD_NUMBER: _ClassVar[int]
    DAILY_VOLUME_FIELD_NUMBER: _ClassVar[int]
    HALF_SPREAD_BPS_FIELD_NUMBER: _ClassVar[int]
    FEE_BPS_FIELD_NUMBER: _ClassVar[int]
    SHARES_OUTSTANDING_FIELD_NUMBER: _ClassVar[int]
    BETA_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    daily_vol: str
    daily_volume: str
    half_spread_bps: str
    fee_bps: str
    shares_outstanding: str
    beta: str
    correlation: str
    def __init__(self, symbol: _Optional[str] = ..., daily_vol: _Optional[str] = ..., daily_volume: _Optional[str] = ..., half_spread_bps: _Optional[str] = ..., fee_bps: _Optional[str] = ..., shares_outstanding: _Optional[str] = ..., beta: _Optional[str] = ..., correlation: _Optional[str] = ...) -> None: ...

class OverlayProxy(_message.Message):
    __slots__ = ("world_id", "venue", "symbol")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    venue: str
    symbol: str
    def __init__(self, world_id: _Optional[str] = ..., venue: _Optional[str] = ..., symbol: _Optional[str] = ...) -> None: ...

class Pace(_message.Message):
    __slots__ = ("slices", "horizon", "risk_aversion", "volatility", "eta", "gamma")
    SLICES_FIELD_NUMBER: _ClassVar[int]
    HORIZON_FIELD_NUMBER: _ClassVar[int]
    RISK_AVERSION_FIELD_NUMBER: _ClassVar[int]
    VOLATILITY_FIELD_NUMBER: _ClassVar[int]
    ETA_FIELD_NUMBER: _ClassVar[int]
    GAMMA_FIELD_NUMBER: _ClassVar[int]
    slices: int
    horizon: _duration_pb2.Duration
    risk_aversion: str
    volatility: str
    eta: str
    gamma: str
    def __init__(self, slices: _Optional[int] = ..., horizon: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., risk_aversion: _Optional[str] = ..., volatility: _Optional[str] = ..., eta: _Optional[str] = ..., gamma: _Optional[str] = ...) -> None: ...

class RebalanceRequest(_message.Message):
    __slots__ = ("account", "revisions", "explicit", "mode", "execution", "approach", "band", "constraints", "valid_for", "price_age_max", "markets", "days", "cost_max_bps", "proxies", "pace", "slippage_max_bps")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    EXPLICIT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    APPROACH_FIELD_NUMBER: _ClassVar[int]
    BAND_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    VALID_FOR_FIELD_NUMBER: _ClassVar[int]
    PRICE_AGE_MAX_FIELD_NUMBER: _ClassVar[int]
    MARKETS_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    COST_MAX_BPS_FIELD_NUMBER: _ClassVar[int]
    PROXIES_FIELD_NUMBER: _ClassVar[int]
    PACE_FIELD_NUMBER: _ClassVar[int]
    SLIPPAGE_MAX_BPS_FIELD_NUMBER: _ClassVar[int]
    account: str
    revisions: ShareRevisions
    explicit: ExplicitScales
    mode: ScaleMode
    execution: RebalanceExecution
    approach: RebalanceApproach
    band: str
    constraints: _containers.RepeatedCompositeFieldContainer[OrderConstraint]
    valid_for: _duration_pb2.Duration
    price_age_max: _duration_pb2.Duration
    markets: _containers.RepeatedCompositeFieldContainer[SymbolMarket]
    days: str
    cost_max_bps: str
    proxies: _containers.RepeatedCompositeFieldContainer[OverlayProxy]
    pace: Pace
    slippage_max_bps: str
    def __init__(self, account: _Optional[str] = ..., revisions: _Optional[_Union[ShareRevisions, _Mapping]] = ..., explicit: _Optional[_Union[ExplicitScales, _Mapping]] = ..., mode: _Optional[_Union[ScaleMode, str]] = ..., execution: _Optional[_Union[RebalanceExecution, str]] = ..., approach: _Optional[_Union[RebalanceApproach, str]] = ..., band: _Optional[str] = ..., constraints: _Optional[_Iterable[_Union[OrderConstraint, _Mapping]]] = ..., valid_for: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., price_age_max: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., markets: _Optional[_Iterable[_Union[SymbolMarket, _Mapping]]] = ..., days: _Optional[str] = ..., cost_max_bps: _Optional[str] = ..., proxies: _Optional[_Iterable[_Union[OverlayProxy, _Mapping]]] = ..., pace: _Optional[_Union[Pace, _Mapping]] = ..., slippage_max_bps: _Optional[str] = ...) -> None: ...

class RebalanceLeg(_message.Message):
    __slots__ = ("world_id", "strategy_id", "venue", "symbol", "quantity", "delta_numerator", "delta_denominator", "rounded", "reduce_only", "scale", "reasons", "mark_price", "mark_time", "notional", "cost_bps")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    DELTA_NUMERATOR_FIELD_NUMBER: _ClassVar[int]
    DELTA_DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    ROUNDED_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_FIELD_NUMBER: _ClassVar[int]
    MARK_TIME_FIELD_NUMBER: _ClassVar[int]
    NOTIONAL_FIELD_NUMBER: _ClassVar[int]
    COST_BPS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    venue: str
    symbol: str
    quantity: str
    delta_numerator: str
    delta_denominator: str
    rounded: str
    reduce_only: bool
    scale: str
    reasons: _containers.RepeatedScalarFieldContainer[LegReason]
    mark_price: str
    mark_time: _timestamp_pb2.Timestamp
    notional: str
    cost_bps: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., venue: _Optional[str] = ..., symbol: _Optional[str] = ..., quantity: _Optional[str] = ..., delta_numerator: _Optional[str] = ..., delta_denominator: _Optional[str] = ..., rounded: _Optional[str] = ..., reduce_only: _Optional[bool] = ..., scale: _Optional[str] = ..., reasons: _Optional[_Iterable[_Union[LegReason, str]]] = ..., mark_price: _Optional[str] = ..., mark_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., notional: _Optional[str] = ..., cost_bps: _Optional[str] = ...) -> None: ...

class RebalanceOrder(_message.Message):
    __slots__ = ("venue", "symbol", "quantity", "slices", "reduce_only", "legs", "lot", "shares")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    SLICES_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    LEGS_FIELD_NUMBER: _ClassVar[int]
    LOT_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    venue: str
    symbol: str
    quantity: str
    slices: _containers.RepeatedScalarFieldContainer[str]
    reduce_only: bool
    legs: _containers.RepeatedScalarFieldContainer[int]
    lot: str
    shares: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, venue: _Optional[str] = ..., symbol: _Optional[str] = ..., quantity: _Optional[str] = ..., slices: _Optional[_Iterable[str]] = ..., reduce_only: _Optional[bool] = ..., legs: _Optional[_Iterable[int]] = ..., lot: _Optional[str] = ..., shares: _Optional[_Iterable[str]] = ...) -> None: ...

class RebalanceTotals(_message.Message):
    __slots__ = ("gross", "net", "headroom")
    GROSS_FIELD_NUMBER: _ClassVar[int]
    NET_FIELD_NUMBER: _ClassVar[int]
    HEADROOM_FIELD_NUMBER: _ClassVar[int]
    gross: str
    net: str
    headroom: str
    def __init__(self, gross: _Optional[str] = ..., net: _Optional[str] = ..., headroom: _Optional[str] = ...) -> None: ...

class RebalanceChoice(_message.Message):
    __slots__ = ("world_id", "strategy_id", "symbol", "way", "scale_bps", "hedge_bps")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    WAY_FIELD_NUMBER: _ClassVar[int]
    SCALE_BPS_FIELD_NUMBER: _ClassVar[int]
    HEDGE_BPS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    symbol: str
    way: RebalanceWay
    scale_bps: str
    hedge_bps: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., symbol: _Optional[str] = ..., way: _Optional[_Union[RebalanceWay, str]] = ..., scale_bps: _Optional[str] = ..., hedge_bps: _Optional[str] = ...) -> None: ...

class RebalancePlan(_message.Message):
    __slots__ = ("account", "account_event_number", "execution", "approach", "legs", "orders", "before", "after", "warnings", "created_at", "valid_until", "plan_hash", "slice_interval", "closes", "risk_snapshot", "risk_before", "risk_after", "choices")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_EVENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    APPROACH_FIELD_NUMBER: _ClassVar[int]
    LEGS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_FIELD_NUMBER: _ClassVar[int]
    PLAN_HASH_FIELD_NUMBER: _ClassVar[int]
    SLICE_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    CLOSES_FIELD_NUMBER: _ClassVar[int]
    RISK_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    RISK_BEFORE_FIELD_NUMBER: _ClassVar[int]
    RISK_AFTER_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    account: str
    account_event_number: int
    execution: RebalanceExecution
    approach: RebalanceApproach
    legs: _containers.RepeatedCompositeFieldContainer[RebalanceLeg]
    orders: _containers.RepeatedCompositeFieldContainer[RebalanceOrder]
    before: RebalanceTotals
    after: RebalanceTotals
    warnings: _containers.RepeatedScalarFieldContainer[str]
    created_at: _timestamp_pb2.Timestamp
    valid_until: _timestamp_pb2.Timestamp
    plan_hash: str
    slice_interval: _duration_pb2.Duration
    closes: _containers.RepeatedScalarFieldContainer[str]
    risk_snapshot: str
    risk_before: _containers.RepeatedCompositeFieldContainer[_risk_pb2.RiskFigure]
    risk_after: _containers.RepeatedCompositeFieldContainer[_risk_pb2.RiskFigure]
    choices: _containers.RepeatedCompositeFieldContainer[RebalanceChoice]
    def __init__(self, account: _Optional[str] = ..., account_event_number: _Optional[int] = ..., execution: _Optional[_Union[RebalanceExecution, str]] = ..., approach: _Optional[_Union[RebalanceApproach, str]] = ..., legs: _Optional[_Iterable[_Union[RebalanceLeg, _Mapping]]] = ..., orders: _Optional[_Iterable[_Union[RebalanceOrder, _Mapping]]] = ..., before: _Optional[_Union[RebalanceTotals, _Mapping]] = ..., after: _Optional[_Union[RebalanceTotals, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., valid_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., plan_hash: _Optional[str] = ..., slice_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., closes: _Optional[_Iterable[str]] = ..., risk_snapshot: _Optional[str] = ..., risk_before: _Optional[_Iterable[_Union[_risk_pb2.RiskFigure, _Mapping]]] = ..., risk_after: _Optional[_Iterable[_Union[_risk_pb2.RiskFigure, _Mapping]]] = ..., choices: _Optional[_Iterable[_Union[RebalanceChoice, _Mapping]]] = ...) -> None: ...

class LegProgress(_message.Message):
    __slots__ = ("filled", "notional", "fees", "reason")
    class FeesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FILLED_FIELD_NUMBER: _ClassVar[int]
    NOTIONAL_FIELD_NUMBER: _ClassVar[int]
    FEES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    filled: str
    notional: str
    fees: _containers.ScalarMap[str, str]
    reason: str
    def __init__(self, filled: _Optional[str] = ..., notional: _Optional[str] = ..., fees: _Optional[_Mapping[str, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class RebalanceRun(_message.Message):
    __slots__ = ("account", "run_id", "state", "revision", "plan", "request", "reason", "applied_by", "executed_by", "progress", "reasons", "created_at", "started_at", "ended_at", "allow_live", "two_person", "truncated", "world_ids")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    APPLIED_BY_FIELD_NUMBER: _ClassVar[int]
    EXECUTED_BY_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LIVE_FIELD_NUMBER: _ClassVar[int]
    TWO_PERSON_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    WORLD_IDS_FIELD_NUMBER: _ClassVar[int]
    account: str
    run_id: str
    state: RebalanceState
    revision: int
    plan: RebalancePlan
    request: RebalanceRequest
    reason: str
    applied_by: str
    executed_by: str
    progress: _containers.RepeatedCompositeFieldContainer[LegProgress]
    reasons: _containers.RepeatedScalarFieldContainer[str]
    created_at: _timestamp_pb2.Timestamp
    started_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    allow_live: bool
    two_person: bool
    truncated: bool
    world_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, account: _Optional[str] = ..., run_id: _Optional[str] = ..., state: _Optional[_Union[RebalanceState, str]] = ..., revision: _Optional[int] = ..., plan: _Optional[_Union[RebalancePlan, _Mapping]] = ..., request: _Optional[_Union[RebalanceRequest, _Mapping]] = ..., reason: _Optional[str] = ..., applied_by: _Optional[str] = ..., executed_by: _Optional[str] = ..., progress: _Optional[_Iterable[_Union[LegProgress, _Mapping]]] = ..., reasons: _Optional[_Iterable[str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., allow_live: _Optional[bool] = ..., two_person: _Optional[bool] = ..., truncated: _Optional[bool] = ..., world_ids: _Optional[_Iterable[str]] = ...) -> None: ...

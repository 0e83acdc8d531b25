import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import account_pb2 as _account_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RiskStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RISK_STAGE_UNSPECIFIED: _ClassVar[RiskStage]
    RISK_STAGE_PAPER: _ClassVar[RiskStage]
    RISK_STAGE_LIVE: _ClassVar[RiskStage]

class SnapshotState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SNAPSHOT_STATE_UNSPECIFIED: _ClassVar[SnapshotState]
    SNAPSHOT_STATE_CURRENT: _ClassVar[SnapshotState]
    SNAPSHOT_STATE_SUPERSEDED: _ClassVar[SnapshotState]
    SNAPSHOT_STATE_EXPIRED: _ClassVar[SnapshotState]

class ForecastVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FORECAST_VERDICT_UNSPECIFIED: _ClassVar[ForecastVerdict]
    FORECAST_VERDICT_ACCEPTED: _ClassVar[ForecastVerdict]
    FORECAST_VERDICT_CONSERVATIVE: _ClassVar[ForecastVerdict]
    FORECAST_VERDICT_REJECTED: _ClassVar[ForecastVerdict]

class BaselZone(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BASEL_ZONE_UNSPECIFIED: _ClassVar[BaselZone]
    BASEL_ZONE_GREEN: _ClassVar[BaselZone]
    BASEL_ZONE_YELLOW: _ClassVar[BaselZone]
    BASEL_ZONE_RED: _ClassVar[BaselZone]

class BreachState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREACH_STATE_UNSPECIFIED: _ClassVar[BreachState]
    BREACH_STATE_WATCHED: _ClassVar[BreachState]
    BREACH_STATE_PENDING: _ClassVar[BreachState]
    BREACH_STATE_BREACHED: _ClassVar[BreachState]
    BREACH_STATE_ACTED: _ClassVar[BreachState]
    BREACH_STATE_ACKNOWLEDGED: _ClassVar[BreachState]
    BREACH_STATE_CLEARED: _ClassVar[BreachState]

class ExposureGroup(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPOSURE_GROUP_UNSPECIFIED: _ClassVar[ExposureGroup]
    EXPOSURE_GROUP_ACCOUNT: _ClassVar[ExposureGroup]
    EXPOSURE_GROUP_WORLD: _ClassVar[ExposureGroup]
    EXPOSURE_GROUP_STRATEGY: _ClassVar[ExposureGroup]
    EXPOSURE_GROUP_SYMBOL: _ClassVar[ExposureGroup]
    EXPOSURE_GROUP_SECTOR: _ClassVar[ExposureGroup]
RISK_STAGE_UNSPECIFIED: RiskStage
RISK_STAGE_PAPER: RiskStage
RISK_STAGE_LIVE: RiskStage
SNAPSHOT_STATE_UNSPECIFIED: SnapshotState
SNAPSHOT_STATE_CURRENT: SnapshotState
SNAPSHOT_STATE_SUPERSEDED: SnapshotState
SNAPSHOT_STATE_EXPIRED: SnapshotState
FORECAST_VERDICT_UNSPECIFIED: ForecastVerdict
FORECAST_VERDICT_ACCEPTED: ForecastVerdict
FORECAST_VERDICT_CONSERVATIVE: ForecastVerdict
FORECAST_VERDICT_REJECTED: ForecastVerdict
BASEL_ZONE_UNSPECIFIED: BaselZone
BASEL_ZONE_GREEN: BaselZone
BASEL_ZONE_YELLOW: BaselZone
BASEL_ZONE_RED: BaselZone
BREACH_STATE_UNSPECIFIED: BreachState
BREACH_STATE_WATCHED: BreachState
BREACH_STATE_PENDING: BreachState
BREACH_STATE_BREACHED: BreachState
BREACH_STATE_ACTED: BreachState
BREACH_STATE_ACKNOWLEDGED: BreachState
BREACH_STATE_CLEARED: BreachState
EXPOSURE_GROUP_UNSPECIFIED: ExposureGroup
EXPOSURE_GROUP_ACCOUNT: ExposureGroup
EXPOSURE_GROUP_WORLD: ExposureGroup
EXPOSURE_GROUP_STRATEGY: ExposureGroup
EXPOSURE_GROUP_SYMBOL: ExposureGroup
EXPOSURE_GROUP_SECTOR: ExposureGroup

class RiskWeight(_message.Message):
    __slots__ = ("id", "share")
    ID_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    id: str
    share: float
    def __init__(self, id: _Optional[str] = ..., share: _Optional[float] = ...) -> None: ...

class RiskCovariance(_message.Message):
    __slots__ = ("ids", "lower_triangle")
    IDS_FIELD_NUMBER: _ClassVar[int]
    LOWER_TRIANGLE_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    lower_triangle: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., lower_triangle: _Optional[_Iterable[float]] = ...) -> None: ...

class ReturnSeries(_message.Message):
    __slots__ = ("id", "start_day", "values", "offsets", "closed_offsets")
    ID_FIELD_NUMBER: _ClassVar[int]
    START_DAY_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    OFFSETS_FIELD_NUMBER: _ClassVar[int]
    CLOSED_OFFSETS_FIELD_NUMBER: _ClassVar[int]
    id: str
    start_day: str
    values: _containers.RepeatedScalarFieldContainer[float]
    offsets: _containers.RepeatedScalarFieldContainer[int]
    closed_offsets: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, id: _Optional[str] = ..., start_day: _Optional[str] = ..., values: _Optional[_Iterable[float]] = ..., offsets: _Optional[_Iterable[int]] = ..., closed_offsets: _Optional[_Iterable[int]] = ...) -> None: ...

class RiskExposure(_message.Message):
    __slots__ = ("strategy_id", "symbol", "quantity", "mark", "notional", "sector", "asset_class", "reserved")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    NOTIONAL_FIELD_NUMBER: _ClassVar[int]
    SECTOR_FIELD_NUMBER: _ClassVar[int]
    ASSET_CLASS_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    symbol: str
    quantity: str
    mark: str
    notional: str
    sector: str
    asset_class: str
    reserved: str
    def __init__(self, strategy_id: _Optional[str] = ..., symbol: _Optional[str] = ..., quantity: _Optional[str] = ..., mark: _Optional[str] = ..., notional: _Optional[str] = ..., sector: _Optional[str] = ..., asset_class: _Optional[str] = ..., reserved: _Optional[str] = ...) -> None: ...

class StressScenario(_message.Message):
    __slots__ = ("name", "by_symbol", "by_sector", "by_asset_class", "first_day", "last_day")
    class BySymbolEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class BySectorEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class ByAssetClassEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    BY_SYMBOL_FIELD_NUMBER: _ClassVar[int]
    BY_SECTOR_FIELD_NUMBER: _ClassVar[int]
    BY_ASSET_CLASS_FIELD_NUMBER: _ClassVar[int]
    FIRST_DAY_FIELD_NUMBER: _ClassVar[int]
    LAST_DAY_FIELD_NUMBER: _ClassVar[int]
    name: str
    by_symbol: _containers.ScalarMap[str, float]
    by_sector: _containers.ScalarMap[str, float]
    by_asset_class: _containers.ScalarMap[str, float]
    first_day: str
    last_day: str
    def __init__(self, name: _Optional[str] = ..., by_symbol: _Optional[_Mapping[str, float]] = ..., by_sector: _Optional[_Mapping[str, float]] = ..., by_asset_class: _Optional[_Mapping[str, float]] = ..., first_day: _Optional[str] = ..., last_day: _Optional[str] = ...) -> None: ...

class RiskDataRef(_message.Message):
    __slots__ = ("url", "hash", "bytes")
    URL_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    url: str
    hash: str
    bytes: int
    def __init__(self, url: _Optional[str] = ..., hash: _Optional[str] = ..., bytes: _Optional[int] = ...) -> None: ...

class RiskSnapshot(_message.Message):
    __slots__ = ("scope", "version", "as_of", "ttl", "stage", "weights", "covariance", "returns", "exposures", "scenarios", "capital", "currency", "net_of_costs", "account_sequence", "covariance_ref", "returns_ref", "actor", "hash", "created_at", "revision", "state")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    COVARIANCE_FIELD_NUMBER: _ClassVar[int]
    RETURNS_FIELD_NUMBER: _ClassVar[int]
    EXPOSURES_FIELD_NUMBER: _ClassVar[int]
    SCENARIOS_FIELD_NUMBER: _ClassVar[int]
    CAPITAL_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    NET_OF_COSTS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    COVARIANCE_REF_FIELD_NUMBER: _ClassVar[int]
    RETURNS_REF_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    scope: str
    version: str
    as_of: _timestamp_pb2.Timestamp
    ttl: _duration_pb2.Duration
    stage: RiskStage
    weights: _containers.RepeatedCompositeFieldContainer[RiskWeight]
    covariance: RiskCovariance
    returns: _containers.RepeatedCompositeFieldContainer[ReturnSeries]
    exposures: _containers.RepeatedCompositeFieldContainer[RiskExposure]
    scenarios: _containers.RepeatedCompositeFieldContainer[StressScenario]
    capital: str
    currency: str
    net_of_costs: bool
    account_sequence: int
    covariance_ref: RiskDataRef
    returns_ref: RiskDataRef
    actor: str
    hash: str
    created_at: _timestamp_pb2.Timestamp
    revision: int
    state: SnapshotState
    def __init__(self, scope: _Optional[str] = ..., version: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., stage: _Optional[_Union[RiskStage, str]] = ..., weights: _Optional[_Iterable[_Union[RiskWeight, _Mapping]]] = ..., covariance: _Optional[_Union[RiskCovariance, _Mapping]] = ..., returns: _Optional[_Iterable[_Union[ReturnSeries, _Mapping]]] = ..., exposures: _Optional[_Iterable[_Union[RiskExposure, _Mapping]]] = ..., scenarios: _Optional[_Iterable[_Union[StressScenario, _Mapping]]] = ..., capital: _Optional[str] = ..., currency: _Optional[str] = ..., net_of_costs: _Optional[bool] = ..., account_sequence: _Optional[int] = ..., covariance_ref: _Optional[_Union[RiskDataRef, _Mapping]] = ..., returns_ref: _Optional[_Union[RiskDataRef, _Mapping]] = ..., actor: _Optional[str] = ..., hash: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[int] = ..., state: _Optional[_Union[SnapshotState, str]] = ...) -> None: ...

class SnapshotHeader(_message.Message):
    __slots__ = ("scope", "version", "as_of", "expires_at", "stage", "actor", "hash", "created_at", "revision", "state", "figures")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    scope: str
    version: str
    as_of: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    stage: RiskStage
    actor: str
    hash: str
    created_at: _timestamp_pb2.Timestamp
    revision: int
    state: SnapshotState
    figures: _containers.RepeatedCompositeFieldContainer[RiskFigure]
    def __init__(self, scope: _Optional[str] = ..., version: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stage: _Optional[_Union[RiskStage, str]] = ..., actor: _Optional[str] = ..., hash: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[int] = ..., state: _Optional[_Union[SnapshotState, str]] = ..., figures: _Optional[_Iterable[_Union[RiskFigure, _Mapping]]] = ...) -> None: ...

class RiskFigure(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class TailRisk(_message.Message):
    __slots__ = ("var_99", "es_99", "var_975", "es_975")
    VAR_99_FIELD_NUMBER: _ClassVar[int]
    ES_99_FIELD_NUMBER: _ClassVar[int]
    VAR_975_FIELD_NUMBER: _ClassVar[int]
    ES_975_FIELD_NUMBER: _ClassVar[int]
    var_99: float
    es_99: float
    var_975: float
    es_975: float
    def __init__(self, var_99: _Optional[float] = ..., es_99: _Optional[float] = ..., var_975: _Optional[float] = ..., es_975: _Optional[float] = ...) -> None: ...

class StrategyRisk(_message.Message):
    __slots__ = ("strategy_id", "weight", "vol", "component", "component_share", "drawdown")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    VOL_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_SHARE_FIELD_NUMBER: _ClassVar[int]
    DRAWDOWN_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    weight: float
    vol: float
    component: float
    component_share: float
    drawdown: float
    def __init__(self, strategy_id: _Optional[str] = ..., weight: _Optional[float] = ..., vol: _Optional[float] = ..., component: _Optional[float] = ..., component_share: _Optional[float] = ..., drawdown: _Optional[float] = ...) -> None: ...

class StressLoss(_message.Message):
    __slots__ = ("name", "loss", "unshocked")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    UNSHOCKED_FIELD_NUMBER: _ClassVar[int]
    name: str
    loss: float
    unshocked: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., loss: _Optional[float] = ..., unshocked: _Optional[_Iterable[str]] = ...) -> None: ...

class RiskShortfall(_message.Message):
    __slots__ = ("reason", "detail")
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    reason: str
    detail: str
    def __init__(self, reason: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class RiskReport(_message.Message):
    __slots__ = ("scope", "snapshot_version", "snapshot_hash", "as_of", "normal", "historical", "figures", "strategies", "stress", "shrinkage", "covariance_days", "history_days", "missing")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_HASH_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    NORMAL_FIELD_NUMBER: _ClassVar[int]
    HISTORICAL_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    STRESS_FIELD_NUMBER: _ClassVar[int]
    SHRINKAGE_FIELD_NUMBER: _ClassVar[int]
    COVARIANCE_DAYS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_DAYS_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    scope: str
    snapshot_version: str
    snapshot_hash: str
    as_of: _timestamp_pb2.Timestamp
    normal: TailRisk
    historical: TailRisk
    figures: _containers.RepeatedCompositeFieldContainer[RiskFigure]
    strategies: _containers.RepeatedCompositeFieldContainer[StrategyRisk]
    stress: _containers.RepeatedCompositeFieldContainer[StressLoss]
    shrinkage: float
    covariance_days: int
    history_days: int
    missing: _containers.RepeatedCompositeFieldContainer[RiskShortfall]
    def __init__(self, scope: _Optional[str] = ..., snapshot_version: _Optional[str] = ..., snapshot_hash: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., normal: _Optional[_Union[TailRisk, _Mapping]] = ..., historical: _Optional[_Union[TailRisk, _Mapping]] = ..., figures: _Optional[_Iterable[_Union[RiskFigure, _Mapping]]] = ..., strategies: _Optional[_Iterable[_Union[StrategyRisk, _Mapping]]] = ..., stress: _Optional[_Iterable[_Union[StressLoss, _Mapping]]] = ..., shrinkage: _Optional[float] = ..., covariance_days: _Optional[int] = ..., history_days: _Optional[int] = ..., missing: _Optional[_Iterable[_Union[RiskShortfall, _Mapping]]] = ...) -> None: ...

class LikelihoodRatio(_message.Message):
    __slots__ = ("statistic", "p")
    STATISTIC_FIELD_NUMBER: _ClassVar[int]
    P_FIELD_NUMBER: _ClassVar[int]
    statistic: float
    p: float
    def __init__(self, statistic: _Optional[float] = ..., p: _Optional[float] = ...) -> None: ...

class ForecastDay(_message.Message):
    __slots__ = ("day", "var_99", "es_975", "realised", "exception")
    DAY_FIELD_NUMBER: _ClassVar[int]
    VAR_99_FIELD_NUMBER: _ClassVar[int]
    ES_975_FIELD_NUMBER: _ClassVar[int]
    REALISED_FIELD_NUMBER: _ClassVar[int]
    EXCEPTION_FIELD_NUMBER: _ClassVar[int]
    day: str
    var_99: float
    es_975: float
    realised: float
    exception: bool
    def __init__(self, day: _Optional[str] = ..., var_99: _Optional[float] = ..., es_975: _Optional[float] = ..., realised: _Optional[float] = ..., exception: _Optional[bool] = ...) -> None: ...

class ForecastTests(_message.Message):
    __slots__ = ("days", "missing", "exceptions", "unconditional", "independence", "conditional", "z2", "z2_critical", "z2_red", "zone", "verdict", "model_rejected")
    DAYS_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    EXCEPTIONS_FIELD_NUMBER: _ClassVar[int]
    UNCONDITIONAL_FIELD_NUMBER: _ClassVar[int]
    INDEPENDENCE_FIELD_NUMBER: _ClassVar[int]
    CONDITIONAL_FIELD_NUMBER: _ClassVar[int]
    Z2_FIELD_NUMBER: _ClassVar[int]
    Z2_CRITICAL_FIELD_NUMBER: _ClassVar[int]
    Z2_RED_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    MODEL_REJECTED_FIELD_NUMBER: _ClassVar[int]
    days: int
    missing: int
    exceptions: int
    unconditional: LikelihoodRatio
    independence: LikelihoodRatio
    conditional: LikelihoodRatio
    z2: float
    z2_critical: float
    z2_red: float
    zone: BaselZone
    verdict: ForecastVerdict
    model_rejected: bool
    def __init__(self, days: _Optional[int] = ..., missing: _Optional[int] = ..., exceptions: _Optional[int] = ..., unconditional: _Optional[_Union[LikelihoodRatio, _Mapping]] = ..., independence: _Optional[_Union[LikelihoodRatio, _Mapping]] = ..., conditional: _Optional[_Union[LikelihoodRatio, _Mapping]] = ..., z2: _Optional[float] = ..., z2_critical: _Optional[float] = ..., z2_red: _Optional[float] = ..., zone: _Optional[_Union[BaselZone, str]] = ..., verdict: _Optional[_Union[ForecastVerdict, str]] = ..., model_rejected: _Optional[bool] = ...) -> None: ...

class HubAccountLimits(_message.Message):
    __slots__ = ("account", "revision", "limits", "etag", "limits_pending", "pending_reason", "updated_by", "updated_at")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    LIMITS_PENDING_FIELD_NUMBER: _ClassVar[int]
    PENDING_REASON_FIELD_NUMBER: _ClassVar[int]
    UPDATED_BY_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    account: str
    revision: int
    limits: _account_pb2.AccountLimits
    etag: str
    limits_pending: bool
    pending_reason: str
    updated_by: str
    updated_at: _timestamp_pb2.Timestamp
    def __init__(self, account: _Optional[str] = ..., revision: _Optional[int] = ..., limits: _Optional[_Union[_account_pb2.AccountLimits, _Mapping]] = ..., etag: _Optional[str] = ..., limits_pending: _Optional[bool] = ..., pending_reason: _Optional[str] = ..., updated_by: _Optional[str] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RiskBreach(_message.Message):
    __slots__ = ("sequence", "scope", "rule", "target", "state", "count", "figures", "act", "detail", "snapshot_version", "since", "updated_at", "acknowledged_by", "acknowledged_reason")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_BY_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_REASON_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    scope: str
    rule: str
    target: str
    state: BreachState
    count: int
    figures: _containers.RepeatedCompositeFieldContainer[RiskFigure]
    act: str
    detail: str
    snapshot_version: str
    since: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    acknowledged_by: str
    acknowledged_reason: str
    def __init__(self, sequence: _Optional[int] = ..., scope: _Optional[str] = ..., rule: _Optional[str] = ..., target: _Optional[str] = ..., state: _Optional[_Union[BreachState, str]] = ..., count: _Optional[int] = ..., figures: _Optional[_Iterable[_Union[RiskFigure, _Mapping]]] = ..., act: _Optional[str] = ..., detail: _Optional[str] = ..., snapshot_version: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., acknowledged_by: _Optional[str] = ..., acknowledged_reason: _Optional[str] = ...) -> None: ...

class ExposureRow(_message.Message):
    __slots__ = ("group", "name", "gross", "net", "reserved", "limit", "headroom")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    GROSS_FIELD_NUMBER: _ClassVar[int]
    NET_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    HEADROOM_FIELD_NUMBER: _ClassVar[int]
    group: ExposureGroup
    name: str
    gross: str
    net: str
    reserved: str
    limit: str
    headroom: str
    def __init__(self, group: _Optional[_Union[ExposureGroup, str]] = ..., name: _Optional[str] = ..., gross: _Optional[str] = ..., net: _Optional[str] = ..., reserved: _Optional[str] = ..., limit: _Optional[str] = ..., headroom: _Optional[str] = ...) -> None: ...

class BrokenLimit(_message.Message):
    __slots__ = ("limit", "value", "max")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    limit: str
    value: float
    max: float
    def __init__(self, limit: _Optional[str] = ..., value: _Optional[float] = ..., max: _Optional[float] = ...) -> None: ...

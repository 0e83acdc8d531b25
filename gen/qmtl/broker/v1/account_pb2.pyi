import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TradingState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRADING_STATE_UNSPECIFIED: _ClassVar[TradingState]
    TRADING_STATE_ACTIVE: _ClassVar[TradingState]
    TRADING_STATE_REDUCING: _ClassVar[TradingState]
    TRADING_STATE_HALTED: _ClassVar[TradingState]

class AccountType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCOUNT_TYPE_UNSPECIFIED: _ClassVar[AccountType]
    ACCOUNT_TYPE_CASH: _ClassVar[AccountType]
    ACCOUNT_TYPE_MARGIN: _ClassVar[AccountType]
TRADING_STATE_UNSPECIFIED: TradingState
TRADING_STATE_ACTIVE: TradingState
TRADING_STATE_REDUCING: TradingState
TRADING_STATE_HALTED: TradingState
ACCOUNT_TYPE_UNSPECIFIED: AccountType
ACCOUNT_TYPE_CASH: AccountType
ACCOUNT_TYPE_MARGIN: AccountType

class AccountModel(_message.Message):
    __slots__ = ("type", "leverage", "base_currency", "starting_cash", "fee_rate", "profile", "maker_fee_rate_min", "taker_fee_rate_min", "slippage_rate_min", "participation_max")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    BASE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    STARTING_CASH_FIELD_NUMBER: _ClassVar[int]
    FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    MAKER_FEE_RATE_MIN_FIELD_NUMBER: _ClassVar[int]
    TAKER_FEE_RATE_MIN_FIELD_NUMBER: _ClassVar[int]
    SLIPPAGE_RATE_MIN_FIELD_NUMBER: _ClassVar[int]
    PARTICIPATION_MAX_FIELD_NUMBER: _ClassVar[int]
    type: AccountType
    leverage: int
    base_currency: str
    starting_cash: str
    fee_rate: str
    profile: str
    maker_fee_rate_min: str
    taker_fee_rate_min: str
    slippage_rate_min: str
    participation_max: str
    def __init__(self, type: _Optional[_Union[AccountType, str]] = ..., leverage: _Optional[int] = ..., base_currency: _Optional[str] = ..., starting_cash: _Optional[str] = ..., fee_rate: _Optional[str] = ..., profile: _Optional[str] = ..., maker_fee_rate_min: _Optional[str] = ..., taker_fee_rate_min: _Optional[str] = ..., slippage_rate_min: _Optional[str] = ..., participation_max: _Optional[str] = ...) -> None: ...

class AccountFeed(_message.Message):
    __slots__ = ("data_preset", "data_session_id", "symbol", "venue_time", "interval")
    DATA_PRESET_FIELD_NUMBER: _ClassVar[int]
    DATA_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    VENUE_TIME_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    data_preset: str
    data_session_id: str
    symbol: str
    venue_time: _timestamp_pb2.Timestamp
    interval: _duration_pb2.Duration
    def __init__(self, data_preset: _Optional[str] = ..., data_session_id: _Optional[str] = ..., symbol: _Optional[str] = ..., venue_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class AccountBudget(_message.Message):
    __slots__ = ("world_id", "strategy_id", "gross_max", "capital")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    GROSS_MAX_FIELD_NUMBER: _ClassVar[int]
    CAPITAL_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    gross_max: str
    capital: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., gross_max: _Optional[str] = ..., capital: _Optional[str] = ...) -> None: ...

class AccountLimits(_message.Message):
    __slots__ = ("gross_max", "net_max", "leverage_max", "symbol_max", "sector_max", "budgets")
    GROSS_MAX_FIELD_NUMBER: _ClassVar[int]
    NET_MAX_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_MAX_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_MAX_FIELD_NUMBER: _ClassVar[int]
    SECTOR_MAX_FIELD_NUMBER: _ClassVar[int]
    BUDGETS_FIELD_NUMBER: _ClassVar[int]
    gross_max: str
    net_max: str
    leverage_max: str
    symbol_max: str
    sector_max: str
    budgets: _containers.RepeatedCompositeFieldContainer[AccountBudget]
    def __init__(self, gross_max: _Optional[str] = ..., net_max: _Optional[str] = ..., leverage_max: _Optional[str] = ..., symbol_max: _Optional[str] = ..., sector_max: _Optional[str] = ..., budgets: _Optional[_Iterable[_Union[AccountBudget, _Mapping]]] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("account", "type", "venue", "base_currency", "starting_cash", "worlds", "feeds", "fee_rate", "leverage", "trading_state", "created_at", "limits", "limits_revision", "profile", "maker_fee_rate_min", "taker_fee_rate_min", "slippage_rate_min", "participation_max")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    BASE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    STARTING_CASH_FIELD_NUMBER: _ClassVar[int]
    WORLDS_FIELD_NUMBER: _ClassVar[int]
    FEEDS_FIELD_NUMBER: _ClassVar[int]
    FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    TRADING_STATE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_REVISION_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    MAKER_FEE_RATE_MIN_FIELD_NUMBER: _ClassVar[int]
    TAKER_FEE_RATE_MIN_FIELD_NUMBER: _ClassVar[int]
    SLIPPAGE_RATE_MIN_FIELD_NUMBER: _ClassVar[int]
    PARTICIPATION_MAX_FIELD_NUMBER: _ClassVar[int]
    account: str
    type: AccountType
    venue: str
    base_currency: str
    starting_cash: str
    worlds: _containers.RepeatedScalarFieldContainer[str]
    feeds: _containers.RepeatedCompositeFieldContainer[AccountFeed]
    fee_rate: str
    leverage: int
    trading_state: TradingState
    created_at: _timestamp_pb2.Timestamp
    limits: AccountLimits
    limits_revision: int
    profile: str
    maker_fee_rate_min: str
    taker_fee_rate_min: str
    slippage_rate_min: str
    participation_max: str
    def __init__(self, account: _Optional[str] = ..., type: _Optional[_Union[AccountType, str]] = ..., venue: _Optional[str] = ..., base_currency: _Optional[str] = ..., starting_cash: _Optional[str] = ..., worlds: _Optional[_Iterable[str]] = ..., feeds: _Optional[_Iterable[_Union[AccountFeed, _Mapping]]] = ..., fee_rate: _Optional[str] = ..., leverage: _Optional[int] = ..., trading_state: _Optional[_Union[TradingState, str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., limits: _Optional[_Union[AccountLimits, _Mapping]] = ..., limits_revision: _Optional[int] = ..., profile: _Optional[str] = ..., maker_fee_rate_min: _Optional[str] = ..., taker_fee_rate_min: _Optional[str] = ..., slippage_rate_min: _Optional[str] = ..., participation_max: _Optional[str] = ...) -> None: ...

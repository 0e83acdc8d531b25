from qmtl.broker.v1 import account_pb2 as _account_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OpenPaperAccountRequest(_message.Message):
    __slots__ = ("account", "world_id", "base_currency", "starting_cash", "data_preset", "data_session_id", "fee_rate", "type", "profile", "leverage", "maker_fee_rate_min", "taker_fee_rate_min", "slippage_rate_min", "participation_max")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    BASE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    STARTING_CASH_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESET_FIELD_NUMBER: _ClassVar[int]
    DATA_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    MAKER_FEE_RATE_MIN_FIELD_NUMBER: _ClassVar[int]
    TAKER_FEE_RATE_MIN_FIELD_NUMBER: _ClassVar[int]
    SLIPPAGE_RATE_MIN_FIELD_NUMBER: _ClassVar[int]
    PARTICIPATION_MAX_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    base_currency: str
    starting_cash: str
    data_preset: str
    data_session_id: str
    fee_rate: str
    type: _account_pb2.AccountType
    profile: str
    leverage: int
    maker_fee_rate_min: str
    taker_fee_rate_min: str
    slippage_rate_min: str
    participation_max: str
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., base_currency: _Optional[str] = ..., starting_cash: _Optional[str] = ..., data_preset: _Optional[str] = ..., data_session_id: _Optional[str] = ..., fee_rate: _Optional[str] = ..., type: _Optional[_Union[_account_pb2.AccountType, str]] = ..., profile: _Optional[str] = ..., leverage: _Optional[int] = ..., maker_fee_rate_min: _Optional[str] = ..., taker_fee_rate_min: _Optional[str] = ..., slippage_rate_min: _Optional[str] = ..., participation_max: _Optional[str] = ...) -> None: ...

class OpenPaperAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class OpenVenueAccountRequest(_message.Message):
    __slots__ = ("account", "venue", "world_ids", "base_currency", "type", "profile", "fee_rate")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    WORLD_IDS_FIELD_NUMBER: _ClassVar[int]
    BASE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    account: str
    venue: str
    world_ids: _containers.RepeatedScalarFieldContainer[str]
    base_currency: str
    type: _account_pb2.AccountType
    profile: str
    fee_rate: str
    def __init__(self, account: _Optional[str] = ..., venue: _Optional[str] = ..., world_ids: _Optional[_Iterable[str]] = ..., base_currency: _Optional[str] = ..., type: _Optional[_Union[_account_pb2.AccountType, str]] = ..., profile: _Optional[str] = ..., fee_rate: _Optional[str] = ...) -> None: ...

class OpenVenueAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class GetAccountRequest(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: str
    def __init__(self, account: _Optional[str] = ...) -> None: ...

class GetAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class ListAccountsRequest(_message.Message):
    __slots__ = ("world_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListAccountsResponse(_message.Message):
    __slots__ = ("accounts", "page")
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    accounts: _containers.RepeatedCompositeFieldContainer[_account_pb2.Account]
    page: _common_pb2.PageInfo
    def __init__(self, accounts: _Optional[_Iterable[_Union[_account_pb2.Account, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class AllowWorldRequest(_message.Message):
    __slots__ = ("account", "world_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ...) -> None: ...

class AllowWorldResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class DisallowWorldRequest(_message.Message):
    __slots__ = ("account", "world_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ...) -> None: ...

class DisallowWorldResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class AddFeedRequest(_message.Message):
    __slots__ = ("account", "data_preset", "data_session_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESET_FIELD_NUMBER: _ClassVar[int]
    DATA_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    data_preset: str
    data_session_id: str
    def __init__(self, account: _Optional[str] = ..., data_preset: _Optional[str] = ..., data_session_id: _Optional[str] = ...) -> None: ...

class AddFeedResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class SetTradingStateRequest(_message.Message):
    __slots__ = ("account", "state", "message")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    account: str
    state: _account_pb2.TradingState
    message: str
    def __init__(self, account: _Optional[str] = ..., state: _Optional[_Union[_account_pb2.TradingState, str]] = ..., message: _Optional[str] = ...) -> None: ...

class SetTradingStateResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class SetAccountLimitsRequest(_message.Message):
    __slots__ = ("account", "revision", "limits")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    account: str
    revision: int
    limits: _account_pb2.AccountLimits
    def __init__(self, account: _Optional[str] = ..., revision: _Optional[int] = ..., limits: _Optional[_Union[_account_pb2.AccountLimits, _Mapping]] = ...) -> None: ...

class SetAccountLimitsResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

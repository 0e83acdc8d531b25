from qmtl.broker.v1 import portfolio_pb2 as _portfolio_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetPortfolioRequest(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ...) -> None: ...

class GetPortfolioResponse(_message.Message):
    __slots__ = ("portfolio",)
    PORTFOLIO_FIELD_NUMBER: _ClassVar[int]
    portfolio: _portfolio_pb2.Portfolio
    def __init__(self, portfolio: _Optional[_Union[_portfolio_pb2.Portfolio, _Mapping]] = ...) -> None: ...

class StreamPortfolioRequest(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ...) -> None: ...

class StreamPortfolioResponse(_message.Message):
    __slots__ = ("portfolio",)
    PORTFOLIO_FIELD_NUMBER: _ClassVar[int]
    portfolio: _portfolio_pb2.Portfolio
    def __init__(self, portfolio: _Optional[_Union[_portfolio_pb2.Portfolio, _Mapping]] = ...) -> None: ...

class ListPositionsRequest(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "netted", "page")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    NETTED_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    netted: bool
    page: _common_pb2.PageRequest
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., netted: _Optional[bool] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListPositionsResponse(_message.Message):
    __slots__ = ("positions", "page")
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    positions: _containers.RepeatedCompositeFieldContainer[_portfolio_pb2.Position]
    page: _common_pb2.PageInfo
    def __init__(self, positions: _Optional[_Iterable[_Union[_portfolio_pb2.Position, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class GetCashRequest(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: str
    def __init__(self, account: _Optional[str] = ...) -> None: ...

class GetCashResponse(_message.Message):
    __slots__ = ("balances",)
    BALANCES_FIELD_NUMBER: _ClassVar[int]
    balances: _containers.RepeatedCompositeFieldContainer[_portfolio_pb2.CashBalance]
    def __init__(self, balances: _Optional[_Iterable[_Union[_portfolio_pb2.CashBalance, _Mapping]]] = ...) -> None: ...

class ListPaymentsRequest(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "symbol", "kind", "range", "page")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    symbol: str
    kind: _portfolio_pb2.PaymentKind
    range: _common_pb2.TimeRange
    page: _common_pb2.PageRequest
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., symbol: _Optional[str] = ..., kind: _Optional[_Union[_portfolio_pb2.PaymentKind, str]] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListPaymentsResponse(_message.Message):
    __slots__ = ("payments", "page")
    PAYMENTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    payments: _containers.RepeatedCompositeFieldContainer[_portfolio_pb2.Payment]
    page: _common_pb2.PageInfo
    def __init__(self, payments: _Optional[_Iterable[_Union[_portfolio_pb2.Payment, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

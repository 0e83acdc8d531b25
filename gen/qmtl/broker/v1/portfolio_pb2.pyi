import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import order_pb2 as _order_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MarginState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARGIN_STATE_UNSPECIFIED: _ClassVar[MarginState]
    MARGIN_STATE_COVERED: _ClassVar[MarginState]
    MARGIN_STATE_WARNED: _ClassVar[MarginState]
    MARGIN_STATE_CALLED: _ClassVar[MarginState]

class PaymentKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAYMENT_KIND_UNSPECIFIED: _ClassVar[PaymentKind]
    PAYMENT_KIND_INTEREST: _ClassVar[PaymentKind]
    PAYMENT_KIND_BORROW: _ClassVar[PaymentKind]
    PAYMENT_KIND_FUNDING: _ClassVar[PaymentKind]
    PAYMENT_KIND_DIVIDEND: _ClassVar[PaymentKind]
    PAYMENT_KIND_SPLIT: _ClassVar[PaymentKind]
    PAYMENT_KIND_EXCHANGE: _ClassVar[PaymentKind]
    PAYMENT_KIND_DELISTING: _ClassVar[PaymentKind]
    PAYMENT_KIND_VARIATION: _ClassVar[PaymentKind]
    PAYMENT_KIND_TRANSFER: _ClassVar[PaymentKind]
MARGIN_STATE_UNSPECIFIED: MarginState
MARGIN_STATE_COVERED: MarginState
MARGIN_STATE_WARNED: MarginState
MARGIN_STATE_CALLED: MarginState
PAYMENT_KIND_UNSPECIFIED: PaymentKind
PAYMENT_KIND_INTEREST: PaymentKind
PAYMENT_KIND_BORROW: PaymentKind
PAYMENT_KIND_FUNDING: PaymentKind
PAYMENT_KIND_DIVIDEND: PaymentKind
PAYMENT_KIND_SPLIT: PaymentKind
PAYMENT_KIND_EXCHANGE: PaymentKind
PAYMENT_KIND_DELISTING: PaymentKind
PAYMENT_KIND_VARIATION: PaymentKind
PAYMENT_KIND_TRANSFER: PaymentKind

class Position(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "symbol", "side", "quantity", "average_price", "mark_price", "mark_time", "market_value", "realized_pnl", "unrealized_pnl", "fees", "currency", "end_time", "liquidation_price")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PRICE_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_FIELD_NUMBER: _ClassVar[int]
    MARK_TIME_FIELD_NUMBER: _ClassVar[int]
    MARKET_VALUE_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    FEES_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_PRICE_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    symbol: str
    side: _order_pb2.PositionSide
    quantity: str
    average_price: str
    mark_price: str
    mark_time: _timestamp_pb2.Timestamp
    market_value: str
    realized_pnl: str
    unrealized_pnl: str
    fees: str
    currency: str
    end_time: _timestamp_pb2.Timestamp
    liquidation_price: str
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[_Union[_order_pb2.PositionSide, str]] = ..., quantity: _Optional[str] = ..., average_price: _Optional[str] = ..., mark_price: _Optional[str] = ..., mark_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., market_value: _Optional[str] = ..., realized_pnl: _Optional[str] = ..., unrealized_pnl: _Optional[str] = ..., fees: _Optional[str] = ..., currency: _Optional[str] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., liquidation_price: _Optional[str] = ...) -> None: ...

class CashBalance(_message.Message):
    __slots__ = ("currency", "settled", "unsettled", "reserved")
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    UNSETTLED_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    currency: str
    settled: str
    unsettled: str
    reserved: str
    def __init__(self, currency: _Optional[str] = ..., settled: _Optional[str] = ..., unsettled: _Optional[str] = ..., reserved: _Optional[str] = ...) -> None: ...

class AccountMargin(_message.Message):
    __slots__ = ("used", "state", "warned_at")
    USED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WARNED_AT_FIELD_NUMBER: _ClassVar[int]
    used: str
    state: MarginState
    warned_at: _timestamp_pb2.Timestamp
    def __init__(self, used: _Optional[str] = ..., state: _Optional[_Union[MarginState, str]] = ..., warned_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AllocatedCapital(_message.Message):
    __slots__ = ("world_id", "strategy_id", "capital")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    CAPITAL_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    capital: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., capital: _Optional[str] = ...) -> None: ...

class SymbolMark(_message.Message):
    __slots__ = ("symbol", "price", "time", "ended")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    price: str
    time: _timestamp_pb2.Timestamp
    ended: bool
    def __init__(self, symbol: _Optional[str] = ..., price: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended: _Optional[bool] = ...) -> None: ...

class Portfolio(_message.Message):
    __slots__ = ("account", "world_id", "base_currency", "cash", "positions", "equity", "realized_pnl", "unrealized_pnl", "fees", "time", "account_event_number", "margin", "capital", "marks")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    BASE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    CASH_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    EQUITY_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    FEES_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_EVENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    CAPITAL_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    base_currency: str
    cash: _containers.RepeatedCompositeFieldContainer[CashBalance]
    positions: _containers.RepeatedCompositeFieldContainer[Position]
    equity: str
    realized_pnl: str
    unrealized_pnl: str
    fees: str
    time: _timestamp_pb2.Timestamp
    account_event_number: int
    margin: AccountMargin
    capital: _containers.RepeatedCompositeFieldContainer[AllocatedCapital]
    marks: _containers.RepeatedCompositeFieldContainer[SymbolMark]
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., base_currency: _Optional[str] = ..., cash: _Optional[_Iterable[_Union[CashBalance, _Mapping]]] = ..., positions: _Optional[_Iterable[_Union[Position, _Mapping]]] = ..., equity: _Optional[str] = ..., realized_pnl: _Optional[str] = ..., unrealized_pnl: _Optional[str] = ..., fees: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., account_event_number: _Optional[int] = ..., margin: _Optional[_Union[AccountMargin, _Mapping]] = ..., capital: _Optional[_Iterable[_Union[AllocatedCapital, _Mapping]]] = ..., marks: _Optional[_Iterable[_Union[SymbolMark, _Mapping]]] = ...) -> None: ...

class Payment(_message.Message):
    __slots__ = ("account", "number", "world_id", "strategy_id", "symbol", "kind", "currency", "amount", "time", "account_fill_number", "change")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FILL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    account: str
    number: int
    world_id: str
    strategy_id: str
    symbol: str
    kind: PaymentKind
    currency: str
    amount: str
    time: _timestamp_pb2.Timestamp
    account_fill_number: int
    change: ShareChange
    def __init__(self, account: _Optional[str] = ..., number: _Optional[int] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., symbol: _Optional[str] = ..., kind: _Optional[_Union[PaymentKind, str]] = ..., currency: _Optional[str] = ..., amount: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., account_fill_number: _Optional[int] = ..., change: _Optional[_Union[ShareChange, _Mapping]] = ...) -> None: ...

class ShareChange(_message.Message):
    __slots__ = ("ratio", "price", "symbol", "cash_per_share")
    RATIO_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    CASH_PER_SHARE_FIELD_NUMBER: _ClassVar[int]
    ratio: str
    price: str
    symbol: str
    cash_per_share: str
    def __init__(self, ratio: _Optional[str] = ..., price: _Optional[str] = ..., symbol: _Optional[str] = ..., cash_per_share: _Optional[str] = ...) -> None: ...

import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import account_pb2 as _account_pb2
from qmtl.broker.v1 import order_pb2 as _order_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OrderReplay(_message.Message):
    __slots__ = ("world_id", "strategy_id", "orders", "cancels", "dataset_fingerprints", "range", "equity_after", "account_model", "opening_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    CANCELS_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINTS_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    EQUITY_AFTER_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_MODEL_FIELD_NUMBER: _ClassVar[int]
    OPENING_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    orders: _containers.RepeatedCompositeFieldContainer[_order_pb2.Order]
    cancels: _containers.RepeatedCompositeFieldContainer[ReplayedCancel]
    dataset_fingerprints: _containers.RepeatedScalarFieldContainer[str]
    range: _common_pb2.TimeRange
    equity_after: _timestamp_pb2.Timestamp
    account_model: _account_pb2.AccountModel
    opening_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., orders: _Optional[_Iterable[_Union[_order_pb2.Order, _Mapping]]] = ..., cancels: _Optional[_Iterable[_Union[ReplayedCancel, _Mapping]]] = ..., dataset_fingerprints: _Optional[_Iterable[str]] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., equity_after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., account_model: _Optional[_Union[_account_pb2.AccountModel, _Mapping]] = ..., opening_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReplayedCancel(_message.Message):
    __slots__ = ("client_order_id", "decided_at", "orders_before")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    ORDERS_BEFORE_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    decided_at: _timestamp_pb2.Timestamp
    orders_before: int
    def __init__(self, client_order_id: _Optional[str] = ..., decided_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., orders_before: _Optional[int] = ...) -> None: ...

class ReplayedFills(_message.Message):
    __slots__ = ("fills",)
    FILLS_FIELD_NUMBER: _ClassVar[int]
    fills: _containers.RepeatedCompositeFieldContainer[_order_pb2.Fill]
    def __init__(self, fills: _Optional[_Iterable[_Union[_order_pb2.Fill, _Mapping]]] = ...) -> None: ...

class ReplayedTrades(_message.Message):
    __slots__ = ("trades",)
    TRADES_FIELD_NUMBER: _ClassVar[int]
    trades: _containers.RepeatedCompositeFieldContainer[ReplayedTrade]
    def __init__(self, trades: _Optional[_Iterable[_Union[ReplayedTrade, _Mapping]]] = ...) -> None: ...

class ReplayedTrade(_message.Message):
    __slots__ = ("symbol", "closed_at", "profit")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    CLOSED_AT_FIELD_NUMBER: _ClassVar[int]
    PROFIT_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    closed_at: _timestamp_pb2.Timestamp
    profit: str
    def __init__(self, symbol: _Optional[str] = ..., closed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., profit: _Optional[str] = ...) -> None: ...

class ReplayedDenials(_message.Message):
    __slots__ = ("denials",)
    DENIALS_FIELD_NUMBER: _ClassVar[int]
    denials: _containers.RepeatedCompositeFieldContainer[ReplayedDenial]
    def __init__(self, denials: _Optional[_Iterable[_Union[ReplayedDenial, _Mapping]]] = ...) -> None: ...

class ReplayedDenial(_message.Message):
    __slots__ = ("client_order_id", "denial", "message", "time")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    DENIAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    denial: _order_pb2.Denial
    message: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, client_order_id: _Optional[str] = ..., denial: _Optional[_Union[_order_pb2.Denial, str]] = ..., message: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReplayedMarginCall(_message.Message):
    __slots__ = ("time", "message")
    TIME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    message: str
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message: _Optional[str] = ...) -> None: ...

class ReplaySummary(_message.Message):
    __slots__ = ("equity", "base_currency", "ended", "margin_calls", "margin_call_count", "carried", "fill_count", "equity_count", "invested_count", "instruments", "terms", "corporate_actions", "not_tradable", "opening_carried")
    class CarriedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class OpeningCarriedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EQUITY_FIELD_NUMBER: _ClassVar[int]
    BASE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    MARGIN_CALLS_FIELD_NUMBER: _ClassVar[int]
    MARGIN_CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    CARRIED_FIELD_NUMBER: _ClassVar[int]
    FILL_COUNT_FIELD_NUMBER: _ClassVar[int]
    EQUITY_COUNT_FIELD_NUMBER: _ClassVar[int]
    INVESTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENTS_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    CORPORATE_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    NOT_TRADABLE_FIELD_NUMBER: _ClassVar[int]
    OPENING_CARRIED_FIELD_NUMBER: _ClassVar[int]
    equity: str
    base_currency: str
    ended: str
    margin_calls: _containers.RepeatedCompositeFieldContainer[ReplayedMarginCall]
    margin_call_count: int
    carried: _containers.ScalarMap[str, str]
    fill_count: int
    equity_count: int
    invested_count: int
    instruments: _containers.RepeatedCompositeFieldContainer[ReplayedInstrument]
    terms: ReplayedTerms
    corporate_actions: _containers.RepeatedScalarFieldContainer[str]
    not_tradable: _containers.RepeatedScalarFieldContainer[str]
    opening_carried: _containers.ScalarMap[str, str]
    def __init__(self, equity: _Optional[str] = ..., base_currency: _Optional[str] = ..., ended: _Optional[str] = ..., margin_calls: _Optional[_Iterable[_Union[ReplayedMarginCall, _Mapping]]] = ..., margin_call_count: _Optional[int] = ..., carried: _Optional[_Mapping[str, str]] = ..., fill_count: _Optional[int] = ..., equity_count: _Optional[int] = ..., invested_count: _Optional[int] = ..., instruments: _Optional[_Iterable[_Union[ReplayedInstrument, _Mapping]]] = ..., terms: _Optional[_Union[ReplayedTerms, _Mapping]] = ..., corporate_actions: _Optional[_Iterable[str]] = ..., not_tradable: _Optional[_Iterable[str]] = ..., opening_carried: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ReplayedInstrument(_message.Message):
    __slots__ = ("symbol", "data_preset", "multiplier", "calendar", "first_open", "last_close", "coverage_ratio", "last_price", "bars_digest", "opening_price")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESET_FIELD_NUMBER: _ClassVar[int]
    MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    CALENDAR_FIELD_NUMBER: _ClassVar[int]
    FIRST_OPEN_FIELD_NUMBER: _ClassVar[int]
    LAST_CLOSE_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_RATIO_FIELD_NUMBER: _ClassVar[int]
    LAST_PRICE_FIELD_NUMBER: _ClassVar[int]
    BARS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    OPENING_PRICE_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    data_preset: str
    multiplier: str
    calendar: str
    first_open: _timestamp_pb2.Timestamp
    last_close: _timestamp_pb2.Timestamp
    coverage_ratio: float
    last_price: str
    bars_digest: str
    opening_price: str
    def __init__(self, symbol: _Optional[str] = ..., data_preset: _Optional[str] = ..., multiplier: _Optional[str] = ..., calendar: _Optional[str] = ..., first_open: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_close: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., coverage_ratio: _Optional[float] = ..., last_price: _Optional[str] = ..., bars_digest: _Optional[str] = ..., opening_price: _Optional[str] = ...) -> None: ...

class BookedOrder(_message.Message):
    __slots__ = ("client_order_id", "symbol", "side", "decided_at", "arrival_price")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    ARRIVAL_PRICE_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    symbol: str
    side: _order_pb2.OrderSide
    decided_at: _timestamp_pb2.Timestamp
    arrival_price: str
    def __init__(self, client_order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[_Union[_order_pb2.OrderSide, str]] = ..., decided_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., arrival_price: _Optional[str] = ...) -> None: ...

class ReplayedTerms(_message.Message):
    __slots__ = ("maker_fee_rate", "taker_fee_rate", "slippage_rate", "participation")
    MAKER_FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    TAKER_FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    SLIPPAGE_RATE_FIELD_NUMBER: _ClassVar[int]
    PARTICIPATION_FIELD_NUMBER: _ClassVar[int]
    maker_fee_rate: str
    taker_fee_rate: str
    slippage_rate: str
    participation: str
    def __init__(self, maker_fee_rate: _Optional[str] = ..., taker_fee_rate: _Optional[str] = ..., slippage_rate: _Optional[str] = ..., participation: _Optional[str] = ...) -> None: ...

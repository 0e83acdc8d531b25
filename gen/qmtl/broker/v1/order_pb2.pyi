import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OrderSide(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_SIDE_UNSPECIFIED: _ClassVar[OrderSide]
    ORDER_SIDE_BUY: _ClassVar[OrderSide]
    ORDER_SIDE_SELL: _ClassVar[OrderSide]

class OrderType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_TYPE_UNSPECIFIED: _ClassVar[OrderType]
    ORDER_TYPE_MARKET: _ClassVar[OrderType]
    ORDER_TYPE_LIMIT: _ClassVar[OrderType]
    ORDER_TYPE_STOP_MARKET: _ClassVar[OrderType]
    ORDER_TYPE_STOP_LIMIT: _ClassVar[OrderType]
    ORDER_TYPE_TRAILING_STOP: _ClassVar[OrderType]
    ORDER_TYPE_TRAILING_STOP_LIMIT: _ClassVar[OrderType]
    ORDER_TYPE_LIMIT_IF_TOUCHED: _ClassVar[OrderType]

class TimeInForce(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIME_IN_FORCE_UNSPECIFIED: _ClassVar[TimeInForce]
    TIME_IN_FORCE_GTC: _ClassVar[TimeInForce]
    TIME_IN_FORCE_DAY: _ClassVar[TimeInForce]
    TIME_IN_FORCE_GTD: _ClassVar[TimeInForce]
    TIME_IN_FORCE_IOC: _ClassVar[TimeInForce]
    TIME_IN_FORCE_FOK: _ClassVar[TimeInForce]
    TIME_IN_FORCE_AT_OPEN: _ClassVar[TimeInForce]
    TIME_IN_FORCE_AT_CLOSE: _ClassVar[TimeInForce]

class PositionSide(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POSITION_SIDE_UNSPECIFIED: _ClassVar[PositionSide]
    POSITION_SIDE_BOTH: _ClassVar[PositionSide]
    POSITION_SIDE_LONG: _ClassVar[PositionSide]
    POSITION_SIDE_SHORT: _ClassVar[PositionSide]

class TrailOffsetType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAIL_OFFSET_TYPE_UNSPECIFIED: _ClassVar[TrailOffsetType]
    TRAIL_OFFSET_TYPE_PRICE: _ClassVar[TrailOffsetType]
    TRAIL_OFFSET_TYPE_FRACTION: _ClassVar[TrailOffsetType]
    TRAIL_OFFSET_TYPE_TICKS: _ClassVar[TrailOffsetType]

class Contingency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTINGENCY_UNSPECIFIED: _ClassVar[Contingency]
    CONTINGENCY_OTO: _ClassVar[Contingency]
    CONTINGENCY_OCO: _ClassVar[Contingency]
    CONTINGENCY_OUO: _ClassVar[Contingency]

class OrderOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_ORIGIN_UNSPECIFIED: _ClassVar[OrderOrigin]
    ORDER_ORIGIN_STRATEGY: _ClassVar[OrderOrigin]
    ORDER_ORIGIN_OPERATOR: _ClassVar[OrderOrigin]
    ORDER_ORIGIN_EXTERNAL: _ClassVar[OrderOrigin]

class OrderState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_STATE_UNSPECIFIED: _ClassVar[OrderState]
    ORDER_STATE_INITIALIZED: _ClassVar[OrderState]
    ORDER_STATE_DENIED: _ClassVar[OrderState]
    ORDER_STATE_EMULATED: _ClassVar[OrderState]
    ORDER_STATE_RELEASED: _ClassVar[OrderState]
    ORDER_STATE_SUBMITTED: _ClassVar[OrderState]
    ORDER_STATE_ACCEPTED: _ClassVar[OrderState]
    ORDER_STATE_REJECTED: _ClassVar[OrderState]
    ORDER_STATE_CANCELED: _ClassVar[OrderState]
    ORDER_STATE_EXPIRED: _ClassVar[OrderState]
    ORDER_STATE_TRIGGERED: _ClassVar[OrderState]
    ORDER_STATE_PENDING_UPDATE: _ClassVar[OrderState]
    ORDER_STATE_PENDING_CANCEL: _ClassVar[OrderState]
    ORDER_STATE_PARTIALLY_FILLED: _ClassVar[OrderState]
    ORDER_STATE_FILLED: _ClassVar[OrderState]

class OrderView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_VIEW_UNSPECIFIED: _ClassVar[OrderView]
    ORDER_VIEW_NEW: _ClassVar[OrderView]
    ORDER_VIEW_PARTIALLY_FILLED: _ClassVar[OrderView]
    ORDER_VIEW_FILLED: _ClassVar[OrderView]
    ORDER_VIEW_CANCELED: _ClassVar[OrderView]
    ORDER_VIEW_EXPIRED: _ClassVar[OrderView]
    ORDER_VIEW_REJECTED: _ClassVar[OrderView]
    ORDER_VIEW_DENIED: _ClassVar[OrderView]

class Denial(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DENIAL_UNSPECIFIED: _ClassVar[Denial]
    DENIAL_FENCED: _ClassVar[Denial]
    DENIAL_NO_LIVE_VENUE: _ClassVar[Denial]
    DENIAL_DOMAIN_FORBIDS_ORDERS: _ClassVar[Denial]
    DENIAL_INSTRUMENT_UNKNOWN: _ClassVar[Denial]
    DENIAL_ORDER_TYPE_UNSUPPORTED: _ClassVar[Denial]
    DENIAL_PRECISION: _ClassVar[Denial]
    DENIAL_TICK: _ClassVar[Denial]
    DENIAL_LOT: _ClassVar[Denial]
    DENIAL_QUANTITY_BELOW_MINIMUM: _ClassVar[Denial]
    DENIAL_QUANTITY_ABOVE_MAXIMUM: _ClassVar[Denial]
    DENIAL_NOTIONAL_BELOW_MINIMUM: _ClassVar[Denial]
    DENIAL_NOTIONAL_ABOVE_LIMIT: _ClassVar[Denial]
    DENIAL_PRICE_INSANE: _ClassVar[Denial]
    DENIAL_EXPIRED_ON_ARRIVAL: _ClassVar[Denial]
    DENIAL_REDUCE_ONLY_INCREASES: _ClassVar[Denial]
    DENIAL_POST_ONLY_CROSSES: _ClassVar[Denial]
    DENIAL_TRADING_HALTED: _ClassVar[Denial]
    DENIAL_TRADING_REDUCING: _ClassVar[Denial]
    DENIAL_RATE_ABOVE_LIMIT: _ClassVar[Denial]
    DENIAL_OPEN_ORDERS_ABOVE_LIMIT: _ClassVar[Denial]
    DENIAL_POSITION_ABOVE_LIMIT: _ClassVar[Denial]
    DENIAL_LEVERAGE_ABOVE_LIMIT: _ClassVar[Denial]
    DENIAL_DRAWDOWN_CIRCUIT: _ClassVar[Denial]
    DENIAL_EXPOSURE_ABOVE_LIMIT: _ClassVar[Denial]
    DENIAL_BALANCE_INSUFFICIENT: _ClassVar[Denial]
    DENIAL_SHORT_UNAVAILABLE: _ClassVar[Denial]
    DENIAL_MARKET_CLOSED: _ClassVar[Denial]
    DENIAL_PRICE_STALE: _ClassVar[Denial]
    DENIAL_SCALED_TO_ZERO: _ClassVar[Denial]
    DENIAL_TIME_IN_FORCE_UNSUPPORTED: _ClassVar[Denial]
    DENIAL_CONCENTRATION_ABOVE_LIMIT: _ClassVar[Denial]
    DENIAL_BUDGET_ABOVE_LIMIT: _ClassVar[Denial]
    DENIAL_LIST_DENIED: _ClassVar[Denial]
    DENIAL_NOT_TRADABLE: _ClassVar[Denial]
    DENIAL_POST_ONLY_UNSUPPORTED: _ClassVar[Denial]
    DENIAL_GATE_ACTIVATION_UNKNOWN: _ClassVar[Denial]
    DENIAL_GATE_ACTIVATION_STALE: _ClassVar[Denial]
    DENIAL_GATE_INACTIVE: _ClassVar[Denial]
    DENIAL_GATE_FROZEN: _ClassVar[Denial]
    DENIAL_GATE_MODE_FORBIDS_ORDERS: _ClassVar[Denial]
    DENIAL_GATE_OUTSIDE_WINDOW: _ClassVar[Denial]
    DENIAL_GATE_OTHER_CANARY_SHARE: _ClassVar[Denial]
    DENIAL_GATE_SESSION_LAPSED: _ClassVar[Denial]
    DENIAL_GATE_NOT_BOUND: _ClassVar[Denial]

class OrderEventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_EVENT_KIND_UNSPECIFIED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_INITIALIZED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_DENIED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_EMULATED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_RELEASED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_SUBMITTED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_ACCEPTED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_REJECTED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_CANCELED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_EXPIRED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_TRIGGERED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_PENDING_UPDATE: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_PENDING_CANCEL: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_UPDATED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_MODIFY_REJECTED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_CANCEL_REJECTED: _ClassVar[OrderEventKind]
    ORDER_EVENT_KIND_FILLED: _ClassVar[OrderEventKind]

class LiquiditySide(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LIQUIDITY_SIDE_UNSPECIFIED: _ClassVar[LiquiditySide]
    LIQUIDITY_SIDE_MAKER: _ClassVar[LiquiditySide]
    LIQUIDITY_SIDE_TAKER: _ClassVar[LiquiditySide]

class FillFlag(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILL_FLAG_UNSPECIFIED: _ClassVar[FillFlag]
    FILL_FLAG_OVERFILL: _ClassVar[FillFlag]
    FILL_FLAG_UNEXPECTED: _ClassVar[FillFlag]
ORDER_SIDE_UNSPECIFIED: OrderSide
ORDER_SIDE_BUY: OrderSide
ORDER_SIDE_SELL: OrderSide
ORDER_TYPE_UNSPECIFIED: OrderType
ORDER_TYPE_MARKET: OrderType
ORDER_TYPE_LIMIT: OrderType
ORDER_TYPE_STOP_MARKET: OrderType
ORDER_TYPE_STOP_LIMIT: OrderType
ORDER_TYPE_TRAILING_STOP: OrderType
ORDER_TYPE_TRAILING_STOP_LIMIT: OrderType
ORDER_TYPE_LIMIT_IF_TOUCHED: OrderType
TIME_IN_FORCE_UNSPECIFIED: TimeInForce
TIME_IN_FORCE_GTC: TimeInForce
TIME_IN_FORCE_DAY: TimeInForce
TIME_IN_FORCE_GTD: TimeInForce
TIME_IN_FORCE_IOC: TimeInForce
TIME_IN_FORCE_FOK: TimeInForce
TIME_IN_FORCE_AT_OPEN: TimeInForce
TIME_IN_FORCE_AT_CLOSE: TimeInForce
POSITION_SIDE_UNSPECIFIED: PositionSide
POSITION_SIDE_BOTH: PositionSide
POSITION_SIDE_LONG: PositionSide
POSITION_SIDE_SHORT: PositionSide
TRAIL_OFFSET_TYPE_UNSPECIFIED: TrailOffsetType
TRAIL_OFFSET_TYPE_PRICE: TrailOffsetType
TRAIL_OFFSET_TYPE_FRACTION: TrailOffsetType
TRAIL_OFFSET_TYPE_TICKS: TrailOffsetType
CONTINGENCY_UNSPECIFIED: Contingency
CONTINGENCY_OTO: Contingency
CONTINGENCY_OCO: Contingency
CONTINGENCY_OUO: Contingency
ORDER_ORIGIN_UNSPECIFIED: OrderOrigin
ORDER_ORIGIN_STRATEGY: OrderOrigin
ORDER_ORIGIN_OPERATOR: OrderOrigin
ORDER_ORIGIN_EXTERNAL: OrderOrigin
ORDER_STATE_UNSPECIFIED: OrderState
ORDER_STATE_INITIALIZED: OrderState
ORDER_STATE_DENIED: OrderState
ORDER_STATE_EMULATED: OrderState
ORDER_STATE_RELEASED: OrderState
ORDER_STATE_SUBMITTED: OrderState
ORDER_STATE_ACCEPTED: OrderState
ORDER_STATE_REJECTED: OrderState
ORDER_STATE_CANCELED: OrderState
ORDER_STATE_EXPIRED: OrderState
ORDER_STATE_TRIGGERED: OrderState
ORDER_STATE_PENDING_UPDATE: OrderState
ORDER_STATE_PENDING_CANCEL: OrderState
ORDER_STATE_PARTIALLY_FILLED: OrderState
ORDER_STATE_FILLED: OrderState
ORDER_VIEW_UNSPECIFIED: OrderView
ORDER_VIEW_NEW: OrderView
ORDER_VIEW_PARTIALLY_FILLED: OrderView
ORDER_VIEW_FILLED: OrderView
ORDER_VIEW_CANCELED: OrderView
ORDER_VIEW_EXPIRED: OrderView
ORDER_VIEW_REJECTED: OrderView
ORDER_VIEW_DENIED: OrderView
DENIAL_UNSPECIFIED: Denial
DENIAL_FENCED: Denial
DENIAL_NO_LIVE_VENUE: Denial
DENIAL_DOMAIN_FORBIDS_ORDERS: Denial
DENIAL_INSTRUMENT_UNKNOWN: Denial
DENIAL_ORDER_TYPE_UNSUPPORTED: Denial
DENIAL_PRECISION: Denial
DENIAL_TICK: Denial
DENIAL_LOT: Denial
DENIAL_QUANTITY_BELOW_MINIMUM: Denial
DENIAL_QUANTITY_ABOVE_MAXIMUM: Denial
DENIAL_NOTIONAL_BELOW_MINIMUM: Denial
DENIAL_NOTIONAL_ABOVE_LIMIT: Denial
DENIAL_PRICE_INSANE: Denial
DENIAL_EXPIRED_ON_ARRIVAL: Denial
DENIAL_REDUCE_ONLY_INCREASES: Denial
DENIAL_POST_ONLY_CROSSES: Denial
DENIAL_TRADING_HALTED: Denial
DENIAL_TRADING_REDUCING: Denial
DENIAL_RATE_ABOVE_LIMIT: Denial
DENIAL_OPEN_ORDERS_ABOVE_LIMIT: Denial
DENIAL_POSITION_ABOVE_LIMIT: Denial
DENIAL_LEVERAGE_ABOVE_LIMIT: Denial
DENIAL_DRAWDOWN_CIRCUIT: Denial
DENIAL_EXPOSURE_ABOVE_LIMIT: Denial
DENIAL_BALANCE_INSUFFICIENT: Denial
DENIAL_SHORT_UNAVAILABLE: Denial
DENIAL_MARKET_CLOSED: Denial
DENIAL_PRICE_STALE: Denial
DENIAL_SCALED_TO_ZERO: Denial
DENIAL_TIME_IN_FORCE_UNSUPPORTED: Denial
DENIAL_CONCENTRATION_ABOVE_LIMIT: Denial
DENIAL_BUDGET_ABOVE_LIMIT: Denial
DENIAL_LIST_DENIED: Denial
DENIAL_NOT_TRADABLE: Denial
DENIAL_POST_ONLY_UNSUPPORTED: Denial
DENIAL_GATE_ACTIVATION_UNKNOWN: Denial
DENIAL_GATE_ACTIVATION_STALE: Denial
DENIAL_GATE_INACTIVE: Denial
DENIAL_GATE_FROZEN: Denial
DENIAL_GATE_MODE_FORBIDS_ORDERS: Denial
DENIAL_GATE_OUTSIDE_WINDOW: Denial
DENIAL_GATE_OTHER_CANARY_SHARE: Denial
DENIAL_GATE_SESSION_LAPSED: Denial
DENIAL_GATE_NOT_BOUND: Denial
ORDER_EVENT_KIND_UNSPECIFIED: OrderEventKind
ORDER_EVENT_KIND_INITIALIZED: OrderEventKind
ORDER_EVENT_KIND_DENIED: OrderEventKind
ORDER_EVENT_KIND_EMULATED: OrderEventKind
ORDER_EVENT_KIND_RELEASED: OrderEventKind
ORDER_EVENT_KIND_SUBMITTED: OrderEventKind
ORDER_EVENT_KIND_ACCEPTED: OrderEventKind
ORDER_EVENT_KIND_REJECTED: OrderEventKind
ORDER_EVENT_KIND_CANCELED: OrderEventKind
ORDER_EVENT_KIND_EXPIRED: OrderEventKind
ORDER_EVENT_KIND_TRIGGERED: OrderEventKind
ORDER_EVENT_KIND_PENDING_UPDATE: OrderEventKind
ORDER_EVENT_KIND_PENDING_CANCEL: OrderEventKind
ORDER_EVENT_KIND_UPDATED: OrderEventKind
ORDER_EVENT_KIND_MODIFY_REJECTED: OrderEventKind
ORDER_EVENT_KIND_CANCEL_REJECTED: OrderEventKind
ORDER_EVENT_KIND_FILLED: OrderEventKind
LIQUIDITY_SIDE_UNSPECIFIED: LiquiditySide
LIQUIDITY_SIDE_MAKER: LiquiditySide
LIQUIDITY_SIDE_TAKER: LiquiditySide
FILL_FLAG_UNSPECIFIED: FillFlag
FILL_FLAG_OVERFILL: FillFlag
FILL_FLAG_UNEXPECTED: FillFlag

class OrderKey(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "client_order_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    client_order_id: str
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., client_order_id: _Optional[str] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "client_order_id", "symbol", "venue", "side", "type", "quantity", "limit_price", "stop_price", "trail_offset", "trail_offset_type", "limit_offset", "time_in_force", "expire_at", "reduce_only", "post_only", "position_side", "tags", "decided_at", "strategy_version", "list_id", "parent_client_order_id", "contingency", "linked_client_order_ids", "position_target", "shares")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    TRAIL_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TRAIL_OFFSET_TYPE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_AT_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    POST_ONLY_FIELD_NUMBER: _ClassVar[int]
    POSITION_SIDE_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_VERSION_FIELD_NUMBER: _ClassVar[int]
    LIST_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTINGENCY_FIELD_NUMBER: _ClassVar[int]
    LINKED_CLIENT_ORDER_IDS_FIELD_NUMBER: _ClassVar[int]
    POSITION_TARGET_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    client_order_id: str
    symbol: str
    venue: str
    side: OrderSide
    type: OrderType
    quantity: str
    limit_price: str
    stop_price: str
    trail_offset: str
    trail_offset_type: TrailOffsetType
    limit_offset: str
    time_in_force: TimeInForce
    expire_at: _timestamp_pb2.Timestamp
    reduce_only: bool
    post_only: bool
    position_side: PositionSide
    tags: _containers.RepeatedScalarFieldContainer[str]
    decided_at: _timestamp_pb2.Timestamp
    strategy_version: int
    list_id: str
    parent_client_order_id: str
    contingency: Contingency
    linked_client_order_ids: _containers.RepeatedScalarFieldContainer[str]
    position_target: str
    shares: _containers.RepeatedCompositeFieldContainer[OrderShare]
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., venue: _Optional[str] = ..., side: _Optional[_Union[OrderSide, str]] = ..., type: _Optional[_Union[OrderType, str]] = ..., quantity: _Optional[str] = ..., limit_price: _Optional[str] = ..., stop_price: _Optional[str] = ..., trail_offset: _Optional[str] = ..., trail_offset_type: _Optional[_Union[TrailOffsetType, str]] = ..., limit_offset: _Optional[str] = ..., time_in_force: _Optional[_Union[TimeInForce, str]] = ..., expire_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reduce_only: _Optional[bool] = ..., post_only: _Optional[bool] = ..., position_side: _Optional[_Union[PositionSide, str]] = ..., tags: _Optional[_Iterable[str]] = ..., decided_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., strategy_version: _Optional[int] = ..., list_id: _Optional[str] = ..., parent_client_order_id: _Optional[str] = ..., contingency: _Optional[_Union[Contingency, str]] = ..., linked_client_order_ids: _Optional[_Iterable[str]] = ..., position_target: _Optional[str] = ..., shares: _Optional[_Iterable[_Union[OrderShare, _Mapping]]] = ...) -> None: ...

class OrderShare(_message.Message):
    __slots__ = ("world_id", "strategy_id", "quantity", "epoch", "reduce_only")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    quantity: str
    epoch: int
    reduce_only: bool
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., quantity: _Optional[str] = ..., epoch: _Optional[int] = ..., reduce_only: _Optional[bool] = ...) -> None: ...

class ShareFill(_message.Message):
    __slots__ = ("world_id", "strategy_id", "quantity", "notional", "fees")
    class FeesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    NOTIONAL_FIELD_NUMBER: _ClassVar[int]
    FEES_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    quantity: str
    notional: str
    fees: _containers.ScalarMap[str, str]
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., quantity: _Optional[str] = ..., notional: _Optional[str] = ..., fees: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Fill(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "client_order_id", "symbol", "venue", "side", "trade_id", "quantity", "price", "fee", "fee_currency", "liquidity_side", "venue_time", "receive_time", "flag", "account_fill_number", "account_time")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    FEE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    LIQUIDITY_SIDE_FIELD_NUMBER: _ClassVar[int]
    VENUE_TIME_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    FLAG_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FILL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_TIME_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    client_order_id: str
    symbol: str
    venue: str
    side: OrderSide
    trade_id: str
    quantity: str
    price: str
    fee: str
    fee_currency: str
    liquidity_side: LiquiditySide
    venue_time: _timestamp_pb2.Timestamp
    receive_time: _timestamp_pb2.Timestamp
    flag: FillFlag
    account_fill_number: int
    account_time: _timestamp_pb2.Timestamp
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., venue: _Optional[str] = ..., side: _Optional[_Union[OrderSide, str]] = ..., trade_id: _Optional[str] = ..., quantity: _Optional[str] = ..., price: _Optional[str] = ..., fee: _Optional[str] = ..., fee_currency: _Optional[str] = ..., liquidity_side: _Optional[_Union[LiquiditySide, str]] = ..., venue_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., receive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., flag: _Optional[_Union[FillFlag, str]] = ..., account_fill_number: _Optional[int] = ..., account_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OrderEvent(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "client_order_id", "order_event_number", "kind", "state", "denial", "message", "fill", "cumulative_quantity", "venue_time", "receive_time", "account_event_number")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_EVENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DENIAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    CUMULATIVE_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    VENUE_TIME_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_EVENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    client_order_id: str
    order_event_number: int
    kind: OrderEventKind
    state: OrderState
    denial: Denial
    message: str
    fill: Fill
    cumulative_quantity: str
    venue_time: _timestamp_pb2.Timestamp
    receive_time: _timestamp_pb2.Timestamp
    account_event_number: int
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., order_event_number: _Optional[int] = ..., kind: _Optional[_Union[OrderEventKind, str]] = ..., state: _Optional[_Union[OrderState, str]] = ..., denial: _Optional[_Union[Denial, str]] = ..., message: _Optional[str] = ..., fill: _Optional[_Union[Fill, _Mapping]] = ..., cumulative_quantity: _Optional[str] = ..., venue_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., receive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., account_event_number: _Optional[int] = ...) -> None: ...

class OrderEvents(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[OrderEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[OrderEvent, _Mapping]]] = ...) -> None: ...

class OrderStatus(_message.Message):
    __slots__ = ("order", "order_id", "origin", "state", "view", "unresolved", "denial", "message", "working_quantity", "cumulative_quantity", "average_price", "fees", "fence_epoch", "created_at", "updated_at", "venue_order_id", "order_event_number", "share_fills")
    class FeesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ORDER_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    UNRESOLVED_FIELD_NUMBER: _ClassVar[int]
    DENIAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    WORKING_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    CUMULATIVE_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PRICE_FIELD_NUMBER: _ClassVar[int]
    FEES_FIELD_NUMBER: _ClassVar[int]
    FENCE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    VENUE_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_EVENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    SHARE_FILLS_FIELD_NUMBER: _ClassVar[int]
    order: Order
    order_id: str
    origin: OrderOrigin
    state: OrderState
    view: OrderView
    unresolved: bool
    denial: Denial
    message: str
    working_quantity: str
    cumulative_quantity: str
    average_price: str
    fees: _containers.ScalarMap[str, str]
    fence_epoch: int
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    venue_order_id: str
    order_event_number: int
    share_fills: _containers.RepeatedCompositeFieldContainer[ShareFill]
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ..., order_id: _Optional[str] = ..., origin: _Optional[_Union[OrderOrigin, str]] = ..., state: _Optional[_Union[OrderState, str]] = ..., view: _Optional[_Union[OrderView, str]] = ..., unresolved: _Optional[bool] = ..., denial: _Optional[_Union[Denial, str]] = ..., message: _Optional[str] = ..., working_quantity: _Optional[str] = ..., cumulative_quantity: _Optional[str] = ..., average_price: _Optional[str] = ..., fees: _Optional[_Mapping[str, str]] = ..., fence_epoch: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., venue_order_id: _Optional[str] = ..., order_event_number: _Optional[int] = ..., share_fills: _Optional[_Iterable[_Union[ShareFill, _Mapping]]] = ...) -> None: ...

from qmtl.broker.v1 import broker_pb2 as _broker_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import limits_pb2 as _limits_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OpenPaperAccountRequest(_message.Message):
    __slots__ = ("account", "world_id", "base_currency", "starting_cash", "data_preset", "data_session_id", "fee_rate")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    BASE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    STARTING_CASH_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESET_FIELD_NUMBER: _ClassVar[int]
    DATA_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    base_currency: str
    starting_cash: str
    data_preset: str
    data_session_id: str
    fee_rate: str
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., base_currency: _Optional[str] = ..., starting_cash: _Optional[str] = ..., data_preset: _Optional[str] = ..., data_session_id: _Optional[str] = ..., fee_rate: _Optional[str] = ...) -> None: ...

class OpenPaperAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _broker_pb2.Account
    def __init__(self, account: _Optional[_Union[_broker_pb2.Account, _Mapping]] = ...) -> None: ...

class GateStamp(_message.Message):
    __slots__ = ("epoch", "weight", "execution_domain", "gateway_id", "revision", "reduce_only")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    weight: str
    execution_domain: _common_pb2.ExecutionDomain
    gateway_id: str
    revision: int
    reduce_only: bool
    def __init__(self, epoch: _Optional[int] = ..., weight: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., gateway_id: _Optional[str] = ..., revision: _Optional[int] = ..., reduce_only: _Optional[bool] = ...) -> None: ...

class SubmitOrderRequest(_message.Message):
    __slots__ = ("order", "gate")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    order: _broker_pb2.Order
    gate: GateStamp
    def __init__(self, order: _Optional[_Union[_broker_pb2.Order, _Mapping]] = ..., gate: _Optional[_Union[GateStamp, _Mapping]] = ...) -> None: ...

class SubmitOrderResponse(_message.Message):
    __slots__ = ("status", "duplicate")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    status: _broker_pb2.OrderStatus
    duplicate: bool
    def __init__(self, status: _Optional[_Union[_broker_pb2.OrderStatus, _Mapping]] = ..., duplicate: _Optional[bool] = ...) -> None: ...

class SubmitOrderListRequest(_message.Message):
    __slots__ = ("orders", "contingency", "gate")
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    CONTINGENCY_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[_broker_pb2.Order]
    contingency: _broker_pb2.ContingencyType
    gate: GateStamp
    def __init__(self, orders: _Optional[_Iterable[_Union[_broker_pb2.Order, _Mapping]]] = ..., contingency: _Optional[_Union[_broker_pb2.ContingencyType, str]] = ..., gate: _Optional[_Union[GateStamp, _Mapping]] = ...) -> None: ...

class SubmitOrderListResponse(_message.Message):
    __slots__ = ("statuses",)
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[_broker_pb2.OrderStatus]
    def __init__(self, statuses: _Optional[_Iterable[_Union[_broker_pb2.OrderStatus, _Mapping]]] = ...) -> None: ...

class ReplaceOrderRequest(_message.Message):
    __slots__ = ("key", "quantity", "limit_price", "stop_price", "gate")
    KEY_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    key: OrderKey
    quantity: str
    limit_price: str
    stop_price: str
    gate: GateStamp
    def __init__(self, key: _Optional[_Union[OrderKey, _Mapping]] = ..., quantity: _Optional[str] = ..., limit_price: _Optional[str] = ..., stop_price: _Optional[str] = ..., gate: _Optional[_Union[GateStamp, _Mapping]] = ...) -> None: ...

class ReplaceOrderResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _broker_pb2.OrderStatus
    def __init__(self, status: _Optional[_Union[_broker_pb2.OrderStatus, _Mapping]] = ...) -> None: ...

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

class CancelOrderRequest(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: OrderKey
    def __init__(self, key: _Optional[_Union[OrderKey, _Mapping]] = ...) -> None: ...

class CancelOrderResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _broker_pb2.OrderStatus
    def __init__(self, status: _Optional[_Union[_broker_pb2.OrderStatus, _Mapping]] = ...) -> None: ...

class CancelAllRequest(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ...) -> None: ...

class CancelAllResponse(_message.Message):
    __slots__ = ("statuses",)
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[_broker_pb2.OrderStatus]
    def __init__(self, statuses: _Optional[_Iterable[_Union[_broker_pb2.OrderStatus, _Mapping]]] = ...) -> None: ...

class GetOrderRequest(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: OrderKey
    def __init__(self, key: _Optional[_Union[OrderKey, _Mapping]] = ...) -> None: ...

class GetOrderResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _broker_pb2.OrderStatus
    def __init__(self, status: _Optional[_Union[_broker_pb2.OrderStatus, _Mapping]] = ...) -> None: ...

class ListOrdersRequest(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "open_only", "page")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    OPEN_ONLY_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    open_only: bool
    page: _common_pb2.PageRequest
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., open_only: _Optional[bool] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListOrdersResponse(_message.Message):
    __slots__ = ("statuses", "page")
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[_broker_pb2.OrderStatus]
    page: _common_pb2.PageInfo
    def __init__(self, statuses: _Optional[_Iterable[_Union[_broker_pb2.OrderStatus, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class StreamOrderEventsRequest(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "after_sequence")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    after_sequence: int
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., after_sequence: _Optional[int] = ...) -> None: ...

class StreamOrderEventsResponse(_message.Message):
    __slots__ = ("snapshot", "events")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    snapshot: OrderSnapshot
    events: OrderEvents
    def __init__(self, snapshot: _Optional[_Union[OrderSnapshot, _Mapping]] = ..., events: _Optional[_Union[OrderEvents, _Mapping]] = ...) -> None: ...

class OrderSnapshot(_message.Message):
    __slots__ = ("statuses", "sequence")
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[_broker_pb2.OrderStatus]
    sequence: int
    def __init__(self, statuses: _Optional[_Iterable[_Union[_broker_pb2.OrderStatus, _Mapping]]] = ..., sequence: _Optional[int] = ...) -> None: ...

class OrderEvents(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_broker_pb2.OrderEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[_broker_pb2.OrderEvent, _Mapping]]] = ...) -> None: ...

class GetPortfolioRequest(_message.Message):
    __slots__ = ("account", "world_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ...) -> None: ...

class GetPortfolioResponse(_message.Message):
    __slots__ = ("portfolio",)
    PORTFOLIO_FIELD_NUMBER: _ClassVar[int]
    portfolio: _broker_pb2.Portfolio
    def __init__(self, portfolio: _Optional[_Union[_broker_pb2.Portfolio, _Mapping]] = ...) -> None: ...

class ListPositionsRequest(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "netted")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    NETTED_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    netted: bool
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., netted: _Optional[bool] = ...) -> None: ...

class ListPositionsResponse(_message.Message):
    __slots__ = ("positions",)
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    positions: _containers.RepeatedCompositeFieldContainer[_broker_pb2.Position]
    def __init__(self, positions: _Optional[_Iterable[_Union[_broker_pb2.Position, _Mapping]]] = ...) -> None: ...

class GetCashRequest(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: str
    def __init__(self, account: _Optional[str] = ...) -> None: ...

class GetCashResponse(_message.Message):
    __slots__ = ("balances",)
    BALANCES_FIELD_NUMBER: _ClassVar[int]
    balances: _containers.RepeatedCompositeFieldContainer[_broker_pb2.CashBalance]
    def __init__(self, balances: _Optional[_Iterable[_Union[_broker_pb2.CashBalance, _Mapping]]] = ...) -> None: ...

class StreamPortfolioRequest(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: str
    def __init__(self, account: _Optional[str] = ...) -> None: ...

class StreamPortfolioResponse(_message.Message):
    __slots__ = ("portfolio",)
    PORTFOLIO_FIELD_NUMBER: _ClassVar[int]
    portfolio: _broker_pb2.Portfolio
    def __init__(self, portfolio: _Optional[_Union[_broker_pb2.Portfolio, _Mapping]] = ...) -> None: ...

class ListFillsRequest(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "after_sequence", "page")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    after_sequence: int
    page: _common_pb2.PageRequest
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., after_sequence: _Optional[int] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListFillsResponse(_message.Message):
    __slots__ = ("fills", "page")
    FILLS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    fills: _containers.RepeatedCompositeFieldContainer[_broker_pb2.Fill]
    page: _common_pb2.PageInfo
    def __init__(self, fills: _Optional[_Iterable[_Union[_broker_pb2.Fill, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class BookFillsRequest(_message.Message):
    __slots__ = ("fills",)
    FILLS_FIELD_NUMBER: _ClassVar[int]
    fills: _containers.RepeatedCompositeFieldContainer[_broker_pb2.Fill]
    def __init__(self, fills: _Optional[_Iterable[_Union[_broker_pb2.Fill, _Mapping]]] = ...) -> None: ...

class BookFillsResponse(_message.Message):
    __slots__ = ("booked", "duplicates")
    BOOKED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    booked: int
    duplicates: int
    def __init__(self, booked: _Optional[int] = ..., duplicates: _Optional[int] = ...) -> None: ...

class ReconcileVenueRequest(_message.Message):
    __slots__ = ("account", "venue")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    account: str
    venue: str
    def __init__(self, account: _Optional[str] = ..., venue: _Optional[str] = ...) -> None: ...

class ReconcileVenueResponse(_message.Message):
    __slots__ = ("orders_resolved", "fills_booked", "differences")
    ORDERS_RESOLVED_FIELD_NUMBER: _ClassVar[int]
    FILLS_BOOKED_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    orders_resolved: int
    fills_booked: int
    differences: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, orders_resolved: _Optional[int] = ..., fills_booked: _Optional[int] = ..., differences: _Optional[_Iterable[str]] = ...) -> None: ...

class GetVenueStatusRequest(_message.Message):
    __slots__ = ("venue",)
    VENUE_FIELD_NUMBER: _ClassVar[int]
    venue: str
    def __init__(self, venue: _Optional[str] = ...) -> None: ...

class GetVenueStatusResponse(_message.Message):
    __slots__ = ("venue", "state", "detail", "accounts")
    VENUE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    venue: str
    state: _broker_pb2.VenueState
    detail: str
    accounts: _containers.RepeatedCompositeFieldContainer[_broker_pb2.Account]
    def __init__(self, venue: _Optional[str] = ..., state: _Optional[_Union[_broker_pb2.VenueState, str]] = ..., detail: _Optional[str] = ..., accounts: _Optional[_Iterable[_Union[_broker_pb2.Account, _Mapping]]] = ...) -> None: ...

class SetTradingStateRequest(_message.Message):
    __slots__ = ("account", "state", "reason")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    account: str
    state: _broker_pb2.TradingState
    reason: str
    def __init__(self, account: _Optional[str] = ..., state: _Optional[_Union[_broker_pb2.TradingState, str]] = ..., reason: _Optional[str] = ...) -> None: ...

class SetTradingStateResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _broker_pb2.Account
    def __init__(self, account: _Optional[_Union[_broker_pb2.Account, _Mapping]] = ...) -> None: ...

class SetFenceRequest(_message.Message):
    __slots__ = ("world_id", "epoch", "state", "effective_mode", "limits")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    epoch: int
    state: _broker_pb2.FenceState
    effective_mode: _common_pb2.EffectiveMode
    limits: _limits_pb2.RiskLimits
    def __init__(self, world_id: _Optional[str] = ..., epoch: _Optional[int] = ..., state: _Optional[_Union[_broker_pb2.FenceState, str]] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., limits: _Optional[_Union[_limits_pb2.RiskLimits, _Mapping]] = ...) -> None: ...

class SetFenceResponse(_message.Message):
    __slots__ = ("fence", "on_the_wire")
    FENCE_FIELD_NUMBER: _ClassVar[int]
    ON_THE_WIRE_FIELD_NUMBER: _ClassVar[int]
    fence: _broker_pb2.Fence
    on_the_wire: _containers.RepeatedCompositeFieldContainer[_broker_pb2.WireIntent]
    def __init__(self, fence: _Optional[_Union[_broker_pb2.Fence, _Mapping]] = ..., on_the_wire: _Optional[_Iterable[_Union[_broker_pb2.WireIntent, _Mapping]]] = ...) -> None: ...

class GetFenceRequest(_message.Message):
    __slots__ = ("world_id",)
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    def __init__(self, world_id: _Optional[str] = ...) -> None: ...

class GetFenceResponse(_message.Message):
    __slots__ = ("fence",)
    FENCE_FIELD_NUMBER: _ClassVar[int]
    fence: _broker_pb2.Fence
    def __init__(self, fence: _Optional[_Union[_broker_pb2.Fence, _Mapping]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("status", "open_orders", "accounts")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OPEN_ORDERS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.ServiceStatus
    open_orders: int
    accounts: int
    def __init__(self, status: _Optional[_Union[_common_pb2.ServiceStatus, _Mapping]] = ..., open_orders: _Optional[int] = ..., accounts: _Optional[int] = ...) -> None: ...

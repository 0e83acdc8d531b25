import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import order_pb2 as _order_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GateStamp(_message.Message):
    __slots__ = ("fence_epoch", "weight", "execution_domain", "gateway_id", "world_revision", "reduce_only")
    FENCE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    WORLD_REVISION_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    fence_epoch: int
    weight: str
    execution_domain: _common_pb2.ExecutionDomain
    gateway_id: str
    world_revision: int
    reduce_only: bool
    def __init__(self, fence_epoch: _Optional[int] = ..., weight: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., gateway_id: _Optional[str] = ..., world_revision: _Optional[int] = ..., reduce_only: _Optional[bool] = ...) -> None: ...

class SubmitOrderRequest(_message.Message):
    __slots__ = ("order", "gate")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    order: _order_pb2.Order
    gate: GateStamp
    def __init__(self, order: _Optional[_Union[_order_pb2.Order, _Mapping]] = ..., gate: _Optional[_Union[GateStamp, _Mapping]] = ...) -> None: ...

class SubmitOrderResponse(_message.Message):
    __slots__ = ("status", "duplicate")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    status: _order_pb2.OrderStatus
    duplicate: bool
    def __init__(self, status: _Optional[_Union[_order_pb2.OrderStatus, _Mapping]] = ..., duplicate: _Optional[bool] = ...) -> None: ...

class SubmitNettedOrderRequest(_message.Message):
    __slots__ = ("order", "execution_domain", "gateway_id")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    order: _order_pb2.Order
    execution_domain: _common_pb2.ExecutionDomain
    gateway_id: str
    def __init__(self, order: _Optional[_Union[_order_pb2.Order, _Mapping]] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., gateway_id: _Optional[str] = ...) -> None: ...

class SubmitNettedOrderResponse(_message.Message):
    __slots__ = ("status", "duplicate")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    status: _order_pb2.OrderStatus
    duplicate: bool
    def __init__(self, status: _Optional[_Union[_order_pb2.OrderStatus, _Mapping]] = ..., duplicate: _Optional[bool] = ...) -> None: ...

class SubmitOrderListRequest(_message.Message):
    __slots__ = ("orders", "gate")
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[_order_pb2.Order]
    gate: GateStamp
    def __init__(self, orders: _Optional[_Iterable[_Union[_order_pb2.Order, _Mapping]]] = ..., gate: _Optional[_Union[GateStamp, _Mapping]] = ...) -> None: ...

class SubmitOrderListResponse(_message.Message):
    __slots__ = ("statuses", "duplicate")
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[_order_pb2.OrderStatus]
    duplicate: bool
    def __init__(self, statuses: _Optional[_Iterable[_Union[_order_pb2.OrderStatus, _Mapping]]] = ..., duplicate: _Optional[bool] = ...) -> None: ...

class OrderTerms(_message.Message):
    __slots__ = ("quantity", "limit_price", "stop_price", "expire_at")
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_AT_FIELD_NUMBER: _ClassVar[int]
    quantity: str
    limit_price: str
    stop_price: str
    expire_at: _timestamp_pb2.Timestamp
    def __init__(self, quantity: _Optional[str] = ..., limit_price: _Optional[str] = ..., stop_price: _Optional[str] = ..., expire_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReplaceOrderRequest(_message.Message):
    __slots__ = ("key", "terms", "update_mask", "gate", "request_id")
    KEY_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    key: _order_pb2.OrderKey
    terms: OrderTerms
    update_mask: _field_mask_pb2.FieldMask
    gate: GateStamp
    request_id: str
    def __init__(self, key: _Optional[_Union[_order_pb2.OrderKey, _Mapping]] = ..., terms: _Optional[_Union[OrderTerms, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., gate: _Optional[_Union[GateStamp, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ReplaceOrderResponse(_message.Message):
    __slots__ = ("status", "denial", "message", "duplicate")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DENIAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    status: _order_pb2.OrderStatus
    denial: _order_pb2.Denial
    message: str
    duplicate: bool
    def __init__(self, status: _Optional[_Union[_order_pb2.OrderStatus, _Mapping]] = ..., denial: _Optional[_Union[_order_pb2.Denial, str]] = ..., message: _Optional[str] = ..., duplicate: _Optional[bool] = ...) -> None: ...

class CancelOrderRequest(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: _order_pb2.OrderKey
    def __init__(self, key: _Optional[_Union[_order_pb2.OrderKey, _Mapping]] = ...) -> None: ...

class CancelOrderResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _order_pb2.OrderStatus
    def __init__(self, status: _Optional[_Union[_order_pb2.OrderStatus, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("statuses", "orders")
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[_order_pb2.OrderStatus]
    orders: int
    def __init__(self, statuses: _Optional[_Iterable[_Union[_order_pb2.OrderStatus, _Mapping]]] = ..., orders: _Optional[int] = ...) -> None: ...

from qmtl.broker.v1 import order_pb2 as _order_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitManualOrderRequest(_message.Message):
    __slots__ = ("order", "reason")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    order: _order_pb2.Order
    reason: str
    def __init__(self, order: _Optional[_Union[_order_pb2.Order, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class SubmitManualOrderResponse(_message.Message):
    __slots__ = ("status", "duplicate")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    status: _order_pb2.OrderStatus
    duplicate: bool
    def __init__(self, status: _Optional[_Union[_order_pb2.OrderStatus, _Mapping]] = ..., duplicate: _Optional[bool] = ...) -> None: ...

class CancelManualOrderRequest(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: _order_pb2.OrderKey
    def __init__(self, key: _Optional[_Union[_order_pb2.OrderKey, _Mapping]] = ...) -> None: ...

class CancelManualOrderResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _order_pb2.OrderStatus
    def __init__(self, status: _Optional[_Union[_order_pb2.OrderStatus, _Mapping]] = ...) -> None: ...

class FlattenPositionsRequest(_message.Message):
    __slots__ = ("account", "strategy_id", "request_id", "reason", "despite_fence")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DESPITE_FENCE_FIELD_NUMBER: _ClassVar[int]
    account: str
    strategy_id: str
    request_id: str
    reason: str
    despite_fence: bool
    def __init__(self, account: _Optional[str] = ..., strategy_id: _Optional[str] = ..., request_id: _Optional[str] = ..., reason: _Optional[str] = ..., despite_fence: _Optional[bool] = ...) -> None: ...

class FlattenPositionsResponse(_message.Message):
    __slots__ = ("statuses", "orders")
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[_order_pb2.OrderStatus]
    orders: int
    def __init__(self, statuses: _Optional[_Iterable[_Union[_order_pb2.OrderStatus, _Mapping]]] = ..., orders: _Optional[int] = ...) -> None: ...

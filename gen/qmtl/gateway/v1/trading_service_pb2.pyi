from google.protobuf import field_mask_pb2 as _field_mask_pb2
from qmtl.broker.v1 import order_pb2 as _order_pb2
from qmtl.broker.v1 import order_entry_service_pb2 as _order_entry_service_pb2
from qmtl.broker.v1 import reported_fill_service_pb2 as _reported_fill_service_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitOrderRequest(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _order_pb2.Order
    def __init__(self, order: _Optional[_Union[_order_pb2.Order, _Mapping]] = ...) -> None: ...

class SubmitOrderResponse(_message.Message):
    __slots__ = ("status", "duplicate")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    status: _order_pb2.OrderStatus
    duplicate: bool
    def __init__(self, status: _Optional[_Union[_order_pb2.OrderStatus, _Mapping]] = ..., duplicate: _Optional[bool] = ...) -> None: ...

class SubmitOrderListRequest(_message.Message):
    __slots__ = ("orders",)
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[_order_pb2.Order]
    def __init__(self, orders: _Optional[_Iterable[_Union[_order_pb2.Order, _Mapping]]] = ...) -> None: ...

class SubmitOrderListResponse(_message.Message):
    __slots__ = ("statuses", "duplicate")
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[_order_pb2.OrderStatus]
    duplicate: bool
    def __init__(self, statuses: _Optional[_Iterable[_Union[_order_pb2.OrderStatus, _Mapping]]] = ..., duplicate: _Optional[bool] = ...) -> None: ...

class ReplaceOrderRequest(_message.Message):
    __slots__ = ("key", "terms", "update_mask", "request_id")
    KEY_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    key: _order_pb2.OrderKey
    terms: _order_entry_service_pb2.OrderTerms
    update_mask: _field_mask_pb2.FieldMask
    request_id: str
    def __init__(self, key: _Optional[_Union[_order_pb2.OrderKey, _Mapping]] = ..., terms: _Optional[_Union[_order_entry_service_pb2.OrderTerms, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

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

class TradeStreamRequest(_message.Message):
    __slots__ = ("correlation_id", "submit", "cancel", "submit_list", "replace")
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_LIST_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    correlation_id: str
    submit: _order_pb2.Order
    cancel: _order_pb2.OrderKey
    submit_list: SubmitOrderListRequest
    replace: ReplaceOrderRequest
    def __init__(self, correlation_id: _Optional[str] = ..., submit: _Optional[_Union[_order_pb2.Order, _Mapping]] = ..., cancel: _Optional[_Union[_order_pb2.OrderKey, _Mapping]] = ..., submit_list: _Optional[_Union[SubmitOrderListRequest, _Mapping]] = ..., replace: _Optional[_Union[ReplaceOrderRequest, _Mapping]] = ...) -> None: ...

class TradeStreamResponse(_message.Message):
    __slots__ = ("correlation_id", "status", "event", "error", "list", "replaced")
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    correlation_id: str
    status: _order_pb2.OrderStatus
    event: _order_pb2.OrderEvent
    error: TradeError
    list: SubmitOrderListResponse
    replaced: ReplaceOrderResponse
    def __init__(self, correlation_id: _Optional[str] = ..., status: _Optional[_Union[_order_pb2.OrderStatus, _Mapping]] = ..., event: _Optional[_Union[_order_pb2.OrderEvent, _Mapping]] = ..., error: _Optional[_Union[TradeError, _Mapping]] = ..., list: _Optional[_Union[SubmitOrderListResponse, _Mapping]] = ..., replaced: _Optional[_Union[ReplaceOrderResponse, _Mapping]] = ...) -> None: ...

class TradeError(_message.Message):
    __slots__ = ("reason", "message", "retryable")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    retryable: bool
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., retryable: _Optional[bool] = ...) -> None: ...

class ReportFillsRequest(_message.Message):
    __slots__ = ("fill",)
    FILL_FIELD_NUMBER: _ClassVar[int]
    fill: _reported_fill_service_pb2.ReportedFill
    def __init__(self, fill: _Optional[_Union[_reported_fill_service_pb2.ReportedFill, _Mapping]] = ...) -> None: ...

class ReportFillsResponse(_message.Message):
    __slots__ = ("booked", "duplicates")
    BOOKED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    booked: int
    duplicates: int
    def __init__(self, booked: _Optional[int] = ..., duplicates: _Optional[int] = ...) -> None: ...

class ReplayFillsRequest(_message.Message):
    __slots__ = ("account", "after_account_fill_number", "world_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    AFTER_ACCOUNT_FILL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    after_account_fill_number: int
    world_id: str
    def __init__(self, account: _Optional[str] = ..., after_account_fill_number: _Optional[int] = ..., world_id: _Optional[str] = ...) -> None: ...

class ReplayFillsResponse(_message.Message):
    __slots__ = ("fills",)
    FILLS_FIELD_NUMBER: _ClassVar[int]
    fills: _containers.RepeatedCompositeFieldContainer[_order_pb2.Fill]
    def __init__(self, fills: _Optional[_Iterable[_Union[_order_pb2.Fill, _Mapping]]] = ...) -> None: ...

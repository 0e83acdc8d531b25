from qmtl.broker.v1 import order_pb2 as _order_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetOrderRequest(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: _order_pb2.OrderKey
    def __init__(self, key: _Optional[_Union[_order_pb2.OrderKey, _Mapping]] = ...) -> None: ...

class GetOrderResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _order_pb2.OrderStatus
    def __init__(self, status: _Optional[_Union[_order_pb2.OrderStatus, _Mapping]] = ...) -> None: ...

class ListOrdersRequest(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "symbol", "open_only", "page")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    OPEN_ONLY_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    symbol: str
    open_only: bool
    page: _common_pb2.PageRequest
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., symbol: _Optional[str] = ..., open_only: _Optional[bool] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListOrdersResponse(_message.Message):
    __slots__ = ("statuses", "page")
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[_order_pb2.OrderStatus]
    page: _common_pb2.PageInfo
    def __init__(self, statuses: _Optional[_Iterable[_Union[_order_pb2.OrderStatus, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class StreamOrderEventsRequest(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "after_account_event_number")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_ACCOUNT_EVENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    after_account_event_number: int
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., after_account_event_number: _Optional[int] = ...) -> None: ...

class StreamOrderEventsResponse(_message.Message):
    __slots__ = ("snapshot", "events")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    snapshot: OrderSnapshot
    events: _order_pb2.OrderEvents
    def __init__(self, snapshot: _Optional[_Union[OrderSnapshot, _Mapping]] = ..., events: _Optional[_Union[_order_pb2.OrderEvents, _Mapping]] = ...) -> None: ...

class OrderSnapshot(_message.Message):
    __slots__ = ("statuses", "account_event_number", "more")
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_EVENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[_order_pb2.OrderStatus]
    account_event_number: int
    more: bool
    def __init__(self, statuses: _Optional[_Iterable[_Union[_order_pb2.OrderStatus, _Mapping]]] = ..., account_event_number: _Optional[int] = ..., more: _Optional[bool] = ...) -> None: ...

class ListFillsRequest(_message.Message):
    __slots__ = ("account", "world_id", "strategy_id", "after_account_fill_number", "page")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_ACCOUNT_FILL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    account: str
    world_id: str
    strategy_id: str
    after_account_fill_number: int
    page: _common_pb2.PageRequest
    def __init__(self, account: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., after_account_fill_number: _Optional[int] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListFillsResponse(_message.Message):
    __slots__ = ("fills", "page")
    FILLS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    fills: _containers.RepeatedCompositeFieldContainer[_order_pb2.Fill]
    page: _common_pb2.PageInfo
    def __init__(self, fills: _Optional[_Iterable[_Union[_order_pb2.Fill, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

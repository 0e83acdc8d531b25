from qmtl.broker.v1 import order_pb2 as _order_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReplayOrdersRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "orders", "dataset_fingerprint")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    orders: _containers.RepeatedCompositeFieldContainer[_order_pb2.Order]
    dataset_fingerprint: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., orders: _Optional[_Iterable[_Union[_order_pb2.Order, _Mapping]]] = ..., dataset_fingerprint: _Optional[str] = ...) -> None: ...

class ReplayOrdersResponse(_message.Message):
    __slots__ = ("fills", "equity")
    FILLS_FIELD_NUMBER: _ClassVar[int]
    EQUITY_FIELD_NUMBER: _ClassVar[int]
    fills: _containers.RepeatedCompositeFieldContainer[_order_pb2.Fill]
    equity: str
    def __init__(self, fills: _Optional[_Iterable[_Union[_order_pb2.Fill, _Mapping]]] = ..., equity: _Optional[str] = ...) -> None: ...

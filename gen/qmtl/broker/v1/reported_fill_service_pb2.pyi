import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import order_pb2 as _order_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReportedFill(_message.Message):
    __slots__ = ("key", "symbol", "venue", "side", "trade_id", "quantity", "price", "fee", "fee_currency", "liquidity_side", "venue_time")
    KEY_FIELD_NUMBER: _ClassVar[int]
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
    key: _order_pb2.OrderKey
    symbol: str
    venue: str
    side: _order_pb2.OrderSide
    trade_id: str
    quantity: str
    price: str
    fee: str
    fee_currency: str
    liquidity_side: _order_pb2.LiquiditySide
    venue_time: _timestamp_pb2.Timestamp
    def __init__(self, key: _Optional[_Union[_order_pb2.OrderKey, _Mapping]] = ..., symbol: _Optional[str] = ..., venue: _Optional[str] = ..., side: _Optional[_Union[_order_pb2.OrderSide, str]] = ..., trade_id: _Optional[str] = ..., quantity: _Optional[str] = ..., price: _Optional[str] = ..., fee: _Optional[str] = ..., fee_currency: _Optional[str] = ..., liquidity_side: _Optional[_Union[_order_pb2.LiquiditySide, str]] = ..., venue_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BookFillsRequest(_message.Message):
    __slots__ = ("fills",)
    FILLS_FIELD_NUMBER: _ClassVar[int]
    fills: _containers.RepeatedCompositeFieldContainer[ReportedFill]
    def __init__(self, fills: _Optional[_Iterable[_Union[ReportedFill, _Mapping]]] = ...) -> None: ...

class BookFillsResponse(_message.Message):
    __slots__ = ("booked", "duplicates")
    BOOKED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    booked: int
    duplicates: int
    def __init__(self, booked: _Optional[int] = ..., duplicates: _Optional[int] = ...) -> None: ...

from qmtl.broker.v1 import order_pb2 as _order_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ClosePositionsRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "side", "execution_domain", "closing_id", "slippage_bps")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    CLOSING_ID_FIELD_NUMBER: _ClassVar[int]
    SLIPPAGE_BPS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    side: _common_pb2.Side
    execution_domain: _common_pb2.ExecutionDomain
    closing_id: str
    slippage_bps: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., side: _Optional[_Union[_common_pb2.Side, str]] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., closing_id: _Optional[str] = ..., slippage_bps: _Optional[str] = ...) -> None: ...

class ClosePositionsResponse(_message.Message):
    __slots__ = ("left", "adding")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    ADDING_FIELD_NUMBER: _ClassVar[int]
    left: _containers.RepeatedCompositeFieldContainer[PositionLeft]
    adding: _containers.RepeatedCompositeFieldContainer[_order_pb2.OrderKey]
    def __init__(self, left: _Optional[_Iterable[_Union[PositionLeft, _Mapping]]] = ..., adding: _Optional[_Iterable[_Union[_order_pb2.OrderKey, _Mapping]]] = ...) -> None: ...

class PositionLeft(_message.Message):
    __slots__ = ("account", "symbol", "quantity", "client_order_id", "attempts", "reason")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    account: str
    symbol: str
    quantity: str
    client_order_id: str
    attempts: int
    reason: str
    def __init__(self, account: _Optional[str] = ..., symbol: _Optional[str] = ..., quantity: _Optional[str] = ..., client_order_id: _Optional[str] = ..., attempts: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

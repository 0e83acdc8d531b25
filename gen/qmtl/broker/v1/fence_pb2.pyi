import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import limits_pb2 as _limits_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FenceState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FENCE_STATE_UNSPECIFIED: _ClassVar[FenceState]
    FENCE_STATE_OPEN: _ClassVar[FenceState]
    FENCE_STATE_DRAIN: _ClassVar[FenceState]
    FENCE_STATE_FROZEN: _ClassVar[FenceState]
FENCE_STATE_UNSPECIFIED: FenceState
FENCE_STATE_OPEN: FenceState
FENCE_STATE_DRAIN: FenceState
FENCE_STATE_FROZEN: FenceState

class Standing(_message.Message):
    __slots__ = ("strategy_id", "side")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    side: _common_pb2.Side
    def __init__(self, strategy_id: _Optional[str] = ..., side: _Optional[_Union[_common_pb2.Side, str]] = ...) -> None: ...

class Fence(_message.Message):
    __slots__ = ("world_id", "fence_epoch", "state", "effective_mode", "updated_at", "limits", "standings")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    STANDINGS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    fence_epoch: int
    state: FenceState
    effective_mode: _common_pb2.EffectiveMode
    updated_at: _timestamp_pb2.Timestamp
    limits: _limits_pb2.RiskLimits
    standings: _containers.RepeatedCompositeFieldContainer[Standing]
    def __init__(self, world_id: _Optional[str] = ..., fence_epoch: _Optional[int] = ..., state: _Optional[_Union[FenceState, str]] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., limits: _Optional[_Union[_limits_pb2.RiskLimits, _Mapping]] = ..., standings: _Optional[_Iterable[_Union[Standing, _Mapping]]] = ...) -> None: ...

class UnprotectedPosition(_message.Message):
    __slots__ = ("account", "strategy_id", "symbol", "client_order_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    strategy_id: str
    symbol: str
    client_order_id: str
    def __init__(self, account: _Optional[str] = ..., strategy_id: _Optional[str] = ..., symbol: _Optional[str] = ..., client_order_id: _Optional[str] = ...) -> None: ...

class WireIntent(_message.Message):
    __slots__ = ("account", "strategy_id", "client_order_id", "venue_order_id", "fence_epoch", "sent_at")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    VENUE_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    account: str
    strategy_id: str
    client_order_id: str
    venue_order_id: str
    fence_epoch: int
    sent_at: _timestamp_pb2.Timestamp
    def __init__(self, account: _Optional[str] = ..., strategy_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., venue_order_id: _Optional[str] = ..., fence_epoch: _Optional[int] = ..., sent_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

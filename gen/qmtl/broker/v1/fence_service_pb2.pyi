from qmtl.broker.v1 import fence_pb2 as _fence_pb2
from qmtl.broker.v1 import order_pb2 as _order_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import limits_pb2 as _limits_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SetFenceRequest(_message.Message):
    __slots__ = ("world_id", "fence_epoch", "state", "effective_mode", "limits", "standings")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    FENCE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    STANDINGS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    fence_epoch: int
    state: _fence_pb2.FenceState
    effective_mode: _common_pb2.EffectiveMode
    limits: _limits_pb2.RiskLimits
    standings: _containers.RepeatedCompositeFieldContainer[_fence_pb2.Standing]
    def __init__(self, world_id: _Optional[str] = ..., fence_epoch: _Optional[int] = ..., state: _Optional[_Union[_fence_pb2.FenceState, str]] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., limits: _Optional[_Union[_limits_pb2.RiskLimits, _Mapping]] = ..., standings: _Optional[_Iterable[_Union[_fence_pb2.Standing, _Mapping]]] = ...) -> None: ...

class SetFenceResponse(_message.Message):
    __slots__ = ("fence", "on_the_wire", "held", "on_the_wire_total", "held_total", "unprotected", "unprotected_total")
    FENCE_FIELD_NUMBER: _ClassVar[int]
    ON_THE_WIRE_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    ON_THE_WIRE_TOTAL_FIELD_NUMBER: _ClassVar[int]
    HELD_TOTAL_FIELD_NUMBER: _ClassVar[int]
    UNPROTECTED_FIELD_NUMBER: _ClassVar[int]
    UNPROTECTED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    fence: _fence_pb2.Fence
    on_the_wire: _containers.RepeatedCompositeFieldContainer[_fence_pb2.WireIntent]
    held: _containers.RepeatedCompositeFieldContainer[_order_pb2.OrderKey]
    on_the_wire_total: int
    held_total: int
    unprotected: _containers.RepeatedCompositeFieldContainer[_fence_pb2.UnprotectedPosition]
    unprotected_total: int
    def __init__(self, fence: _Optional[_Union[_fence_pb2.Fence, _Mapping]] = ..., on_the_wire: _Optional[_Iterable[_Union[_fence_pb2.WireIntent, _Mapping]]] = ..., held: _Optional[_Iterable[_Union[_order_pb2.OrderKey, _Mapping]]] = ..., on_the_wire_total: _Optional[int] = ..., held_total: _Optional[int] = ..., unprotected: _Optional[_Iterable[_Union[_fence_pb2.UnprotectedPosition, _Mapping]]] = ..., unprotected_total: _Optional[int] = ...) -> None: ...

class GetFenceRequest(_message.Message):
    __slots__ = ("world_id",)
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    def __init__(self, world_id: _Optional[str] = ...) -> None: ...

class GetFenceResponse(_message.Message):
    __slots__ = ("fence", "held", "held_total", "unprotected", "unprotected_total")
    FENCE_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    HELD_TOTAL_FIELD_NUMBER: _ClassVar[int]
    UNPROTECTED_FIELD_NUMBER: _ClassVar[int]
    UNPROTECTED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    fence: _fence_pb2.Fence
    held: _containers.RepeatedCompositeFieldContainer[_order_pb2.OrderKey]
    held_total: int
    unprotected: _containers.RepeatedCompositeFieldContainer[_fence_pb2.UnprotectedPosition]
    unprotected_total: int
    def __init__(self, fence: _Optional[_Union[_fence_pb2.Fence, _Mapping]] = ..., held: _Optional[_Iterable[_Union[_order_pb2.OrderKey, _Mapping]]] = ..., held_total: _Optional[int] = ..., unprotected: _Optional[_Iterable[_Union[_fence_pb2.UnprotectedPosition, _Mapping]]] = ..., unprotected_total: _Optional[int] = ...) -> None: ...

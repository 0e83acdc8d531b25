import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.world.v1 import binding_pb2 as _binding_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApplyState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPLY_STATE_UNSPECIFIED: _ClassVar[ApplyState]
    APPLY_STATE_REQUESTED: _ClassVar[ApplyState]
    APPLY_STATE_FREEZING: _ClassVar[ApplyState]
    APPLY_STATE_SWITCHING: _ClassVar[ApplyState]
    APPLY_STATE_UNFREEZING: _ClassVar[ApplyState]
    APPLY_STATE_COMPLETED: _ClassVar[ApplyState]
    APPLY_STATE_ROLLED_BACK: _ClassVar[ApplyState]
    APPLY_STATE_FROZEN: _ClassVar[ApplyState]
    APPLY_STATE_DRAINED: _ClassVar[ApplyState]

class UnfreezeAck(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNFREEZE_ACK_UNSPECIFIED: _ClassVar[UnfreezeAck]
    UNFREEZE_ACK_ALL: _ClassVar[UnfreezeAck]
    UNFREEZE_ACK_NONE: _ClassVar[UnfreezeAck]
APPLY_STATE_UNSPECIFIED: ApplyState
APPLY_STATE_REQUESTED: ApplyState
APPLY_STATE_FREEZING: ApplyState
APPLY_STATE_SWITCHING: ApplyState
APPLY_STATE_UNFREEZING: ApplyState
APPLY_STATE_COMPLETED: ApplyState
APPLY_STATE_ROLLED_BACK: ApplyState
APPLY_STATE_FROZEN: ApplyState
APPLY_STATE_DRAINED: ApplyState
UNFREEZE_ACK_UNSPECIFIED: UnfreezeAck
UNFREEZE_ACK_ALL: UnfreezeAck
UNFREEZE_ACK_NONE: UnfreezeAck

class ApplyTargets(_message.Message):
    __slots__ = ("targets",)
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    targets: _containers.RepeatedCompositeFieldContainer[ApplyTarget]
    def __init__(self, targets: _Optional[_Iterable[_Union[ApplyTarget, _Mapping]]] = ...) -> None: ...

class ApplyTarget(_message.Message):
    __slots__ = ("strategy_id", "side", "weight", "stage")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    side: _common_pb2.Side
    weight: str
    stage: _binding_pb2.Stage
    def __init__(self, strategy_id: _Optional[str] = ..., side: _Optional[_Union[_common_pb2.Side, str]] = ..., weight: _Optional[str] = ..., stage: _Optional[_Union[_binding_pb2.Stage, str]] = ...) -> None: ...

class ApplyRun(_message.Message):
    __slots__ = ("world_id", "run_id", "state", "requested_by", "targets", "fence_epoch", "fence_confirmed", "message", "steps", "created_at", "ended_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    FENCE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    FENCE_CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    state: ApplyState
    requested_by: str
    targets: _containers.RepeatedCompositeFieldContainer[ApplyTarget]
    fence_epoch: int
    fence_confirmed: bool
    message: str
    steps: _containers.RepeatedCompositeFieldContainer[ApplyStep]
    created_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ..., state: _Optional[_Union[ApplyState, str]] = ..., requested_by: _Optional[str] = ..., targets: _Optional[_Iterable[_Union[ApplyTarget, _Mapping]]] = ..., fence_epoch: _Optional[int] = ..., fence_confirmed: _Optional[bool] = ..., message: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[ApplyStep, _Mapping]]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ApplyStep(_message.Message):
    __slots__ = ("state", "time", "message")
    STATE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    state: ApplyState
    time: _timestamp_pb2.Timestamp
    message: str
    def __init__(self, state: _Optional[_Union[ApplyState, str]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message: _Optional[str] = ...) -> None: ...

from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import apply_pb2 as _apply_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApplyRequest(_message.Message):
    __slots__ = ("world_id", "run_id", "targets", "evaluate", "etag", "unfreeze_ack")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UNFREEZE_ACK_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    targets: _apply_pb2.ApplyTargets
    evaluate: bool
    etag: str
    unfreeze_ack: _apply_pb2.UnfreezeAck
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ..., targets: _Optional[_Union[_apply_pb2.ApplyTargets, _Mapping]] = ..., evaluate: _Optional[bool] = ..., etag: _Optional[str] = ..., unfreeze_ack: _Optional[_Union[_apply_pb2.UnfreezeAck, str]] = ...) -> None: ...

class ApplyResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _apply_pb2.ApplyRun
    def __init__(self, run: _Optional[_Union[_apply_pb2.ApplyRun, _Mapping]] = ...) -> None: ...

class FreezeWorldRequest(_message.Message):
    __slots__ = ("world_id", "request_id", "message")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    request_id: str
    message: str
    def __init__(self, world_id: _Optional[str] = ..., request_id: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class FreezeWorldResponse(_message.Message):
    __slots__ = ("run", "fence_pending", "on_the_wire", "held", "unprotected")
    RUN_FIELD_NUMBER: _ClassVar[int]
    FENCE_PENDING_FIELD_NUMBER: _ClassVar[int]
    ON_THE_WIRE_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    UNPROTECTED_FIELD_NUMBER: _ClassVar[int]
    run: _apply_pb2.ApplyRun
    fence_pending: bool
    on_the_wire: _containers.RepeatedScalarFieldContainer[str]
    held: _containers.RepeatedScalarFieldContainer[str]
    unprotected: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, run: _Optional[_Union[_apply_pb2.ApplyRun, _Mapping]] = ..., fence_pending: _Optional[bool] = ..., on_the_wire: _Optional[_Iterable[str]] = ..., held: _Optional[_Iterable[str]] = ..., unprotected: _Optional[_Iterable[str]] = ...) -> None: ...

class DrainWorldRequest(_message.Message):
    __slots__ = ("world_id", "request_id", "message")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    request_id: str
    message: str
    def __init__(self, world_id: _Optional[str] = ..., request_id: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class DrainWorldResponse(_message.Message):
    __slots__ = ("run", "fence_pending", "on_the_wire")
    RUN_FIELD_NUMBER: _ClassVar[int]
    FENCE_PENDING_FIELD_NUMBER: _ClassVar[int]
    ON_THE_WIRE_FIELD_NUMBER: _ClassVar[int]
    run: _apply_pb2.ApplyRun
    fence_pending: bool
    on_the_wire: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, run: _Optional[_Union[_apply_pb2.ApplyRun, _Mapping]] = ..., fence_pending: _Optional[bool] = ..., on_the_wire: _Optional[_Iterable[str]] = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ("world_id", "run_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class ResumeResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _apply_pb2.ApplyRun
    def __init__(self, run: _Optional[_Union[_apply_pb2.ApplyRun, _Mapping]] = ...) -> None: ...

class GetApplyRunRequest(_message.Message):
    __slots__ = ("world_id", "run_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class GetApplyRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _apply_pb2.ApplyRun
    def __init__(self, run: _Optional[_Union[_apply_pb2.ApplyRun, _Mapping]] = ...) -> None: ...

class WatchApplyRunRequest(_message.Message):
    __slots__ = ("world_id", "run_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class WatchApplyRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _apply_pb2.ApplyRun
    def __init__(self, run: _Optional[_Union[_apply_pb2.ApplyRun, _Mapping]] = ...) -> None: ...

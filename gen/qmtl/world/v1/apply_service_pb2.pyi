from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import apply_pb2 as _apply_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
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

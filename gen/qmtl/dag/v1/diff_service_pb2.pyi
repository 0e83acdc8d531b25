from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.dag.v1 import diff_pb2 as _diff_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DiffRequest(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class DiffResponse(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: _diff_pb2.DiffChunk
    def __init__(self, chunk: _Optional[_Union[_diff_pb2.DiffChunk, _Mapping]] = ...) -> None: ...

class DiffSmallRequest(_message.Message):
    __slots__ = ("question",)
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    question: _diff_pb2.DiffQuestion
    def __init__(self, question: _Optional[_Union[_diff_pb2.DiffQuestion, _Mapping]] = ...) -> None: ...

class DiffSmallResponse(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: _diff_pb2.DiffChunk
    def __init__(self, chunk: _Optional[_Union[_diff_pb2.DiffChunk, _Mapping]] = ...) -> None: ...

class DryRunDiffRequest(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class DryRunDiffResponse(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: _diff_pb2.DiffChunk
    def __init__(self, chunk: _Optional[_Union[_diff_pb2.DiffChunk, _Mapping]] = ...) -> None: ...

class ReleasePlanRequest(_message.Message):
    __slots__ = ("strategy_id", "version", "world_id")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    version: int
    world_id: str
    def __init__(self, strategy_id: _Optional[str] = ..., version: _Optional[int] = ..., world_id: _Optional[str] = ...) -> None: ...

class ReleasePlanResponse(_message.Message):
    __slots__ = ("released_queues",)
    RELEASED_QUEUES_FIELD_NUMBER: _ClassVar[int]
    released_queues: int
    def __init__(self, released_queues: _Optional[int] = ...) -> None: ...

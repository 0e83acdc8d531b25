from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.dag.v1 import dag_pb2 as _dag_pb2
from qmtl.dag.v1 import diff_pb2 as _diff_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DiffRequest(_message.Message):
    __slots__ = ("request_id", "strategy_id", "dag", "contexts", "version_label", "decline_sentinel", "traffic_weight", "created_by", "from_chunk")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    DAG_FIELD_NUMBER: _ClassVar[int]
    CONTEXTS_FIELD_NUMBER: _ClassVar[int]
    VERSION_LABEL_FIELD_NUMBER: _ClassVar[int]
    DECLINE_SENTINEL_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    FROM_CHUNK_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    strategy_id: str
    dag: _dag_pb2.Dag
    contexts: _containers.RepeatedCompositeFieldContainer[_common_pb2.ComputeContext]
    version_label: str
    decline_sentinel: bool
    traffic_weight: str
    created_by: str
    from_chunk: int
    def __init__(self, request_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., dag: _Optional[_Union[_dag_pb2.Dag, _Mapping]] = ..., contexts: _Optional[_Iterable[_Union[_common_pb2.ComputeContext, _Mapping]]] = ..., version_label: _Optional[str] = ..., decline_sentinel: _Optional[bool] = ..., traffic_weight: _Optional[str] = ..., created_by: _Optional[str] = ..., from_chunk: _Optional[int] = ...) -> None: ...

class DiffResponse(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: _diff_pb2.DiffChunk
    def __init__(self, chunk: _Optional[_Union[_diff_pb2.DiffChunk, _Mapping]] = ...) -> None: ...

class DryRunDiffRequest(_message.Message):
    __slots__ = ("dag", "contexts")
    DAG_FIELD_NUMBER: _ClassVar[int]
    CONTEXTS_FIELD_NUMBER: _ClassVar[int]
    dag: _dag_pb2.Dag
    contexts: _containers.RepeatedCompositeFieldContainer[_common_pb2.ComputeContext]
    def __init__(self, dag: _Optional[_Union[_dag_pb2.Dag, _Mapping]] = ..., contexts: _Optional[_Iterable[_Union[_common_pb2.ComputeContext, _Mapping]]] = ...) -> None: ...

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

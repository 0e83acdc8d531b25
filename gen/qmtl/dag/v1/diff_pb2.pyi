from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.dag.v1 import dag_pb2 as _dag_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Disposition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPOSITION_UNSPECIFIED: _ClassVar[Disposition]
    DISPOSITION_NEW: _ClassVar[Disposition]
    DISPOSITION_REUSED: _ClassVar[Disposition]
    DISPOSITION_REUSED_WITH_BUFFERING: _ClassVar[Disposition]
DISPOSITION_UNSPECIFIED: Disposition
DISPOSITION_NEW: Disposition
DISPOSITION_REUSED: Disposition
DISPOSITION_REUSED_WITH_BUFFERING: Disposition

class QueueAssignment(_message.Message):
    __slots__ = ("node_id", "compute_key", "world_id", "execution_domain", "topic", "disposition", "queue_reused", "buffer_lag", "name", "shared_with")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    DISPOSITION_FIELD_NUMBER: _ClassVar[int]
    QUEUE_REUSED_FIELD_NUMBER: _ClassVar[int]
    BUFFER_LAG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHARED_WITH_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    compute_key: str
    world_id: str
    execution_domain: _common_pb2.ExecutionDomain
    topic: str
    disposition: Disposition
    queue_reused: bool
    buffer_lag: int
    name: str
    shared_with: int
    def __init__(self, node_id: _Optional[str] = ..., compute_key: _Optional[str] = ..., world_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., topic: _Optional[str] = ..., disposition: _Optional[_Union[Disposition, str]] = ..., queue_reused: _Optional[bool] = ..., buffer_lag: _Optional[int] = ..., name: _Optional[str] = ..., shared_with: _Optional[int] = ...) -> None: ...

class DiffChunk(_message.Message):
    __slots__ = ("chunk_index", "assignments", "summary")
    CHUNK_INDEX_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    chunk_index: int
    assignments: _containers.RepeatedCompositeFieldContainer[QueueAssignment]
    summary: DiffSummary
    def __init__(self, chunk_index: _Optional[int] = ..., assignments: _Optional[_Iterable[_Union[QueueAssignment, _Mapping]]] = ..., summary: _Optional[_Union[DiffSummary, _Mapping]] = ...) -> None: ...

class DiffSummary(_message.Message):
    __slots__ = ("nodes", "new_nodes", "reused_nodes", "buffering_nodes", "new_queues", "reused_queues", "sentinel_id", "version", "node_ids_crc32", "seen_before", "chunks")
    NODES_FIELD_NUMBER: _ClassVar[int]
    NEW_NODES_FIELD_NUMBER: _ClassVar[int]
    REUSED_NODES_FIELD_NUMBER: _ClassVar[int]
    BUFFERING_NODES_FIELD_NUMBER: _ClassVar[int]
    NEW_QUEUES_FIELD_NUMBER: _ClassVar[int]
    REUSED_QUEUES_FIELD_NUMBER: _ClassVar[int]
    SENTINEL_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NODE_IDS_CRC32_FIELD_NUMBER: _ClassVar[int]
    SEEN_BEFORE_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    nodes: int
    new_nodes: int
    reused_nodes: int
    buffering_nodes: int
    new_queues: int
    reused_queues: int
    sentinel_id: str
    version: int
    node_ids_crc32: int
    seen_before: bool
    chunks: int
    def __init__(self, nodes: _Optional[int] = ..., new_nodes: _Optional[int] = ..., reused_nodes: _Optional[int] = ..., buffering_nodes: _Optional[int] = ..., new_queues: _Optional[int] = ..., reused_queues: _Optional[int] = ..., sentinel_id: _Optional[str] = ..., version: _Optional[int] = ..., node_ids_crc32: _Optional[int] = ..., seen_before: _Optional[bool] = ..., chunks: _Optional[int] = ...) -> None: ...

class DiffQuestion(_message.Message):
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

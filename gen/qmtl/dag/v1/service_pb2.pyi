import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.dag.v1 import dag_pb2 as _dag_pb2
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
    traffic_weight: float
    created_by: str
    from_chunk: int
    def __init__(self, request_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., dag: _Optional[_Union[_dag_pb2.Dag, _Mapping]] = ..., contexts: _Optional[_Iterable[_Union[_common_pb2.ComputeContext, _Mapping]]] = ..., version_label: _Optional[str] = ..., decline_sentinel: _Optional[bool] = ..., traffic_weight: _Optional[float] = ..., created_by: _Optional[str] = ..., from_chunk: _Optional[int] = ...) -> None: ...

class DiffResponse(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: DiffChunk
    def __init__(self, chunk: _Optional[_Union[DiffChunk, _Mapping]] = ...) -> None: ...

class DiffChunk(_message.Message):
    __slots__ = ("chunk_index", "assignments", "summary")
    CHUNK_INDEX_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    chunk_index: int
    assignments: _containers.RepeatedCompositeFieldContainer[_dag_pb2.QueueAssignment]
    summary: DiffSummary
    def __init__(self, chunk_index: _Optional[int] = ..., assignments: _Optional[_Iterable[_Union[_dag_pb2.QueueAssignment, _Mapping]]] = ..., summary: _Optional[_Union[DiffSummary, _Mapping]] = ...) -> None: ...

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
    chunk: DiffChunk
    def __init__(self, chunk: _Optional[_Union[DiffChunk, _Mapping]] = ...) -> None: ...

class RedoDiffRequest(_message.Message):
    __slots__ = ("request_id", "strategy_id", "version", "hotfix_label", "etag")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HOTFIX_LABEL_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    strategy_id: str
    version: int
    hotfix_label: str
    etag: str
    def __init__(self, request_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., version: _Optional[int] = ..., hotfix_label: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class RedoDiffResponse(_message.Message):
    __slots__ = ("plan", "sentinel")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    SENTINEL_FIELD_NUMBER: _ClassVar[int]
    plan: _dag_pb2.Plan
    sentinel: _dag_pb2.Sentinel
    def __init__(self, plan: _Optional[_Union[_dag_pb2.Plan, _Mapping]] = ..., sentinel: _Optional[_Union[_dag_pb2.Sentinel, _Mapping]] = ...) -> None: ...

class GetPlanRequest(_message.Message):
    __slots__ = ("strategy_id", "version")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    version: int
    def __init__(self, strategy_id: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class GetPlanResponse(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: _dag_pb2.Plan
    def __init__(self, plan: _Optional[_Union[_dag_pb2.Plan, _Mapping]] = ...) -> None: ...

class ListPlansRequest(_message.Message):
    __slots__ = ("strategy_id", "page")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    page: _common_pb2.PageRequest
    def __init__(self, strategy_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListPlansResponse(_message.Message):
    __slots__ = ("plans", "page")
    PLANS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    plans: _containers.RepeatedCompositeFieldContainer[_dag_pb2.Plan]
    page: _common_pb2.PageInfo
    def __init__(self, plans: _Optional[_Iterable[_Union[_dag_pb2.Plan, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

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

class GetNodeRequest(_message.Message):
    __slots__ = ("node_id",)
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    def __init__(self, node_id: _Optional[str] = ...) -> None: ...

class GetNodeResponse(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: _dag_pb2.GraphNode
    def __init__(self, node: _Optional[_Union[_dag_pb2.GraphNode, _Mapping]] = ...) -> None: ...

class ListNodesRequest(_message.Message):
    __slots__ = ("node_type", "tag", "strategy_id", "page")
    NODE_TYPE_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    node_type: str
    tag: str
    strategy_id: str
    page: _common_pb2.PageRequest
    def __init__(self, node_type: _Optional[str] = ..., tag: _Optional[str] = ..., strategy_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListNodesResponse(_message.Message):
    __slots__ = ("nodes", "page")
    NODES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[_dag_pb2.GraphNode]
    page: _common_pb2.PageInfo
    def __init__(self, nodes: _Optional[_Iterable[_Union[_dag_pb2.GraphNode, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class GetGraphRequest(_message.Message):
    __slots__ = ("strategy_id", "node_id", "depth")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    node_id: str
    depth: int
    def __init__(self, strategy_id: _Optional[str] = ..., node_id: _Optional[str] = ..., depth: _Optional[int] = ...) -> None: ...

class GetGraphResponse(_message.Message):
    __slots__ = ("nodes", "edges")
    NODES_FIELD_NUMBER: _ClassVar[int]
    EDGES_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[_dag_pb2.GraphNode]
    edges: _containers.RepeatedCompositeFieldContainer[GraphEdge]
    def __init__(self, nodes: _Optional[_Iterable[_Union[_dag_pb2.GraphNode, _Mapping]]] = ..., edges: _Optional[_Iterable[_Union[GraphEdge, _Mapping]]] = ...) -> None: ...

class GraphEdge(_message.Message):
    __slots__ = ("from_node_id", "to_node_id")
    FROM_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TO_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    from_node_id: str
    to_node_id: str
    def __init__(self, from_node_id: _Optional[str] = ..., to_node_id: _Optional[str] = ...) -> None: ...

class GetQueueRequest(_message.Message):
    __slots__ = ("compute_key",)
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    def __init__(self, compute_key: _Optional[str] = ...) -> None: ...

class GetQueueResponse(_message.Message):
    __slots__ = ("queue",)
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    queue: _dag_pb2.Queue
    def __init__(self, queue: _Optional[_Union[_dag_pb2.Queue, _Mapping]] = ...) -> None: ...

class ListQueuesRequest(_message.Message):
    __slots__ = ("world_id", "execution_domain", "node_id", "strategy_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    execution_domain: _common_pb2.ExecutionDomain
    node_id: str
    strategy_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., node_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListQueuesResponse(_message.Message):
    __slots__ = ("queues", "page")
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    queues: _containers.RepeatedCompositeFieldContainer[_dag_pb2.Queue]
    page: _common_pb2.PageInfo
    def __init__(self, queues: _Optional[_Iterable[_Union[_dag_pb2.Queue, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class QueryQueuesRequest(_message.Message):
    __slots__ = ("query",)
    QUERY_FIELD_NUMBER: _ClassVar[int]
    query: _dag_pb2.TagQuery
    def __init__(self, query: _Optional[_Union[_dag_pb2.TagQuery, _Mapping]] = ...) -> None: ...

class QueryQueuesResponse(_message.Message):
    __slots__ = ("queues", "revision")
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    queues: _containers.RepeatedCompositeFieldContainer[_dag_pb2.Queue]
    revision: int
    def __init__(self, queues: _Optional[_Iterable[_Union[_dag_pb2.Queue, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class WatchQueuesRequest(_message.Message):
    __slots__ = ("query",)
    QUERY_FIELD_NUMBER: _ClassVar[int]
    query: _dag_pb2.TagQuery
    def __init__(self, query: _Optional[_Union[_dag_pb2.TagQuery, _Mapping]] = ...) -> None: ...

class WatchQueuesResponse(_message.Message):
    __slots__ = ("queues", "revision")
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    queues: _containers.RepeatedCompositeFieldContainer[_dag_pb2.Queue]
    revision: int
    def __init__(self, queues: _Optional[_Iterable[_Union[_dag_pb2.Queue, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class GetQueueStatsRequest(_message.Message):
    __slots__ = ("compute_keys",)
    COMPUTE_KEYS_FIELD_NUMBER: _ClassVar[int]
    compute_keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, compute_keys: _Optional[_Iterable[str]] = ...) -> None: ...

class GetQueueStatsResponse(_message.Message):
    __slots__ = ("stats",)
    STATS_FIELD_NUMBER: _ClassVar[int]
    stats: _containers.RepeatedCompositeFieldContainer[_dag_pb2.QueueStats]
    def __init__(self, stats: _Optional[_Iterable[_Union[_dag_pb2.QueueStats, _Mapping]]] = ...) -> None: ...

class ReportQueueProgressRequest(_message.Message):
    __slots__ = ("compute_key", "first_bucket", "last_bucket", "rows")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    FIRST_BUCKET_FIELD_NUMBER: _ClassVar[int]
    LAST_BUCKET_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    first_bucket: _timestamp_pb2.Timestamp
    last_bucket: _timestamp_pb2.Timestamp
    rows: int
    def __init__(self, compute_key: _Optional[str] = ..., first_bucket: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_bucket: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rows: _Optional[int] = ...) -> None: ...

class ReportQueueProgressResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSentinelsRequest(_message.Message):
    __slots__ = ("strategy_id", "page")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    page: _common_pb2.PageRequest
    def __init__(self, strategy_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListSentinelsResponse(_message.Message):
    __slots__ = ("sentinels", "page")
    SENTINELS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    sentinels: _containers.RepeatedCompositeFieldContainer[_dag_pb2.Sentinel]
    page: _common_pb2.PageInfo
    def __init__(self, sentinels: _Optional[_Iterable[_Union[_dag_pb2.Sentinel, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class SetTrafficWeightRequest(_message.Message):
    __slots__ = ("sentinel_id", "traffic_weight", "etag")
    SENTINEL_ID_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    sentinel_id: str
    traffic_weight: float
    etag: str
    def __init__(self, sentinel_id: _Optional[str] = ..., traffic_weight: _Optional[float] = ..., etag: _Optional[str] = ...) -> None: ...

class SetTrafficWeightResponse(_message.Message):
    __slots__ = ("sentinel",)
    SENTINEL_FIELD_NUMBER: _ClassVar[int]
    sentinel: _dag_pb2.Sentinel
    def __init__(self, sentinel: _Optional[_Union[_dag_pb2.Sentinel, _Mapping]] = ...) -> None: ...

class CollectGarbageRequest(_message.Message):
    __slots__ = ("compute_keys", "dry_run")
    COMPUTE_KEYS_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    compute_keys: _containers.RepeatedScalarFieldContainer[str]
    dry_run: bool
    def __init__(self, compute_keys: _Optional[_Iterable[str]] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class CollectGarbageResponse(_message.Message):
    __slots__ = ("observed", "candidates", "processed", "skipped", "archives")
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    PROCESSED_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    ARCHIVES_FIELD_NUMBER: _ClassVar[int]
    observed: int
    candidates: int
    processed: int
    skipped: _containers.RepeatedCompositeFieldContainer[GarbageSkip]
    archives: _containers.RepeatedCompositeFieldContainer[_dag_pb2.GraphArtifact]
    def __init__(self, observed: _Optional[int] = ..., candidates: _Optional[int] = ..., processed: _Optional[int] = ..., skipped: _Optional[_Iterable[_Union[GarbageSkip, _Mapping]]] = ..., archives: _Optional[_Iterable[_Union[_dag_pb2.GraphArtifact, _Mapping]]] = ...) -> None: ...

class GarbageSkip(_message.Message):
    __slots__ = ("compute_key", "reason")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    reason: str
    def __init__(self, compute_key: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ExportSnapshotRequest(_message.Message):
    __slots__ = ("url",)
    URL_FIELD_NUMBER: _ClassVar[int]
    url: str
    def __init__(self, url: _Optional[str] = ...) -> None: ...

class ExportSnapshotResponse(_message.Message):
    __slots__ = ("artifact", "content_hash")
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    artifact: _dag_pb2.GraphArtifact
    content_hash: str
    def __init__(self, artifact: _Optional[_Union[_dag_pb2.GraphArtifact, _Mapping]] = ..., content_hash: _Optional[str] = ...) -> None: ...

class VerifySnapshotRequest(_message.Message):
    __slots__ = ("url",)
    URL_FIELD_NUMBER: _ClassVar[int]
    url: str
    def __init__(self, url: _Optional[str] = ...) -> None: ...

class VerifySnapshotResponse(_message.Message):
    __slots__ = ("content_hash", "current")
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    content_hash: str
    current: bool
    def __init__(self, content_hash: _Optional[str] = ..., current: _Optional[bool] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("status", "nodes", "queues", "plans", "graph_revision")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    PLANS_FIELD_NUMBER: _ClassVar[int]
    GRAPH_REVISION_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.ServiceStatus
    nodes: int
    queues: int
    plans: int
    graph_revision: int
    def __init__(self, status: _Optional[_Union[_common_pb2.ServiceStatus, _Mapping]] = ..., nodes: _Optional[int] = ..., queues: _Optional[int] = ..., plans: _Optional[int] = ..., graph_revision: _Optional[int] = ...) -> None: ...

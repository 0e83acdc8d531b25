import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SemanticKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEMANTIC_KIND_UNSPECIFIED: _ClassVar[SemanticKind]
    SEMANTIC_KIND_CAUSAL_STREAM: _ClassVar[SemanticKind]
    SEMANTIC_KIND_DELAYED_STREAM: _ClassVar[SemanticKind]
    SEMANTIC_KIND_IMMUTABLE_ARTIFACT: _ClassVar[SemanticKind]
    SEMANTIC_KIND_MUTABLE_EXECUTION_STATE: _ClassVar[SemanticKind]
    SEMANTIC_KIND_DECISION_VALUE: _ClassVar[SemanticKind]
    SEMANTIC_KIND_COMMAND_VALUE: _ClassVar[SemanticKind]

class QueueClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUEUE_CLASS_UNSPECIFIED: _ClassVar[QueueClass]
    QUEUE_CLASS_RAW: _ClassVar[QueueClass]
    QUEUE_CLASS_INDICATOR: _ClassVar[QueueClass]
    QUEUE_CLASS_TRADE: _ClassVar[QueueClass]

class MatchMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MATCH_MODE_UNSPECIFIED: _ClassVar[MatchMode]
    MATCH_MODE_ANY: _ClassVar[MatchMode]
    MATCH_MODE_ALL: _ClassVar[MatchMode]

class Disposition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPOSITION_UNSPECIFIED: _ClassVar[Disposition]
    DISPOSITION_NEW: _ClassVar[Disposition]
    DISPOSITION_REUSED: _ClassVar[Disposition]
    DISPOSITION_REUSED_WITH_BUFFERING: _ClassVar[Disposition]

class QueueState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUEUE_STATE_UNSPECIFIED: _ClassVar[QueueState]
    QUEUE_STATE_ACTIVE: _ClassVar[QueueState]
    QUEUE_STATE_RELEASED: _ClassVar[QueueState]
    QUEUE_STATE_ARCHIVED: _ClassVar[QueueState]
    QUEUE_STATE_DROPPED: _ClassVar[QueueState]
SEMANTIC_KIND_UNSPECIFIED: SemanticKind
SEMANTIC_KIND_CAUSAL_STREAM: SemanticKind
SEMANTIC_KIND_DELAYED_STREAM: SemanticKind
SEMANTIC_KIND_IMMUTABLE_ARTIFACT: SemanticKind
SEMANTIC_KIND_MUTABLE_EXECUTION_STATE: SemanticKind
SEMANTIC_KIND_DECISION_VALUE: SemanticKind
SEMANTIC_KIND_COMMAND_VALUE: SemanticKind
QUEUE_CLASS_UNSPECIFIED: QueueClass
QUEUE_CLASS_RAW: QueueClass
QUEUE_CLASS_INDICATOR: QueueClass
QUEUE_CLASS_TRADE: QueueClass
MATCH_MODE_UNSPECIFIED: MatchMode
MATCH_MODE_ANY: MatchMode
MATCH_MODE_ALL: MatchMode
DISPOSITION_UNSPECIFIED: Disposition
DISPOSITION_NEW: Disposition
DISPOSITION_REUSED: Disposition
DISPOSITION_REUSED_WITH_BUFFERING: Disposition
QUEUE_STATE_UNSPECIFIED: QueueState
QUEUE_STATE_ACTIVE: QueueState
QUEUE_STATE_RELEASED: QueueState
QUEUE_STATE_ARCHIVED: QueueState
QUEUE_STATE_DROPPED: QueueState

class NodeSpec(_message.Message):
    __slots__ = ("node_type", "interval_s", "period", "params", "dependencies", "schema_compat_id", "code_hash")
    NODE_TYPE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    DEPENDENCIES_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_COMPAT_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_HASH_FIELD_NUMBER: _ClassVar[int]
    node_type: str
    interval_s: int
    period: int
    params: _struct_pb2.Struct
    dependencies: _containers.RepeatedScalarFieldContainer[str]
    schema_compat_id: str
    code_hash: str
    def __init__(self, node_type: _Optional[str] = ..., interval_s: _Optional[int] = ..., period: _Optional[int] = ..., params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., dependencies: _Optional[_Iterable[str]] = ..., schema_compat_id: _Optional[str] = ..., code_hash: _Optional[str] = ...) -> None: ...

class DagNode(_message.Message):
    __slots__ = ("node_id", "spec", "schema_hash", "tags", "queue_class", "kind", "name", "input_names", "input_ids")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_HASH_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_CLASS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_NAMES_FIELD_NUMBER: _ClassVar[int]
    INPUT_IDS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    spec: NodeSpec
    schema_hash: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    queue_class: QueueClass
    kind: SemanticKind
    name: str
    input_names: _containers.RepeatedScalarFieldContainer[str]
    input_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, node_id: _Optional[str] = ..., spec: _Optional[_Union[NodeSpec, _Mapping]] = ..., schema_hash: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., queue_class: _Optional[_Union[QueueClass, str]] = ..., kind: _Optional[_Union[SemanticKind, str]] = ..., name: _Optional[str] = ..., input_names: _Optional[_Iterable[str]] = ..., input_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Dag(_message.Message):
    __slots__ = ("nodes",)
    NODES_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[DagNode]
    def __init__(self, nodes: _Optional[_Iterable[_Union[DagNode, _Mapping]]] = ...) -> None: ...

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

class Queue(_message.Message):
    __slots__ = ("compute_key", "node_id", "world_id", "execution_domain", "as_of", "partition", "topic", "interval_s", "tags", "queue_class", "state", "created_at", "first_bucket", "last_bucket", "rows", "references")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_CLASS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    FIRST_BUCKET_FIELD_NUMBER: _ClassVar[int]
    LAST_BUCKET_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    node_id: str
    world_id: str
    execution_domain: _common_pb2.ExecutionDomain
    as_of: _timestamp_pb2.Timestamp
    partition: str
    topic: str
    interval_s: int
    tags: _containers.RepeatedScalarFieldContainer[str]
    queue_class: QueueClass
    state: QueueState
    created_at: _timestamp_pb2.Timestamp
    first_bucket: _timestamp_pb2.Timestamp
    last_bucket: _timestamp_pb2.Timestamp
    rows: int
    references: int
    def __init__(self, compute_key: _Optional[str] = ..., node_id: _Optional[str] = ..., world_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., partition: _Optional[str] = ..., topic: _Optional[str] = ..., interval_s: _Optional[int] = ..., tags: _Optional[_Iterable[str]] = ..., queue_class: _Optional[_Union[QueueClass, str]] = ..., state: _Optional[_Union[QueueState, str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., first_bucket: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_bucket: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rows: _Optional[int] = ..., references: _Optional[int] = ...) -> None: ...

class QueueStats(_message.Message):
    __slots__ = ("compute_key", "depth", "last_sequence", "last_bucket", "lag_s")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_BUCKET_FIELD_NUMBER: _ClassVar[int]
    LAG_S_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    depth: int
    last_sequence: int
    last_bucket: _timestamp_pb2.Timestamp
    lag_s: float
    def __init__(self, compute_key: _Optional[str] = ..., depth: _Optional[int] = ..., last_sequence: _Optional[int] = ..., last_bucket: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lag_s: _Optional[float] = ...) -> None: ...

class GraphNode(_message.Message):
    __slots__ = ("node_id", "spec", "schema_hash", "tags", "queue_class", "kind", "owner", "created_at", "buffering_since", "strategies")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_HASH_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_CLASS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    BUFFERING_SINCE_FIELD_NUMBER: _ClassVar[int]
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    spec: NodeSpec
    schema_hash: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    queue_class: QueueClass
    kind: SemanticKind
    owner: str
    created_at: _timestamp_pb2.Timestamp
    buffering_since: _timestamp_pb2.Timestamp
    strategies: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, node_id: _Optional[str] = ..., spec: _Optional[_Union[NodeSpec, _Mapping]] = ..., schema_hash: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., queue_class: _Optional[_Union[QueueClass, str]] = ..., kind: _Optional[_Union[SemanticKind, str]] = ..., owner: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., buffering_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., strategies: _Optional[_Iterable[str]] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("strategy_id", "version", "version_label", "dag", "digest", "created_by", "created_at", "live_worlds")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_LABEL_FIELD_NUMBER: _ClassVar[int]
    DAG_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    LIVE_WORLDS_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    version: int
    version_label: str
    dag: Dag
    digest: str
    created_by: str
    created_at: _timestamp_pb2.Timestamp
    live_worlds: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, strategy_id: _Optional[str] = ..., version: _Optional[int] = ..., version_label: _Optional[str] = ..., dag: _Optional[_Union[Dag, _Mapping]] = ..., digest: _Optional[str] = ..., created_by: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., live_worlds: _Optional[_Iterable[str]] = ...) -> None: ...

class Sentinel(_message.Message):
    __slots__ = ("sentinel_id", "strategy_id", "version", "commit_hash", "traffic_weight", "revision", "etag", "created_at")
    SENTINEL_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    COMMIT_HASH_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    sentinel_id: str
    strategy_id: str
    version: int
    commit_hash: str
    traffic_weight: float
    revision: int
    etag: str
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, sentinel_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., version: _Optional[int] = ..., commit_hash: _Optional[str] = ..., traffic_weight: _Optional[float] = ..., revision: _Optional[int] = ..., etag: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TagQuery(_message.Message):
    __slots__ = ("tags", "match_mode", "interval_s", "world_id", "execution_domain")
    TAGS_FIELD_NUMBER: _ClassVar[int]
    MATCH_MODE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    tags: _containers.RepeatedScalarFieldContainer[str]
    match_mode: MatchMode
    interval_s: int
    world_id: str
    execution_domain: _common_pb2.ExecutionDomain
    def __init__(self, tags: _Optional[_Iterable[str]] = ..., match_mode: _Optional[_Union[MatchMode, str]] = ..., interval_s: _Optional[int] = ..., world_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ...) -> None: ...

class GraphArtifact(_message.Message):
    __slots__ = ("path", "checksum", "size_bytes", "used_by", "created_at")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    USED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    path: str
    checksum: str
    size_bytes: int
    used_by: _containers.RepeatedScalarFieldContainer[str]
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, path: _Optional[str] = ..., checksum: _Optional[str] = ..., size_bytes: _Optional[int] = ..., used_by: _Optional[_Iterable[str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

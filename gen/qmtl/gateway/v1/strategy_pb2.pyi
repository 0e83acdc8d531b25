import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.control.v1 import control_pb2 as _control_pb2
from qmtl.dag.v1 import dag_pb2 as _dag_pb2
from qmtl.world.v1 import binding_pb2 as _binding_pb2
from qmtl.world.v1 import decision_pb2 as _decision_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StrategyMeta(_message.Message):
    __slots__ = ("name", "version_label", "client", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_LABEL_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version_label: str
    client: str
    labels: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., version_label: _Optional[str] = ..., client: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ComputeHints(_message.Message):
    __slots__ = ("execution_domain", "as_of", "partition", "dataset_fingerprint")
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    execution_domain: _common_pb2.ExecutionDomain
    as_of: _timestamp_pb2.Timestamp
    partition: str
    dataset_fingerprint: str
    def __init__(self, execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., partition: _Optional[str] = ..., dataset_fingerprint: _Optional[str] = ...) -> None: ...

class StrategySubmission(_message.Message):
    __slots__ = ("request_id", "meta", "dag", "node_ids_crc32", "world_ids", "hints")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    DAG_FIELD_NUMBER: _ClassVar[int]
    NODE_IDS_CRC32_FIELD_NUMBER: _ClassVar[int]
    WORLD_IDS_FIELD_NUMBER: _ClassVar[int]
    HINTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    meta: StrategyMeta
    dag: _dag_pb2.Dag
    node_ids_crc32: int
    world_ids: _containers.RepeatedScalarFieldContainer[str]
    hints: ComputeHints
    def __init__(self, request_id: _Optional[str] = ..., meta: _Optional[_Union[StrategyMeta, _Mapping]] = ..., dag: _Optional[_Union[_dag_pb2.Dag, _Mapping]] = ..., node_ids_crc32: _Optional[int] = ..., world_ids: _Optional[_Iterable[str]] = ..., hints: _Optional[_Union[ComputeHints, _Mapping]] = ...) -> None: ...

class WorldOutcome(_message.Message):
    __slots__ = ("world_id", "context", "decision", "binding")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    BINDING_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    context: _common_pb2.ComputeContext
    decision: _decision_pb2.DecisionEnvelope
    binding: _binding_pb2.Binding
    def __init__(self, world_id: _Optional[str] = ..., context: _Optional[_Union[_common_pb2.ComputeContext, _Mapping]] = ..., decision: _Optional[_Union[_decision_pb2.DecisionEnvelope, _Mapping]] = ..., binding: _Optional[_Union[_binding_pb2.Binding, _Mapping]] = ...) -> None: ...

class Strategy(_message.Message):
    __slots__ = ("strategy_id", "meta", "state", "reason", "submitted_by", "created_at", "updated_at", "world_ids", "dag_digest", "nodes", "outcomes", "sentinel_id", "plan_version", "strategy_revision", "release_pending", "message")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    WORLD_IDS_FIELD_NUMBER: _ClassVar[int]
    DAG_DIGEST_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    SENTINEL_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_VERSION_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_REVISION_FIELD_NUMBER: _ClassVar[int]
    RELEASE_PENDING_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    meta: StrategyMeta
    state: _control_pb2.StrategyState
    reason: str
    submitted_by: str
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    world_ids: _containers.RepeatedScalarFieldContainer[str]
    dag_digest: str
    nodes: int
    outcomes: _containers.RepeatedCompositeFieldContainer[WorldOutcome]
    sentinel_id: str
    plan_version: int
    strategy_revision: int
    release_pending: bool
    message: str
    def __init__(self, strategy_id: _Optional[str] = ..., meta: _Optional[_Union[StrategyMeta, _Mapping]] = ..., state: _Optional[_Union[_control_pb2.StrategyState, str]] = ..., reason: _Optional[str] = ..., submitted_by: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., world_ids: _Optional[_Iterable[str]] = ..., dag_digest: _Optional[str] = ..., nodes: _Optional[int] = ..., outcomes: _Optional[_Iterable[_Union[WorldOutcome, _Mapping]]] = ..., sentinel_id: _Optional[str] = ..., plan_version: _Optional[int] = ..., strategy_revision: _Optional[int] = ..., release_pending: _Optional[bool] = ..., message: _Optional[str] = ...) -> None: ...

class StrategyHistoryEntry(_message.Message):
    __slots__ = ("strategy_revision", "state", "reason", "actor", "time", "message")
    STRATEGY_REVISION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    strategy_revision: int
    state: _control_pb2.StrategyState
    reason: str
    actor: str
    time: _timestamp_pb2.Timestamp
    message: str
    def __init__(self, strategy_revision: _Optional[int] = ..., state: _Optional[_Union[_control_pb2.StrategyState, str]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message: _Optional[str] = ...) -> None: ...

import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import broker_pb2 as _broker_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.control.v1 import control_pb2 as _control_pb2
from qmtl.dag.v1 import dag_pb2 as _dag_pb2
from qmtl.world.v1 import world_pb2 as _world_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Topic(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOPIC_UNSPECIFIED: _ClassVar[Topic]
    TOPIC_ACTIVATION: _ClassVar[Topic]
    TOPIC_QUEUES: _ClassVar[Topic]
    TOPIC_POLICY: _ClassVar[Topic]
    TOPIC_STRATEGY: _ClassVar[Topic]
    TOPIC_SENTINEL: _ClassVar[Topic]
    TOPIC_REBALANCING: _ClassVar[Topic]
    TOPIC_ORDERS: _ClassVar[Topic]

class NoticeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTICE_KIND_UNSPECIFIED: _ClassVar[NoticeKind]
    NOTICE_KIND_GOING_AWAY: _ClassVar[NoticeKind]
    NOTICE_KIND_LAGGING: _ClassVar[NoticeKind]
    NOTICE_KIND_RESUME_TOO_OLD: _ClassVar[NoticeKind]
    NOTICE_KIND_WINDOW_CLOSING: _ClassVar[NoticeKind]

class DegradationLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEGRADATION_LEVEL_UNSPECIFIED: _ClassVar[DegradationLevel]
    DEGRADATION_LEVEL_NORMAL: _ClassVar[DegradationLevel]
    DEGRADATION_LEVEL_PARTIAL: _ClassVar[DegradationLevel]
    DEGRADATION_LEVEL_MINIMAL: _ClassVar[DegradationLevel]
    DEGRADATION_LEVEL_STATIC: _ClassVar[DegradationLevel]
TOPIC_UNSPECIFIED: Topic
TOPIC_ACTIVATION: Topic
TOPIC_QUEUES: Topic
TOPIC_POLICY: Topic
TOPIC_STRATEGY: Topic
TOPIC_SENTINEL: Topic
TOPIC_REBALANCING: Topic
TOPIC_ORDERS: Topic
NOTICE_KIND_UNSPECIFIED: NoticeKind
NOTICE_KIND_GOING_AWAY: NoticeKind
NOTICE_KIND_LAGGING: NoticeKind
NOTICE_KIND_RESUME_TOO_OLD: NoticeKind
NOTICE_KIND_WINDOW_CLOSING: NoticeKind
DEGRADATION_LEVEL_UNSPECIFIED: DegradationLevel
DEGRADATION_LEVEL_NORMAL: DegradationLevel
DEGRADATION_LEVEL_PARTIAL: DegradationLevel
DEGRADATION_LEVEL_MINIMAL: DegradationLevel
DEGRADATION_LEVEL_STATIC: DegradationLevel

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

class WorldOutcome(_message.Message):
    __slots__ = ("world_id", "context", "decision", "binding", "assignments")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    BINDING_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    context: _common_pb2.ComputeContext
    decision: _world_pb2.DecisionEnvelope
    binding: _world_pb2.Binding
    assignments: _containers.RepeatedCompositeFieldContainer[_dag_pb2.QueueAssignment]
    def __init__(self, world_id: _Optional[str] = ..., context: _Optional[_Union[_common_pb2.ComputeContext, _Mapping]] = ..., decision: _Optional[_Union[_world_pb2.DecisionEnvelope, _Mapping]] = ..., binding: _Optional[_Union[_world_pb2.Binding, _Mapping]] = ..., assignments: _Optional[_Iterable[_Union[_dag_pb2.QueueAssignment, _Mapping]]] = ...) -> None: ...

class Strategy(_message.Message):
    __slots__ = ("strategy_id", "meta", "state", "reason", "submitted_by", "created_at", "updated_at", "world_ids", "dag_digest", "nodes", "outcomes", "sentinel_id", "plan_version", "revision", "release_pending")
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
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RELEASE_PENDING_FIELD_NUMBER: _ClassVar[int]
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
    revision: int
    release_pending: bool
    def __init__(self, strategy_id: _Optional[str] = ..., meta: _Optional[_Union[StrategyMeta, _Mapping]] = ..., state: _Optional[_Union[_control_pb2.StrategyState, str]] = ..., reason: _Optional[str] = ..., submitted_by: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., world_ids: _Optional[_Iterable[str]] = ..., dag_digest: _Optional[str] = ..., nodes: _Optional[int] = ..., outcomes: _Optional[_Iterable[_Union[WorldOutcome, _Mapping]]] = ..., sentinel_id: _Optional[str] = ..., plan_version: _Optional[int] = ..., revision: _Optional[int] = ..., release_pending: _Optional[bool] = ...) -> None: ...

class StrategyHistoryEntry(_message.Message):
    __slots__ = ("sequence", "state", "reason", "actor", "time")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    state: _control_pb2.StrategyState
    reason: str
    actor: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, sequence: _Optional[int] = ..., state: _Optional[_Union[_control_pb2.StrategyState, str]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EventStreamDescriptor(_message.Message):
    __slots__ = ("address", "token", "topics", "expires_at", "fallback_address", "resume_token")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    address: str
    token: str
    topics: _containers.RepeatedScalarFieldContainer[Topic]
    expires_at: _timestamp_pb2.Timestamp
    fallback_address: str
    resume_token: str
    def __init__(self, address: _Optional[str] = ..., token: _Optional[str] = ..., topics: _Optional[_Iterable[_Union[Topic, str]]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., fallback_address: _Optional[str] = ..., resume_token: _Optional[str] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("topic", "states", "state_hash", "orders")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    STATE_HASH_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    topic: Topic
    states: _containers.RepeatedCompositeFieldContainer[_control_pb2.ControlEvent]
    state_hash: str
    orders: _containers.RepeatedCompositeFieldContainer[_broker_pb2.OrderStatus]
    def __init__(self, topic: _Optional[_Union[Topic, str]] = ..., states: _Optional[_Iterable[_Union[_control_pb2.ControlEvent, _Mapping]]] = ..., state_hash: _Optional[str] = ..., orders: _Optional[_Iterable[_Union[_broker_pb2.OrderStatus, _Mapping]]] = ...) -> None: ...

class EventBatch(_message.Message):
    __slots__ = ("events", "resume_token", "order_events")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ORDER_EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_control_pb2.ControlEvent]
    resume_token: str
    order_events: _containers.RepeatedCompositeFieldContainer[_broker_pb2.OrderEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[_control_pb2.ControlEvent, _Mapping]]] = ..., resume_token: _Optional[str] = ..., order_events: _Optional[_Iterable[_Union[_broker_pb2.OrderEvent, _Mapping]]] = ...) -> None: ...

class Bookmark(_message.Message):
    __slots__ = ("resume_token", "server_time")
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVER_TIME_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    server_time: _timestamp_pb2.Timestamp
    def __init__(self, resume_token: _Optional[str] = ..., server_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ("kind", "resume_token", "detail")
    KIND_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    kind: NoticeKind
    resume_token: str
    detail: str
    def __init__(self, kind: _Optional[_Union[NoticeKind, str]] = ..., resume_token: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("snapshot", "events", "bookmark", "notice")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    BOOKMARK_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    snapshot: Snapshot
    events: EventBatch
    bookmark: Bookmark
    notice: Notice
    def __init__(self, snapshot: _Optional[_Union[Snapshot, _Mapping]] = ..., events: _Optional[_Union[EventBatch, _Mapping]] = ..., bookmark: _Optional[_Union[Bookmark, _Mapping]] = ..., notice: _Optional[_Union[Notice, _Mapping]] = ...) -> None: ...

class ProducerLease(_message.Message):
    __slots__ = ("compute_key", "epoch", "expires_at", "acquired", "holder")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    ACQUIRED_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    epoch: int
    expires_at: _timestamp_pb2.Timestamp
    acquired: bool
    holder: str
    def __init__(self, compute_key: _Optional[str] = ..., epoch: _Optional[int] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., acquired: _Optional[bool] = ..., holder: _Optional[str] = ...) -> None: ...

class GateStatus(_message.Message):
    __slots__ = ("world_id", "revision", "epoch", "effective_mode", "session_valid", "detail", "closes_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    SESSION_VALID_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    CLOSES_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    revision: int
    epoch: int
    effective_mode: _common_pb2.EffectiveMode
    session_valid: bool
    detail: str
    closes_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., revision: _Optional[int] = ..., epoch: _Optional[int] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., session_valid: _Optional[bool] = ..., detail: _Optional[str] = ..., closes_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

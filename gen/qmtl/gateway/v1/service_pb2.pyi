import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import broker_pb2 as _broker_pb2
from qmtl.broker.v1 import service_pb2 as _service_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.control.v1 import control_pb2 as _control_pb2
from qmtl.dag.v1 import dag_pb2 as _dag_pb2
from qmtl.dag.v1 import service_pb2 as _service_pb2_1
from qmtl.data.v1 import data_pb2 as _data_pb2
from qmtl.gateway.v1 import gateway_pb2 as _gateway_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubmitStrategyRequest(_message.Message):
    __slots__ = ("request_id", "meta", "dag", "node_ids_crc32", "world_ids", "hints")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    META_FIELD_NUMBER: _ClassVar[int]
    DAG_FIELD_NUMBER: _ClassVar[int]
    NODE_IDS_CRC32_FIELD_NUMBER: _ClassVar[int]
    WORLD_IDS_FIELD_NUMBER: _ClassVar[int]
    HINTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    meta: _gateway_pb2.StrategyMeta
    dag: _dag_pb2.Dag
    node_ids_crc32: int
    world_ids: _containers.RepeatedScalarFieldContainer[str]
    hints: _gateway_pb2.ComputeHints
    def __init__(self, request_id: _Optional[str] = ..., meta: _Optional[_Union[_gateway_pb2.StrategyMeta, _Mapping]] = ..., dag: _Optional[_Union[_dag_pb2.Dag, _Mapping]] = ..., node_ids_crc32: _Optional[int] = ..., world_ids: _Optional[_Iterable[str]] = ..., hints: _Optional[_Union[_gateway_pb2.ComputeHints, _Mapping]] = ...) -> None: ...

class SubmitStrategyResponse(_message.Message):
    __slots__ = ("strategy", "repeated_request")
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    REPEATED_REQUEST_FIELD_NUMBER: _ClassVar[int]
    strategy: _gateway_pb2.Strategy
    repeated_request: bool
    def __init__(self, strategy: _Optional[_Union[_gateway_pb2.Strategy, _Mapping]] = ..., repeated_request: _Optional[bool] = ...) -> None: ...

class DryRunStrategyRequest(_message.Message):
    __slots__ = ("meta", "dag", "node_ids_crc32", "world_ids", "hints")
    META_FIELD_NUMBER: _ClassVar[int]
    DAG_FIELD_NUMBER: _ClassVar[int]
    NODE_IDS_CRC32_FIELD_NUMBER: _ClassVar[int]
    WORLD_IDS_FIELD_NUMBER: _ClassVar[int]
    HINTS_FIELD_NUMBER: _ClassVar[int]
    meta: _gateway_pb2.StrategyMeta
    dag: _dag_pb2.Dag
    node_ids_crc32: int
    world_ids: _containers.RepeatedScalarFieldContainer[str]
    hints: _gateway_pb2.ComputeHints
    def __init__(self, meta: _Optional[_Union[_gateway_pb2.StrategyMeta, _Mapping]] = ..., dag: _Optional[_Union[_dag_pb2.Dag, _Mapping]] = ..., node_ids_crc32: _Optional[int] = ..., world_ids: _Optional[_Iterable[str]] = ..., hints: _Optional[_Union[_gateway_pb2.ComputeHints, _Mapping]] = ...) -> None: ...

class DryRunStrategyResponse(_message.Message):
    __slots__ = ("outcomes", "summary")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[_gateway_pb2.WorldOutcome]
    summary: _service_pb2_1.DiffSummary
    def __init__(self, outcomes: _Optional[_Iterable[_Union[_gateway_pb2.WorldOutcome, _Mapping]]] = ..., summary: _Optional[_Union[_service_pb2_1.DiffSummary, _Mapping]] = ...) -> None: ...

class GetStrategyRequest(_message.Message):
    __slots__ = ("strategy_id",)
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    def __init__(self, strategy_id: _Optional[str] = ...) -> None: ...

class GetStrategyResponse(_message.Message):
    __slots__ = ("strategy",)
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    strategy: _gateway_pb2.Strategy
    def __init__(self, strategy: _Optional[_Union[_gateway_pb2.Strategy, _Mapping]] = ...) -> None: ...

class WatchStrategyRequest(_message.Message):
    __slots__ = ("strategy_id",)
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    def __init__(self, strategy_id: _Optional[str] = ...) -> None: ...

class WatchStrategyResponse(_message.Message):
    __slots__ = ("strategy",)
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    strategy: _gateway_pb2.Strategy
    def __init__(self, strategy: _Optional[_Union[_gateway_pb2.Strategy, _Mapping]] = ...) -> None: ...

class ListStrategiesRequest(_message.Message):
    __slots__ = ("world_id", "state", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    state: _control_pb2.StrategyState
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., state: _Optional[_Union[_control_pb2.StrategyState, str]] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListStrategiesResponse(_message.Message):
    __slots__ = ("strategies", "page")
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    strategies: _containers.RepeatedCompositeFieldContainer[_gateway_pb2.Strategy]
    page: _common_pb2.PageInfo
    def __init__(self, strategies: _Optional[_Iterable[_Union[_gateway_pb2.Strategy, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class CancelStrategyRequest(_message.Message):
    __slots__ = ("strategy_id", "reason")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    reason: str
    def __init__(self, strategy_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class CancelStrategyResponse(_message.Message):
    __slots__ = ("strategy",)
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    strategy: _gateway_pb2.Strategy
    def __init__(self, strategy: _Optional[_Union[_gateway_pb2.Strategy, _Mapping]] = ...) -> None: ...

class GetStrategyHistoryRequest(_message.Message):
    __slots__ = ("strategy_id",)
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    def __init__(self, strategy_id: _Optional[str] = ...) -> None: ...

class GetStrategyHistoryResponse(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_gateway_pb2.StrategyHistoryEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[_gateway_pb2.StrategyHistoryEntry, _Mapping]]] = ...) -> None: ...

class CreateEventStreamRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "topics")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    topics: _containers.RepeatedScalarFieldContainer[_gateway_pb2.Topic]
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., topics: _Optional[_Iterable[_Union[_gateway_pb2.Topic, str]]] = ...) -> None: ...

class CreateEventStreamResponse(_message.Message):
    __slots__ = ("stream",)
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: _gateway_pb2.EventStreamDescriptor
    def __init__(self, stream: _Optional[_Union[_gateway_pb2.EventStreamDescriptor, _Mapping]] = ...) -> None: ...

class RefreshEventStreamRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class RefreshEventStreamResponse(_message.Message):
    __slots__ = ("stream",)
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: _gateway_pb2.EventStreamDescriptor
    def __init__(self, stream: _Optional[_Union[_gateway_pb2.EventStreamDescriptor, _Mapping]] = ...) -> None: ...

class SubscribeEventsRequest(_message.Message):
    __slots__ = ("token", "resume_token")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    resume_token: str
    def __init__(self, token: _Optional[str] = ..., resume_token: _Optional[str] = ...) -> None: ...

class SubscribeEventsResponse(_message.Message):
    __slots__ = ("frame",)
    FRAME_FIELD_NUMBER: _ClassVar[int]
    frame: _gateway_pb2.Frame
    def __init__(self, frame: _Optional[_Union[_gateway_pb2.Frame, _Mapping]] = ...) -> None: ...

class GetJwksRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetJwksResponse(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[PublicKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[PublicKey, _Mapping]]] = ...) -> None: ...

class PublicKey(_message.Message):
    __slots__ = ("kid", "x")
    KID_FIELD_NUMBER: _ClassVar[int]
    X_FIELD_NUMBER: _ClassVar[int]
    kid: str
    x: str
    def __init__(self, kid: _Optional[str] = ..., x: _Optional[str] = ...) -> None: ...

class SubmitOrderRequest(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _broker_pb2.Order
    def __init__(self, order: _Optional[_Union[_broker_pb2.Order, _Mapping]] = ...) -> None: ...

class SubmitOrderResponse(_message.Message):
    __slots__ = ("status", "duplicate")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    status: _broker_pb2.OrderStatus
    duplicate: bool
    def __init__(self, status: _Optional[_Union[_broker_pb2.OrderStatus, _Mapping]] = ..., duplicate: _Optional[bool] = ...) -> None: ...

class SubmitOrderListRequest(_message.Message):
    __slots__ = ("orders", "contingency")
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    CONTINGENCY_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[_broker_pb2.Order]
    contingency: _broker_pb2.ContingencyType
    def __init__(self, orders: _Optional[_Iterable[_Union[_broker_pb2.Order, _Mapping]]] = ..., contingency: _Optional[_Union[_broker_pb2.ContingencyType, str]] = ...) -> None: ...

class SubmitOrderListResponse(_message.Message):
    __slots__ = ("statuses",)
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[_broker_pb2.OrderStatus]
    def __init__(self, statuses: _Optional[_Iterable[_Union[_broker_pb2.OrderStatus, _Mapping]]] = ...) -> None: ...

class ReplaceOrderRequest(_message.Message):
    __slots__ = ("key", "quantity", "limit_price", "stop_price")
    KEY_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    key: _service_pb2.OrderKey
    quantity: str
    limit_price: str
    stop_price: str
    def __init__(self, key: _Optional[_Union[_service_pb2.OrderKey, _Mapping]] = ..., quantity: _Optional[str] = ..., limit_price: _Optional[str] = ..., stop_price: _Optional[str] = ...) -> None: ...

class ReplaceOrderResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _broker_pb2.OrderStatus
    def __init__(self, status: _Optional[_Union[_broker_pb2.OrderStatus, _Mapping]] = ...) -> None: ...

class CancelOrderRequest(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: _service_pb2.OrderKey
    def __init__(self, key: _Optional[_Union[_service_pb2.OrderKey, _Mapping]] = ...) -> None: ...

class CancelOrderResponse(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _broker_pb2.OrderStatus
    def __init__(self, status: _Optional[_Union[_broker_pb2.OrderStatus, _Mapping]] = ...) -> None: ...

class TradeStreamRequest(_message.Message):
    __slots__ = ("correlation_id", "submit", "cancel")
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    correlation_id: str
    submit: _broker_pb2.Order
    cancel: _service_pb2.OrderKey
    def __init__(self, correlation_id: _Optional[str] = ..., submit: _Optional[_Union[_broker_pb2.Order, _Mapping]] = ..., cancel: _Optional[_Union[_service_pb2.OrderKey, _Mapping]] = ...) -> None: ...

class TradeStreamResponse(_message.Message):
    __slots__ = ("correlation_id", "status", "event", "error")
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    correlation_id: str
    status: _broker_pb2.OrderStatus
    event: _broker_pb2.OrderEvent
    error: TradeError
    def __init__(self, correlation_id: _Optional[str] = ..., status: _Optional[_Union[_broker_pb2.OrderStatus, _Mapping]] = ..., event: _Optional[_Union[_broker_pb2.OrderEvent, _Mapping]] = ..., error: _Optional[_Union[TradeError, _Mapping]] = ...) -> None: ...

class TradeError(_message.Message):
    __slots__ = ("reason", "message", "retryable")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    retryable: bool
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., retryable: _Optional[bool] = ...) -> None: ...

class AcquireProducerRequest(_message.Message):
    __slots__ = ("compute_key", "world_id", "strategy_id", "run_id")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    world_id: str
    strategy_id: str
    run_id: str
    def __init__(self, compute_key: _Optional[str] = ..., world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class AcquireProducerResponse(_message.Message):
    __slots__ = ("lease",)
    LEASE_FIELD_NUMBER: _ClassVar[int]
    lease: _gateway_pb2.ProducerLease
    def __init__(self, lease: _Optional[_Union[_gateway_pb2.ProducerLease, _Mapping]] = ...) -> None: ...

class RenewProducerRequest(_message.Message):
    __slots__ = ("compute_key", "epoch")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    epoch: int
    def __init__(self, compute_key: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class RenewProducerResponse(_message.Message):
    __slots__ = ("lease",)
    LEASE_FIELD_NUMBER: _ClassVar[int]
    lease: _gateway_pb2.ProducerLease
    def __init__(self, lease: _Optional[_Union[_gateway_pb2.ProducerLease, _Mapping]] = ...) -> None: ...

class PublishRecordsRequest(_message.Message):
    __slots__ = ("batch",)
    BATCH_FIELD_NUMBER: _ClassVar[int]
    batch: _data_pb2.RecordBatch
    def __init__(self, batch: _Optional[_Union[_data_pb2.RecordBatch, _Mapping]] = ...) -> None: ...

class PublishRecordsResponse(_message.Message):
    __slots__ = ("committed", "already_committed", "last_sequence")
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    ALREADY_COMMITTED_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    committed: int
    already_committed: int
    last_sequence: int
    def __init__(self, committed: _Optional[int] = ..., already_committed: _Optional[int] = ..., last_sequence: _Optional[int] = ...) -> None: ...

class ReadQueueRequest(_message.Message):
    __slots__ = ("compute_key", "world_id", "from_bucket", "from_sequence", "last")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_BUCKET_FIELD_NUMBER: _ClassVar[int]
    FROM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    world_id: str
    from_bucket: _timestamp_pb2.Timestamp
    from_sequence: int
    last: bool
    def __init__(self, compute_key: _Optional[str] = ..., world_id: _Optional[str] = ..., from_bucket: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., from_sequence: _Optional[int] = ..., last: _Optional[bool] = ...) -> None: ...

class ReadQueueResponse(_message.Message):
    __slots__ = ("batch", "sequence")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    batch: _data_pb2.RecordBatch
    sequence: int
    def __init__(self, batch: _Optional[_Union[_data_pb2.RecordBatch, _Mapping]] = ..., sequence: _Optional[int] = ...) -> None: ...

class ReportFillsRequest(_message.Message):
    __slots__ = ("fill",)
    FILL_FIELD_NUMBER: _ClassVar[int]
    fill: _broker_pb2.Fill
    def __init__(self, fill: _Optional[_Union[_broker_pb2.Fill, _Mapping]] = ...) -> None: ...

class ReportFillsResponse(_message.Message):
    __slots__ = ("booked", "duplicates")
    BOOKED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    booked: int
    duplicates: int
    def __init__(self, booked: _Optional[int] = ..., duplicates: _Optional[int] = ...) -> None: ...

class ReplayFillsRequest(_message.Message):
    __slots__ = ("account", "after_sequence")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    account: str
    after_sequence: int
    def __init__(self, account: _Optional[str] = ..., after_sequence: _Optional[int] = ...) -> None: ...

class ReplayFillsResponse(_message.Message):
    __slots__ = ("fills",)
    FILLS_FIELD_NUMBER: _ClassVar[int]
    fills: _containers.RepeatedCompositeFieldContainer[_broker_pb2.Fill]
    def __init__(self, fills: _Optional[_Iterable[_Union[_broker_pb2.Fill, _Mapping]]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("status", "level", "gates", "available", "submissions_queued", "event_subscribers", "p99_s")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    SUBMISSIONS_QUEUED_FIELD_NUMBER: _ClassVar[int]
    EVENT_SUBSCRIBERS_FIELD_NUMBER: _ClassVar[int]
    P99_S_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.ServiceStatus
    level: _gateway_pb2.DegradationLevel
    gates: _containers.RepeatedCompositeFieldContainer[_gateway_pb2.GateStatus]
    available: _containers.RepeatedScalarFieldContainer[str]
    submissions_queued: int
    event_subscribers: int
    p99_s: float
    def __init__(self, status: _Optional[_Union[_common_pb2.ServiceStatus, _Mapping]] = ..., level: _Optional[_Union[_gateway_pb2.DegradationLevel, str]] = ..., gates: _Optional[_Iterable[_Union[_gateway_pb2.GateStatus, _Mapping]]] = ..., available: _Optional[_Iterable[str]] = ..., submissions_queued: _Optional[int] = ..., event_subscribers: _Optional[int] = ..., p99_s: _Optional[float] = ...) -> None: ...

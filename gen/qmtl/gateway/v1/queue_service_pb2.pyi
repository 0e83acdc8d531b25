import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.data.v1 import records_pb2 as _records_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProducerLease(_message.Message):
    __slots__ = ("compute_key", "lease_epoch", "expires_at", "acquired", "holder")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    LEASE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    ACQUIRED_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    lease_epoch: int
    expires_at: _timestamp_pb2.Timestamp
    acquired: bool
    holder: str
    def __init__(self, compute_key: _Optional[str] = ..., lease_epoch: _Optional[int] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., acquired: _Optional[bool] = ..., holder: _Optional[str] = ...) -> None: ...

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
    lease: ProducerLease
    def __init__(self, lease: _Optional[_Union[ProducerLease, _Mapping]] = ...) -> None: ...

class RenewProducerRequest(_message.Message):
    __slots__ = ("compute_key", "lease_epoch")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    LEASE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    lease_epoch: int
    def __init__(self, compute_key: _Optional[str] = ..., lease_epoch: _Optional[int] = ...) -> None: ...

class RenewProducerResponse(_message.Message):
    __slots__ = ("lease",)
    LEASE_FIELD_NUMBER: _ClassVar[int]
    lease: ProducerLease
    def __init__(self, lease: _Optional[_Union[ProducerLease, _Mapping]] = ...) -> None: ...

class PublishRecordsRequest(_message.Message):
    __slots__ = ("batch", "follows_end_time", "follows_nothing")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    FOLLOWS_END_TIME_FIELD_NUMBER: _ClassVar[int]
    FOLLOWS_NOTHING_FIELD_NUMBER: _ClassVar[int]
    batch: _records_pb2.RecordBatch
    follows_end_time: _timestamp_pb2.Timestamp
    follows_nothing: bool
    def __init__(self, batch: _Optional[_Union[_records_pb2.RecordBatch, _Mapping]] = ..., follows_end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., follows_nothing: _Optional[bool] = ...) -> None: ...

class PublishRecordsResponse(_message.Message):
    __slots__ = ("committed", "already_committed", "last_queue_sequence")
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    ALREADY_COMMITTED_FIELD_NUMBER: _ClassVar[int]
    LAST_QUEUE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    committed: int
    already_committed: int
    last_queue_sequence: int
    def __init__(self, committed: _Optional[int] = ..., already_committed: _Optional[int] = ..., last_queue_sequence: _Optional[int] = ...) -> None: ...

class ReadQueueRequest(_message.Message):
    __slots__ = ("compute_key", "world_id", "start_time", "start_queue_sequence", "last")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    START_QUEUE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    world_id: str
    start_time: _timestamp_pb2.Timestamp
    start_queue_sequence: int
    last: bool
    def __init__(self, compute_key: _Optional[str] = ..., world_id: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_queue_sequence: _Optional[int] = ..., last: _Optional[bool] = ...) -> None: ...

class ReadQueueResponse(_message.Message):
    __slots__ = ("batch", "queue_sequence")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    QUEUE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    batch: _records_pb2.RecordBatch
    queue_sequence: int
    def __init__(self, batch: _Optional[_Union[_records_pb2.RecordBatch, _Mapping]] = ..., queue_sequence: _Optional[int] = ...) -> None: ...

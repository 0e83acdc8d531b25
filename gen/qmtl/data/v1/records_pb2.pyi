import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordBatch(_message.Message):
    __slots__ = ("compute_key", "writer_epoch", "start_time", "end_time", "input_window_hash", "node_state", "node_state_artifact", "arrow_ipc")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    WRITER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    INPUT_WINDOW_HASH_FIELD_NUMBER: _ClassVar[int]
    NODE_STATE_FIELD_NUMBER: _ClassVar[int]
    NODE_STATE_ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    ARROW_IPC_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    writer_epoch: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    input_window_hash: str
    node_state: bytes
    node_state_artifact: str
    arrow_ipc: bytes
    def __init__(self, compute_key: _Optional[str] = ..., writer_epoch: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., input_window_hash: _Optional[str] = ..., node_state: _Optional[bytes] = ..., node_state_artifact: _Optional[str] = ..., arrow_ipc: _Optional[bytes] = ...) -> None: ...

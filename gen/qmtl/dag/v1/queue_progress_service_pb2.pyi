import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

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

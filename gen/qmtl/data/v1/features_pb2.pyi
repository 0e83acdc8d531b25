import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FeatureKey(_message.Message):
    __slots__ = ("factor", "interval", "params", "instrument", "dataset_fingerprint")
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    factor: str
    interval: _duration_pb2.Duration
    params: _struct_pb2.Struct
    instrument: str
    dataset_fingerprint: str
    def __init__(self, factor: _Optional[str] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., instrument: _Optional[str] = ..., dataset_fingerprint: _Optional[str] = ...) -> None: ...

class Feature(_message.Message):
    __slots__ = ("fingerprint", "world_id", "key", "as_of", "range", "rows", "columns", "schema_version", "execution_domain", "published_by", "published_at")
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_BY_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    world_id: str
    key: FeatureKey
    as_of: _timestamp_pb2.Timestamp
    range: _common_pb2.TimeRange
    rows: int
    columns: _containers.RepeatedScalarFieldContainer[str]
    schema_version: str
    execution_domain: _common_pb2.ExecutionDomain
    published_by: str
    published_at: _timestamp_pb2.Timestamp
    def __init__(self, fingerprint: _Optional[str] = ..., world_id: _Optional[str] = ..., key: _Optional[_Union[FeatureKey, _Mapping]] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., rows: _Optional[int] = ..., columns: _Optional[_Iterable[str]] = ..., schema_version: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., published_by: _Optional[str] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class FeaturePublication(_message.Message):
    __slots__ = ("context", "key", "arrow_ipc", "schema", "artifact_fingerprint")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    ARROW_IPC_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.ComputeContext
    key: FeatureKey
    arrow_ipc: bytes
    schema: str
    artifact_fingerprint: str
    def __init__(self, context: _Optional[_Union[_common_pb2.ComputeContext, _Mapping]] = ..., key: _Optional[_Union[FeatureKey, _Mapping]] = ..., arrow_ipc: _Optional[bytes] = ..., schema: _Optional[str] = ..., artifact_fingerprint: _Optional[str] = ...) -> None: ...

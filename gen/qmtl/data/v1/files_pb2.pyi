import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from qmtl.data.v1 import bars_pb2 as _bars_pb2
from qmtl.data.v1 import conformance_pb2 as _conformance_pb2
from qmtl.data.v1 import datasets_pb2 as _datasets_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AddedFile(_message.Message):
    __slots__ = ("name", "file_name", "symbol", "interval", "final", "strictness", "volume_unit", "terms", "date_order", "decimal", "sha256", "added_by")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    STRICTNESS_FIELD_NUMBER: _ClassVar[int]
    VOLUME_UNIT_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    DATE_ORDER_FIELD_NUMBER: _ClassVar[int]
    DECIMAL_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    ADDED_BY_FIELD_NUMBER: _ClassVar[int]
    name: str
    file_name: str
    symbol: str
    interval: _duration_pb2.Duration
    final: bool
    strictness: _conformance_pb2.ConformanceStrictness
    volume_unit: _bars_pb2.VolumeUnit
    terms: _datasets_pb2.DatasetTerms
    date_order: str
    decimal: str
    sha256: str
    added_by: str
    def __init__(self, name: _Optional[str] = ..., file_name: _Optional[str] = ..., symbol: _Optional[str] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., final: _Optional[bool] = ..., strictness: _Optional[_Union[_conformance_pb2.ConformanceStrictness, str]] = ..., volume_unit: _Optional[_Union[_bars_pb2.VolumeUnit, str]] = ..., terms: _Optional[_Union[_datasets_pb2.DatasetTerms, _Mapping]] = ..., date_order: _Optional[str] = ..., decimal: _Optional[str] = ..., sha256: _Optional[str] = ..., added_by: _Optional[str] = ...) -> None: ...

class FileAddition(_message.Message):
    __slots__ = ("file", "content", "expected_fingerprint")
    FILE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    file: AddedFile
    content: bytes
    expected_fingerprint: str
    def __init__(self, file: _Optional[_Union[AddedFile, _Mapping]] = ..., content: _Optional[bytes] = ..., expected_fingerprint: _Optional[str] = ...) -> None: ...

class FileLayout(_message.Message):
    __slots__ = ("separator", "decimal", "time", "columns", "unread")
    class ColumnsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SEPARATOR_FIELD_NUMBER: _ClassVar[int]
    DECIMAL_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    UNREAD_FIELD_NUMBER: _ClassVar[int]
    separator: str
    decimal: str
    time: str
    columns: _containers.ScalarMap[str, str]
    unread: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, separator: _Optional[str] = ..., decimal: _Optional[str] = ..., time: _Optional[str] = ..., columns: _Optional[_Mapping[str, str]] = ..., unread: _Optional[_Iterable[str]] = ...) -> None: ...

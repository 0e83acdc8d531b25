import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GarbageKept(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GARBAGE_KEPT_UNSPECIFIED: _ClassVar[GarbageKept]
    GARBAGE_KEPT_QUEUE_UNKNOWN: _ClassVar[GarbageKept]
    GARBAGE_KEPT_IN_USE: _ClassVar[GarbageKept]
    GARBAGE_KEPT_DROPPED_BEFORE: _ClassVar[GarbageKept]
    GARBAGE_KEPT_UNKNOWN_CLASS: _ClassVar[GarbageKept]
    GARBAGE_KEPT_NOT_DUE: _ClassVar[GarbageKept]
    GARBAGE_KEPT_BATCH_FULL: _ClassVar[GarbageKept]
    GARBAGE_KEPT_FOREIGN_RECORDS: _ClassVar[GarbageKept]
    GARBAGE_KEPT_ARCHIVE_INCOMPLETE: _ClassVar[GarbageKept]
    GARBAGE_KEPT_ARCHIVE_TOO_LARGE: _ClassVar[GarbageKept]
    GARBAGE_KEPT_ARCHIVE_FAILED: _ClassVar[GarbageKept]
    GARBAGE_KEPT_CHANGED: _ClassVar[GarbageKept]
GARBAGE_KEPT_UNSPECIFIED: GarbageKept
GARBAGE_KEPT_QUEUE_UNKNOWN: GarbageKept
GARBAGE_KEPT_IN_USE: GarbageKept
GARBAGE_KEPT_DROPPED_BEFORE: GarbageKept
GARBAGE_KEPT_UNKNOWN_CLASS: GarbageKept
GARBAGE_KEPT_NOT_DUE: GarbageKept
GARBAGE_KEPT_BATCH_FULL: GarbageKept
GARBAGE_KEPT_FOREIGN_RECORDS: GarbageKept
GARBAGE_KEPT_ARCHIVE_INCOMPLETE: GarbageKept
GARBAGE_KEPT_ARCHIVE_TOO_LARGE: GarbageKept
GARBAGE_KEPT_ARCHIVE_FAILED: GarbageKept
GARBAGE_KEPT_CHANGED: GarbageKept

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
    archives: _containers.RepeatedCompositeFieldContainer[GraphArtifact]
    def __init__(self, observed: _Optional[int] = ..., candidates: _Optional[int] = ..., processed: _Optional[int] = ..., skipped: _Optional[_Iterable[_Union[GarbageSkip, _Mapping]]] = ..., archives: _Optional[_Iterable[_Union[GraphArtifact, _Mapping]]] = ...) -> None: ...

class ExportSnapshotRequest(_message.Message):
    __slots__ = ("url",)
    URL_FIELD_NUMBER: _ClassVar[int]
    url: str
    def __init__(self, url: _Optional[str] = ...) -> None: ...

class ExportSnapshotResponse(_message.Message):
    __slots__ = ("artifact", "content_hash")
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    artifact: GraphArtifact
    content_hash: str
    def __init__(self, artifact: _Optional[_Union[GraphArtifact, _Mapping]] = ..., content_hash: _Optional[str] = ...) -> None: ...

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

class GarbageSkip(_message.Message):
    __slots__ = ("compute_key", "kept")
    COMPUTE_KEY_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    compute_key: str
    kept: GarbageKept
    def __init__(self, compute_key: _Optional[str] = ..., kept: _Optional[_Union[GarbageKept, str]] = ...) -> None: ...

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

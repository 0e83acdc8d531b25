import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ColumnType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COLUMN_TYPE_UNSPECIFIED: _ClassVar[ColumnType]
    COLUMN_TYPE_TIMESTAMP: _ClassVar[ColumnType]
    COLUMN_TYPE_INT64: _ClassVar[ColumnType]
    COLUMN_TYPE_FLOAT64: _ClassVar[ColumnType]
    COLUMN_TYPE_TEXT: _ClassVar[ColumnType]

class SchemaStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCHEMA_STAGE_UNSPECIFIED: _ClassVar[SchemaStage]
    SCHEMA_STAGE_REGISTERED: _ClassVar[SchemaStage]
    SCHEMA_STAGE_CANARY: _ClassVar[SchemaStage]
    SCHEMA_STAGE_STRICT: _ClassVar[SchemaStage]
    SCHEMA_STAGE_RETIRED: _ClassVar[SchemaStage]
COLUMN_TYPE_UNSPECIFIED: ColumnType
COLUMN_TYPE_TIMESTAMP: ColumnType
COLUMN_TYPE_INT64: ColumnType
COLUMN_TYPE_FLOAT64: ColumnType
COLUMN_TYPE_TEXT: ColumnType
SCHEMA_STAGE_UNSPECIFIED: SchemaStage
SCHEMA_STAGE_REGISTERED: SchemaStage
SCHEMA_STAGE_CANARY: SchemaStage
SCHEMA_STAGE_STRICT: SchemaStage
SCHEMA_STAGE_RETIRED: SchemaStage

class SchemaColumn(_message.Message):
    __slots__ = ("name", "type", "required")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: ColumnType
    required: bool
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[ColumnType, str]] = ..., required: _Optional[bool] = ...) -> None: ...

class SchemaVersion(_message.Message):
    __slots__ = ("name", "version", "compat_id", "columns", "stage", "registered_by", "registered_at")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    COMPAT_ID_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_BY_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_AT_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    compat_id: str
    columns: _containers.RepeatedCompositeFieldContainer[SchemaColumn]
    stage: SchemaStage
    registered_by: str
    registered_at: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., compat_id: _Optional[str] = ..., columns: _Optional[_Iterable[_Union[SchemaColumn, _Mapping]]] = ..., stage: _Optional[_Union[SchemaStage, str]] = ..., registered_by: _Optional[str] = ..., registered_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SchemaPromotion(_message.Message):
    __slots__ = ("name", "version", "before", "after", "promoted_by", "promoted_at", "cause")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    PROMOTED_BY_FIELD_NUMBER: _ClassVar[int]
    PROMOTED_AT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    before: SchemaStage
    after: SchemaStage
    promoted_by: str
    promoted_at: _timestamp_pb2.Timestamp
    cause: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., before: _Optional[_Union[SchemaStage, str]] = ..., after: _Optional[_Union[SchemaStage, str]] = ..., promoted_by: _Optional[str] = ..., promoted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cause: _Optional[str] = ...) -> None: ...

from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.data.v1 import row_schemas_pb2 as _row_schemas_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RegisterSchemaRequest(_message.Message):
    __slots__ = ("name", "columns")
    NAME_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    name: str
    columns: _containers.RepeatedCompositeFieldContainer[_row_schemas_pb2.SchemaColumn]
    def __init__(self, name: _Optional[str] = ..., columns: _Optional[_Iterable[_Union[_row_schemas_pb2.SchemaColumn, _Mapping]]] = ...) -> None: ...

class RegisterSchemaResponse(_message.Message):
    __slots__ = ("schema",)
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    schema: _row_schemas_pb2.SchemaVersion
    def __init__(self, schema: _Optional[_Union[_row_schemas_pb2.SchemaVersion, _Mapping]] = ...) -> None: ...

class ListSchemasRequest(_message.Message):
    __slots__ = ("page",)
    PAGE_FIELD_NUMBER: _ClassVar[int]
    page: _common_pb2.PageRequest
    def __init__(self, page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListSchemasResponse(_message.Message):
    __slots__ = ("schemas", "page")
    SCHEMAS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    schemas: _containers.RepeatedCompositeFieldContainer[_row_schemas_pb2.SchemaVersion]
    page: _common_pb2.PageInfo
    def __init__(self, schemas: _Optional[_Iterable[_Union[_row_schemas_pb2.SchemaVersion, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class PromoteSchemaRequest(_message.Message):
    __slots__ = ("name", "version", "stage", "cause")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    stage: _row_schemas_pb2.SchemaStage
    cause: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., stage: _Optional[_Union[_row_schemas_pb2.SchemaStage, str]] = ..., cause: _Optional[str] = ...) -> None: ...

class PromoteSchemaResponse(_message.Message):
    __slots__ = ("schema",)
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    schema: _row_schemas_pb2.SchemaVersion
    def __init__(self, schema: _Optional[_Union[_row_schemas_pb2.SchemaVersion, _Mapping]] = ...) -> None: ...

class ListSchemaPromotionsRequest(_message.Message):
    __slots__ = ("name", "page")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    page: _common_pb2.PageRequest
    def __init__(self, name: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListSchemaPromotionsResponse(_message.Message):
    __slots__ = ("promotions", "page")
    PROMOTIONS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    promotions: _containers.RepeatedCompositeFieldContainer[_row_schemas_pb2.SchemaPromotion]
    page: _common_pb2.PageInfo
    def __init__(self, promotions: _Optional[_Iterable[_Union[_row_schemas_pb2.SchemaPromotion, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

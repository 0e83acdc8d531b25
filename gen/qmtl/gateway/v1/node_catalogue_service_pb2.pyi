from google.protobuf import struct_pb2 as _struct_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.dag.v1 import dag_pb2 as _dag_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ParameterType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PARAMETER_TYPE_UNSPECIFIED: _ClassVar[ParameterType]
    PARAMETER_TYPE_INTEGER: _ClassVar[ParameterType]
    PARAMETER_TYPE_NUMBER: _ClassVar[ParameterType]
    PARAMETER_TYPE_BOOLEAN: _ClassVar[ParameterType]
    PARAMETER_TYPE_TEXT: _ClassVar[ParameterType]
    PARAMETER_TYPE_TEXT_LIST: _ClassVar[ParameterType]
PARAMETER_TYPE_UNSPECIFIED: ParameterType
PARAMETER_TYPE_INTEGER: ParameterType
PARAMETER_TYPE_NUMBER: ParameterType
PARAMETER_TYPE_BOOLEAN: ParameterType
PARAMETER_TYPE_TEXT: ParameterType
PARAMETER_TYPE_TEXT_LIST: ParameterType

class ListNodeTypesRequest(_message.Message):
    __slots__ = ("page",)
    PAGE_FIELD_NUMBER: _ClassVar[int]
    page: _common_pb2.PageRequest
    def __init__(self, page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListNodeTypesResponse(_message.Message):
    __slots__ = ("node_types", "schemas", "page")
    NODE_TYPES_FIELD_NUMBER: _ClassVar[int]
    SCHEMAS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    node_types: _containers.RepeatedCompositeFieldContainer[NodeType]
    schemas: _containers.RepeatedCompositeFieldContainer[ValueSchema]
    page: _common_pb2.PageInfo
    def __init__(self, node_types: _Optional[_Iterable[_Union[NodeType, _Mapping]]] = ..., schemas: _Optional[_Iterable[_Union[ValueSchema, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class ValueSchema(_message.Message):
    __slots__ = ("compat_id", "fields", "default_field", "schema_hash")
    COMPAT_ID_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_HASH_FIELD_NUMBER: _ClassVar[int]
    compat_id: str
    fields: _containers.RepeatedScalarFieldContainer[str]
    default_field: str
    schema_hash: str
    def __init__(self, compat_id: _Optional[str] = ..., fields: _Optional[_Iterable[str]] = ..., default_field: _Optional[str] = ..., schema_hash: _Optional[str] = ...) -> None: ...

class NodeType(_message.Message):
    __slots__ = ("node_type", "code_hash", "summary", "kind", "output_schema", "parameters", "inputs", "period", "warm_up", "orderings")
    NODE_TYPE_FIELD_NUMBER: _ClassVar[int]
    CODE_HASH_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    WARM_UP_FIELD_NUMBER: _ClassVar[int]
    ORDERINGS_FIELD_NUMBER: _ClassVar[int]
    node_type: str
    code_hash: str
    summary: str
    kind: _dag_pb2.SemanticKind
    output_schema: str
    parameters: _containers.RepeatedCompositeFieldContainer[NodeParameter]
    inputs: _containers.RepeatedCompositeFieldContainer[InputPort]
    period: BarCount
    warm_up: BarCount
    orderings: _containers.RepeatedCompositeFieldContainer[ParameterOrdering]
    def __init__(self, node_type: _Optional[str] = ..., code_hash: _Optional[str] = ..., summary: _Optional[str] = ..., kind: _Optional[_Union[_dag_pb2.SemanticKind, str]] = ..., output_schema: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[NodeParameter, _Mapping]]] = ..., inputs: _Optional[_Iterable[_Union[InputPort, _Mapping]]] = ..., period: _Optional[_Union[BarCount, _Mapping]] = ..., warm_up: _Optional[_Union[BarCount, _Mapping]] = ..., orderings: _Optional[_Iterable[_Union[ParameterOrdering, _Mapping]]] = ...) -> None: ...

class NodeParameter(_message.Message):
    __slots__ = ("name", "type", "unit", "default", "minimum", "maximum", "above", "choices", "required")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    ABOVE_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: ParameterType
    unit: str
    default: _struct_pb2.Value
    minimum: float
    maximum: float
    above: float
    choices: _containers.RepeatedScalarFieldContainer[str]
    required: bool
    def __init__(self, name: _Optional[str] = ..., type: _Optional[_Union[ParameterType, str]] = ..., unit: _Optional[str] = ..., default: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., minimum: _Optional[float] = ..., maximum: _Optional[float] = ..., above: _Optional[float] = ..., choices: _Optional[_Iterable[str]] = ..., required: _Optional[bool] = ...) -> None: ...

class InputPort(_message.Message):
    __slots__ = ("name", "fields", "schemas", "kinds")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    SCHEMAS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    fields: _containers.RepeatedScalarFieldContainer[str]
    schemas: _containers.RepeatedScalarFieldContainer[str]
    kinds: _containers.RepeatedScalarFieldContainer[_dag_pb2.SemanticKind]
    def __init__(self, name: _Optional[str] = ..., fields: _Optional[_Iterable[str]] = ..., schemas: _Optional[_Iterable[str]] = ..., kinds: _Optional[_Iterable[_Union[_dag_pb2.SemanticKind, str]]] = ...) -> None: ...

class BarCount(_message.Message):
    __slots__ = ("constant", "per_parameter")
    class PerParameterEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    CONSTANT_FIELD_NUMBER: _ClassVar[int]
    PER_PARAMETER_FIELD_NUMBER: _ClassVar[int]
    constant: int
    per_parameter: _containers.ScalarMap[str, int]
    def __init__(self, constant: _Optional[int] = ..., per_parameter: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ParameterOrdering(_message.Message):
    __slots__ = ("lesser", "greater", "strict")
    LESSER_FIELD_NUMBER: _ClassVar[int]
    GREATER_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    lesser: str
    greater: str
    strict: bool
    def __init__(self, lesser: _Optional[str] = ..., greater: _Optional[str] = ..., strict: _Optional[bool] = ...) -> None: ...

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SemanticKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEMANTIC_KIND_UNSPECIFIED: _ClassVar[SemanticKind]
    SEMANTIC_KIND_CAUSAL_STREAM: _ClassVar[SemanticKind]
    SEMANTIC_KIND_DELAYED_STREAM: _ClassVar[SemanticKind]
    SEMANTIC_KIND_IMMUTABLE_ARTIFACT: _ClassVar[SemanticKind]
    SEMANTIC_KIND_MUTABLE_EXECUTION_STATE: _ClassVar[SemanticKind]
    SEMANTIC_KIND_DECISION_VALUE: _ClassVar[SemanticKind]
    SEMANTIC_KIND_COMMAND_VALUE: _ClassVar[SemanticKind]

class QueueClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUEUE_CLASS_UNSPECIFIED: _ClassVar[QueueClass]
    QUEUE_CLASS_RAW: _ClassVar[QueueClass]
    QUEUE_CLASS_INDICATOR: _ClassVar[QueueClass]
    QUEUE_CLASS_TRADE: _ClassVar[QueueClass]
SEMANTIC_KIND_UNSPECIFIED: SemanticKind
SEMANTIC_KIND_CAUSAL_STREAM: SemanticKind
SEMANTIC_KIND_DELAYED_STREAM: SemanticKind
SEMANTIC_KIND_IMMUTABLE_ARTIFACT: SemanticKind
SEMANTIC_KIND_MUTABLE_EXECUTION_STATE: SemanticKind
SEMANTIC_KIND_DECISION_VALUE: SemanticKind
SEMANTIC_KIND_COMMAND_VALUE: SemanticKind
QUEUE_CLASS_UNSPECIFIED: QueueClass
QUEUE_CLASS_RAW: QueueClass
QUEUE_CLASS_INDICATOR: QueueClass
QUEUE_CLASS_TRADE: QueueClass

class NodeSpec(_message.Message):
    __slots__ = ("node_type", "interval_s", "period", "params", "dependencies", "schema_compat_id", "code_hash")
    NODE_TYPE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    DEPENDENCIES_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_COMPAT_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_HASH_FIELD_NUMBER: _ClassVar[int]
    node_type: str
    interval_s: int
    period: int
    params: _struct_pb2.Struct
    dependencies: _containers.RepeatedScalarFieldContainer[str]
    schema_compat_id: str
    code_hash: str
    def __init__(self, node_type: _Optional[str] = ..., interval_s: _Optional[int] = ..., period: _Optional[int] = ..., params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., dependencies: _Optional[_Iterable[str]] = ..., schema_compat_id: _Optional[str] = ..., code_hash: _Optional[str] = ...) -> None: ...

class DagNode(_message.Message):
    __slots__ = ("node_id", "spec", "schema_hash", "tags", "queue_class", "kind", "name", "input_names", "input_ids")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_HASH_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_CLASS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_NAMES_FIELD_NUMBER: _ClassVar[int]
    INPUT_IDS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    spec: NodeSpec
    schema_hash: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    queue_class: QueueClass
    kind: SemanticKind
    name: str
    input_names: _containers.RepeatedScalarFieldContainer[str]
    input_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, node_id: _Optional[str] = ..., spec: _Optional[_Union[NodeSpec, _Mapping]] = ..., schema_hash: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., queue_class: _Optional[_Union[QueueClass, str]] = ..., kind: _Optional[_Union[SemanticKind, str]] = ..., name: _Optional[str] = ..., input_names: _Optional[_Iterable[str]] = ..., input_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Dag(_message.Message):
    __slots__ = ("nodes",)
    NODES_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[DagNode]
    def __init__(self, nodes: _Optional[_Iterable[_Union[DagNode, _Mapping]]] = ...) -> None: ...

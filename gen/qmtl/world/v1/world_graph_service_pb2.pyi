from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import world_graph_pb2 as _world_graph_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UpsertWorldNodeRequest(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: _world_graph_pb2.WorldNode
    def __init__(self, node: _Optional[_Union[_world_graph_pb2.WorldNode, _Mapping]] = ...) -> None: ...

class UpsertWorldNodeResponse(_message.Message):
    __slots__ = ("node",)
    NODE_FIELD_NUMBER: _ClassVar[int]
    node: _world_graph_pb2.WorldNode
    def __init__(self, node: _Optional[_Union[_world_graph_pb2.WorldNode, _Mapping]] = ...) -> None: ...

class ListWorldNodesRequest(_message.Message):
    __slots__ = ("world_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListWorldNodesResponse(_message.Message):
    __slots__ = ("nodes", "page")
    NODES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[_world_graph_pb2.WorldNode]
    page: _common_pb2.PageInfo
    def __init__(self, nodes: _Optional[_Iterable[_Union[_world_graph_pb2.WorldNode, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class DeleteWorldNodeRequest(_message.Message):
    __slots__ = ("world_id", "node_id", "execution_domain")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    node_id: str
    execution_domain: _common_pb2.ExecutionDomain
    def __init__(self, world_id: _Optional[str] = ..., node_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ...) -> None: ...

class DeleteWorldNodeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LookupValidationRequest(_message.Message):
    __slots__ = ("parts",)
    PARTS_FIELD_NUMBER: _ClassVar[int]
    parts: _world_graph_pb2.EvalKeyParts
    def __init__(self, parts: _Optional[_Union[_world_graph_pb2.EvalKeyParts, _Mapping]] = ...) -> None: ...

class LookupValidationResponse(_message.Message):
    __slots__ = ("validation",)
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    validation: _world_graph_pb2.Validation
    def __init__(self, validation: _Optional[_Union[_world_graph_pb2.Validation, _Mapping]] = ...) -> None: ...

class PutValidationRequest(_message.Message):
    __slots__ = ("parts", "valid", "metrics")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    PARTS_FIELD_NUMBER: _ClassVar[int]
    VALID_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    parts: _world_graph_pb2.EvalKeyParts
    valid: bool
    metrics: _containers.ScalarMap[str, float]
    def __init__(self, parts: _Optional[_Union[_world_graph_pb2.EvalKeyParts, _Mapping]] = ..., valid: _Optional[bool] = ..., metrics: _Optional[_Mapping[str, float]] = ...) -> None: ...

class PutValidationResponse(_message.Message):
    __slots__ = ("validation",)
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    validation: _world_graph_pb2.Validation
    def __init__(self, validation: _Optional[_Union[_world_graph_pb2.Validation, _Mapping]] = ...) -> None: ...

class InvalidateValidationsRequest(_message.Message):
    __slots__ = ("world_id", "node_id", "execution_domain")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    node_id: str
    execution_domain: _common_pb2.ExecutionDomain
    def __init__(self, world_id: _Optional[str] = ..., node_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ...) -> None: ...

class InvalidateValidationsResponse(_message.Message):
    __slots__ = ("invalidated",)
    INVALIDATED_FIELD_NUMBER: _ClassVar[int]
    invalidated: int
    def __init__(self, invalidated: _Optional[int] = ...) -> None: ...

class PutEdgeOverrideRequest(_message.Message):
    __slots__ = ("override",)
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    override: _world_graph_pb2.EdgeOverride
    def __init__(self, override: _Optional[_Union[_world_graph_pb2.EdgeOverride, _Mapping]] = ...) -> None: ...

class PutEdgeOverrideResponse(_message.Message):
    __slots__ = ("override", "fence_pending")
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    FENCE_PENDING_FIELD_NUMBER: _ClassVar[int]
    override: _world_graph_pb2.EdgeOverride
    fence_pending: bool
    def __init__(self, override: _Optional[_Union[_world_graph_pb2.EdgeOverride, _Mapping]] = ..., fence_pending: _Optional[bool] = ...) -> None: ...

class ListEdgeOverridesRequest(_message.Message):
    __slots__ = ("world_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListEdgeOverridesResponse(_message.Message):
    __slots__ = ("overrides", "page")
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    overrides: _containers.RepeatedCompositeFieldContainer[_world_graph_pb2.EdgeOverride]
    page: _common_pb2.PageInfo
    def __init__(self, overrides: _Optional[_Iterable[_Union[_world_graph_pb2.EdgeOverride, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class DeleteEdgeOverrideRequest(_message.Message):
    __slots__ = ("world_id", "from_node_id", "to_node_id", "to_domain", "from_domain")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TO_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TO_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    FROM_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    from_node_id: str
    to_node_id: str
    to_domain: _common_pb2.ExecutionDomain
    from_domain: _common_pb2.ExecutionDomain
    def __init__(self, world_id: _Optional[str] = ..., from_node_id: _Optional[str] = ..., to_node_id: _Optional[str] = ..., to_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., from_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ...) -> None: ...

class DeleteEdgeOverrideResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

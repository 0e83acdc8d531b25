import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import binding_pb2 as _binding_pb2
from qmtl.world.v1 import decision_pb2 as _decision_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BindStrategyRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "on_behalf_of", "sides", "node_ids")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    ON_BEHALF_OF_FIELD_NUMBER: _ClassVar[int]
    SIDES_FIELD_NUMBER: _ClassVar[int]
    NODE_IDS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    on_behalf_of: str
    sides: _containers.RepeatedScalarFieldContainer[_common_pb2.Side]
    node_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., on_behalf_of: _Optional[str] = ..., sides: _Optional[_Iterable[_Union[_common_pb2.Side, str]]] = ..., node_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class BindStrategyResponse(_message.Message):
    __slots__ = ("binding", "decision", "data_presets")
    BINDING_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESETS_FIELD_NUMBER: _ClassVar[int]
    binding: _binding_pb2.Binding
    decision: _decision_pb2.DecisionEnvelope
    data_presets: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, binding: _Optional[_Union[_binding_pb2.Binding, _Mapping]] = ..., decision: _Optional[_Union[_decision_pb2.DecisionEnvelope, _Mapping]] = ..., data_presets: _Optional[_Iterable[str]] = ...) -> None: ...

class UnbindStrategyRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "on_behalf_of")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    ON_BEHALF_OF_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    on_behalf_of: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., on_behalf_of: _Optional[str] = ...) -> None: ...

class UnbindStrategyResponse(_message.Message):
    __slots__ = ("binding",)
    BINDING_FIELD_NUMBER: _ClassVar[int]
    binding: _binding_pb2.Binding
    def __init__(self, binding: _Optional[_Union[_binding_pb2.Binding, _Mapping]] = ...) -> None: ...

class ListBindingsRequest(_message.Message):
    __slots__ = ("world_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListBindingsResponse(_message.Message):
    __slots__ = ("bindings", "page")
    BINDINGS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    bindings: _containers.RepeatedCompositeFieldContainer[_binding_pb2.Binding]
    page: _common_pb2.PageInfo
    def __init__(self, bindings: _Optional[_Iterable[_Union[_binding_pb2.Binding, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class ApproveLiveRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "message", "expires_at")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    message: str
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., message: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ApproveLiveResponse(_message.Message):
    __slots__ = ("approval",)
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    approval: _binding_pb2.LiveApproval
    def __init__(self, approval: _Optional[_Union[_binding_pb2.LiveApproval, _Mapping]] = ...) -> None: ...

class RevokeLiveRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "message")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    message: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class RevokeLiveResponse(_message.Message):
    __slots__ = ("approval",)
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    approval: _binding_pb2.LiveApproval
    def __init__(self, approval: _Optional[_Union[_binding_pb2.LiveApproval, _Mapping]] = ...) -> None: ...

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import world_pb2 as _world_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateWorldRequest(_message.Message):
    __slots__ = ("world_id", "name", "labels", "data_presets", "allow_live")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESETS_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LIVE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    name: str
    labels: _containers.ScalarMap[str, str]
    data_presets: _containers.RepeatedScalarFieldContainer[str]
    allow_live: bool
    def __init__(self, world_id: _Optional[str] = ..., name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., data_presets: _Optional[_Iterable[str]] = ..., allow_live: _Optional[bool] = ...) -> None: ...

class CreateWorldResponse(_message.Message):
    __slots__ = ("world",)
    WORLD_FIELD_NUMBER: _ClassVar[int]
    world: _world_pb2.World
    def __init__(self, world: _Optional[_Union[_world_pb2.World, _Mapping]] = ...) -> None: ...

class GetWorldRequest(_message.Message):
    __slots__ = ("world_id", "with_held")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    WITH_HELD_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    with_held: bool
    def __init__(self, world_id: _Optional[str] = ..., with_held: _Optional[bool] = ...) -> None: ...

class GetWorldResponse(_message.Message):
    __slots__ = ("world", "held", "unprotected")
    WORLD_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    UNPROTECTED_FIELD_NUMBER: _ClassVar[int]
    world: _world_pb2.World
    held: _containers.RepeatedScalarFieldContainer[str]
    unprotected: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, world: _Optional[_Union[_world_pb2.World, _Mapping]] = ..., held: _Optional[_Iterable[str]] = ..., unprotected: _Optional[_Iterable[str]] = ...) -> None: ...

class ListWorldsRequest(_message.Message):
    __slots__ = ("page",)
    PAGE_FIELD_NUMBER: _ClassVar[int]
    page: _common_pb2.PageRequest
    def __init__(self, page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListWorldsResponse(_message.Message):
    __slots__ = ("worlds", "page")
    WORLDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    worlds: _containers.RepeatedCompositeFieldContainer[_world_pb2.World]
    page: _common_pb2.PageInfo
    def __init__(self, worlds: _Optional[_Iterable[_Union[_world_pb2.World, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class UpdateWorldRequest(_message.Message):
    __slots__ = ("world_id", "etag", "name", "allow_live", "circuit_breaker", "state", "data_presets", "update_mask")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LIVE_FIELD_NUMBER: _ClassVar[int]
    CIRCUIT_BREAKER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DATA_PRESETS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    etag: str
    name: str
    allow_live: bool
    circuit_breaker: bool
    state: _world_pb2.WorldState
    data_presets: _containers.RepeatedScalarFieldContainer[str]
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, world_id: _Optional[str] = ..., etag: _Optional[str] = ..., name: _Optional[str] = ..., allow_live: _Optional[bool] = ..., circuit_breaker: _Optional[bool] = ..., state: _Optional[_Union[_world_pb2.WorldState, str]] = ..., data_presets: _Optional[_Iterable[str]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateWorldResponse(_message.Message):
    __slots__ = ("world",)
    WORLD_FIELD_NUMBER: _ClassVar[int]
    world: _world_pb2.World
    def __init__(self, world: _Optional[_Union[_world_pb2.World, _Mapping]] = ...) -> None: ...

class DeleteWorldRequest(_message.Message):
    __slots__ = ("world_id", "etag")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    etag: str
    def __init__(self, world_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteWorldResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

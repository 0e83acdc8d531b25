from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import activation_pb2 as _activation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SetActivationRequest(_message.Message):
    __slots__ = ("world_id", "etag", "changes", "message")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    etag: str
    changes: _containers.RepeatedCompositeFieldContainer[_activation_pb2.ActivationChange]
    message: str
    def __init__(self, world_id: _Optional[str] = ..., etag: _Optional[str] = ..., changes: _Optional[_Iterable[_Union[_activation_pb2.ActivationChange, _Mapping]]] = ..., message: _Optional[str] = ...) -> None: ...

class SetActivationResponse(_message.Message):
    __slots__ = ("activation",)
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    activation: _activation_pb2.ActivationEnvelope
    def __init__(self, activation: _Optional[_Union[_activation_pb2.ActivationEnvelope, _Mapping]] = ...) -> None: ...

class GetActivationRequest(_message.Message):
    __slots__ = ("world_id",)
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    def __init__(self, world_id: _Optional[str] = ...) -> None: ...

class GetActivationResponse(_message.Message):
    __slots__ = ("activation", "closings")
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    CLOSINGS_FIELD_NUMBER: _ClassVar[int]
    activation: _activation_pb2.ActivationEnvelope
    closings: _containers.RepeatedCompositeFieldContainer[_activation_pb2.PositionClosing]
    def __init__(self, activation: _Optional[_Union[_activation_pb2.ActivationEnvelope, _Mapping]] = ..., closings: _Optional[_Iterable[_Union[_activation_pb2.PositionClosing, _Mapping]]] = ...) -> None: ...

class GetStateHashRequest(_message.Message):
    __slots__ = ("world_id",)
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    def __init__(self, world_id: _Optional[str] = ...) -> None: ...

class GetStateHashResponse(_message.Message):
    __slots__ = ("world_revision", "state_hash")
    WORLD_REVISION_FIELD_NUMBER: _ClassVar[int]
    STATE_HASH_FIELD_NUMBER: _ClassVar[int]
    world_revision: int
    state_hash: str
    def __init__(self, world_revision: _Optional[int] = ..., state_hash: _Optional[str] = ...) -> None: ...

class WatchActivationRequest(_message.Message):
    __slots__ = ("world_id",)
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    def __init__(self, world_id: _Optional[str] = ...) -> None: ...

class WatchActivationResponse(_message.Message):
    __slots__ = ("activation",)
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    activation: _activation_pb2.ActivationEnvelope
    def __init__(self, activation: _Optional[_Union[_activation_pb2.ActivationEnvelope, _Mapping]] = ...) -> None: ...

class RebuildActivationRequest(_message.Message):
    __slots__ = ("world_id", "world_revision")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    WORLD_REVISION_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    world_revision: int
    def __init__(self, world_id: _Optional[str] = ..., world_revision: _Optional[int] = ...) -> None: ...

class RebuildActivationResponse(_message.Message):
    __slots__ = ("activation", "same_as_stored", "records")
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    SAME_AS_STORED_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    activation: _activation_pb2.ActivationEnvelope
    same_as_stored: bool
    records: int
    def __init__(self, activation: _Optional[_Union[_activation_pb2.ActivationEnvelope, _Mapping]] = ..., same_as_stored: _Optional[bool] = ..., records: _Optional[int] = ...) -> None: ...

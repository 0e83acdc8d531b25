from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import activation_pb2 as _activation_pb2
from qmtl.world.v1 import gate_pb2 as _gate_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OpenGateSessionRequest(_message.Message):
    __slots__ = ("gateway_id", "boot_id")
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    gateway_id: str
    boot_id: str
    def __init__(self, gateway_id: _Optional[str] = ..., boot_id: _Optional[str] = ...) -> None: ...

class OpenGateSessionResponse(_message.Message):
    __slots__ = ("session", "activations", "more", "shut_world_ids")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    SHUT_WORLD_IDS_FIELD_NUMBER: _ClassVar[int]
    session: _gate_pb2.GateSession
    activations: _containers.RepeatedCompositeFieldContainer[_activation_pb2.ActivationEnvelope]
    more: bool
    shut_world_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, session: _Optional[_Union[_gate_pb2.GateSession, _Mapping]] = ..., activations: _Optional[_Iterable[_Union[_activation_pb2.ActivationEnvelope, _Mapping]]] = ..., more: _Optional[bool] = ..., shut_world_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RenewGateSessionRequest(_message.Message):
    __slots__ = ("gateway_id", "boot_id", "applied_world_revisions")
    class AppliedWorldRevisionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    APPLIED_WORLD_REVISIONS_FIELD_NUMBER: _ClassVar[int]
    gateway_id: str
    boot_id: str
    applied_world_revisions: _containers.ScalarMap[str, int]
    def __init__(self, gateway_id: _Optional[str] = ..., boot_id: _Optional[str] = ..., applied_world_revisions: _Optional[_Mapping[str, int]] = ...) -> None: ...

class RenewGateSessionResponse(_message.Message):
    __slots__ = ("session", "activations", "more", "shut_world_ids")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    SHUT_WORLD_IDS_FIELD_NUMBER: _ClassVar[int]
    session: _gate_pb2.GateSession
    activations: _containers.RepeatedCompositeFieldContainer[_activation_pb2.ActivationEnvelope]
    more: bool
    shut_world_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, session: _Optional[_Union[_gate_pb2.GateSession, _Mapping]] = ..., activations: _Optional[_Iterable[_Union[_activation_pb2.ActivationEnvelope, _Mapping]]] = ..., more: _Optional[bool] = ..., shut_world_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class AckActivationRequest(_message.Message):
    __slots__ = ("world_id", "run_id", "apply_sequence", "gateway_id", "boot_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    APPLY_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    apply_sequence: int
    gateway_id: str
    boot_id: str
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ..., apply_sequence: _Optional[int] = ..., gateway_id: _Optional[str] = ..., boot_id: _Optional[str] = ...) -> None: ...

class AckActivationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

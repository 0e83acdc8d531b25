from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.rpc import code_pb2 as _code_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Audience(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIENCE_UNSPECIFIED: _ClassVar[Audience]
    AUDIENCE_PUBLIC: _ClassVar[Audience]
    AUDIENCE_SERVICE: _ClassVar[Audience]
AUDIENCE_UNSPECIFIED: Audience
AUDIENCE_PUBLIC: Audience
AUDIENCE_SERVICE: Audience
AUDIENCE_FIELD_NUMBER: _ClassVar[int]
audience: _descriptor.FieldDescriptor
REQUEST_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
request_bytes_max: _descriptor.FieldDescriptor
RESERVED_FIELD_NUMBER: _ClassVar[int]
reserved: _descriptor.FieldDescriptor
CHUNKED_FIELD_NUMBER: _ClassVar[int]
chunked: _descriptor.FieldDescriptor
RULE_FIELD_NUMBER: _ClassVar[int]
rule: _descriptor.FieldDescriptor

class ReasonRule(_message.Message):
    __slots__ = ("code", "action", "metadata")
    CODE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    code: _code_pb2.Code
    action: str
    metadata: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, code: _Optional[_Union[_code_pb2.Code, str]] = ..., action: _Optional[str] = ..., metadata: _Optional[_Iterable[str]] = ...) -> None: ...

class Chunked(_message.Message):
    __slots__ = ("payload", "total_bytes_max", "names_worlds")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    NAMES_WORLDS_FIELD_NUMBER: _ClassVar[int]
    payload: str
    total_bytes_max: int
    names_worlds: bool
    def __init__(self, payload: _Optional[str] = ..., total_bytes_max: _Optional[int] = ..., names_worlds: _Optional[bool] = ...) -> None: ...

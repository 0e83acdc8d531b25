import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GrantRequest(_message.Message):
    __slots__ = ("world_id", "account", "subject", "role")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    subject: str
    role: _common_pb2.Role
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ..., subject: _Optional[str] = ..., role: _Optional[_Union[_common_pb2.Role, str]] = ...) -> None: ...

class GrantResponse(_message.Message):
    __slots__ = ("grant",)
    GRANT_FIELD_NUMBER: _ClassVar[int]
    grant: _access_pb2.RoleGrant
    def __init__(self, grant: _Optional[_Union[_access_pb2.RoleGrant, _Mapping]] = ...) -> None: ...

class RevokeRequest(_message.Message):
    __slots__ = ("world_id", "account", "subject")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    subject: str
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ..., subject: _Optional[str] = ...) -> None: ...

class RevokeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListGrantsRequest(_message.Message):
    __slots__ = ("world_id", "account", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListGrantsResponse(_message.Message):
    __slots__ = ("grants", "page")
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    grants: _containers.RepeatedCompositeFieldContainer[_access_pb2.RoleGrant]
    page: _common_pb2.PageInfo
    def __init__(self, grants: _Optional[_Iterable[_Union[_access_pb2.RoleGrant, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class GetEffectiveRoleRequest(_message.Message):
    __slots__ = ("world_id", "account")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ...) -> None: ...

class GetEffectiveRoleResponse(_message.Message):
    __slots__ = ("role", "subject", "ttl")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    role: _common_pb2.Role
    subject: str
    ttl: _duration_pb2.Duration
    def __init__(self, role: _Optional[_Union[_common_pb2.Role, str]] = ..., subject: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

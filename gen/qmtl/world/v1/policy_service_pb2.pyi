from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import policy_pb2 as _policy_pb2
from qmtl.world.v1 import world_pb2 as _world_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PutPolicyRequest(_message.Message):
    __slots__ = ("world_id", "document", "make_default", "dry_run")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    MAKE_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    document: str
    make_default: bool
    dry_run: bool
    def __init__(self, world_id: _Optional[str] = ..., document: _Optional[str] = ..., make_default: _Optional[bool] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class PutPolicyResponse(_message.Message):
    __slots__ = ("policy", "ended_approvals")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    ENDED_APPROVALS_FIELD_NUMBER: _ClassVar[int]
    policy: _policy_pb2.Policy
    ended_approvals: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, policy: _Optional[_Union[_policy_pb2.Policy, _Mapping]] = ..., ended_approvals: _Optional[_Iterable[str]] = ...) -> None: ...

class GetPolicyRequest(_message.Message):
    __slots__ = ("world_id", "version")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    version: int
    def __init__(self, world_id: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class GetPolicyResponse(_message.Message):
    __slots__ = ("policy",)
    POLICY_FIELD_NUMBER: _ClassVar[int]
    policy: _policy_pb2.Policy
    def __init__(self, policy: _Optional[_Union[_policy_pb2.Policy, _Mapping]] = ...) -> None: ...

class ListPoliciesRequest(_message.Message):
    __slots__ = ("world_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListPoliciesResponse(_message.Message):
    __slots__ = ("policies", "page")
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    policies: _containers.RepeatedCompositeFieldContainer[_policy_pb2.Policy]
    page: _common_pb2.PageInfo
    def __init__(self, policies: _Optional[_Iterable[_Union[_policy_pb2.Policy, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class SetDefaultPolicyRequest(_message.Message):
    __slots__ = ("world_id", "version")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    version: int
    def __init__(self, world_id: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class SetDefaultPolicyResponse(_message.Message):
    __slots__ = ("world", "ended_approvals")
    WORLD_FIELD_NUMBER: _ClassVar[int]
    ENDED_APPROVALS_FIELD_NUMBER: _ClassVar[int]
    world: _world_pb2.World
    ended_approvals: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, world: _Optional[_Union[_world_pb2.World, _Mapping]] = ..., ended_approvals: _Optional[_Iterable[str]] = ...) -> None: ...

class ListMetricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListMetricsResponse(_message.Message):
    __slots__ = ("metrics",)
    METRICS_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedCompositeFieldContainer[_policy_pb2.MetricDefinition]
    def __init__(self, metrics: _Optional[_Iterable[_Union[_policy_pb2.MetricDefinition, _Mapping]]] = ...) -> None: ...

class ListPolicyPresetsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPolicyPresetsResponse(_message.Message):
    __slots__ = ("presets",)
    PRESETS_FIELD_NUMBER: _ClassVar[int]
    presets: _containers.RepeatedCompositeFieldContainer[_policy_pb2.PolicyPreset]
    def __init__(self, presets: _Optional[_Iterable[_Union[_policy_pb2.PolicyPreset, _Mapping]]] = ...) -> None: ...

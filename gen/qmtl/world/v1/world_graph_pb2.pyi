import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorldNodeStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORLD_NODE_STATUS_UNSPECIFIED: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_UNKNOWN: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_VALIDATING: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_VALID: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_INVALID: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_RUNNING: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_PAUSED: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_STOPPED: _ClassVar[WorldNodeStatus]
    WORLD_NODE_STATUS_ARCHIVED: _ClassVar[WorldNodeStatus]

class EdgeStanding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EDGE_STANDING_UNSPECIFIED: _ClassVar[EdgeStanding]
    EDGE_STANDING_ON: _ClassVar[EdgeStanding]
    EDGE_STANDING_OFF: _ClassVar[EdgeStanding]
    EDGE_STANDING_AWAITS_PROMOTION: _ClassVar[EdgeStanding]
WORLD_NODE_STATUS_UNSPECIFIED: WorldNodeStatus
WORLD_NODE_STATUS_UNKNOWN: WorldNodeStatus
WORLD_NODE_STATUS_VALIDATING: WorldNodeStatus
WORLD_NODE_STATUS_VALID: WorldNodeStatus
WORLD_NODE_STATUS_INVALID: WorldNodeStatus
WORLD_NODE_STATUS_RUNNING: WorldNodeStatus
WORLD_NODE_STATUS_PAUSED: WorldNodeStatus
WORLD_NODE_STATUS_STOPPED: WorldNodeStatus
WORLD_NODE_STATUS_ARCHIVED: WorldNodeStatus
EDGE_STANDING_UNSPECIFIED: EdgeStanding
EDGE_STANDING_ON: EdgeStanding
EDGE_STANDING_OFF: EdgeStanding
EDGE_STANDING_AWAITS_PROMOTION: EdgeStanding

class EvalKeyParts(_message.Message):
    __slots__ = ("node_id", "world_id", "execution_domain", "contract_id", "dataset_fingerprint", "code_version", "resource_policy")
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CODE_VERSION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_POLICY_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    world_id: str
    execution_domain: _common_pb2.ExecutionDomain
    contract_id: str
    dataset_fingerprint: str
    code_version: str
    resource_policy: str
    def __init__(self, node_id: _Optional[str] = ..., world_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., contract_id: _Optional[str] = ..., dataset_fingerprint: _Optional[str] = ..., code_version: _Optional[str] = ..., resource_policy: _Optional[str] = ...) -> None: ...

class WorldNode(_message.Message):
    __slots__ = ("world_id", "node_id", "execution_domain", "status", "last_eval_key", "annotations")
    class AnnotationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    LAST_EVAL_KEY_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    node_id: str
    execution_domain: _common_pb2.ExecutionDomain
    status: WorldNodeStatus
    last_eval_key: str
    annotations: _containers.ScalarMap[str, str]
    def __init__(self, world_id: _Optional[str] = ..., node_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., status: _Optional[_Union[WorldNodeStatus, str]] = ..., last_eval_key: _Optional[str] = ..., annotations: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Validation(_message.Message):
    __slots__ = ("eval_key", "world_id", "node_id", "execution_domain", "valid", "metrics", "validated_at")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    EVAL_KEY_FIELD_NUMBER: _ClassVar[int]
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    VALID_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    VALIDATED_AT_FIELD_NUMBER: _ClassVar[int]
    eval_key: str
    world_id: str
    node_id: str
    execution_domain: _common_pb2.ExecutionDomain
    valid: bool
    metrics: _containers.ScalarMap[str, float]
    validated_at: _timestamp_pb2.Timestamp
    def __init__(self, eval_key: _Optional[str] = ..., world_id: _Optional[str] = ..., node_id: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., valid: _Optional[bool] = ..., metrics: _Optional[_Mapping[str, float]] = ..., validated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EdgeOverride(_message.Message):
    __slots__ = ("world_id", "from_node_id", "to_node_id", "active", "message", "to_domain", "from_domain", "standing")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    TO_NODE_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TO_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    FROM_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    from_node_id: str
    to_node_id: str
    active: bool
    message: str
    to_domain: _common_pb2.ExecutionDomain
    from_domain: _common_pb2.ExecutionDomain
    standing: EdgeStanding
    def __init__(self, world_id: _Optional[str] = ..., from_node_id: _Optional[str] = ..., to_node_id: _Optional[str] = ..., active: _Optional[bool] = ..., message: _Optional[str] = ..., to_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., from_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ..., standing: _Optional[_Union[EdgeStanding, str]] = ...) -> None: ...

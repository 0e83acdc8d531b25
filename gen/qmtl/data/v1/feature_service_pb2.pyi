from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.data.v1 import features_pb2 as _features_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PublishFeatureRequest(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class PublishFeatureResponse(_message.Message):
    __slots__ = ("feature", "canary_faults")
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    CANARY_FAULTS_FIELD_NUMBER: _ClassVar[int]
    feature: _features_pb2.Feature
    canary_faults: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, feature: _Optional[_Union[_features_pb2.Feature, _Mapping]] = ..., canary_faults: _Optional[_Iterable[str]] = ...) -> None: ...

class ReadFeatureRequest(_message.Message):
    __slots__ = ("context", "key", "range")
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    context: _common_pb2.ComputeContext
    key: _features_pb2.FeatureKey
    range: _common_pb2.TimeRange
    def __init__(self, context: _Optional[_Union[_common_pb2.ComputeContext, _Mapping]] = ..., key: _Optional[_Union[_features_pb2.FeatureKey, _Mapping]] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ...) -> None: ...

class ReadFeatureResponse(_message.Message):
    __slots__ = ("arrow_ipc", "feature")
    ARROW_IPC_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    arrow_ipc: bytes
    feature: _features_pb2.Feature
    def __init__(self, arrow_ipc: _Optional[bytes] = ..., feature: _Optional[_Union[_features_pb2.Feature, _Mapping]] = ...) -> None: ...

class ListFeaturesRequest(_message.Message):
    __slots__ = ("world_id", "factor", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    factor: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., factor: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListFeaturesResponse(_message.Message):
    __slots__ = ("features", "page")
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    features: _containers.RepeatedCompositeFieldContainer[_features_pb2.Feature]
    page: _common_pb2.PageInfo
    def __init__(self, features: _Optional[_Iterable[_Union[_features_pb2.Feature, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.dag.v1 import sentinel_pb2 as _sentinel_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListSentinelsRequest(_message.Message):
    __slots__ = ("strategy_id", "page")
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    strategy_id: str
    page: _common_pb2.PageRequest
    def __init__(self, strategy_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListSentinelsResponse(_message.Message):
    __slots__ = ("sentinels", "page", "sentinel_set_revision")
    SENTINELS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    SENTINEL_SET_REVISION_FIELD_NUMBER: _ClassVar[int]
    sentinels: _containers.RepeatedCompositeFieldContainer[_sentinel_pb2.Sentinel]
    page: _common_pb2.PageInfo
    sentinel_set_revision: int
    def __init__(self, sentinels: _Optional[_Iterable[_Union[_sentinel_pb2.Sentinel, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ..., sentinel_set_revision: _Optional[int] = ...) -> None: ...

class SetTrafficWeightRequest(_message.Message):
    __slots__ = ("sentinel_id", "traffic_weight", "etag")
    SENTINEL_ID_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    sentinel_id: str
    traffic_weight: str
    etag: str
    def __init__(self, sentinel_id: _Optional[str] = ..., traffic_weight: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class SetTrafficWeightResponse(_message.Message):
    __slots__ = ("sentinel",)
    SENTINEL_FIELD_NUMBER: _ClassVar[int]
    sentinel: _sentinel_pb2.Sentinel
    def __init__(self, sentinel: _Optional[_Union[_sentinel_pb2.Sentinel, _Mapping]] = ...) -> None: ...

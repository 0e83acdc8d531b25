from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.dag.v1 import plan_pb2 as _plan_pb2
from qmtl.dag.v1 import sentinel_pb2 as _sentinel_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RedoDiffRequest(_message.Message):
    __slots__ = ("request_id", "strategy_id", "version", "hotfix_label", "etag")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    HOTFIX_LABEL_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    strategy_id: str
    version: int
    hotfix_label: str
    etag: str
    def __init__(self, request_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., version: _Optional[int] = ..., hotfix_label: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class RedoDiffResponse(_message.Message):
    __slots__ = ("plan", "sentinel")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    SENTINEL_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    sentinel: _sentinel_pb2.Sentinel
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., sentinel: _Optional[_Union[_sentinel_pb2.Sentinel, _Mapping]] = ...) -> None: ...

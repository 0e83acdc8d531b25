from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("status", "nodes", "queues", "plans", "graph_revision", "queues_with_lost_records")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    PLANS_FIELD_NUMBER: _ClassVar[int]
    GRAPH_REVISION_FIELD_NUMBER: _ClassVar[int]
    QUEUES_WITH_LOST_RECORDS_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.ServiceStatus
    nodes: int
    queues: int
    plans: int
    graph_revision: int
    queues_with_lost_records: int
    def __init__(self, status: _Optional[_Union[_common_pb2.ServiceStatus, _Mapping]] = ..., nodes: _Optional[int] = ..., queues: _Optional[int] = ..., plans: _Optional[int] = ..., graph_revision: _Optional[int] = ..., queues_with_lost_records: _Optional[int] = ...) -> None: ...

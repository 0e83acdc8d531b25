import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import divergence_pb2 as _divergence_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateDivergenceReportRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "order_list", "account", "session_id", "features", "capital", "start")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_LIST_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    CAPITAL_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    order_list: str
    account: str
    session_id: str
    features: _containers.RepeatedCompositeFieldContainer[_divergence_pb2.FeatureCounts]
    capital: str
    start: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., order_list: _Optional[str] = ..., account: _Optional[str] = ..., session_id: _Optional[str] = ..., features: _Optional[_Iterable[_Union[_divergence_pb2.FeatureCounts, _Mapping]]] = ..., capital: _Optional[str] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateDivergenceReportResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: _divergence_pb2.DivergenceReport
    def __init__(self, report: _Optional[_Union[_divergence_pb2.DivergenceReport, _Mapping]] = ...) -> None: ...

class GetDivergenceReportRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "report_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    REPORT_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    report_id: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., report_id: _Optional[str] = ...) -> None: ...

class GetDivergenceReportResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: _divergence_pb2.DivergenceReport
    def __init__(self, report: _Optional[_Union[_divergence_pb2.DivergenceReport, _Mapping]] = ...) -> None: ...

class ListDivergenceReportsRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListDivergenceReportsResponse(_message.Message):
    __slots__ = ("reports", "page")
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    reports: _containers.RepeatedCompositeFieldContainer[_divergence_pb2.DivergenceReport]
    page: _common_pb2.PageInfo
    def __init__(self, reports: _Optional[_Iterable[_Union[_divergence_pb2.DivergenceReport, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

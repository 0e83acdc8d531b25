import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.broker.v1 import account_pb2 as _account_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.risk.v1 import risk_pb2 as _risk_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PutSnapshotRequest(_message.Message):
    __slots__ = ("world_id", "account", "snapshot")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    snapshot: _risk_pb2.RiskSnapshot
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ..., snapshot: _Optional[_Union[_risk_pb2.RiskSnapshot, _Mapping]] = ...) -> None: ...

class PutSnapshotResponse(_message.Message):
    __slots__ = ("header", "deduplicated")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    DEDUPLICATED_FIELD_NUMBER: _ClassVar[int]
    header: _risk_pb2.SnapshotHeader
    deduplicated: bool
    def __init__(self, header: _Optional[_Union[_risk_pb2.SnapshotHeader, _Mapping]] = ..., deduplicated: _Optional[bool] = ...) -> None: ...

class GetLatestRequest(_message.Message):
    __slots__ = ("world_id", "account", "stage", "actor", "expand")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    EXPAND_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    stage: _risk_pb2.RiskStage
    actor: str
    expand: bool
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ..., stage: _Optional[_Union[_risk_pb2.RiskStage, str]] = ..., actor: _Optional[str] = ..., expand: _Optional[bool] = ...) -> None: ...

class GetLatestResponse(_message.Message):
    __slots__ = ("snapshot",)
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    snapshot: _risk_pb2.RiskSnapshot
    def __init__(self, snapshot: _Optional[_Union[_risk_pb2.RiskSnapshot, _Mapping]] = ...) -> None: ...

class ListSnapshotsRequest(_message.Message):
    __slots__ = ("world_id", "account", "stage", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    stage: _risk_pb2.RiskStage
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ..., stage: _Optional[_Union[_risk_pb2.RiskStage, str]] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListSnapshotsResponse(_message.Message):
    __slots__ = ("snapshots", "page")
    SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    snapshots: _containers.RepeatedCompositeFieldContainer[_risk_pb2.SnapshotHeader]
    page: _common_pb2.PageInfo
    def __init__(self, snapshots: _Optional[_Iterable[_Union[_risk_pb2.SnapshotHeader, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class LookupSnapshotRequest(_message.Message):
    __slots__ = ("world_id", "account", "version", "at", "stage", "expand")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    EXPAND_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    version: str
    at: _timestamp_pb2.Timestamp
    stage: _risk_pb2.RiskStage
    expand: bool
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ..., version: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stage: _Optional[_Union[_risk_pb2.RiskStage, str]] = ..., expand: _Optional[bool] = ...) -> None: ...

class LookupSnapshotResponse(_message.Message):
    __slots__ = ("snapshot",)
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    snapshot: _risk_pb2.RiskSnapshot
    def __init__(self, snapshot: _Optional[_Union[_risk_pb2.RiskSnapshot, _Mapping]] = ...) -> None: ...

class WatchSnapshotsRequest(_message.Message):
    __slots__ = ("world_id", "account", "after_revision")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    AFTER_REVISION_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    after_revision: int
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ..., after_revision: _Optional[int] = ...) -> None: ...

class WatchSnapshotsResponse(_message.Message):
    __slots__ = ("header",)
    HEADER_FIELD_NUMBER: _ClassVar[int]
    header: _risk_pb2.SnapshotHeader
    def __init__(self, header: _Optional[_Union[_risk_pb2.SnapshotHeader, _Mapping]] = ...) -> None: ...

class GetReportRequest(_message.Message):
    __slots__ = ("world_id", "account", "version", "stage")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    version: str
    stage: _risk_pb2.RiskStage
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ..., version: _Optional[str] = ..., stage: _Optional[_Union[_risk_pb2.RiskStage, str]] = ...) -> None: ...

class GetReportResponse(_message.Message):
    __slots__ = ("report", "header", "same_as_stored")
    REPORT_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SAME_AS_STORED_FIELD_NUMBER: _ClassVar[int]
    report: _risk_pb2.RiskReport
    header: _risk_pb2.SnapshotHeader
    same_as_stored: bool
    def __init__(self, report: _Optional[_Union[_risk_pb2.RiskReport, _Mapping]] = ..., header: _Optional[_Union[_risk_pb2.SnapshotHeader, _Mapping]] = ..., same_as_stored: _Optional[bool] = ...) -> None: ...

class ExplainCandidateRequest(_message.Message):
    __slots__ = ("world_id", "account", "strategy_id", "share", "stage")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    strategy_id: str
    share: float
    stage: _risk_pb2.RiskStage
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ..., strategy_id: _Optional[str] = ..., share: _Optional[float] = ..., stage: _Optional[_Union[_risk_pb2.RiskStage, str]] = ...) -> None: ...

class ExplainCandidateResponse(_message.Message):
    __slots__ = ("snapshot_version", "before", "after", "incremental", "correlation", "broken")
    SNAPSHOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    INCREMENTAL_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_FIELD_NUMBER: _ClassVar[int]
    BROKEN_FIELD_NUMBER: _ClassVar[int]
    snapshot_version: str
    before: _containers.RepeatedCompositeFieldContainer[_risk_pb2.RiskFigure]
    after: _containers.RepeatedCompositeFieldContainer[_risk_pb2.RiskFigure]
    incremental: _containers.RepeatedCompositeFieldContainer[_risk_pb2.RiskFigure]
    correlation: float
    broken: _containers.RepeatedCompositeFieldContainer[_risk_pb2.BrokenLimit]
    def __init__(self, snapshot_version: _Optional[str] = ..., before: _Optional[_Iterable[_Union[_risk_pb2.RiskFigure, _Mapping]]] = ..., after: _Optional[_Iterable[_Union[_risk_pb2.RiskFigure, _Mapping]]] = ..., incremental: _Optional[_Iterable[_Union[_risk_pb2.RiskFigure, _Mapping]]] = ..., correlation: _Optional[float] = ..., broken: _Optional[_Iterable[_Union[_risk_pb2.BrokenLimit, _Mapping]]] = ...) -> None: ...

class BacktestForecastsRequest(_message.Message):
    __slots__ = ("world_id", "account", "window", "stage")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    window: int
    stage: _risk_pb2.RiskStage
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ..., window: _Optional[int] = ..., stage: _Optional[_Union[_risk_pb2.RiskStage, str]] = ...) -> None: ...

class BacktestForecastsResponse(_message.Message):
    __slots__ = ("tests", "days")
    TESTS_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    tests: _risk_pb2.ForecastTests
    days: _containers.RepeatedCompositeFieldContainer[_risk_pb2.ForecastDay]
    def __init__(self, tests: _Optional[_Union[_risk_pb2.ForecastTests, _Mapping]] = ..., days: _Optional[_Iterable[_Union[_risk_pb2.ForecastDay, _Mapping]]] = ...) -> None: ...

class PutAccountLimitsRequest(_message.Message):
    __slots__ = ("account", "etag", "limits", "reason")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    account: str
    etag: str
    limits: _account_pb2.AccountLimits
    reason: str
    def __init__(self, account: _Optional[str] = ..., etag: _Optional[str] = ..., limits: _Optional[_Union[_account_pb2.AccountLimits, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class PutAccountLimitsResponse(_message.Message):
    __slots__ = ("limits",)
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    limits: _risk_pb2.HubAccountLimits
    def __init__(self, limits: _Optional[_Union[_risk_pb2.HubAccountLimits, _Mapping]] = ...) -> None: ...

class GetAccountLimitsRequest(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: str
    def __init__(self, account: _Optional[str] = ...) -> None: ...

class GetAccountLimitsResponse(_message.Message):
    __slots__ = ("limits",)
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    limits: _risk_pb2.HubAccountLimits
    def __init__(self, limits: _Optional[_Union[_risk_pb2.HubAccountLimits, _Mapping]] = ...) -> None: ...

class ListBreachesRequest(_message.Message):
    __slots__ = ("world_id", "account", "state", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    state: _risk_pb2.BreachState
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ..., state: _Optional[_Union[_risk_pb2.BreachState, str]] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListBreachesResponse(_message.Message):
    __slots__ = ("breaches", "page")
    BREACHES_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    breaches: _containers.RepeatedCompositeFieldContainer[_risk_pb2.RiskBreach]
    page: _common_pb2.PageInfo
    def __init__(self, breaches: _Optional[_Iterable[_Union[_risk_pb2.RiskBreach, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class AcknowledgeBreachRequest(_message.Message):
    __slots__ = ("world_id", "sequence", "reason")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    sequence: int
    reason: str
    def __init__(self, world_id: _Optional[str] = ..., sequence: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class AcknowledgeBreachResponse(_message.Message):
    __slots__ = ("breach",)
    BREACH_FIELD_NUMBER: _ClassVar[int]
    breach: _risk_pb2.RiskBreach
    def __init__(self, breach: _Optional[_Union[_risk_pb2.RiskBreach, _Mapping]] = ...) -> None: ...

class GetExposureRequest(_message.Message):
    __slots__ = ("world_id", "account", "stage")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    account: str
    stage: _risk_pb2.RiskStage
    def __init__(self, world_id: _Optional[str] = ..., account: _Optional[str] = ..., stage: _Optional[_Union[_risk_pb2.RiskStage, str]] = ...) -> None: ...

class GetExposureResponse(_message.Message):
    __slots__ = ("header", "capital", "currency", "rows")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CAPITAL_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    header: _risk_pb2.SnapshotHeader
    capital: str
    currency: str
    rows: _containers.RepeatedCompositeFieldContainer[_risk_pb2.ExposureRow]
    def __init__(self, header: _Optional[_Union[_risk_pb2.SnapshotHeader, _Mapping]] = ..., capital: _Optional[str] = ..., currency: _Optional[str] = ..., rows: _Optional[_Iterable[_Union[_risk_pb2.ExposureRow, _Mapping]]] = ...) -> None: ...

import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.data.v1 import data_pb2 as _data_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FetchRequest(_message.Message):
    __slots__ = ("dataset", "range", "context", "session_id")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    range: _common_pb2.TimeRange
    context: _common_pb2.ComputeContext
    session_id: str
    def __init__(self, dataset: _Optional[str] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., context: _Optional[_Union[_common_pb2.ComputeContext, _Mapping]] = ..., session_id: _Optional[str] = ...) -> None: ...

class FetchResponse(_message.Message):
    __slots__ = ("arrow_ipc", "metadata")
    ARROW_IPC_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    arrow_ipc: bytes
    metadata: _data_pb2.FetchMetadata
    def __init__(self, arrow_ipc: _Optional[bytes] = ..., metadata: _Optional[_Union[_data_pb2.FetchMetadata, _Mapping]] = ...) -> None: ...

class GetCoverageRequest(_message.Message):
    __slots__ = ("dataset", "range")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    range: _common_pb2.TimeRange
    def __init__(self, dataset: _Optional[str] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ...) -> None: ...

class GetCoverageResponse(_message.Message):
    __slots__ = ("spans", "gaps", "data_ratio", "resolved_ratio")
    SPANS_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    DATA_RATIO_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_RATIO_FIELD_NUMBER: _ClassVar[int]
    spans: _containers.RepeatedCompositeFieldContainer[_common_pb2.TimeRange]
    gaps: _containers.RepeatedCompositeFieldContainer[_data_pb2.Gap]
    data_ratio: float
    resolved_ratio: float
    def __init__(self, spans: _Optional[_Iterable[_Union[_common_pb2.TimeRange, _Mapping]]] = ..., gaps: _Optional[_Iterable[_Union[_data_pb2.Gap, _Mapping]]] = ..., data_ratio: _Optional[float] = ..., resolved_ratio: _Optional[float] = ...) -> None: ...

class EnsureCoverageRequest(_message.Message):
    __slots__ = ("dataset", "range")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    range: _common_pb2.TimeRange
    def __init__(self, dataset: _Optional[str] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ...) -> None: ...

class EnsureCoverageResponse(_message.Message):
    __slots__ = ("completion_ratio", "missing", "done")
    COMPLETION_RATIO_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    completion_ratio: float
    missing: _containers.RepeatedCompositeFieldContainer[_common_pb2.TimeRange]
    done: bool
    def __init__(self, completion_ratio: _Optional[float] = ..., missing: _Optional[_Iterable[_Union[_common_pb2.TimeRange, _Mapping]]] = ..., done: _Optional[bool] = ...) -> None: ...

class SubscribeRequest(_message.Message):
    __slots__ = ("dataset", "session_id", "follower")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    FOLLOWER_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    session_id: str
    follower: str
    def __init__(self, dataset: _Optional[str] = ..., session_id: _Optional[str] = ..., follower: _Optional[str] = ..., **kwargs) -> None: ...

class SubscribeResponse(_message.Message):
    __slots__ = ("bars", "watermark", "end_of_session")
    BARS_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    END_OF_SESSION_FIELD_NUMBER: _ClassVar[int]
    bars: _containers.RepeatedCompositeFieldContainer[_data_pb2.Bar]
    watermark: _timestamp_pb2.Timestamp
    end_of_session: bool
    def __init__(self, bars: _Optional[_Iterable[_Union[_data_pb2.Bar, _Mapping]]] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_of_session: _Optional[bool] = ...) -> None: ...

class DataSession(_message.Message):
    __slots__ = ("session_id", "preset", "dataset", "start", "end", "bars_per_second", "watermark", "opened_at", "dataset_fingerprint", "waiting_for")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    BARS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    OPENED_AT_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    preset: str
    dataset: str
    start: _timestamp_pb2.Timestamp
    end: _timestamp_pb2.Timestamp
    bars_per_second: float
    watermark: _timestamp_pb2.Timestamp
    opened_at: _timestamp_pb2.Timestamp
    dataset_fingerprint: str
    waiting_for: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, session_id: _Optional[str] = ..., preset: _Optional[str] = ..., dataset: _Optional[str] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., bars_per_second: _Optional[float] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., opened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dataset_fingerprint: _Optional[str] = ..., waiting_for: _Optional[_Iterable[str]] = ...) -> None: ...

class OpenDataSessionRequest(_message.Message):
    __slots__ = ("session_id", "preset", "start", "days", "bars_per_second", "followers")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    BARS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    FOLLOWERS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    preset: str
    start: _timestamp_pb2.Timestamp
    days: int
    bars_per_second: float
    followers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, session_id: _Optional[str] = ..., preset: _Optional[str] = ..., start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., days: _Optional[int] = ..., bars_per_second: _Optional[float] = ..., followers: _Optional[_Iterable[str]] = ...) -> None: ...

class ConfirmBarsRequest(_message.Message):
    __slots__ = ("session_id", "follower", "through", "leave")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    FOLLOWER_FIELD_NUMBER: _ClassVar[int]
    THROUGH_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    follower: str
    through: _timestamp_pb2.Timestamp
    leave: bool
    def __init__(self, session_id: _Optional[str] = ..., follower: _Optional[str] = ..., through: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., leave: _Optional[bool] = ...) -> None: ...

class ConfirmBarsResponse(_message.Message):
    __slots__ = ("watermark",)
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    watermark: _timestamp_pb2.Timestamp
    def __init__(self, watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OpenDataSessionResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: DataSession
    def __init__(self, session: _Optional[_Union[DataSession, _Mapping]] = ...) -> None: ...

class GetDataSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class GetDataSessionResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: DataSession
    def __init__(self, session: _Optional[_Union[DataSession, _Mapping]] = ...) -> None: ...

class ListDatasetsRequest(_message.Message):
    __slots__ = ("page",)
    PAGE_FIELD_NUMBER: _ClassVar[int]
    page: _common_pb2.PageRequest
    def __init__(self, page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListDatasetsResponse(_message.Message):
    __slots__ = ("datasets", "page")
    DATASETS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    datasets: _containers.RepeatedCompositeFieldContainer[_data_pb2.Dataset]
    page: _common_pb2.PageInfo
    def __init__(self, datasets: _Optional[_Iterable[_Union[_data_pb2.Dataset, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class GetConformanceReportRequest(_message.Message):
    __slots__ = ("dataset",)
    DATASET_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    def __init__(self, dataset: _Optional[str] = ...) -> None: ...

class GetConformanceReportResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: _data_pb2.ConformanceReport
    def __init__(self, report: _Optional[_Union[_data_pb2.ConformanceReport, _Mapping]] = ...) -> None: ...

class GetArtifactRequest(_message.Message):
    __slots__ = ("dataset_fingerprint",)
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    dataset_fingerprint: str
    def __init__(self, dataset_fingerprint: _Optional[str] = ...) -> None: ...

class GetArtifactResponse(_message.Message):
    __slots__ = ("artifact",)
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    artifact: _data_pb2.Artifact
    def __init__(self, artifact: _Optional[_Union[_data_pb2.Artifact, _Mapping]] = ...) -> None: ...

class ListArtifactsRequest(_message.Message):
    __slots__ = ("dataset", "page")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    page: _common_pb2.PageRequest
    def __init__(self, dataset: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListArtifactsResponse(_message.Message):
    __slots__ = ("artifacts", "page")
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    artifacts: _containers.RepeatedCompositeFieldContainer[_data_pb2.Artifact]
    page: _common_pb2.PageInfo
    def __init__(self, artifacts: _Optional[_Iterable[_Union[_data_pb2.Artifact, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class PublishArtifactRequest(_message.Message):
    __slots__ = ("key", "arrow_ipc")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ARROW_IPC_FIELD_NUMBER: _ClassVar[int]
    key: FeatureArtifactKey
    arrow_ipc: bytes
    def __init__(self, key: _Optional[_Union[FeatureArtifactKey, _Mapping]] = ..., arrow_ipc: _Optional[bytes] = ...) -> None: ...

class FeatureArtifactKey(_message.Message):
    __slots__ = ("factor", "interval_s", "params_hash", "instrument", "time", "dataset_fingerprint", "execution_domain")
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_S_FIELD_NUMBER: _ClassVar[int]
    PARAMS_HASH_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    factor: str
    interval_s: int
    params_hash: str
    instrument: str
    time: _timestamp_pb2.Timestamp
    dataset_fingerprint: str
    execution_domain: _common_pb2.ExecutionDomain
    def __init__(self, factor: _Optional[str] = ..., interval_s: _Optional[int] = ..., params_hash: _Optional[str] = ..., instrument: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., dataset_fingerprint: _Optional[str] = ..., execution_domain: _Optional[_Union[_common_pb2.ExecutionDomain, str]] = ...) -> None: ...

class PublishArtifactResponse(_message.Message):
    __slots__ = ("artifact",)
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    artifact: _data_pb2.Artifact
    def __init__(self, artifact: _Optional[_Union[_data_pb2.Artifact, _Mapping]] = ...) -> None: ...

class ListPresetsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPresetsResponse(_message.Message):
    __slots__ = ("presets",)
    PRESETS_FIELD_NUMBER: _ClassVar[int]
    presets: _containers.RepeatedCompositeFieldContainer[_data_pb2.Preset]
    def __init__(self, presets: _Optional[_Iterable[_Union[_data_pb2.Preset, _Mapping]]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("status", "datasets")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DATASETS_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.ServiceStatus
    datasets: int
    def __init__(self, status: _Optional[_Union[_common_pb2.ServiceStatus, _Mapping]] = ..., datasets: _Optional[int] = ...) -> None: ...

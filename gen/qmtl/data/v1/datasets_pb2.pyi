import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.data.v1 import bars_pb2 as _bars_pb2
from qmtl.data.v1 import conformance_pb2 as _conformance_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DatasetState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATASET_STATE_UNSPECIFIED: _ClassVar[DatasetState]
    DATASET_STATE_INGESTING: _ClassVar[DatasetState]
    DATASET_STATE_READY: _ClassVar[DatasetState]
    DATASET_STATE_UNAVAILABLE: _ClassVar[DatasetState]

class Adjustment(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ADJUSTMENT_UNSPECIFIED: _ClassVar[Adjustment]
    ADJUSTMENT_RAW: _ClassVar[Adjustment]
    ADJUSTMENT_SPLIT: _ClassVar[Adjustment]
    ADJUSTMENT_TOTAL_RETURN: _ClassVar[Adjustment]
DATASET_STATE_UNSPECIFIED: DatasetState
DATASET_STATE_INGESTING: DatasetState
DATASET_STATE_READY: DatasetState
DATASET_STATE_UNAVAILABLE: DatasetState
ADJUSTMENT_UNSPECIFIED: Adjustment
ADJUSTMENT_RAW: Adjustment
ADJUSTMENT_SPLIT: Adjustment
ADJUSTMENT_TOTAL_RETURN: Adjustment

class DatasetTerms(_message.Message):
    __slots__ = ("calendar", "calendar_version", "time_zone", "price_currency", "adjustment", "origin", "licence")
    CALENDAR_FIELD_NUMBER: _ClassVar[int]
    CALENDAR_VERSION_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    PRICE_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    ADJUSTMENT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    calendar: str
    calendar_version: str
    time_zone: str
    price_currency: str
    adjustment: Adjustment
    origin: str
    licence: str
    def __init__(self, calendar: _Optional[str] = ..., calendar_version: _Optional[str] = ..., time_zone: _Optional[str] = ..., price_currency: _Optional[str] = ..., adjustment: _Optional[_Union[Adjustment, str]] = ..., origin: _Optional[str] = ..., licence: _Optional[str] = ...) -> None: ...

class Dataset(_message.Message):
    __slots__ = ("dataset", "source", "symbol", "interval", "range", "rows", "data_ratio", "dataset_fingerprint", "as_of", "state", "message", "volume_unit", "terms")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    DATA_RATIO_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    VOLUME_UNIT_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    source: str
    symbol: str
    interval: _duration_pb2.Duration
    range: _common_pb2.TimeRange
    rows: int
    data_ratio: float
    dataset_fingerprint: str
    as_of: _timestamp_pb2.Timestamp
    state: DatasetState
    message: str
    volume_unit: _bars_pb2.VolumeUnit
    terms: DatasetTerms
    def __init__(self, dataset: _Optional[str] = ..., source: _Optional[str] = ..., symbol: _Optional[str] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., range: _Optional[_Union[_common_pb2.TimeRange, _Mapping]] = ..., rows: _Optional[int] = ..., data_ratio: _Optional[float] = ..., dataset_fingerprint: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[_Union[DatasetState, str]] = ..., message: _Optional[str] = ..., volume_unit: _Optional[_Union[_bars_pb2.VolumeUnit, str]] = ..., terms: _Optional[_Union[DatasetTerms, _Mapping]] = ...) -> None: ...

class Preset(_message.Message):
    __slots__ = ("name", "dataset", "description", "strictness", "min_coverage", "replay", "available", "message", "symbol", "interval", "volume_unit", "terms", "members", "memberships", "memberships_fingerprint", "lineage")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    STRICTNESS_FIELD_NUMBER: _ClassVar[int]
    MIN_COVERAGE_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    VOLUME_UNIT_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIPS_FIELD_NUMBER: _ClassVar[int]
    MEMBERSHIPS_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    dataset: str
    description: str
    strictness: _conformance_pb2.ConformanceStrictness
    min_coverage: str
    replay: bool
    available: bool
    message: str
    symbol: str
    interval: _duration_pb2.Duration
    volume_unit: _bars_pb2.VolumeUnit
    terms: DatasetTerms
    members: _containers.RepeatedScalarFieldContainer[str]
    memberships: _containers.RepeatedCompositeFieldContainer[Membership]
    memberships_fingerprint: str
    lineage: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., dataset: _Optional[str] = ..., description: _Optional[str] = ..., strictness: _Optional[_Union[_conformance_pb2.ConformanceStrictness, str]] = ..., min_coverage: _Optional[str] = ..., replay: _Optional[bool] = ..., available: _Optional[bool] = ..., message: _Optional[str] = ..., symbol: _Optional[str] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., volume_unit: _Optional[_Union[_bars_pb2.VolumeUnit, str]] = ..., terms: _Optional[_Union[DatasetTerms, _Mapping]] = ..., members: _Optional[_Iterable[str]] = ..., memberships: _Optional[_Iterable[_Union[Membership, _Mapping]]] = ..., memberships_fingerprint: _Optional[str] = ..., lineage: _Optional[_Iterable[str]] = ...) -> None: ...

class Membership(_message.Message):
    __slots__ = ("symbol", "ticker", "start_time", "end_time")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TICKER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    ticker: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, symbol: _Optional[str] = ..., ticker: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FillModel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILL_MODEL_UNSPECIFIED: _ClassVar[FillModel]
    FILL_MODEL_NEXT_BAR: _ClassVar[FillModel]
FILL_MODEL_UNSPECIFIED: FillModel
FILL_MODEL_NEXT_BAR: FillModel

class ExecutionModel(_message.Message):
    __slots__ = ("fill", "maker_fee_rate", "taker_fee_rate", "slippage_rate", "participation")
    FILL_FIELD_NUMBER: _ClassVar[int]
    MAKER_FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    TAKER_FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    SLIPPAGE_RATE_FIELD_NUMBER: _ClassVar[int]
    PARTICIPATION_FIELD_NUMBER: _ClassVar[int]
    fill: FillModel
    maker_fee_rate: str
    taker_fee_rate: str
    slippage_rate: str
    participation: str
    def __init__(self, fill: _Optional[_Union[FillModel, str]] = ..., maker_fee_rate: _Optional[str] = ..., taker_fee_rate: _Optional[str] = ..., slippage_rate: _Optional[str] = ..., participation: _Optional[str] = ...) -> None: ...

class DecisionEnvelope(_message.Message):
    __slots__ = ("world_id", "policy_version", "effective_mode", "reasons", "as_of", "ttl", "etag", "dataset_fingerprint", "coverage", "data_end", "decided_at", "ruleset_hash", "selected", "stale", "execution_model")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_MODE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    DATA_END_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    RULESET_HASH_FIELD_NUMBER: _ClassVar[int]
    SELECTED_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_MODEL_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    policy_version: int
    effective_mode: _common_pb2.EffectiveMode
    reasons: _containers.RepeatedScalarFieldContainer[str]
    as_of: _timestamp_pb2.Timestamp
    ttl: _duration_pb2.Duration
    etag: str
    dataset_fingerprint: str
    coverage: float
    data_end: _timestamp_pb2.Timestamp
    decided_at: _timestamp_pb2.Timestamp
    ruleset_hash: str
    selected: _containers.RepeatedScalarFieldContainer[str]
    stale: bool
    execution_model: ExecutionModel
    def __init__(self, world_id: _Optional[str] = ..., policy_version: _Optional[int] = ..., effective_mode: _Optional[_Union[_common_pb2.EffectiveMode, str]] = ..., reasons: _Optional[_Iterable[str]] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., etag: _Optional[str] = ..., dataset_fingerprint: _Optional[str] = ..., coverage: _Optional[float] = ..., data_end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decided_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ruleset_hash: _Optional[str] = ..., selected: _Optional[_Iterable[str]] = ..., stale: _Optional[bool] = ..., execution_model: _Optional[_Union[ExecutionModel, _Mapping]] = ...) -> None: ...

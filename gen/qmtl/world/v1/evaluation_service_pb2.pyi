import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import binding_pb2 as _binding_pb2
from qmtl.world.v1 import decision_pb2 as _decision_pb2
from qmtl.world.v1 import evaluation_pb2 as _evaluation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DecideRequest(_message.Message):
    __slots__ = ("world_id", "as_of")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    as_of: _timestamp_pb2.Timestamp
    def __init__(self, world_id: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DecideResponse(_message.Message):
    __slots__ = ("decision",)
    DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.DecisionEnvelope
    def __init__(self, decision: _Optional[_Union[_decision_pb2.DecisionEnvelope, _Mapping]] = ...) -> None: ...

class ListReportsRequest(_message.Message):
    __slots__ = ("world_id", "as_of", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    as_of: _timestamp_pb2.Timestamp
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListReportsResponse(_message.Message):
    __slots__ = ("decision", "reports", "page", "unsettled")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    UNSETTLED_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.DecisionEnvelope
    reports: _containers.RepeatedCompositeFieldContainer[_evaluation_pb2.EvaluationReport]
    page: _common_pb2.PageInfo
    unsettled: _containers.RepeatedCompositeFieldContainer[_evaluation_pb2.EvaluationRun]
    def __init__(self, decision: _Optional[_Union[_decision_pb2.DecisionEnvelope, _Mapping]] = ..., reports: _Optional[_Iterable[_Union[_evaluation_pb2.EvaluationReport, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ..., unsettled: _Optional[_Iterable[_Union[_evaluation_pb2.EvaluationRun, _Mapping]]] = ...) -> None: ...

class EvaluateRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id", "stage", "metrics", "dataset_fingerprint", "data_start", "data_end", "coverage_ratio", "footprint", "correlations", "execution_model", "order_list", "paper_books")
    class CorrelationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    DATASET_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    DATA_START_FIELD_NUMBER: _ClassVar[int]
    DATA_END_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_RATIO_FIELD_NUMBER: _ClassVar[int]
    FOOTPRINT_FIELD_NUMBER: _ClassVar[int]
    CORRELATIONS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_MODEL_FIELD_NUMBER: _ClassVar[int]
    ORDER_LIST_FIELD_NUMBER: _ClassVar[int]
    PAPER_BOOKS_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    stage: _binding_pb2.Stage
    metrics: _containers.RepeatedCompositeFieldContainer[_evaluation_pb2.Metric]
    dataset_fingerprint: str
    data_start: _timestamp_pb2.Timestamp
    data_end: _timestamp_pb2.Timestamp
    coverage_ratio: float
    footprint: _evaluation_pb2.Footprint
    correlations: _containers.ScalarMap[str, float]
    execution_model: _decision_pb2.ExecutionModel
    order_list: str
    paper_books: _evaluation_pb2.PaperBooks
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ..., stage: _Optional[_Union[_binding_pb2.Stage, str]] = ..., metrics: _Optional[_Iterable[_Union[_evaluation_pb2.Metric, _Mapping]]] = ..., dataset_fingerprint: _Optional[str] = ..., data_start: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., data_end: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., coverage_ratio: _Optional[float] = ..., footprint: _Optional[_Union[_evaluation_pb2.Footprint, _Mapping]] = ..., correlations: _Optional[_Mapping[str, float]] = ..., execution_model: _Optional[_Union[_decision_pb2.ExecutionModel, _Mapping]] = ..., order_list: _Optional[str] = ..., paper_books: _Optional[_Union[_evaluation_pb2.PaperBooks, _Mapping]] = ...) -> None: ...

class PutOrderListRequest(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class PutOrderListResponse(_message.Message):
    __slots__ = ("order_list",)
    ORDER_LIST_FIELD_NUMBER: _ClassVar[int]
    order_list: str
    def __init__(self, order_list: _Optional[str] = ...) -> None: ...

class EvaluateResponse(_message.Message):
    __slots__ = ("run", "decision")
    RUN_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    run: _evaluation_pb2.EvaluationRun
    decision: _decision_pb2.DecisionEnvelope
    def __init__(self, run: _Optional[_Union[_evaluation_pb2.EvaluationRun, _Mapping]] = ..., decision: _Optional[_Union[_decision_pb2.DecisionEnvelope, _Mapping]] = ...) -> None: ...

class EvaluateCohortRequest(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class EvaluationCohort(_message.Message):
    __slots__ = ("world_id", "run_id", "stage", "strategies")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    run_id: str
    stage: _binding_pb2.Stage
    strategies: _containers.RepeatedCompositeFieldContainer[EvaluateRequest]
    def __init__(self, world_id: _Optional[str] = ..., run_id: _Optional[str] = ..., stage: _Optional[_Union[_binding_pb2.Stage, str]] = ..., strategies: _Optional[_Iterable[_Union[EvaluateRequest, _Mapping]]] = ...) -> None: ...

class EvaluateCohortResponse(_message.Message):
    __slots__ = ("runs", "decision")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[_evaluation_pb2.EvaluationRun]
    decision: _decision_pb2.DecisionEnvelope
    def __init__(self, runs: _Optional[_Iterable[_Union[_evaluation_pb2.EvaluationRun, _Mapping]]] = ..., decision: _Optional[_Union[_decision_pb2.DecisionEnvelope, _Mapping]] = ...) -> None: ...

class GetEvaluationRunRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class GetEvaluationRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _evaluation_pb2.EvaluationRun
    def __init__(self, run: _Optional[_Union[_evaluation_pb2.EvaluationRun, _Mapping]] = ...) -> None: ...

class VerifyEvaluationRunRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "run_id")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    run_id: str
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class VerifyEvaluationRunResponse(_message.Message):
    __slots__ = ("run", "metrics", "differences", "terms", "terms_now")
    RUN_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    TERMS_NOW_FIELD_NUMBER: _ClassVar[int]
    run: _evaluation_pb2.EvaluationRun
    metrics: _containers.RepeatedCompositeFieldContainer[_evaluation_pb2.Metric]
    differences: _containers.RepeatedScalarFieldContainer[str]
    terms: str
    terms_now: str
    def __init__(self, run: _Optional[_Union[_evaluation_pb2.EvaluationRun, _Mapping]] = ..., metrics: _Optional[_Iterable[_Union[_evaluation_pb2.Metric, _Mapping]]] = ..., differences: _Optional[_Iterable[str]] = ..., terms: _Optional[str] = ..., terms_now: _Optional[str] = ...) -> None: ...

class ListEvaluationRunsRequest(_message.Message):
    __slots__ = ("world_id", "strategy_id", "page")
    WORLD_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    world_id: str
    strategy_id: str
    page: _common_pb2.PageRequest
    def __init__(self, world_id: _Optional[str] = ..., strategy_id: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListEvaluationRunsResponse(_message.Message):
    __slots__ = ("runs", "page")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[_evaluation_pb2.EvaluationRun]
    page: _common_pb2.PageInfo
    def __init__(self, runs: _Optional[_Iterable[_Union[_evaluation_pb2.EvaluationRun, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import rebalance_pb2 as _rebalance_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StartRebalanceRequest(_message.Message):
    __slots__ = ("account", "run_id", "allow_live")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LIVE_FIELD_NUMBER: _ClassVar[int]
    account: str
    run_id: str
    allow_live: bool
    def __init__(self, account: _Optional[str] = ..., run_id: _Optional[str] = ..., allow_live: _Optional[bool] = ...) -> None: ...

class StartRebalanceResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _rebalance_pb2.RebalanceRun
    def __init__(self, run: _Optional[_Union[_rebalance_pb2.RebalanceRun, _Mapping]] = ...) -> None: ...

class StopRebalanceRequest(_message.Message):
    __slots__ = ("account", "run_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    run_id: str
    def __init__(self, account: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class StopRebalanceResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _rebalance_pb2.RebalanceRun
    def __init__(self, run: _Optional[_Union[_rebalance_pb2.RebalanceRun, _Mapping]] = ...) -> None: ...

class ReportRebalanceRequest(_message.Message):
    __slots__ = ("account", "run_id", "epoch", "progress", "end", "reasons")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    account: str
    run_id: str
    epoch: int
    progress: _containers.RepeatedCompositeFieldContainer[_rebalance_pb2.LegProgress]
    end: _rebalance_pb2.RebalanceState
    reasons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, account: _Optional[str] = ..., run_id: _Optional[str] = ..., epoch: _Optional[int] = ..., progress: _Optional[_Iterable[_Union[_rebalance_pb2.LegProgress, _Mapping]]] = ..., end: _Optional[_Union[_rebalance_pb2.RebalanceState, str]] = ..., reasons: _Optional[_Iterable[str]] = ...) -> None: ...

class ReportRebalanceResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _rebalance_pb2.RebalanceRun
    def __init__(self, run: _Optional[_Union[_rebalance_pb2.RebalanceRun, _Mapping]] = ...) -> None: ...

class ListGoingRebalancesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListGoingRebalancesResponse(_message.Message):
    __slots__ = ("runs",)
    RUNS_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[_rebalance_pb2.RebalanceRun]
    def __init__(self, runs: _Optional[_Iterable[_Union[_rebalance_pb2.RebalanceRun, _Mapping]]] = ...) -> None: ...

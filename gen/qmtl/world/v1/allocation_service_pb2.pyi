from qmtl.common.v1 import common_pb2 as _common_pb2
from qmtl.common.v1 import options_pb2 as _options_pb2
from qmtl.world.v1 import allocation_pb2 as _allocation_pb2
from qmtl.world.v1 import rebalance_pb2 as _rebalance_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UpsertAllocationsRequest(_message.Message):
    __slots__ = ("account", "run_id", "expected_revision", "worlds", "strategies", "terms", "reason")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    WORLDS_FIELD_NUMBER: _ClassVar[int]
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    account: str
    run_id: str
    expected_revision: int
    worlds: _containers.RepeatedCompositeFieldContainer[_allocation_pb2.WorldShare]
    strategies: _containers.RepeatedCompositeFieldContainer[_allocation_pb2.StrategyShare]
    terms: _allocation_pb2.AllocationTerms
    reason: str
    def __init__(self, account: _Optional[str] = ..., run_id: _Optional[str] = ..., expected_revision: _Optional[int] = ..., worlds: _Optional[_Iterable[_Union[_allocation_pb2.WorldShare, _Mapping]]] = ..., strategies: _Optional[_Iterable[_Union[_allocation_pb2.StrategyShare, _Mapping]]] = ..., terms: _Optional[_Union[_allocation_pb2.AllocationTerms, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class UpsertAllocationsResponse(_message.Message):
    __slots__ = ("allocations", "budgets_pending")
    ALLOCATIONS_FIELD_NUMBER: _ClassVar[int]
    BUDGETS_PENDING_FIELD_NUMBER: _ClassVar[int]
    allocations: _allocation_pb2.AllocationSet
    budgets_pending: bool
    def __init__(self, allocations: _Optional[_Union[_allocation_pb2.AllocationSet, _Mapping]] = ..., budgets_pending: _Optional[bool] = ...) -> None: ...

class GetAllocationsRequest(_message.Message):
    __slots__ = ("account", "revision")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    account: str
    revision: int
    def __init__(self, account: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class GetAllocationsResponse(_message.Message):
    __slots__ = ("allocations", "capital", "equity", "budgets_pending")
    ALLOCATIONS_FIELD_NUMBER: _ClassVar[int]
    CAPITAL_FIELD_NUMBER: _ClassVar[int]
    EQUITY_FIELD_NUMBER: _ClassVar[int]
    BUDGETS_PENDING_FIELD_NUMBER: _ClassVar[int]
    allocations: _allocation_pb2.AllocationSet
    capital: _containers.RepeatedCompositeFieldContainer[_allocation_pb2.Capital]
    equity: str
    budgets_pending: bool
    def __init__(self, allocations: _Optional[_Union[_allocation_pb2.AllocationSet, _Mapping]] = ..., capital: _Optional[_Iterable[_Union[_allocation_pb2.Capital, _Mapping]]] = ..., equity: _Optional[str] = ..., budgets_pending: _Optional[bool] = ...) -> None: ...

class ListAllocationsRequest(_message.Message):
    __slots__ = ("account", "page")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    account: str
    page: _common_pb2.PageRequest
    def __init__(self, account: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListAllocationsResponse(_message.Message):
    __slots__ = ("allocations", "page")
    ALLOCATIONS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    allocations: _containers.RepeatedCompositeFieldContainer[_allocation_pb2.AllocationSet]
    page: _common_pb2.PageInfo
    def __init__(self, allocations: _Optional[_Iterable[_Union[_allocation_pb2.AllocationSet, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class ProposeAllocationsRequest(_message.Message):
    __slots__ = ("account", "method", "covariance", "cap", "floor", "bounds", "band", "vol_target", "total")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    COVARIANCE_FIELD_NUMBER: _ClassVar[int]
    CAP_FIELD_NUMBER: _ClassVar[int]
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    BAND_FIELD_NUMBER: _ClassVar[int]
    VOL_TARGET_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    account: str
    method: _allocation_pb2.ProposalMethod
    covariance: _allocation_pb2.StrategyCovariance
    cap: str
    floor: str
    bounds: _containers.RepeatedCompositeFieldContainer[_allocation_pb2.ShareBound]
    band: str
    vol_target: str
    total: str
    def __init__(self, account: _Optional[str] = ..., method: _Optional[_Union[_allocation_pb2.ProposalMethod, str]] = ..., covariance: _Optional[_Union[_allocation_pb2.StrategyCovariance, _Mapping]] = ..., cap: _Optional[str] = ..., floor: _Optional[str] = ..., bounds: _Optional[_Iterable[_Union[_allocation_pb2.ShareBound, _Mapping]]] = ..., band: _Optional[str] = ..., vol_target: _Optional[str] = ..., total: _Optional[str] = ...) -> None: ...

class ProposeAllocationsResponse(_message.Message):
    __slots__ = ("strategies", "worlds", "daily_vol", "risk_snapshot")
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    WORLDS_FIELD_NUMBER: _ClassVar[int]
    DAILY_VOL_FIELD_NUMBER: _ClassVar[int]
    RISK_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    strategies: _containers.RepeatedCompositeFieldContainer[_allocation_pb2.ProposedShare]
    worlds: _containers.RepeatedCompositeFieldContainer[_allocation_pb2.WorldShare]
    daily_vol: float
    risk_snapshot: str
    def __init__(self, strategies: _Optional[_Iterable[_Union[_allocation_pb2.ProposedShare, _Mapping]]] = ..., worlds: _Optional[_Iterable[_Union[_allocation_pb2.WorldShare, _Mapping]]] = ..., daily_vol: _Optional[float] = ..., risk_snapshot: _Optional[str] = ...) -> None: ...

class PlanRebalanceRequest(_message.Message):
    __slots__ = ("rebalance",)
    REBALANCE_FIELD_NUMBER: _ClassVar[int]
    rebalance: _rebalance_pb2.RebalanceRequest
    def __init__(self, rebalance: _Optional[_Union[_rebalance_pb2.RebalanceRequest, _Mapping]] = ...) -> None: ...

class PlanRebalanceResponse(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: _rebalance_pb2.RebalancePlan
    def __init__(self, plan: _Optional[_Union[_rebalance_pb2.RebalancePlan, _Mapping]] = ...) -> None: ...

class ApplyRebalanceRequest(_message.Message):
    __slots__ = ("rebalance", "run_id", "plan_hash", "reason", "closes")
    REBALANCE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_HASH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CLOSES_FIELD_NUMBER: _ClassVar[int]
    rebalance: _rebalance_pb2.RebalanceRequest
    run_id: str
    plan_hash: str
    reason: str
    closes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, rebalance: _Optional[_Union[_rebalance_pb2.RebalanceRequest, _Mapping]] = ..., run_id: _Optional[str] = ..., plan_hash: _Optional[str] = ..., reason: _Optional[str] = ..., closes: _Optional[_Iterable[str]] = ...) -> None: ...

class ApplyRebalanceResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _rebalance_pb2.RebalanceRun
    def __init__(self, run: _Optional[_Union[_rebalance_pb2.RebalanceRun, _Mapping]] = ...) -> None: ...

class GetRebalanceRequest(_message.Message):
    __slots__ = ("account", "run_id")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    account: str
    run_id: str
    def __init__(self, account: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class GetRebalanceResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _rebalance_pb2.RebalanceRun
    def __init__(self, run: _Optional[_Union[_rebalance_pb2.RebalanceRun, _Mapping]] = ...) -> None: ...

class ListRebalancesRequest(_message.Message):
    __slots__ = ("account", "page")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    account: str
    page: _common_pb2.PageRequest
    def __init__(self, account: _Optional[str] = ..., page: _Optional[_Union[_common_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class ListRebalancesResponse(_message.Message):
    __slots__ = ("runs", "page")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[_rebalance_pb2.RebalanceRun]
    page: _common_pb2.PageInfo
    def __init__(self, runs: _Optional[_Iterable[_Union[_rebalance_pb2.RebalanceRun, _Mapping]]] = ..., page: _Optional[_Union[_common_pb2.PageInfo, _Mapping]] = ...) -> None: ...

class WatchRebalanceRequest(_message.Message):
    __slots__ = ("account", "run_id", "after_revision")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_REVISION_FIELD_NUMBER: _ClassVar[int]
    account: str
    run_id: str
    after_revision: int
    def __init__(self, account: _Optional[str] = ..., run_id: _Optional[str] = ..., after_revision: _Optional[int] = ...) -> None: ...

class WatchRebalanceResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _rebalance_pb2.RebalanceRun
    def __init__(self, run: _Optional[_Union[_rebalance_pb2.RebalanceRun, _Mapping]] = ...) -> None: ...

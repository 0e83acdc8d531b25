"""The servicer of allocations: both groups of RPCs over one audited write."""

from __future__ import annotations

from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc
from worldservice.allocation.broker_accounts import BrokerAccounts
from worldservice.allocation.budget_keeper import BudgetKeeper
from worldservice.allocation.planning import Planner
from worldservice.allocation.service.rebalances import RebalanceRpcs
from worldservice.allocation.service.shares import ShareRpcs
from worldservice.risk.files import SnapshotFiles
from worldservice.worlds.writes import Writes


class AllocationServicer(ShareRpcs, RebalanceRpcs, allocationrpc.AllocationServiceServicer):
    """See allocation_service.proto."""

    def __init__(self, writes: Writes, broker: BrokerAccounts, budgets: BudgetKeeper, files: SnapshotFiles) -> None:
        ShareRpcs.__init__(self, writes, broker, budgets, files)
        RebalanceRpcs.__init__(self, writes, Planner(writes.db, broker, files))

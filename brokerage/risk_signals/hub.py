"""The risk hub as brokerage calls it: puts of snapshots, and the shares that accounts are divided by."""

from __future__ import annotations

from fractions import Fraction

from brokerage.domain.accounts.account import Account
from brokerage.domain.market.mark import DAY_NS
from brokerage.domain.measures.scope import ShareSet
from brokerage.domain.orders.order import Owner
from brokerage.risk_signals.wire import request_to_proto
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.decimals import parse_decimal
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.risk.v1 import risk_service_pb2_grpc as riskrpc
from qmtl.rpc.auth.call import own_act
from qmtl.wire.instants import ns_from_proto
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import allocation_service_pb2_grpc as allocationrpc

TIMEOUT_S = 5.0
SETS_MAX = 200
"""Of the newest sets of an account: days under older ones have no return."""


class RiskHub:
    """Calls as the service itself."""

    def __init__(
        self, risk: riskrpc.RiskServiceAsyncStub, allocations: allocationrpc.AllocationServiceAsyncStub
    ) -> None:
        self._risk = risk
        self._allocations = allocations

    async def put(self, scope: str, content: bytes) -> bool:
        """Put a snapshot; whether the hub had it already. Raises as PutSnapshot does."""
        request = request_to_proto(scope, riskpb.RiskSnapshot.FromString(content))
        with own_act():
            return (await self._risk.PutSnapshot(request, timeout=TIMEOUT_S)).deduplicated

    async def shares(self, account: Account) -> tuple[ShareSet, ...]:
        """The sets of an account, oldest first. On a replayed clock the newest counts for all days: they were over
        before any was set. Raises as ListAllocations does.
        """
        page = commonpb.PageRequest(page_size=SETS_MAX)
        request = allocationservicepb.ListAllocationsRequest(account=account.account, page=page)
        with own_act():
            reply = await self._allocations.ListAllocations(request, timeout=TIMEOUT_S)
        found = [_shares(one) for one in reversed(reply.allocations)]
        replayed = bool(account.feeds) and all(feed.session_id for feed in account.feeds)
        return (ShareSet(0, found[-1].shares),) if replayed and found else tuple(found)


def _shares(message: allocationpb.AllocationSet) -> ShareSet:
    shares = {
        Owner(message.account, one.world_id, one.strategy_id): Fraction(parse_decimal(one.share, "share"))
        for one in message.strategies
    }
    created_ns = ns_from_proto(message.created_at, "created_at")
    return ShareSet(-(-created_ns // DAY_NS), shares)

"""RPCs that start and cancel runs: worldservice decides who may, the executor does the rest."""

from __future__ import annotations

from typing import Any

from gateway.admission.live_consent import allows_live, require_live_consent
from gateway.peers import Peers
from gateway.rebalancing.domain import PAPER
from gateway.rebalancing.executor import RebalanceExecutor
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.gateway.v1 import rebalancing_service_pb2 as rebalancingservicepb
from qmtl.gateway.v1 import rebalancing_service_pb2_grpc as rebalancingrpc
from qmtl.rpc.auth.call import require_user
from qmtl.wire.fields import require_text
from qmtl.world.v1 import rebalance_progress_service_pb2 as progressservicepb

Context = Any  # grpc.aio.ServicerContext, for its metadata


class RebalancingServicer(rebalancingrpc.RebalancingServiceServicer):
    """See rebalancing_service.proto."""

    def __init__(self, peers: Peers, executor: RebalanceExecutor) -> None:
        self._peers = peers
        self._executor = executor

    async def ExecuteRebalance(
        self, request: rebalancingservicepb.ExecuteRebalanceRequest, context: Context
    ) -> rebalancingservicepb.ExecuteRebalanceResponse:
        """Answers once the run is EXECUTING in the store; this or another gateway sends its orders."""
        require_user()
        account, metadata = require_text(request.account, "account"), context.invocation_metadata()
        found = await self._peers.accounts.GetAccount(accountservicepb.GetAccountRequest(account=account))
        if found.account.venue != PAPER:
            require_live_consent(metadata, "ExecuteRebalance")
        start = progressservicepb.StartRebalanceRequest(
            account=account, run_id=request.run_id, allow_live=allows_live(metadata)
        )
        run = (await self._peers.rebalances.StartRebalance(start)).run
        self._executor.wake()
        return rebalancingservicepb.ExecuteRebalanceResponse(run=run)

    async def CancelRebalance(
        self, request: rebalancingservicepb.CancelRebalanceRequest, context: Context
    ) -> rebalancingservicepb.CancelRebalanceResponse:
        """Answers once the cancel is in the store."""
        require_user()
        stop = progressservicepb.StopRebalanceRequest(account=request.account, run_id=request.run_id)
        run = (await self._peers.rebalances.StopRebalance(stop)).run
        self._executor.wake()
        return rebalancingservicepb.CancelRebalanceResponse(run=run)

"""Takes up runs that are under way: one task an account, under a lease that every gateway contends for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

import structlog

from controlbus.bus import Bus
from controlbus.coordination.lease import Lease
from gateway.orders.gate import OrderGate
from gateway.peers import Peers
from gateway.rebalancing.domain import PAPER
from gateway.rebalancing.driver import RunDriver
from gateway.rebalancing.prices import Prices
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.core.modes import ExecutionDomain
from qmtl.core.tasks.ending import end, first_of
from qmtl.rpc.auth.call import own_act
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from qmtl.world.v1 import rebalance_progress_service_pb2 as progressservicepb

ROUND_S = 1.0
log = structlog.stdlib.get_logger("qmtl.gateway.rebalancing")


class RebalanceExecutor:
    """One per gateway."""

    def __init__(self, peers: Peers, gate: OrderGate, bus: Bus, clock: Clock) -> None:
        self._peers = peers
        self._gate = gate
        self._bus = bus
        self._clock = clock
        self._wake = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._going: Mapping[str, rebalancepb.RebalanceRun] = {}
        self._drivers: dict[str, RunDriver] = {}

    def wake(self) -> None:
        """A run was started or canceled: look at once."""
        self._wake.set()

    async def run(self) -> None:
        """Drive what is under way until cancelled."""
        try:
            while True:
                self._wake.clear()
                await self._round()
                await first_of(self._wake.wait(), self._clock.sleep(ROUND_S))
        finally:
            await end(*self._tasks.values())

    async def _round(self) -> None:
        try:
            with own_act():
                reply = await self._peers.rebalances.ListGoingRebalances(progressservicepb.ListGoingRebalancesRequest())
        except QmtlError as error:
            log.warning("rebalances_unread", error=str(error))
            return
        self._going = {run.account: run for run in reply.runs}
        for account, run in self._going.items():
            driver = self._drivers.get(account)
            if driver is not None and run.state == rebalancepb.REBALANCE_STATE_CANCELING:
                driver.canceling.set()
            if (task := self._tasks.get(account)) is not None and task.done():
                log.error("rebalance_executor_died", account=account, error=str(task.exception()))
            # a gateway that has just started knows no activation yet: its gate would stop every run
            if self._gate.activations.session_valid and (task is None or task.done()):
                self._tasks[account] = asyncio.create_task(self._contend(account))
        for account in [each for each in self._tasks if each not in self._going and each not in self._drivers]:
            await end(self._tasks.pop(account))

    async def _contend(self, account: str) -> None:
        lease = Lease(self._bus, f"gateway/rebalancing/{account}", self._clock)
        await lease.run(partial(self._tenure, account, lease))

    async def _tenure(self, account: str, lease: Lease, epoch: int) -> None:
        """Drive the account's run, if there still is one, to its end or to the loss of the lease."""
        going = self._going.get(account)
        if going is None:
            return
        try:
            with own_act():
                await self._drive(going, lease, epoch)
        except QmtlError as error:
            log.warning("rebalance_left", account=account, run=going.run_id, error=str(error))
        finally:
            self._drivers.pop(account, None)

    async def _drive(self, going: rebalancepb.RebalanceRun, lease: Lease, epoch: int) -> None:
        request = allocationservicepb.GetRebalanceRequest(account=going.account, run_id=going.run_id)
        run = (await self._peers.allocations.GetRebalance(request)).run
        if run.state not in (rebalancepb.REBALANCE_STATE_EXECUTING, rebalancepb.REBALANCE_STATE_CANCELING):
            return
        found = await self._peers.accounts.GetAccount(accountservicepb.GetAccountRequest(account=run.account))
        prices = Prices(run.account, found.account.venue, self._peers, self._clock)
        domain = ExecutionDomain.DRYRUN if found.account.venue == PAPER else ExecutionDomain.LIVE
        driver = RunDriver(run, epoch, self._peers, self._gate, prices, domain, self._clock, lambda: lease.held)
        if run.state == rebalancepb.REBALANCE_STATE_CANCELING:
            driver.canceling.set()
        self._drivers[run.account] = driver
        await driver.drive()

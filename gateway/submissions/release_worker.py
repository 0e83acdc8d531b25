"""Follows up strategies that ended: unbinds them, which deactivates first, then lets their plans' queues age out.

Durable and idempotent: a peer that is away, or a gateway that dies, only means later. It acts as the gateway itself,
on behalf of whoever was authorised to end the strategy.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import structlog

from gateway.peers import Peers
from gateway.submissions.domain import backoff_s
from gateway.submissions.store import releases, strategies
from gateway.submissions.store.releases import Release
from qmtl.core.clock import Clock
from qmtl.core.errors import NotFound, QmtlError
from qmtl.dag.v1 import diff_service_pb2 as diffservicepb
from qmtl.dag.v1 import plan_service_pb2 as planservicepb
from qmtl.sql.database import Database
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb

IDLE_S = 1.0
CALL_S = 3.0
TTL_S = 8.0  # an attempt that takes longer is another's to make
log = structlog.stdlib.get_logger("qmtl.gateway.submissions")


class ReleaseWorker:
    """Takes up due releases, one at a time, until stopped."""

    def __init__(self, db: Database, peers: Peers, clock: Clock, idle_s: float = IDLE_S) -> None:
        """`idle_s` is how long a release that another process made due may wait to be seen."""
        self._db = db
        self._peers = peers
        self._clock = clock
        self._idle_s = idle_s
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """For ever."""
        unsubscribe = self._db.on_signal(releases.DUE_SIGNAL, self._woken.set)
        try:
            while True:
                self._woken.clear()
                if not await self._one():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._idle_s):
                            await self._woken.wait()
        finally:
            unsubscribe()

    async def _one(self) -> bool:
        """Work on one release; False when none is due or the store is away."""
        at = self._clock.now()
        try:
            if not await self._db.read(lambda conn: releases.any_due(conn, at)):
                return False
            release = await self._db.write(lambda conn: releases.take_up(conn, at, timedelta(seconds=TTL_S)))
            if release is None:
                return False
            await self._attempt(release)
        except QmtlError as error:
            log.warning("release_not_recorded", reason=error.reason, error=error.message)
            return False
        return True

    async def _attempt(self, release: Release) -> None:
        started = self._clock.now()
        try:
            async with asyncio.timeout(0.8 * TTL_S):
                await self._undo(release)
        except (QmtlError, TimeoutError) as error:
            retry_at = self._clock.now() + timedelta(seconds=backoff_s(release.attempts))
            why = str(error) or "took too long"
            log.warning("release_waits", strategy_id=release.strategy_id, error=why)
            await self._db.write(lambda conn: releases.again(conn, release, retry_at, why))
            return
        await self._db.write(lambda conn: strategies.released(conn, release, started))

    async def _undo(self, release: Release) -> None:
        record = await self._db.read(lambda conn: strategies.get(conn, release.strategy_id))
        for world_id in record.world_ids:
            unbind = bindingservicepb.UnbindStrategyRequest(
                world_id=world_id, strategy_id=record.strategy_id, on_behalf_of=release.actor
            )
            with suppress(NotFound):  # ended before it was bound, or the world is gone
                await self._peers.bindings.UnbindStrategy(unbind, timeout=CALL_S)
        for version in range(await self._newest_version(record.strategy_id), 0, -1):
            for world_id in record.world_ids:
                request = diffservicepb.ReleasePlanRequest(
                    strategy_id=record.strategy_id, version=version, world_id=world_id
                )
                with suppress(NotFound):
                    await self._peers.diffs.ReleasePlan(request, timeout=CALL_S)

    async def _newest_version(self, strategy_id: str) -> int:
        """The newest plan's version, 0 when no diff was ever made. Earlier ones are released too."""
        try:
            found = await self._peers.plans.GetPlan(
                planservicepb.GetPlanRequest(strategy_id=strategy_id), timeout=CALL_S
            )
        except NotFound:
            return 0
        return found.plan.version

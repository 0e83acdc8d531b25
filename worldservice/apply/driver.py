"""Drives apply runs to their end: what is due is read from the store, done, and recorded, one step at a time.

Any replica may drive any run; steps exclude each other in the store and brokerage takes an epoch once. Whoever
crashes is continued by whoever looks next, itself after its restart or another replica within a second.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection

from qmtl.core.clock import Clock
from qmtl.core.errors import NotFound, NotReady, QmtlError
from qmtl.core.tasks.ending import first_of
from qmtl.sql.database import Database
from worldservice.activation.fence_keeper import FenceKeeper, FenceOutcome
from worldservice.activation.store.gates import ACKED_SIGNAL
from worldservice.apply import steps, store
from worldservice.apply.domain.run import ApplyRun, ApplyTimeouts, Due
from worldservice.apply.steps import StepContext
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.worlds.live_blocks import LiveBlocks

POLL_S = 0.25  # while a run is under way: lapses and timeouts are seen this late
IDLE_S = 1.0  # else: a run another replica has left is taken up this late
AT_ONCE_MAX = 16
log = structlog.stdlib.get_logger("qmtl.worldservice.apply")


@dataclass(frozen=True, slots=True)
class _Run:
    world_id: str
    run_id: str


class ApplyDriver:
    """One per process."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        settings: DecisionSettings,
        fences: FenceKeeper,
        timeouts: ApplyTimeouts,
        blocks: tuple[LiveBlocks, ...] = (),
    ) -> None:
        self._blocks = blocks
        self._db = db
        self._clock = clock
        self._settings = settings
        self._fences = fences
        self._timeouts = timeouts

    async def run(self) -> None:
        """Move every unsettled run on until cancelled."""
        wake = asyncio.Event()
        stops = [self._db.on_signal(name, wake.set) for name in (steps.APPLY_SIGNAL, ACKED_SIGNAL)]
        try:
            while True:
                wake.clear()
                left = await self.round()
                await first_of(wake.wait(), self._clock.sleep(POLL_S if left else IDLE_S))
        finally:
            for stop in stops:
                stop()

    async def round(self) -> int:
        """Move every run on as far as it goes now; how many are left unsettled."""
        try:
            found = await self._db.read(store.unsettled_runs)
        except QmtlError as error:
            log.warning("runs_unread", error=str(error))
            return 1
        gate = asyncio.Semaphore(AT_ONCE_MAX)

        async def drive(run: _Run) -> None:
            async with gate:
                await self._drive(run)

        await asyncio.gather(*(drive(_Run(*each)) for each in found))
        return len(found)

    async def _drive(self, run: _Run) -> None:
        """One run's trouble does not keep the others waiting; it is tried again in the next round."""
        try:
            while await self._step(run):
                pass
        except QmtlError as error:
            log.warning("apply_step_failed", world=run.world_id, run=run.run_id, error=str(error))

    async def _step(self, run: _Run) -> bool:
        """Do what is due; whether the run came to another state, so that more may be due at once."""
        before, what = await self._db.read(lambda conn: steps.due_now(conn, run.world_id, run.run_id))
        after = await self._do(run, what)
        return after is not None and (after.state, after.opened) != (before.state, before.opened)

    async def _do(self, run: _Run, what: Due) -> ApplyRun | None:
        match what:
            case Due.FREEZE:
                return await self._commit(run, steps.freeze)
            case Due.TELL_FREEZE:
                return await self._tell_freeze(run)
            case Due.ASK_GATES:
                return await self._commit(run, steps.check_gates)
            case Due.SWITCH:
                return await self._switch(run)
            case Due.TELL_OPENING:
                told = await self._fences.push(run.world_id)
                return await self._commit(run, steps.open_targets if told else steps.overdue)
            case Due.OPEN:
                return await self._commit(run, steps.open_targets)
            case Due.NOTHING:
                return None

    async def _tell_freeze(self, run: _Run) -> ApplyRun:
        """Gateways are asked in the same round, so that one deadline holds for all."""
        answer = await self._fences.ask(run.world_id)
        if answer.outcome is FenceOutcome.CONFIRMED:
            await self._commit(run, partial(steps.confirm, epoch=answer.epoch, on_the_wire=answer.on_the_wire))
        return await self._commit(run, steps.check_gates)

    async def _switch(self, run: _Run) -> ApplyRun:
        """A refusal is the end of the run; trouble with the store is not one: the switch is tried again."""
        try:
            return await self._commit(run, steps.switch)
        except (NotFound, NotReady) as refusal:
            return await self._commit(run, partial(steps.roll_back, reason=f"{refusal.reason}: {refusal.message}"))

    async def _commit(self, run: _Run, work: Callable[[Connection, StepContext], ApplyRun]) -> ApplyRun:
        now = self._clock.now()
        at = StepContext(run.world_id, run.run_id, now, self._settings, self._timeouts, self._blocks)
        return await self._db.write(lambda conn: work(conn, at))

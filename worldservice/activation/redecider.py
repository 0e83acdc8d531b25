"""The re-decider: worlds above COMPUTE_ONLY are decided again at least every half ttl, and lowered at once."""

import structlog
from sqlalchemy import Connection

from qmtl.core.errors import QmtlError
from worldservice.activation.fence_keeper import FenceKeeper
from worldservice.activation.narrowing import narrow
from worldservice.activation.store import activations
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.worlds.acts import audit_write, own_act
from worldservice.worlds.store import worlds as worlds_store
from worldservice.worlds.writes import Writes

log = structlog.stdlib.get_logger("qmtl.worldservice.activation")


class Redecider:
    """Asks every trading world again; it only ever lowers."""

    def __init__(self, writes: Writes, settings: DecisionSettings, fences: FenceKeeper, interval_s: float) -> None:
        self._db = writes.db
        self._clock = writes.clock
        self._metrics = writes.metrics
        self._settings = settings
        self._fences = fences
        self._interval_s = interval_s

    async def run(self) -> None:
        """One round per interval until cancelled; a store that does not answer is asked again next round."""
        while True:
            try:
                await self.round()
            except QmtlError as error:
                log.warning("round_failed", error=str(error))
            await self._clock.sleep(self._interval_s)

    async def round(self) -> list[str]:
        """Decide each trading world once; the worlds that were lowered."""
        worlds = await self._db.read(activations.trading_worlds)
        lowered = [world_id for world_id in worlds if await self._lower(world_id)]
        if lowered:
            self._fences.wake()
        return lowered

    async def _lower(self, world_id: str) -> bool:
        """One world's trouble does not keep the others from being lowered."""
        try:
            return await self._db.write(lambda conn: self._narrow(conn, world_id))
        except QmtlError as error:
            self._metrics.undecided.inc()
            log.error("world_not_decided", world=world_id, error=str(error))
            return False

    def _narrow(self, conn: Connection, world_id: str) -> bool:
        world = worlds_store.lock_world(conn, world_id)
        act = own_act("Redecide", world_id, self._clock.now())
        before = activations.load_activation(conn, world_id, world.created_at)
        narrowed = narrow(conn, world, self._settings, act)
        if narrowed.activation.revision == before.revision:
            return False
        decision = narrowed.verdicts.decision
        audit_write(conn, act, f"lowered to {narrowed.activation.effective_mode.value}: {', '.join(decision.reasons)}")
        self._metrics.lowered.labels(decision.reasons[0] if decision.reasons else "strategy").inc()
        log.warning("lowered", world=world_id, mode=decision.effective_mode.value, reasons=decision.reasons)
        return True

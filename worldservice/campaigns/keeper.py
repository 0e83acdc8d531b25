"""Moves promotions and phases on by what happened: time, versions, applies that ended, stages that fell.

Any replica may; each move is one transaction under the world's lock, and what another has moved is left as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import structlog
from sqlalchemy import Connection

from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.core.modes import EffectiveMode
from qmtl.core.tasks.ending import first_of
from qmtl.sql.database import Database
from worldservice.activation.store.activations import load_activation
from worldservice.apply.steps import APPLY_SIGNAL
from worldservice.campaigns import store
from worldservice.campaigns.promoting import Promotions, settle_phase
from worldservice.policy.store import policy_of
from worldservice.worlds.acts import own_act
from worldservice.worlds.domain.world import World
from worldservice.worlds.store import bindings, worlds

ROUND_S = 1.0
log = structlog.stdlib.get_logger("qmtl.worldservice.campaigns")


class CampaignKeeper:
    """One per process."""

    def __init__(self, db: Database, clock: Clock, promotions: Promotions) -> None:
        self._db, self._clock, self._promotions = db, clock, promotions

    async def run(self) -> None:
        """A round a second, and whenever an apply moves, until cancelled."""
        wake = asyncio.Event()
        stop = self._db.on_signal(APPLY_SIGNAL, wake.set)
        try:
            while True:
                wake.clear()
                await self.round()
                await first_of(wake.wait(), self._clock.sleep(ROUND_S))
        finally:
            stop()

    async def round(self) -> None:
        """One pass over open promotions and over the campaigns that follow their binding."""
        try:
            for world_id, run_id in await self._db.read(store.open_promotions):
                await self._one(partial(self._settle, world_id=world_id, run_id=run_id), world_id, run_id)
            for world_id, name in await self._db.read(_drifted):
                await self._one(partial(self._phase, world_id=world_id, strategy_id=name), world_id, name)
        except QmtlError as error:
            log.warning("campaigns_unsettled", error=str(error))

    async def _one(self, work: Callable[[Connection], None], world_id: str, name: str) -> None:
        """What cannot be moved on is told, and holds up no other."""
        try:
            await self._db.write(work)
        except QmtlError as error:
            log.warning("campaign_unsettled", world=world_id, of=name, error=str(error))

    def _settle(self, conn: Connection, world_id: str, run_id: str) -> None:
        worlds.lock_world(conn, world_id)
        self._promotions.settle(conn, own_act("SettlePromotion", world_id, self._clock.now()), run_id)

    def _phase(self, conn: Connection, world_id: str, strategy_id: str) -> None:
        world = worlds.lock_world(conn, world_id)
        binding = bindings.active_bindings(conn, world_id).get(strategy_id)
        if binding is None:
            return
        act = own_act("SettleCampaign", world_id, self._clock.now())
        campaign = store.find_campaign(conn, world_id, strategy_id)
        settle_phase(conn, act, campaign, binding.stage, on_paper=strategy_id in _on_paper(conn, world))


def _drifted(conn: Connection) -> list[tuple[str, str]]:
    """Strategies whose campaign may have to follow their binding, of worlds with a section campaign."""
    found = store.drifted(conn)
    governed = set()
    for world_id in {world_id for world_id, _ in found}:
        policy = policy_of(conn, worlds.get_world(conn, world_id))
        if policy is not None and policy.campaign is not None:
            governed.add(world_id)
    return [each for each in found if each[0] in governed]


def _on_paper(conn: Connection, world: World) -> frozenset[str]:
    """Strategies that trade on paper now."""
    entries = load_activation(conn, world.world_id, world.created_at).entries
    return frozenset(
        entry.strategy_id
        for entry in entries
        if entry.active and not entry.drain and entry.effective_mode is EffectiveMode.PAPER
    )

"""Moves promotions and phases on by what happened: time, versions, applies that ended, stages that fell.

Any replica may; each move is one transaction under the world's lock, and what another has moved is left as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.core.tasks.ending import first_of
from qmtl.sql.database import Database
from worldservice.apply.steps import APPLY_SIGNAL
from worldservice.campaigns import store
from worldservice.campaigns.canary import Canary
from worldservice.campaigns.demoting import Demotions
from worldservice.campaigns.domain.actions import ActionKind
from worldservice.campaigns.domain.phases import Campaign, Phase
from worldservice.campaigns.domain.promotions import PromotionState
from worldservice.campaigns.facts import WorldRows
from worldservice.campaigns.promoting import Promotions, Trading, comes_back, is_due, settle_phase
from worldservice.metrics import WorldMetrics
from worldservice.policy.store import policy_of
from worldservice.risk.domain.header import SnapshotHeader
from worldservice.worlds.acts import own_act
from worldservice.worlds.domain.binding import Binding
from worldservice.worlds.domain.world import World
from worldservice.worlds.store import bindings, worlds

ROUND_S = 1.0
Done = TypeVar("Done")
_Seen = tuple[Campaign, int, SnapshotHeader | None]  # a campaign, and what its rules were judged by
log = structlog.stdlib.get_logger("qmtl.worldservice.campaigns")


@dataclass(frozen=True, slots=True)
class _Due:
    """What one look finds, each by world and run or strategy. What an act changes is looked at again in its round."""

    settled: Sequence[tuple[str, str]]
    drifted: Sequence[tuple[str, str]]
    moving: Sequence[tuple[str, str]]
    phases: Mapping[Phase, int]


class CampaignKeeper:
    """One per process."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        metrics: WorldMetrics,
        promotions: Promotions,
        canary: Canary,
        demotions: Demotions,
    ) -> None:
        self._db, self._clock, self._metrics = db, clock, metrics
        self._promotions, self._canary, self._demotions = promotions, canary, demotions
        self._still = dict[tuple[str, str], _Seen]()

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
            due = await self._db.read(self._due)
            for world_id, run_id in due.settled:
                ended = await self._one(partial(self._settle, world_id=world_id, run_id=run_id), world_id, run_id)
                if ended is not None:
                    self._metrics.promotions.labels(ended.value).inc()
            if due.settled:
                due = await self._db.read(self._due)
            for world_id, name in due.drifted:
                await self._one(partial(self._phase, world_id=world_id, strategy_id=name), world_id, name)
            if due.drifted:
                due = await self._db.read(self._due)
            for world_id, name in due.moving:
                done = await self._one(partial(self._live, world_id=world_id, strategy_id=name), world_id, name)
                for kind in done or ():
                    self._metrics.campaign_actions.labels(kind.value).inc()
            phases = await self._db.read(store.count_phases) if due.moving else due.phases
            for phase, count in phases.items():
                self._metrics.campaigns.labels(phase.value).set(count)
        except QmtlError as error:
            log.warning("campaigns_unsettled", error=str(error))

    async def _one(self, work: Callable[[Connection], Done], world_id: str, name: str) -> Done | None:
        """What was done. What cannot be moved on is told, and holds up no other."""
        try:
            return await self._db.write(work)
        except QmtlError as error:
            log.warning("campaign_unsettled", world=world_id, of=name, error=str(error))
            return None

    def _settle(self, conn: Connection, world_id: str, run_id: str) -> PromotionState | None:
        """The state that the promotion has come to its end in, if it has."""
        worlds.lock_world(conn, world_id)
        before = store.find_promotion(conn, world_id, run_id)
        self._promotions.settle(conn, own_act("SettlePromotion", world_id, self._clock.now()), run_id)
        after = store.find_promotion(conn, world_id, run_id)
        ended = before is not None and before.open and after is not None and not after.open
        return after.state if ended and after is not None else None

    def _phase(self, conn: Connection, world_id: str, strategy_id: str) -> None:
        world = worlds.lock_world(conn, world_id)
        binding = bindings.active_bindings(conn, world_id).get(strategy_id)
        if binding is None:
            return
        act = own_act("SettleCampaign", world_id, self._clock.now())
        campaign = store.find_campaign(conn, world_id, strategy_id)
        settle_phase(conn, act, campaign, _trading(conn, world, binding))

    def _due(self, conn: Connection) -> _Due:
        return _Due(self._settled(conn), _drifted(conn), self._moving(conn), store.count_phases(conn))

    def _settled(self, conn: Connection) -> list[tuple[str, str]]:
        """World and run of each promotion that time, a change or its apply moves on."""
        rows, now = dict[str, WorldRows](), self._clock.now()
        found = []
        for one in store.open_promotions(conn):
            if one.world_id not in rows:
                rows[one.world_id] = WorldRows(conn, worlds.get_world(conn, one.world_id))
            if is_due(rows[one.world_id], one, now):
                found.append((one.world_id, one.run_id))
        return found

    def _moving(self, conn: Connection) -> list[tuple[str, str]]:
        """Who trades live and whose canary apply is to be followed, or whose days are to be counted.

        Of whom nothing was due, nothing is until the campaign, the policy or the hub's snapshot changes.
        """
        found, still = [], dict[tuple[str, str], _Seen]()
        grounds = dict[str, tuple[int, SnapshotHeader | None]]()
        for one in store.live_campaigns(conn):
            key = one.world_id, one.strategy_id
            if one.world_id not in grounds:
                grounds[one.world_id] = self._ground(conn, one.world_id)
            seen = one, *grounds[one.world_id]
            if self._still.get(key) != seen and self._moves(conn, one):
                found.append(key)
            else:
                still[key] = seen
        self._still = still
        return found

    def _ground(self, conn: Connection, world_id: str) -> tuple[int, SnapshotHeader | None]:
        """What rules of a world's live campaigns are judged by: the policy's version, the hub's newest snapshot."""
        return worlds.get_world(conn, world_id).default_policy_version, self._demotions.evidence.as_of(conn, world_id)

    def _moves(self, conn: Connection, campaign: Campaign) -> bool:
        """A hub that cannot be read is told, and holds up no other."""
        try:
            return campaign.advancing or self._demotions.due(conn, campaign)
        except QmtlError as error:
            log.warning("campaign_unread", world=campaign.world_id, of=campaign.strategy_id, error=str(error))
            return False

    def _live(self, conn: Connection, world_id: str, strategy_id: str) -> list[ActionKind]:
        """Which acts came to their end."""
        world, now = worlds.lock_world(conn, world_id), self._clock.now()
        rose = self._canary.follow(conn, own_act("SettleCampaign", world_id, now), strategy_id)
        fell = self._demotions.judge(conn, own_act("DemoteStrategy", world_id, now), world, strategy_id)
        done = ((rose, ActionKind.ADVANCE_CANARY), (fell, ActionKind.DEMOTE))
        return [kind for happened, kind in done if happened]


def _drifted(conn: Connection) -> list[tuple[str, str]]:
    """Strategies whose campaign may have to follow their binding, of worlds with a section campaign."""
    rows, found = dict[str, WorldRows | None](), []
    for world_id, name, phase in store.drifted(conn):
        if world_id not in rows:
            world = worlds.get_world(conn, world_id)
            policy = policy_of(conn, world)
            rows[world_id] = None if policy is None or policy.campaign is None else WorldRows(conn, world)
        known = rows[world_id]
        if known is not None and not (phase is Phase.DEMOTED and _waits(known, name)):
            found.append((world_id, name))
    return found


def _waits(rows: WorldRows, name: str) -> bool:
    """Whether a demoted strategy has not come back yet."""
    binding = rows.bound.get(name)
    return binding is None or not comes_back(Trading(binding.stage, tuple(rows.entries_of(name)), ()))


def _trading(conn: Connection, world: World, binding: Binding) -> Trading:
    rows, policy = WorldRows(conn, world), policy_of(conn, world)
    steps = () if policy is None or policy.campaign is None else policy.campaign.live.canary
    approval = rows.approvals.get(binding.strategy_id)
    revoked = approval is not None and approval.revoked_at is not None
    return Trading(binding.stage, tuple(rows.entries_of(binding.strategy_id)), steps, revoked)

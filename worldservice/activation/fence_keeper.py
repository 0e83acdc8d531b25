"""Keeps the fence in brokerage at each world's epoch: sent before a narrowing is answered, again until it is committed.

While brokerage does not answer, nothing is lost: the epoch is stored, replies say fence_pending, and gates that
know the new epoch are refused by brokerage until it knows it too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

import structlog
from sqlalchemy import Connection

from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.broker.v1 import fence_service_pb2_grpc as fencerpc
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.core.tasks.rounds import Rounds
from qmtl.rpc.auth.call import own_act as as_service
from qmtl.sql.database import Database
from qmtl.wire.limits import limits_to_proto
from worldservice.activation.domain.activation import Activation, outrank
from worldservice.activation.recording import audit_change, record_activation
from worldservice.activation.store import activations
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.evaluation.facts import decide_world
from worldservice.metrics import WorldMetrics
from worldservice.timing import BrokerageTiming
from worldservice.worlds.acts import audit_write, own_act
from worldservice.worlds.store import worlds
from worldservice.worlds.wire import mode_to_proto, side_to_proto

STALE_EPOCH = "E_STALE_EPOCH"
ATTEMPTS_MAX = 3
IDLE_S = 5.0
RETRY_MAX_S = 5.0
log = structlog.stdlib.get_logger("qmtl.worldservice.activation")


class FenceOutcome(Enum):
    """What became of one SetFence. MOVED_ON: the store has something newer to tell."""

    CONFIRMED = "CONFIRMED"
    UNREACHABLE = "UNREACHABLE"
    MOVED_ON = "MOVED_ON"


@dataclass(frozen=True, slots=True)
class FenceReply:
    """What became of one SetFence, and what brokerage says is on the wire, what it holds, and which positions have lost
    their exits.
    """

    outcome: FenceOutcome
    epoch: int = 0
    on_the_wire: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    unprotected: tuple[str, ...] = ()


class FenceKeeper:
    """One per process; several on one store agree, because brokerage takes an epoch once."""

    def __init__(
        self,
        db: Database,
        broker: "fencerpc.FenceServiceAsyncStub",
        clock: Clock,
        settings: DecisionSettings,
        metrics: WorldMetrics,
        timing: BrokerageTiming,
    ) -> None:
        self._rounds = Rounds(clock, retry_s=timing.retry_s, retry_max_s=RETRY_MAX_S, rest_s=IDLE_S)
        self._db = db
        self._broker = broker
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._timeout_s = timing.timeout_s

    async def push(self, world_id: str) -> bool:
        """Tell brokerage the world's present fence; True once it has committed it, False if it could not be told."""
        for _ in range(ATTEMPTS_MAX):
            activation = await self._db.read(lambda conn: _activation(conn, world_id))
            if not activation.fence.pending:
                return True
            answer = await self._tell(activation)
            if answer.outcome is not FenceOutcome.MOVED_ON:
                return answer.outcome is FenceOutcome.CONFIRMED
        return False

    async def ask(self, world_id: str) -> FenceReply:
        """Tell brokerage the present fence even if it has confirmed it: its answer lists what is on the wire now."""
        for _ in range(ATTEMPTS_MAX):
            answer = await self._tell(await self._db.read(lambda conn: _activation(conn, world_id)))
            if answer.outcome is not FenceOutcome.MOVED_ON:
                return answer
        return FenceReply(FenceOutcome.UNREACHABLE)

    async def reach(self, world_id: str) -> None:
        """Raises Unavailable when brokerage does not answer."""
        with as_service():
            await self._broker.GetFence(fenceservicepb.GetFenceRequest(world_id=world_id), timeout=self._timeout_s)

    async def held(self, world_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Orders that a freeze of the world would hold, or holds, and positions that have lost their exits. Raises
        Unavailable when brokerage does not answer.
        """
        with as_service():
            request = fenceservicepb.GetFenceRequest(world_id=world_id)
            reply = await self._broker.GetFence(request, timeout=self._timeout_s)
            return _names(reply.held, reply.held_total), _positions(reply.unprotected, reply.unprotected_total)

    async def run(self) -> None:
        """Retry what is pending until cancelled."""
        await self._rounds.run(self._round)

    def wake(self) -> None:
        """Something became pending."""
        self._rounds.wake()

    async def _round(self) -> bool:
        try:
            pending = await self._db.read(activations.pending_fences)
        except QmtlError as error:
            log.warning("fences_unread", error=str(error))
            return False
        left = [world_id for world_id in pending if not await self.push(world_id)]
        self._metrics.fences_pending.set(len(left))
        return not left

    async def _tell(self, activation: Activation) -> FenceReply:
        fence, world_id = activation.fence, activation.world_id
        request = fenceservicepb.SetFenceRequest(
            world_id=world_id,
            fence_epoch=fence.epoch,
            state=f"FENCE_STATE_{fence.state.name}",
            effective_mode=mode_to_proto(fence.effective_mode),
            limits=limits_to_proto(fence.limits),
            standings=[
                fencepb.Standing(strategy_id=strategy_id, side=side_to_proto(side))
                for strategy_id, side in sorted(fence.standings, key=lambda standing: (standing[0], standing[1].value))
            ],
        )
        try:
            with as_service():
                reply = await self._broker.SetFence(request, timeout=self._timeout_s)
        except QmtlError as error:
            if error.reason == STALE_EPOCH:
                return FenceReply(await self._outrank(activation))
            log.warning("fence_pending", world=world_id, epoch=fence.epoch, error=str(error))
            self._rounds.wake()
            return FenceReply(FenceOutcome.UNREACHABLE)
        if fence.pending:
            await self._db.write(lambda conn: self._confirm(conn, world_id, fence.epoch))
        on_the_wire = _names(reply.on_the_wire, reply.on_the_wire_total)
        held, bare = _names(reply.held, reply.held_total), _positions(reply.unprotected, reply.unprotected_total)
        return FenceReply(FenceOutcome.CONFIRMED, fence.epoch, on_the_wire, held, bare)

    def _confirm(self, conn: Connection, world_id: str, epoch: int) -> None:
        """The safety acknowledgement, audited: brokerage has committed the epoch."""
        world = worlds.lock_world(conn, world_id)
        before = activations.load_activation(conn, world_id, world.created_at)
        if activations.confirm_epoch(conn, world_id, epoch):
            after = activations.load_activation(conn, world_id, world.created_at)
            audit_change(conn, own_act("FenceConfirmed", world_id, self._clock.now()), before, after)

    async def _outrank(self, sent: Activation) -> FenceOutcome:
        """Brokerage is ahead of this store (it was restored, or another replica moved on): step above it."""
        try:
            with as_service():
                request = fenceservicepb.GetFenceRequest(world_id=sent.world_id)
                stored = int((await self._broker.GetFence(request, timeout=self._timeout_s)).fence.fence_epoch)
        except QmtlError as error:
            log.warning("fence_unread", world=sent.world_id, error=str(error))
            self._rounds.wake()
            return FenceOutcome.UNREACHABLE
        log.warning("fence_outranked", world=sent.world_id, ours=sent.fence.epoch, stored=stored)
        await self._db.write(lambda conn: self._raise_epoch(conn, sent, stored))
        return FenceOutcome.MOVED_ON

    def _raise_epoch(self, conn: Connection, sent: Activation, stored: int) -> None:
        world = worlds.lock_world(conn, sent.world_id)
        before = activations.load_activation(conn, world.world_id, world.created_at)
        if before.fence.epoch != sent.fence.epoch or stored < sent.fence.epoch:
            return  # somebody moved on meanwhile: the next attempt tells that
        act = own_act("OutrankFence", world.world_id, self._clock.now())
        verdicts = decide_world(conn, world, self._settings, act.now)
        after = outrank(before, stored, act.now)
        record_activation(conn, world, self._settings, act, verdicts, before, after)
        audit_write(conn, act, f"epoch {before.fence.epoch} is below brokerage's {stored}: {after.fence.epoch}")


def _names(orders: Iterable[fencepb.WireIntent | orderpb.OrderKey], total: int) -> tuple[str, ...]:
    """Orders as people read them; of those that the reply had no room for, how many."""
    return _counted([f"{one.account}/{one.strategy_id}/{one.client_order_id}" for one in orders], total)


def _positions(positions: Iterable[fencepb.UnprotectedPosition], total: int) -> tuple[str, ...]:
    """Positions as people read them, and what was to close each."""
    said = (f"{one.account}/{one.strategy_id}/{one.symbol}, not closed by {one.client_order_id}" for one in positions)
    return _counted(list(said), total)


def _counted(names: list[str], total: int) -> tuple[str, ...]:
    return (*names, f"{total - len(names)} more") if len(names) < total else tuple(names)


def _activation(conn: Connection, world_id: str) -> Activation:
    world = worlds.get_world(conn, world_id)
    return activations.load_activation(conn, world_id, world.created_at)

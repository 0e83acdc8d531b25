"""The closing keeper: finds who is demoted under on_demote: flat, and asks brokerage for steps until it is flat.

It sends no order and remembers none: brokerage names and counts them, so any number of keepers may ask again and again.
While brokerage is away nothing is lost; a closing that is not done in time ends NOT_CLOSED and says what is left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection

from qmtl.broker.v1 import position_closing_service_pb2 as positionclosingservicepb
from qmtl.broker.v1 import position_closing_service_pb2_grpc as positionclosingrpc
from qmtl.core.errors import QmtlError
from qmtl.core.modes import domain_of
from qmtl.core.tasks.rounds import Rounds
from qmtl.rpc.auth.call import own_act as as_service
from qmtl.wire.contexts import DOMAIN_NUMBERS
from worldservice.activation.domain.activation import Activation, Entry
from worldservice.activation.store import activations
from worldservice.apply import store as apply_store
from worldservice.apply.domain.run import ApplyState
from worldservice.closings import store
from worldservice.closings.domain import (
    Answer,
    Closing,
    ClosingState,
    Key,
    answered,
    changes,
    demoted,
    sentence,
)
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.evaluation.facts import decide_world
from worldservice.policy.domain.governance import OnDemote, PositionPolicy
from worldservice.policy.store import policy_of
from worldservice.timing import BrokerageTiming
from worldservice.worlds.acts import audit_write, own_act
from worldservice.worlds.domain.world import World
from worldservice.worlds.store import bindings as bindings_store
from worldservice.worlds.store import worlds as worlds_store
from worldservice.worlds.wire import side_to_proto
from worldservice.worlds.writes import Writes

REST_S = 2.0
RETRY_MAX_S = 5.0
LATE_FILLS_S = 60.0
"""How often brokerage is asked again about what is flat: an exchange may tell a fill late."""
EVENT = "ClosePositions"
log = structlog.stdlib.get_logger("qmtl.worldservice.closings")


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one world: its policy if it can be read, who is demoted, and the last closing of each side."""

    policy: PositionPolicy | None
    due: Mapping[Key, Entry]
    newest: Mapping[Key, Closing]

    @property
    def stay_flat(self) -> Collection[Key]:
        """Sides that are to be flat now: a policy that does not close any more keeps what is held."""
        return self.due if self.policy is not None and self.policy.on_demote is OnDemote.FLAT else ()

    def changes(self, world_id: str, now: datetime) -> list[Closing]:
        """What is to begin or to stop."""
        return [] if self.policy is None else changes(world_id, self.policy, self.due, self.newest, now)


class ClosingKeeper:
    """One per process; several on one store agree, because brokerage sends an order once."""

    def __init__(
        self,
        writes: Writes,
        settings: DecisionSettings,
        broker: positionclosingrpc.PositionClosingServiceAsyncStub,
        timing: BrokerageTiming,
    ) -> None:
        self._db = writes.db
        self._clock = writes.clock
        self._metrics = writes.metrics
        self._settings = settings
        self._broker = broker
        self._timeout_s = timing.timeout_s
        self._asked_s: dict[tuple[str, str], float] = {}  # by world and closing, of those that are flat
        self._rounds = Rounds(writes.clock, retry_s=timing.retry_s, retry_max_s=RETRY_MAX_S, rest_s=REST_S)

    async def run(self) -> None:
        """One round after the other until cancelled."""
        await self._rounds.run(self.round)

    async def round(self) -> bool:
        """Look at each world in which somebody drains; False where a store or a world could not be read."""
        try:
            worlds = await self._db.read(store.worlds_to_look_at)
        except QmtlError as error:
            log.warning("closings_unread", error=str(error))
            return False
        done = [await self._look(world_id) for world_id in worlds]
        return all(done)

    async def _look(self, world_id: str) -> bool:
        """One world's trouble does not keep what others hold from being closed."""
        try:
            standing = await self._db.read(lambda conn: self._standing(conn, worlds_store.get_world(conn, world_id)))
            if standing.changes(world_id, self._clock.now()):
                standing = await self._db.write(lambda conn: self._begin(conn, world_id))
            for closing in standing.newest.values():
                if closing.state is ClosingState.CLOSING or (
                    closing.key in standing.stay_flat and self._may_have_filled(closing)
                ):
                    answer = await self._ask(closing)
                    await self._db.write(partial(self._follow, asked=closing, answer=answer))
        except QmtlError as error:
            log.error("world_not_closed", world=world_id, error=str(error))
            return False
        return True

    def _may_have_filled(self, closing: Closing) -> bool:
        """Whether it is flat, and nobody was asked for a while whether it still is."""
        if closing.state is not ClosingState.FLAT:
            return False
        now_s, name = self._clock.monotonic(), (closing.world_id, f"{closing.strategy_id}/{closing.closing_id}")
        if now_s - self._asked_s.setdefault(name, now_s) < LATE_FILLS_S:
            return False
        self._asked_s[name] = now_s
        return True

    async def _ask(self, closing: Closing) -> Answer:
        request = positionclosingservicepb.ClosePositionsRequest(
            world_id=closing.world_id,
            strategy_id=closing.strategy_id,
            side=side_to_proto(closing.side),
            execution_domain=DOMAIN_NUMBERS[domain_of(closing.mode)],
            closing_id=closing.closing_id,
            slippage_bps=f"{closing.slippage_bps:f}",
        )
        try:
            with as_service():
                reply = await self._broker.ClosePositions(request, timeout=self._timeout_s)
        except QmtlError as error:
            log.warning("closing_unanswered", world=closing.world_id, strategy=closing.strategy_id, error=str(error))
            return Answer(None, f"brokerage did not take the last step, {error.reason}: {error.message}")
        adding = [f"{key.account} {key.client_order_id}: its cancel is not confirmed" for key in reply.adding]
        return Answer((*(_left(one) for one in reply.left), *adding))

    def _standing(self, conn: Connection, world: World) -> Standing:
        """Who is to be flat, and what has been done."""
        activation = activations.load_activation(conn, world.world_id, world.created_at)
        newest = store.newest_closings(conn, world.world_id)
        policy = policy_of(conn, world)
        if policy is None:  # what cannot be read closes nothing, and stops nothing that a policy began
            return Standing(None, {}, newest)
        now, bindings = self._clock.now(), bindings_store.active_bindings(conn, world.world_id)
        verdicts = decide_world(conn, world, self._settings, now)
        due = demoted(activation.entries, bindings, verdicts.ceiling_of, _left_out(conn, activation))
        return Standing(policy.positions, due, newest)

    def _begin(self, conn: Connection, world_id: str) -> Standing:
        """What is to begin or to stop now, done."""
        world = worlds_store.lock_world(conn, world_id)
        standing = self._standing(conn, world)
        for closing in standing.changes(world_id, self._clock.now()):
            self._save(conn, closing)
        return replace(standing, newest=store.newest_closings(conn, world_id))

    def _follow(self, conn: Connection, asked: Closing, answer: Answer) -> None:
        """Record what brokerage said; a closing that ended, or began again, meanwhile is left as it is."""
        worlds_store.lock_world(conn, asked.world_id)
        before = store.newest_closings(conn, asked.world_id).get(asked.key, asked)
        after = answered(before, answer, self._clock.now())
        if before.closing_id != asked.closing_id or before.state is not asked.state or after == before:
            return
        if after.state is before.state:
            store.save_closing(conn, after)  # a step is no news to an auditor: brokerage's log has its orders
        else:
            self._save(conn, after)

    def _save(self, conn: Connection, closing: Closing) -> None:
        """Store a closing that began or ended, and say so."""
        store.save_closing(conn, closing)
        audit_write(conn, own_act(EVENT, closing.world_id, self._clock.now()), sentence(closing))
        self._metrics.closings.labels(closing.state.value).inc()
        tell = log.error if closing.state is ClosingState.NOT_CLOSED else log.warning
        tell("closing", world=closing.world_id, state=closing.state.value, detail=sentence(closing))


def _left_out(conn: Connection, activation: Activation) -> frozenset[Key]:
    """Sides that drain because the apply that set them had no target for them."""
    found = set[Key]()
    for entry in activation.entries:
        if not entry.drain or not entry.run_id:
            continue
        run = apply_store.find_run(conn, activation.world_id, entry.run_id)
        if run is None or run.resumes or run.state is ApplyState.DRAINED:
            continue
        if all((target.strategy_id, target.side) != (entry.strategy_id, entry.side) for target in run.targets):
            found.add((entry.strategy_id, entry.side.value))
    return frozenset(found)


def _left(one: positionclosingservicepb.PositionLeft) -> str:
    return f"{one.account} holds {one.quantity} {one.symbol} after {one.attempts} orders: {one.reason}"

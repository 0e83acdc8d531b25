"""RPCs of activation: set, get, compare, watch."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from sqlalchemy import Connection

from qmtl.core.errors import InvalidRequest, NotReady, Unavailable
from qmtl.core.modes import lower
from qmtl.rpc.auth.call import current_call
from qmtl.world.v1 import service_pb2 as pb
from qmtl.world.v1 import world_pb2 as worldpb
from worldservice.activation.domain.activation import Activation
from worldservice.activation.domain.operator_changes import Change, change_activation
from worldservice.activation.fence_keeper import first_of
from worldservice.activation.recording import ACTIVATION_SIGNAL, Narrowed, record_activation
from worldservice.activation.store import activations
from worldservice.activation.wire import activation_to_proto, change_from_proto
from worldservice.apply.service import refuse_beside_apply
from worldservice.evaluation.domain.decision import Verdicts
from worldservice.evaluation.facts import decide_world
from worldservice.worlds.acts import Act, audit_write, audited, caller_of, world_to_read, world_to_write
from worldservice.worlds.domain.binding import Stage, mode_of
from worldservice.worlds.domain.roles import Caller, Role
from worldservice.worlds.domain.session import Session
from worldservice.worlds.domain.world import WorldState, require_etag
from worldservice.worlds.store import bindings as bindings_store
from worldservice.worlds.store import sessions as sessions_store
from worldservice.worlds.writes import House

CHANGES_MAX = 1_000
WATCH_BATCH = 64
WATCH_POLL_S = 1.0  # commits of other replicas send no signal


class ActivationCalls:
    """What strategies may do, and who is told."""

    house: House

    @audited
    async def SetActivation(self, request: pb.SetActivationRequest, act: Act) -> pb.SetActivationResponse:
        changes = _changes(request)

        def work(conn: Connection) -> Narrowed:
            return self._change(conn, act, request.etag, changes, request.reason)

        settled = await self.house.db.write(work)
        pending = await self.house.enforce(settled)
        envelope = activation_to_proto(settled.activation, settled.sessions)
        envelope.fence_pending = pending
        return pb.SetActivationResponse(activation=envelope)

    async def GetActivation(self, request: pb.GetActivationRequest, context: object) -> pb.GetActivationResponse:
        caller = caller_of(current_call())
        activation, sessions = await self.house.db.read(lambda conn: _snapshot(conn, caller, request.world_id))
        return pb.GetActivationResponse(activation=activation_to_proto(activation, sessions))

    async def GetStateHash(self, request: pb.GetStateHashRequest, context: object) -> pb.GetStateHashResponse:
        caller = caller_of(current_call())
        activation, _ = await self.house.db.read(lambda conn: _snapshot(conn, caller, request.world_id))
        return pb.GetStateHashResponse(revision=activation.revision, state_hash=activation.state_hash)

    async def WatchActivation(
        self, request: pb.WatchActivationRequest, context: object
    ) -> AsyncIterator[pb.WatchActivationResponse]:
        caller, world_id = caller_of(current_call()), request.world_id
        changed = asyncio.Event()
        stop = self.house.db.on_signal(ACTIVATION_SIGNAL, changed.set)
        try:
            activation, sessions = await self.house.db.read(lambda conn: _snapshot(conn, caller, world_id))
            yield pb.WatchActivationResponse(activation=activation_to_proto(activation, sessions))
            seen = activation.revision
            while not self.house.draining.is_set():
                changed.clear()
                news = await self._news(world_id, seen)
                for envelope in news:
                    yield pb.WatchActivationResponse(activation=envelope)
                    seen = envelope.revision
                if len(news) == WATCH_BATCH:
                    continue
                await first_of(changed.wait(), self.house.draining.wait(), self.house.clock.sleep(WATCH_POLL_S))
        finally:
            stop()
        raise Unavailable("E_GOING_AWAY", "the server is going away", hint="watch again; a snapshot comes first")

    async def _news(self, world_id: str, seen: int) -> list[worldpb.ActivationEnvelope]:
        rows = await self.house.db.read(lambda conn: activations.history_after(conn, world_id, seen, WATCH_BATCH))
        return [worldpb.ActivationEnvelope.FromString(row) for row in rows]

    def _change(self, conn: Connection, act: Act, etag: str, changes: list[Change], reason: str) -> Narrowed:
        world = world_to_write(conn, act, Role.OPERATOR)
        if world.state is WorldState.DELETED:
            raise NotReady("E_WORLD_DELETED", f"world {world.world_id} is deleted")
        refuse_beside_apply(conn, world.world_id)
        before = activations.load_activation(conn, world.world_id, world.created_at)
        require_etag(etag, before.etag, f"activation of {world.world_id}")
        bindings = bindings_store.active_bindings(conn, world.world_id)
        verdicts = decide_world(conn, world, self.house.rules, act.now)
        _refuse_unopened(changes, verdicts)
        after, staged = change_activation(
            before, changes, bindings, verdicts.ceiling_of, act.now, verdicts.terms, verdicts.exit_of
        )
        for binding in staged.values():
            bindings_store.save_binding(conn, binding)
        settled = record_activation(conn, world, self.house.rules, act, verdicts, before, after)
        audit_write(conn, act, f"revision {after.revision}, epoch {after.fence.epoch}: {reason}")
        return settled


def _refuse_unopened(changes: Sequence[Change], verdicts: Verdicts) -> None:
    """What only an apply opens is refused with the way to it, before the ceiling is named without it."""
    promoted = verdicts.promoted()
    for change in changes:
        if change.stage is not Stage.PAPER or change.drain:
            continue
        name, wanted = change.strategy_id, mode_of(change.stage)
        if lower(verdicts.ceiling_of(name, change.side), wanted) is wanted:
            continue
        if lower(promoted.ceiling_of(name, change.side), wanted) is wanted:
            raise NotReady(
                "E_MODE_CEILING",
                f"stage of {name} is {change.stage.value}, the policy opens the edges into it by an apply only",
                hint="Apply with it as a target",
                metadata={"ceiling": verdicts.ceiling_of(name, change.side).value},
            )


def _snapshot(conn: Connection, caller: Caller, world_id: str) -> tuple[Activation, tuple[Session, ...]]:
    world = world_to_read(conn, caller, world_id)
    activation = activations.load_activation(conn, world.world_id, world.created_at)
    return activation, sessions_store.open_sessions(conn, world.world_id)


def _changes(request: pb.SetActivationRequest) -> list[Change]:
    if not 0 < len(request.changes) <= CHANGES_MAX:
        raise InvalidRequest("E_CHANGES", f"changes has {len(request.changes)} entries, want 1 to {CHANGES_MAX}")
    return [change_from_proto(change, f"changes[{index}]") for index, change in enumerate(request.changes)]

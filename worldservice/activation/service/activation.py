"""RPCs of activation: set, get, compare, watch, and rebuild from the audit log."""

import itertools
from collections.abc import AsyncIterator, Callable, Sequence

from sqlalchemy import Connection

from qmtl.core.errors import InvalidRequest, NotFound, NotReady
from qmtl.core.modes import EffectiveMode, lower
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.wire.fields import INT64_MAX
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import activation_service_pb2_grpc as activationrpc
from worldservice.activation.domain.activation import Activation, Entry, key_of
from worldservice.activation.domain.history import rebuild
from worldservice.activation.domain.hold import refuse_held
from worldservice.activation.domain.operator_changes import Change, change_activation
from worldservice.activation.recording import ACTIVATION_SIGNAL, record_activation
from worldservice.activation.store import activations
from worldservice.activation.store.holds import find_hold
from worldservice.activation.wire import activation_to_proto, change_from_proto, record_from_proto
from worldservice.evaluation.domain.decision import DecisionSettings, Verdicts
from worldservice.evaluation.facts import decide_world
from worldservice.worlds.acts import Act, audit_write, caller_of, world_to_read, world_to_write
from worldservice.worlds.domain.binding import RaisedLive, Stage, mode_of
from worldservice.worlds.domain.block import refuse_blocked
from worldservice.worlds.domain.roles import Caller
from worldservice.worlds.domain.session import Session
from worldservice.worlds.domain.world import Effect, WorldState, require_etag
from worldservice.worlds.live_blocks import WeightBlocks, no_weight_blocks
from worldservice.worlds.store import audit
from worldservice.worlds.store import bindings as bindings_store
from worldservice.worlds.store import sessions as sessions_store
from worldservice.worlds.watches import Watch
from worldservice.worlds.writes import AuditedServicer, Writes, audited

CHANGES_MAX = 1_000
WATCH_BATCH = 64


Closings = Callable[[Connection, str], list[activationpb.PositionClosing]]
"""The newest closings of a world's strategies."""


def no_closings(conn: Connection, world_id: str) -> list[activationpb.PositionClosing]:
    """Where nothing is closed."""
    return []


class ActivationServicer(AuditedServicer, activationrpc.ActivationServiceServicer):
    """An operator raises to PAPER at most; what narrows is at brokerage before it is answered."""

    def __init__(
        self,
        writes: Writes,
        settings: DecisionSettings,
        weights: WeightBlocks = no_weight_blocks,
        closings: Closings = no_closings,
    ) -> None:
        super().__init__(writes)
        self._weights = weights
        self._closings = closings
        self._settings = settings

    @audited
    async def SetActivation(
        self, request: activationservicepb.SetActivationRequest, act: Act
    ) -> activationservicepb.SetActivationResponse:
        changes = _changes(request)

        def work(conn: Connection) -> tuple[Effect, activationpb.ActivationEnvelope]:
            return self._change(conn, act, request.etag, changes, request.message)

        effect, envelope = await self.writes.db.write(work)
        envelope.fence_pending = await self.writes.enforce(act.world_id, effect)
        return activationservicepb.SetActivationResponse(activation=envelope)

    async def GetActivation(
        self, request: activationservicepb.GetActivationRequest, context: object
    ) -> activationservicepb.GetActivationResponse:
        caller = caller_of(current_call())

        def work(conn: Connection) -> tuple[Activation, tuple[Session, ...], list[activationpb.PositionClosing]]:
            return *_snapshot(conn, caller, request.world_id), self._closings(conn, request.world_id)

        activation, sessions, closings = await self.writes.db.read(work)
        return activationservicepb.GetActivationResponse(
            activation=activation_to_proto(activation, sessions), closings=closings
        )

    async def GetStateHash(
        self, request: activationservicepb.GetStateHashRequest, context: object
    ) -> activationservicepb.GetStateHashResponse:
        caller = caller_of(current_call())
        activation, _ = await self.writes.db.read(lambda conn: _snapshot(conn, caller, request.world_id))
        return activationservicepb.GetStateHashResponse(
            world_revision=activation.revision, state_hash=activation.state_hash
        )

    async def WatchActivation(
        self, request: activationservicepb.WatchActivationRequest, context: object
    ) -> AsyncIterator[activationservicepb.WatchActivationResponse]:
        caller, world_id = caller_of(current_call()), request.world_id
        with Watch(self.writes, ACTIVATION_SIGNAL, "watch again; a snapshot comes first") as watch:
            activation, sessions = await self.writes.db.read(lambda conn: _snapshot(conn, caller, world_id))
            yield activationservicepb.WatchActivationResponse(activation=activation_to_proto(activation, sessions))
            seen, left = activation.revision, False
            while True:
                await watch.look(at_once=left)
                news = await self._news(world_id, seen)
                for envelope in news:
                    yield activationservicepb.WatchActivationResponse(activation=envelope)
                    seen = envelope.world_revision
                left = len(news) == WATCH_BATCH

    async def RebuildActivation(
        self, request: activationservicepb.RebuildActivationRequest, context: object
    ) -> activationservicepb.RebuildActivationResponse:
        caller, world_id = caller_of(current_call()), request.world_id
        wanted = min(request.world_revision, INT64_MAX)

        def work(conn: Connection) -> tuple[Activation, Activation, int]:
            world, count = world_to_read(conn, caller, world_id), itertools.count()
            kept = zip(audit.records_until(conn, world_id, wanted), count, strict=False)
            records = (record_from_proto(activationpb.ActivationRecord.FromString(content)) for content, _ in kept)
            stored = activations.load_activation(conn, world_id, world.created_at)
            return rebuild(world_id, world.created_at, records), stored, next(count)

        rebuilt, stored, count = await self.writes.db.read(work)
        if request.world_revision and rebuilt.revision != request.world_revision:
            raise NotFound(
                "E_REVISION_UNKNOWN", f"the audit log of {world_id} has no revision {request.world_revision}"
            )
        return activationservicepb.RebuildActivationResponse(
            activation=activation_to_proto(rebuilt, ()), same_as_stored=rebuilt == stored, records=count
        )

    async def _news(self, world_id: str, seen: int) -> list[activationpb.ActivationEnvelope]:
        rows = await self.writes.db.read(lambda conn: activations.history_after(conn, world_id, seen, WATCH_BATCH))
        return [activationpb.ActivationEnvelope.FromString(row) for row in rows]

    def _change(
        self, conn: Connection, act: Act, etag: str, changes: list[Change], reason: str
    ) -> tuple[Effect, activationpb.ActivationEnvelope]:
        world = world_to_write(conn, act, Role.OPERATOR)
        if world.state is WorldState.DELETED:
            raise NotReady("E_WORLD_DELETED", f"world {world.world_id} is deleted")
        refuse_held(world.world_id, find_hold(conn, world.world_id))
        before = activations.load_activation(conn, world.world_id, world.created_at)
        require_etag(etag, before.etag, f"activation of {world.world_id}")
        bindings = bindings_store.active_bindings(conn, world.world_id)
        verdicts = decide_world(conn, world, self._settings, act.now)
        _refuse_unopened(changes, verdicts)
        after, staged = change_activation(
            before, changes, bindings, verdicts.ceiling_of, act.now, verdicts.terms, verdicts.exit_of
        )
        refuse_blocked(self._weights(conn, world, _raised(before.entries, after.entries), act.now))
        for binding in staged.values():
            bindings_store.save_binding(conn, binding)
        done = record_activation(conn, world, self._settings, act, verdicts, before, after)
        audit_write(conn, act, f"revision {after.revision}, epoch {after.fence.epoch}: {reason}")
        if done.envelope is not None:
            return done.effect, done.envelope
        return done.effect, activation_to_proto(after, sessions_store.open_sessions(conn, world.world_id))


def _raised(before: Sequence[Entry], after: Sequence[Entry]) -> tuple[RaisedLive, ...]:
    """The sides whose weight live rises; an operator's change takes nobody live."""
    known = {key_of(entry): entry.weight for entry in before}
    live = (entry for entry in after if entry.effective_mode is EffectiveMode.LIVE)
    return tuple(
        RaisedLive(entry.strategy_id, entry.side, entry.weight)
        for entry in live
        if entry.weight > known.get(key_of(entry), 0.0)
    )


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


def _changes(request: activationservicepb.SetActivationRequest) -> list[Change]:
    if not 0 < len(request.changes) <= CHANGES_MAX:
        raise InvalidRequest("E_CHANGES", f"changes has {len(request.changes)} entries, want 1 to {CHANGES_MAX}")
    return [change_from_proto(change, f"changes[{index}]") for index, change in enumerate(request.changes)]

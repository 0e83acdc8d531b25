"""RPCs of two-phase apply: apply, resume, and the runs as they are."""

from collections.abc import AsyncIterator

from sqlalchemy import Connection

from qmtl.core.errors import DataLoss, NotReady, Unavailable
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.wire.fields import optional_text, require_text
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import apply_service_pb2_grpc as applyrpc
from worldservice.activation.domain.hold import Hold, HoldState
from worldservice.activation.domain.unwritten import protection
from worldservice.activation.fence_keeper import FenceKeeper, FenceOutcome, FenceReply
from worldservice.activation.hold_notices import HoldNotices
from worldservice.apply import steps as apply_steps
from worldservice.apply import store
from worldservice.apply.domain import run as run_domain
from worldservice.apply.domain.run import DRAIN, FREEZE, RESUME, SHUT, ApplyRun, ApplyState, ApplyTimeouts, content_of
from worldservice.apply.starting import ApplyStarter, known_run
from worldservice.apply.steps import StepContext
from worldservice.apply.wire import acks_opening_from_proto, apply_to_proto, run_id_from_proto, targets_from_request
from worldservice.evaluation.domain.decision import DecisionSettings
from worldservice.worlds.acts import Act, audit_write, caller_of, world_to_read, world_to_write
from worldservice.worlds.domain.roles import Caller
from worldservice.worlds.domain.world import WorldState
from worldservice.worlds.watches import Watch
from worldservice.worlds.writes import AuditedServicer, Writes, audited

Shown = tuple[ApplyRun, list[run_domain.TimelineStep]]


class ApplyServicer(AuditedServicer, applyrpc.ApplyServiceServicer):
    """Records what is wanted, and answers at once; the driver brings it about."""

    def __init__(
        self,
        writes: Writes,
        settings: DecisionSettings,
        fences: FenceKeeper,
        timeouts: ApplyTimeouts,
        notices: HoldNotices,
        starter: ApplyStarter,
    ) -> None:
        super().__init__(writes)
        self._starter = starter
        self._notices = notices
        self._settings = settings
        self._fences = fences
        self._timeouts = timeouts

    @audited
    async def Apply(self, request: applyservicepb.ApplyRequest, act: Act) -> applyservicepb.ApplyResponse:
        """Answers as soon as the run is recorded; WatchApplyRun tells the rest."""
        run_id, targets = run_id_from_proto(request.run_id), targets_from_request(request)
        ack_opening = acks_opening_from_proto(request.unfreeze_ack)
        content = content_of(targets or (), targets is None, ack_opening)
        asked = ApplyRun(
            act.world_id, run_id, ApplyState.REQUESTED, targets or (), ack_opening, act.actor, content, act.now
        )
        known = await self.writes.db.read(lambda conn: _same(conn, act, asked))
        if known is None:
            await self._fences.reach(act.world_id)

        def work(conn: Connection) -> Shown:
            found = self._starter.start(conn, act, asked, request.etag, evaluate=targets is None)
            return found, store.steps_of(conn, found.world_id, found.run_id)

        return applyservicepb.ApplyResponse(run=apply_to_proto(*await self.writes.db.write(work)))

    @audited
    async def FreezeWorld(
        self, request: applyservicepb.FreezeWorldRequest, act: Act
    ) -> applyservicepb.FreezeWorldResponse:
        """Answers once it is written and brokerage was told; again under the same id, as it stands now."""
        run_id = f"{FREEZE}{require_text(request.request_id, 'request_id')}"
        run, pending, told = await self._hold(act, run_id, ApplyState.FROZEN, request.message)
        return applyservicepb.FreezeWorldResponse(
            run=apply_to_proto(*run),
            fence_pending=pending,
            on_the_wire=told.on_the_wire,
            held=told.held,
            unprotected=told.unprotected,
        )

    @audited
    async def DrainWorld(
        self, request: applyservicepb.DrainWorldRequest, act: Act
    ) -> applyservicepb.DrainWorldResponse:
        """As FreezeWorld, for what takes new risk only."""
        run_id = f"{DRAIN}{require_text(request.request_id, 'request_id')}"
        run, pending, told = await self._hold(act, run_id, ApplyState.DRAINED, request.message)
        return applyservicepb.DrainWorldResponse(
            run=apply_to_proto(*run), fence_pending=pending, on_the_wire=told.on_the_wire
        )

    @audited
    async def Resume(self, request: applyservicepb.ResumeRequest, act: Act) -> applyservicepb.ResumeResponse:
        """The run that led into the freeze keeps its outcome; the way out is a run of its own, `resume:<run_id>`."""
        run_id = require_text(request.run_id, "run_id")

        def work(conn: Connection) -> Shown:
            world = world_to_write(conn, act, Role.OPERATOR)
            shut = store.get_run(conn, world.world_id, run_id)
            found = store.find_run(conn, world.world_id, f"{RESUME}{run_id}")
            if found is None:
                _require_last_shut(conn, shut)
                found = apply_steps.resume(conn, self._settings, act, world, shut, self._timeouts)
            audit_write(conn, act, f"{found.run_id} {found.state.value}")
            return found, store.steps_of(conn, world.world_id, found.run_id)

        return applyservicepb.ResumeResponse(run=apply_to_proto(*await self.writes.db.write(work)))

    async def GetApplyRun(
        self, request: applyservicepb.GetApplyRunRequest, context: object
    ) -> applyservicepb.GetApplyRunResponse:
        caller = caller_of(current_call())
        shown = await self.writes.db.read(lambda conn: _shown(conn, caller, request.world_id, request.run_id))
        return applyservicepb.GetApplyRunResponse(run=apply_to_proto(*shown))

    async def WatchApplyRun(
        self, request: applyservicepb.WatchApplyRunRequest, context: object
    ) -> AsyncIterator[applyservicepb.WatchApplyRunResponse]:
        caller, seen = caller_of(current_call()), -1
        with Watch(self.writes, apply_steps.APPLY_SIGNAL, "watch again; the run as it is comes first") as watch:
            while True:
                await watch.look()
                run, steps = await self.writes.db.read(
                    lambda conn: _shown(conn, caller, request.world_id, request.run_id)
                )
                if len(steps) > seen:
                    seen = len(steps)
                    yield applyservicepb.WatchApplyRunResponse(run=apply_to_proto(run, steps))
                if run.ended_at is not None:
                    return

    async def _hold(self, act: Act, run_id: str, state: ApplyState, message: str) -> tuple[Shown, bool, FenceReply]:
        """The run with its timeline, whether brokerage has yet to commit it, and what it said to it."""
        said = optional_text(message, "message")
        reason = f"{act.actor}: {said}" if said else f"asked for by {act.actor}"
        asked = ApplyRun(act.world_id, run_id, state, (), True, act.actor, "", act.now, reason=reason, ended_at=act.now)

        missing = False

        def work(conn: Connection) -> bool:
            nonlocal missing
            world = world_to_write(conn, act, Role.OPERATOR)
            missing = store.find_run(conn, world.world_id, run_id) is None
            if missing:
                if world.state is WorldState.DELETED:
                    raise NotReady("E_WORLD_DELETED", f"world {world.world_id} is deleted")
                apply_steps.hold_by_hand(conn, self._settings, act, world, asked, self._timeouts)
            audit_write(conn, act, f"{run_id} {state.value}: {reason}")
            last = store.last_run(conn, world.world_id)
            return last is not None and last.run_id == run_id

        try:
            is_last = await self.writes.db.write(work)
        except (Unavailable, DataLoss) as error:
            if not missing:  # it stands, or who asks may not freeze this world, or the store could not even be read
                raise
            await self._notices.tell(act.world_id, Hold(run_id, HoldState[state.name]))
            raise Unavailable(
                "E_HOLD_UNWRITTEN",
                f"{run_id} of world {act.world_id} is not written: {error.message}",
                hint=protection(),
                retry_after_s=error.retry_after_s,
            ) from error
        answer = FenceReply(FenceOutcome.MOVED_ON)
        if is_last:
            answer = await self._fences.ask(act.world_id)
            if answer.outcome is FenceOutcome.CONFIRMED:
                at = self._at(act, run_id)
                await self.writes.db.write(lambda conn: apply_steps.confirm(conn, at, answer.epoch, answer.on_the_wire))
        run, steps = await self.writes.db.read(lambda conn: _shown(conn, act.caller, act.world_id, run_id))
        return (run, steps), not run.fence_confirmed, answer

    def _at(self, act: Act, run_id: str) -> StepContext:
        return StepContext(act.world_id, run_id, self.writes.clock.now(), self._settings, self._timeouts)


def _require_last_shut(conn: Connection, shut: ApplyRun) -> None:
    last = store.last_run(conn, shut.world_id)
    if shut.state not in SHUT or last is None or last.run_id != shut.run_id:
        raise NotReady(
            "E_RUN_NOT_FROZEN",
            f"apply {shut.run_id} is {shut.state.value}, and the last one here is {last.run_id if last else 'none'}",
            hint="only the run that froze the world can be resumed",
        )


def _same(conn: Connection, act: Act, asked: ApplyRun) -> ApplyRun | None:
    """The run on record under this id, for a caller who may ask."""
    world_to_read(conn, act.caller, act.world_id, Role.OPERATOR)
    return known_run(conn, asked)


def _shown(conn: Connection, caller: Caller, world_id: str, run_id: str) -> Shown:
    world = world_to_read(conn, caller, world_id)
    return store.get_run(conn, world.world_id, run_id), store.steps_of(conn, world.world_id, run_id)

"""RPCs of two-phase apply and of approvals to go live. They record what is wanted; the applier brings it about."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from sqlalchemy import Connection

from qmtl.core.errors import Conflict, NotFound, NotReady, QmtlError, Unavailable, refused
from qmtl.rpc.auth.call import current_call
from qmtl.sql.database import signal
from qmtl.wire.instants import instant_from_proto
from qmtl.world.v1 import service_pb2 as pb
from worldservice.activation.domain.activation import Entry
from worldservice.activation.domain.gate_session import gate_lapsed
from worldservice.activation.events import activation_acked
from worldservice.activation.fence_keeper import first_of
from worldservice.activation.narrowing import narrow
from worldservice.activation.recording import Narrowed
from worldservice.activation.store import activations, gates
from worldservice.apply import steps as apply_steps
from worldservice.apply import store
from worldservice.apply.domain import run as run_domain
from worldservice.apply.domain import targets as targets_domain
from worldservice.apply.domain.run import RESUME, SHUT, ApplyRun, ApplyState, content_of
from worldservice.apply.domain.targets import Target
from worldservice.apply.wire import acks_opening_from_proto, apply_to_proto, run_id_from_proto, targets_from_request
from worldservice.bindings.wire import approval_to_proto
from worldservice.evaluation.facts import decide_world
from worldservice.policy.domain.governance import LivePromotion
from worldservice.policy.domain.policy import Policy
from worldservice.policy.store import policy_of
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, audit_write, audited, caller_of, world_to_read, world_to_write
from worldservice.worlds.domain.binding import Approval, require_strategy_id
from worldservice.worlds.domain.roles import Caller, Role
from worldservice.worlds.domain.world import World, require_active, require_etag
from worldservice.worlds.fields import optional_text, require_big, require_text
from worldservice.worlds.store import approvals
from worldservice.worlds.store import bindings as bindings_store
from worldservice.worlds.writes import House

WATCH_POLL_S = 1.0
Shown = tuple[ApplyRun, list[run_domain.TimelineStep]]


class ApplyCalls:
    """Apply, resume, look, acknowledge; approve and revoke."""

    house: House

    @audited
    async def Apply(self, request: pb.ApplyRequest, act: Act) -> pb.ApplyResponse:
        """Answers as soon as the run is recorded; WatchApplyRun tells the rest."""
        run_id, targets = run_id_from_proto(request.run_id), targets_from_request(request)
        ack_opening = acks_opening_from_proto(request.unfreeze_ack)
        content = content_of(targets or (), targets is None, ack_opening)
        asked = ApplyRun(
            act.world_id, run_id, ApplyState.REQUESTED, targets or (), ack_opening, act.actor, content, act.now
        )
        known = await self.house.db.read(lambda conn: _same(conn, act, asked))
        if known is None:
            await self.house.fences.reach(act.world_id)

        def work(conn: Connection) -> Shown:
            found = self._request(conn, act, asked, request.etag, evaluate=targets is None)
            return found, store.steps_of(conn, found.world_id, found.run_id)

        return pb.ApplyResponse(run=apply_to_proto(*await self.house.db.write(work)))

    @audited
    async def Resume(self, request: pb.ResumeRequest, act: Act) -> pb.ResumeResponse:
        """The run that led into the freeze keeps its outcome; the way out is a run of its own, `resume:<run_id>`."""
        run_id = require_text(request.run_id, "run_id")

        def work(conn: Connection) -> Shown:
            world = world_to_write(conn, act, Role.OPERATOR)
            shut = store.get_run(conn, world.world_id, run_id)
            found = store.find_run(conn, world.world_id, f"{RESUME}{run_id}")
            if found is None:
                _require_last_shut(conn, shut)
                found = apply_steps.resume(conn, self.house.rules, act, world, shut, self.house.limits)
            audit_write(conn, act, f"{found.run_id} {found.state.value}")
            return found, store.steps_of(conn, world.world_id, found.run_id)

        return pb.ResumeResponse(run=apply_to_proto(*await self.house.db.write(work)))

    async def GetApplyRun(self, request: pb.GetApplyRunRequest, context: object) -> pb.GetApplyRunResponse:
        caller = caller_of(current_call())
        shown = await self.house.db.read(lambda conn: _shown(conn, caller, request.world_id, request.run_id))
        return pb.GetApplyRunResponse(run=apply_to_proto(*shown))

    async def WatchApplyRun(
        self, request: pb.WatchApplyRunRequest, context: object
    ) -> AsyncIterator[pb.WatchApplyRunResponse]:
        caller, changed, seen = caller_of(current_call()), asyncio.Event(), -1
        stop = self.house.db.on_signal(apply_steps.APPLY_SIGNAL, changed.set)
        try:
            while not self.house.draining.is_set():
                changed.clear()
                run, steps = await self.house.db.read(
                    lambda conn: _shown(conn, caller, request.world_id, request.run_id)
                )
                if len(steps) > seen:
                    seen = len(steps)
                    yield pb.WatchApplyRunResponse(run=apply_to_proto(run, steps))
                if run.ended_at is not None:
                    return
                await first_of(changed.wait(), self.house.draining.wait(), self.house.clock.sleep(WATCH_POLL_S))
        finally:
            stop()
        raise Unavailable("E_GOING_AWAY", "the server is going away", hint="watch again; the run as it is comes first")

    @audited
    async def AckActivation(self, request: pb.AckActivationRequest, act: Act) -> pb.AckActivationResponse:
        gateway_id, boot_id = require_text(request.gateway_id, "gateway_id"), require_text(request.boot_id, "boot_id")
        run_id = require_text(request.run_id, "run_id")
        sequence = require_big(request.sequence, "sequence")

        def work(conn: Connection) -> None:
            gate = gates.find_gate(conn, gateway_id)
            if gate is None or gate.boot_id != boot_id or gate_lapsed(gate, act.now):
                raise NotFound("E_GATE_SESSION_UNKNOWN", f"gateway {gateway_id} has no session", hint="open one")
            if store.find_run(conn, request.world_id, run_id) is None:
                raise NotFound("E_RUN_UNKNOWN", f"world {request.world_id} has no apply {run_id!r}")
            if gates.save_ack(conn, request.world_id, run_id, gateway_id, boot_id, sequence, act.now):
                outbox.append(conn, activation_acked(request, act))
                audit_write(conn, act, f"{gateway_id} has applied sequence {sequence} of {run_id}")
                signal(conn, apply_steps.APPLY_SIGNAL)

        await self.house.db.write(work)
        return pb.AckActivationResponse()

    @audited
    async def ApproveLive(self, request: pb.ApproveLiveRequest, act: Act) -> pb.ApproveLiveResponse:
        require_strategy_id(request.strategy_id)
        reason = optional_text(request.reason, "reason")
        expires = instant_from_proto(request.expires_at, "expires_at") if request.HasField("expires_at") else None
        if expires is not None and expires <= act.now:
            raise refused("E_TIME_RANGE", "expires_at", expires.isoformat(), "a time to come")
        approval = Approval(act.world_id, request.strategy_id, act.actor, reason, act.now, expires)

        def work(conn: Connection) -> Narrowed:
            world = world_to_write(conn, act, Role.OWNER)
            bindings_store.get_active_binding(conn, world.world_id, approval.strategy_id)
            _refuse_disabled(policy_of(conn, world))
            approvals.save_approval(conn, approval)
            return self._settled(conn, act, world, f"{approval.strategy_id} may go live: {reason}")

        await self.house.enforce(await self.house.db.write(work))
        return pb.ApproveLiveResponse(approval=approval_to_proto(approval))

    @audited
    async def RevokeLive(self, request: pb.RevokeLiveRequest, act: Act) -> pb.RevokeLiveResponse:
        require_strategy_id(request.strategy_id)
        reason = optional_text(request.reason, "reason")

        def work(conn: Connection) -> tuple[Approval, Narrowed]:
            world = world_to_write(conn, act, Role.OPERATOR)
            found = approvals.find_approval(conn, world.world_id, request.strategy_id)
            if found is None:
                raise NotFound("E_APPROVAL_UNKNOWN", f"{request.strategy_id} was never approved here")
            revoked = found if found.revoked_at is not None else replace(found, revoked_at=act.now)
            approvals.save_approval(conn, revoked)
            return revoked, self._settled(conn, act, world, f"{request.strategy_id} may not go live: {reason}")

        approval, settled = await self.house.db.write(work)
        await self.house.enforce(settled)
        return pb.RevokeLiveResponse(approval=approval_to_proto(approval))

    def _settled(self, conn: Connection, act: Act, world: World, detail: str) -> Narrowed:
        settled = narrow(conn, world, self.house.rules, act)
        audit_write(conn, act, detail)
        return settled

    def _request(self, conn: Connection, act: Act, asked: ApplyRun, etag: str, *, evaluate: bool) -> ApplyRun:
        world = world_to_write(conn, act, Role.OPERATOR)
        known = _known(conn, asked)
        if known is not None:
            audit_write(conn, act, f"{known.run_id} again: {known.state.value}")
            return known
        require_active(world)
        last = store.last_run(conn, world.world_id)
        if last is not None and last.ended_at is None:
            raise apply_running(last, Conflict)
        before = activations.load_activation(conn, world.world_id, world.created_at)
        require_etag(etag, before.etag, f"activation of {world.world_id}")
        policy = policy_of(conn, world)
        standing = last.before if last is not None and last.state in SHUT else before.entries
        run = replace(
            asked,
            targets=self._targets(conn, act, world, asked.targets, standing if evaluate else None),
            before=last.before if last is not None and last.state in SHUT else (),
            freeze_timeout=None if policy is None else policy.gating.freeze_timeout,
        )
        store.insert_run(conn, run)
        store.append_step(conn, run, f"asked for by {run.requested_by}", act.now)
        audit_write(conn, act, f"{run.run_id} requested with {len(run.targets)} targets")
        signal(conn, apply_steps.APPLY_SIGNAL)
        return run

    def _targets(
        self, conn: Connection, act: Act, world: World, asked: tuple[Target, ...], standing: tuple[Entry, ...] | None
    ) -> tuple[Target, ...]:
        """Those asked for if they could be switched to now; or, given what stands, those the policy selects."""
        verdicts = decide_world(conn, world, self.house.rules, act.now).promoted()
        bindings = bindings_store.active_bindings(conn, world.world_id)
        if standing is not None:
            return targets_domain.evaluated_targets(verdicts, bindings, standing)
        targets_domain.check_targets(asked, bindings, verdicts)
        return asked


def refuse_beside_apply(conn: Connection, world_id: str) -> None:
    """A running apply has the activation for itself; one that ended frozen is left by Resume or another Apply only."""
    last = store.last_run(conn, world_id)
    if last is None:
        return
    if last.ended_at is None:
        raise apply_running(last, NotReady)
    if last.state in SHUT:
        raise NotReady(
            "E_WORLD_FROZEN",
            f"apply {last.run_id} of world {world_id} ended {last.state.value}: {last.reason}",
            hint="Resume it, or apply anew",
            metadata={"run_id": last.run_id},
        )


def apply_running(run: ApplyRun, error: type[QmtlError]) -> QmtlError:
    return error(
        "E_APPLY_RUNNING",
        f"apply {run.run_id} of world {run.world_id} is {run.state.value}",
        hint="watch it to its end, then ask again",
        metadata={"run_id": run.run_id},
    )


def _refuse_disabled(policy: Policy | None) -> None:
    if policy is not None and policy.live_promotion is LivePromotion.DISABLED:
        raise NotReady(
            "E_LIVE_PROMOTION_DISABLED",
            "the world's policy says governance.live_promotion.mode: disabled",
            hint="an owner makes a policy with manual_approval the default first",
        )


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
    return _known(conn, asked)


def _known(conn: Connection, asked: ApplyRun) -> ApplyRun | None:
    known = store.find_run(conn, asked.world_id, asked.run_id)
    if known is not None and known.content != asked.content:
        raise Conflict(
            "E_RUN_EXISTS", f"apply {asked.run_id} was asked for with another plan", hint="choose another run_id"
        )
    return known


def _shown(conn: Connection, caller: Caller, world_id: str, run_id: str) -> Shown:
    world = world_to_read(conn, caller, world_id)
    return store.get_run(conn, world.world_id, run_id), store.steps_of(conn, world.world_id, run_id)

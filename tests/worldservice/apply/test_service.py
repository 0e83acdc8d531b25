"""Two-phase apply over the wire: real store, restarts between the steps, gateways that acknowledge, lag or vanish."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.core.errors import Conflict, InvalidRequest, NotFound, NotReady, Unavailable
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import gate_service_pb2 as gateservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.harness import LONG, PAPER, SHORT, WorldHarness, evaluation, eventually, make_trading, raising

COMPLETED, ROLLED_BACK, FROZEN = (
    applypb.APPLY_STATE_COMPLETED,
    applypb.APPLY_STATE_ROLLED_BACK,
    applypb.APPLY_STATE_FROZEN,
)
FREEZING = applypb.APPLY_STATE_FREEZING


class Gate:
    """A gateway's side of an apply, by hand."""

    def __init__(self, stub: WorldStubs, name: str) -> None:
        self.stub, self.name = stub, name
        self.applied: dict[str, int] = {}

    async def join(self) -> None:
        reply = await self.stub.gates.OpenGateSession(
            gateservicepb.OpenGateSessionRequest(gateway_id=self.name, boot_id="b1")
        )
        self.applied = {envelope.world_id: envelope.world_revision for envelope in reply.activations}

    async def renew(self) -> activationpb.ActivationEnvelope | None:
        request = gateservicepb.RenewGateSessionRequest(
            gateway_id=self.name, boot_id="b1", applied_world_revisions=self.applied
        )
        for envelope in (await self.stub.gates.RenewGateSession(request)).activations:
            self.applied[envelope.world_id] = envelope.world_revision
            return envelope
        return None

    async def ack(self, run_id: str, sequence: int, world_id: str = "w1") -> None:
        request = gateservicepb.AckActivationRequest(
            world_id=world_id, run_id=run_id, apply_sequence=sequence, gateway_id=self.name, boot_id="b1"
        )
        await self.stub.gates.AckActivation(request)


async def gate(harness: WorldHarness, name: str) -> Gate:
    made = Gate(await harness.gateway(), name)
    await made.join()
    return made


def plan(
    run_id: str = "r1", *names: str, stage: bindingpb.Stage = bindingpb.STAGE_PAPER
) -> applyservicepb.ApplyRequest:
    targets = [applypb.ApplyTarget(strategy_id=name, side=LONG, weight="0.5", stage=stage) for name in names or ("t",)]
    return applyservicepb.ApplyRequest(world_id="w1", run_id=run_id, targets=applypb.ApplyTargets(targets=targets))


async def shown(harness: WorldHarness, run_id: str = "r1") -> applypb.ApplyRun:
    ann = await harness.stub()
    return (await ann.applies.GetApplyRun(applyservicepb.GetApplyRunRequest(world_id="w1", run_id=run_id))).run


async def reach(
    harness: WorldHarness,
    state: applypb.ApplyState,
    run_id: str = "r1",
    gates: tuple[Gate, ...] = (),
    step_s: float = 0.3,
) -> applypb.ApplyRun:
    """Let time pass, with these gateways renewing, until the run is there."""
    ann = await harness.stub()

    async def there() -> bool:
        harness.clock.advance(step_s)
        for each in gates:
            await each.renew()
        run = (await ann.applies.GetApplyRun(applyservicepb.GetApplyRunRequest(world_id="w1", run_id=run_id))).run
        return run.state == state

    await eventually(there)
    return await shown(harness, run_id)


async def frozen_entries(harness: WorldHarness) -> bool:
    ann = await harness.stub()
    entries = (
        await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))
    ).activation.entries
    return bool(entries) and all(entry.freeze and not entry.active for entry in entries)


async def test_an_apply_freezes_switches_and_opens_in_this_order(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    first, second = await gate(harness, "g1"), await gate(harness, "g2")
    epoch = harness.brokerage.state("w1")[0]
    run = (await ann.applies.Apply(plan())).run
    assert (run.state, run.requested_by) == (applypb.APPLY_STATE_REQUESTED, "ann")
    await reach(harness, FREEZING)
    envelope = await first.renew()
    assert envelope is not None
    assert (envelope.run_id, envelope.apply_sequence, envelope.phase) == ("r1", 1, activationpb.APPLY_PHASE_FREEZE)
    assert envelope.requires_ack
    await first.ack("r1", 1)
    await reach(harness, FREEZING)
    assert await frozen_entries(harness)
    assert harness.brokerage.state("w1") == (epoch + 1, "FROZEN")
    await second.ack("r1", 1)
    await reach(harness, applypb.APPLY_STATE_UNFREEZING)

    async def opened() -> bool:
        harness.clock.advance(0.3)
        return not await frozen_entries(harness)

    await eventually(opened)
    for each in (first, second):
        await each.ack("r1", 3)
        await each.ack("r1", 3)
    done = await reach(harness, COMPLETED)
    assert done.fence_confirmed
    assert done.steps[0].state == applypb.APPLY_STATE_REQUESTED
    assert harness.brokerage.state("w1") == (epoch + 2, "OPEN")
    after = (await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))).activation
    assert after.phase == activationpb.APPLY_PHASE_UNFREEZE
    assert {e.strategy_id: (e.active, e.weight) for e in after.entries} == {"s": (False, "1"), "t": (True, "0.5")}
    audit = (await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))).entries
    assert {"Apply", "ApplyStep", "AckActivation"} <= {entry.event for entry in audit}


async def test_without_gateways_it_completes_by_the_fence_alone(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    await ann.applies.Apply(plan())
    await reach(harness, COMPLETED)
    again = (await ann.applies.Apply(plan())).run
    assert again.state == COMPLETED
    with pytest.raises(Conflict) as caught:
        await ann.applies.Apply(plan("r1", "s"))
    assert caught.value.reason == "E_RUN_EXISTS"


async def test_one_apply_per_world_and_nothing_beside_it(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    await gate(harness, "g1")
    await ann.applies.Apply(plan())
    with pytest.raises(NotReady) as conflict:
        await ann.applies.Apply(plan("r2"))
    assert conflict.value.reason == "E_APPLY_RUNNING"
    with pytest.raises(NotReady) as caught:
        await ann.activation.SetActivation(raising("w1", "s"))
    assert caught.value.reason == "E_APPLY_RUNNING"
    with pytest.raises(NotReady) as resumed:
        await ann.applies.Resume(applyservicepb.ResumeRequest(world_id="w1", run_id="r1"))
    assert resumed.value.reason == "E_RUN_NOT_FROZEN"


async def test_a_restart_between_any_two_steps_changes_nothing(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    member = await gate(harness, "g1")
    harness.brokerage.answering.clear()
    await ann.applies.Apply(plan())
    await reach(harness, FREEZING, step_s=0.05)
    await harness.stop()
    harness.brokerage.answering.set()
    await harness.start()
    await reach(harness, FREEZING, step_s=0.05)
    await harness.stop()
    await harness.start()
    await member.renew()
    await member.ack("r1", 1)
    await reach(harness, applypb.APPLY_STATE_UNFREEZING, gates=(member,))
    await harness.stop()
    await harness.start()
    await member.join()
    await member.ack("r1", 3)
    done = await reach(harness, COMPLETED, gates=(member,))
    assert len({step.state for step in done.steps}) == 5
    assert harness.brokerage.state("w1")[1] == "OPEN"


async def test_a_gateway_that_renews_and_never_acknowledges_ends_it_frozen_by_name(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    member = await gate(harness, "g1")
    await ann.applies.Apply(plan())
    run = await reach(harness, FROZEN, gates=(member,), step_s=1.0)
    assert "g1" in run.message
    assert run.fence_confirmed
    assert await frozen_entries(harness)
    await member.ack("r1", 1)
    harness.clock.advance(60)
    assert (await shown(harness)).state == FROZEN
    assert await frozen_entries(harness)
    with pytest.raises(NotReady) as caught:
        await ann.activation.SetActivation(raising("w1", "s"))
    assert caught.value.reason == "E_WORLD_FROZEN"


async def test_a_gateway_that_is_gone_is_waived(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    await gate(harness, "g1")
    await ann.applies.Apply(plan())
    done = await reach(harness, COMPLETED, step_s=0.7)
    assert any("g1 is gone: waived" in step.message for step in done.steps)


async def test_one_that_joins_during_the_freeze_has_to_acknowledge_too(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    first = await gate(harness, "g1")
    await ann.applies.Apply(plan())
    await reach(harness, FREEZING, gates=(first,))
    late = await gate(harness, "g2")
    await first.ack("r1", 1)
    harness.clock.advance(1.0)
    assert (await shown(harness)).state == FREEZING
    await late.ack("r1", 1)
    await reach(harness, applypb.APPLY_STATE_UNFREEZING, gates=(first, late))


async def test_a_fence_that_never_commits_ends_it_frozen_and_resume_waits_for_it(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    before = (await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))).activation
    member = await gate(harness, "g1")
    harness.brokerage.answering.clear()
    await ann.applies.Apply(plan())
    await harness.stop_brokerage()
    harness.brokerage.answering.set()
    run = await reach(harness, FROZEN, gates=(member,), step_s=1.0)
    assert not run.fence_confirmed
    assert "brokerage" in run.message
    with pytest.raises(NotReady) as caught:
        await ann.applies.Resume(applyservicepb.ResumeRequest(world_id="w1", run_id="r1"))
    assert caught.value.reason == "E_FENCE_UNCONFIRMED"
    await harness.start_brokerage()

    async def confirmed() -> bool:
        harness.clock.advance(1.0)
        return (await shown(harness)).fence_confirmed

    await eventually(confirmed)
    assert harness.brokerage.state("w1")[1] == "FROZEN"
    await member.join()
    resumed = (await ann.applies.Resume(applyservicepb.ResumeRequest(world_id="w1", run_id="r1"))).run
    assert resumed.run_id == "resume:r1"

    async def opened() -> bool:
        harness.clock.advance(0.3)
        await member.renew()
        return not await frozen_entries(harness)

    await eventually(opened)
    await member.ack("resume:r1", 3)
    await reach(harness, COMPLETED, "resume:r1", (member,))
    assert (await shown(harness)).state == FROZEN
    after = (await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))).activation
    assert [(e.strategy_id, e.active, e.weight) for e in after.entries] == [
        (e.strategy_id, e.active, e.weight) for e in before.entries
    ]
    assert (await ann.activation.SetActivation(raising("w1", "s"))).activation.effective_mode == PAPER


@pytest.mark.parametrize("answered", [True, False])
async def test_what_was_on_the_wire_is_awaited_or_flagged(harness: WorldHarness, answered: bool) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    intent = fencepb.WireIntent(account="a", strategy_id="s", client_order_id="o1")
    harness.brokerage.on_the_wire = [intent]
    await ann.applies.Apply(plan())
    run = await reach(harness, FREEZING)
    for _ in range(3):
        harness.clock.advance(1.0)
        run = await shown(harness)
        assert run.state == FREEZING
    if answered:
        harness.brokerage.on_the_wire = []
    run = await reach(harness, COMPLETED)
    details = " ".join(step.message for step in run.steps)
    assert "on the wire: a/s/o1" in details
    assert ("outcome UNKNOWN: a/s/o1" in details) is not answered


async def test_brokerage_unreachable_nothing_is_frozen(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    await harness.stop_brokerage()
    with pytest.raises(Unavailable):
        await ann.applies.Apply(plan())
    assert not await frozen_entries(harness)
    with pytest.raises(NotFound):
        await shown(harness)


async def test_what_fails_during_the_freeze_is_rolled_back_and_stays_frozen(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    member = await gate(harness, "g1")
    await ann.applies.Apply(plan())
    await reach(harness, FREEZING, gates=(member,))
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "t", "run-2", sharpe=0.1))
    await member.ack("r1", 1)
    run = await reach(harness, ROLLED_BACK, gates=(member,))
    assert run.message.startswith("E_MODE_CEILING")
    assert await frozen_entries(harness)
    stages = {
        b.strategy_id: b.stage
        for b in (await ann.bindings.ListBindings(bindingservicepb.ListBindingsRequest(world_id="w1"))).bindings
    }
    assert stages == {"s": bindingpb.STAGE_PAPER, "t": bindingpb.STAGE_PAPER}
    anew = applyservicepb.ApplyRequest(
        world_id="w1", run_id="r2", evaluate=True, unfreeze_ack=applypb.UNFREEZE_ACK_NONE
    )
    targets = (await ann.applies.Apply(anew)).run.targets
    assert {(target.strategy_id, target.side) for target in targets} == {("s", LONG), ("s", SHORT)}
    await reach(harness, COMPLETED, "r2")


@pytest.mark.parametrize(
    ("request_", "error", "reason"),
    [
        (applyservicepb.ApplyRequest(world_id="w1", run_id="r"), InvalidRequest, "E_PLAN"),
        (plan("resume:x"), InvalidRequest, "E_FIELD"),
        (plan("r", "t", "t"), InvalidRequest, "E_PLAN"),
        (plan("r", "nobody"), NotFound, "E_BINDING_UNKNOWN"),
        (plan("r", "t", stage=bindingpb.STAGE_LIVE), NotReady, "E_LIVE_FORBIDDEN"),
        (plan("r", "u"), NotReady, "E_MODE_CEILING"),
    ],
)
async def test_a_plan_that_cannot_be_is_refused_before_anything_is_frozen(
    harness: WorldHarness, request_: applyservicepb.ApplyRequest, error: type[Exception], reason: str
) -> None:
    ann = await make_trading(harness, "w1", "t")
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="u"))
    with pytest.raises(error) as caught:
        await ann.applies.Apply(request_)
    assert caught.value.reason == reason  # type: ignore[attr-defined]  # every error of the tree has a reason
    assert not await frozen_entries(harness)


async def test_acks_of_strangers_are_refused(harness: WorldHarness) -> None:
    await make_trading(harness, "w1", "t")
    member = await gate(harness, "g1")
    with pytest.raises(NotFound) as caught:
        await member.ack("r9", 1)
    assert caught.value.reason == "E_RUN_UNKNOWN"
    with pytest.raises(InvalidRequest):
        await member.ack("r9", 2**63)
    harness.clock.advance(timedelta(seconds=7))
    with pytest.raises(NotFound) as lapsed:
        await member.ack("r9", 1)
    assert lapsed.value.reason == "E_GATE_SESSION_UNKNOWN"

"""Activation over the wire: raised by an operator, lowered by itself, and brokerage told before the answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import Conflict, InvalidRequest, NotFound, NotReady, PermissionDenied
from qmtl.core.roles import Role
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import status_service_pb2 as statusservicepb
from qmtl.world.v1 import world_pb2 as worldpb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.worldservice.harness import (
    COMPUTE_ONLY,
    LONG,
    PAPER,
    SHORT,
    WorldHarness,
    evaluation,
    eventually,
    make_trading,
    make_world,
    raising,
    stamp,
)
from tests.worldservice.samples import CLAIMS


def change(
    world_id: str, item: activationpb.ActivationChange, strategy_id: str = "s"
) -> activationservicepb.SetActivationRequest:
    item.MergeFrom(activationpb.ActivationChange(strategy_id=strategy_id, side=LONG))
    return activationservicepb.SetActivationRequest(world_id=world_id, changes=[item])


async def activation(harness: WorldHarness, world_id: str) -> activationpb.ActivationEnvelope:
    ann = await harness.stub()
    return (await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id=world_id))).activation


async def test_a_new_world_may_do_nothing(harness: WorldHarness) -> None:
    await make_world(harness, "w1")
    shown = await activation(harness, "w1")
    assert (shown.world_revision, shown.fence_epoch, shown.effective_mode) == (0, 0, COMPUTE_ONLY)
    assert not shown.entries


async def test_raising_to_paper_opens_brokerages_fence_before_the_answer(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s"))
    shown = (await ann.activation.SetActivation(raising("w1", "s"))).activation
    assert (shown.world_revision, shown.previous_world_revision, shown.fence_epoch) == (1, 0, 1)
    assert not shown.fence_pending
    assert shown.effective_mode == shown.entries[0].effective_mode == PAPER
    assert shown.execution_domain == commonpb.EXECUTION_DOMAIN_DRYRUN
    assert harness.brokerage.state("w1") == (1, "OPEN")
    assert (await ann.bindings.ListBindings(bindingservicepb.ListBindingsRequest(world_id="w1"))).bindings[
        0
    ].stage == bindingpb.STAGE_PAPER


async def test_a_strategy_the_policy_does_not_select_is_not_raised(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1")
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    for evaluated in (False, True):
        if evaluated:
            await ann.evaluation.Evaluate(evaluation(harness, "w1", "s", sharpe=0.1))
        with pytest.raises(NotReady) as caught:
            await ann.activation.SetActivation(raising("w1", "s"))
        assert caught.value.reason == "E_MODE_CEILING"
    assert harness.brokerage.asked == []


@pytest.mark.parametrize(
    ("fields", "fence"),
    [
        (activationpb.ActivationChange(freeze=True), "FROZEN"),
        (activationpb.ActivationChange(drain=True), "DRAIN"),
        (activationpb.ActivationChange(active=False), "FROZEN"),
        (activationpb.ActivationChange(weight="0.5"), "OPEN"),
        (activationpb.ActivationChange(stage=bindingpb.STAGE_BACKTEST), "FROZEN"),
    ],
)
async def test_whatever_narrows_has_raised_the_epoch_in_brokerage_when_it_is_answered(
    harness: WorldHarness, fields: activationpb.ActivationChange, fence: str
) -> None:
    ann = await make_trading(harness, "w1", "s")
    shown = (await ann.activation.SetActivation(change("w1", fields))).activation
    assert (shown.world_revision, shown.fence_epoch, shown.fence_pending) == (2, 2, False)
    assert harness.brokerage.state("w1") == (2, fence)


async def test_brokerage_gone_the_narrowing_is_written_and_told_later(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    await harness.stop_brokerage()
    shown = (await ann.activation.SetActivation(change("w1", activationpb.ActivationChange(freeze=True)))).activation
    assert shown.fence_pending
    assert shown.entries[0].freeze
    assert (await ann.status.GetStatus(statusservicepb.GetStatusRequest())).fences_pending == ["w1"]
    await harness.start_brokerage()

    async def told() -> bool:
        harness.clock.advance(1.0)
        return harness.brokerage.state("w1") == (2, "FROZEN")

    await eventually(told)

    async def confirmed() -> bool:
        return not (await activation(harness, "w1")).fence_pending

    await eventually(confirmed)


async def test_a_pending_fence_survives_a_restart(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    await harness.stop_brokerage()
    await ann.activation.SetActivation(change("w1", activationpb.ActivationChange(freeze=True)))
    before = await activation(harness, "w1")
    await harness.stop()
    await harness.start_brokerage()
    await harness.start()

    async def told() -> bool:
        return harness.brokerage.state("w1") == (2, "FROZEN")

    await eventually(told)
    after = await activation(harness, "w1")
    assert (after.world_revision, after.state_hash, after.entries) == (
        before.world_revision,
        before.state_hash,
        before.entries,
    )


async def test_brokerage_ahead_of_the_store_is_outranked(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    harness.brokerage.fences["w1"].fence_epoch = 9
    shown = (await ann.activation.SetActivation(change("w1", activationpb.ActivationChange(freeze=True)))).activation
    assert not shown.fence_pending
    assert harness.brokerage.state("w1") == (10, "FROZEN")
    assert (await activation(harness, "w1")).fence_epoch == 10


async def test_an_etag_guards_against_a_change_in_between(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    old = (await activation(harness, "w1")).etag
    await ann.activation.SetActivation(change("w1", activationpb.ActivationChange(weight="0.5")))
    request = change("w1", activationpb.ActivationChange(weight="0.9"))
    request.etag = old
    with pytest.raises(Conflict) as caught:
        await ann.activation.SetActivation(request)
    assert caught.value.reason == "E_ETAG_MISMATCH"


@pytest.mark.parametrize(
    ("request_", "error", "reason"),
    [
        (change("w1", activationpb.ActivationChange(weight="1.5")), InvalidRequest, "E_WEIGHT"),
        (change("w1", activationpb.ActivationChange(weight="nan")), InvalidRequest, "E_DECIMAL"),
        (change("w1", activationpb.ActivationChange(active=True), "nobody"), NotFound, "E_BINDING_UNKNOWN"),
        (change("nowhere", activationpb.ActivationChange(active=True)), NotFound, "E_WORLD_UNKNOWN"),
        (change("w1", activationpb.ActivationChange(stage=bindingpb.STAGE_LIVE)), NotReady, "E_MODE_CEILING"),
        (
            change("w1", activationpb.ActivationChange(stage=99)),  # type: ignore[arg-type]  # a stage of a newer peer
            InvalidRequest,
            "E_ENUM",
        ),
        (activationservicepb.SetActivationRequest(world_id="w1"), InvalidRequest, "E_CHANGES"),
        (
            activationservicepb.SetActivationRequest(
                world_id="w1", changes=[activationpb.ActivationChange(strategy_id="s")]
            ),
            InvalidRequest,
            "E_ENUM",
        ),
    ],
)
async def test_a_bad_change_is_refused_and_changes_nothing(
    harness: WorldHarness, request_: activationservicepb.SetActivationRequest, error: type[Exception], reason: str
) -> None:
    ann = await make_trading(harness, "w1", "s")
    before = await activation(harness, "w1")
    with pytest.raises(error) as caught:
        await ann.activation.SetActivation(request_)
    assert caught.value.reason == reason  # type: ignore[attr-defined]  # every error of the tree has a reason
    assert await activation(harness, "w1") == before


async def test_a_reader_may_not_set_activation(harness: WorldHarness) -> None:
    await make_trading(harness, "w1", "s")
    rob = await harness.stub(Role.READER, "rob")
    with pytest.raises(PermissionDenied):
        await rob.activation.SetActivation(change("w1", activationpb.ActivationChange(freeze=True)))


async def test_a_failed_evaluation_lowers_the_strategy_at_once(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s", "t")
    reply = await ann.evaluation.Evaluate(evaluation(harness, "w1", "s", "run-2", sharpe=0.1))
    assert reply.decision.effective_mode == PAPER
    shown = await activation(harness, "w1")
    assert {entry.strategy_id: entry.effective_mode for entry in shown.entries} == {"s": COMPUTE_ONLY, "t": PAPER}
    assert harness.brokerage.state("w1") == (shown.fence_epoch, "OPEN")


async def test_a_tripped_breaker_lowers_the_world_and_does_not_raise_it_again(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(
            world_id="w1", circuit_breaker=True, update_mask={"paths": ["circuit_breaker"]}
        )
    )
    assert harness.brokerage.state("w1")[1] == "FROZEN"
    await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(
            world_id="w1", circuit_breaker=False, update_mask={"paths": ["circuit_breaker"]}
        )
    )
    assert (await activation(harness, "w1")).effective_mode == COMPUTE_ONLY
    assert (await ann.activation.SetActivation(raising("w1", "s"))).activation.effective_mode == PAPER
    assert harness.brokerage.state("w1")[1] == "OPEN"


async def test_data_that_grows_stale_lowers_the_world_without_anyone_asking(harness: WorldHarness) -> None:
    await make_trading(harness, "w1", "s")
    harness.clock.advance(timedelta(minutes=10))

    async def lowered() -> bool:
        harness.clock.advance(1.0)
        return (await activation(harness, "w1")).effective_mode == COMPUTE_ONLY

    await eventually(lowered)

    async def frozen() -> bool:
        return harness.brokerage.state("w1") == (2, "FROZEN")

    await eventually(frozen)
    ann = await harness.stub()
    decision = (await ann.evaluation.Decide(evaluationservicepb.DecideRequest(world_id="w1"))).decision
    assert decisionpb.DECISION_REASON_DATA_STALE in decision.reasons
    entries = (await ann.audit.ListAudit(auditservicepb.ListAuditRequest(world_id="w1"))).entries
    told = {(entry.actor, entry.event) for entry in entries[:3]}
    assert told == {("service:worldservice", event) for event in ("Redecide", "ActivationChanged", "FenceConfirmed")}


async def test_unbinding_takes_the_entry_away_and_freezes(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    await ann.bindings.UnbindStrategy(bindingservicepb.UnbindStrategyRequest(world_id="w1", strategy_id="s"))
    assert not (await activation(harness, "w1")).entries
    assert harness.brokerage.state("w1") == (2, "FROZEN")
    bound = (
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    ).binding
    assert bound.stage == bindingpb.STAGE_BACKTEST


async def test_a_window_and_both_sides_are_kept(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    until = harness.clock.now() + timedelta(hours=2)
    both = activationservicepb.SetActivationRequest(
        world_id="w1",
        changes=[
            activationpb.ActivationChange(strategy_id="s", side=LONG, valid_until=stamp(until)),
            activationpb.ActivationChange(strategy_id="s", side=SHORT, active=True, weight="0.3"),
        ],
    )
    shown = (await ann.activation.SetActivation(both)).activation
    assert shown.entries[0].valid_until == stamp(until)
    assert (shown.entries[1].side, shown.entries[1].weight) == (SHORT, "0.3")


async def test_a_stricter_default_policy_lowers_what_no_longer_passes(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    strict = CLAIMS.replace("sharpe >= 0.6", "sharpe >= 9.0")
    await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=strict, make_default=True))
    assert (await activation(harness, "w1")).effective_mode == COMPUTE_ONLY
    assert harness.brokerage.state("w1")[1] == "FROZEN"
    await ann.policies.SetDefaultPolicy(policyservicepb.SetDefaultPolicyRequest(world_id="w1", version=1))
    assert (await activation(harness, "w1")).effective_mode == COMPUTE_ONLY


async def test_suspending_a_world_freezes_it_and_a_freeze_still_passes(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(
            world_id="w1", state=worldpb.WORLD_STATE_SUSPENDED, update_mask={"paths": ["state"]}
        )
    )
    assert harness.brokerage.state("w1")[1] == "FROZEN"
    with pytest.raises(NotReady):
        await ann.activation.SetActivation(raising("w1", "s"))
    shown = (await ann.activation.SetActivation(change("w1", activationpb.ActivationChange(freeze=True)))).activation
    assert shown.entries[0].freeze


async def test_changes_at_once_each_get_a_revision_of_their_own(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    weights = [number / 20 for number in range(1, 20)]
    replies = await asyncio.gather(
        *(
            ann.activation.SetActivation(change("w1", activationpb.ActivationChange(weight=str(weight))))
            for weight in weights
        )
    )
    revisions = sorted(reply.activation.world_revision for reply in replies)
    assert revisions == list(range(2, 21))
    last = max(replies, key=lambda reply: reply.activation.world_revision).activation
    assert (await activation(harness, "w1")).entries[0].weight == last.entries[0].weight
    assert harness.brokerage.state("w1")[0] == (await activation(harness, "w1")).fence_epoch
    assert not (await activation(harness, "w1")).fence_pending


async def test_a_caller_that_gives_up_does_not_keep_the_narrowing_from_brokerage(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    harness.brokerage.answering.clear()
    asked = len(harness.brokerage.asked)
    call = asyncio.ensure_future(ann.activation.SetActivation(change("w1", activationpb.ActivationChange(freeze=True))))

    async def reached() -> bool:
        return len(harness.brokerage.asked) > asked

    await eventually(reached)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    for _ in range(20):  # round trips behind the cancellation: were it passed on, it would have arrived by then
        await ann.status.GetStatus(statusservicepb.GetStatusRequest())
    harness.brokerage.answering.set()

    async def told() -> bool:
        return harness.brokerage.state("w1") == (2, "FROZEN")

    await eventually(told)


async def test_a_brokerage_that_does_not_answer_is_waited_for_no_longer_than_its_time(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    harness.brokerage.answering.clear()
    async with asyncio.timeout(8):
        shown = (
            await ann.activation.SetActivation(change("w1", activationpb.ActivationChange(freeze=True)))
        ).activation
    assert shown.fence_pending
    assert shown.entries[0].freeze

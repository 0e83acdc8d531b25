"""Activation windows of a policy: in every activation of the world, under an epoch of their own, and its hash."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from qmtl.core.errors import NotReady
from qmtl.sql.database import Database, sqlite_url
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.apply.test_service import gate, plan, reach
from tests.worldservice.harness import COMPUTE_ONLY, LONG, PAPER, WorldHarness, evaluation, make_world, raising
from tests.worldservice.samples import CLAIMS
from worldservice.activation.tables import activations
from worldservice.policy.tables import policies

WINDOWS = 'activation_windows: [{days: [mon..fri], from: "09:30", to: "16:00", tz: America/New_York}]\n'
DISABLED = "governance: {live_promotion: {mode: disabled}}\n"


async def activation(ann: WorldStubs) -> activationpb.ActivationEnvelope:
    return (await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))).activation


async def put(ann: WorldStubs, document: str) -> None:
    await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=document, make_default=True))


async def trading(harness: WorldHarness) -> WorldStubs:
    ann = await make_world(harness, "w1")
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s", "r1"))
    await ann.activation.SetActivation(raising("w1", "s"))
    return ann


async def test_a_policy_s_windows_come_with_the_activation_under_a_new_epoch(harness: WorldHarness) -> None:
    ann = await trading(harness)
    before = await activation(ann)
    await put(ann, CLAIMS + WINDOWS)
    after = await activation(ann)
    (window,) = after.windows
    assert (list(window.days), window.time_zone) == ([1, 2, 3, 4, 5], "America/New_York")
    assert (window.opens.seconds, window.closes.seconds) == (9 * 3600 + 1800, 16 * 3600)
    assert (after.world_revision, after.fence_epoch) == (before.world_revision + 1, before.fence_epoch + 1)
    assert after.state_hash != before.state_hash
    assert [(e.active, e.effective_mode) for e in after.entries] == [
        (e.active, e.effective_mode) for e in before.entries
    ]
    await put(ann, CLAIMS)
    restored = await activation(ann)
    assert (list(restored.windows), restored.state_hash, restored.fence_epoch) == (
        [],
        before.state_hash,
        before.fence_epoch + 2,
    )


async def test_an_operator_s_change_keeps_the_windows(harness: WorldHarness) -> None:
    ann = await trading(harness)
    await put(ann, CLAIMS + WINDOWS)
    change = activationpb.ActivationChange(strategy_id="s", side=LONG, weight="0.5")
    changed = (
        await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[change]))
    ).activation
    assert len(changed.windows) == 1


async def test_with_promotion_disabled_nobody_is_approved(harness: WorldHarness) -> None:
    ann = await trading(harness)
    await put(ann, CLAIMS + DISABLED)
    with pytest.raises(NotReady) as refused:
        await ann.bindings.ApproveLive(bindingservicepb.ApproveLiveRequest(world_id="w1", strategy_id="s"))
    assert refused.value.reason == "E_LIVE_PROMOTION_DISABLED"


async def store(harness: WorldHarness, statement: sa.Update) -> None:
    db = Database(sqlite_url(harness.home / "state" / "worldservice.db"))
    await db.write(lambda conn: conn.execute(statement))
    await db.close()


def without_windows() -> sa.Update:
    """What an older build may have left: a world that says always, against its policy."""
    return sa.update(activations).values(windows="[]")


async def test_a_policy_that_cannot_be_read_takes_no_windows_away(harness: WorldHarness) -> None:
    ann = await trading(harness)
    await put(ann, CLAIMS + WINDOWS)
    before = await activation(ann)
    newest = sa.update(policies).where(policies.c.version == 2)
    await store(harness, newest.values(document=CLAIMS + WINDOWS.replace("tz:", "new_key: 1, tz:")))
    await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(world_id="w1", name="x", update_mask={"paths": ["name"]})
    )
    unread = await activation(ann)
    assert (list(unread.windows), unread.effective_mode) == (list(before.windows), COMPUTE_ONLY)
    await store(harness, newest.values(document=CLAIMS + WINDOWS))
    raised = (await ann.activation.SetActivation(raising("w1", "s"))).activation
    assert (list(raised.windows), raised.effective_mode) == (list(before.windows), PAPER)


async def test_an_operator_s_change_is_made_under_the_policy_s_windows(harness: WorldHarness) -> None:
    ann = await trading(harness)
    await put(ann, CLAIMS + WINDOWS)
    before = await activation(ann)
    await store(harness, without_windows())
    change = activationpb.ActivationChange(strategy_id="s", side=LONG, active=True)
    changed = (
        await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[change]))
    ).activation
    assert (list(changed.windows), changed.fence_epoch) == (list(before.windows), before.fence_epoch + 1)


async def test_an_apply_opens_under_the_policy_s_windows(harness: WorldHarness) -> None:
    ann = await trading(harness)
    await put(ann, CLAIMS + WINDOWS)
    before = await activation(ann)
    slow = await gate(harness, "g1")
    request = plan("r1", "s")
    request.unfreeze_ack = applypb.UNFREEZE_ACK_NONE
    await ann.applies.Apply(request)
    await reach(harness, applypb.APPLY_STATE_FROZEN, gates=(slow,), step_s=1.0)
    await store(harness, without_windows())
    await harness.stop_brokerage()  # so that it waits, still frozen
    await ann.applies.Resume(applyservicepb.ResumeRequest(world_id="w1", run_id="r1"))
    assert list((await activation(ann)).windows) == list(before.windows)
    await store(harness, without_windows())
    await harness.start_brokerage()
    await reach(harness, applypb.APPLY_STATE_COMPLETED, "resume:r1")
    after = await activation(ann)
    assert [entry.active for entry in after.entries] == [True]
    assert list(after.windows) == list(before.windows)

"""Activation windows of a policy: in every activation of the world, under an epoch of their own, and its hash."""

from __future__ import annotations

import pytest

from qmtl.core.errors import NotReady
from qmtl.world.v1 import service_pb2 as pb
from qmtl.world.v1 import service_pb2_grpc as worldrpc
from qmtl.world.v1 import world_pb2 as worldpb
from tests.worldservice.estate import LONG, Estate, evaluation, make_world, raising
from tests.worldservice.samples import DOCUMENT

WINDOWS = 'activation_windows: [{days: [mon..fri], from: "09:30", to: "16:00", tz: America/New_York}]\n'
DISABLED = "governance: {live_promotion: {mode: disabled}}\n"


async def activation(ann: worldrpc.WorldServiceAsyncStub) -> worldpb.ActivationEnvelope:
    return (await ann.GetActivation(pb.GetActivationRequest(world_id="w1"))).activation


async def put(ann: worldrpc.WorldServiceAsyncStub, document: str) -> None:
    await ann.PutPolicy(pb.PutPolicyRequest(world_id="w1", document=document, make_default=True))


async def trading(estate: Estate) -> worldrpc.WorldServiceAsyncStub:
    ann = await make_world(estate, "w1")
    await ann.BindStrategy(pb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    await ann.Evaluate(evaluation(estate, "w1", "s", "r1"))
    await ann.SetActivation(raising("w1", "s"))
    return ann


async def test_a_policy_s_windows_come_with_the_activation_under_a_new_epoch(estate: Estate) -> None:
    ann = await trading(estate)
    before = await activation(ann)
    await put(ann, DOCUMENT + WINDOWS)
    after = await activation(ann)
    (window,) = after.windows
    assert (list(window.days), window.time_zone) == ([1, 2, 3, 4, 5], "America/New_York")
    assert (window.opens.seconds, window.closes.seconds) == (9 * 3600 + 1800, 16 * 3600)
    assert (after.revision, after.epoch) == (before.revision + 1, before.epoch + 1)
    assert after.state_hash != before.state_hash
    assert [(e.active, e.effective_mode) for e in after.entries] == [
        (e.active, e.effective_mode) for e in before.entries
    ]
    await put(ann, DOCUMENT)
    restored = await activation(ann)
    assert (list(restored.windows), restored.state_hash, restored.epoch) == ([], before.state_hash, before.epoch + 2)


async def test_an_operator_s_change_keeps_the_windows(estate: Estate) -> None:
    ann = await trading(estate)
    await put(ann, DOCUMENT + WINDOWS)
    change = pb.ActivationChange(strategy_id="s", side=LONG, weight=0.5)
    changed = (await ann.SetActivation(pb.SetActivationRequest(world_id="w1", changes=[change]))).activation
    assert len(changed.windows) == 1


async def test_with_promotion_disabled_nobody_is_approved(estate: Estate) -> None:
    ann = await trading(estate)
    await put(ann, DOCUMENT + DISABLED)
    with pytest.raises(NotReady) as refused:
        await ann.ApproveLive(pb.ApproveLiveRequest(world_id="w1", strategy_id="s"))
    assert refused.value.reason == "E_LIVE_PROMOTION_DISABLED"

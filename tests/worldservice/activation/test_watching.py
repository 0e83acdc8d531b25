"""Watching an activation: the snapshot first, then every revision; sent away when the server stops."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from controlbus.bus import Bus
from qmtl.core.errors import Unavailable
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from tests.worldservice.harness import (
    LONG,
    WorldHarness,
    make_trading,
)


def change(
    world_id: str, item: activationpb.ActivationChange, strategy_id: str = "s"
) -> activationservicepb.SetActivationRequest:
    item.MergeFrom(activationpb.ActivationChange(strategy_id=strategy_id, side=LONG))
    return activationservicepb.SetActivationRequest(world_id=world_id, changes=[item])


async def test_a_watcher_gets_the_snapshot_and_then_every_revision(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    stream = ann.activation.WatchActivation(activationservicepb.WatchActivationRequest(world_id="w1"))
    seen = [(await anext(aiter(stream))).activation]
    for weight in (0.9, 0.8, 0.7):
        await ann.activation.SetActivation(change("w1", activationpb.ActivationChange(weight=str(weight))))
    async with asyncio.timeout(10):
        async for message in stream:
            seen.append(message.activation)
            if len(seen) == 4:
                break
    stream.cancel()
    assert [envelope.world_revision for envelope in seen] == [1, 2, 3, 4]
    assert all(b.previous_world_revision == a.world_revision for a, b in pairwise(seen))
    assert (
        seen[-1].state_hash
        == (await ann.activation.GetStateHash(activationservicepb.GetStateHashRequest(world_id="w1"))).state_hash
    )


async def test_watchers_are_sent_away_when_the_server_stops(harness: WorldHarness) -> None:
    ann = await make_trading(harness, "w1", "s")
    stream = ann.activation.WatchActivation(activationservicepb.WatchActivationRequest(world_id="w1"))
    await anext(aiter(stream))
    await harness.stop()
    with pytest.raises(Unavailable):
        await anext(aiter(stream))


async def test_every_change_leaves_one_event_in_order(harness: WorldHarness, nats_url: str) -> None:
    bus = await Bus.connect(nats_url, service="test")
    try:
        await bus.wait_ready(10)
        async with bus.subscribe(["activation_updated"], ["events-1"]) as events:
            ann = await make_trading(harness, "events-1", "s")
            await ann.activation.SetActivation(change("events-1", activationpb.ActivationChange(drain=True)))
            got: list[activationpb.ActivationEnvelope] = []
            async with asyncio.timeout(10):
                async for delivery in events:
                    assert delivery.event.revision == delivery.event.activation_updated.activation.world_revision
                    got.append(delivery.event.activation_updated.activation)
                    await delivery.ack()
                    if len(got) == 2:
                        break
    finally:
        await bus.close()
    assert [envelope.world_revision for envelope in got] == [1, 2]
    assert got[1].entries[0].drain
    assert got[1].previous_world_revision == 1

"""The live guard over the wire: what can cause live trading has to say so."""

from __future__ import annotations

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import PermissionDenied, QmtlError
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.gateway.harness import GatewayHarness
from tests.mesh.gateway_client import GatewayClient

LIVE = (("x-allow-live", "true"),)


async def test_what_can_cause_live_trading_needs_to_say_so(harness: GatewayHarness) -> None:
    ann = await harness.client()
    create = worldservicepb.CreateWorldRequest(world_id="live-world", allow_live=True)
    with pytest.raises(PermissionDenied) as refused:
        await ann.worlds.CreateWorld(create)
    assert refused.value.reason == "E_LIVE_GUARD"
    await ann.worlds.CreateWorld(create, metadata=LIVE)
    widening = activationpb.ActivationChange(strategy_id="s", side=commonpb.SIDE_LONG, active=True)
    freezing = activationpb.ActivationChange(strategy_id="s", side=commonpb.SIDE_LONG, freeze=True)
    with pytest.raises(PermissionDenied) as refused:
        await change(ann, widening)
    assert refused.value.reason == "E_LIVE_GUARD"
    for entry, metadata in ((freezing, ()), (widening, LIVE)):
        with pytest.raises(QmtlError) as answered:  # the strategy is not bound: worldservice's word
            await change(ann, entry, metadata)
        assert answered.value.reason != "E_LIVE_GUARD"


async def change(
    client: GatewayClient, entry: activationpb.ActivationChange, metadata: tuple[tuple[str, str], ...] = ()
) -> None:
    request = activationservicepb.SetActivationRequest(world_id="live-world", changes=[entry])
    await client.activation.SetActivation(request, metadata=metadata)

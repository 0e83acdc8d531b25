"""A strategy publishes a node on a mesh; it is read back as it was computed, and sent again it changes nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from examples.ema_cross import EmaCross
from qmtl.cli.local.supervisor import Mesh
from qmtl.core.errors import NotReady
from qmtl.core.instants import from_ns
from qmtl.sdk import Runner, StreamInput, indicators
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.mesh.client import Gateway
from qmtl.sdk.mesh.history import History
from qmtl.sdk.strategy.assembly import assemble
from tests.mesh.gateway_client import GatewayClient, new_world


class Slow(EmaCross):
    """Publishes one average under its window."""

    def setup(self) -> None:
        super().setup()
        price = StreamInput("BTC-USD", interval="15m")
        self.average = indicators.ema(price, 20)
        self.publish("slow", self.average, params={"window": 20})


@pytest.mark.soak
@pytest.mark.timeout(120)
async def test_what_a_strategy_publishes_is_read_as_it_was_computed(mesh: Mesh, client: GatewayClient) -> None:
    world = await new_world(client)
    gateway, history = (
        Gateway(address=mesh.address("gateway"), home=mesh.home),
        History(end=datetime(2021, 10, 4, tzinfo=UTC)),
    )
    results = [await Runner.submit_async(Slow(), world=world, gateway=gateway, history=history) for _ in range(2)]
    [feature] = results[0].features
    assert results[1].features == (feature,)
    assert feature.key.dataset_fingerprint == results[0].data.dataset_fingerprint

    strategy = Slow()
    computed = batch_outputs(assemble(strategy).dag, results[0].bars)[strategy.average]

    def read(as_of: datetime | None = None, window: int = 20) -> list[tuple[datetime, float]]:
        params = {"window": window}
        frame = Runner.read_feature(
            "slow", world=world, instrument="BTC-USD", interval="15m", params=params, as_of=as_of, gateway=gateway
        )
        return list(frame.iter_rows())

    expected = [(from_ns(int(at)), float(row[0])) for at, row in zip(computed.time_ns, computed.rows, strict=True)]
    assert await asyncio.to_thread(read) == expected
    as_of = feature.as_of.ToDatetime(UTC)
    assert await asyncio.to_thread(read, as_of) == expected
    for before, window in ((as_of - timedelta(seconds=1), 20), (None, 21)):
        with pytest.raises(NotReady, match="E_FEATURE_MISSING"):
            await asyncio.to_thread(read, before, window)

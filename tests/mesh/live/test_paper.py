"""A strategy on paper over a live feed: its history is ensured, its session opened, its bars those of the exchange."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.config.home import user_token_path
from qmtl.core.roles import Role
from qmtl.data.v1 import coverage_pb2 as coveragepb
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import coverage_service_pb2_grpc as coveragerpc
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.rpc.auth.tokens import file_token
from qmtl.rpc.client.channel import connect
from qmtl.sdk import Runner, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.mesh.client import Gateway, open_client
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.cli.conftest import CliMesh, Invoke
from tests.exchange.core.exchange import now_ms
from tests.exchange.market.client import Market, market
from tests.mesh.live.live_world import PRESET, followed, running
from tests.support.shared.meshes import laid_plan

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]
SESSION_S = 8
POLICY = """
data_currency: {max_lag: 20s}
selection: {gates: {and: ["n_trades >= 0"]}, score: "double(n_trades)", topk: {total: 4}}
"""


class Seconds(Strategy):
    """Long while the last seconds rise."""

    name = "seconds"

    def setup(self) -> None:
        price = StreamInput("BTC/USDT", interval="1s")
        self.trade(
            signals.position_target(signals.trend(ta.ema(price, 2), ta.ema(price, 4)), long=0.5, short=0.0), price
        )


@dataclass
class LiveMesh:
    mesh: Mesh
    market: Market
    config: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveMesh]:
    """One for both tests: the exchange answers on the loop of this file."""
    folder = tmp_path_factory.mktemp("live")
    async with market(first_ms=now_ms() // 1_000 * 1_000 - 120_000, interval_ms=1_000) as there:
        config = folder / "qmtl.toml"
        config.write_text(followed(there.address))
        async with running(Mesh(laid_plan(folder / "home", config))) as mesh:
            yield LiveMesh(mesh, there, config)


@pytest.mark.soak
async def test_a_strategy_trades_on_paper_over_a_live_feed(live: LiveMesh) -> None:
    gateway = Gateway(address=live.mesh.address("gateway"), home=live.mesh.home, outage_s_max=60.0)
    now = datetime.now(UTC).replace(microsecond=0)
    token = file_token(user_token_path(live.mesh.home, Role.OWNER))
    address = live.mesh.address("gateway")
    async with open_client(gateway) as client, connect(address, user_token=token) as channel:
        asked = coverageservicepb.EnsureCoverageRequest(dataset=PRESET)
        asked.range.start.FromDatetime(now - timedelta(seconds=60))
        asked.range.end.FromDatetime(now)
        told = [one async for one in coveragerpc.CoverageServiceStub(channel).EnsureCoverage(asked)]
        assert (told[-1].done, told[-1].bars_present, list(told[-1].failures)) == (True, 60, [])
        assert told[-1].artifact_fingerprint
        world = worldservicepb.CreateWorldRequest(world_id="seconds", data_presets=[PRESET])
        await client.worlds.CreateWorld(world)
        put = policyservicepb.PutPolicyRequest(world_id="seconds", document=POLICY, make_default=True)
        await client.policies.PutPolicy(put)
        known = await Runner.submit_async(Seconds(), world="seconds", gateway=gateway)
        change = activationpb.ActivationChange(
            strategy_id=known.strategy_id,
            side=commonpb.SIDE_LONG,
            active=True,
            weight="1.0",
            stage=bindingpb.STAGE_PAPER,
        )
        changed = activationservicepb.SetActivationRequest(world_id="seconds", changes=[change])
        activation = (await client.activation.SetActivation(changed)).activation
        start = activation.sessions[0].start.ToDatetime(UTC)
        until = max(start, datetime.now(UTC)) + timedelta(seconds=SESSION_S)
        paper = await Runner.run_async(Seconds(), world="seconds", terms=SessionTerms(until=until), gateway=gateway)
        (bars,) = paper.bars
        assert len(bars) >= SESSION_S
        assert set((bars.open_ns[1:] - bars.open_ns[:-1]).tolist()) == {10**9}
        truth = live.market.tape.truth(int(bars.open_ns[0]) // 10**6, int(bars.open_ns[-1]) // 10**6 + 1_000)
        assert bars.values[:, 3].tolist() == [float(one.close) for one in truth]
        assert paper.books_agree
        context = commonpb.ComputeContext(execution_domain=commonpb.EXECUTION_DOMAIN_LIVE)
        fetch = dataservicepb.FetchRequest(dataset=PRESET, context=context)
        fetch.range.start.FromDatetime(now - timedelta(seconds=60))
        metadata = [part async for part in client.data.Fetch(fetch)][-1].metadata
        assert metadata.sla == dataservicepb.SLA_OUTCOME_MET
        assert coveragepb.SPAN_SOURCE_LIVE in {span.source for span in metadata.spans}


async def test_history_is_ensured_on_the_command_line(live: LiveMesh) -> None:
    cli = CliMesh(live.mesh, Invoke(live.config), "", "", "")
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=100)
    span = ("--start", start.isoformat(), "--end", (start + timedelta(seconds=50)).isoformat())
    done = json.loads(await asyncio.to_thread(cli.ask, "data", "ensure", PRESET, *span, "--json"))
    assert (done["bars_present"], done["done"]) == ("50", True)
    told = await asyncio.to_thread(cli.ask, "data", "fetch", PRESET, *span)
    assert "50 bars, 100.00% of those expected" in told
    assert "from ARTIFACT 50" in told

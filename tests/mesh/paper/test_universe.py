"""A world on a universe of three symbols at two intervals: replayed, traded on paper, equal to the local backtest."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.sdk import Bars, Runner, Strategy, StreamInput, latest, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.mesh.client import Client, Gateway, open_client
from qmtl.sdk.mesh.history import History
from qmtl.sdk.mesh.session.events import BarDone, SessionEvent
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.mesh.paper.test_parity import check_equal
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually

SYMBOLS = ("BTC-USD", "ETH-USD", "AAPL")
QUARTER_S, HOUR_S = 900, 3600
FIRST = datetime(2024, 3, 1, tzinfo=UTC)
CUT = datetime(2024, 3, 8, 10, 30, tzinfo=UTC)  # inside an hour: its bar becomes known in the session
DAYS = 10
POLICY = """
data_currency: {max_lag: 1d, min_history: 5d}
selection: {gates: {and: ["n_trades >= 1"]}, score: "double(n_trades)", topk: {total: 4}}
"""


class Rotating(Strategy):
    """Holds each of three symbols while its quarter hours rise and its hours do not fall."""

    name = "rotating"

    def setup(self) -> None:
        for symbol in SYMBOLS:
            price = StreamInput(symbol, interval="15m")
            hours = StreamInput(symbol, interval="1h")
            slow = latest(ta.ema(hours, 3), at=price)
            rising = signals.trend(ta.ema(price, 3), slow)
            self.trade(signals.position_target(rising, long=0.3, short=0.0), price)


def bars_of(symbol: str, interval_s: int) -> Bars:
    """A seeded walk by quarter hours, with holes, and the hours made of all of it."""
    seed = np.random.default_rng(SYMBOLS.index(symbol) + 7)
    count = DAYS * 86_400 // QUARTER_S
    closes = np.round(100.0 * (1 + SYMBOLS.index(symbol)) * np.exp(np.cumsum(seed.normal(0, 0.004, count))), 2)
    opens = np.concatenate(([closes[0]], closes[:-1]))
    times = int(FIRST.timestamp()) * 10**9 + QUARTER_S * 10**9 * np.arange(count, dtype=np.int64)
    rows = np.column_stack(
        [opens, np.maximum(opens, closes) + 0.25, np.minimum(opens, closes) - 0.25, closes, np.full(count, 1000.0)]
    )
    if interval_s == QUARTER_S:
        kept = seed.random(count) > 0.01
        kept[[0, -1]] = True
        return Bars(symbol, QUARTER_S, times[kept], rows[kept])
    hours = rows.reshape(-1, 4, 5)
    made = np.column_stack(
        [hours[:, 0, 0], hours[:, :, 1].max(1), hours[:, :, 2].min(1), hours[:, -1, 3], hours[:, :, 4].sum(1)]
    )
    return Bars(symbol, HOUR_S, times[::4].copy(), made)


def everything() -> list[Bars]:
    return [bars_of(symbol, interval_s) for symbol in SYMBOLS for interval_s in (QUARTER_S, HOUR_S)]


def settings(folder: Path) -> Path:
    """Six files, and the universe of them."""
    lines, names = [], []
    for bars in everything():
        name = f"{bars.symbol[:3].lower()}{bars.interval_s}"
        columns = dict(zip(("open", "high", "low", "close", "volume"), bars.values.T, strict=True))
        pl.DataFrame({"time": bars.open_ns // 10**9, **columns}).write_parquet(folder / f"{name}.parquet")
        interval = "15m" if bars.interval_s == QUARTER_S else "1h"
        lines.append(
            f'[seamless.files.{name}]\npath = "{folder / f"{name}.parquet"}"\nsymbol = "{bars.symbol}"\n'
            f'interval = "{interval}"\nconformance = "tolerant"\n'
        )
        names.append(f'"file.ohlcv.{name}"')
    lines.append(f"[seamless.universes.three]\npresets = [{', '.join(names)}]\n")
    path = folder / "qmtl.toml"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[Mesh]:
    async with Mesh(laid_plan(tmp_path / "home", settings(tmp_path))) as started:
        yield started


async def prepared(client: Client, gateway: Gateway, world: str) -> None:
    async def ingested() -> bool:
        listed = await client.catalogue.ListDatasets(catalogueservicepb.ListDatasetsRequest())
        return sum(one.rows > 0 and one.dataset.startswith("ohlcv:file-") for one in listed.datasets) == 6

    await eventually(ingested, 30.0)
    wanted = worldservicepb.CreateWorldRequest(world_id=world, data_presets=["replay.three"])
    await client.worlds.CreateWorld(wanted)
    put = policyservicepb.PutPolicyRequest(world_id=world, document=POLICY, make_default=True)
    await client.policies.PutPolicy(put)
    known = await Runner.submit_async(Rotating(), world=world, history=History(end=CUT), gateway=gateway)
    assert known.data.dataset == "replay.three"
    assert len(known.bars) == 6
    change = activationpb.ActivationChange(
        strategy_id=known.strategy_id, side=commonpb.SIDE_LONG, active=True, weight="1.0", stage=bindingpb.STAGE_PAPER
    )
    await client.activation.SetActivation(activationservicepb.SetActivationRequest(world_id=world, changes=[change]))


async def played(mesh: Mesh, kill: Sequence[str]) -> tuple[SessionResult, RunResult]:
    """A paper session on the universe, services killed in its middle, and the local backtest over the same bars."""
    gateway = Gateway(address=mesh.address("gateway"), home=mesh.home, outage_s_max=120.0)
    under_way = asyncio.Event()

    def heard(event: SessionEvent) -> None:
        if isinstance(event, BarDone) and event.bars == 60:
            under_way.set()

    async with open_client(gateway) as client:
        await prepared(client, gateway, "universe")
        run = asyncio.create_task(Runner.run_async(Rotating(), world="universe", gateway=gateway, on_event=heard))
        for name in kill:
            await asyncio.wait({run, asyncio.ensure_future(under_way.wait())}, return_when="FIRST_COMPLETED")
            assert not run.done(), "it was over before anything was killed"
            pid = mesh.kill(name, signal.SIGKILL)
            await mesh.ready(name, other_than=pid, timeout_s=60)
        paper = await run
    start_ns = paper.session.start.ToNanoseconds()
    held_back = [bars.between(None, int(bars.open_ns[-2])) for bars in everything()]  # the newest two of each
    end_ns = min(int(bars.close_ns[-1]) for bars in held_back)
    seen = [bars.between(None, end_ns - bars.interval_s * 10**9 + 1) for bars in held_back]
    local = Runner.backtest(Rotating(), seen, terms=AccountTerms(start=datetime.fromtimestamp(start_ns / 1e9, UTC)))
    return paper, local.replay


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kill", [pytest.param([], marks=pytest.mark.soak), ["seamless"]])
async def test_a_paper_session_on_a_universe_is_the_backtest_continued(mesh: Mesh, kill: list[str]) -> None:
    paper, local = await played(mesh, kill)
    assert {fill.symbol for fill in local.fills} == set(SYMBOLS)
    assert len(local.fills) >= 20
    check_equal(paper, local)
    assert not paper.replay.denials

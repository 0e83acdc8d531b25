"""Half a minute without PostgreSQL, then without two of three NATS nodes, every replica killed: trading goes on."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from examples.ema_cross import EmaCross
from qmtl.sdk import Runner
from qmtl.sdk.mesh.client import Gateway
from qmtl.sdk.mesh.session.events import BarDone, SessionEvent
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.terms import SessionTerms
from tests.cli.conftest import CUT, POLICY, PRESET
from tests.scaled.scaled_mesh import ScaledMesh
from tests.scaled.test_story import level
from tests.support.postgres import OwnPostgres
from tests.support.processes import ROOT
from tests.support.waiting import eventually

OUTAGE_S = 30.0
PACE = 1.0  # bars a second: a session that lasts longer than the troubles
RECOVERED_S = 120.0
pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


@pytest.fixture
def mesh(tmp_path: Path, own_postgres: OwnPostgres) -> Iterator[ScaledMesh]:
    made = ScaledMesh(tmp_path / "mesh", own_postgres.url)
    try:
        made.init()
        made.start_all()
        yield made
    finally:
        made.stop()


async def test_outages_change_no_fill_and_end_no_process(
    mesh: ScaledMesh, own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    await mesh.ready()
    await eventually(lambda: level(mesh, "gateway-1") == "NORMAL", 120.0)
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    calm = await session(mesh, tmp_path, "calm", 1000.0)
    trading = asyncio.Event()
    troubled = asyncio.create_task(session(mesh, tmp_path, "troubled", PACE, trading))
    begun = asyncio.create_task(trading.wait())
    await asyncio.wait({troubled, begun}, return_when=asyncio.FIRST_COMPLETED)
    assert begun.done(), "it ended before its first bar"
    took = await asyncio.to_thread(trouble, mesh, own_postgres)
    sys.stdout.write("".join(f"{name}: {seconds:.1f} s\n" for name, seconds in took.items()))
    assert not troubled.done(), "the session was over before the troubles were"
    result = await troubled
    assert fills(result) == fills(calm)
    assert len(fills(calm)) > 2
    assert list(result.portfolio.cash) == list(calm.portfolio.cash)
    assert mesh.ended() == {}  # who was killed was started again; nobody ended by itself
    await eventually(lambda: level(mesh, "gateway-1") == level(mesh, "gateway-2") == "NORMAL", 120.0)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    told = mesh.demo(tmp_path / "out")
    check_demo(told, tmp_path / "out")


def check_demo(told: str, out: Path) -> None:
    """Both stories were told to their ends: what the second world decided, by whose numbers, and the report of both."""
    said = " ".join(told.split())
    chapters = [int(number) for number in re.findall(r"^(\d+)\. ", told, re.MULTILINE)]
    assert chapters == list(range(1, 12)), told
    assert re.search(r"OUT multi-asset-momentum \([^)]+\): max_drawdown <= 0.35: .* \[GATE_FAILED\]", said), told
    assert re.search(r"numbers are of the world's own replay of \S+; the client came to the same", said), told
    (shown,) = re.findall(r"Together ([-+\d.,]+) USD: equity went from ([\d.,]+) to ([\d.,]+)\.", said)
    profit, begun, ended = (Decimal(text.replace(",", "")) for text in shown)
    assert abs(ended - begun - profit) <= Decimal("0.02"), "trades by stock are not what equity came to, in cents"
    report = (out / "report.html").read_text(encoding="utf-8")
    pictures = {f"{name}.png" for name in ("ema-cross-backtest", "ema-trend-backtest", "ema-cross-paper")}
    assert set(re.findall(r'<img src="([^"]+)"', report)) == pictures | {"multi-asset-momentum-backtest.png"}
    assert {path.name for path in out.iterdir()} == pictures | {"multi-asset-momentum-backtest.png", "report.html"}
    for symbol in ("AMZN", "NFLX", "NVDA"):
        closed = re.search(rf" {symbol} (\d+) lots closed: ", said)
        assert closed, told
        assert int(closed[1]) > 0
        assert f'<tr><td>{symbol}</td><td class="n">{closed[1]}</td>' in report


def trouble(mesh: ScaledMesh, postgres: OwnPostgres) -> dict[str, float]:
    """One outage after another, each seen at the gateway while it lasts; seconds until seen, and until all was well."""
    took = {}
    wait_for(lambda: mesh.ended() == {}, 1.0)
    postgres.crash()
    took["PostgreSQL away, seen"] = wait_for(lambda: level(mesh, "gateway-1") != "NORMAL", OUTAGE_S)
    wait(OUTAGE_S)
    postgres.start()
    took["PostgreSQL back"] = wait_for(lambda: level(mesh, "gateway-1") == "NORMAL", RECOVERED_S)
    for node in ("nats-1", "nats-2"):
        mesh.kill(node)
    took["NATS quorum away, seen"] = wait_for(lambda: level(mesh, "gateway-1") != "NORMAL", OUTAGE_S)
    wait(OUTAGE_S)
    for node in ("nats-1", "nats-2"):
        mesh.start(node)
    took["NATS quorum back"] = wait_for(lambda: level(mesh, "gateway-1") == "NORMAL", RECOVERED_S)
    mesh.renew_secrets()
    for name in ("worldservice-1", "worldservice-2", "dagmanager-1", "dagmanager-2", "brokerage-1", "gateway-1"):
        mesh.kill(name)
        mesh.start(name)
        begun_s = time.monotonic()
        asyncio.run(mesh.ready())
        took[f"{name} killed and started"] = time.monotonic() - begun_s
    return took


def wait_for(condition: Callable[[], bool], within_s: float) -> float:
    """Block until it holds; how long it took, in seconds."""
    begun_s = time.monotonic()
    asyncio.run(eventually(condition, within_s))
    return time.monotonic() - begun_s


def wait(seconds: float) -> None:
    """How long an outage lasts is what is tested."""
    asyncio.run(asyncio.sleep(seconds))


async def session(
    mesh: ScaledMesh, folder: Path, world: str, pace: float, trading: asyncio.Event | None = None
) -> SessionResult:
    """A world of its own with the cross in it, traded on paper; `trading` is set at its first bar."""
    ask = asyncio.to_thread
    await ask(mesh.ask, "world", "create", world, "--preset", PRESET, "--policy", folder / "policy.yaml")
    cross = ROOT / "examples" / "ema_cross.py"
    told = await ask(mesh.ask, "submit", cross, "--world", world, "--end", CUT.isoformat(), "--json")
    await ask(mesh.ask, "world", "activate", world, json.loads(told)["strategy_id"], "--stage", "paper")
    access = mesh.access()
    token, ca = Path(access["QMTL_TOKEN_FILE"]), Path(access["QMTL_CA"])
    gateway = Gateway(access["QMTL_ADDRESS"], token_file=token, ca=ca, outage_s_max=180.0)

    def on_event(event: SessionEvent) -> None:
        if isinstance(event, BarDone) and trading is not None:
            trading.set()

    terms = SessionTerms(bars_per_second=pace)
    return await Runner.run_async(EmaCross(), world=world, gateway=gateway, terms=terms, on_event=on_event)


def fills(result: SessionResult) -> list[tuple[int, str, str]]:
    """What was bought and sold, at which price."""
    return [(order.order.side, order.cumulative_quantity, order.average_price) for order in result.orders]

"""Paper equals backtest: the same strategy over the same bars makes the same fills and the same equity, bit for bit.

The session waits for strategy and venue at each bar, so that also holds at full speed, and when a process is killed
in the middle. Only a gate that was shut may move an order: to the first bar it was open again.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import numpy as np
import pytest

from examples.ema_cross import EmaCross
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.cli.local.supervisor import Mesh
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import SystemClock
from qmtl.core.instants import to_ns
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.sdk import Bars, FillEvent, Limit, Runner, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.graph.schemas import OHLCV
from qmtl.sdk.mesh.client import Client, Gateway, open_client
from qmtl.sdk.mesh.history import History
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.events import BarDone, SessionEvent
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.submission.submit import Submitter
from qmtl.sdk.strategy.assembly import assemble
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.support.shared.meshes import laid_plan

PRESET = "demo.btc.15m"
CUT = datetime(2021, 12, 25, 13, 30, tzinfo=UTC)
POLICY = """
data_currency: {max_lag: 1d, min_history: 30d}
selection: {gates: {and: ["n_trades >= 1"]}, score: "double(n_trades)", topk: {total: 4}}
"""


class Restless(Strategy):
    """Changes its mind every few bars, so that a bar too late would show."""

    name = "restless"

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        direction = signals.trend(ta.ema(price, 4), ta.ema(price, 10))
        self.trade(signals.position_target(direction, long=0.95, short=0.0), price)


class Guarded(Restless):
    """The same with exits so near that most positions end by them, and a target that reads what is held."""

    name = "guarded"

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        held = self.position(price)
        calm = (held.unrealised > -500.0) * (held.bars_held < 20.0)
        direction = signals.trend(ta.ema(price, 4) * calm, ta.ema(price, 10))
        target = signals.position_target(direction, long=0.95, short=0.0)
        entry = Limit(offset="0.0005")
        self.trade(target, price, stop_loss="0.004", take_profit="0.005", trailing="0.003", max_bars=8, order=entry)


@pytest.fixture(scope="module")
def own_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """One for all tests of this file, whose processes they kill: each leaves it whole and takes a world of its own."""
    with Mesh(laid_plan(tmp_path_factory.mktemp("parity") / "home")) as mesh:
        yield mesh


async def activated(client: Client, gateway: Gateway, strategy: Strategy, world: str) -> None:
    """A world of its own in which the strategy may trade on paper."""
    await client.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id=world, data_presets=[PRESET]))
    put = policyservicepb.PutPolicyRequest(world_id=world, document=POLICY, make_default=True)
    await client.policies.PutPolicy(put)
    known = await Runner.submit_async(strategy, world=world, history=History(end=CUT), gateway=gateway)
    change = activationpb.ActivationChange(
        strategy_id=known.strategy_id, side=commonpb.SIDE_LONG, active=True, weight="1.0", stage=bindingpb.STAGE_PAPER
    )
    await client.activation.SetActivation(activationservicepb.SetActivationRequest(world_id=world, changes=[change]))


async def all_bars(client: Client) -> Bars:
    """Everything the preset has, history and what the session plays."""
    submitter = Submitter(RetryingClient.open(client, 30.0, SystemClock()), "")
    market = await submitter.data.market(assemble(EmaCross()), PRESET)
    (bars,) = (await submitter.data.fetch(market, dataservicepb.FetchRequest())).bars
    return bars


def told(fill: FillEvent) -> tuple[int, str, Decimal, Decimal, Decimal, str]:
    return fill.time_ns, fill.symbol, fill.quantity, fill.price, fill.fee, fill.fee_currency


def check_equal(paper: SessionResult, local: RunResult) -> None:
    assert [told(fill) for fill in paper.replay.fills] == [told(fill) for fill in local.fills]
    assert paper.replay.time_ns.tolist() == local.time_ns.tolist()
    assert paper.replay.equity == local.equity
    assert paper.equity == local.equity[-1]
    assert paper.metrics == local.metrics
    assert paper.books_agree
    check_the_world_finds_the_same(paper)


def check_the_world_finds_the_same(paper: SessionResult) -> None:
    """What the world computes from brokerage's books is what the runner computed: to the last bit."""
    run = paper.evaluation
    assert run is not None
    assert (run.evidence_state, list(run.warnings)) == (evaluationpb.EVIDENCE_STATE_REPLAYED, []), run
    assert {metric.name: metric.value for metric in run.claims} == {metric.name: metric.value for metric in run.metrics}


def check_no_fill_is_late(paper: SessionResult, bars: Bars) -> None:
    """Each order filled whole at the open of the first bar after its decision in which anything was traded."""
    filled = [status for status in paper.orders if status.state == orderpb.ORDER_STATE_FILLED]
    traded = bars.open_ns[bars.values[:, OHLCV.column("volume")] > 0.0]
    decided = [status.order.decided_at.ToNanoseconds() for status in filled]
    expected = [int(traded[np.searchsorted(traded, time_ns)]) for time_ns in decided]
    assert sorted(fill.time_ns for fill in paper.replay.fills) == sorted(expected)


def check_only_the_gate_moved_orders(paper: SessionResult, local: RunResult) -> None:
    """Up to the first refusal everything is equal; all refusals say "not now", and the next order came after them."""
    denied = [status for status in paper.orders if status.state == orderpb.ORDER_STATE_DENIED]
    rules = {orderpb.Denial.Name(status.denial) for status in denied}
    assert all(rule.startswith(("DENIAL_GATE_", "DENIAL_FENCED")) for rule in rules), rules
    if not denied:
        check_equal(paper, local)
        return
    first_ns = min(status.order.decided_at.ToNanoseconds() for status in denied)
    before = [told(fill) for fill in paper.replay.fills if fill.time_ns < first_ns]
    assert before == [told(fill) for fill in local.fills if fill.time_ns < first_ns]
    calm = int(np.searchsorted(paper.replay.time_ns, first_ns))
    assert paper.replay.equity[:calm] == local.equity[:calm]


async def session_with(
    mesh: Mesh, kill: Sequence[str] = (), at_bars: int = 100, strategy: type[Strategy] = Restless
) -> tuple[SessionResult, RunResult, Bars]:
    """A paper session at full speed, services killed in its middle, and the local backtest over the same bars."""
    gateway = Gateway(address=mesh.address("gateway"), home=mesh.home, outage_s_max=120.0)
    under_way = asyncio.Event()

    def heard(event: SessionEvent) -> None:
        if isinstance(event, BarDone) and event.bars == at_bars:
            under_way.set()

    world = f"parity-{uuid4().hex[:8]}"
    async with open_client(gateway) as client:
        await activated(client, gateway, strategy(), world)
        paper_run = asyncio.create_task(Runner.run_async(strategy(), world=world, gateway=gateway, on_event=heard))
        for name in kill:
            await asyncio.wait({paper_run, asyncio.ensure_future(under_way.wait())}, return_when="FIRST_COMPLETED")
            assert not paper_run.done(), "it was over before anything was killed"
            pid = mesh.kill(name, signal.SIGKILL)
            await asyncio.to_thread(mesh.wait_ready, name, other_than=pid, timeout_s=60)
        paper, bars = await paper_run, await all_bars(client)
    local = Runner.backtest(strategy(), bars, terms=AccountTerms(start=paper.session.start.ToDatetime(tzinfo=UTC)))
    assert to_ns(CUT) == paper.session.start.ToNanoseconds()
    assert len(local.replay.fills) >= 20
    return paper, local.replay, bars


@pytest.mark.timeout(120)
async def test_a_paper_session_at_full_speed_is_the_backtest_continued(own_mesh: Mesh) -> None:
    paper, local, bars = await session_with(own_mesh)
    check_equal(paper, local)
    check_no_fill_is_late(paper, bars)
    assert not paper.replay.denials


@pytest.mark.timeout(120)
@pytest.mark.soak
async def test_brokerage_killed_in_the_middle_changes_nothing(own_mesh: Mesh) -> None:
    paper, local, bars = await session_with(own_mesh, ["brokerage"])
    check_no_fill_is_late(paper, bars)
    check_equal(paper, local)


@pytest.mark.timeout(120)
async def test_gateway_killed_in_the_middle_moves_orders_only_while_its_gate_was_shut(own_mesh: Mesh) -> None:
    paper, local, bars = await session_with(own_mesh, ["gateway"])
    check_no_fill_is_late(paper, bars)
    check_only_the_gate_moved_orders(paper, local)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kill", [[], pytest.param(["brokerage"], marks=pytest.mark.soak)])
@pytest.mark.soak
async def test_brackets_of_a_session_are_those_of_its_backtest(own_mesh: Mesh, kill: list[str]) -> None:
    paper, local, _ = await session_with(own_mesh, kill, strategy=Guarded)
    exits = [status for status in paper.orders if status.order.parent_client_order_id]
    assert sum(status.state == orderpb.ORDER_STATE_FILLED for status in exits) >= 5
    check_equal(paper, local)

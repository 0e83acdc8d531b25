"""The fence over a far venue, through real processes: what was on the wire, what was held, who was stopped or killed.

The link to the venue takes its time and loses every other answer, so a freeze finds intents on the wire and outcomes
unknown. What was put on the wire and what the venue has is read from brokerage's own store. Bars come only when the
test lets them.
"""

from __future__ import annotations

import asyncio
import signal
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from brokerage.domain.risk.fence import FenceState
from brokerage.domain.simulation.arrivals import NOT_AT_VENUE
from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.cli.local.layout import Plan
from qmtl.cli.local.process import Unit
from qmtl.cli.local.supervisor import Mesh
from qmtl.core.errors import NotFound
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.world.v1 import apply_pb2 as applypb
from tests.mesh.far_venue import PacedTradingMesh, Records
from tests.mesh.gateway_client import open_gateway_client
from tests.mesh.trading_mesh import COMPLETED, ENDED, TradingMesh, at_work
from tests.support.shared.meshes import laid_plan
from tests.support.waiting import eventually
from tests.support.wire import Wire, wired

FAR = """
[brokerage]
stops = "emulated"
venue_latency_ms = 2500
venue_answer_loss = "0.5"
venue_answer_timeout_ms = 7000
venue_query_after_ms = 500
[worldservice]
intents_wait_s = 4.0
"""
SUBMIT_ORDER = "/qmtl.broker.v1.OrderEntryService/SubmitOrder"
SELL_STOP = {"side": "ORDER_SIDE_SELL", "type": "ORDER_TYPE_STOP_MARKET"}


@pytest.fixture(scope="module")
def far_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Two gateways, and a brokerage with a far venue."""
    home = tmp_path_factory.mktemp("fence")
    (home / "qmtl.toml").write_text(FAR)
    with Mesh(laid_plan(home / "home", home / "qmtl.toml", replicas={"gateway": 2})) as running:
        yield running


@pytest.fixture
async def far(far_mesh: Mesh) -> AsyncIterator[PacedTradingMesh]:
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(open_gateway_client(far_mesh.address(name), far_mesh.home))
            for name in ("gateway", "gateway-2")
        }
        made = PacedTradingMesh(far_mesh, clients)
        await made.open()
        yield made


@asynccontextmanager
async def watching(trading: TradingMesh) -> AsyncIterator[Records]:
    """Brokerage's records, and an order every moment through each gateway."""
    records = Records(trading.mesh.home, trading.world)
    try:
        async with at_work(records.watched(), *(trading.orders_flow(name) for name in trading.clients)):
            await eventually(trading.all_pass, 30.0)
            yield records
    finally:
        records.close()


@asynccontextmanager
async def stopped(mesh: Mesh, name: str) -> AsyncIterator[None]:
    """A process that is stopped, and goes on afterwards."""
    pid = mesh.kill(name, signal.SIGSTOP)
    try:
        await eventually(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        yield
    finally:
        mesh.kill(name, signal.SIGCONT)


def said(run: applypb.ApplyRun, words: str) -> set[str]:
    """The orders a line of the run's timeline names after these words, each by its client order id."""
    lines = [step.message.partition(words)[2] for step in run.steps if words in step.message]
    return {intent.rpartition("/")[2] for line in lines for intent in line.removeprefix(": ").split(", ")}


def check_freeze(trading: PacedTradingMesh, records: Records, run: applypb.ApplyRun) -> set[str]:
    """Nothing was put on the wire under a frozen fence, and nothing arrived in it but what was listed; the arrivals."""
    frozen = {seen.epoch for seen in records.seen if seen.state is FenceState.FROZEN}
    assert run.fence_epoch in frozen
    assert not frozen & records.on_the_wire_under()
    during = [seen.venue for seen in records.seen if seen.epoch == run.fence_epoch]
    listed = {trading.identity(name) for name in said(run, "on the wire")}
    arrived = set(during[-1] - during[0])
    assert arrived <= listed
    return arrived


@pytest.mark.timeout(120)
async def test_a_freeze_lists_what_is_on_the_wire_waits_for_it_and_flags_what_stays_unknown(
    far: PacedTradingMesh,
) -> None:
    heard, lost = far.named("heard", lost=False), far.named("lost", lost=True)
    async with watching(far) as records:
        for name in (heard, lost):
            await far.submit(far.order(name))
            await far.until_order(name, orderpb.ORDER_STATE_SUBMITTED)
        await far.apply("unknown")
        await far.until_fence(fencepb.FENCE_STATE_FROZEN)
        again = await far.submit(far.order(lost))
        assert again.status.denial == orderpb.DENIAL_GATE_FROZEN
        run = await far.until("unknown", *ENDED)
        assert run.state == COMPLETED, run.message
        assert {heard, lost} <= said(run, "on the wire")
        assert lost in said(run, "outcome UNKNOWN")
        assert heard not in said(run, "outcome UNKNOWN")

        for name in (heard, lost):  # found at the venue, and withdrawn: they could add to a position in the freeze
            await far.until_order(name, orderpb.ORDER_STATE_CANCELED)
        again = await far.submit(far.order(lost))
        assert again.duplicate
    assert {far.identity(heard), far.identity(lost)} <= check_freeze(far, records, run)
    sent, asked = ["INITIALIZED", "RELEASED", "SUBMITTED"], "PENDING_CANCEL"
    unknown = [asked] if far.loses_cancel(heard) else []
    assert records.kinds(far.identity(heard)) == [*sent, asked, "ACCEPTED", asked, *unknown, "CANCELED"]
    assert records.kinds(far.identity(lost)) == [*sent, asked, asked, "CANCELED"]  # asked for, and flagged as unknown


async def holding(trading: PacedTradingMesh) -> None:
    """The account holds something, and the next two bars fall below where the second of them closes."""
    bought = trading.named("bought", lost=False)
    await trading.submit(trading.order(bought, side="ORDER_SIDE_BUY", type="ORDER_TYPE_MARKET", quantity="0.02"))
    await trading.until_order(bought, orderpb.ORDER_STATE_ACCEPTED)
    while (await trading.status(bought)).state != orderpb.ORDER_STATE_FILLED or not recovers(
        trading.peeked[trading.shown + 1]
    ):
        await trading.step()


def recovers(bar: barspb.Bar) -> bool:
    """Whether a bar closes well above its low."""
    return bar.close - bar.low > 1


@pytest.mark.timeout(120)
@pytest.mark.soak
async def test_a_stop_reached_in_a_freeze_is_held_although_brokerage_is_killed_in_it(far: PacedTradingMesh) -> None:
    await holding(far)
    first, second = far.peeked[far.shown : far.shown + 2]
    beyond = max(Decimal(repr(first.close)), Decimal(repr(second.close))) + 100
    back_over = (Decimal(repr(second.low)) + Decimal(repr(second.close))) / 2
    goes, waits, carried = far.named("goes", lost=False), "waits", far.named("carried", lost=True)
    async with watching(far) as records:
        for name, price in ((goes, beyond), (waits, back_over)):
            await far.submit(far.order(name, stop_price=f"{price:.2f}", **SELL_STOP))
            await far.until_order(name, orderpb.ORDER_STATE_EMULATED)
        await far.submit(far.order(carried))
        await far.until_order(carried, orderpb.ORDER_STATE_SUBMITTED)
        await far.apply("killed")
        await eventually(lambda: far.is_confirmed("killed"))
        async with stopped(far.mesh, "worldservice"):  # so that the freeze lasts until the test has seen enough
            await far.step()
            await far.until_held(goes)
            pid = far.mesh.kill("brokerage", signal.SIGKILL)
            await asyncio.to_thread(far.mesh.wait_ready, "brokerage", other_than=pid)
            await far.step()
            await far.until_held(waits)
            await far.until_held(goes)
            assert (await far.fence()).state == fencepb.FENCE_STATE_FROZEN
        run = await far.until("killed", *ENDED)
        assert run.state == COMPLETED, run.message
        assert carried in said(run, "on the wire")

        await far.until_order(goes, orderpb.ORDER_STATE_ACCEPTED)
        assert (await far.status(waits)).state == orderpb.ORDER_STATE_EMULATED
        gone = await far.until_order(carried, orderpb.ORDER_STATE_CANCELED)
        assert gone.message == NOT_AT_VENUE
    check_freeze(far, records, run)
    assert records.kinds(far.identity(goes)) == [
        "INITIALIZED", "EMULATED", "UPDATED", "RELEASED", "SUBMITTED", "ACCEPTED",
    ]  # fmt: skip
    assert records.kinds(far.identity(carried)) == [
        "INITIALIZED", "RELEASED", "SUBMITTED", "PENDING_CANCEL", "PENDING_CANCEL", "CANCELED",
    ]  # fmt: skip
    assert far.identity(carried) not in records.venue()


@dataclass(frozen=True)
class WiredPlan(Plan):
    """A mesh one of whose processes reaches brokerage over a wire of the test's."""

    wired: str = ""
    wire: str = ""

    def units(self) -> list[Unit]:
        return [self._over_the_wire(unit) if unit.name == self.wired else unit for unit in super().units()]

    def _over_the_wire(self, unit: Unit) -> Unit:
        return replace(unit, environ={**unit.environ, "QMTL__MESH__ADDRESSES__BROKERAGE": self.wire})


@asynccontextmanager
async def wired_trading(home: Path) -> AsyncIterator[tuple[PacedTradingMesh, Wire]]:
    """Two gateways, of which the second reaches brokerage over the wire."""
    plan = laid_plan(home, replicas={"gateway": 2})
    address = next(place.address for place in plan.places if place.service == "brokerage")
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(wired(int(address.rpartition(":")[2])))
        wired_plan = WiredPlan(
            plan.home, plan.nats_url, plan.own_nats, plan.places, wired="gateway-2", wire=wire.address
        )
        mesh = await stack.enter_async_context(Mesh(wired_plan))
        clients = {
            name: await stack.enter_async_context(open_gateway_client(mesh.address(name), mesh.home))
            for name in ("gateway", "gateway-2")
        }
        trading = PacedTradingMesh(mesh, clients)
        await trading.open()
        yield trading, wire


async def refused_once(mesh: Mesh) -> bool:
    """Whether brokerage has answered one order with FAILED_PRECONDITION, as it does under a stale epoch."""
    port = next(running.metrics_port for running in mesh.running() if running.name == "brokerage")

    def page() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    labels = f'code="FAILED_PRECONDITION",method="{SUBMIT_ORDER}"'
    return f"qmtl_rpc_server_handled_total{{{labels}}} 1.0" in (await asyncio.to_thread(page)).splitlines()


@pytest.mark.timeout(120)
async def test_an_order_that_has_passed_its_gate_misses_the_freeze_whenever_it_arrives(tmp_path: Path) -> None:
    async with wired_trading(tmp_path / "home") as (trading, wire):
        await trading.submit(trading.order("before"), "gateway-2")
        wire.hold()
        sending = asyncio.create_task(trading.submit(trading.order("in-it"), "gateway-2"))
        await eventually(lambda: wire.holds(b"in-it"))
        async with stopped(trading.mesh, "gateway-2"):
            await trading.apply("stopped")
            frozen = await trading.until_fence(fencepb.FENCE_STATE_FROZEN)
            wire.release()
            await eventually(lambda: refused_once(trading.mesh))
            with pytest.raises(NotFound):
                await trading.status("in-it")
            assert await trading.fence() == frozen
        assert (await trading.until("stopped", *ENDED)).state == COMPLETED
        answer = (await sending).status
        assert answer.denial == orderpb.DENIAL_GATE_FROZEN or answer.fence_epoch > frozen.fence_epoch

        wire.hold()
        sending = asyncio.create_task(trading.submit(trading.order("after-it"), "gateway-2"))
        await eventually(lambda: wire.holds(b"after-it"))
        await trading.apply("late")
        run = await trading.until("late", *ENDED)
        assert run.state == COMPLETED, run.message
        wire.release()
        answer = (await sending).status
        assert answer.state == orderpb.ORDER_STATE_ACCEPTED
        assert answer.fence_epoch == (await trading.fence()).fence_epoch > run.fence_epoch

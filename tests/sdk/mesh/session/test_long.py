"""A session of many bars: a late bar costs what an early one does; it goes on after a freeze and a shadow."""

from __future__ import annotations

import gc
import time
import tracemalloc
from dataclasses import dataclass, field

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.sdk import Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.mesh.session.events import BarDone, SessionEvent
from qmtl.sdk.mesh.session.run import trade
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.market import walk
from tests.sdk.mesh.fakes import FakeMesh
from tests.sdk.mesh.session.test_session import submitter
from tests.support.waiting import eventually

WARM = 100
BAR_BYTES_MAX = 400  # kept of a bar and its share of orders, fills and points of the curve


class Busy(Strategy):
    """Changes its mind about every tenth bar."""

    name = "busy"

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        target = signals.position_target(signals.trend(ta.ema(price, 3), ta.ema(price, 8)), long=0.5, short=0.0)
        self.trade(target, price)


async def active(bars: int) -> FakeMesh:
    mesh = FakeMesh(walk(WARM + bars, seed=5), WARM)
    bound = await submitter(mesh).bind(assemble(Busy()))
    mesh.activate(bound.strategy.strategy_id)
    return mesh


@dataclass
class Meter:
    """CPU and memory at each tenth of a session."""

    every: int
    cpu_s: list[float] = field(default_factory=list)
    held: list[int] = field(default_factory=list)

    def __call__(self, event: SessionEvent) -> None:
        if isinstance(event, BarDone) and event.bars % self.every == 0:
            gc.collect()  # what is garbage is not held
            self.cpu_s.append(time.process_time())
            self.held.append(tracemalloc.get_traced_memory()[0])


@pytest.mark.parametrize(
    ("bars", "orders"), [(600, 60), pytest.param(50_000, 5_000, marks=[pytest.mark.soak, pytest.mark.timeout(3_600)])]
)
async def test_a_late_bar_costs_what_an_early_one_does(bars: int, orders: int) -> None:
    mesh, meter = await active(bars), Meter(bars // 10)
    tracemalloc.start()
    try:
        result = await trade(submitter(mesh), assemble(Busy()), None, SessionTerms(), meter)
    finally:
        tracemalloc.stop()
    assert len(result.orders) >= orders
    assert len(result.bars[0]) == bars
    if bars >= 50_000:  # fewer are over before a clock tells them apart
        steps = [after - before for before, after in zip(meter.cpu_s, meter.cpu_s[1:], strict=False)]
        assert sum(steps[-3:]) < 2.0 * sum(steps[:3])
    grown = (meter.held[-1] - meter.held[1]) / (8 * meter.every)
    own = (sum(fill.ByteSize() for fill in mesh.fills) + sum(one.ByteSize() for one in mesh.orders.values())) / bars
    assert grown < BAR_BYTES_MAX + 10 * own, "of it the stand-in's own orders and fills"


async def test_a_freeze_and_a_shadow_send_nothing_and_the_session_goes_on_with_its_state_after_them() -> None:
    mesh = await active(300)
    strategy_id = next(iter(mesh.live.values())).strategy_id
    changed = list[int]()

    async def change(bar: int) -> None:
        """Freeze, thaw, put into shadow and back, each once the runner is told."""
        if bar not in (60, 120, 180, 240):
            return
        mesh.activate(strategy_id, freeze=bar == 60)
        if bar == 180:
            mesh.activation.entries[0].effective_mode = commonpb.EFFECTIVE_MODE_SHADOW
        changed.append(mesh.watermark_ns)
        subscribed = len(mesh.resumed_from)
        await eventually(lambda: len(mesh.resumed_from) >= subscribed + 2)  # one has told it whole, and ended

    mesh.before_bar = change
    result = await trade(submitter(mesh), assemble(Busy()), None, SessionTerms())
    frozen, thawed, shadowed, back = changed
    decided = [one.order.decided_at.ToNanoseconds() for one in result.orders]
    spans = ((0, frozen), (frozen, thawed), (thawed, shadowed), (shadowed, back), (back, 2**63))
    sent = [sum(after < at <= until for at in decided) for after, until in spans]
    assert [count > 0 for count in sent] == [True, False, True, False, True], sent
    calm = await trade(submitter(await active(300)), assemble(Busy()), None, SessionTerms())
    assert result.bars[0].values.tobytes() == calm.bars[0].values.tobytes()
    assert result.books_agree

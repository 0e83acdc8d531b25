"""A source beside others at the shared limits: live bars wait for no history, and an old count is not heard again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from controlbus.bus import connected
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import Unavailable
from qmtl.core.tasks.ending import end
from qmtl.exchanges.budgets import Purpose, RequestBudget
from qmtl.exchanges.published import limits_of
from seamless.sources.ccxt.source import CLOCK_AGE_S, CcxtSource
from tests.controlbus.states import unique
from tests.exchange.binance.client import clocked
from tests.exchange.core.faults import Trouble
from tests.exchange.market.client import Market, bars_of, market
from tests.support.waiting import eventually

LIMITS = limits_of(6_000, 60.0, 100, 10.0)
LIVE_ONLY = LIMITS.weight.burst - 2 * LIMITS.weight_reserve  # of a full bucket: then history has nothing


@dataclass(frozen=True, slots=True)
class Limited:
    """A source whose calls are paced, on a clock that the test moves, half a minute in."""

    source: CcxtSource
    budget: RequestBudget
    clock: VirtualClock
    market: Market


@asynccontextmanager
async def limited(nats_url: str) -> AsyncIterator[Limited]:
    clock, name = VirtualClock(datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)), unique("a")
    async with connected(nats_url, service="t") as bus, market(clocked(clock)) as there:
        budget = RequestBudget(bus, clock, "test", egress=name, account=name, limits=LIMITS)
        async with bars_of(there, clock=clock, budget=budget) as source:
            yield Limited(source, budget, clock, there)


async def test_live_bars_do_not_wait_behind_history_that_waits(nats_url: str) -> None:
    async with limited(nats_url) as it:
        assert await it.budget.take_weight(Purpose.CANCEL, LIVE_ONLY) == 0.0
        history = asyncio.create_task(it.source.now_ns(Purpose.HISTORY))
        await eventually(lambda: it.clock.sleepers == 1)
        live = asyncio.create_task(it.source.now_ns(Purpose.MARKET_DATA))
        try:
            await eventually(live.done)
            assert not history.done()
        finally:
            await end(history, live)


async def test_a_call_without_an_answer_tells_no_count(nats_url: str) -> None:
    async with limited(nats_url) as it:
        it.market.told.meter.used[it.market.exchange.clock() // 60_000] = 5_000  # of others
        await it.source.now_ns()
        assert await it.budget.take_weight(Purpose.CANCEL, 2_000) > 0.0, "the count was not heard"
        it.clock.advance(60.0)
        assert CLOCK_AGE_S < 60.0, "the time is not asked for again"
        it.market.exchange.faults.plan("GET time", *[Trouble.CUT_BEFORE] * 4)
        with pytest.raises(Unavailable):
            await it.source.now_ns()
        assert await it.budget.take_weight(Purpose.CANCEL, 2_000) == 0.0

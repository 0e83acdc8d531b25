"""One budget of many processes: history leaves the reserve, trading may use it, and a ban is everybody's."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from controlbus.bus import Bus, connected
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import Exhausted
from qmtl.exchanges.budgets import Purpose, RequestBudget
from qmtl.exchanges.published import ExchangeLimits, limits_of
from tests.controlbus.states import unique
from tests.support.processes import python_env

LIMITS = limits_of(20, 10.0, 20, 10.0)  # ten at once, one a second, two of them reserved
AT_ONCE, KEPT = 10, 2


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected(nats_url, service="t") as ready:
        yield ready


def budget(
    bus: Bus, clock: VirtualClock, account: str, *, egress: str = "", limits: ExchangeLimits = LIMITS
) -> RequestBudget:
    return RequestBudget(bus, clock, "test", egress=egress or account, account=account, limits=limits)


def clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))


async def passes(one: RequestBudget, purpose: Purpose, weight: int = 1) -> bool:
    try:
        await one.request(purpose, weight=weight, timeout_s=0.5)
    except Exhausted:
        return False
    return True


@pytest.mark.parametrize("purpose", list(Purpose))
async def test_who_may_use_the_reserve_of_weight(bus: Bus, purpose: Purpose) -> None:
    one = budget(bus, clock(), unique("a"))
    assert await passes(one, Purpose.INCREASE, AT_ONCE - KEPT)
    assert await passes(one, purpose) is (purpose.reserves == 0)
    assert not await passes(one, Purpose.INCREASE)


def test_only_what_takes_risk_away_or_asks_for_an_order_uses_the_reserve() -> None:
    assert {purpose for purpose in Purpose if not purpose.reserves} == {Purpose.REDUCE, Purpose.CANCEL, Purpose.QUERY}


@pytest.mark.parametrize("waits", [Purpose.RECONCILE, Purpose.HISTORY])
@pytest.mark.parametrize("goes_on", [Purpose.INCREASE, Purpose.MARKET_DATA])
async def test_what_can_wait_leaves_room_for_new_orders_and_live_bars_too(
    bus: Bus, waits: Purpose, goes_on: Purpose
) -> None:
    one = budget(bus, clock(), unique("a"))
    assert await passes(one, waits, AT_ONCE - 2 * KEPT)
    assert not await passes(one, waits)
    assert await passes(one, goes_on, KEPT)
    assert not await passes(one, goes_on)


async def test_tokens_are_taken_without_waiting_or_told_when_to_ask_again(bus: Bus) -> None:
    one = budget(bus, clock(), unique("a"))
    assert await one.take_orders(Purpose.INCREASE, AT_ONCE - KEPT) == 0.0
    assert await one.take_orders(Purpose.INCREASE, 1) == pytest.approx(1.0, abs=0.01)
    assert await one.take_orders(Purpose.CANCEL, KEPT) == 0.0
    assert await one.take_weight(Purpose.INCREASE, AT_ONCE - KEPT) == 0.0
    assert await one.take_weight(Purpose.INCREASE, 1) == pytest.approx(1.0, abs=0.01)
    assert await one.take_weight(Purpose.REDUCE, KEPT) == 0.0


async def test_orders_are_the_accounts_and_weight_the_addresss(bus: Bus) -> None:
    name, at = unique("a"), clock()
    one, other = budget(bus, at, name, egress=name), budget(bus, at, f"{name}-2", egress=name)
    for _ in range(4):
        await one.order(Purpose.INCREASE, timeout_s=0.5)
        await other.order(Purpose.INCREASE, timeout_s=0.5)
    with pytest.raises(Exhausted, match="weight"):  # the address is at its reserve, the accounts are not
        await one.order(Purpose.INCREASE, timeout_s=0.5)
    await one.order(Purpose.CANCEL, timeout_s=0.5)


async def test_increases_leave_an_accounts_last_orders_to_cancels(bus: Bus) -> None:
    name = unique("a")
    wide = ExchangeLimits(limits_of(2_000, 10.0, 2, 10.0).weight, LIMITS.orders, 0, KEPT)
    one = budget(bus, clock(), name, limits=wide)
    for _ in range(AT_ONCE - KEPT):
        await one.order(Purpose.INCREASE, timeout_s=0.5)
    with pytest.raises(Exhausted, match="orders"):
        await one.order(Purpose.INCREASE, timeout_s=0.5)
    for _ in range(KEPT):
        await one.order(Purpose.REDUCE, timeout_s=0.5)
    with pytest.raises(Exhausted, match="orders"):
        await one.order(Purpose.CANCEL, timeout_s=0.5)


async def test_what_the_exchange_has_counted_is_adopted(bus: Bus) -> None:
    name = unique("a")
    at = clock()
    at.advance(5)  # of ten
    one = budget(bus, at, name)
    await one.adopt(weight_used=2 * AT_ONCE - 7, orders_used=2 * AT_ONCE)
    assert not await passes(one, Purpose.HISTORY)
    assert await passes(one, Purpose.QUERY)
    assert not await passes(one, Purpose.RECONCILE)
    with pytest.raises(Exhausted, match="orders"):
        await one.order(Purpose.CANCEL, timeout_s=0.5)


async def test_a_ban_shuts_the_address_for_every_purpose(bus: Bus) -> None:
    name, at = unique("a"), clock()
    one, other = budget(bus, at, name), budget(bus, at, f"{name}-2", egress=name)
    await one.penalise(30.0)
    for purpose in Purpose:
        assert not await passes(other, purpose)
    at.advance(30)
    assert await passes(other, Purpose.CANCEL)


HISTORY = """
import asyncio, sys, time
from controlbus.bus import connected
from qmtl.core.clock import SystemClock
from qmtl.core.errors import Exhausted
from qmtl.exchanges.budgets import Purpose, RequestBudget
from qmtl.exchanges.published import limits_of

async def main():
    async with connected(sys.argv[1], service="t") as bus:
        limits = limits_of(80, 1.0, 80, 1.0)
        one = RequestBudget(bus, SystemClock(), "race", egress=sys.argv[2], account="a", limits=limits)
        taken, until = 0, time.time() + 2.0
        while time.time() < until:
            try:
                await one.request(Purpose.HISTORY, timeout_s=0.1)
                taken += 1
            except Exhausted:
                pass
    print(taken)

asyncio.run(main())
"""


async def test_processes_that_read_history_leave_a_cancel_its_place(bus: Bus, nats_url: str) -> None:
    name, begin = unique("race"), time.time()
    args = [sys.executable, "-c", HISTORY, nats_url, name]
    processes = [
        await asyncio.create_subprocess_exec(*args, env=python_env(), stdout=asyncio.subprocess.PIPE) for _ in range(2)
    ]
    counts = [int((await process.communicate())[0].split()[-1]) for process in processes]
    assert 20 < sum(counts) <= 40 + 40 * (time.time() - begin)
    limits = limits_of(80, 1.0, 80, 1.0)
    frozen = VirtualClock(datetime.fromtimestamp(time.time(), UTC))
    one = RequestBudget(bus, frozen, "race", egress=name, account="a", limits=limits)
    assert await passes(one, Purpose.CANCEL, limits.weight_reserve)

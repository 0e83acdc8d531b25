"""Clocks: the virtual one stands still until advanced and wakes sleepers in order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from qmtl.core.clock import Clock, SystemClock, VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)


async def until_asleep(clock: VirtualClock, count: int) -> None:
    for _ in range(100):
        if clock.sleepers == count:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{clock.sleepers} sleepers, want {count}")


async def test_sleepers_wake_in_order_of_their_deadlines() -> None:
    clock = VirtualClock(START)
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2)]
    await until_asleep(clock, 3)
    clock.advance(timedelta(seconds=2))
    await asyncio.gather(tasks[1], tasks[2])
    assert woken == [1, 2]
    assert not tasks[0].done()
    clock.advance(1)
    await tasks[0]
    assert clock.monotonic() == 3.0
    assert clock.now() == START + timedelta(seconds=3)


async def test_cancelled_sleeper_is_not_counted() -> None:
    clock = VirtualClock(START)
    task = asyncio.create_task(clock.sleep(5))
    await until_asleep(clock, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.sleepers == 0
    clock.advance(10)


async def test_past_instant_does_not_wait() -> None:
    for clock in clocks():
        await clock.sleep_until(START - timedelta(days=3650))
        await clock.sleep(-1)


def clocks() -> list[Clock]:
    return [VirtualClock(START), SystemClock()]


def test_time_never_goes_back() -> None:
    clock = VirtualClock(START)
    with pytest.raises(ValueError, match="at or after"):
        clock.advance_to(START - timedelta(seconds=1))
    with pytest.raises(ValueError, match="UTC-aware"):
        VirtualClock(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake under test


async def test_system_clock_is_aware_and_moves() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    assert clock.now().utcoffset() == timedelta(0)
    await clock.sleep_until(clock.now() + timedelta(milliseconds=5))
    assert clock.monotonic() >= before + 0.004

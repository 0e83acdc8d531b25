"""Supervised work goes on after each end, waits longer while it does not hold, and says whether it is well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from qmtl.core.clock import VirtualClock
from qmtl.core.errors import Conflict, Unavailable
from qmtl.core.tasks.supervision import AGAIN_MAX_S, STEADY_S, Ending, Supervised, is_outage

START = datetime(2026, 1, 1, tzinfo=UTC)


class Stage:
    """Work that ends as the test says, on a clock the test moves."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START)
        self.told: list[Ending] = []
        self.begun = 0
        self.ends: asyncio.Future[Exception | None] | None = None
        self.supervised = Supervised("relay", self.work, self.clock, self.told.append)

    async def work(self) -> None:
        self.begun += 1
        self.ends = asyncio.get_running_loop().create_future()
        error = await self.ends
        if error is not None:
            raise error

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110 - the clock is virtual: only the loop has to turn
                await asyncio.sleep(0)

    async def end(self, error: Exception | None) -> Ending:
        """End the work that goes on now, once it has been begun."""
        told = len(self.told)
        await self.until(lambda: self.ends is not None and not self.ends.done())
        assert self.ends is not None
        self.ends.set_result(error)
        await self.until(lambda: len(self.told) > told and self.clock.sleepers == 1)
        return self.told[-1]

    def go_on(self) -> None:
        self.clock.advance(self.told[-1].again_in_s)


async def test_waits_double_up_to_a_bound_and_begin_anew_once_the_work_held() -> None:
    stage = Stage()
    task = asyncio.create_task(stage.supervised.run())
    waits = []
    for _ in range(8):
        waits.append((await stage.end(Unavailable("E_X", "away"))).again_in_s)
        stage.go_on()
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, AGAIN_MAX_S, AGAIN_MAX_S]
    assert stage.supervised.trouble is not None
    assert stage.supervised.trouble.times == 8
    await stage.until(lambda: stage.begun == 9)
    stage.clock.advance(STEADY_S)
    assert stage.supervised.trouble is None
    assert (await stage.end(LookupError("a bug"))).again_in_s == 0.1
    assert not stage.told[-1].is_outage
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_work_that_returns_or_is_cancelled_from_within_is_begun_again() -> None:
    stage = Stage()
    task = asyncio.create_task(stage.supervised.run())
    assert "ended by itself" in str((await stage.end(None)).error)
    stage.go_on()
    await stage.until(lambda: stage.begun == 2)
    assert stage.ends is not None
    stage.ends.cancel()
    await stage.until(lambda: len(stage.told) == 2)
    assert "cancelled from within" in str(stage.told[1].error)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (Unavailable("E_X", ""), True),
        (OSError(28, "No space left on device"), True),
        (TimeoutError(), True),
        (ExceptionGroup("", [Unavailable("E_X", ""), ExceptionGroup("", [OSError()])]), True),
        (ExceptionGroup("", [Unavailable("E_X", ""), LookupError()]), False),
        (Conflict("E_X", ""), False),
        (LookupError(), False),
    ],
)
def test_an_outage_is_told_from_an_error_of_ours(error: BaseException, outage: bool) -> None:
    assert is_outage(error) is outage

"""Tasks end, also those that swallow a cancellation."""

from __future__ import annotations

import asyncio

from qmtl.core.clock import SystemClock
from qmtl.core.tasks.ending import end, first_of, unbroken
from qmtl.core.tasks.supervision import Ending, Supervised


class Stubborn:
    """Work that takes its first cancellations for the end of what it waited for, and goes on."""

    def __init__(self, swallows: int) -> None:
        self.left = swallows
        self.begun = asyncio.Event()

    async def work(self) -> None:
        while True:
            self.begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if self.left == 0:
                    raise
                self.left -= 1


class Returning(Stubborn):
    """Work that returns at a cancellation."""

    async def work(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    stubborn = Stubborn(2)
    task = asyncio.create_task(stubborn.work())
    await stubborn.begun.wait()
    async with asyncio.timeout(10):
        await end(task)
    assert task.cancelled()


async def test_what_tasks_raised_is_not_raised_again_and_none_is_left() -> None:
    async def fails() -> None:
        raise LookupError("its own")

    failing = asyncio.create_task(fails())
    waiting = asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    await end(failing, waiting)
    assert waiting.cancelled()
    assert isinstance(failing.exception(), LookupError)
    await end()


async def test_supervised_work_that_returns_at_a_cancellation_is_not_begun_again() -> None:
    told: list[Ending] = []
    returning = Returning(0)
    supervised = Supervised("returning", returning.work, SystemClock(), told.append)
    task = asyncio.create_task(supervised.run())
    await returning.begun.wait()
    task.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait({task})
    assert task.cancelled()
    assert told == []


async def test_the_first_wait_that_ends_ends_the_others() -> None:
    never, soon = asyncio.Event(), asyncio.Event()
    waiting = asyncio.ensure_future(never.wait())
    soon.set()
    await first_of(waiting, soon.wait(), None)
    assert waiting.cancelled()


async def test_what_is_unbroken_is_done_however_often_its_caller_is_cancelled() -> None:
    go_on, done = asyncio.Event(), False

    async def work() -> None:
        nonlocal done
        await go_on.wait()
        done = True

    caller = asyncio.create_task(unbroken(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    go_on.set()
    await asyncio.gather(caller, return_exceptions=True)
    assert done
    assert caller.cancelled()

"""Calls that outlive an outage, and how long."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from qmtl.core.clock import VirtualClock
from qmtl.core.errors import InvalidRequest, NotFound, Unavailable
from qmtl.sdk.mesh.retrying import OutageLimit, RetryingClient
from tests.sdk.market import walk
from tests.sdk.mesh.fakes import FakeMesh
from tests.support.waiting import eventually

UNUSED = FakeMesh(walk(10), 5).client
AWAY = Unavailable("E_TEST", "away")
PAUSE_MAX_S = 0.2  # of the first two attempts
T = TypeVar("T")


def clock() -> VirtualClock:
    return VirtualClock(datetime(2021, 1, 1, tzinfo=UTC))


async def paused(time: VirtualClock, call: Coroutine[object, object, T], *pauses_s: float) -> T:
    """The result of a call that pauses so often, each time for no longer than this."""
    task = asyncio.ensure_future(call)
    for pause_s in pauses_s:
        await eventually(lambda: time.sleepers == 1)
        time.advance(pause_s)
    return await task


async def test_outages_are_repeated_until_one_answers() -> None:
    answers: list[int | Unavailable] = [AWAY, AWAY, 7]
    time = clock()
    retrying = RetryingClient.open(UNUSED, 10.0, time)

    async def call() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    assert await paused(time, retrying.ask(call, "test"), PAUSE_MAX_S, PAUSE_MAX_S) == 7
    assert retrying.outage.retries == 2
    assert retrying.separate().outage.retries == 0


async def test_what_waiting_does_not_help_is_raised_at_once() -> None:
    async def call() -> int:
        raise NotFound("E_TEST", "no such thing")

    retrying = RetryingClient.open(UNUSED, 10.0, clock())
    with pytest.raises(NotFound):
        await retrying.ask(call, "test")
    assert retrying.outage.retries == 0


async def test_the_limit_counts_from_the_first_failure_and_starts_anew_after_an_answer() -> None:
    time = clock()
    limit = OutageLimit(10.0, time)
    await paused(time, limit.failed(AWAY, "test"), PAUSE_MAX_S)
    time.advance(9.0)
    await paused(time, limit.failed(AWAY, "test"), PAUSE_MAX_S)
    limit.answered()
    time.advance(9.0)
    await paused(time, limit.failed(AWAY, "test"), PAUSE_MAX_S)
    time.advance(11.0)
    with pytest.raises(Unavailable) as raised:
        await limit.failed(AWAY, "test")
    assert raised.value.__notes__ == ["test: no answer for 10 s"]


async def test_no_attempt_comes_before_the_server_wants_it() -> None:
    time = clock()
    task = asyncio.ensure_future(
        OutageLimit(10.0, time).failed(Unavailable("E_TEST", "busy", retry_after_s=3.0), "test")
    )
    await eventually(lambda: time.sleepers == 1)
    time.advance(2.9)
    assert time.sleepers == 1
    time.advance(0.1)
    await task


@pytest.mark.parametrize("limit_s", [0.0, -1.0])
def test_no_limit_is_refused(limit_s: float) -> None:
    with pytest.raises(InvalidRequest, match="E_OUTAGE_LIMIT"):
        OutageLimit(limit_s, clock())

"""Token buckets: never above the rate, whoever races; a 429 of one process shuts all."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlbus.bus import Bus, connected
from controlbus.coordination.token_bucket import PENALTY_MAX_S, SECOND_NS, Fill, Limit, adopted, penalised, take
from qmtl.core.clock import SystemClock, VirtualClock
from qmtl.core.errors import Exhausted, InvalidRequest
from tests.controlbus.states import unique
from tests.support.processes import python_env

LIMIT = Limit("x/{account}", tokens=10, interval_s=1.0, burst=3, penalty_s=5.0)


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected(nats_url, service="t") as ready:
        yield ready


@given(
    st.integers(1, 7),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, SECOND_NS), st.integers(1, 5)), min_size=1, max_size=60),
)
def test_no_window_ever_holds_more_than_burst_and_rate(tokens: int, burst: int, asks: list[tuple[int, int]]) -> None:
    limit = Limit("x", tokens=tokens, interval_s=1.0, burst=burst)
    fill, now_ns = Fill(), 0
    taken: list[tuple[int, int]] = []
    for later_ns, count in asks:
        now_ns += later_ns
        fill, wait_ns = take(limit, fill, now_ns, min(count, burst))
        if not wait_ns:
            taken.append((now_ns, min(count, burst)))
        else:
            waited, none = take(limit, fill, now_ns + wait_ns, min(count, burst))
            assert none == 0, "the wait it named was too short"
            assert take(limit, fill, now_ns + wait_ns - 1, min(count, burst))[1] > 0, "the wait it named was too long"
            assert waited != fill
    for i, (begin_ns, _) in enumerate(taken):
        total = 0
        for at_ns, count in taken[i:]:
            total += count
            assert total <= burst + (at_ns - begin_ns) * tokens / SECOND_NS


def test_after_a_penalty_there_is_no_burst() -> None:
    fill = penalised(LIMIT, Fill(), 0, 2.0)
    assert take(LIMIT, fill, SECOND_NS, 1) == (fill, SECOND_NS)
    fill, wait_ns = take(LIMIT, fill, 2 * SECOND_NS, 1)
    assert wait_ns == 0
    assert take(LIMIT, fill, 2 * SECOND_NS, 1)[1] == LIMIT.step_ns
    assert penalised(LIMIT, fill, 0, 1.0).shut_until_ns == 2 * SECOND_NS, "a shorter penalty must not shorten one"


def test_kept_tokens_are_for_who_asks_with_less() -> None:
    fill, _ = take(LIMIT, Fill(), 0, 1, keep=2)
    assert take(LIMIT, fill, 0, 1, keep=2) == (fill, LIMIT.step_ns)
    fill, wait_ns = take(LIMIT, fill, 0, 2)
    assert wait_ns == 0
    assert take(LIMIT, fill, 0, 1) == (fill, LIMIT.step_ns)
    assert take(LIMIT, fill, 0, 1, keep=2) == (fill, 3 * LIMIT.step_ns)


def test_what_the_api_has_counted_more_is_taken_and_nothing_given_back() -> None:
    """Of 13 in a second 5 are used and 6 come back in its rest, half a second in: one of three is gone."""
    now_ns = SECOND_NS // 2
    counted = adopted(LIMIT, Fill(), now_ns, 5)
    assert take(LIMIT, counted, now_ns, 2)[1] == 0
    assert take(LIMIT, counted, now_ns, 3) == (counted, LIMIT.step_ns)
    assert adopted(LIMIT, counted, now_ns, 4) == counted
    assert adopted(LIMIT, counted, now_ns, 10**9).full_ns == now_ns + LIMIT.burst * LIMIT.step_ns
    assert adopted(LIMIT, Fill(0, 7), now_ns, 1).shut_until_ns == 7


def test_a_count_of_the_interval_before_takes_nothing_from_the_next() -> None:
    before = LIMIT.tokens  # all of its plain rate
    assert adopted(LIMIT, Fill(), 5 * SECOND_NS + SECOND_NS // 20, before) == Fill(5 * SECOND_NS + SECOND_NS // 20)
    late = adopted(LIMIT, Fill(), 5 * SECOND_NS + SECOND_NS // 5, before)
    assert take(LIMIT, late, 5 * SECOND_NS + SECOND_NS // 5, 1)[1] > 0


@pytest.mark.parametrize("others", [0, 80, 110])
def test_beside_others_all_that_the_api_allows_is_used_and_no_more(others: int) -> None:
    """The API counts by the minute and tells its count with each answer; others use some of each minute's at once."""
    limit = Limit("x", tokens=60, interval_s=60.0, burst=60)
    fill, now_ns, ours = Fill(), 0, Counter[int]()
    for _ in range(10_000):
        minute = now_ns // (60 * SECOND_NS)
        fill, wait_ns = take(limit, fill, now_ns, 2, keep=24)
        if not wait_ns:
            ours[minute] += 2
        fill = adopted(limit, fill, now_ns, ours[minute] + others)
        now_ns += SECOND_NS // 8
    whole = [ours[minute] for minute in range(1, 20)]  # after the first, in which a full bucket was found
    assert max(ours.values()) + others <= 120
    assert min(whole) >= (58 if not others else 0)
    assert sum(whole) >= {0: 19 * 59, 80: 19 * 8, 110: 0}[others]


def test_a_clock_that_was_set_back_costs_one_bucket_at_most() -> None:
    ahead = Fill(full_ns=10**18)
    assert take(LIMIT, ahead, 0, 1)[1] == LIMIT.step_ns
    shut = Fill(shut_until_ns=10**18)
    assert take(LIMIT, shut, 0, 1)[1] == PENALTY_MAX_S * SECOND_NS


async def test_a_429_shuts_the_bucket_for_all(bus: Bus) -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    account = unique("a")
    one, other = LIMIT.bucket(bus, clock, account=account), LIMIT.bucket(bus, clock, account=account)
    assert [await one.take(), await other.take(2), await other.take()] == [0.0, 0.0, 0.1]
    await one.penalise()
    assert await other.take() == pytest.approx(5.0)
    with pytest.raises(Exhausted, match="E_RATE_LIMITED"):
        await other.wait(timeout_s=4.0)
    clock.advance(5)
    assert await other.take() == 0.0
    assert await one.take() == pytest.approx(0.1)
    await one.penalise(60.0)
    assert await other.take() == pytest.approx(60.0)
    assert await LIMIT.bucket(bus, clock, account=unique("a")).take(3) == 0.0


async def test_waiting_goes_on_at_the_rate(bus: Bus) -> None:
    bucket = LIMIT.bucket(bus, SystemClock(), account=unique("a"))
    begin = time.monotonic()
    for _ in range(6):
        await bucket.wait(timeout_s=10)
    assert time.monotonic() - begin >= 0.29


async def test_values_with_separators_name_buckets_of_their_own(bus: Bus) -> None:
    limit = Limit("{a}/{b}", tokens=1, interval_s=60, burst=1)
    name = unique("n")
    for a, b in ((f"{name}/x", "y"), (name, "x/y"), (f"{name}%2Fx", "y")):
        assert await limit.bucket(bus, SystemClock(), a=a, b=b).take() == 0.0


async def test_what_can_never_work_is_refused(bus: Bus) -> None:
    for tokens, interval_s, burst, penalty_s in ((0, 1, 1, 0), (1, 0, 1, 0), (1, 1, 0, 0), (1, 1, 1, -1)):
        with pytest.raises(InvalidRequest, match="E_BUS_LIMIT"):
            Limit("x", tokens=tokens, interval_s=interval_s, burst=burst, penalty_s=penalty_s)
    with pytest.raises(InvalidRequest, match="E_BUS_LIMIT"):
        LIMIT.bucket(bus, SystemClock(), venue="x")
    for count, keep in ((4, 0), (2, 2), (1, -1), (0, 1)):
        with pytest.raises(InvalidRequest, match="E_BUS_LIMIT"):
            await LIMIT.bucket(bus, SystemClock(), account="x").take(count, keep=keep)


TAKER = """
import asyncio, sys, time
from controlbus.bus import connected
from controlbus.coordination.token_bucket import Limit
from qmtl.core.clock import SystemClock

async def main():
    limit = Limit("race/{name}", tokens=40, interval_s=1.0, burst=5)
    taken = 0
    async with connected(sys.argv[1], service="t") as bus:
        bucket = limit.bucket(bus, SystemClock(), name=sys.argv[2])
        async def taker():
            nonlocal taken
            until = time.time() + 2.0
            while time.time() < until:
                if await bucket.take():
                    await asyncio.sleep(0.005)  # far sooner than it was told
                else:
                    taken += 1
        await asyncio.gather(*(taker() for _ in range(3)))
    print(taken)

asyncio.run(main())
"""


async def test_racing_processes_never_exceed_the_rate(nats_url: str) -> None:
    begin = time.time()
    args = [sys.executable, "-c", TAKER, nats_url, unique("race")]
    processes = [
        await asyncio.create_subprocess_exec(*args, env=python_env(), stdout=asyncio.subprocess.PIPE) for _ in range(3)
    ]
    counts = [int((await process.communicate())[0].split()[-1]) for process in processes]
    assert sum(counts) <= 5 + 40 * (time.time() - begin)
    assert sum(counts) > 20, f"takers starve: {counts}"

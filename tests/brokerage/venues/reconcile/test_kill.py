"""A process that drives an account is killed between a send and its answer: no order twice, no fill lost."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

from brokerage.venues.reconcile.store import read_up_to
from qmtl.core.clock import SystemClock
from qmtl.core.instants import to_ns
from tests.brokerage.venues.reconcile.live import OWNER, Live, living
from tests.brokerage.venues.reconcile.places import BINANCE, PLACES, Place
from tests.exchange.core.faults import Trouble
from tests.support.processes import ROOT, python_env

KILLS = 5


async def play(store: str, place: Place, kills: int) -> None:
    """Let processes drive the account one after the other, each killed at some moment; then the comparison."""
    drawn = random.Random(7)
    async with living(store, SystemClock(), place) as live:
        for number in range(kills):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.brokerage.venues.reconcile.driven"),
                *(store, live.address, f"p{number}", place.name),
                cwd=ROOT,
                env=python_env(),
            )
            try:
                sent = len(live.exchange.orders)
                async with asyncio.timeout(90):
                    while len(live.exchange.orders) < sent + drawn.randrange(12, 30):
                        live.exchange.faults.plan(place.requests[0], drawn.choice((Trouble.NONE, Trouble.CUT_AFTER)))
                        bid = drawn.randrange(94, 104)
                        live.exchange.quote(place.btc_id, str(bid), str(bid + 1), "0.1")
                        await live.clock.sleep(0.1)
            finally:
                process.kill()
                await process.wait()
        live.exchange.faults.clear()
        await _comes_to_rest(live)
        assert await live.db.read(lambda conn: read_up_to(conn, OWNER.account)) > 0
        await live.require_books_of_the_exchange()


async def _comes_to_rest(live: Live) -> None:
    if live.nonces is not None:  # above those of the processes before
        live.nonces.last = to_ns(live.clock.now()) // 1_000 + 60_000_000
    for _ in range(10):
        await live.dispatch_now()
        await live.clock.sleep(1.5)
    for _ in range(3):
        found = await live.reconciler.reconcile()
    assert found.differences == []


@pytest.mark.timeout(240)
@pytest.mark.soak
async def test_a_killed_process_loses_and_repeats_nothing(tmp_path: Path) -> None:
    await play(f"sqlite:///{tmp_path / 'store.db'}", BINANCE, 1)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_processes_that_are_killed_lose_and_repeat_nothing(tmp_path: Path, place: Place) -> None:
    await play(f"sqlite:///{tmp_path / 'store.db'}", place, KILLS)

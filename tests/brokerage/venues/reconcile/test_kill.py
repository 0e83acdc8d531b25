"""A process that drives an account is killed between a send and its answer: no order twice, no fill lost."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

from brokerage.venues.reconcile.store import read_up_to
from qmtl.core.clock import SystemClock
from tests.brokerage.venues.reconcile.live import OWNER, living
from tests.exchange.core.faults import Trouble
from tests.support.processes import ROOT, python_env

KILLS = 5


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_a_killed_process_loses_and_repeats_nothing(tmp_path: Path) -> None:
    store, drawn = f"sqlite:///{tmp_path / 'store.db'}", random.Random(7)
    async with living(store, SystemClock()) as live:
        for number in range(KILLS):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.brokerage.venues.reconcile.driven", store, live.address, f"p{number}"),
                cwd=ROOT,
                env=python_env(),
            )
            try:
                sent = len(live.exchange.orders)
                async with asyncio.timeout(60):
                    while len(live.exchange.orders) < sent + drawn.randrange(12, 30):
                        live.exchange.faults.plan("POST order", drawn.choice((Trouble.NONE, Trouble.CUT_AFTER)))
                        bid = drawn.randrange(94, 104)
                        live.exchange.quote("BTCUSDT", str(bid), str(bid + 1), "0.1")
                        await live.clock.sleep(0.1)
            finally:
                process.kill()
                await process.wait()
        live.exchange.faults.clear()
        for _ in range(10):
            await live.dispatch_now()
            await live.clock.sleep(1.5)
        for _ in range(3):
            found = await live.reconciler.reconcile()
        assert found.differences == []
        assert await live.db.read(lambda conn: read_up_to(conn, OWNER.account)) > 0
        await live.require_books_of_the_exchange()

"""Backfill by processes that share a store, a broker and an exchange's limits, some of them killed."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from pathlib import Path

from qmtl.calendars.spans import Span
from qmtl.sql.database import Database
from seamless.backfill.backfiller import AT_ONCE
from seamless.storage.storage import Storage
from tests.exchange.core.exchange import now_ms
from tests.exchange.core.faults import Trouble
from tests.exchange.market.client import MINUTE_MS, Market, market
from tests.seamless.backfill.worker import DATASET
from tests.support.processes import ROOT, python_env

WINDOWS = 30
WINDOW_MS = 1_000 * MINUTE_MS
KILLED, TROUBLES = 2, 3
WEIGHT, WEIGHT_S = 240, 4
"""What the exchange lets through in four seconds: a market list (20) and time (1) for each worker, 2 for a page."""


async def _worker(nats_url: str, database_url: str, folder: Path, there: Market, span: Span) -> Process:
    numbers = (str(span.start_ns), str(span.end_ns), str(WEIGHT), str(WEIGHT_S))
    args = (nats_url, database_url, str(folder), there.address, *numbers)
    command = (sys.executable, "-m", "tests.seamless.backfill.worker", *args)
    return await asyncio.create_subprocess_exec(*command, env=python_env(), cwd=ROOT, stdout=PIPE)


async def _killed_in_its_work(worker: Process, there: Market, after: int) -> None:
    """End a worker with -9 once the exchange has been asked for so many pages."""
    await there.told.until_asked(after)
    worker.kill()
    await worker.wait()


async def test_four_workers_of_which_two_are_killed(
    nats_url: str, database_url: str, db: Database, tmp_path: Path
) -> None:
    first_ms = now_ms() // WINDOW_MS * WINDOW_MS - WINDOWS * WINDOW_MS
    span = Span(first_ms * 1_000_000, (first_ms + WINDOWS * WINDOW_MS) * 1_000_000)
    async with market(first_ms=first_ms, weight=WEIGHT, weight_ms=WEIGHT_S * 1_000) as there:
        hole = (first_ms + 4_100 * MINUTE_MS, first_ms + 4_350 * MINUTE_MS)
        there.tape.hole(*hole)
        there.tape.withheld.append((first_ms + 7_200 * MINUTE_MS, first_ms + 7_260 * MINUTE_MS))
        there.tape.nulls += [first_ms + 9_999 * MINUTE_MS] * 2
        there.exchange.faults.plan("GET klines", Trouble.NONE, Trouble.BROKEN_BEFORE, Trouble.NONE, Trouble.CUT_BEFORE)
        workers = [await _worker(nats_url, database_url, tmp_path / "stored", there, span) for _ in range(4)]
        await asyncio.gather(*(_killed_in_its_work(workers[i], there, after) for i, after in ((0, 3), (1, 12))))
        told = [(await worker.communicate())[0].splitlines()[-1] for worker in workers[2:]]

        assert told == [b"29750 250 30000"] * 2
        assert there.told.meter.refused == 0
        assert there.told.meter.peak <= WEIGHT
        stored, truth = await Storage(tmp_path / "stored", db).read(DATASET, span), there.tape.truth(*_ms(span))
        assert stored.time_ns.tolist() == [one.open_ms * 1_000_000 for one in truth]
        for column, values in zip(stored.values(), zip(*(one.values for one in truth), strict=True), strict=True):
            assert column.tolist() == [float(value) for value in values]
        known = await Storage(tmp_path / "stored", db).coverage(DATASET)
        assert known.empty == (Span(hole[0] * 1_000_000, hole[1] * 1_000_000),)
        assert known.read == (span,)
        starts = Counter(start for _, start in there.told.asked if start and (start - first_ms) % WINDOW_MS == 0)
        assert len(starts) == WINDOWS
        assert sum(starts.values()) - WINDOWS <= KILLED * AT_ONCE + TROUBLES


def _ms(span: Span) -> tuple[int, int]:
    return span.start_ns // 1_000_000, span.end_ns // 1_000_000

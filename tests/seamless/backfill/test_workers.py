"""Backfill by processes that share a store, a broker and an exchange's limits with a trader, some of them killed."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controlbus.bus import connected
from qmtl.calendars.spans import Span
from qmtl.core.clock import SystemClock
from qmtl.core.tasks.ending import end
from qmtl.exchanges.budgets import Purpose, RequestBudget
from qmtl.exchanges.connection import Connection, NotSent
from qmtl.exchanges.published import limits_of
from qmtl.sql.database import Database
from seamless.storage.storage import Storage
from tests.exchange.binance.client import client_of, opened
from tests.exchange.binance.market import BinanceMarket
from tests.exchange.binance.spot import BinanceSpot
from tests.exchange.core.exchange import now_ms
from tests.exchange.core.faults import Trouble
from tests.exchange.market.client import MINUTE_MS, Market, market
from tests.exchange.market.meter import Meter
from tests.exchange.server import serving
from tests.seamless.backfill.worker import EGRESS, ORDERS
from tests.support.processes import ROOT, python_env

WINDOW_MS = 1_000 * MINUTE_MS
WORKERS = 4
WEIGHT, WEIGHT_S = 240, 4
"""What the exchange lets through in four seconds: a market list (20) and time (1) for each worker, 2 for a page."""
BAN_S = 1  # after a 429, in which nobody calls
TRADER_WAIT_S = 2.5  # a ban, and until the bucket holds its reserve again
SHORT = 12


@dataclass
class Run:
    """Workers on an exchange's history, and what it has counted."""

    there: Market
    span: Span
    nats_url: str
    database_url: str
    folder: Path
    workers: list[Process] = field(default_factory=list)

    async def start(self) -> Process:
        """Start one more worker."""
        numbers = (str(self.span.start_ns), str(self.span.end_ns), str(WEIGHT), str(WEIGHT_S))
        args = (self.nats_url, self.database_url, str(self.folder), self.there.address, self.there.exchange_id)
        command = (sys.executable, "-m", "tests.seamless.backfill.worker", *args, *numbers)
        worker = await asyncio.create_subprocess_exec(*command, env=python_env(), cwd=ROOT, stdout=PIPE)
        self.workers.append(worker)
        return worker

    async def kill(self, worker: Process, after: int) -> None:
        """End a worker with -9 once the exchange has been asked for so many pages."""
        await self.there.told.until_asked(after)
        worker.kill()
        await worker.wait()

    async def told(self) -> list[bytes]:
        """What those say in the end that were not killed."""
        said = await asyncio.gather(*(worker.communicate() for worker in self.workers))
        lines = [out.splitlines() for out, _ in said]
        return [mine[-1] for mine, worker in zip(lines, self.workers, strict=True) if worker.returncode == 0]

    async def check(self, db: Database, holes: tuple[Span, ...]) -> None:
        """What is stored is the exchange's truth, each bar stored once, and empty is only what it does not have."""
        storage, dataset = Storage(self.folder, db), self.there.dataset
        stored = await storage.read(dataset, self.span)
        truth = self.there.tape.truth(self.span.start_ns // 1_000_000, self.span.end_ns // 1_000_000)
        assert stored.time_ns.tolist() == [one.open_ms * 1_000_000 for one in truth]
        for column, values in zip(stored.values(), zip(*(one.values for one in truth), strict=True), strict=True):
            assert column.tolist() == [float(value) for value in values]
        known = await storage.coverage(dataset)
        assert known.empty == holes
        assert known.read == (self.span,)
        parts = await storage.parts(dataset)
        assert sum(part.rows for part in parts) == len(stored), "no bar was stored twice"
        assert self.there.told.meter.refused == 0
        assert self.there.told.meter.peak <= WEIGHT


@dataclass
class Trader:
    """One who trades beside the workers, behind the same address: orders that the exchange took, and that were late."""

    orders: Meter
    placed: int = 0
    late: int = 0


@asynccontextmanager
async def trader(nats_url: str, weight: Meter) -> AsyncIterator[Trader]:
    """Place and cancel orders as fast as the limits let it, until the block ends; the exchange counts in its meters."""
    exchange, clock = opened(), SystemClock()
    orders = Meter(ORDERS, now_ms, WEIGHT_S * 1_000)
    found = Trader(orders)

    def count(kind: str, done: bool) -> None:
        if not done and kind in ("POST order", "DELETE order"):
            weight.charge(1)
            orders.charge(1)

    exchange.faults.witness = count
    async with (
        serving(exchange, BinanceSpot(exchange)) as address,
        client_of(address) as client,
        connected(nats_url, service="brokerage") as bus,
    ):
        limits = limits_of(WEIGHT, float(WEIGHT_S), ORDERS, float(WEIGHT_S))
        budget = RequestBudget(bus, clock, "binance", egress=EGRESS, account="main", limits=limits)
        trading = asyncio.create_task(_trade(found, Connection(client, clock, budget, wait_s=TRADER_WAIT_S)))
        try:
            yield found
            assert not trading.done(), trading.exception()
        finally:
            await end(trading)


async def _trade(found: Trader, at: Connection) -> None:
    asked = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.1",
        "price": "90",
    }
    while True:
        number = f"c{found.placed}"
        try:
            order = {**asked, "quantity": "0.1", "price": "90", "newClientOrderId": number}
            await at.call(at.exchange.private_post_order, order, purpose=Purpose.INCREASE, order=True)
            found.placed += 1
            cancel = {"symbol": "BTCUSDT", "origClientOrderId": number}
            await at.call(at.exchange.private_delete_order, cancel, purpose=Purpose.CANCEL, order=True)
        except NotSent:
            found.late += 1


@asynccontextmanager
async def run(
    nats_url: str, database_url: str, folder: Path, windows: int, exchange_id: str = "binance"
) -> AsyncIterator[Run]:
    """An exchange with so many windows of history, served until the block ends."""
    first_ms = now_ms() // WINDOW_MS * WINDOW_MS - windows * WINDOW_MS
    span = Span(first_ms * 1_000_000, (first_ms + windows * WINDOW_MS) * 1_000_000)
    weight_ms = WEIGHT_S * 1_000
    async with market(exchange_id=exchange_id, first_ms=first_ms, weight=WEIGHT, weight_ms=weight_ms) as there:
        yield Run(there, span, nats_url, database_url, folder / "stored")


def trouble(there: Market, windows: int) -> tuple[Span, ...]:
    """Let go wrong what can, all over the history; the holes that there really are."""
    tape, told, first_ms = there.tape, there.told, there.tape.first_ms
    tape.sparse, tape.off_by_one = 400, True
    holes = [(first_ms + (1_000 * i + 100) * MINUTE_MS, 250 * MINUTE_MS) for i in range(4, windows, 9)]
    for start_ms, length_ms in holes:
        tape.hole(start_ms, start_ms + length_ms)
    for i in range(7, windows, 5):
        tape.withheld.append((first_ms + (1_000 * i + 200) * MINUTE_MS, first_ms + (1_000 * i + 260) * MINUTE_MS))
    for i in range(3, windows, 6):
        tape.nulls += [first_ms + (1_000 * i + 999) * MINUTE_MS] * 2
    again = [Trouble.NONE, Trouble.BROKEN_BEFORE, Trouble.NONE, Trouble.CUT_BEFORE, Trouble.NONE, Trouble.BROKEN_AFTER]
    there.exchange.faults.plan("GET klines", *again * (1 + windows // 20), *[Trouble.NONE] * 20, Trouble.TOO_MANY)
    if isinstance(told, BinanceMarket):
        told.ban_s = BAN_S
    corrected: set[int] = set()

    def correct(kind: str, done: bool) -> None:
        """While a window is read for the first time, the bar on the seam of its first two pages changes."""
        if done and kind == "GET klines" and told.asked and told.asked[-1][1] is not None:
            start_ms = told.asked[-1][1]
            seam_ms = start_ms + (tape.sparse - 3) * MINUTE_MS
            if (start_ms - first_ms) % WINDOW_MS == 0 and start_ms not in corrected:
                corrected.add(start_ms)
                tape.correct(seam_ms)

    there.exchange.faults.witness = correct
    return tuple(Span(start_ms * 1_000_000, (start_ms + length_ms) * 1_000_000) for start_ms, length_ms in holes)


@pytest.mark.parametrize("database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)], indirect=True)
async def test_four_workers_of_which_two_are_killed_beside_a_trader(
    nats_url: str, database_url: str, db: Database, tmp_path: Path
) -> None:
    async with run(nats_url, database_url, tmp_path, SHORT) as found:
        holes = trouble(found.there, SHORT)
        async with trader(nats_url, found.there.told.meter) as trades:
            workers = [await found.start() for _ in range(WORKERS)]
            await asyncio.gather(found.kill(workers[0], 3), found.kill(workers[1], 12))
            told = await found.told()
        empty = sum(hole.bars(MINUTE_MS * 1_000_000) for hole in holes)
        assert told == [f"{1_000 * SHORT - empty} {empty} {1_000 * SHORT}".encode()] * 2
        await found.check(db, holes)
        assert (trades.late, trades.orders.refused) == (0, 0)
        assert trades.placed > 0


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_a_long_history_with_workers_killed_all_along(
    nats_url: str, database_url: str, db: Database, tmp_path: Path
) -> None:
    windows = 200
    async with run(nats_url, database_url, tmp_path, windows) as found:
        holes = trouble(found.there, windows)
        async with trader(nats_url, found.there.told.meter) as trades:
            workers = [await found.start() for _ in range(WORKERS)]
            for i in range(12):
                await found.kill(workers[i], 40 * (i + 1))
                workers.append(await found.start())
            told = await found.told()
        empty = sum(hole.bars(MINUTE_MS * 1_000_000) for hole in holes)
        assert told == [f"{1_000 * windows - empty} {empty} {1_000 * windows}".encode()] * WORKERS
        await found.check(db, holes)
        assert (trades.late, trades.orders.refused) == (0, 0)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_krakens_history_by_workers_beyond_what_it_lists(
    nats_url: str, database_url: str, db: Database, tmp_path: Path
) -> None:
    async with run(nats_url, database_url, tmp_path, 4, "kraken") as found:
        hole_ms = found.there.tape.first_ms + 1_500 * MINUTE_MS
        found.there.tape.hole(hole_ms, hole_ms + 30 * MINUTE_MS)
        workers = [await found.start() for _ in range(WORKERS)]
        await found.kill(workers[0], 5)
        assert await found.told() == [b"3970 30 4000"] * 3
        await found.check(db, (Span(hole_ms * 1_000_000, (hole_ms + 30 * MINUTE_MS) * 1_000_000),))

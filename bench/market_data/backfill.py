"""Backfill from the local exchange beside the rate that its limits allow, and beside none.

    python -m bench.market_data.backfill

Runs a broker and the exchange of the tests here, with the real ccxt class as its client. The ceiling is what the shared
bucket lets through: its burst without what it keeps for trading at once, then its plain rate.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from prometheus_client import CollectorRegistry  # noqa: E402 - the checkout is put on the path above

from controlbus.bus import Bus, connected  # noqa: E402
from qmtl.calendars.calendars import AlwaysOpen  # noqa: E402
from qmtl.calendars.spans import Span  # noqa: E402
from qmtl.core.clock import SystemClock  # noqa: E402
from qmtl.exchanges.budgets import Purpose, RequestBudget  # noqa: E402
from qmtl.exchanges.published import ExchangeLimits, limits_of  # noqa: E402
from qmtl.sql.database import Database, sqlite_url  # noqa: E402
from seamless.backfill.backfiller import Backfiller  # noqa: E402
from seamless.backfill.flights import Flights  # noqa: E402
from seamless.metrics import SeamlessMetrics  # noqa: E402
from seamless.storage.storage import Storage  # noqa: E402
from tests.exchange.core.exchange import now_ms  # noqa: E402
from tests.exchange.market.client import MINUTE_MS, bars_of, market  # noqa: E402
from tests.support.nats import NatsServer  # noqa: E402

PAGE, PAGE_WEIGHT = 1_000, 2
WEIGHT, WEIGHT_S = 240, 4.0
PAGES = 200
UNLIMITED = 10**6


async def filled_s(bus: Bus, home: Path, name: str, limits: ExchangeLimits) -> tuple[float, int]:
    """Seconds for so many pages of history, and how much weight the exchange counted."""
    clock = SystemClock()
    first_ms = (now_ms() // (PAGE * MINUTE_MS) - PAGES) * PAGE * MINUTE_MS
    db = Database(sqlite_url(home / f"{name}.db"))
    await db.migrate("seamless:migrations")
    budget = RequestBudget(bus, clock, "binance", egress=name, account="", limits=limits)
    served = market(first_ms=first_ms, weight=UNLIMITED, weight_ms=int(WEIGHT_S * 1_000))
    async with served as there, bars_of(there, clock=clock, budget=budget) as source:
        metrics, storage = SeamlessMetrics(CollectorRegistry()), Storage(home / name, db)
        backfiller = Backfiller(storage, Flights(bus, clock), clock, metrics, Random(1))
        await source.now_ns()
        span = Span(first_ms * 1_000_000, (first_ms + PAGES * PAGE * MINUTE_MS) * 1_000_000)
        began = time.perf_counter()
        found = await backfiller.ensure(source, AlwaysOpen(), span, held_back=2)
        took = time.perf_counter() - began
        assert found.ratio == 1.0, found
    await db.close()
    return took, there.told.meter.total


async def measure(nats_url: str, home: Path) -> None:
    async with connected(nats_url, service="seamless") as bus:
        free_s, _ = await filled_s(bus, home, "free", limits_of(UNLIMITED, 1.0, 1, 1.0))
        limits = limits_of(WEIGHT, WEIGHT_S, 1, 1.0)
        bound_s, weight = await filled_s(bus, home, "bound", limits)
    bars, rate = PAGES * PAGE, limits.weight.tokens / WEIGHT_S
    at_once = limits.weight.burst - Purpose.HISTORY.reserves * limits.weight_reserve
    least_s, ceiling = (weight - at_once) / rate, rate / PAGE_WEIGHT * PAGE
    print(f"without a limit: {bars} bars in {free_s:.2f} s, {bars / free_s:,.0f} bars/s")  # noqa: T201 - a bench prints
    print(  # noqa: T201
        f"with a limit of {WEIGHT} weight in {WEIGHT_S:g} s: {bound_s:.2f} s, at least {least_s:.2f} s by the limit"
        f" ({least_s / bound_s:.0%} of its ceiling; {ceiling:,.0f} bars/s once the burst is spent)"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer(Path(folder))
        server.start()
        try:
            asyncio.run(measure(server.url, Path(folder)))
        finally:
            server.stop()


if __name__ == "__main__":
    main()

"""One backfill worker as a process: ensures a range of bitcoin's minutes and tells how it stands.

python -m tests.seamless.backfill.worker NATS DATABASE FOLDER ADDRESS EXCHANGE START_NS END_NS WEIGHT INTERVAL_S
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from random import Random

from prometheus_client import CollectorRegistry

from controlbus.bus import connected
from qmtl.calendars.calendars import AlwaysOpen
from qmtl.calendars.spans import Span
from qmtl.core.clock import SystemClock
from qmtl.exchanges.budgets import RequestBudget
from qmtl.exchanges.connection import Connection, made
from qmtl.exchanges.credentials import NO_CREDENTIALS
from qmtl.exchanges.published import limits_of
from qmtl.sql.database import Database
from seamless.backfill.backfiller import Backfiller
from seamless.backfill.flights import Flights
from seamless.domain.datasets import DatasetId, Kind
from seamless.metrics import SeamlessMetrics
from seamless.sources.ccxt.endpoints import endpoint_of
from seamless.sources.ccxt.source import CcxtSource
from seamless.storage.storage import Storage
from tests.exchange.market.client import SYMBOLS

LEASE_S = 2
ORDERS = 40  # of an account, in the interval of the weight
EGRESS = "workers"


async def main(nats_url: str, database_url: str, folder: str, address: str, exchange: str, *numbers: str) -> None:
    start_ns, end_ns, weight, interval_s = (int(number) for number in numbers)
    clock, endpoint = SystemClock(), endpoint_of(exchange)
    dataset = DatasetId(Kind.OHLCV, exchange, SYMBOLS[exchange][1], 60)
    found = made(exchange, NO_CREDENTIALS, options=endpoint.options, address=address, timeout_ms=2_000)
    found.timeout_on_exit = 0
    db = Database(database_url)
    async with connected(nats_url, service="seamless") as bus:
        limits = limits_of(weight, float(interval_s), ORDERS, float(interval_s))
        budget = RequestBudget(bus, clock, exchange, egress=EGRESS, account="", limits=limits)
        source = CcxtSource(Connection(found, clock, budget, wait_s=60.0), endpoint, dataset, clock)
        flights = Flights(bus, clock, lease_s=LEASE_S)
        metrics = SeamlessMetrics(CollectorRegistry())
        backfiller = Backfiller(Storage(Path(folder), db), flights, clock, metrics, Random())
        found_at_end = await backfiller.ensure(source, AlwaysOpen(), Span(start_ns, end_ns), held_back=2)
        stands = (found_at_end.present, found_at_end.empty, found_at_end.expected, *found_at_end.failures)
        sys.stdout.write(f"\n{' '.join(str(word) for word in stands)}\n")
        await source.close()
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""A live feed on the local exchange, followed while both run on a clock of the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from prometheus_client import CollectorRegistry

from controlbus.bus import Bus
from qmtl.calendars.spans import Span
from qmtl.core.clock import Clock
from qmtl.core.tasks.ending import end
from qmtl.sql.database import Database
from seamless.backfill.backfiller import Backfiller
from seamless.backfill.flights import Flights
from seamless.config import ExchangeSettings
from seamless.domain.bars import Bars
from seamless.live.feed import LiveFeed
from seamless.live.feed_clock import FeedClock
from seamless.live.following import Following
from seamless.metrics import SeamlessMetrics
from seamless.presets.exchanges import exchange_presets
from seamless.sources.ccxt.source import CcxtSource
from seamless.storage.storage import Storage
from tests.exchange.market.client import Market, bars_of

PRESET = next(iter(exchange_presets({"binance": ExchangeSettings(exchange="binance")})))


@dataclass
class Followed:
    """A feed that is followed, and what a subscriber has heard of it: opens, and the exchange's time when each came."""

    feed: LiveFeed
    source: CcxtSource
    market: Market
    storage: Storage
    registry: CollectorRegistry
    start_ns: int
    opens: list[int] = field(default_factory=list)
    came_ms: list[int] = field(default_factory=list)

    def count(self, name: str) -> float:
        """A counter of the feed."""
        return self.registry.get_sample_value(f"seamless_{name}_total", {"preset": self.feed.preset.name}) or 0.0

    def truth(self, until_ns: int) -> list[int]:
        """Opens of the exchange's bars from the feed's start to an end."""
        listed = self.market.tape.truth(self.start_ns // 1_000_000, until_ns // 1_000_000)
        return [one.open_ms * 1_000_000 for one in listed]

    async def stored(self, until_ns: int) -> Bars:
        return await self.storage.read(self.feed.preset.dataset, Span(self.start_ns, until_ns))


@asynccontextmanager
async def followed(
    there: Market, bus: Bus, db: Database, folder: Path, clock: Clock, *, stream: bool, history_bars: int = 20
) -> AsyncIterator[Followed]:
    """Follow an exchange that is served, until the block ends, with one subscriber from the feed's beginning on."""
    async with bars_of(there, clock=clock) as source:
        registry, storage = CollectorRegistry(), Storage(folder, db)
        metrics = SeamlessMetrics(registry)
        backfiller = Backfiller(storage, Flights(bus, clock), clock, metrics, Random(1))
        preset = replace(PRESET, dataset=there.dataset, stream=stream)
        feed = LiveFeed(preset, source, storage, backfiller, metrics, history_bars * there.dataset.interval_ns)
        following = asyncio.create_task(Following(feed, source, clock, metrics).run())
        hearing: asyncio.Task[None] | None = None
        try:
            moved = asyncio.create_task(feed.until_moved(0))
            await asyncio.wait({moved, following}, return_when=asyncio.FIRST_COMPLETED)
            await moved
            found = Followed(feed, source, there, storage, registry, feed.watermark_ns)
            hearing = asyncio.create_task(_hear(found))
            yield found
            assert not following.done(), following.exception()
        finally:
            await end(following, *([] if hearing is None else [hearing]))


async def _hear(found: Followed) -> None:
    async with aclosing(FeedClock([found.feed]).deliveries(found.start_ns, asyncio.Event())) as deliveries:
        async for delivery in deliveries:
            found.opens += delivery.bars.time_ns.tolist()
            found.came_ms += [found.market.tape.clock()] * len(delivery.bars)

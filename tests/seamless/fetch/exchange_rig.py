"""Fetches over a preset of the local exchange: what is sealed, what is stored, and what only the exchange has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from prometheus_client import CollectorRegistry

from controlbus.bus import Bus
from qmtl.calendars.spans import Span
from qmtl.config.settings import MeshSettings
from qmtl.core.clock import VirtualClock
from qmtl.core.modes import ExecutionDomain
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.exchanges.budgets import Purpose
from qmtl.sql.database import Database
from seamless.artifacts.archive import Archive
from seamless.artifacts.inventory import Inventory
from seamless.backfill.backfiller import Backfiller
from seamless.backfill.filling import Filling
from seamless.backfill.flights import Flights
from seamless.config import ExchangeSettings, Settings
from seamless.domain.bars import Bars, concatenated
from seamless.domain.fetch_plan import FetchQuery
from seamless.domain.ranges import Range
from seamless.domain.sla import FetchMode, Sla
from seamless.domain.stored import Provenance
from seamless.fetch.fetcher import Fetcher
from seamless.fetch.filler import Filler
from seamless.live.feed import LiveFeed
from seamless.live.sessions import LiveSessions
from seamless.metrics import SeamlessMetrics
from seamless.presets.exchanges import exchange_presets
from seamless.presets.preset import Preset, Presets
from seamless.replay.sessions import ReplaySessions
from seamless.storage.storage import Storage
from tests.exchange.binance.client import clocked
from tests.exchange.market.client import MINUTE_MS, Market, bars_of, market

MINUTE_NS = 60_000_000_000
START = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)
NOW_MS = int(START.timestamp()) * 1_000
FIRST_NS = (NOW_MS - NOW_MS % MINUTE_MS - 100 * MINUTE_MS) * 1_000_000
PRESET = next(iter(exchange_presets({"binance": ExchangeSettings(exchange="binance")})))


def at(bar: int) -> int:
    """The open of the exchange's bar of a number; bar 100 is open at the start of a test."""
    return FIRST_NS + bar * MINUTE_NS


@dataclass
class ExchangeRig:
    """A fetcher and what is behind it."""

    preset: Preset
    fetcher: Fetcher
    filling: Filling
    filler: Filler
    feed: LiveFeed
    live: LiveSessions
    sessions: ReplaySessions
    inventory: Inventory
    storage: Storage
    market: Market
    clock: VirtualClock
    metrics: SeamlessMetrics

    async def fill(self, first: int, last: int) -> str:
        """Store and seal the exchange's bars [first, last); the artifact's fingerprint."""
        async with aclosing(self.filling.fill(self.preset, Span(at(first), at(last)))) as told:
            return [each async for each in told][-1].fingerprint

    async def store(self, first: int, last: int) -> None:
        """Store the exchange's bars [first, last), and seal nothing."""
        source, _ = self.filling.require(self.preset)
        told = await source.fetch(Span(at(first), at(last)), Purpose.HISTORY)
        await self.storage.write(self.preset.dataset, told.bars, told.span, Provenance("binance"))

    async def fetch(
        self,
        first: int | None,
        last: int | None,
        domain: ExecutionDomain | None = None,
        *,
        as_of: int | None = None,
        fingerprint: str = "",
        session: str = "",
        mode: FetchMode = FetchMode.BY_PRESET,
    ) -> dataservicepb.FetchMetadata:
        """The metadata of a fetch of bars [first, last), whose rows are as many as it says."""
        span = Range(*(None if bar is None else at(bar) for bar in (first, last)))
        seen_ns = None if as_of is None else at(as_of)
        ask = FetchQuery(self.preset.name, span, domain, seen_ns, fingerprint, session, mode)
        return [reply async for reply in self.fetcher.fetch(ask)][-1].metadata

    async def bars(self, first: int, last: int) -> Bars:
        """What is stored."""
        return await self.storage.read(self.preset.dataset, Span(at(first), at(last)))


@asynccontextmanager
async def exchange_rig(
    bus: Bus, db: Database, folder: Path, sla: Sla = PRESET.sla, storage_budget_s: float = 10.0
) -> AsyncIterator[ExchangeRig]:
    """A fetcher on the local exchange, which has 100 closed bars; its feed has not begun."""
    clock, metrics = VirtualClock(START), SeamlessMetrics(CollectorRegistry())
    preset = replace(PRESET, sla=sla)
    storage = Storage(folder / "stored", db)
    inventory = Inventory(Presets((preset,)), db, Archive(folder), metrics)
    settings = Settings(mesh=MeshSettings(home=folder))
    async with (
        market(clocked(clock), first_ms=FIRST_NS // 1_000_000) as there,
        bars_of(there, clock=clock) as source,
    ):
        backfiller = Backfiller(storage, Flights(bus, clock), clock, metrics, Random(1))
        filling = Filling({preset.name: source}, backfiller, storage, inventory)
        feed = LiveFeed(preset, source, storage, backfiller, metrics, 20 * MINUTE_NS)
        live = LiveSessions({preset.name: feed}, inventory, db, clock)
        sessions = ReplaySessions(inventory, db, clock, settings, metrics)
        filler = Filler(filling)
        fetcher = Fetcher(inventory, storage, sessions, live, filler, clock, storage_budget_s, metrics)
        yield ExchangeRig(
            preset, fetcher, filling, filler, feed, live, sessions, inventory, storage, there, clock, metrics
        )


def corrected(bars: Bars, by: float) -> Bars:
    """The same bars, each that much dearer."""
    raised = [column + by for column in bars.values()[:4]]
    return replace(concatenated([bars]), open=raised[0], high=raised[1], low=raised[2], close=raised[3])

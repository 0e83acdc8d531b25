"""The feeds of a process: for each preset of an exchange a source over its ccxt class, behind the shared limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from controlbus.bus import Bus
from qmtl.core.clock import Clock
from qmtl.core.errors import NotReady
from qmtl.exchanges.budgets import RequestBudget
from qmtl.exchanges.connection import Connection, made
from qmtl.exchanges.credentials import NO_CREDENTIALS
from seamless.backfill.backfiller import Backfiller
from seamless.config import Settings
from seamless.live.feed import LiveFeed
from seamless.live.feed_clock import FeedClock
from seamless.metrics import SeamlessMetrics
from seamless.presets.preset import LIVE, Presets
from seamless.sources.ccxt.endpoints import endpoint_of
from seamless.sources.ccxt.source import CcxtSource
from seamless.storage.storage import Storage

WAIT_S = 60.0  # how long history waits for its share of the limits before an attempt has failed
DATA_ACCOUNT = "market-data"  # nobody's account: bars are told to everybody

log = structlog.stdlib.get_logger("qmtl.seamless.live")


@asynccontextmanager
async def sources(settings: Settings, presets: Presets, bus: Bus, clock: Clock) -> AsyncIterator[dict[str, CcxtSource]]:
    """A source for each preset of an exchange, by the preset's name, until the block ends.

    Raises NotFound (E_EXCHANGE_UNKNOWN, E_EXCHANGE_LIMITS_UNKNOWN), InvalidRequest (E_INTERVAL).
    """
    found: dict[str, CcxtSource] = {}
    try:
        for preset in presets.all:
            if preset.exchange:
                section = settings.exchanges[preset.exchange]
                endpoint = endpoint_of(section.exchange)
                egress = f"{section.address or 'exchange'}/{section.egress}"
                budget = RequestBudget(bus, clock, section.exchange, egress=egress, account=DATA_ACCOUNT)
                client = made(section.exchange, NO_CREDENTIALS, options=endpoint.options, address=section.address)
                connection = Connection(client, clock, budget, wait_s=WAIT_S)
                found[preset.name] = CcxtSource(connection, endpoint, preset.dataset, clock)
        yield found
    finally:
        for source in found.values():
            await source.close()


def feeds(
    settings: Settings,
    presets: Presets,
    found: Mapping[str, CcxtSource],
    storage: Storage,
    backfiller: Backfiller,
    metrics: SeamlessMetrics,
) -> dict[str, LiveFeed]:
    """A feed over each source, by the preset's name."""
    made_feeds = {}
    for name, source in found.items():
        preset = presets.named(name)
        history_ns = int(settings.exchanges[preset.exchange].history.total_seconds()) * 1_000_000_000
        made_feeds[name] = LiveFeed(preset, source, storage, backfiller, metrics, history_ns)
    return made_feeds


def feed_clocks(presets: Presets, made: Mapping[str, LiveFeed]) -> dict[str, FeedClock]:
    """What worlds may name of the feeds, each with its clock: every feed, and every universe of them. A universe that
    cannot be followed is logged.
    """
    clocks = {name: FeedClock([feed]) for name, feed in made.items()}
    for name in presets.universes:
        if name.startswith(LIVE):
            try:
                members = presets.universe(name).members
            except NotReady as error:
                log.error("universe_not_followed", preset=name, reason=error.reason, error=error.message)
            else:
                clocks[name] = FeedClock([made[preset.name] for preset in members])
    return clocks

"""What the feeds count."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from brokerage.venues.dispatch.dispatcher import DispatchMetrics


class FeedMetrics:
    """What the venue counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.bars = Counter("qmtl_brokerage_bars_total", "Bars the paper venue was shown.", registry=registry)
        self.bad = Counter("qmtl_brokerage_bad_bars_total", "Bars skipped as broken.", registry=registry)
        self.fills = Counter("qmtl_brokerage_fills_total", "Fills the paper venue made.", registry=registry)
        self.drops = Counter("qmtl_brokerage_feed_drops_total", "Feeds that broke.", registry=registry)
        self.wire = DispatchMetrics(registry)

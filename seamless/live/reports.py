"""Tells worldservice how far each live preset has come, with every move: what data currency of worlds is judged by.

Only the newest place is told; while worldservice is away nothing waits but the telling. A feed that holds the others of
its universe is told of by name.
"""

from __future__ import annotations

import structlog

from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.wire.instants import ns_to_proto
from qmtl.world.v1 import session_service_pb2 as sessionservicepb
from qmtl.world.v1 import session_service_pb2_grpc as sessionrpc
from seamless.live.feed_clock import FeedClock
from seamless.metrics import SeamlessMetrics

AGAIN_S = 0.5
SECOND_NS = 1_000_000_000
log = structlog.stdlib.get_logger("qmtl.seamless.live")


class FeedReports:
    """Reports one preset: a feed, or a universe of them."""

    def __init__(self, preset: str, feeds: FeedClock, worlds: sessionrpc.SessionServiceAsyncStub, clock: Clock) -> None:
        self._preset = preset
        self._feeds = feeds
        self._worlds = worlds
        self._clock = clock

    async def run(self) -> None:
        """Report for ever."""
        told_ns = 0
        while True:
            await self._feeds.until_moved(told_ns)
            watermark_ns, next_ns = self._feeds.watermark_ns, self._feeds.next_close_ns
            request = sessionservicepb.AdvanceFeedRequest(
                data_preset=self._preset, watermark=ns_to_proto(watermark_ns), next_close=ns_to_proto(next_ns)
            )
            try:
                await self._worlds.AdvanceFeed(request)
                told_ns = watermark_ns
            except QmtlError as error:
                log.warning("feed_not_told", preset=self._preset, reason=error.reason)
                await self._clock.sleep(AGAIN_S)


class MemberLags:
    """Watches the feeds of a universe: which of them holds the others, and by how much."""

    def __init__(self, preset: str, feeds: FeedClock, metrics: SeamlessMetrics) -> None:
        self._preset = preset
        self._feeds = feeds
        self._metrics = metrics
        self.lagging: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            self.look()
            await self._feeds.moves()

    def look(self) -> None:
        """Tell what has changed since the last look."""
        begun = [feed for feed in self._feeds.feeds if feed.watermark_ns]
        for feed in begun:
            lag_s = self._feeds.lag_ns(feed) / SECOND_NS
            self._metrics.live_member_lag.labels(self._preset, feed.preset.name).set(lag_s)
        lagging = {feed.preset.name: feed for feed in begun if self._feeds.lags(feed)}
        for name in sorted(lagging.keys() - self.lagging):
            due = timestamp_text(from_ns(lagging[name].next_close_ns))
            log.warning("member_lags", preset=self._preset, member=name, due=due, hint="its universe waits for it")
        for name in sorted(self.lagging - lagging.keys()):
            log.info("member_caught_up", preset=self._preset, member=name)
        self.lagging = frozenset(lagging)

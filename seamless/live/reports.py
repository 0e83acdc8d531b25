"""Tells worldservice how far each live feed has come, with every move: what data currency of worlds is judged by.

Only the newest place is told; while worldservice is away nothing waits but the telling.
"""

from __future__ import annotations

import structlog

from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.wire.instants import ns_to_proto
from qmtl.world.v1 import session_service_pb2 as sessionservicepb
from qmtl.world.v1 import session_service_pb2_grpc as sessionrpc
from seamless.live.feed import LiveFeed

AGAIN_S = 0.5
log = structlog.stdlib.get_logger("qmtl.seamless.live")


class FeedReports:
    """Reports one feed."""

    def __init__(self, feed: LiveFeed, worlds: sessionrpc.SessionServiceAsyncStub, clock: Clock) -> None:
        self._feed = feed
        self._worlds = worlds
        self._clock = clock

    async def run(self) -> None:
        """Report for ever."""
        told_ns = 0
        while True:
            await self._feed.until_moved(told_ns)
            watermark_ns, next_ns = self._feed.watermark_ns, self._feed.next_close_ns
            request = sessionservicepb.AdvanceFeedRequest(
                data_preset=self._feed.preset.name,
                watermark=ns_to_proto(watermark_ns),
                next_close=ns_to_proto(next_ns),
            )
            try:
                await self._worlds.AdvanceFeed(request)
                told_ns = watermark_ns
            except QmtlError as error:
                log.warning("feed_not_told", preset=self._feed.preset.name, reason=error.reason)
                await self._clock.sleep(AGAIN_S)

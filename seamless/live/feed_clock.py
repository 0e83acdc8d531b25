"""Live feeds on one data clock: bars in the order of their closes, and no instant before every feed has told it.

The watermark is the least that its feeds allow: one that lags holds all. A feed of longer bars holds nobody between its
closes: it has told all that was to be told by then.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any

from qmtl.calendars.spans import Span, ceil_to, floor_to
from qmtl.core.errors import Unavailable, refused
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.core.tasks.ending import first_of
from seamless.domain.sessions.playback import Delivery, merged, told
from seamless.live.feed import LiveFeed

BATCH_BARS = 256


class FeedClock:
    """The bars of one feed, or of several by symbol and interval."""

    def __init__(self, feeds: Sequence[LiveFeed]) -> None:
        self.feeds = tuple(feeds)
        self.step_ns = math.gcd(*(feed.interval_ns for feed in self.feeds))

    @property
    def watermark_ns(self) -> int:
        """Every bar that closes at or before it has come; 0 until all feeds have begun."""
        if not all(feed.watermark_ns for feed in self.feeds):
            return 0
        newest_ns = max(feed.watermark_ns for feed in self.feeds)
        return min(newest_ns, *(self.reach_ns(feed) for feed in self.feeds))

    @property
    def next_close_ns(self) -> int:
        """The close of the earliest bar that is expected of any feed and has not come."""
        return min(feed.next_close_ns for feed in self.feeds)

    @property
    def oldest_ns(self) -> int:
        """The first open that all feeds made sure of when they began."""
        return max(feed.oldest_ns for feed in self.feeds)

    def reach_ns(self, feed: LiveFeed) -> int:
        """The last step of the clock by which one of its feeds has told all."""
        return max(feed.watermark_ns, floor_to(feed.next_close_ns - 1, self.step_ns))

    def lag_ns(self, feed: LiveFeed) -> int:
        """How far the furthest feed is past the close that one of them owes."""
        return max(0, max(one.watermark_ns for one in self.feeds) - feed.next_close_ns)

    def lags(self, feed: LiveFeed) -> bool:
        """Whether one of its feeds holds the others: one has come a whole step past the close that it owes."""
        return self.lag_ns(feed) >= self.step_ns

    def require_begun(self) -> None:
        """Raises Unavailable (E_DATASET_INGESTING) before the history of every feed is there."""
        for feed in self.feeds:
            feed.require_begun()

    def confirmed(self, through_ns: int) -> int:
        """The watermark, for one who says that it is done with bars up to an instant: a live feed waits for nobody.

        Raises InvalidRequest (E_DATA_SESSION) for an instant not reached yet.
        """
        if through_ns > self.watermark_ns:
            reached, given = (timestamp_text(from_ns(at)) for at in (self.watermark_ns, through_ns))
            raise refused("E_DATA_SESSION", "through", given, f"at most the watermark, {reached}")
        return self.watermark_ns

    async def until_moved(self, beyond_ns: int) -> None:
        """Wait until the watermark is beyond an instant."""
        while self.watermark_ns <= beyond_ns:
            await self.moves()

    def moves(self) -> Coroutine[Any, Any, None]:
        """The next time, from this call on, that one of the feeds moves."""
        return first_of(*(feed.moves() for feed in self.feeds))

    async def deliveries(
        self, from_ns: int, ended: asyncio.Event, place: int | None = None
    ) -> AsyncGenerator[Delivery, None]:
        """Bars that close after an instant, of one feed (`place`) or of all: those that have come, then each as it
        comes, until `ended`. Raises Unavailable (E_DATASET_INGESTING, E_STOPPING): subscribe again.
        """
        self.require_begun()
        position = from_ns
        while True:
            seen_ns, over = max(self.watermark_ns, position), ended.is_set()
            if seen_ns > position or over:
                feeds = self.feeds if place is None else (self.feeds[place],)
                parts = [(await feed.bars(_closing(feed, position, seen_ns)), feed.interval_ns) for feed in feeds]
                for delivery in told(merged(parts), position, seen_ns, BATCH_BARS, last=over):
                    yield delivery
            if over:
                return
            position = seen_ns
            while self.watermark_ns <= position and not ended.is_set():
                if any(feed.closed for feed in self.feeds):
                    raise Unavailable("E_STOPPING", "seamless stops; subscribe again from the last bar's close_time")
                await first_of(ended.wait(), self.moves())


def _closing(feed: LiveFeed, after_ns: int, until_ns: int) -> Span:
    """Opens of the bars of a feed that close after one instant, and at another at the latest."""
    first_ns, end_ns = (ceil_to(at - feed.interval_ns + 1, feed.interval_ns) for at in (after_ns, until_ns))
    return Span(first_ns, max(first_ns, end_ns))

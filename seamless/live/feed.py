"""The live feed of one preset: every closed bar once, in order, stored before anyone sees it.

Each look asks the exchange from some bars before the watermark up to its now, so what was missed while it was away
comes before what is new, a repeated bar is no second one, and a bar that was corrected after its close is found.
The watermark moves over what has come and over what the exchange says never was, never over what nobody knows; what an
exchange lists no more is stored as an outage, and told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np
import structlog

from qmtl.calendars.spans import Coverage, Span, floor_to, intersect
from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, DeadlineExceeded, Exhausted, NotReady, Unavailable, refused
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.core.tasks.ending import first_of
from qmtl.exchanges.budgets import Purpose
from seamless.backfill.backfiller import Backfiller, BarSource
from seamless.domain.bars import Bars, concatenated, no_bars
from seamless.domain.playback import Delivery
from seamless.domain.stored import Provenance
from seamless.metrics import SeamlessMetrics
from seamless.presets.preset import Preset
from seamless.storage.storage import Storage

LADDER_S = (0.5, 1.0, 2.0, 5.0)
UNSERVED_S = 60.0  # between looks for what the exchange does not list, such as a symbol
OVERLAP_BARS = 3  # how far back a correction is looked for
TAIL_BARS = 2_048  # the newest bars are kept in memory
BATCH_BARS = 256
DUE_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # between looks for a bar that is due and has not come: each look costs weight
SECOND_NS = 1_000_000_000

log = structlog.stdlib.get_logger("qmtl.seamless.live")


class LiveFeed:
    """Follows one preset for all its subscribers."""

    def __init__(
        self,
        preset: Preset,
        source: BarSource,
        storage: Storage,
        backfiller: Backfiller,
        clock: Clock,
        metrics: SeamlessMetrics,
        history_ns: int,
    ) -> None:
        self.preset = preset
        self.watermark_ns = 0  # 0: it has not begun
        self.began_ns = 0  # where its first bar opens
        self._source = source
        self._storage = storage
        self._backfiller = backfiller
        self._clock = clock
        self._metrics = metrics
        self._history_ns = history_ns
        self._tail = no_bars()
        self._moved = asyncio.Event()
        self._closed = asyncio.Event()

    @property
    def interval_ns(self) -> int:
        return self.preset.dataset.interval_ns

    @property
    def next_close_ns(self) -> int:
        """The close of the earliest bar that the calendar expects and that has not come."""
        step, ahead = self.interval_ns, 1
        while True:  # a calendar has its next session within some doublings
            expected = self.preset.calendar.expected(Span(self.watermark_ns, self.watermark_ns + ahead * step), step)
            if expected:
                return expected[0].start_ns + step
            ahead *= 2

    async def run(self) -> None:
        """Follow until cancelled. Troubles of the exchange are waited out, a little longer each time."""
        failures = misses = 0
        while True:
            try:
                if not self.watermark_ns:
                    await self._begin()
                misses = 0 if await self.look() else misses + 1
                failures = 0
                await self._until_due(misses)
            except (Unavailable, Exhausted, DeadlineExceeded, Conflict, NotReady) as error:
                least_s = UNSERVED_S if isinstance(error, NotReady) else LADDER_S[min(failures, len(LADDER_S) - 1)]
                pause_s = max(least_s, error.retry_after_s or 0.0)
                failures += 1
                self._metrics.live_breaks.labels(self.preset.name).inc()
                log.warning("feed_broken", preset=self.preset.name, reason=error.reason, error=error.message)
                await self._clock.sleep(pause_s)

    async def look(self) -> bool:
        """Ask once for what has closed since the watermark; whether all of it came. Raises as source and store do."""
        step = self.interval_ns
        until_ns = floor_to(await self._source.now_ns(), step)
        if until_ns <= self.watermark_ns:
            return True  # nothing is due
        asked = Span(self.watermark_ns - OVERLAP_BARS * step, until_ns)
        answer = await self._source.fetch(asked, Purpose.MARKET_DATA)
        unknown = [one.start_ns for one in answer.unresolved(step) if one.end_ns > self.watermark_ns]
        edge_ns = max(self.watermark_ns, min([answer.span.end_ns, *unknown]))
        corrected = self._corrected(answer.bars.within(Span(asked.start_ns, self.watermark_ns)))
        fresh = answer.bars.within(Span(self.watermark_ns, edge_ns))
        if len(corrected) or edge_ns > self.watermark_ns:
            span = self._written(corrected, edge_ns)
            said = Provenance(self._source.producer, intersect(answer.empty, (span,)), self._lost(answer.span))
            await self._storage.write(self.preset.dataset, concatenated((corrected, fresh)), span, said)
            self._take(corrected, fresh, edge_ns)
        return not unknown

    async def deliveries(self, from_ns: int, ended: asyncio.Event) -> AsyncGenerator[Delivery, None]:
        """Bars that open from an instant on: those that have come, then each as it comes, until `ended`.

        Raises Unavailable (E_DATASET_INGESTING, E_STOPPING): subscribe again.
        """
        self.require_begun()
        position = from_ns
        while True:
            seen_ns, over = self.watermark_ns, ended.is_set()
            async with aclosing(self._between(position, seen_ns)) as batches:
                async for delivery in batches:
                    yield delivery
            if over:
                yield Delivery(no_bars(), max(seen_ns, position), True)
                return
            position = max(position, seen_ns)
            while self.watermark_ns <= position and not ended.is_set():
                if self._closed.is_set():
                    raise Unavailable("E_STOPPING", "seamless stops; subscribe again from the last bar's close_time")
                await first_of(self._moved.wait(), ended.wait(), self._closed.wait())

    def require_begun(self) -> None:
        """Raises Unavailable (E_DATASET_INGESTING) before the history is there."""
        if not self.watermark_ns:
            raise Unavailable(
                "E_DATASET_INGESTING", f"{self.preset.name} is being caught up with its exchange", retry_after_s=0.5
            )

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
            await self._moved.wait()

    def close(self) -> None:
        """Send every subscriber away: the server stops."""
        self._closed.set()

    async def _begin(self) -> None:
        """See that the history is there; bars flow from its end."""
        step, dataset = self.interval_ns, self.preset.dataset
        now_ns = floor_to(await self._source.now_ns(), step)
        history = Span(floor_to(now_ns - self._history_ns, step), now_ns)
        found = await self._backfiller.ensure(self._source, self.preset.calendar, history)
        missing = await self._backfiller.missing(dataset, self.preset.calendar, history)
        open_end = bool(missing) and missing[-1].end_ns == now_ns
        start_ns = missing[-1].start_ns if open_end else now_ns
        newest = Span(max(history.start_ns, start_ns - TAIL_BARS * step), start_ns)
        self._tail = await self._storage.read(dataset, newest)
        log.info("feed_begins", preset=self.preset.name, bars=found.present, of=found.expected, failures=found.failures)
        self.began_ns = start_ns
        self._move(start_ns)

    def _corrected(self, again: Bars) -> Bars:
        """Of bars told again, those that are not what they were."""
        before = self._tail.within(Span(int(again.time_ns[0]), int(again.time_ns[-1]) + 1)) if len(again) else no_bars()
        same = np.isin(again.time_ns, before.time_ns)
        index = np.searchsorted(before.time_ns, again.time_ns[same])
        differs = np.zeros(len(again), np.bool_)
        for ours, theirs in zip(before.values(), again.values(), strict=True):
            differs[same] |= ours[index] != theirs[same]
        return again.take(differs)

    def _lost(self, told: Span) -> Coverage:
        """What came while the feed was away and is listed no more: nobody will tell it again."""
        lost = Span(self.watermark_ns, max(self.watermark_ns, told.start_ns))
        if lost.empty:
            return ()
        count, at = lost.bars(self.interval_ns), timestamp_text(from_ns(lost.start_ns))
        log.error(
            "bars_lost", preset=self.preset.name, bars=count, first=at, hint="qmtl data add brings them from files"
        )
        return (lost,)

    def _written(self, corrected: Bars, edge_ns: int) -> Span:
        """From the first correction, or the watermark, to what is known now."""
        first_ns = int(corrected.time_ns[0]) if len(corrected) else self.watermark_ns
        return Span(first_ns, max(edge_ns, first_ns + self.interval_ns))

    def _take(self, corrected: Bars, fresh: Bars, edge_ns: int) -> None:
        for at in corrected.time_ns.tolist():
            self._metrics.live_corrections.labels(self.preset.name).inc()
            log.warning("bar_corrected", preset=self.preset.name, open=timestamp_text(from_ns(at)))
        kept = self._tail.take(~np.isin(self._tail.time_ns, corrected.time_ns))
        tail = concatenated((kept, corrected.revised(), fresh))
        order = np.argsort(tail.time_ns, kind="stable")[-TAIL_BARS:]
        self._tail = tail.take(order)
        self._metrics.live_bars.labels(self.preset.name).inc(len(fresh))
        self._move(edge_ns)

    def _move(self, watermark_ns: int) -> None:
        if watermark_ns > self.watermark_ns:
            self.watermark_ns = watermark_ns
            moved, self._moved = self._moved, asyncio.Event()
            moved.set()

    async def _between(self, start_ns: int, watermark_ns: int) -> AsyncGenerator[Delivery, None]:
        """What opens from one instant to a watermark, in batches; the last has the watermark, with bars or without."""
        if start_ns >= watermark_ns:
            return
        span = Span(start_ns, watermark_ns)
        in_memory = len(self._tail) > 0 and start_ns >= int(self._tail.time_ns[0])
        bars = self._tail.within(span) if in_memory else await self._storage.read(self.preset.dataset, span)
        for first in range(0, len(bars) - BATCH_BARS, BATCH_BARS):
            batch = bars.take(slice(first, first + BATCH_BARS))
            yield Delivery(batch, int(batch.time_ns[-1]) + self.interval_ns, False)
        rest = max(0, (len(bars) - 1) // BATCH_BARS * BATCH_BARS)
        yield Delivery(bars.take(slice(rest, None)), watermark_ns, False)

    async def _until_due(self, misses: int) -> None:
        """Sleep until the next bar is due by the exchange's clock, or a little where one is due and has not come."""
        due_in_s = (self.next_close_ns - await self._source.now_ns()) / SECOND_NS
        if due_in_s > 0:
            await self._clock.sleep(due_in_s)
        elif misses:
            await self._clock.sleep(DUE_S[min(misses, len(DUE_S)) - 1])

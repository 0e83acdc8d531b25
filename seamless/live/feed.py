"""The live feed of one preset: every closed bar once, in order, stored before anyone sees it.

Each look asks the exchange from some bars before the last look up to its now, so what was missed while it was away
comes before what is new, a repeated bar is no second one, and a bar that was corrected after its close is found. A bar
that a websocket tells is taken only where it comes next, has closed, and is whole; anything else makes the feed look.
The watermark moves over what has come and over what the exchange says never was, never over what nobody knows; what an
exchange lists no more, or again and again without all of its fields, is stored as an outage, and told.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any

import numpy as np
import structlog

from qmtl.calendars.calendars import Calendar
from qmtl.calendars.spans import Coverage, Span, floor_to, intersect, normalise, subtract
from qmtl.core.errors import QmtlError, Unavailable
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.exchanges.budgets import Purpose
from seamless.backfill.backfiller import Backfiller, BarSource, Progress
from seamless.domain.bars import Bars, concatenated, no_bars
from seamless.domain.stored import Provenance
from seamless.metrics import SeamlessMetrics
from seamless.presets.preset import Preset
from seamless.sources.ccxt.answers import bars_of
from seamless.sources.ccxt.stream import Streamed
from seamless.storage.storage import Storage

OVERLAP_BARS = 3  # how far back a correction is looked for
TAIL_BARS = 2_048  # the newest bars are kept in memory
CHECK_BARS = 15  # by websocket, before they are compared with what the exchange lists
BROKEN_LOOKS = 6  # for a bar that comes without all of its fields, before time goes on without it
AHEAD_MAX_NS = 400 * 86_400 * 1_000_000_000  # how far a calendar is asked for its next session

log = structlog.stdlib.get_logger("qmtl.seamless.live")


def next_close(calendar: Calendar, watermark_ns: int, interval_ns: int) -> int:
    """The close of the earliest bar that a calendar expects from a watermark on: lag is counted from there, so that a
    healthy feed of any interval has none. A calendar that knows no session in a year has none that could be late.
    """
    ahead_ns = interval_ns
    while ahead_ns < AHEAD_MAX_NS:  # it has its next session within some doublings
        expected = calendar.expected(Span(watermark_ns, watermark_ns + ahead_ns), interval_ns)
        if expected:
            return expected[0].start_ns + interval_ns
        ahead_ns *= 2
    return watermark_ns + ahead_ns


class LiveFeed:
    """The bars of one preset, for all its subscribers."""

    def __init__(
        self,
        preset: Preset,
        source: BarSource,
        storage: Storage,
        backfiller: Backfiller,
        metrics: SeamlessMetrics,
        history_ns: int,
    ) -> None:
        self.preset = preset
        self.watermark_ns = 0  # 0: it has not begun
        self.began_ns = 0  # where its first bar opens
        self.closed = False  # its subscribers are sent away
        self._source = source
        self._storage = storage
        self._backfiller = backfiller
        self._metrics = metrics
        self._history_ns = history_ns
        self._older = Span(0, 0)  # history that does not come quickly
        self._tail = no_bars()
        self._checked_ns = 0  # bars that close after it came by websocket and were not looked for yet
        self._doubted_ns: int | None = None  # the oldest bar that the websocket told again, and differently
        self._newest_ns = 0  # the newest bar that the websocket told of
        self._broken: Counter[int] = Counter()  # looks that found an open without all of its fields
        self._moved = asyncio.Event()

    @property
    def oldest_ns(self) -> int:
        """The first open that it made sure of when it began."""
        return floor_to(self.began_ns - self._history_ns, self.interval_ns)

    @property
    def interval_ns(self) -> int:
        return self.preset.dataset.interval_ns

    @property
    def next_close_ns(self) -> int:
        """The close of the earliest bar that the calendar expects and that has not come."""
        return next_close(self.preset.calendar, self.watermark_ns, self.interval_ns)

    async def begin(self) -> None:
        """See that the newest history is there, as far as it comes quickly; bars flow from its end."""
        step, dataset = self.interval_ns, self.preset.dataset
        now_ns = floor_to(await self._source.now_ns(), step)
        start_ns = floor_to(now_ns - self._history_ns, step)
        quick_ns = min(max(start_ns, self._source.quick_from_ns(now_ns)), now_ns)
        self._older, history = Span(start_ns, quick_ns), Span(quick_ns, now_ns)
        found = await self._ensure(history)
        missing = await self._backfiller.missing(dataset, self.preset.calendar, history)
        open_end = bool(missing) and missing[-1].end_ns == now_ns
        start_ns = missing[-1].start_ns if open_end else now_ns
        newest = Span(max(history.start_ns, start_ns - TAIL_BARS * step), start_ns)
        self._tail = await self._storage.read(dataset, newest)
        log.info("feed_begins", preset=self.preset.name, bars=found.present, of=found.expected, failures=found.failures)
        self.began_ns = self._checked_ns = start_ns
        self._move(start_ns)

    async def fill_history(self) -> None:
        """See that the rest of the history is there; what cannot be had is told."""
        if self._older.empty:
            return
        try:
            found = await self._ensure(self._older)
        except QmtlError as error:
            log.warning("history_not_filled", preset=self.preset.name, reason=error.reason, error=error.message)
        else:
            log.info("history_filled", preset=self.preset.name, bars=found.present, failures=found.failures)

    async def _ensure(self, span: Span) -> Progress:
        preset = self.preset
        return await self._backfiller.ensure(self._source, preset.calendar, span, held_back=preset.held_back)

    async def look(self) -> bool:
        """Ask once for what has closed since the last look; whether all of it came. Raises as source and store do."""
        step = self.interval_ns
        until_ns = floor_to(await self._source.now_ns(), step)
        if until_ns <= self.watermark_ns and self._checked_ns == self.watermark_ns and self._doubted_ns is None:
            return True  # nothing is due
        since_ns = min(self._checked_ns, self._checked_ns if self._doubted_ns is None else self._doubted_ns)
        asked = Span(since_ns - OVERLAP_BARS * step, max(until_ns, self.watermark_ns))
        answer = await self._source.fetch(asked, Purpose.MARKET_DATA)
        given_up = self._given_up(answer.broken)
        waited_for = subtract(answer.unresolved(step), given_up)
        unknown = [max(one.start_ns, self.watermark_ns) for one in waited_for if one.end_ns > self.watermark_ns]
        edge_ns = max(self.watermark_ns, min([answer.span.end_ns, *unknown]))
        corrected = self._corrected(answer.bars.within(Span(asked.start_ns, self.watermark_ns)))
        fresh = answer.bars.within(Span(self.watermark_ns, edge_ns))
        if len(corrected) or edge_ns > self.watermark_ns:
            span = self._written(corrected, edge_ns)
            outage = intersect(normalise((*self._lost(answer.span), *given_up)), (span,))
            said = Provenance(self._source.producer, intersect(answer.empty, (span,)), outage)
            await self._storage.write(self.preset.dataset, concatenated((corrected, fresh)), span, said)
            self._take(corrected, fresh, edge_ns)
        self._checked_ns, self._doubted_ns = self.watermark_ns, None
        return not unknown

    async def hear(self, told: Streamed) -> bool:
        """Take a bar over that a websocket tells; whether it is time to look. Raises as source and store do."""
        (open_ns, values), step = told.row, self.interval_ns
        if open_ns > self.watermark_ns:  # so what is before it has closed
            wakes, self._newest_ns = open_ns > self._newest_ns, max(open_ns, self._newest_ns)
            return wakes
        if not told.closed or values is None:
            return False
        bar = bars_of({open_ns: values})
        if open_ns < self.watermark_ns:
            if len(self._tail) and open_ns >= int(self._tail.time_ns[0]) and len(self._corrected(bar)):
                self._doubted_ns = min(open_ns, open_ns if self._doubted_ns is None else self._doubted_ns)
            return False
        now_ns = await self._source.now_ns()
        if open_ns + step > (now_ns if told.time_ns is None else min(told.time_ns, now_ns)):
            return False  # it says so before its time; the look at its close decides
        span = Span(open_ns, open_ns + step)
        await self._storage.write(self.preset.dataset, bar, span, Provenance(self._source.producer))
        self._take(no_bars(), bar, span.end_ns)
        return self._doubted_ns is not None or self.watermark_ns - self._checked_ns >= CHECK_BARS * step

    def require_begun(self) -> None:
        """Raises Unavailable (E_DATASET_INGESTING) before the history is there."""
        if not self.watermark_ns:
            raise Unavailable(
                "E_DATASET_INGESTING", f"{self.preset.name} is being caught up with its exchange", retry_after_s=0.5
            )

    async def until_moved(self, beyond_ns: int) -> None:
        """Wait until the watermark is beyond an instant."""
        while self.watermark_ns <= beyond_ns:
            await self.moves()

    def moves(self) -> Coroutine[Any, Any, object]:
        """The next time, from this call on, that the watermark moves or subscribers are sent away."""
        return self._moved.wait()

    async def bars(self, span: Span) -> Bars:
        """Bars that open inside a span and have come, as they stand now. Raises as the store does."""
        in_memory = len(self._tail) > 0 and span.start_ns >= int(self._tail.time_ns[0])
        return self._tail.within(span) if in_memory else await self._storage.read(self.preset.dataset, span)

    def close(self) -> None:
        """Send every subscriber away: the server stops."""
        self.closed = True
        self._wake()

    def _given_up(self, broken: Sequence[int]) -> Coverage:
        """Opens that come again and again without all of their fields: time goes on without them, and that is told."""
        due = [at for at in broken if at >= self.watermark_ns]
        self._broken = Counter({at: self._broken[at] + 1 for at in due})
        found = [at for at in due if self._broken[at] >= BROKEN_LOOKS]
        for at in found:
            self._metrics.live_lost.labels(self.preset.name).inc()
            log.error("bar_broken", preset=self.preset.name, open=timestamp_text(from_ns(at)), looks=BROKEN_LOOKS)
        return normalise([Span(at, at + self.interval_ns) for at in found])

    def _corrected(self, again: Bars) -> Bars:
        """Of bars told again, those that are not what they were, or were not there."""
        before = self._tail.within(Span(int(again.time_ns[0]), int(again.time_ns[-1]) + 1)) if len(again) else no_bars()
        same = np.isin(again.time_ns, before.time_ns)
        index = np.searchsorted(before.time_ns, again.time_ns[same])
        differs = ~same
        for ours, theirs in zip(before.values(), again.values(), strict=True):
            differs[same] |= ours[index] != theirs[same]
        return again.take(differs)

    def _lost(self, told: Span) -> Coverage:
        """What came while the feed was away and is listed no more: nobody will tell it again."""
        lost = Span(self.watermark_ns, max(self.watermark_ns, told.start_ns))
        if lost.empty:
            return ()
        count, at = lost.bars(self.interval_ns), timestamp_text(from_ns(lost.start_ns))
        self._metrics.live_lost.labels(self.preset.name).inc(count)
        log.error(
            "bars_lost", preset=self.preset.name, bars=count, first=at, hint="qmtl data add brings them from files"
        )
        return (lost,)

    def _written(self, corrected: Bars, edge_ns: int) -> Span:
        """From the first correction, or the watermark, to what is known now."""
        first_ns = int(corrected.time_ns[0]) if len(corrected) else self.watermark_ns
        return Span(first_ns, max(edge_ns, first_ns + self.interval_ns))

    def _take(self, corrected: Bars, fresh: Bars, edge_ns: int) -> None:
        known = np.isin(corrected.time_ns, self._tail.time_ns)
        for at, was_there in zip(corrected.time_ns.tolist(), known.tolist(), strict=True):
            self._metrics.live_corrections.labels(self.preset.name).inc()
            event = "bar_corrected" if was_there else "bar_late"
            log.warning(event, preset=self.preset.name, open=timestamp_text(from_ns(at)))
        kept = self._tail.take(~np.isin(self._tail.time_ns, corrected.time_ns))
        tail = concatenated((kept, corrected.take(known).revised(), corrected.take(~known), fresh))
        order = np.argsort(tail.time_ns, kind="stable")[-TAIL_BARS:]
        self._tail = tail.take(order)
        self._metrics.live_bars.labels(self.preset.name).inc(len(fresh))
        self._move(edge_ns)

    def _move(self, watermark_ns: int) -> None:
        if watermark_ns > self.watermark_ns:
            self.watermark_ns = watermark_ns
            self._wake()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

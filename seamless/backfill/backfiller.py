"""Fetches what is missing of a dataset, window by window, so that each is fetched to its end once.

A window counts once it is stored, in one write: a worker that is killed leaves nothing half done, and another takes
the window over. What a source only seems to lack stays missing; it is empty where the source says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

import structlog

from qmtl.calendars.calendars import Calendar
from qmtl.calendars.spans import Coverage, Span, bars, floor_to, intersect, subtract, union
from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, Exhausted, QmtlError, Unavailable
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.exchanges.budgets import Purpose
from seamless.backfill.flights import Flights
from seamless.domain.datasets import DatasetId
from seamless.domain.stored import Provenance
from seamless.domain.windows import ATTEMPTS, Window, wait_s, windows_of
from seamless.metrics import SeamlessMetrics
from seamless.sources.ccxt.answers import Answer
from seamless.storage.storage import Storage

AT_ONCE = 8
WINDOW_BARS = 1_000  # one page of most exchanges
OTHERS_S = 0.25  # how often it is looked whether another process has finished a window

log = structlog.stdlib.get_logger("qmtl.seamless.backfill")


class BarSource(Protocol):
    """Where bars come from."""

    producer: str
    dataset: DatasetId

    async def now_ns(self, purpose: Purpose = Purpose.MARKET_DATA) -> int:
        """The source's time, at least."""
        ...

    def quick_from_ns(self, now_ns: int) -> int:
        """From where on its history comes in few requests, at a time."""
        ...

    async def fetch(self, span: Span, purpose: Purpose) -> Answer:
        """What it says about the closed bars of a span."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """Bars that the calendar expects in the range, those there, and those the source says never were."""

    span: Span
    expected: int
    present: int
    empty: int
    closed_ns: int = 0  # the close of the newest bar that the source has
    windows: int = 0
    windows_done: int = 0
    failures: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """How much of what was asked for is settled."""
        return (self.present + self.empty) / self.expected if self.expected else 1.0


Tell = Callable[[Progress], None]


class Backfiller:
    """Fills datasets of a store. One of these per process; any number of processes."""

    def __init__(
        self, storage: Storage, flights: Flights, clock: Clock, metrics: SeamlessMetrics, random: Random
    ) -> None:
        self._storage = storage
        self._flights = flights
        self._clock = clock
        self._metrics = metrics
        self._random = random
        self._seats = asyncio.Semaphore(AT_ONCE)

    async def progress(self, dataset: DatasetId, calendar: Calendar, span: Span) -> Progress:
        """How a range stands."""
        known = await self._storage.coverage(dataset)
        step = dataset.interval_ns
        expected = calendar.expected(span, step)
        present, empty = intersect(known.have, expected), intersect(known.empty, expected)
        return Progress(span, bars(expected, step), bars(present, step), bars(empty, step))

    async def missing(self, dataset: DatasetId, calendar: Calendar, span: Span) -> Coverage:
        """Expected bars of a range that nobody has and nobody said never were."""
        known = await self._storage.coverage(dataset)
        return subtract(calendar.expected(span, dataset.interval_ns), union(known.have, known.empty))

    async def ensure(
        self, source: BarSource, calendar: Calendar, span: Span, tell: Tell = lambda _: None, *, held_back: int
    ) -> Progress:
        """Fetch what is missing of a range, as far as its bars have closed; `tell` hears of each window's end. The
        newest `held_back` bars of the source are kept as what it may still revise.

        A window that cannot be had does not stop the others; its reason is among `failures`. A full disk stops those
        that have not begun: what cannot be kept is not asked for. Raises Unavailable, Exhausted (E_RATE_LIMITED) where
        the source's time cannot be had.
        """
        dataset, step = source.dataset, source.dataset.interval_ns
        closed_ns = floor_to(await source.now_ns(Purpose.HISTORY), step)
        span = Span(span.start_ns, max(span.start_ns, min(span.end_ns, closed_ns)))
        missing = await self.missing(dataset, calendar, span)
        windows = windows_of(missing, step, WINDOW_BARS)
        failures: list[str] = []
        done, disk_full = 0, False
        young = Span(closed_ns - held_back * step, closed_ns)

        async def fill(window: Window) -> None:
            nonlocal done, disk_full
            async with self._seats:
                try:
                    failure = _not_fetched(window) if disk_full else await self._fill(source, calendar, window, young)
                except DiskFull as error:
                    failure, disk_full = str(error), True
            done += 1
            over = done
            failures.extend([failure] if failure else [])
            tell(replace(await self._stand(source, calendar, span, len(windows), over, failures), closed_ns=closed_ns))

        async with asyncio.TaskGroup() as tasks:
            for window in windows:
                tasks.create_task(fill(window), name=f"backfill {dataset} {window.number}")
        return replace(await self._stand(source, calendar, span, len(windows), done, failures), closed_ns=closed_ns)

    async def _stand(
        self, source: BarSource, calendar: Calendar, span: Span, windows: int, done: int, failures: list[str]
    ) -> Progress:
        found = await self.progress(source.dataset, calendar, span)
        self._metrics.backfill_ratio.labels(str(source.dataset)).set(found.ratio)
        return replace(found, windows=windows, windows_done=done, failures=tuple(sorted(failures)))

    async def _fill(self, source: BarSource, calendar: Calendar, window: Window, young: Span) -> str:
        """See that a window is filled, here or elsewhere; why it could not be, or nothing. Raises DiskFull."""
        name = f"seamless/backfill/{source.dataset}/{window.number}"
        attempt = 0
        while True:
            try:
                if not await self.missing(source.dataset, calendar, window.span):
                    return ""
                if await self._flights.fly(name, lambda: self._fetch(source, calendar, window, young)):
                    return await self._unsettled(source, calendar, window)
                await self._clock.sleep(OTHERS_S)
            except (Unavailable, Exhausted, Conflict) as error:
                if error.reason == "E_DISK_SMALL":  # to fetch it again would not help
                    raise DiskFull(f"window {window.number}: E_DISK_SMALL: {error.message}: {error.hint}") from error
                attempt += 1
                self._metrics.backfill_attempts.labels(type(error).__name__).inc()
                if attempt >= ATTEMPTS:
                    return _failure(window, error, attempt)
                pause_s = max(wait_s(attempt, self._random), error.retry_after_s or 0.0)
                log.info("backfill_again", dataset=str(source.dataset), window=window.number, reason=error.reason)
                await self._clock.sleep(pause_s)
            except QmtlError as error:  # nothing that waiting helps
                return _failure(window, error, attempt + 1)

    async def _fetch(self, source: BarSource, calendar: Calendar, window: Window, young: Span) -> None:
        """Fetch what is missing of a window and store it at once."""
        missing = await self.missing(source.dataset, calendar, window.span)
        if not missing:
            return  # another process had it
        wanted = Span(missing[0].start_ns, missing[-1].end_ns)
        answer = await source.fetch(wanted, Purpose.HISTORY)
        await keep(self._storage, source, answer, young)
        self._metrics.backfilled_rows.labels(str(source.dataset)).inc(len(answer.bars))
        if answer.broken:  # the others are kept, and these are asked for again
            first = timestamp_text(from_ns(answer.broken[0]))
            raise Unavailable(
                "E_SOURCE_ANSWER", f"{len(answer.broken)} bars came without all of their fields, the first of {first}"
            )

    async def _unsettled(self, source: BarSource, calendar: Calendar, window: Window) -> str:
        """What the source neither has nor says never was."""
        left = await self.missing(source.dataset, calendar, window.span)
        count = bars(left, source.dataset.interval_ns)
        return f"window {window.number}: {source.producer} does not say what became of {count} bars" if left else ""


async def keep(storage: Storage, source: BarSource, answer: Answer, young: Span) -> None:
    """Store an answer, but for the spans that its source has not read itself: nobody knows anything of those.

    Raises as `Storage.write`.
    """
    whole = () if answer.span.empty else (answer.span,)
    for span in subtract(whole, answer.unread):
        told = (intersect(part, (span,)) for part in (answer.empty, answer.outage, (young,)))
        await storage.write(source.dataset, answer.bars.within(span), span, Provenance(source.producer, *told))


class DiskFull(Exception):
    """A window came and could not be kept."""


def _not_fetched(window: Window) -> str:
    return f"window {window.number}: not fetched, as there is no room for it (E_DISK_SMALL)"


def _failure(window: Window, error: QmtlError, attempts: int) -> str:
    return f"window {window.number}: {error.reason} after {attempts} attempts: {error.message}"

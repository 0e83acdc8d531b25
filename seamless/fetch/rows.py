"""The rows of a plan, read from where it says: one sealed artifact month by month, or several places at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import groupby

import polars as pl

from qmtl.calendars.spans import Span
from qmtl.core.errors import DataLoss
from qmtl.core.tasks.ending import end
from seamless.artifacts.archive import BATCH_ROWS, Archive
from seamless.domain.admission import Origin
from seamless.domain.bars import Bars, concatenated, no_bars, opening_inside
from seamless.domain.datasets import DatasetId
from seamless.domain.fetch_plan import FetchPlan
from seamless.domain.fingerprints import Leaf, months_of
from seamless.domain.manifests import Manifest
from seamless.domain.sla import Phase
from seamless.fetch.phases import Phases
from seamless.storage.files import frame_of, ipc
from seamless.storage.storage import Storage


@dataclass(frozen=True, slots=True)
class ArrowChunk:
    """A batch of rows, encoded, and how many of them are flagged."""

    rows: int
    flagged: int
    body: bytes


class Taken:
    """The leaves of rows as they go by, month after month; `leaves_of` makes them, and may keep the rows."""

    def __init__(self, leaves_of: Callable[[Bars], Sequence[Leaf]]) -> None:
        self._leaves_of = leaves_of
        self.leaves: list[Leaf] = []

    def add(self, bars: Bars) -> None:
        """The rows of one month, after those of all before it."""
        if len(bars):
            self.leaves += self._leaves_of(bars)


class Rows:
    """Reads sealed and stored rows."""

    def __init__(self, archive: Archive, storage: Storage) -> None:
        self._archive = archive
        self._storage = storage

    def sealed(self, manifest: Manifest, span: Span, phases: Phases) -> AsyncGenerator[ArrowChunk, None]:
        """The rows of an artifact in batches."""
        return _encoded(self._archive.parts(manifest, span), phases)

    async def mixed(self, dataset: DatasetId, plan: FetchPlan, manifest: Manifest | None) -> Bars:
        """All rows of a plan and no others, each stretch from where the plan says: what was stored since is left out.

        Raises DataLoss (E_STORED_FILE), also where there are fewer rows than are known.
        """
        found = [no_bars()]
        for sealed, parts in groupby(plan.spans, key=lambda part: part.origin is Origin.ARTIFACT):
            stretch = list(parts)
            span = Span(stretch[0].span.start_ns, stretch[-1].span.end_ns)
            if sealed and manifest is not None:
                found.append(await asyncio.to_thread(self._archive.bars, manifest, span))
            else:
                found.append(await self._storage.read(dataset, span))
        rows = _planned(concatenated(found), plan)
        known = sum(part.span.bars(plan.interval_ns) for part in plan.spans)
        if len(rows) != known:
            raise DataLoss("E_STORED_FILE", f"{dataset} has {len(rows)} rows where {known} are known")
        return rows

    async def monthly(
        self, dataset: DatasetId, plan: FetchPlan, manifest: Manifest | None, phases: Phases, taken: Taken
    ) -> AsyncGenerator[ArrowChunk, None]:
        """All rows of a plan in batches, a month of them held at a time; `taken` gets their leaves.

        Raises as `mixed`, and what `taken` raises.
        """
        for month in months_of(plan.hull):
            async with phases.within(Phase.STORAGE):
                bars = await self.mixed(dataset, plan.within(month), manifest)
                await asyncio.to_thread(taken.add, bars)
            async with aclosing(_of_bars(bars, phases)) as chunks:
                async for chunk in chunks:
                    yield chunk


def _planned(rows: Bars, plan: FetchPlan) -> Bars:
    """The rows inside the spans of a plan."""
    return rows.take(opening_inside(rows.time_ns, [part.span for part in plan.spans]))


def _of_bars(bars: Bars, phases: Phases) -> AsyncGenerator[ArrowChunk, None]:
    """Rows that were read, in batches."""
    return _encoded(frame_of(bars).iter_slices(BATCH_ROWS) if len(bars) else iter(()), phases)


async def _encoded(frames: Iterator[pl.DataFrame], phases: Phases) -> AsyncGenerator[ArrowChunk, None]:
    """Batches as Arrow; the next one is read while this one is on its way."""
    ahead = asyncio.ensure_future(asyncio.to_thread(_encode_next, frames))
    try:
        while True:
            async with phases.within(Phase.STORAGE):
                part = await ahead
            if part is None:
                return
            ahead = asyncio.ensure_future(asyncio.to_thread(_encode_next, frames))
            yield part
    finally:
        await end(ahead)


def _encode_next(frames: Iterator[pl.DataFrame]) -> ArrowChunk | None:
    frame = next(frames, None)
    return None if frame is None else ArrowChunk(len(frame), int((frame["flags"] != 0).sum()), ipc(frame))

"""Datasets of exchanges and of other services, filled on demand with their progress told as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace

from qmtl.calendars.spans import Coverage, Span
from qmtl.core.errors import Exhausted, NotReady, Unavailable, refused
from qmtl.core.tasks.ending import end
from seamless.artifacts.inventory import Inventory
from seamless.backfill.agreement import agree
from seamless.backfill.backfiller import Backfiller, BarSource, Progress
from seamless.backfill.sealing import Sealed, ask_again, seal_stored
from seamless.presets.preset import Preset
from seamless.remotes.source import RemoteSource
from seamless.storage.storage import Storage

BARS_MAX = 1_000_000  # of one request


@dataclass(frozen=True, slots=True)
class Filled:
    """How a range stands; the last time with what was sealed."""

    progress: Progress
    done: bool = False
    fingerprint: str = ""
    held_back: int = 0  # stored bars that the artifact leaves out: the newest, which the source may still revise


class Filling:
    """Fills ranges of presets that have a source here."""

    def __init__(
        self, sources: Mapping[str, BarSource], backfiller: Backfiller | None, storage: Storage, inventory: Inventory
    ) -> None:
        self._sources = sources
        self._backfiller = backfiller
        self._storage = storage
        self._inventory = inventory

    def require(self, preset: Preset) -> tuple[BarSource, Backfiller]:
        """What fetches a preset. Raises NotReady (E_DATASET_UNAVAILABLE)."""
        source = self._sources.get(preset.name)
        if source is None or self._backfiller is None:
            text = f"{preset.name} is not fetched from an exchange or another seamless"
            raise NotReady("E_DATASET_UNAVAILABLE", text, metadata={"dataset": preset.name})
        return source, self._backfiller

    async def fill(self, preset: Preset, span: Span) -> AsyncGenerator[Filled, None]:
        """Fetch what is missing; how it stands at once, after each window, and at the end.

        Raises NotReady (E_DATASET_UNAVAILABLE), InvalidRequest (E_RANGE), else as `Backfiller.ensure`.
        """
        source, backfiller = self.require(preset)
        if span.bars(preset.dataset.interval_ns) > BARS_MAX:
            raise refused("E_RANGE", "range", f"{span.bars(preset.dataset.interval_ns)} bars", f"at most {BARS_MAX}")
        before = (await self._storage.coverage(preset.dataset)).have
        yield Filled(await backfiller.progress(preset.dataset, preset.calendar, span))
        told: asyncio.Queue[Progress | None] = asyncio.Queue()
        work = asyncio.ensure_future(
            backfiller.ensure(source, preset.calendar, span, told.put_nowait, held_back=preset.held_back)
        )
        work.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (progress := await told.get()) is not None:
                yield Filled(progress)
            last = await work
            sealed = await self._sealed(preset, source, before, last.closed_ns)
            told_why = (*last.failures, f"not sealed: {sealed.refusal}") if sealed.refusal else last.failures
            yield Filled(replace(last, failures=told_why), True, sealed.fingerprint, sealed.held_back)
        finally:
            await end(work)

    async def _sealed(self, preset: Preset, source: BarSource, before: Coverage, closed_ns: int) -> Sealed:
        try:
            await ask_again(preset, source, self._storage, self._inventory, before, closed_ns)
            expected = ""
            if isinstance(source, RemoteSource):
                expected = await agree(source, self._storage, await self._inventory.newest(preset))
        except (Unavailable, Exhausted) as error:
            return Sealed(refusal=f"what was held back before could not be asked for again: {error.message}")
        except NotReady as error:
            return Sealed(refusal=str(error))
        return await seal_stored(preset, self._storage, self._inventory, source.producer, closed_ns, expected)

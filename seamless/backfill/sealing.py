"""Seals what is stored of a dataset, so that backtests can read it: the same rules as for a delivery from a file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from qmtl.calendars.spans import Coverage, Span, bars, intersect, subtract
from qmtl.core.errors import Conflict, Exhausted, NotReady, Unavailable
from qmtl.exchanges.budgets import Purpose
from seamless.artifacts.ingest import judged
from seamless.artifacts.inventory import Inventory
from seamless.backfill.backfiller import BarSource
from seamless.domain.bars import VALUES, Bars
from seamless.domain.conformance.raw_columns import RawColumns
from seamless.domain.stored import Provenance
from seamless.presets.preset import Preset
from seamless.storage.storage import Storage


@dataclass(frozen=True, slots=True)
class Sealed:
    """The artifact's fingerprint, or why there is none; and how many stored bars it leaves out as the newest."""

    fingerprint: str = ""
    refusal: str = ""
    held_back: int = 0


async def ask_again(
    preset: Preset, source: BarSource, storage: Storage, inventory: Inventory, before: Coverage, closed_ns: int
) -> None:
    """Ask the source anew for what was there `before`, was held back and is settled now: it may have revised it.
    What it lists no more stays as it is. Raises Unavailable, Exhausted (E_RATE_LIMITED) as the source and the store do.
    """
    step, held = preset.dataset.interval_ns, preset.held_back
    newest = await inventory.newest(preset)
    if not before or (newest is None and bars(before, step) > held):
        return
    since_ns = before[0].start_ns if newest is None else newest.span.end_ns
    until_ns = max(since_ns, closed_ns - held * step)
    due: list[Span] = []
    for span in intersect(before, (Span(since_ns, until_ns),)):
        left = held - bars(tuple(due), step)
        due += [Span(span.start_ns, min(span.end_ns, span.start_ns + left * step))] if left else []
    if not due:
        return
    try:
        answer = await source.fetch(Span(due[0].start_ns, due[-1].end_ns), Purpose.HISTORY)
    except NotReady:
        return
    if answer.broken or subtract(tuple(due), (answer.span,)):
        raise Unavailable("E_SOURCE_ANSWER", f"{source.producer} does not say what became of {preset.dataset}")
    said = Provenance(source.producer, answer.empty)
    await storage.write(preset.dataset, answer.bars, answer.span, said)


async def seal_stored(preset: Preset, storage: Storage, inventory: Inventory, producer: str, closed_ns: int) -> Sealed:
    """Seal all bars that are stored but the newest that the source has, whose last closed at `closed_ns`."""
    known = await storage.coverage(preset.dataset)
    if not known.have:
        return Sealed(refusal="nothing is stored")
    stored = await storage.read(preset.dataset, Span(known.have[0].start_ns, known.have[-1].end_ns))
    newest = await inventory.newest(preset)
    schema = await inventory.schemas.in_force(preset.dataset.kind.value)
    try:
        outcome = await asyncio.to_thread(
            judged, preset, _raw(stored), producer, newest, inventory.archive, schema, closed_ns
        )
        await inventory.record(preset, outcome.report, outcome.manifest, outcome.refusal)
    except (Conflict, Exhausted) as error:
        return Sealed(refusal=": ".join(filter(None, (error.message, error.hint))))
    fingerprint = outcome.manifest.fingerprint if outcome.manifest else ""
    return Sealed(fingerprint, outcome.refusal, outcome.report.held_back)


def _raw(bars: Bars) -> RawColumns:
    return RawColumns({"time": bars.time_ns, **dict(zip(VALUES, bars.values(), strict=True))}, utc_known=True)

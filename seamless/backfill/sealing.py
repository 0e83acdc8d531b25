"""Seals what is stored of a dataset, so that backtests can read it: the same rules as for a delivery from a file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from qmtl.calendars.spans import Coverage, Span, bars, intersect, normalise, subtract
from qmtl.core.errors import Conflict, Exhausted, NotReady, Unavailable
from qmtl.exchanges.budgets import Purpose
from seamless.artifacts.ingest import judged
from seamless.artifacts.inventory import Inventory
from seamless.backfill.backfiller import BarSource, keep
from seamless.domain.bars import VALUES, Bars
from seamless.domain.conformance.raw_columns import RawColumns
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
    """Ask the source anew for what is settled now and was kept as the newest that it had, or was there `before`, told
    live, and held back: it may have revised it. What it lists no more stays as it is.

    Raises Unavailable, Exhausted (E_RATE_LIMITED) as the source and the store do.
    """
    step, held = preset.dataset.interval_ns, preset.held_back
    settled_ns = closed_ns - held * step
    unsettled = (await storage.coverage(preset.dataset)).unsettled
    due = [Span(one.start_ns, min(one.end_ns, settled_ns)) for one in unsettled if one.start_ns < settled_ns]
    newest = await inventory.newest(preset)
    if newest is not None and newest.span.end_ns < settled_ns:
        due += _first(intersect(before, (Span(newest.span.end_ns, settled_ns),)), held, step)
    for span in normalise(due):
        try:
            answer = await source.fetch(span, Purpose.HISTORY)
        except NotReady:
            continue
        if answer.broken or subtract((span,), (answer.span,)):
            raise Unavailable("E_SOURCE_ANSWER", f"{source.producer} does not say what became of {preset.dataset}")
        await keep(storage, source, answer, Span(settled_ns, closed_ns))


def _first(spans: Coverage, count: int, interval_ns: int) -> list[Span]:
    """The first bars of spans in order."""
    found: list[Span] = []
    for span in spans:
        left = count - bars(tuple(found), interval_ns)
        found += [Span(span.start_ns, min(span.end_ns, span.start_ns + left * interval_ns))] if left else []
    return found


async def seal_stored(
    preset: Preset, storage: Storage, inventory: Inventory, producer: str, closed_ns: int, expected: str = ""
) -> Sealed:
    """Seal all bars that are stored but the newest that the source has, whose last closed at `closed_ns`.

    `expected`: the fingerprint that they must have; empty: any.
    """
    known = await storage.coverage(preset.dataset)
    if not known.have:
        return Sealed(refusal="nothing is stored")
    stored = await storage.read(preset.dataset, Span(known.have[0].start_ns, known.have[-1].end_ns))
    newest = await inventory.newest(preset)
    schema = await inventory.schemas.in_force(preset.dataset.kind.value)
    try:
        outcome = await asyncio.to_thread(
            judged, preset, _raw(stored), producer, newest, inventory.archive, schema, closed_ns, expected
        )
        await inventory.record(preset, outcome.report, outcome.manifest, outcome.refusal)
    except (Conflict, Exhausted) as error:
        return Sealed(refusal=": ".join(filter(None, (error.message, error.hint))))
    fingerprint = outcome.manifest.fingerprint if outcome.manifest else ""
    return Sealed(fingerprint, outcome.refusal, outcome.report.held_back)


def _raw(bars: Bars) -> RawColumns:
    return RawColumns({"time": bars.time_ns, **dict(zip(VALUES, bars.values(), strict=True))}, utc_known=True)

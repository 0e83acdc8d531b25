"""Seals what is stored of a dataset, so that backtests can read it: the same rules as for a delivery from a file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from qmtl.calendars.spans import Span
from qmtl.core.errors import Conflict, Exhausted
from seamless.artifacts.ingest import judged
from seamless.artifacts.inventory import Inventory
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


async def seal_stored(preset: Preset, storage: Storage, inventory: Inventory, producer: str, closed_ns: int) -> Sealed:
    """Seal all bars that are stored but the newest that the source has, whose last closed at `closed_ns`."""
    known = await storage.coverage(preset.dataset)
    if not known.have:
        return Sealed(refusal="nothing is stored")
    bars = await storage.read(preset.dataset, Span(known.have[0].start_ns, known.have[-1].end_ns))
    newest = await inventory.newest(preset)
    schema = await inventory.schemas.in_force(preset.dataset.kind.value)
    try:
        outcome = await asyncio.to_thread(
            judged, preset, _raw(bars), producer, newest, inventory.archive, schema, closed_ns
        )
        await inventory.record(preset, outcome.report, outcome.manifest, outcome.refusal)
    except (Conflict, Exhausted) as error:
        return Sealed(refusal=": ".join(filter(None, (error.message, error.hint))))
    fingerprint = outcome.manifest.fingerprint if outcome.manifest else ""
    return Sealed(fingerprint, outcome.refusal, outcome.report.held_back)


def _raw(bars: Bars) -> RawColumns:
    return RawColumns({"time": bars.time_ns, **dict(zip(VALUES, bars.values(), strict=True))}, utc_known=True)

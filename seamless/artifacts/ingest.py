"""From a source to a sealed artifact on disk: read, conform, stabilise, seal, write.

Files are written before anything refers to them, and are named by their content, so a crash at any
point leaves nothing wrong and doing it again changes nothing.
"""

import asyncio
from dataclasses import dataclass

from qmtl.core.errors import NotReady, QmtlError
from seamless.artifacts.archive import Archive
from seamless.artifacts.inventory import Inventory
from seamless.domain.conformance.conform import conform, stabilise
from seamless.domain.conformance.report import ConformanceReport
from seamless.domain.manifests import Manifest, seal
from seamless.presets.preset import Preset
from seamless.sources.files import reader


@dataclass(frozen=True, slots=True)
class IngestOutcome:
    """What became of a delivery: the report always, an artifact unless conformance refused it."""

    report: ConformanceReport
    manifest: Manifest | None
    refusal: str = ""


async def ingest_all(inventory: Inventory) -> None:
    """Ingest every available source, one after the other; a refused one does not stop the others."""
    for preset in inventory.presets.all:
        if preset.source is None:
            continue
        try:
            newest = await inventory.newest(preset)
            outcome = await asyncio.to_thread(ingest, preset, preset.source, newest, inventory.archive)
            await inventory.record(preset, outcome.report, outcome.manifest, outcome.refusal)
        except QmtlError as error:
            inventory.refuse(preset, error.message)


def ingest(preset: Preset, source: reader.FileSource, newest: Manifest | None, archive: Archive) -> IngestOutcome:
    """Ingest one source; work for a thread. Raises NotReady (E_DATASET_UNAVAILABLE) if it cannot be read."""
    dataset = preset.dataset
    bars, report = conform(
        reader.read(source),
        dataset=str(dataset),
        interval_ns=dataset.interval_ns,
        calendar=preset.calendar,
        policy=preset.policy,
    )
    stable = stabilise(bars)
    try:
        manifest = seal(stable, report, preset.calendar, producer=source.producer, newest=newest)
    except NotReady as refusal:
        return IngestOutcome(report, None, refusal.message)
    archive.write(manifest, stable)
    return IngestOutcome(report, manifest)

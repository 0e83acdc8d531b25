"""From a source to a sealed artifact on disk: read, conform, stabilise, seal, write.

Files are written before anything refers to them, and are named by their content, so a crash at any
point leaves nothing wrong and doing it again changes nothing. Runs on a worker thread.
"""

from dataclasses import dataclass

from qmtl.core.errors import NotReady
from seamless.artifacts.archive import Archive
from seamless.domain.conformance.conform import conform, stabilise
from seamless.domain.conformance.report import ConformanceReport
from seamless.domain.manifests import Manifest, seal
from seamless.presets.presets import Preset
from seamless.sources.files import reader


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a delivery: the report always, an artifact unless conformance refused it."""

    report: ConformanceReport
    manifest: Manifest | None
    refusal: str = ""


def ingest(preset: Preset, source: reader.FileSource, newest: Manifest | None, archive: Archive) -> Ingested:
    """Ingest one source. Raises NotReady (E_DATASET_UNAVAILABLE) if it cannot be read."""
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
        return Ingested(report, None, refusal.message)
    archive.write(manifest, stable)
    return Ingested(report, manifest)

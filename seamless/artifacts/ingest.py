"""From a source to a sealed artifact on disk: read, conform, stabilise, seal, write.

Files are written before anything refers to them, and are named by their content, so a crash at any
point leaves nothing wrong and doing it again changes nothing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from qmtl.core.errors import NotReady, QmtlError
from seamless.artifacts.archive import Archive
from seamless.artifacts.inventory import Inventory
from seamless.domain.conformance.conform import RULE_VERSION, conform, newest_bars, stabilise
from seamless.domain.conformance.raw_columns import RawColumns
from seamless.domain.conformance.report import ConformanceReport
from seamless.domain.manifests import Manifest, seal
from seamless.domain.row_schemas import BUILT_IN, InForce
from seamless.presets.preset import Preset
from seamless.sources.files import reader
from seamless.sources.files.uploads import UploadedFile, read_upload


@dataclass(frozen=True, slots=True)
class IngestOutcome:
    """What became of a delivery: the report always, an artifact unless conformance refused it."""

    report: ConformanceReport
    manifest: Manifest | None
    refusal: str = ""


async def ingest_all(inventory: Inventory, wanted: Callable[[Preset], bool] = lambda _: True) -> None:
    """Ingest every available source that is wanted, one after the other; a refused one does not stop the others."""
    for preset in inventory.presets.all:
        if preset.source is None or not wanted(preset):
            continue
        try:
            newest = await inventory.newest(preset)
            if newest is not None and preset.unchanging and _is_current(newest, preset):
                continue
            schema = await inventory.schemas.in_force(preset.dataset.kind.value)
            outcome = await asyncio.to_thread(ingest, preset, preset.source, newest, inventory.archive, schema)
            await inventory.record(preset, outcome.report, outcome.manifest, outcome.refusal)
        except QmtlError as error:
            inventory.refuse(preset, error.message)


def ingest(
    preset: Preset,
    source: reader.FileSource | UploadedFile,
    newest: Manifest | None,
    archive: Archive,
    schema: InForce = BUILT_IN,
) -> IngestOutcome:
    """Ingest one source; work for a thread. Raises NotReady (E_DATASET_UNAVAILABLE) if it cannot be read."""
    raw = read_upload(source)[0] if isinstance(source, UploadedFile) else reader.read(source)
    return judged(preset, raw, source.producer, newest, archive, schema)


def judged(
    preset: Preset,
    raw: RawColumns,
    producer: str,
    newest: Manifest | None,
    archive: Archive,
    schema: InForce = BUILT_IN,
    closed_ns: int | None = None,
    expected: str = "",
) -> IngestOutcome:
    """Conform, stabilise, seal and write what a source gave; work for a thread.

    `closed_ns`: the close of the newest bar that the source has, where its time is known; else the delivery's last.
    `expected`: the fingerprint that the bars must have; empty: any. Others are refused, and nothing is written.
    """
    dataset = preset.dataset
    bars, report = conform(
        raw,
        dataset=str(dataset),
        interval_ns=dataset.interval_ns,
        calendar=preset.calendar,
        policy=preset.policy,
        schema=schema,
    )
    held = preset.held_back
    if closed_ns is not None:
        held = newest_bars(bars, dataset.interval_ns, closed_ns, held)
    stable = stabilise(bars, held)
    report = replace(report, held_back=len(bars) - len(stable))
    try:
        manifest = seal(stable, report, preset.calendar, producer=producer, newest=newest)
    except NotReady as refusal:
        return IngestOutcome(report, None, refusal.message)
    if expected and manifest.fingerprint != expected:
        text = f"{dataset}: the fingerprint of its {manifest.rows} bars is {manifest.fingerprint}, want {expected}"
        return IngestOutcome(report, None, text)
    archive.write(manifest, stable)
    return IngestOutcome(report, manifest)


def _is_current(newest: Manifest, preset: Preset) -> bool:
    """Whether a file that never changes would be sealed as it was. One that was added was judged as it came, and its
    bars keep the producer that was the first to add them.
    """
    source, calendar = preset.source, preset.calendar
    made = (newest.rule_version, newest.policy, newest.calendar, newest.calendar_version)
    now = (RULE_VERSION, preset.policy.name, calendar.name, calendar.version)
    return made == now and (isinstance(source, UploadedFile) or newest.producer == (source.producer if source else ""))

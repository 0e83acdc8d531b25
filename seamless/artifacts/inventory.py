"""What this process can serve: datasets with their state, and the sealed artifacts behind them.

The record of an artifact is committed after its files are durable. A dataset that an earlier run sealed
is ready at once, even if its source has gone since.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar
from uuid import uuid4

import structlog

from qmtl.calendars.spans import Coverage, Span, intersect
from qmtl.core.errors import Conflict, NotReady, Unavailable
from qmtl.core.instants import from_ns, timestamp_text
from qmtl.core.paging import Page
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.sql.database import Database
from seamless.artifacts import store
from seamless.artifacts.archive import Archive
from seamless.conformance import store as conformance_store
from seamless.conformance import wire as conformance_wire
from seamless.domain.bars import Bars, coverage_of
from seamless.domain.conformance.conform import RULE_VERSION
from seamless.domain.conformance.report import ConformanceReport
from seamless.domain.fingerprints import Leaf, by_month, leaves, month_span, range_digest
from seamless.domain.manifests import Manifest, cut, record
from seamless.metrics import SeamlessMetrics
from seamless.presets.preset import Preset, Presets
from seamless.schema_registry.registry import SchemaRegistry

INGEST_RETRY_S = 0.25
_REMEMBERED_MAX = 512
K = TypeVar("K")
V = TypeVar("V")
log = structlog.stdlib.get_logger("qmtl.seamless.artifacts")


class DatasetState(Enum):
    """Whether a dataset can be read."""

    INGESTING = "ingesting"
    READY = "ready"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class DatasetStatus:
    """A dataset's state, and why it is unavailable."""

    state: DatasetState
    detail: str = ""


class Inventory:
    """Datasets by preset: their state, their artifacts, their rows."""

    def __init__(self, presets: Presets, db: Database, archive: Archive, metrics: SeamlessMetrics) -> None:
        self.presets = presets
        self.archive = archive
        self.schemas = SchemaRegistry(db)
        self._db = db
        self._metrics = metrics
        self._statuses = {preset.name: _first_status(preset) for preset in presets.all}
        self._manifests: dict[str, Manifest] = {}
        self._digests: dict[tuple[str, Span], str] = {}
        self.store_id = ""  # until it is loaded

    def status(self, preset: Preset) -> DatasetStatus:
        """The state of a preset's dataset."""
        return self._statuses[preset.name]

    def add(self, preset: Preset) -> None:
        """Serve one more preset; one of its name that is ready stays so until the new one is recorded."""
        self.presets.add(preset)
        self._statuses.setdefault(preset.name, _first_status(preset))

    def place(self, preset: Preset) -> None:
        """Serve a preset in the place of the one of its name, as what is known of it now says."""
        self.presets.add(preset)
        self._statuses[preset.name] = _first_status(preset)

    async def add_sealed(self, preset: Preset) -> None:
        """The same; ready at once if it was sealed before, here or by another process of the store."""
        self.add(preset)
        if await self.newest(preset) is not None:
            self._statuses[preset.name] = DatasetStatus(DatasetState.READY)

    async def load(self) -> None:
        """Make ready what an earlier run sealed, and learn this store's id, which its first process gave it."""
        fresh = uuid4().hex
        self.store_id = await self._db.write(lambda conn: store.store_id(conn, fresh))
        for preset in self.presets.all:
            if await self.newest(preset) is not None:
                self._statuses[preset.name] = DatasetStatus(DatasetState.READY)

    async def newest(self, preset: Preset, as_of_ns: int | None = None) -> Manifest | None:
        """The newest artifact of a preset's dataset, or the newest that an as_of sees, whatever the dataset's state."""
        key = await self._db.read(lambda conn: store.seen_at(conn, str(preset.dataset), as_of_ns))
        return await self.artifact(key) if key else None

    async def seen_at(self, preset: Preset, as_of_ns: int | None) -> Manifest:
        """The artifact an as_of sees; None sees the newest.

        Raises Unavailable (E_DATASET_INGESTING), NotReady (E_DATASET_UNAVAILABLE, E_ARTIFACT_MISSING).
        """
        self.require_ready(preset)
        found = await self.newest(preset, as_of_ns)
        if found is None:
            raise NotReady("E_ARTIFACT_MISSING", f"{preset.dataset}: nothing was sealed at or before that as_of")
        return found

    def require_ready(self, preset: Preset) -> None:
        """Raises Unavailable (E_DATASET_INGESTING) or NotReady (E_DATASET_UNAVAILABLE) unless it can be read."""
        status = self.status(preset)
        if status.state is DatasetState.INGESTING:
            raise Unavailable("E_DATASET_INGESTING", f"{preset.name} is being ingested", retry_after_s=INGEST_RETRY_S)
        if status.state is DatasetState.UNAVAILABLE:
            raise NotReady("E_DATASET_UNAVAILABLE", f"{preset.name}: {status.detail}")

    async def artifact(self, fingerprint: str) -> Manifest | None:
        """The artifact of a fingerprint; what is sealed is immutable, so it is remembered."""
        known = self._manifests.get(fingerprint)
        if known is None:
            known = await self._db.read(lambda conn: store.artifact(conn, fingerprint))
            if known is not None and not known.cut_of:
                _remember(self._manifests, fingerprint, known)
        return known

    async def artifacts(self, preset: Preset, page: Page[tuple[int, str]]) -> list[Manifest]:
        """The artifacts of a preset's dataset, newest first, keyed by as_of and fingerprint; one more than the page.

        Raises Unavailable (E_DATASET_INGESTING), NotReady (E_DATASET_UNAVAILABLE).
        """
        self.require_ready(preset)
        return await self._db.read(lambda conn: store.list_artifacts(conn, str(preset.dataset), page))

    async def report(self, preset: Preset) -> conformancepb.ConformanceReport | None:
        """The conformance report of the newest delivery; None before the first."""
        body = await self._db.read(lambda conn: conformance_store.load_report(conn, str(preset.dataset)))
        return None if body is None else conformancepb.ConformanceReport.FromString(body)

    async def seal_beginning(self, whole: Manifest, until_ns: int, preset: Preset) -> Manifest:
        """Seal the bars of an artifact that close by an instant as an artifact of their own."""
        interval_ns = preset.dataset.interval_ns
        rows = Span(whole.span.start_ns, until_ns - interval_ns + 1)
        table = await asyncio.to_thread(self.archive.bars, whole, rows)
        beginning = await asyncio.to_thread(cut, whole, table, preset.calendar)
        await asyncio.to_thread(self.archive.write, beginning, table)
        await self._db.write(lambda conn: store.add_artifact(conn, beginning))
        return beginning

    async def seal_recording(self, preset: Preset, bars: Bars) -> Manifest:
        """Seal rows as a run was given them: a run that names the fingerprint is given the same again."""
        parts = await asyncio.to_thread(self.keep, preset, bars)
        return await self.seal_kept(preset, parts, coverage_of(bars.time_ns, preset.dataset.interval_ns))

    def keep(self, preset: Preset, bars: Bars) -> tuple[Leaf, ...]:
        """Keep rows that are to be sealed with others; their leaves. Raises Exhausted (E_DISK_SMALL)."""
        dataset, parts = str(preset.dataset), leaves(str(preset.dataset), bars)
        for leaf, (_, rows) in zip(parts, by_month(bars), strict=True):
            self.archive.keep(dataset, leaf, rows)
        return parts

    async def seal_kept(self, preset: Preset, parts: Sequence[Leaf], coverage: Coverage) -> Manifest:
        """Seal leaves that are kept, in order, and the spans they cover, as what a run was given.

        Raises DataLoss (E_STORED_FILE) if a file is not what was kept.
        """
        made = record(
            str(preset.dataset),
            parts,
            coverage,
            preset.calendar,
            rule_version=RULE_VERSION,
            policy=preset.policy.name,
            producer=preset.exchange or preset.remote or preset.name,
        )
        known = await self.artifact(made.fingerprint)
        if known is not None:
            return known
        await asyncio.to_thread(self.archive.write_kept, made)
        await self._db.write(lambda conn: store.add_artifact(conn, made))
        return made

    def digest_of(self, preset: Preset, hashed: Sequence[Leaf]) -> str:
        """The fingerprint of rows that are of no one artifact, by their leaves."""
        return range_digest(hashed, preset.calendar, RULE_VERSION)

    async def range_digest(self, manifest: Manifest, span: Span, preset: Preset) -> str:
        """The fingerprint of exactly the rows of an artifact that open inside a span."""
        if span == manifest.span:
            return manifest.fingerprint
        key = (manifest.fingerprint, span)
        if key not in self._digests:
            _remember(self._digests, key, await asyncio.to_thread(self._hash, manifest, span, preset))
        return self._digests[key]

    def _hash(self, manifest: Manifest, span: Span, preset: Preset) -> str:
        """Months that are whole are not read again."""
        parts: list[Leaf] = []
        for leaf in manifest.leaves:
            month = month_span(leaf.month)
            for part in intersect((month,), (span,)):
                known = {leaf.month: leaf}
                parts += [leaf] if part == month else leaves(manifest.dataset, self.archive.bars(manifest, part), known)
        return range_digest(parts, preset.calendar, manifest.rule_version)

    async def record(self, preset: Preset, report: ConformanceReport, sealed: Manifest | None, refusal: str) -> None:
        """Keep what became of a delivery: its report, and what was sealed or why nothing was.

        Raises Conflict (E_FILE_CONFLICT) for rows that were sealed before others: they would not be the newest.
        """
        known = await self.artifact(sealed.fingerprint) if sealed else None
        if sealed and known and not known.cut_of and known.as_of_ns < sealed.as_of_ns:
            at = timestamp_text(from_ns(known.as_of_ns))
            raise Conflict(
                "E_FILE_CONFLICT",
                f"{preset.name}: these rows were sealed as of {at}, and others since, which stay the newest",
                hint=f"name the fingerprint {known.fingerprint}, or give them another name",
            )
        body = conformance_wire.report_to_proto(report).SerializeToString()
        await self._db.write(lambda conn: conformance_store.save_report(conn, report.dataset, body))
        if sealed is None:
            self.refuse(preset, refusal)
            return
        await self._db.write(lambda conn: store.add_artifact(conn, sealed))
        self._statuses[preset.name] = DatasetStatus(DatasetState.READY)
        self._metrics.ingests.labels(preset.name, "sealed").inc()
        coverage = f"{report.rows_out} of {report.expected_rows} bars"
        log.info("dataset_ready", preset=preset.name, sealed=sealed.rows, coverage=coverage, of=sealed.fingerprint)

    def refuse(self, preset: Preset, detail: str) -> None:
        """Note that a delivery cannot be used. A dataset sealed before stays ready: what was sealed is still true."""
        log.warning("dataset_refused", preset=preset.name, detail=detail)
        self._metrics.ingests.labels(preset.name, "refused").inc()
        if self.status(preset).state is not DatasetState.READY:
            self._statuses[preset.name] = DatasetStatus(DatasetState.UNAVAILABLE, detail)


def _first_status(preset: Preset) -> DatasetStatus:
    if preset.exchange or preset.remote:  # nothing is ingested by itself; what was never sealed is said to be missing
        return DatasetStatus(DatasetState.READY)
    return (
        DatasetStatus(DatasetState.INGESTING)
        if preset.available
        else DatasetStatus(DatasetState.UNAVAILABLE, preset.detail)
    )


def _remember(known: dict[K, V], key: K, value: V) -> None:
    """Keep a value that never changes, forgetting the oldest beyond the limit."""
    while len(known) >= _REMEMBERED_MAX:
        known.pop(next(iter(known)))
    known[key] = value

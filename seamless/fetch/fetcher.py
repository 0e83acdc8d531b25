"""One fetch: what the domain may read, which artifact, the plan, the rows, and the truth about them.

Rows go out as Arrow IPC straight from Parquet columns; no row is touched in Python.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import polars as pl

from qmtl.calendars.spans import Span
from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, NotReady
from qmtl.core.instants import to_ns
from qmtl.core.modes import ExecutionDomain
from qmtl.core.tasks.ending import end
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.wire.instants import ns_to_proto
from seamless.artifacts.inventory import Inventory
from seamless.domain import admission
from seamless.domain.admission import Admission, Lateness, Origin
from seamless.domain.fetch_plan import FetchPlan, FetchQuery, Holding, plan_fetch
from seamless.domain.manifests import Manifest
from seamless.fetch import wire
from seamless.metrics import SeamlessMetrics
from seamless.presets.preset import Preset
from seamless.replay.sessions import ReplaySessions
from seamless.storage.files import ipc
from seamless.wire import gap_to_proto, span_to_proto

MAX_LAG_NS = 45 * 1_000_000_000  # of the SLA preset "baseline"


@dataclass(frozen=True, slots=True)
class PinnedArtifact:
    """The one artifact a fetch reads, and what its domain lets it see of it."""

    manifest: Manifest
    access: Admission
    domain: ExecutionDomain


@dataclass(frozen=True, slots=True)
class ArrowChunk:
    """A batch of rows, encoded."""

    rows: int
    body: bytes


class Fetcher:
    """Serves fetches from the catalogue's artifacts."""

    def __init__(
        self,
        inventory: Inventory,
        sessions: ReplaySessions,
        clock: Clock,
        storage_budget_s: float,
        metrics: SeamlessMetrics,
    ) -> None:
        self._inventory = inventory
        self._sessions = sessions
        self._clock = clock
        self._storage_budget_s = storage_budget_s
        self._metrics = metrics

    async def fetch(self, ask: FetchQuery) -> AsyncGenerator[dataservicepb.FetchResponse, None]:
        """The rows in batches, then the metadata."""
        preset = self._inventory.presets.serving(ask.dataset)
        pinned = await self._pin(preset, ask)
        plan = _plan(preset, pinned, ask)
        delivered = _hull(plan)
        rows = 0
        async with aclosing(self._parts(pinned.manifest, delivered)) as parts:
            async for part in parts:
                rows += part.rows
                yield dataservicepb.FetchResponse(arrow_ipc=part.body)
        async with self._storage_phase():
            digest = await self._inventory.range_digest(pinned.manifest, delivered, preset) if rows else ""
        report = await self._inventory.report(preset) or conformancepb.ConformanceReport()
        metadata = self._metadata(preset, pinned, plan, rows, report)
        metadata.dataset_fingerprint = digest
        self._metrics.fetched_rows.labels(preset.name).inc(rows)
        yield dataservicepb.FetchResponse(metadata=metadata)

    async def _parts(self, manifest: Manifest, span: Span) -> AsyncGenerator[ArrowChunk, None]:
        """The rows in batches; the next one is read while this one is on its way."""
        frames = self._inventory.archive.parts(manifest, span)
        ahead = asyncio.ensure_future(asyncio.to_thread(_encode_next, frames))
        try:
            while True:
                async with self._storage_phase():
                    part = await ahead
                if part is None:
                    return
                ahead = asyncio.ensure_future(asyncio.to_thread(_encode_next, frames))
                yield part
        finally:
            await end(ahead)

    async def _pin(self, preset: Preset, ask: FetchQuery) -> PinnedArtifact:
        """What decides is the data session, else as_of, else the fingerprint, else the newest.

        Raises what `admission.admit` and `Inventory.seen_at` raise, NotFound (E_DATA_SESSION_UNKNOWN).
        """
        if ask.domain is None:
            manifest = await self._inventory.seen_at(preset, None)
            access = admission.admit(ExecutionDomain.BACKTEST, manifest.as_of_ns, None)
            return PinnedArtifact(manifest, access, ExecutionDomain.BACKTEST)
        if ask.session_id:
            replay = await self._sessions.find(ask.session_id)
            if replay.dataset != str(preset.dataset):
                raise NotReady("E_ARTIFACT_MISSING", f"data session {replay.session_id} plays {replay.dataset}")
            access = admission.admit(ask.domain, ask.as_of_ns, replay.watermark_ns)
            return PinnedArtifact(await self._sessions.source(replay), access, ask.domain)
        if ask.fingerprint and ask.as_of_ns is None:
            manifest = await self._by_fingerprint(preset, ask.fingerprint)
            return PinnedArtifact(manifest, admission.admit(ask.domain, manifest.as_of_ns, None), ask.domain)
        access = admission.admit(ask.domain, ask.as_of_ns, None)
        fixed = ask.as_of_ns if ask.domain is ExecutionDomain.BACKTEST else None
        return PinnedArtifact(await self._inventory.seen_at(preset, fixed), access, ask.domain)

    async def _by_fingerprint(self, preset: Preset, fingerprint: str) -> Manifest:
        self._inventory.require_ready(preset)
        manifest = await self._inventory.artifact(fingerprint)
        if manifest is None or manifest.dataset != str(preset.dataset):
            raise NotReady("E_ARTIFACT_MISSING", f"{preset.dataset} has no artifact {fingerprint!r}")
        return manifest

    @asynccontextmanager
    async def _storage_phase(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._storage_budget_s):
                with self._metrics.phase_seconds.labels("storage").time():
                    yield
        except TimeoutError:
            self._metrics.breaches.labels("storage").inc()
            budget = f"{self._storage_budget_s:g} s"
            raise DeadlineExceeded(
                "E_SLA_BREACH", f"the storage phase took more than {budget}", metadata={"phase": "storage"}
            ) from None

    def _metadata(
        self,
        preset: Preset,
        pinned: PinnedArtifact,
        plan: FetchPlan,
        rows: int,
        report: conformancepb.ConformanceReport,
    ) -> dataservicepb.FetchMetadata:
        metadata = dataservicepb.FetchMetadata(
            dataset=str(preset.dataset),
            requested=span_to_proto(plan.requested),
            rows=rows,
            coverage_ratio=plan.data_ratio,
            gaps=[gap_to_proto(gap, plan.interval_ns) for gap in plan.gaps],
            findings=[finding for finding in report.findings if finding.rows],
            as_of=ns_to_proto(pinned.manifest.as_of_ns),
            spans=wire.spans_to_proto(plan),
            artifact_fingerprint=pinned.manifest.fingerprint,
            sla=dataservicepb.SLA_OUTCOME_PARTIAL
            if plan.data_ratio < preset.min_coverage
            else dataservicepb.SLA_OUTCOME_MET,
        )
        if rows:
            metadata.delivered.CopyFrom(span_to_proto(_hull(plan)))
        now_ns = to_ns(self._clock.now())
        lateness = admission.lateness(pinned.domain, pinned.manifest.watermark_ns, now_ns, MAX_LAG_NS)
        if lateness is Lateness.LAG_ABOVE_LIMIT:
            metadata.sla, metadata.sla_phase = dataservicepb.SLA_OUTCOME_HOLD, dataservicepb.SLA_PHASE_LIVE
            metadata.downgrade = dataservicepb.FETCH_DOWNGRADE_LAG_ABOVE_LIMIT
        return metadata


def _encode_next(frames: Iterator[pl.DataFrame]) -> ArrowChunk | None:
    frame = next(frames, None)
    return None if frame is None else ArrowChunk(len(frame), ipc(frame))


def _plan(preset: Preset, pinned: PinnedArtifact, ask: FetchQuery) -> FetchPlan:
    """The plan over the pinned artifact. Raises NotReady (E_COVERAGE_SHORT) when the preset does not serve parts."""
    manifest = pinned.manifest
    requested = ask.range.over(manifest.span, preset.dataset.interval_ns)
    held = Holding(Origin.ARTIFACT, manifest.span, manifest.coverage)
    plan = plan_fetch(requested, preset.dataset.interval_ns, preset.calendar, pinned.access, [held])
    if plan.data_ratio < preset.min_coverage and not preset.partial:
        raise NotReady(
            "E_COVERAGE_SHORT",
            f"{preset.name}: {plan.data_ratio:.4f} of the bars are there, want {preset.min_coverage}",
            hint="ask GetCoverage for the gaps",
        )
    return plan


def _hull(plan: FetchPlan) -> Span:
    """From the first delivered bar's open to the last one's close."""
    have = plan.have
    return Span(have[0].start_ns, have[-1].end_ns) if have else Span(plan.requested.start_ns, plan.requested.start_ns)

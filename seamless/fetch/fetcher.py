"""One fetch: what may be seen, the plan, what is missing fetched where the mode says so, the rows, and the truth.

Rows go out as Arrow IPC straight from columns; no row is touched in Python.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial

import structlog

from qmtl.calendars.spans import Span, floor_to
from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, NotReady, Unavailable, refused
from qmtl.core.instants import to_ns
from qmtl.core.modes import ExecutionDomain
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from seamless.artifacts.inventory import Inventory
from seamless.domain.admission import MIXING
from seamless.domain.fetch_plan import FetchPlan, FetchQuery, GapKind
from seamless.domain.fingerprints import Leaf, leaves
from seamless.domain.manifests import Manifest
from seamless.domain.sla import FetchMode, Phase
from seamless.fetch.filler import Filler
from seamless.fetch.phases import Phases
from seamless.fetch.rows import ArrowChunk, Rows, Taken
from seamless.fetch.sight import Sight, Sights
from seamless.fetch.trailer import Delivered, trailer
from seamless.live.sessions import LiveSessions
from seamless.metrics import SeamlessMetrics
from seamless.presets.preset import Preset
from seamless.replay.sessions import ReplaySessions
from seamless.storage.storage import Storage

log = structlog.stdlib.get_logger("qmtl.seamless.fetch")


@dataclass(frozen=True, slots=True)
class _Planned:
    """A fetch that can be answered: what is seen, who delivers what, and what did not go as it should."""

    sight: Sight
    plan: FetchPlan
    breached: Phase | None = None
    backfilling: bool = False


@dataclass(frozen=True, slots=True)
class _Reading:
    """Rows on their way, and what they are known by once all have gone: the artifact that has them, else the leaves
    that were made of them meanwhile.
    """

    parts: AsyncGenerator[ArrowChunk, None]
    sealed: Manifest | None = None
    leaves: Sequence[Leaf] = ()


class Fetcher:
    """Serves fetches from what is sealed, stored and fetched."""

    def __init__(
        self,
        inventory: Inventory,
        storage: Storage,
        sessions: ReplaySessions,
        live: LiveSessions,
        filler: Filler,
        clock: Clock,
        storage_budget_s: float,
        metrics: SeamlessMetrics,
    ) -> None:
        self._inventory = inventory
        self._sights = Sights(inventory, storage, sessions, live)
        self._rows = Rows(inventory.archive, storage)
        self._live = live
        self._filler = filler
        self._clock = clock
        self._storage_budget_s = storage_budget_s
        self._metrics = metrics

    async def fetch(self, ask: FetchQuery) -> AsyncGenerator[dataservicepb.FetchResponse, None]:
        """The rows in batches, then the metadata."""
        preset = self._inventory.presets.serving(ask.dataset)
        sla = replace(preset.sla, storage_s=self._storage_budget_s)
        phases = Phases(sla, self._metrics)
        planned = await self._planned(preset, ask, phases)
        reading = await self._read(preset, planned, phases)
        count = flagged = 0
        async with aclosing(reading.parts) as parts:
            async for part in parts:
                count += part.rows
                flagged += part.flagged
                yield dataservicepb.FetchResponse(arrow_ipc=part.body)
        async with phases.within(Phase.STORAGE):
            digest, source = await self._identity(preset, planned, reading) if count else ("", "")
            report = await self._inventory.report(preset) or conformancepb.ConformanceReport()
        self._metrics.fetched_rows.labels(preset.name).inc(count)
        now_ns = to_ns(self._clock.now())
        due_ns = planned.sight.due_ns(preset.calendar, preset.dataset.interval_ns, now_ns)
        told = Delivered(count, flagged, digest, source, planned.breached, planned.backfilling, now_ns - due_ns)
        metadata = trailer(preset, ask, planned.sight, planned.plan, phases, told)
        metadata.findings.extend(finding for finding in report.findings if finding.rows)
        yield dataservicepb.FetchResponse(metadata=metadata)

    async def _planned(self, preset: Preset, ask: FetchQuery, phases: Phases) -> _Planned:
        """The plan, after what the mode does about missing bars. Raises NotReady (E_COVERAGE_SHORT)."""
        _check_mode(ask)
        breached, backfilling = await self._until_closed(preset, ask, phases), False
        found: _Planned | None = None
        if ask.mode.fetches:
            span = self._wanted(preset, ask)
            found = await self._seen(preset, ask, phases, missing_ok=True)
            if found is None or _unsettled(found.plan, span):
                if ask.mode is FetchMode.SEAMLESS:
                    backfilling = self._filler.meanwhile(preset, span)
                else:
                    breached, found = await self._fill(preset, span, phases) or breached, None
        found = found or await self._seen(preset, ask, phases)
        assert found is not None  # it raises where nothing is there
        ratio = found.plan.data_ratio
        if not phases.sla.serves(ratio, ask.mode):
            raise NotReady(
                "E_COVERAGE_SHORT",
                f"{preset.name}: {ratio:.4f} of the bars are there, want {phases.sla.min_coverage}",
                hint="ask GetCoverage for the gaps",
            )
        return replace(found, breached=breached, backfilling=backfilling)

    async def _seen(
        self, preset: Preset, ask: FetchQuery, phases: Phases, *, missing_ok: bool = False
    ) -> _Planned | None:
        """What is there now; None, where that may be, if nothing is."""
        try:
            async with phases.within(Phase.STORAGE):
                sight = await self._sights.of(preset, ask)
        except NotReady as error:
            if missing_ok and error.reason == "E_ARTIFACT_MISSING":
                return None
            raise
        return _Planned(sight, sight.plan(preset, ask))

    async def _fill(self, preset: Preset, span: Span, phases: Phases) -> Phase | None:
        """Fetch what is missing within the budget; the phase, if it was not to be done and may be done without."""
        try:
            async with phases.within(Phase.BACKFILL):
                await self._filler.fill(preset, span)
        except (DeadlineExceeded, Unavailable, Exhausted) as error:
            if phases.sla.serves(0.0, FetchMode.AUTO_BACKFILL):
                log.warning("not_filled", preset=preset.name, reason=error.reason, error=error.message)
                return Phase.BACKFILL
            raise
        return None

    async def _until_closed(self, preset: Preset, ask: FetchQuery, phases: Phases) -> Phase | None:
        """Where a bar was asked for that is due and has not come, wait for it as long as the budget allows."""
        if ask.domain not in MIXING or ask.range.end_ns is None:
            return None
        feed, now_ns = self._live.followed(preset.name), to_ns(self._clock.now())
        if feed is None or not feed.watermark_ns < ask.range.end_ns or feed.next_close_ns > now_ns:
            return None
        try:
            async with phases.within(Phase.LIVE):
                await feed.until_moved(feed.watermark_ns)
        except DeadlineExceeded:
            return Phase.LIVE
        return None

    def _wanted(self, preset: Preset, ask: FetchQuery) -> Span:
        """What is to be there after a backfill. Raises InvalidRequest (E_RANGE)."""
        if ask.range.start_ns is None:
            raise refused("E_RANGE", "range.start", "absent", f"a start, for mode {ask.mode.name}")
        interval_ns = preset.dataset.interval_ns
        newest_ns = floor_to(to_ns(self._clock.now()), interval_ns)
        return ask.range.over(Span(ask.range.start_ns, max(ask.range.start_ns, newest_ns)), interval_ns)

    async def _read(self, preset: Preset, planned: _Planned, phases: Phases) -> _Reading:
        """The rows a part at a time; those of a dry run from several places are kept as they go, to be sealed."""
        plan, manifest = planned.plan, planned.sight.manifest
        if manifest is not None and not plan.mixed:
            return _Reading(self._rows.sealed(manifest, plan.hull, phases), manifest)
        keeps = planned.sight.domain is ExecutionDomain.DRYRUN
        taken = Taken(partial(self._inventory.keep, preset) if keeps else partial(leaves, str(preset.dataset)))
        return _Reading(self._rows.monthly(preset.dataset, plan, manifest, phases, taken), leaves=taken.leaves)

    async def _identity(self, preset: Preset, planned: _Planned, reading: _Reading) -> tuple[str, str]:
        """The fingerprint of the rows, and of the artifact that has them; a dry run's stored rows are sealed first."""
        if reading.sealed is not None:
            digest = await self._inventory.range_digest(reading.sealed, planned.plan.hull, preset)
            return digest, reading.sealed.fingerprint
        if planned.sight.domain is not ExecutionDomain.DRYRUN:
            return self._inventory.digest_of(preset, reading.leaves), ""
        recorded = await self._inventory.seal_kept(preset, reading.leaves, planned.plan.have)
        return recorded.fingerprint, recorded.fingerprint


def _check_mode(ask: FetchQuery) -> None:
    """Raises InvalidRequest (E_FETCH_MODE): what is fixed in time is not added to."""
    if ask.mode.fetches and ask.domain is not None and ask.domain not in MIXING:
        raise refused("E_FETCH_MODE", "mode", ask.mode.name, f"a mode that reads what there is, in {ask.domain.value}")


def _unsettled(plan: FetchPlan, wanted: Span) -> bool:
    """Whether an exchange may still have bars that are missing, or newer ones than are there."""
    return plan.requested.end_ns < wanted.end_ns or any(gap.kind is not GapKind.VERIFIED_EMPTY for gap in plan.gaps)

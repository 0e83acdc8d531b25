"""The data contract, served: each method parses, looks up, decides, reads, replies."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import datetime
from importlib import metadata

from qmtl.calendars import spans
from qmtl.calendars.spans import Span
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, NotFound, NotReady, Violation
from qmtl.core.roles import Role
from qmtl.data.v1 import data_pb2 as datapb
from qmtl.data.v1 import service_pb2 as servicepb
from qmtl.data.v1 import service_pb2_grpc as datarpc
from qmtl.sql.database import Database
from seamless import pages
from seamless import wire as seamless_wire
from seamless.artifacts import store as artifacts_store
from seamless.artifacts import wire as artifacts_wire
from seamless.artifacts.inventory import DatasetState, Inventory
from seamless.coverage.answers import CoverageAnswers
from seamless.domain.playback import Replay
from seamless.fetch import wire as fetch_wire
from seamless.fetch.fetcher import Fetcher
from seamless.presets.presets import PART, Preset
from seamless.replay import wire as replay_wire
from seamless.replay.access import SessionAccess
from seamless.replay.player import BATCH_BARS, Delivery
from seamless.replay.sessions import ReplaySessions, SessionRequest

PLANNED = {"EnsureCoverage": PART, "PublishArtifact": PART}
_STATES = {
    DatasetState.INGESTING: datapb.DATASET_STATE_INGESTING,
    DatasetState.READY: datapb.DATASET_STATE_READY,
    DatasetState.UNAVAILABLE: datapb.DATASET_STATE_UNAVAILABLE,
}


class DataServicer(datarpc.DataServiceServicer):
    """One instance per process; EnsureCoverage and PublishArtifact are answered by the server as planned."""

    def __init__(
        self,
        catalogue: Inventory,
        sessions: ReplaySessions,
        access: SessionAccess,
        fetcher: Fetcher,
        db: Database,
        started_at: datetime,
    ) -> None:
        self._catalogue = catalogue
        self._sessions = sessions
        self._access = access
        self._fetcher = fetcher
        self._db = db
        self._started_at = started_at
        self._coverages = CoverageAnswers()

    async def Fetch(self, request: servicepb.FetchRequest, context: object) -> AsyncIterator[servicepb.FetchResponse]:
        ask = fetch_wire.fetch_from_proto(request)
        if ask.session_id:
            await self._access.require(ask.session_id, Role.READER)
        async with aclosing(self._fetcher.fetch(ask)) as parts:
            async for part in parts:
                yield part

    async def GetCoverage(
        self, request: servicepb.GetCoverageRequest, context: object
    ) -> servicepb.GetCoverageResponse:
        preset = self._catalogue.presets.serving(request.dataset)
        wanted = seamless_wire.range_from_proto(request.range, "range")
        manifest = await self._catalogue.seen_at(preset, None)
        span = wanted.over(manifest.span, preset.dataset.interval_ns)
        return self._coverages.answer(preset, manifest, span)

    async def Subscribe(
        self, request: servicepb.SubscribeRequest, context: object
    ) -> AsyncIterator[servicepb.SubscribeResponse]:
        preset = self._catalogue.presets.serving(request.dataset)
        replay = await self._replay(preset, request)
        asked = getattr(request, "from")
        start_ns = seamless_wire.instant(asked, "from") if request.HasField("from") else replay.span.start_ns
        position = spans.ceil_to(start_ns, replay.interval_ns)
        async with aclosing(self._history(replay, position)) as past:
            async for reply in past:
                yield reply
        if request.follower:
            await self._access.require(replay.session_id, Role.OPERATOR)
            await self._sessions.following(replay.session_id, request.follower)
        player = await self._sessions.player(replay.session_id)
        first_ns = max(position, replay.span.start_ns)
        async with aclosing(player.deliveries(first_ns, request.follower)) as deliveries:
            async for delivery in deliveries:
                yield _bars_reply(delivery, replay.interval_ns)

    async def OpenDataSession(
        self, request: servicepb.OpenDataSessionRequest, context: object
    ) -> servicepb.OpenDataSessionResponse:
        await self._access.require(request.session_id, Role.OPERATOR)
        start = seamless_wire.instant(request.start, "start") if request.HasField("start") else None
        followers = tuple(request.followers)
        opening = SessionRequest(request.session_id, start, request.days, request.bars_per_second, followers)
        preset = self._catalogue.presets.named(request.preset)
        self._catalogue.presets.serving(preset.name)
        self._catalogue.require_ready(preset)
        replay = await self._sessions.open(preset, opening)
        return servicepb.OpenDataSessionResponse(session=self._session(replay))

    async def ConfirmBars(
        self, request: servicepb.ConfirmBarsRequest, context: object
    ) -> servicepb.ConfirmBarsResponse:
        await self._access.require(request.session_id, Role.OPERATOR)
        through_ns = seamless_wire.instant(request.through, "through")
        player = await self._sessions.player(request.session_id)
        player.confirm(request.follower, through_ns)
        if request.leave:
            await self._sessions.left(request.session_id, request.follower)
            player.leave(request.follower)
        return servicepb.ConfirmBarsResponse(watermark=seamless_wire.stamp(player.replay.watermark_ns))

    async def GetDataSession(
        self, request: servicepb.GetDataSessionRequest, context: object
    ) -> servicepb.GetDataSessionResponse:
        await self._access.require(request.session_id, Role.READER)
        replay = await self._sessions.find(request.session_id)
        return servicepb.GetDataSessionResponse(session=self._session(replay))

    async def ListDatasets(
        self, request: servicepb.ListDatasetsRequest, context: object
    ) -> servicepb.ListDatasetsResponse:
        after = pages.position(request.page, 1)
        chosen = sorted(self._catalogue.presets.all, key=lambda p: str(p.dataset))
        rest = [p for p in chosen if after is None or str(p.dataset) > after[0]]
        page, more = rest[: pages.size(request.page)], len(rest) > pages.size(request.page)
        return servicepb.ListDatasetsResponse(
            datasets=[await self._dataset(preset) for preset in page],
            page=commonpb.PageInfo(next_page_token=pages.token(str(page[-1].dataset)) if more else ""),
        )

    async def GetConformanceReport(
        self, request: servicepb.GetConformanceReportRequest, context: object
    ) -> servicepb.GetConformanceReportResponse:
        preset = self._catalogue.presets.serving(request.dataset)
        report = await self._catalogue.report(preset)
        if report is None:
            self._catalogue.require_ready(preset)
            raise NotReady("E_DATASET_UNAVAILABLE", f"{preset.name} has no conformance report")
        return servicepb.GetConformanceReportResponse(report=report)

    async def GetArtifact(
        self, request: servicepb.GetArtifactRequest, context: object
    ) -> servicepb.GetArtifactResponse:
        manifest = await self._catalogue.artifact(request.dataset_fingerprint)
        if manifest is None:
            raise NotFound("E_ARTIFACT_UNKNOWN", f"no artifact {request.dataset_fingerprint!r}")
        return servicepb.GetArtifactResponse(artifact=artifacts_wire.artifact_to_proto(manifest))

    async def ListArtifacts(
        self, request: servicepb.ListArtifactsRequest, context: object
    ) -> servicepb.ListArtifactsResponse:
        preset = self._catalogue.presets.serving(request.dataset)
        self._catalogue.require_ready(preset)
        position = pages.position(request.page, 2)
        if position and not position[0].isdecimal():
            raise pages.bad_token(request.page)
        before = (int(position[0]), position[1]) if position else None
        size = pages.size(request.page)
        name = str(preset.dataset)
        found = await self._db.read(
            lambda conn: artifacts_store.artifacts_of(conn, name, limit=size + 1, before=before)
        )
        page = found[:size]
        more = pages.token(str(page[-1].as_of_ns), page[-1].fingerprint) if len(found) > size else ""
        return servicepb.ListArtifactsResponse(
            artifacts=[artifacts_wire.artifact_to_proto(manifest) for manifest in page],
            page=commonpb.PageInfo(next_page_token=more),
        )

    async def ListPresets(
        self, request: servicepb.ListPresetsRequest, context: object
    ) -> servicepb.ListPresetsResponse:
        return servicepb.ListPresetsResponse(presets=[self._preset(preset) for preset in self._catalogue.presets.all])

    async def GetStatus(self, request: servicepb.GetStatusRequest, context: object) -> servicepb.GetStatusResponse:
        standings = [self._catalogue.standing(p) for p in self._catalogue.presets.all if p.available]
        status = commonpb.ServiceStatus(
            service="seamless",
            version=metadata.version("qmtl"),
            started_at=self._started_at,
            degraded=any(standing.state is DatasetState.UNAVAILABLE for standing in standings),
        )
        ready = sum(standing.state is DatasetState.READY for standing in standings)
        return servicepb.GetStatusResponse(status=status, datasets=ready)

    async def _replay(self, preset: Preset, request: servicepb.SubscribeRequest) -> Replay:
        """The session a subscriber asks for. Raises NotReady, NotFound, InvalidRequest (E_DATA_SESSION)."""
        if not request.session_id:
            hint = "open a data session and subscribe with its session_id" if preset.replay else ""
            raise NotReady("E_DATASET_UNAVAILABLE", f"{preset.name} has no live feed", hint=hint)
        await self._access.require(request.session_id, Role.READER)  # whoever reads is waited for
        replay = await self._sessions.find(request.session_id)
        if replay.dataset != str(preset.dataset):
            field = Violation("dataset", request.dataset, f"{replay.preset}, which session {replay.session_id} plays")
            raise InvalidRequest("E_DATA_SESSION", str(field), violations=[field])
        return replay

    async def _history(self, replay: Replay, from_ns: int) -> AsyncGenerator[servicepb.SubscribeResponse, None]:
        """What a subscriber wants from before its session's start."""
        if from_ns >= replay.span.start_ns:
            return
        source = await self._sessions.source(replay)
        before = Span(from_ns, replay.span.start_ns)
        table = await asyncio.to_thread(self._catalogue.archive.bars, source, before)
        for i in range(0, len(table), BATCH_BARS):
            batch = table.take(slice(i, i + BATCH_BARS))
            closed = int(batch.time_ns[-1]) + replay.interval_ns
            yield _bars_reply(Delivery(batch, closed, False), replay.interval_ns)

    async def _dataset(self, preset: Preset) -> datapb.Dataset:
        standing = self._catalogue.standing(preset)
        dataset = datapb.Dataset(
            dataset=str(preset.dataset),
            source=preset.dataset.source,
            symbol=preset.dataset.symbol,
            interval_s=preset.dataset.interval_s,
            state=_STATES[standing.state],
            detail=standing.detail or preset.description,
        )
        manifest = await self._catalogue.newest(preset)
        if manifest is not None:
            dataset.range.CopyFrom(seamless_wire.span_to_proto(manifest.span))
            dataset.rows = manifest.rows
            expected = preset.calendar.expected(manifest.span, preset.dataset.interval_ns)
            dataset.data_ratio = spans.ratio(manifest.coverage, expected, preset.dataset.interval_ns)
            dataset.dataset_fingerprint = manifest.fingerprint
            dataset.as_of.CopyFrom(seamless_wire.stamp(manifest.as_of_ns))
        return dataset

    def _session(self, replay: Replay) -> servicepb.DataSession:
        session = replay_wire.replay_to_proto(replay)
        session.waiting_for.extend(self._sessions.waiting_for(replay.session_id))
        return session

    def _preset(self, preset: Preset) -> datapb.Preset:
        standing = self._catalogue.standing(preset)
        return datapb.Preset(
            name=preset.name,
            dataset=str(preset.dataset),
            description=preset.description,
            conformance=preset.policy.name,
            min_coverage=preset.min_coverage,
            replay=preset.replay,
            available=standing.state is not DatasetState.UNAVAILABLE,
            detail=standing.detail,
            symbol=preset.dataset.symbol,
            interval_s=preset.dataset.interval_s,
        )


def _bars_reply(delivery: Delivery, interval_ns: int) -> servicepb.SubscribeResponse:
    return servicepb.SubscribeResponse(
        bars=replay_wire.bars_to_proto(delivery.bars, interval_ns),
        watermark=seamless_wire.stamp(delivery.watermark_ns),
        end_of_session=delivery.last,
    )

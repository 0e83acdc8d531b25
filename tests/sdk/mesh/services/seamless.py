"""A preset, its history and its replay, one bar at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

from brokerage.domain.market.bars import bar_from_doubles
from qmtl.calendars.spans import Span
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotFound, NotReady, Unavailable
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_sessions_pb2 as datasessionspb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.data.v1 import feature_service_pb2 as featureservicepb
from qmtl.data.v1 import features_pb2 as featurespb
from qmtl.wire.instants import ns_from_proto, ns_to_proto
from seamless.domain.sessions.requests import SessionRequest
from tests.sdk.mesh.samples import PRESET, STEP_NS, ipc

if TYPE_CHECKING:
    from tests.sdk.mesh.fakes import FakeMesh


class FakeSeamless:
    def __init__(self, mesh: FakeMesh) -> None:
        self.mesh = mesh

    async def ListPresets(
        self, request: catalogueservicepb.ListPresetsRequest
    ) -> catalogueservicepb.ListPresetsResponse:
        away = datasetspb.Preset(name="test.away", message="not installed")
        return catalogueservicepb.ListPresetsResponse(presets=[self.mesh.preset, away])

    async def ReadFeature(
        self, request: featureservicepb.ReadFeatureRequest
    ) -> AsyncIterator[featureservicepb.ReadFeatureResponse]:
        self.mesh.feature_reads.append(request)
        self.mesh.passed("ReadFeature")
        frame = self.mesh.features.get(request.key.factor)
        if frame is None:
            raise NotReady("E_FEATURE_MISSING", f"world {request.context.world_id} has no {request.key.factor}")
        yield featureservicepb.ReadFeatureResponse(arrow_ipc=frame.write_ipc_stream(None).getvalue())
        yield featureservicepb.ReadFeatureResponse(feature=featurespb.Feature(columns=frame.columns[1:]))

    async def Fetch(self, request: dataservicepb.FetchRequest) -> AsyncIterator[dataservicepb.FetchResponse]:
        self.mesh.fetches.append(request)
        end_ns = ns_from_proto(request.range.end, "range.end") if request.range.HasField("end") else None
        bars = self.mesh.bars.between(None, end_ns)
        middle = int(bars.open_ns[len(bars) // 2])
        for part in (bars.between(None, middle), bars.between(middle)):
            yield dataservicepb.FetchResponse(arrow_ipc=ipc(part))
        self.mesh.passed("Fetch")
        delivered = commonpb.TimeRange(start=ns_to_proto(int(bars.open_ns[0])), end=ns_to_proto(int(bars.close_ns[-1])))
        metadata = dataservicepb.FetchMetadata(
            artifact_fingerprint="sha256:sealed",
            dataset=PRESET.dataset,
            rows=len(bars),
            delivered=delivered,
            coverage_ratio=1.0,
        )
        metadata.dataset_fingerprint = "sha256:" + "ab" * 32
        yield dataservicepb.FetchResponse(metadata=metadata)

    async def GetDataSession(
        self, request: datasessionservicepb.GetDataSessionRequest
    ) -> datasessionservicepb.GetDataSessionResponse:
        if not self.mesh.data_session_open:
            raise NotFound("E_DATA_SESSION_UNKNOWN", f"no session {request.session_id}")
        session = datasessionspb.DataSession(
            session_id=request.session_id,
            start_time=ns_to_proto(self.mesh.start_ns),
            end_time=ns_to_proto(int(self.mesh.bars.close_ns[-1])),
            watermark=ns_to_proto(self.mesh.watermark_ns),
        )
        return datasessionservicepb.GetDataSessionResponse(session=session)

    async def OpenDataSession(
        self, request: datasessionservicepb.OpenDataSessionRequest
    ) -> datasessionservicepb.OpenDataSessionResponse:
        session_id, bars = request.session_id, self.mesh.bars
        asked = SessionRequest(session_id, request.world_id, self.mesh.start_ns, timedelta(days=7), 0.0)
        asked.span(Span(int(bars.open_ns[0]), int(bars.close_ns[-1])), STEP_NS)
        self.mesh.data_session_open = True
        self.mesh.followers = list(request.followers)
        return datasessionservicepb.OpenDataSessionResponse()

    async def ConfirmBars(
        self, request: datasessionservicepb.ConfirmBarsRequest
    ) -> datasessionservicepb.ConfirmBarsResponse:
        mesh, through_ns = self.mesh, ns_from_proto(request.through, "through")
        if request.follower not in mesh.confirmed_ns:
            raise NotFound("E_FOLLOWER_UNKNOWN", f"no follower {request.follower}")
        assert through_ns <= mesh.watermark_ns, "confirmed before it was played"
        mesh.confirmed_ns[request.follower] = max(mesh.confirmed_ns[request.follower], through_ns)
        if request.leave:
            mesh.left.append((request.follower, mesh.confirmed_ns.pop(request.follower)))
        mesh.passed("ConfirmBars")
        return datasessionservicepb.ConfirmBarsResponse(watermark=ns_to_proto(mesh.watermark_ns))

    async def Subscribe(
        self, request: dataservicepb.SubscribeRequest
    ) -> AsyncIterator[dataservicepb.SubscribeResponse]:
        asked_ns = ns_from_proto(request.start_time, "start_time")
        again = self.mesh.calls["Subscribe"] > 0 and asked_ns > self.mesh.start_ns
        self.mesh.calls["Subscribe"] += 1
        known_ns = self.mesh.confirmed_ns.get(request.follower, 0)
        self.mesh.confirmed_ns[request.follower] = max(known_ns, asked_ns)
        session = self.mesh.bars.between(asked_ns - STEP_NS if again else asked_ns)  # taken up again: one bar twice
        drop_at = self.mesh.drop_after_bars.pop(0) if self.mesh.drop_after_bars else -1
        for sent, (open_ns, row) in enumerate(zip(session.open_ns.tolist(), session.values.tolist(), strict=True)):
            if sent == drop_at:
                raise Unavailable("E_TEST", "the stream of bars is broken on purpose")
            if self.mesh.before_bar is not None:
                await self.mesh.before_bar(sent)
            self._step(open_ns, row, request.follower)
            bar = barspb.Bar(open_time=ns_to_proto(open_ns), close_time=ns_to_proto(open_ns + STEP_NS))
            bar.open, bar.high, bar.low, bar.close, bar.volume = row
            yield dataservicepb.SubscribeResponse(
                bars=[bar],
                watermark=bar.close_time,
                reached=ns_to_proto(self.mesh.watermark_ns),
                volume_unit=barspb.VOLUME_UNIT_BASE,
            )
        end = ns_to_proto(self.mesh.watermark_ns)
        yield dataservicepb.SubscribeResponse(end_of_session=True, watermark=end, reached=end)

    def _step(self, open_ns: int, row: list[float], follower: str) -> None:
        if open_ns + STEP_NS > self.mesh.watermark_ns:
            assert not follower or self.mesh.confirmed_ns[follower] == self.mesh.watermark_ns, "played on unconfirmed"
            self.mesh.watermark_ns = open_ns + STEP_NS
            instrument = self.mesh.venue.instrument("BTC-USD")
            ohlcv = (row[0], row[1], row[2], row[3], row[4])
            self.mesh.show(self.mesh.venue.on_bar("BTC-USD", bar_from_doubles(instrument, open_ns, STEP_NS, ohlcv)))
            moved, self.mesh.moved = self.mesh.moved, asyncio.Event()
            moved.set()

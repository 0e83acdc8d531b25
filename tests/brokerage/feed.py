"""A seamless of the tests: its contract over a real wire, bars from a list that the test extends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.duration_pb2 import Duration

from brokerage.domain.market.bars import Bar
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotFound
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import artifact_service_pb2_grpc as artifactrpc
from qmtl.data.v1 import artifacts_pb2 as artifactspb
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.rpc.server.server import Server
from qmtl.wire.instants import ns_from_proto, ns_to_proto

PRESET = datasetspb.Preset(
    name="demo",
    symbol="AAPL",
    interval=Duration(seconds=60),
    replay=True,
    available=True,
    volume_unit=barspb.VOLUME_UNIT_BASE,
)
LIVE = datasetspb.Preset(name="btc", symbol="BTC/USDT", interval=Duration(seconds=60), available=True)
PERPETUAL = datasetspb.Preset(
    name="btc-perpetual", symbol="BTC/USDT:USDT", interval=Duration(seconds=60), available=True
)
DOLLARS = datasetspb.Preset(name="btc-usd", symbol="BTC/USD", interval=Duration(seconds=60), available=True)
SESSION = "session-1"
PART = "nobody: a feed of the tests"


@dataclass(frozen=True)
class Sealed:
    """A sealed artifact of the tests: the preset that serves it, and its rows as Arrow tables."""

    preset: datasetspb.Preset
    parts: Sequence[pa.Table]


class Feed(
    artifactrpc.ArtifactServiceServicer,
    datarpc.DataServiceServicer,
    datasessionrpc.DataSessionServiceServicer,
    cataloguerpc.CatalogueServiceServicer,
):
    """One replay session, the live feeds of bitcoin and its contract, and sealed artifacts by fingerprint. `push` makes
    bars flow; a subscriber gets those that start at or after its start_time.
    """

    def __init__(self) -> None:
        self.bars: list[Bar] = []
        self.sealed: dict[str, Sealed] = {}
        self.other_fingerprint = ""
        self.fetched, self.serving = asyncio.Event(), asyncio.Event()
        self.serving.set()
        self.live: list[Bar] = []
        self.ended = False
        self.asked: list[int] = []
        self.confirmed: list[int] = []
        self._more = asyncio.Event()

    def serve(self, server: Server) -> None:
        """Add the four services that brokerage calls; what it does not call is answered as not built."""
        planned = {"GetDataSession": PART, "OpenDataSession": PART}
        server.add(datarpc.add_DataServiceServicer_to_server, self, _service(dataservicepb))
        server.add(
            artifactrpc.add_ArtifactServiceServicer_to_server,
            self,
            _service(artifactservicepb),
            {"ListArtifacts": PART},
        )
        server.add(
            datasessionrpc.add_DataSessionServiceServicer_to_server, self, _service(datasessionservicepb), planned
        )
        unused = {"GetConformanceReport": PART, "ListDatasets": PART}
        server.add(cataloguerpc.add_CatalogueServiceServicer_to_server, self, _service(catalogueservicepb), unused)

    def push(self, *bars: Bar) -> None:
        self.bars += bars
        self._wake()

    def tell(self, *bars: Bar) -> None:
        """Let the live feed bring bars."""
        self.live += bars
        self._wake()

    def end(self) -> None:
        self.ended = True
        self._wake()

    async def ListPresets(
        self, request: catalogueservicepb.ListPresetsRequest, context: Any
    ) -> catalogueservicepb.ListPresetsResponse:
        """A page of one preset, however many are asked for."""
        presets = self._presets()
        place = int(request.page.page_token or 0)
        more = str(place + 1) if place + 1 < len(presets) else ""
        page = commonpb.PageInfo(next_page_token=more)
        return catalogueservicepb.ListPresetsResponse(presets=presets[place : place + 1], page=page)

    async def GetPreset(
        self, request: catalogueservicepb.GetPresetRequest, context: Any
    ) -> catalogueservicepb.GetPresetResponse:
        found = next((one for one in self._presets() if one.name == request.name), None)
        if found is None:
            raise NotFound("E_PRESET_UNKNOWN", f"no preset {request.name!r}")
        return catalogueservicepb.GetPresetResponse(preset=found)

    def _presets(self) -> list[datasetspb.Preset]:
        return [PRESET, LIVE, PERPETUAL, DOLLARS, *(one.preset for one in self.sealed.values())]

    async def GetArtifact(
        self, request: artifactservicepb.GetArtifactRequest, context: Any
    ) -> artifactservicepb.GetArtifactResponse:
        found = self.sealed.get(request.dataset_fingerprint)
        if found is None:
            raise NotFound("E_ARTIFACT_UNKNOWN", f"no artifact {request.dataset_fingerprint!r}")
        artifact = artifactspb.Artifact(dataset_fingerprint=request.dataset_fingerprint, dataset=found.preset.dataset)
        return artifactservicepb.GetArtifactResponse(artifact=artifact)

    async def Fetch(
        self, request: dataservicepb.FetchRequest, context: Any
    ) -> AsyncIterator[dataservicepb.FetchResponse]:
        """The rows of the artifact that the context names; `other_fingerprint` is told in its place, if set. Of a data
        session, the bars that were pushed.

        Nothing comes before `serving`.
        """
        fingerprint = request.context.dataset_fingerprint
        self.fetched.set()
        await self.serving.wait()
        if request.session_id:
            yield dataservicepb.FetchResponse(arrow_ipc=_table(self.bars, request))
            yield dataservicepb.FetchResponse(metadata=dataservicepb.FetchMetadata(coverage_ratio=1.0))
            return
        for part in self.sealed[fingerprint].parts:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, part.schema) as writer:
                writer.write_table(part)
            yield dataservicepb.FetchResponse(arrow_ipc=sink.getvalue().to_pybytes())
        told = self.other_fingerprint or fingerprint
        yield dataservicepb.FetchResponse(metadata=dataservicepb.FetchMetadata(artifact_fingerprint=told))

    async def Subscribe(
        self, request: dataservicepb.SubscribeRequest, context: Any
    ) -> AsyncIterator[dataservicepb.SubscribeResponse]:
        bars = self.live if request.dataset in (LIVE.name, PERPETUAL.name, DOLLARS.name) else self.bars
        if request.session_id != SESSION and bars is self.bars:
            raise NotFound("E_DATA_SESSION_UNKNOWN", f"no session {request.session_id}")
        start = _from_ns(request)
        self.asked.append(start)
        sent = 0
        while True:
            more = self._more
            fresh = [bar for bar in bars[sent:] if bar.start_ns >= start]
            sent = len(bars)
            if fresh or self.ended:
                mark = ns_to_proto(fresh[-1].end_ns) if fresh else None
                yield dataservicepb.SubscribeResponse(
                    bars=[_message(bar) for bar in fresh],
                    watermark=mark,
                    end_of_session=self.ended,
                    volume_unit=barspb.VOLUME_UNIT_BASE,
                )
            if self.ended:
                return
            await more.wait()

    async def ConfirmBars(
        self, request: datasessionservicepb.ConfirmBarsRequest, context: Any
    ) -> datasessionservicepb.ConfirmBarsResponse:
        self.confirmed.append(ns_from_proto(request.through, "time"))
        return datasessionservicepb.ConfirmBarsResponse()

    def _wake(self) -> None:
        more, self._more = self._more, asyncio.Event()
        more.set()


def _service(module: Any) -> ServiceDescriptor:
    service: ServiceDescriptor
    [service] = module.DESCRIPTOR.services_by_name.values()
    return service


def _from_ns(request: dataservicepb.SubscribeRequest) -> int:
    return ns_from_proto(request.start_time, "start_time") if request.HasField("start_time") else 0


def _table(bars: Sequence[Bar], request: dataservicepb.FetchRequest) -> bytes:
    """Bars that open in the range that is asked for, as Arrow; prices of the tests are in cents."""
    start, end = ns_from_proto(request.range.start, "start"), ns_from_proto(request.range.end, "end")
    found = [one for one in bars if start <= one.start_ns < end]
    columns = {"open_time": pa.array([one.start_ns for one in found], type=pa.timestamp("ns", "UTC"))}
    for name in ("open", "high", "low", "close"):
        columns[name] = pa.array([getattr(one, name) / 100 for one in found], type=pa.float64())
    columns["volume"] = pa.array([float(one.volume) for one in found], type=pa.float64())
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _message(bar: Bar) -> barspb.Bar:
    return barspb.Bar(
        open_time=ns_to_proto(bar.start_ns),
        close_time=ns_to_proto(bar.end_ns),
        open=bar.open / 100,
        high=bar.high / 100,
        low=bar.low / 100,
        close=bar.close / 100,
        volume=bar.volume,
    )

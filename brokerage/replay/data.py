"""Bars read from seamless as Arrow: exactly the artifact that was named, or what a session brought, or an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.corporate import PriceAdjustment
from brokerage.replay.bars import SealedBars
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotFound, NotReady, refused
from qmtl.core.paging import PAGE_MAX
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import artifact_service_pb2_grpc as artifactrpc
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.rpc.client.streams import scoped
from qmtl.wire.volumes import volume_unit_from_proto

if TYPE_CHECKING:
    import pyarrow as pa


_ADJUSTMENTS = {
    datasetspb.ADJUSTMENT_RAW: PriceAdjustment.RAW,
    datasetspb.ADJUSTMENT_SPLIT: PriceAdjustment.SPLIT,
    datasetspb.ADJUSTMENT_TOTAL_RETURN: PriceAdjustment.TOTAL_RETURN,
}


@dataclass(frozen=True, slots=True)
class PlayedSpan:
    """A world, and the stretch of its data session that is meant: bars that open in it."""

    world_id: str
    span: commonpb.TimeRange


@dataclass(frozen=True, slots=True)
class SealedData:
    """Where sealed bars are read."""

    artifacts: artifactrpc.ArtifactServiceAsyncStub
    catalogue: cataloguerpc.CatalogueServiceAsyncStub
    data: datarpc.DataServiceAsyncStub
    instruments: Instruments

    async def read(self, fingerprint: str, span: commonpb.TimeRange | None, rows_max: int) -> SealedBars:
        """The bars of a fingerprint that open in a range, at most so many.

        Raises NotFound (E_ARTIFACT_UNKNOWN, E_DATA_MISSING, E_INSTRUMENT_UNKNOWN), InvalidRequest (E_TOO_LARGE),
        NotReady (E_FETCH_CUT), and what DataService.Fetch raises.
        """
        asked = artifactservicepb.GetArtifactRequest(dataset_fingerprint=fingerprint)
        artifact = (await self.artifacts.GetArtifact(asked)).artifact
        preset = await self._serving(artifact.dataset)
        backtest = commonpb.EXECUTION_DOMAIN_BACKTEST
        context = commonpb.ComputeContext(execution_domain=backtest, dataset_fingerprint=fingerprint)
        request = dataservicepb.FetchRequest(dataset=preset.name, range=span, context=context)
        return await self._bars(preset, request, rows_max)

    async def played(self, preset_name: str, session_id: str, context: PlayedSpan, rows_max: int) -> SealedBars:
        """The bars that a preset brought in a data session, at most so many. Raises as `read`."""
        preset = (await self.catalogue.GetPreset(catalogueservicepb.GetPresetRequest(name=preset_name))).preset
        dry = commonpb.EXECUTION_DOMAIN_DRYRUN
        request = dataservicepb.FetchRequest(
            dataset=preset.name,
            range=context.span,
            context=commonpb.ComputeContext(world_id=context.world_id, execution_domain=dry),
            session_id=session_id,
        )
        return await self._bars(preset, request, rows_max)

    async def _serving(self, dataset: str) -> datasetspb.Preset:
        """The preset that serves a dataset, of all there are."""
        asked = catalogueservicepb.ListPresetsRequest(page=commonpb.PageRequest(page_size=PAGE_MAX))
        while True:
            listed = await self.catalogue.ListPresets(asked)
            for preset in listed.presets:
                if preset.dataset == dataset:
                    return preset
            if not listed.page.next_page_token:
                raise NotFound("E_DATA_MISSING", f"no preset serves {dataset}")
            asked.page.page_token = listed.page.next_page_token

    async def _bars(self, preset: datasetspb.Preset, request: dataservicepb.FetchRequest, rows_max: int) -> SealedBars:
        instrument = self.instruments.find(preset.symbol)
        if instrument is None:
            raise NotFound(
                "E_INSTRUMENT_UNKNOWN",
                f"no symbol properties for {preset.symbol} of {preset.name}",
                hint=f'add [brokerage.instruments."{preset.symbol}"] to qmtl.toml',
            )
        parts, coverage = await self._parts(request, rows_max)
        unit = volume_unit_from_proto(preset.volume_unit)
        adjusted = _ADJUSTMENTS.get(preset.terms.adjustment)
        return SealedBars(instrument, preset.interval.seconds, unit, parts, preset.name, coverage, adjusted)

    async def _parts(self, request: dataservicepb.FetchRequest, rows_max: int) -> tuple[list[pa.Table], float]:
        import pyarrow as pa

        parts, rows = list[pa.Table](), 0
        metadata: dataservicepb.FetchMetadata | None = None
        with scoped(self.data.Fetch(request)) as replies:
            async for reply in replies:
                if reply.WhichOneof("part") == "metadata":
                    metadata = reply.metadata
                    continue
                parts.append(pa.ipc.open_stream(reply.arrow_ipc).read_all())
                rows += parts[-1].num_rows
                if rows > rows_max:
                    raise refused("E_TOO_LARGE", "dataset_fingerprints", f"{rows} bars or more", f"at most {rows_max}")
        fingerprint = request.context.dataset_fingerprint
        if metadata is None or fingerprint not in ("", metadata.artifact_fingerprint):
            asked_for = fingerprint or request.dataset
            raise NotReady("E_FETCH_CUT", f"fetch of {asked_for} ended without saying that it delivered it")
        return parts, metadata.coverage_ratio

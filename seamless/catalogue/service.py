"""CatalogueService: which datasets and presets there are, and what conformance said of them."""

from qmtl.core.errors import NotReady
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.wire.paging import page_from_proto, page_of
from seamless.artifacts.inventory import DatasetState, Inventory
from seamless.catalogue.wire import dataset_to_proto, memberships_to_proto, preset_to_proto, universe_to_proto
from seamless.domain.sessions.memberships import digest
from seamless.presets.preset import LIVE, Preset


class CatalogueServicer(cataloguerpc.CatalogueServiceServicer):
    """Listings of what this process can serve."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    async def ListDatasets(
        self, request: catalogueservicepb.ListDatasetsRequest, context: object
    ) -> catalogueservicepb.ListDatasetsResponse:
        page = page_from_proto(request, (str,))
        by_dataset: dict[str, Preset] = {}
        for preset in sorted(self._inventory.presets.all, key=lambda preset: not preset.available):
            by_dataset.setdefault(str(preset.dataset), preset)
        rest = [name for name in sorted(by_dataset) if page.after is None or name > page.after[0]]
        told = [await self._dataset(by_dataset[name]) for name in rest[: page.size + 1]]
        datasets, more = page_of(told, page, lambda message: (message.dataset,), lambda message: message)
        return catalogueservicepb.ListDatasetsResponse(datasets=datasets, page=more)

    async def GetPreset(
        self, request: catalogueservicepb.GetPresetRequest, context: object
    ) -> catalogueservicepb.GetPresetResponse:
        told = self._told(request.name)
        if told.members and told.available and (found := self._inventory.presets.universe(request.name).memberships):
            told.memberships.extend(memberships_to_proto(found))
            told.memberships_fingerprint = digest(found)
        return catalogueservicepb.GetPresetResponse(preset=told)

    async def ListPresets(
        self, request: catalogueservicepb.ListPresetsRequest, context: object
    ) -> catalogueservicepb.ListPresetsResponse:
        page = page_from_proto(request, (str,))
        after = page.after[0] if page.after else ""
        names = {*self._inventory.presets.universes, *(preset.name for preset in self._inventory.presets.all)}
        rest = sorted(name for name in names if name > after)
        presets, more = page_of(rest, page, lambda name: (name,), self._told)
        return catalogueservicepb.ListPresetsResponse(presets=presets, page=more)

    async def GetConformanceReport(
        self, request: catalogueservicepb.GetConformanceReportRequest, context: object
    ) -> catalogueservicepb.GetConformanceReportResponse:
        preset = self._inventory.presets.serving(request.dataset)
        report = await self._inventory.report(preset)
        if report is None:
            self._inventory.require_ready(preset)
            raise NotReady("E_DATASET_UNAVAILABLE", f"{preset.name} has no conformance report")
        return catalogueservicepb.GetConformanceReportResponse(report=report)

    def _told(self, name: str) -> datasetspb.Preset:
        """A preset or universe as a message. Raises NotFound (E_PRESET_UNKNOWN)."""
        presets = self._inventory.presets
        if name not in presets.universes:
            preset = presets.named(name)
            return preset_to_proto(preset, self._inventory.status(preset), self._inventory.store_id)
        replay = not name.startswith(LIVE)
        try:
            universe = presets.universe(name)
        except NotReady as error:
            return universe_to_proto(name, presets.universes[name], error.message, replay=replay)
        statuses = [self._inventory.status(preset) for preset in universe.members]
        fault = next((one.detail for one in statuses if one.state is DatasetState.UNAVAILABLE), "")
        return universe_to_proto(name, [one.name for one in universe.members], fault, replay=replay)

    async def _dataset(self, preset: Preset) -> datasetspb.Dataset:
        return dataset_to_proto(preset, self._inventory.status(preset), await self._inventory.newest(preset))

"""The presets that the tests of worldservice know, and the catalogue that tells of them."""

from __future__ import annotations

from qmtl.core.errors import NotFound
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import datasets_pb2 as datasetspb

PRESETS = {"demo.btc.15m": True, "demo.gone": False, "live": True, "pair": True}
MEMBERS = {"pair": ("one", "two")}


class Catalogue(cataloguerpc.CatalogueServiceServicer):
    """Knows the presets of the tests; one of them has lost its source."""

    async def GetPreset(
        self, request: catalogueservicepb.GetPresetRequest, context: object
    ) -> catalogueservicepb.GetPresetResponse:
        if request.name not in PRESETS:
            raise NotFound("E_PRESET_UNKNOWN", f"no preset {request.name!r}", hint=f"one of {', '.join(PRESETS)}")
        available = PRESETS[request.name]
        preset = datasetspb.Preset(
            name=request.name,
            available=available,
            message="" if available else "no source",
            members=MEMBERS.get(request.name, ()),
        )
        return catalogueservicepb.GetPresetResponse(preset=preset)

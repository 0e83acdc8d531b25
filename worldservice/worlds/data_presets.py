"""Data presets that worlds name: each must be one that seamless knows and can serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qmtl.core.errors import NotReady
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc


class DataPresets:
    """The presets of seamless, asked for when a world is to name them."""

    def __init__(self, catalogue: cataloguerpc.CatalogueServiceAsyncStub) -> None:
        self._catalogue = catalogue

    async def require(self, names: Iterable[str]) -> None:
        """Raises NotFound (E_PRESET_UNKNOWN), NotReady (E_DATASET_UNAVAILABLE), Unavailable: seamless is away."""
        for name in dict.fromkeys(names):
            preset = (await self._catalogue.GetPreset(catalogueservicepb.GetPresetRequest(name=name))).preset
            if not preset.available:
                raise NotReady("E_DATASET_UNAVAILABLE", f"preset {name}: {preset.message}", metadata={"dataset": name})

    async def serving(self, names: Iterable[str]) -> Mapping[str, str]:
        """By each preset that serves data of the named ones, itself or as a member of a universe, the named one.

        Raises as `require`, but not for unavailable ones.
        """
        found: dict[str, str] = {}
        for name in dict.fromkeys(names):
            preset = (await self._catalogue.GetPreset(catalogueservicepb.GetPresetRequest(name=name))).preset
            found = {**dict.fromkeys(preset.members, name), **found, name: name}
        return found

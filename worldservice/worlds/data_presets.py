"""Data presets that worlds name: each must be one that seamless knows and can serve."""

from __future__ import annotations

from collections.abc import Iterable

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

    async def with_members(self, names: Iterable[str]) -> tuple[str, ...]:
        """Presets, and the members of those that are universes. Raises as `require`, but not for unavailable ones."""
        found: list[str] = []
        for name in dict.fromkeys(names):
            preset = (await self._catalogue.GetPreset(catalogueservicepb.GetPresetRequest(name=name))).preset
            found += [name, *preset.members]
        return tuple(found)

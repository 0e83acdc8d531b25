"""A world's market data as a run asks for it: the preset, the stretch, and the bars as Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotFound, NotReady, refused
from qmtl.core.instants import to_ns
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.mesh.client import Client
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.wire.bars import bars_from_arrow
from qmtl.sdk.strategy.assembly import Assembled
from qmtl.wire.instants import ns_to_proto
from qmtl.world.v1 import world_service_pb2 as worldservicepb


@dataclass(frozen=True, slots=True)
class History:
    """Which stretch of the data is evaluated: bars that open in [start, end); None is as far as the data goes."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """Bars and exactly what the owner of the data says they are."""

    bars: Bars
    metadata: dataservicepb.FetchMetadata


class WorldData:
    """The market data of one world, read through the gateway."""

    def __init__(self, retrying: RetryingClient, world: str) -> None:
        self._retrying = retrying
        self._client = retrying.client
        self._world = world

    async def preset(self, assembled: Assembled, data: str | None) -> datasetspb.Preset:
        """The data preset of the run: the one named, else the world's first.

        Raises NotFound (E_PRESET_UNKNOWN, E_DATA_MISSING), NotReady (E_DATASET_UNAVAILABLE).
        """
        name = data or await self._world_preset()
        reply = await self._retrying.ask(
            lambda: self._client.catalogue.ListPresets(catalogueservicepb.ListPresetsRequest()), "presets"
        )
        found = next((preset for preset in reply.presets if name in (preset.name, preset.dataset)), None)
        if found is None:
            known = ", ".join(preset.name for preset in reply.presets)
            raise NotFound("E_PRESET_UNKNOWN", f"no data preset {name!r}", hint=f"one of {known}")
        if not found.available:
            raise NotReady("E_DATASET_UNAVAILABLE", f"{found.name}: {found.message}")
        check_sources(assembled, found)
        return found

    async def fetch(self, preset: datasetspb.Preset, request: dataservicepb.FetchRequest) -> Fetched:
        """Rows of a preset through the gateway, as Arrow."""
        parts, metadata = await self._retrying.ask(lambda: fetch_arrow(self._client, request), "fetch")
        return Fetched(bars_from_arrow(parts, preset), metadata)

    async def _world_preset(self) -> str:
        request = worldservicepb.GetWorldRequest(world_id=self._world)
        presets = (await self._retrying.ask(lambda: self._client.worlds.GetWorld(request), "world")).world.data_presets
        if not presets:
            raise refused("E_DATA_MISSING", "data", f"none, and world {self._world} names no preset", "a data preset")
        return presets[0]


def check_sources(assembled: Assembled, preset: datasetspb.Preset) -> None:
    """Every source of a connected run reads the one preset. Raises NotFound (E_DATA_MISSING)."""
    for source in assembled.dag.sources:
        if (source.symbol, source.interval_s) != (preset.symbol, preset.interval.seconds):
            raise NotFound(
                "E_DATA_MISSING",
                f"{source.symbol} at {source.interval_s}s is not what {preset.name} has: "
                f"{preset.symbol} at {preset.interval.seconds}s",
                hint="name a preset with the strategy's symbol and interval",
            )


def history_request(
    preset: datasetspb.Preset, context: commonpb.ComputeContext, span: History
) -> dataservicepb.FetchRequest:
    """History of an evaluation: at the pinned snapshot if the world's context has one, else the newest sealed."""
    pinned = context.execution_domain == commonpb.EXECUTION_DOMAIN_BACKTEST and context.HasField("as_of")
    return dataservicepb.FetchRequest(
        dataset=preset.name,
        range=commonpb.TimeRange(
            start=ns_to_proto(to_ns(span.start)) if span.start else None,
            end=ns_to_proto(to_ns(span.end)) if span.end else None,
        ),
        context=context if pinned else None,
    )


async def fetch_arrow(
    client: Client, request: dataservicepb.FetchRequest
) -> tuple[Sequence[bytes], dataservicepb.FetchMetadata]:
    parts: list[bytes] = []
    metadata: dataservicepb.FetchMetadata | None = None
    with scoped(client.data.Fetch(request)) as replies:
        async for reply in replies:
            if reply.WhichOneof("part") == "metadata":
                metadata = reply.metadata
            else:
                parts.append(reply.arrow_ipc)
    if metadata is None:
        raise NotReady("E_FETCH_CUT", f"fetch of {request.dataset} ended without saying what it delivered")
    return parts, metadata

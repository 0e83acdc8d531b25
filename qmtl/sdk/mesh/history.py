"""A world's market data as a run asks for it: the preset, the stretch, and the bars as Arrow."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotFound, NotReady, refused
from qmtl.core.instants import to_ns
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.mesh.client import Client
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.wire.bars import bars_from_arrow
from qmtl.sdk.strategy.assembly import Assembled
from qmtl.wire.instants import ns_to_proto
from qmtl.world.v1 import session_pb2 as sessionpb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from seamless.domain.fingerprints import world_digest

log = logging.getLogger("qmtl.sdk.mesh")


@dataclass(frozen=True, slots=True)
class History:
    """Which stretch of the data is evaluated: bars that open in [start, end); None is as far as the data goes."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """Bars of each preset, exactly what the owner of the data says they are, the sealed artifact of each, and the
    fingerprint of its rows.

    The artifact is empty where it is none.
    """

    bars: tuple[Bars, ...]
    metadata: dataservicepb.FetchMetadata
    sealed: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Market:
    """What a run reads: the preset that was named, and the presets behind it: itself, or those of a universe that the
    strategy has sources in.
    """

    preset: datasetspb.Preset
    members: tuple[datasetspb.Preset, ...]

    def member(self, symbol: str, interval_s: int) -> datasetspb.Preset:
        """The preset of a symbol at an interval. Raises NotFound (E_DATA_MISSING)."""
        for member in self.members:
            if (member.symbol, member.interval.seconds) == (symbol, interval_s):
                return member
        have = ", ".join(f"{one.symbol} at {one.interval.seconds}s" for one in self.members)
        raise NotFound(
            "E_DATA_MISSING",
            f"{symbol} at {interval_s}s is not what {self.preset.name} has: {have}",
            hint="name a preset with the strategy's symbols and intervals",
        )


class WorldData:
    """The market data of one world, read through the gateway."""

    def __init__(self, retrying: RetryingClient, world: str) -> None:
        self._retrying = retrying
        self._client = retrying.client
        self._world = world

    async def market(self, assembled: Assembled, data: str | None, session: sessionpb.Session | None = None) -> Market:
        """The data of the run: of the preset named, else of the world's first; of a universe in a session what that was
        opened with.

        Raises NotFound (E_PRESET_UNKNOWN, E_DATA_MISSING), NotReady (E_DATASET_UNAVAILABLE).
        """
        name = data or await self._world_preset()
        presets = await self._presets()
        found = next((preset for preset in presets if name in (preset.name, preset.dataset)), None)
        if found is None:
            known = ", ".join(preset.name for preset in presets)
            raise NotFound("E_PRESET_UNKNOWN", f"no data preset {name!r}", hint=f"one of {known}")
        if not found.available:
            raise NotReady("E_DATASET_UNAVAILABLE", f"{found.name}: {found.message}")
        names = (await self._played(found.name, session) if session and found.members else ()) or found.members
        whole = Market(found, tuple(one for one in presets if one.name in (names or (found.name,))))
        read = [whole.member(source.symbol, source.interval_s).name for source in assembled.dag.sources]
        return Market(found, tuple(one for one in whole.members if one.name in read))

    async def members(self, names: Sequence[str]) -> Market:
        """These presets, whatever names them together. Raises NotFound (E_PRESET_UNKNOWN)."""
        known = {preset.name: preset for preset in await self._presets()}
        for name in names:
            if name not in known:
                raise NotFound("E_PRESET_UNKNOWN", f"no data preset {name!r}", hint=f"one of {', '.join(known)}")
        return Market(known[names[0]], tuple(known[name] for name in names))

    async def _played(self, universe: str, session: sessionpb.Session) -> Sequence[str]:
        """The presets that a session on a universe was opened with; empty: it is on another, or not opened yet."""
        if session.data_preset != universe:
            return ()
        known = datasessionservicepb.GetDataSessionRequest(session_id=session.session_id)
        try:
            reply = await self._retrying.ask(lambda: self._client.data_sessions.GetDataSession(known), "data session")
        except NotFound:  # nobody has opened it yet
            return ()
        if reply.session.universe_changed:
            log.warning("%s has other presets now; the session goes on with those of its opening", universe)
        return [member.preset for member in reply.session.members]

    async def fetch(self, market: Market, request: dataservicepb.FetchRequest) -> Fetched:
        """Rows of each preset of a market through the gateway, as Arrow; the request says which range and context."""
        bars, told = [], []
        for member in market.members:
            asked = dataservicepb.FetchRequest()
            asked.CopyFrom(request)
            asked.dataset = member.name
            parts, metadata = await self._fetch_arrow(asked)
            bars.append(bars_from_arrow(parts, member))
            told.append(metadata)
        whole = told[0] if len(told) == 1 else combined(market.preset.name, told)
        sealed = tuple(one.artifact_fingerprint for one in told)
        return Fetched(tuple(bars), whole, sealed, tuple(one.dataset_fingerprint for one in told))

    async def _fetch_arrow(
        self, request: dataservicepb.FetchRequest
    ) -> tuple[Sequence[bytes], dataservicepb.FetchMetadata]:
        return await self._retrying.ask(lambda: fetch_arrow(self._client, request), "fetch")

    async def _presets(self) -> Sequence[datasetspb.Preset]:
        def page_of(page: commonpb.PageRequest) -> Awaitable[catalogueservicepb.ListPresetsResponse]:
            return self._client.catalogue.ListPresets(catalogueservicepb.ListPresetsRequest(page=page))

        return [one async for reply in self._retrying.pages(page_of, "presets") for one in reply.presets]

    async def _world_preset(self) -> str:
        request = worldservicepb.GetWorldRequest(world_id=self._world)
        presets = (await self._retrying.ask(lambda: self._client.worlds.GetWorld(request), "world")).world.data_presets
        if not presets:
            raise refused("E_DATA_MISSING", "data", f"none, and world {self._world} names no preset", "a data preset")
        return presets[0]


def combined(name: str, told: Sequence[dataservicepb.FetchMetadata]) -> dataservicepb.FetchMetadata:
    """What was delivered of several datasets as of one: the least of their coverages, the fingerprint of all."""
    with_rows = [one for one in told if one.rows]
    whole = dataservicepb.FetchMetadata(
        dataset=name,
        rows=sum(one.rows for one in told),
        coverage_ratio=min(one.coverage_ratio for one in told),
        resolved_ratio=min(one.resolved_ratio for one in told),
        sla=max(one.sla for one in told),
        downgrade=max(one.downgrade for one in told),
        backfilling=any(one.backfilling for one in told),
        flagged_rows=sum(one.flagged_rows for one in told),
    )
    if with_rows:
        whole.delivered.start.CopyFrom(min((one.delivered.start for one in with_rows), key=Timestamp.ToNanoseconds))
        whole.delivered.end.CopyFrom(max((one.delivered.end for one in with_rows), key=Timestamp.ToNanoseconds))
        whole.as_of.CopyFrom(max((one.as_of for one in with_rows), key=Timestamp.ToNanoseconds))
        whole.dataset_fingerprint = world_digest({one.dataset: one.dataset_fingerprint for one in with_rows})
    return whole


def history_request(context: commonpb.ComputeContext, span: History) -> dataservicepb.FetchRequest:
    """History of an evaluation: at the pinned snapshot if the world's context has one, else the newest sealed."""
    pinned = context.execution_domain == commonpb.EXECUTION_DOMAIN_BACKTEST and context.HasField("as_of")
    return dataservicepb.FetchRequest(
        range=commonpb.TimeRange(
            start=ns_to_proto(to_ns(span.start)) if span.start else None,
            end=ns_to_proto(to_ns(span.end)) if span.end else None,
        ),
        context=context if pinned else None,
    )


def warm_up_request(session: sessionpb.Session) -> dataservicepb.FetchRequest:
    """All history before a session, as the session's context may see it; live there is no snapshot to keep to."""
    is_live = session.execution_domain == commonpb.EXECUTION_DOMAIN_LIVE
    return dataservicepb.FetchRequest(
        range=commonpb.TimeRange(end=session.start),
        context=commonpb.ComputeContext(
            world_id=session.world_id,
            execution_domain=commonpb.EXECUTION_DOMAIN_LIVE if is_live else commonpb.EXECUTION_DOMAIN_DRYRUN,
            as_of=None if is_live else session.start,
            dataset_fingerprint="" if is_live else session.dataset_fingerprint,
        ),
        session_id="" if is_live else session.session_id,
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

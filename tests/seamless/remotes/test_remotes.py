"""Datasets of another seamless, over mutual TLS: the same bars have the same fingerprint on both sides."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest

from qmtl.calendars.spans import Span
from qmtl.config.settings import MeshSettings, ServiceSettings
from qmtl.core.clock import SystemClock
from qmtl.core.errors import InvalidRequest, NotReady, Unavailable
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import artifact_service_pb2_grpc as artifactrpc
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import catalogue_service_pb2_grpc as cataloguerpc
from qmtl.data.v1 import coverage_pb2 as coveragepb
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import coverage_service_pb2_grpc as coveragerpc
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.rpc.auth.tokens import mint_service_token
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.rules.contracts import service_of
from qmtl.rpc.server.server import Server
from seamless.artifacts.ingest import ingest_all
from seamless.config import FileFeed, RemoteFeed, RemoteSettings
from seamless.domain.bars import RowFlag, no_bars
from seamless.domain.datasets import DatasetId, Kind
from seamless.domain.stored import Provenance
from seamless.remotes.peer import peers
from seamless.wire import span_to_proto
from tests.rpc.certificates import Authority, authority
from tests.seamless.samples import START, STEP, walk
from tests.seamless.serving import Seamless, Stubs, fetch_all, running

BARS = 1_500  # two windows, over two months
ABSENT = range(100, 110)
DATASET = DatasetId(Kind.OHLCV, "file-x", "X/Y", 900)
PRESET = "remote.lab.x"
WHOLE = Span(START, START + BARS * STEP)


def span(first: int, last: int) -> Span:
    return Span(START + first * STEP, START + last * STEP)


def lay_file(path: Path, changed: int | None = None, without: Sequence[int] = ()) -> None:
    """A file of bars without those absent; one of them may cost more, others may be left out, too."""
    bars = walk(BARS)
    columns = dict(zip(("open", "high", "low", "close"), map(np.array, bars.values()), strict=False))
    if changed is not None:
        columns["close"][changed] += 0.25
    frame = pl.DataFrame({"time": bars.time_ns // 1_000_000_000, **columns, "volume": bars.volume})
    rows = ~np.isin(np.arange(BARS), [*ABSENT, *without])
    frame.filter(pl.Series(rows)).write_csv(path)


@asynccontextmanager
async def lab(
    home: Path, file: Path, ca: Authority | None = None, unit: Literal["base", "quote"] = "quote"
) -> AsyncIterator[Seamless]:
    """A seamless that has sealed the file; of the absent bars it says of some that they never were."""
    feed = FileFeed(
        path=file, symbol="X/Y", interval="15m", conformance="tolerant", final=True, volume_unit=unit, min_coverage=0.5
    )
    async with running(home, ca=ca, ingest=False, files={"x": feed}) as server:
        await ingest_all(server.inventory, lambda preset: preset.name == "file.ohlcv.x")
        said = Provenance("lab", (span(100, 104),), (span(104, 106),))
        await server.storage.write(DATASET, no_bars(), span(100, 106), said)
        yield server


def remote(server: Seamless, folder: Path, home: Path) -> RemoteSettings:
    """How another service calls it: with a token of its mesh, and over TLS with a certificate of its CA."""
    token = folder / "lab.jwt"
    token.write_text(mint_service_token(home, "seamless"))
    cert, key = (None, None) if server.ca is None else server.ca.issue("other-seamless")
    return RemoteSettings(
        address=f"127.0.0.1:{server.server.port}",
        service_token=token,
        ca=None if server.ca is None else server.ca.file,
        cert=cert,
        key=key,
        feeds={"x": RemoteFeed(dataset=str(DATASET))},
    )


async def ensured(stubs: Stubs, wanted: Span = WHOLE) -> coverageservicepb.EnsureCoverageResponse:
    """The last answer."""
    request = coverageservicepb.EnsureCoverageRequest(dataset=PRESET, range=span_to_proto(wanted))
    return [reply async for reply in stubs.coverage.EnsureCoverage(request)][-1]


async def coverage(stubs: Stubs, name: str) -> coverageservicepb.GetCoverageResponse:
    return await stubs.coverage.GetCoverage(
        coverageservicepb.GetCoverageRequest(dataset=name, range=span_to_proto(WHOLE))
    )


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    found = tmp_path / "lab", tmp_path / "here"
    for home in found:
        home.mkdir()
    return found


async def test_what_another_seamless_sealed_is_the_same_here(
    homes: tuple[Path, Path], tmp_path: Path, nats_url: str
) -> None:
    there, here = homes
    file, ca = tmp_path / "bars.csv", authority(tmp_path, "lab-ca")
    lay_file(file)
    async with lab(there, file, ca) as other:
        far, settings = await other.stubs(), remote(other, tmp_path, there)
        async with running(here, ingest=False, remotes={"lab": settings}, nats_url=nats_url) as server:
            stubs = await server.stubs()
            with pytest.raises(NotReady, match="seamless lab has not said what it is yet"):
                await ensured(stubs)
            assert server.learning is not None
            assert await server.learning.learn()
            got = (await stubs.catalogue.GetPreset(catalogueservicepb.GetPresetRequest(name=PRESET))).preset
            assert (got.available, got.volume_unit, got.replay) == (True, barspb.VOLUME_UNIT_QUOTE, True)
            assert list(got.lineage) == [server.inventory.store_id, other.inventory.store_id]

            part = await ensured(stubs, span(0, 700))
            assert part.artifact_fingerprint != ""
            last = await ensured(stubs)
            sealed = await other.inventory.newest(other.inventory.presets.named("file.ohlcv.x"))
            assert sealed is not None
            assert (last.artifact_fingerprint, last.bars_held_back) == (sealed.fingerprint, 0)
            assert (last.bars_present, last.bars_empty) == (BARS - len(ABSENT), 4)
            (failure,) = last.failures
            assert "seamless lab does not say what became of 6 bars" in failure

            ours, theirs = await coverage(stubs, PRESET), await coverage(far, "file.ohlcv.x")
            assert list(ours.gaps) == list(theirs.gaps)
            kinds = [coveragepb.GAP_KIND_VERIFIED_EMPTY, coveragepb.GAP_KIND_OUTAGE, coveragepb.GAP_KIND_UNKNOWN]
            assert [(gap.kind, gap.bars) for gap in ours.gaps] == list(zip(kinds, (4, 2, 4), strict=True))
            assert list(ours.spans) == list(theirs.spans)

            lay_file(file, changed=50)
            await ingest_all(other.inventory, lambda preset: preset.name == "file.ohlcv.x")
            again = await ensured(stubs)
            sealed = await other.inventory.newest(other.inventory.presets.named("file.ohlcv.x"))
            assert sealed is not None
            assert again.artifact_fingerprint == sealed.fingerprint != last.artifact_fingerprint
            stored = await server.storage.read(DATASET, WHOLE)
            assert np.flatnonzero(stored.flags == RowFlag.REVISED).tolist() == [50]

            lay_file(file, changed=50, without=[1_200])
            await ingest_all(other.inventory, lambda preset: preset.name == "file.ohlcv.x")
            gone = await ensured(stubs)
            assert gone.artifact_fingerprint == ""
            assert "E_REMOTE_DIFFERS" in gone.failures[-1]
            assert f"1 bars of {DATASET} are here and not there" in gone.failures[-1]


async def test_one_that_is_away_is_named_and_what_it_gave_is_still_served(
    homes: tuple[Path, Path], tmp_path: Path, nats_url: str
) -> None:
    there, here = homes
    file = tmp_path / "bars.csv"
    lay_file(file)
    async with lab(there, file) as other:
        settings = remote(other, tmp_path, there)
        async with running(here, ingest=False, remotes={"lab": settings}, nats_url=nats_url) as server:
            assert server.learning is not None
            await server.learning.learn()
            sealed = (await ensured(await server.stubs())).artifact_fingerprint
    async with running(here, ingest=False, remotes={"lab": settings}, nats_url=nats_url) as server:
        stubs = await server.stubs()
        _, metadata = await fetch_all(stubs.data, dataservicepb.FetchRequest(dataset=PRESET))
        assert (metadata.dataset_fingerprint, metadata.rows) == (sealed, BARS - len(ABSENT))
        assert server.learning is not None
        assert not await server.learning.learn()
        with pytest.raises(Unavailable, match=f"seamless lab at {settings.address} does not answer") as caught:
            await ensured(stubs)
        assert (caught.value.reason, caught.value.metadata["remote"]) == ("E_REMOTE_UNREACHABLE", "lab")
    async with lab(there, file, unit="base") as other:
        settings = remote(other, tmp_path, there)
        async with running(here, ingest=False, remotes={"lab": settings}, nats_url=nats_url) as server:
            with pytest.raises(NotReady, match="volume unit was 2 and is 1") as differs:
                await ensured(await server.stubs())
            assert differs.value.reason == "E_REMOTE_DIFFERS"


async def test_what_comes_from_here_is_not_taken_back(homes: tuple[Path, Path], tmp_path: Path, nats_url: str) -> None:
    there, here = homes
    file = tmp_path / "bars.csv"
    lay_file(file)
    async with lab(there, file) as other:
        settings = remote(other, tmp_path, there)
        async with running(here, ingest=False, remotes={"lab": settings}, nats_url=nats_url) as server:
            assert server.learning is not None
            await server.learning.learn()
    async with running(here, ingest=False, remotes={"lab": settings}, nats_url=nats_url) as server:
        back = {"back": remote(server, tmp_path, here)}
        async with running(there, ingest=False, remotes=back, nats_url=nats_url) as other:
            assert other.learning is not None
            assert not await other.learning.learn()
            preset = other.inventory.presets.named("remote.back.x")
            assert not preset.available
            assert "E_REMOTE_LOOP" in preset.detail


async def test_what_it_does_not_give_is_told(homes: tuple[Path, Path], tmp_path: Path, nats_url: str) -> None:
    there, here = homes
    lay_file(tmp_path / "bars.csv")
    async with lab(there, tmp_path / "bars.csv") as other:
        known, wrong = remote(other, tmp_path, there), tmp_path / "wrong.jwt"
        wrong.write_text("nobody")
        remotes = {
            "lab": known.model_copy(update={"feeds": {"x": RemoteFeed(dataset="ohlcv:lab:Z:1d")}}),
            "shut": known.model_copy(update={"service_token": wrong}),
        }
        async with running(here, ingest=False, remotes=remotes, nats_url=nats_url) as server:
            assert server.learning is not None
            assert not await server.learning.learn()
            details = [server.inventory.presets.named(f"remote.{name}.x").detail for name in remotes]
            at = other.server.port
            assert details[0] == (f"E_REMOTE_REFUSED: seamless lab at 127.0.0.1:{at}: it has no dataset ohlcv:lab:Z:1d")
            assert details[1].startswith(f"E_REMOTE_UNREACHABLE: seamless shut at 127.0.0.1:{at} does not answer: ")
            assert "token is refused by its peer" in details[1]


class Altered(
    datarpc.DataServiceServicer,
    coveragerpc.CoverageServiceServicer,
    cataloguerpc.CatalogueServiceServicer,
    artifactrpc.ArtifactServiceServicer,
):
    """Another seamless as it would be with a faulty machine between: one price of what it gives is another."""

    def __init__(self, behind: Stubs) -> None:
        self._behind = behind

    async def Fetch(
        self, request: dataservicepb.FetchRequest, context: object
    ) -> AsyncIterator[dataservicepb.FetchResponse]:
        async for part in self._behind.data.Fetch(request):
            if part.WhichOneof("part") == "arrow_ipc":
                frame = pl.read_ipc_stream(io.BytesIO(part.arrow_ipc))
                first = frame["close"][0]
                frame[0, "close"] = np.nextafter(first, np.inf)
                part.arrow_ipc = frame.write_ipc_stream(None).getvalue()
            yield part

    async def ListPresets(
        self, request: catalogueservicepb.ListPresetsRequest, context: object
    ) -> catalogueservicepb.ListPresetsResponse:
        return await self._behind.catalogue.ListPresets(request)

    async def ListArtifacts(
        self, request: artifactservicepb.ListArtifactsRequest, context: object
    ) -> artifactservicepb.ListArtifactsResponse:
        return await self._behind.artifacts.ListArtifacts(request)

    async def GetCoverage(
        self, request: coverageservicepb.GetCoverageRequest, context: object
    ) -> coverageservicepb.GetCoverageResponse:
        return await self._behind.coverage.GetCoverage(request)


async def test_bars_that_changed_on_their_way_are_refused_with_both_fingerprints(
    homes: tuple[Path, Path], tmp_path: Path, nats_url: str
) -> None:
    there, here = homes
    file = tmp_path / "bars.csv"
    lay_file(file)
    async with lab(there, file) as other:
        settings = ServiceSettings(service="seamless", mesh=MeshSettings(home=there), bind="127.0.0.1:0")
        clock = SystemClock()
        between = Server(
            settings, service="seamless", authenticator=Authenticator.from_settings(settings, clock), clock=clock
        )
        servicer = Altered(await other.stubs())  # type: ignore[abstract]  # nothing else is asked
        between.add(datarpc.add_DataServiceServicer_to_server, servicer, service_of(dataservicepb))
        between.add(coveragerpc.add_CoverageServiceServicer_to_server, servicer, service_of(coverageservicepb))
        between.add(cataloguerpc.add_CatalogueServiceServicer_to_server, servicer, service_of(catalogueservicepb))
        between.add(artifactrpc.add_ArtifactServiceServicer_to_server, servicer, service_of(artifactservicepb))
        port = await between.start()
        try:
            faulty = {"lab": remote(other, tmp_path, there).model_copy(update={"address": f"127.0.0.1:{port}"})}
            async with running(here, ingest=False, remotes=faulty, nats_url=nats_url) as server:
                assert server.learning is not None
                await server.learning.learn()
                last = await ensured(await server.stubs(), span(0, 50))
                assert (last.bars_present, last.artifact_fingerprint) == (0, "")
                failure = last.failures[0]
                assert "E_REMOTE_DIFFERS" in failure
                assert "the fingerprint of the 50 bars that came is sha256:" in failure
                assert failure.count("sha256:") == 2
        finally:
            await between.stop(0)


async def test_settings_that_cannot_work_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="token and service_token are empty"):
        RemoteSettings(address="lab:7700")
    with pytest.raises(ValueError, match="one of cert and key is empty"):
        RemoteSettings(address="lab:7700", token=tmp_path, cert=tmp_path)
    with pytest.raises(ValueError, match="ca is empty"):
        RemoteSettings(address="lab:7700", token=tmp_path, cert=tmp_path, key=tmp_path)
    clear = {"lab": RemoteSettings(address="lab:7700", token=tmp_path / "t")}
    with pytest.raises(InvalidRequest) as caught:
        async with peers(clear):
            pass
    assert caught.value.reason == "E_TLS_REQUIRED"

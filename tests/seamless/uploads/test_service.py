"""Files of one's own through the contract: found out, judged, presets at once and after a restart."""

from __future__ import annotations

import hashlib
import io
import zlib
from pathlib import Path

import polars as pl
import pytest

from qmtl.calendars.calendars import AlwaysOpen
from qmtl.core.errors import Conflict, Exhausted, InvalidRequest, NotFound, PermissionDenied
from qmtl.core.roles import Role
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import coverage_service_pb2 as coverageservicepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.data.v1 import file_service_pb2 as fileservicepb
from qmtl.data.v1 import files_pb2 as filespb
from qmtl.rpc.chunks import Chunked
from seamless.domain.bars import SCHEMA
from seamless.domain.conformance.conform import RULE_VERSION
from tests.seamless.serving import Stubs, fetch_all, running

HOURS = "ts,open,high,low,close,volume\n" + "".join(
    f"{1_704_067_200_000 + hour * 3_600_000},{100 + hour},{101 + hour},{99 + hour},{100.5 + hour},7\n"
    for hour in range(48)
)


async def add(
    stub: Stubs, content: str | bytes, name: str = "mine", fingerprint: str = "", **said: object
) -> fileservicepb.AddFileResponse:
    plain = content.encode() if isinstance(content, str) else content
    file = filespb.AddedFile(**{"name": name, "symbol": "X", "file_name": "bars.csv", **said})  # type: ignore[arg-type]
    addition = filespb.FileAddition(file=file, content=zlib.compress(plain), expected_fingerprint=fingerprint)
    return await stub.files.AddFile(Chunked(fileservicepb.AddFileRequest, addition))


async def test_an_added_file_is_a_preset_at_once_and_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False) as seamless:
        reply = await add(await seamless.stubs(), HOURS)
        assert (reply.refusal, reply.preset.name, reply.preset.replay) == ("", "file.ohlcv.mine", True)
        assert (reply.preset.dataset, reply.preset.available) == ("ohlcv:file-mine:X:1h", True)
        assert (reply.report.rows_in, reply.report.rows_out, reply.report.bars_held_back) == (48, 48, 2)
        assert [bar.open for bar in reply.first_bars] == [100.0, 101.0, 102.0, 103.0, 104.0]
    async with running(tmp_path, ingest=False) as seamless:
        stub = await seamless.stubs()
        rows, metadata = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset="file.ohlcv.mine"))
        assert rows is not None
        assert (len(rows), metadata.rows) == (46, 46)
        opened = datasessionservicepb.OpenDataSessionRequest(session_id="s", world_id="w1", preset="file.ohlcv.mine")
        opened.span.FromSeconds(36_000)
        assert (await stub.sessions.OpenDataSession(opened)).session.preset == "file.ohlcv.mine"


async def test_what_is_held_back_is_said_and_a_final_file_holds_nothing_back(stub: Stubs) -> None:
    await add(stub, HOURS)
    asked = coverageservicepb.GetCoverageRequest(dataset="file.ohlcv.mine")
    assert (await stub.coverage.GetCoverage(asked)).bars_held_back == 2
    final = await add(stub, HOURS, final=True)
    assert final.report.bars_held_back == 0
    assert (await stub.coverage.GetCoverage(asked)).bars_held_back == 0
    rows, _ = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset="file.ohlcv.mine"))
    assert rows is not None
    assert len(rows) == 48


async def test_other_bars_under_a_name_are_a_new_artifact_and_the_old_one_stays(stub: Stubs) -> None:
    first = await add(stub, HOURS)
    again = await add(stub, HOURS)
    changed = await add(stub, HOURS.replace("100.5,7", "100.75,7"))
    assert first.preset == again.preset == changed.preset
    listed = (await stub.catalogue.ListDatasets(catalogueservicepb.ListDatasetsRequest())).datasets
    [now] = [one for one in listed if one.dataset == first.preset.dataset]
    artifacts = (
        await stub.artifacts.ListArtifacts(artifactservicepb.ListArtifactsRequest(dataset="file.ohlcv.mine"))
    ).artifacts
    assert len(artifacts) == 2
    assert artifacts[0].dataset_fingerprint == now.dataset_fingerprint
    assert artifacts[0].as_of.ToNanoseconds() > artifacts[1].as_of.ToNanoseconds()


def fingerprint_of_hours() -> str:
    """The fingerprint of HOURS as any client computes it from docs/data.md."""
    rows = "".join(
        f"{(1_704_067_200_000 + hour * 3_600_000) * 1_000_000},{100 + hour},{101 + hour},{99 + hour},{100 + hour}.5,7\n"
        for hour in range(48)
    )
    leaf = hashlib.sha256(f"qmtl-leaf-1\nohlcv:file-mine:X:1h\n2024-01\n{rows}".encode()).hexdigest()
    schema = ",".join(f"{name}={kind}" for name, kind in SCHEMA)
    rules = f"schema {schema}\nrules {RULE_VERSION}\ncalendar 24/7 {AlwaysOpen().version}\n"
    return "sha256:" + hashlib.sha256(f"qmtl-range-1\n2024-01 sha256:{leaf}\n{rules}".encode()).hexdigest()


def arrow_of_hours() -> bytes:
    """HOURS as a program sends them."""
    hours = pl.read_csv(HOURS.encode()).with_columns(pl.from_epoch("ts", "ms").dt.replace_time_zone("UTC"))
    out = io.BytesIO()
    hours.write_ipc_stream(out, compression="uncompressed")
    return out.getvalue()


async def test_bars_are_published_as_arrow_and_are_the_artifact_that_their_client_computed(stub: Stubs) -> None:
    mine = fingerprint_of_hours()
    made = await add(stub, arrow_of_hours(), fingerprint=mine, final=True)
    assert (made.refusal, made.layout.separator) == ("", "Arrow IPC")
    assert (made.artifact.dataset_fingerprint, made.artifact.rows) == (mine, 48)
    assert made.artifact.producer == "file bars.csv by alice"
    found = await stub.artifacts.GetArtifact(artifactservicepb.GetArtifactRequest(dataset_fingerprint=mine))
    assert found.artifact == made.artifact
    assert (
        await add(stub, HOURS, fingerprint=mine, final=True)
    ).artifact == made.artifact  # other bytes, the same bars


async def test_bars_with_another_fingerprint_than_expected_leave_nothing_behind(stub: Stubs) -> None:
    mine = fingerprint_of_hours()
    refused = await add(stub, HOURS, fingerprint=mine)  # the newest two are held back
    assert refused.refusal.startswith("ohlcv:file-mine:X:1h: the fingerprint of its 46 bars is sha256:")
    assert refused.refusal.endswith(f", want {mine}")
    assert not refused.HasField("artifact")
    assert (refused.report.rows_in, refused.report.bars_held_back) == (48, 2)
    with pytest.raises(NotFound):
        await stub.catalogue.GetPreset(catalogueservicepb.GetPresetRequest(name="file.ohlcv.mine"))
    made = await add(stub, HOURS, fingerprint=mine, final=True)
    assert made.artifact.dataset_fingerprint == mine
    again = await add(stub, HOURS.replace("100.5,7", "100.75,7"), fingerprint=mine, final=True)
    assert "want" in again.refusal
    listed = await stub.artifacts.ListArtifacts(artifactservicepb.ListArtifactsRequest(dataset="file.ohlcv.mine"))
    assert list(listed.artifacts) == [made.artifact]
    for odd in ("sha256:", mine[:-1], mine.upper(), mine.removeprefix("sha256:")):
        with pytest.raises(InvalidRequest, match="E_FIELD: expected_fingerprint"):
            await add(stub, HOURS, fingerprint=odd)


async def test_bars_that_another_adds_again_stay_their_first_ones(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False) as seamless:
        first = await add(await seamless.stubs(), HOURS)
        again = await add(await seamless.stubs(subject="bob"), HOURS)
        assert again.artifact == first.artifact
        assert again.artifact.producer == "file bars.csv by alice"


async def test_terms_are_kept_and_told(stub: Stubs) -> None:
    terms = {"price_currency": "EUR", "licence": "CC0", "origin": "my broker", "calendar": "XNYS"}
    days = "Date,Open,High,Low,Close,Volume\n2024-01-02,1,2,1,2,3\n2024-01-03,1,2,1,2,3\n2024-01-04,1,2,1,2,3\n"
    reply = await add(stub, days, terms=terms, final=True)
    assert {name: getattr(reply.preset.terms, name) for name in terms} == terms
    assert reply.preset.terms.calendar_version.startswith("exchange_calendars")


async def test_a_file_that_strictness_refuses_leaves_nothing_behind(stub: Stubs) -> None:
    gap = "\n".join(line for place, line in enumerate(HOURS.splitlines()) if place != 5)
    reply = await add(stub, gap, strictness=conformancepb.CONFORMANCE_STRICTNESS_STRICT)
    assert "gap" in reply.refusal
    assert not reply.HasField("preset")
    assert reply.report.rows_in == 47
    with pytest.raises(NotFound):
        await stub.catalogue.GetPreset(catalogueservicepb.GetPresetRequest(name="file.ohlcv.mine"))


@pytest.mark.parametrize(
    ("said", "content", "reason"),
    [
        ({"name": "../x"}, HOURS, "E_FIELD"),
        ({"symbol": ""}, HOURS, "E_FIELD"),
        ({"terms": {"calendar": "XNOPE"}}, HOURS, "E_CALENDAR_UNKNOWN"),
        ({"terms": {"time_zone": "Nowhere/At_all"}}, HOURS, "E_FIELD"),
        ({"decimal": "x"}, HOURS, "E_FIELD"),
        ({"strictness": 9}, HOURS, "E_ENUM"),
        ({"interval": {"seconds": 0}}, HOURS, "E_INTERVAL"),
        ({}, "hello\nworld\n", "E_FILE_LAYOUT"),
        ({}, b"PAR1 and no more", "E_FILE_LAYOUT"),
        ({}, HOURS.replace("close", "clothes"), "E_FILE_LAYOUT"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_name(
    stub: Stubs, said: dict[str, object], content: str | bytes, reason: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await add(stub, content, **said)  # type: ignore[arg-type]
    assert caught.value.reason == reason


async def test_a_taken_name_is_a_conflict(stub: Stubs) -> None:
    await add(stub, HOURS)
    for said in ({"symbol": "Y"}, {"interval": {"seconds": 60}}):
        with pytest.raises(Conflict) as caught:
            await add(stub, HOURS, **said)
        assert caught.value.reason == "E_FILE_CONFLICT"


async def test_content_that_is_cut_off_is_refused(stub: Stubs) -> None:
    addition = filespb.FileAddition(file={"name": "mine", "symbol": "X"}, content=zlib.compress(HOURS.encode())[:-9])
    with pytest.raises(InvalidRequest, match="E_FILE_LAYOUT"):
        await stub.files.AddFile(Chunked(fileservicepb.AddFileRequest, addition))


async def test_adding_needs_an_operator_of_all_worlds(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False) as seamless:
        for stub in (await seamless.stubs(Role.READER), await seamless.stubs(Role.OPERATOR, ["w1"])):
            with pytest.raises(PermissionDenied):
                await add(stub, HOURS)


async def test_files_are_bounded(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False, uploads_max=1) as seamless:
        stub = await seamless.stubs()
        await add(stub, HOURS)
        await add(stub, HOURS, final=True)
        with pytest.raises(Exhausted) as caught:
            await add(stub, HOURS, "other")
        assert caught.value.reason == "E_FILES_FULL"


async def test_one_client_cannot_take_the_room_of_all(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False, uploads_max=3, own_uploads_max=1) as seamless:
        alice, bob = await seamless.stubs(), await seamless.stubs(subject="bob")
        await add(alice, HOURS, "a1")
        with pytest.raises(Exhausted, match=r"E_FILES_FULL: 1 files were added by alice"):
            await add(alice, HOURS, "a2")
        await add(alice, HOURS, "a1", final=True)
        await add(bob, HOURS, "b1")
        with pytest.raises(Exhausted, match=r"E_FILES_FULL: 1 files were added by bob"):
            await add(bob, HOURS, "a1")
        await add(await seamless.stubs(subject="carol"), HOURS, "a1", final=True)  # it is carol's now
        await add(alice, HOURS, "a2")


async def test_a_file_of_another_symbol_alone_is_refused_by_name(stub: Stubs) -> None:
    named = HOURS.replace("\n", ",AAPL\n").replace("volume,AAPL", "volume,ticker")
    with pytest.raises(InvalidRequest, match=r"E_FILE_LAYOUT: symbol is 'MSFT', want one that the file has: AAPL"):
        await add(stub, named, symbol="MSFT")
    assert (await add(stub, named, symbol="AAPL")).refusal == ""

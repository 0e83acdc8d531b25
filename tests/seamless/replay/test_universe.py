"""A session on a universe: all its bars on one clock, one of its presets alone, and what cannot be played."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from google.protobuf.duration_pb2 import Duration

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import Conflict, InvalidRequest, NotReady
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import catalogue_service_pb2 as catalogueservicepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from qmtl.wire.instants import ns_from_proto
from seamless.config import FileFeed
from seamless.domain.fingerprints import world_digest
from tests.seamless.asking import context_of, time_of
from tests.seamless.serving import Stubs, fetch_all, running

MINUTE_S = 60
FIRST = int(datetime(2024, 5, 6, tzinfo=UTC).timestamp())
UNIVERSE = ["file.ohlcv.b5", "file.ohlcv.b1", "file.ohlcv.a5"]
IN_ORDER = ["file.ohlcv.a5", "file.ohlcv.b1", "file.ohlcv.b5"]  # by symbol, then by interval


def _file(folder: Path, name: str, minutes: int, missing: Collection[int]) -> FileFeed:
    """Six hours of bars, without those of some numbers."""
    numbers = [n for n in range(360 // minutes) if n not in missing]
    rows = {
        "time": [FIRST + n * minutes * MINUTE_S for n in numbers],
        **{c: [100.0 + n for n in numbers] for c in "ohlcv"},
    }
    path = folder / f"{name}.parquet"
    pl.DataFrame(rows).write_parquet(path)
    feed = {"path": path, "symbol": name[0].upper(), "interval": f"{minutes}m", "conformance": "tolerant"}
    return FileFeed.model_validate(
        {**feed, **dict(zip(("open", "high", "low", "close", "volume"), "ohlcv", strict=True))}
    )


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[Stubs]:
    files = {
        "a5": _file(tmp_path, "a5", 5, set()),
        "b1": _file(tmp_path, "b1", 1, {201, 202, 203}),
        "b5": _file(tmp_path, "b5", 5, set()),
    }
    others = {"gone": ["file.ohlcv.a5", "file.ohlcv.none"], "twice": ["file.ohlcv.a5", "file.ohlcv.a5"]}
    async with running(tmp_path, files=files, universes={"three": UNIVERSE, **others}) as server:
        server.world.roles["w1"] = {}
        yield await server.stubs()


def _opening(name: str = "s1", preset: str = "replay.three") -> datasessionservicepb.OpenDataSessionRequest:
    start = time_of("2024-05-06T03:03:00Z")
    return datasessionservicepb.OpenDataSessionRequest(session_id=name, world_id="w1", preset=preset, start_time=start)


async def _told(stub: Stubs, dataset: str, start: str = "") -> tuple[list[barspb.Bar], list[int]]:
    """Every bar of a session, and the watermark of each message."""
    request = dataservicepb.SubscribeRequest(dataset=dataset, session_id="s1")
    if start:
        request.start_time.CopyFrom(time_of(start))
    replies = [reply async for reply in stub.data.Subscribe(request, timeout=30)]
    return [bar for reply in replies for bar in reply.bars], [ns_from_proto(one.watermark, "w") for one in replies]


def _closes(bars: list[barspb.Bar]) -> list[tuple[int, int]]:
    return [(bar.close_time.seconds, IN_ORDER.index(bar.preset)) for bar in bars]


async def test_bars_of_all_come_by_close_then_symbol_and_time_passes_over_gaps(stub: Stubs) -> None:
    opened = (await stub.sessions.OpenDataSession(_opening())).session
    assert [member.preset for member in opened.members] == IN_ORDER
    assert opened.dataset == ""
    assert opened.dataset_fingerprint == world_digest({one.dataset: one.dataset_fingerprint for one in opened.members})
    bars, watermarks = await _told(stub, "replay.three")
    closes = _closes(bars)
    assert closes == sorted(closes)
    assert bars[0].close_time == time_of("2024-05-06T03:04:00Z")
    five = [bar for bar in bars if bar.preset == "file.ohlcv.b5"]
    assert five[0].open_time == time_of("2024-05-06T03:00:00Z"), "a bar that was open at the start comes at its close"
    assert all(bar.close_time.seconds - bar.open_time.seconds == 5 * MINUTE_S for bar in five)
    end = opened.end_time.seconds
    assert end == FIRST + (360 - 10) * MINUTE_S, "the member that ends first ends the session: two bars are held back"
    assert watermarks == [(FIRST + minute * MINUTE_S) * 10**9 for minute in range(184, 351)]


async def test_one_preset_of_a_session_is_told_on_its_clock(stub: Stubs) -> None:
    await stub.sessions.OpenDataSession(_opening())
    bars, watermarks = await _told(stub, "file.ohlcv.b5")
    assert {bar.preset for bar in bars} == {""}
    assert [bar.close_time.seconds for bar in bars] == [FIRST + n * 5 * MINUTE_S for n in range(37, 71)]
    assert len(watermarks) == 350 - 183
    again, _ = await _told(stub, "replay.three", "2024-05-06T02:58:00Z")
    closes = _closes(again)
    assert (closes[0][0], closes) == (FIRST + 179 * MINUTE_S, sorted(closes)), "history comes first, on the same clock"


async def test_a_dry_run_in_the_session_reads_each_member_to_its_watermark(stub: Stubs) -> None:
    await stub.sessions.OpenDataSession(_opening())
    context = context_of(commonpb.EXECUTION_DOMAIN_DRYRUN, "2024-05-06T03:03:00Z")
    ends = {}
    for preset in UNIVERSE:
        request = dataservicepb.FetchRequest(dataset=preset, context=context, session_id="s1")
        ends[preset] = (await fetch_all(stub.data, request))[1].delivered.end
    assert ends["file.ohlcv.b1"] == time_of("2024-05-06T03:03:00Z")
    assert ends["file.ohlcv.b5"] == ends["file.ohlcv.a5"] == time_of("2024-05-06T03:00:00Z")


async def test_what_cannot_be_played_is_named(stub: Stubs) -> None:
    listed = await stub.catalogue.ListPresets(catalogueservicepb.ListPresetsRequest())
    found = {one.name: one for one in listed.presets if one.members}
    assert list(found["replay.three"].members) == IN_ORDER
    assert found["replay.three"].available
    assert "preset file.ohlcv.none is not there" in found["replay.gone"].message
    for name in ("replay.gone", "replay.twice"):
        assert not found[name].available
        with pytest.raises(NotReady, match="E_DATASET_UNAVAILABLE"):
            await stub.sessions.OpenDataSession(_opening(preset=name))
    await stub.sessions.OpenDataSession(_opening())
    with pytest.raises(Conflict, match="E_DATA_SESSION_CONFLICT"):
        await stub.sessions.OpenDataSession(_opening(preset="file.ohlcv.a5"))
    for dataset in ("demo.btc.15m", "demo.stocks"):
        with pytest.raises(InvalidRequest, match="E_DATA_SESSION"):
            await _told(stub, dataset)
    early = _opening("s2")
    early.ClearField("start_time")
    early.span.CopyFrom(Duration(seconds=346 * MINUTE_S))
    with pytest.raises(InvalidRequest, match="E_DATA_SESSION"):
        await stub.sessions.OpenDataSession(early)


TABLE = """symbol,start,end,ticker
A,,,
D,,2024-05-06T02:00:00Z,
L,2024-05-06T04:00:00Z,2024-05-06T04:30:00Z,OLD
L,2024-05-06T04:30:00Z,,
"""
CHANGING = ["file.ohlcv.a5", "file.ohlcv.d5", "file.ohlcv.l5"]


@pytest.fixture
async def changing(tmp_path: Path) -> AsyncIterator[Stubs]:
    """A is there for six hours, D is delisted after two, L is listed after four."""
    files = {
        "a5": _file(tmp_path, "a5", 5, ()),
        "d5": _file(tmp_path, "d5", 5, range(26, 72)).model_copy(update={"final": True}),
        "l5": _file(tmp_path, "l5", 5, range(48)),
    }
    table, wrong = tmp_path / "members.csv", tmp_path / "wrong.csv"
    table.write_text(TABLE)
    wrong.write_text(TABLE.replace("L,", "M,"))
    tables = {"changing": table, "wrong": wrong, "lost": tmp_path / "none.csv"}
    async with running(tmp_path, files=files, universes=dict.fromkeys(tables, CHANGING), tables=tables) as server:
        server.world.roles["w1"] = {}
        yield await server.stubs()


async def test_a_universe_whose_members_change_has_no_survivorship_bias(changing: Stubs) -> None:
    opening = _opening(preset="replay.changing")
    opening.start_time.CopyFrom(time_of("2024-05-06T01:00:00Z"))
    opened = (await changing.sessions.OpenDataSession(opening)).session
    assert [bool(one.dataset_fingerprint) for one in opened.members] == [True, True, False], "L was not there yet"
    assert opened.end_time.seconds == FIRST + 350 * MINUTE_S, "nor does what was delisted end the session"
    asked = dataservicepb.FetchRequest(dataset="file.ohlcv.l5", session_id="s1")
    asked.context.CopyFrom(context_of(commonpb.EXECUTION_DOMAIN_DRYRUN, "2024-05-06T01:00:00Z"))
    assert (await fetch_all(changing.data, asked))[1].rows == 0
    bars, _ = await _told(changing, "replay.changing")
    closes = {preset: [bar.close_time.seconds - FIRST for bar in bars if bar.preset == preset] for preset in CHANGING}
    assert [(one[0] // MINUTE_S, one[-1] // MINUTE_S) for one in closes.values()] == [
        (65, 350),
        (65, 130),
        (245, 350),
    ], "all bars of D"
    asked.context.CopyFrom(context_of(commonpb.EXECUTION_DOMAIN_DRYRUN, "2024-05-06T05:50:00Z"))
    assert (await fetch_all(changing.data, asked))[1].rows == 22


async def test_a_session_after_a_member_left_plays_the_others_and_has_its_whole_history(changing: Stubs) -> None:
    opening = _opening(preset="replay.changing")
    opening.start_time.CopyFrom(time_of("2024-05-06T03:00:00Z"))
    opened = (await changing.sessions.OpenDataSession(opening)).session
    assert [bool(one.dataset_fingerprint) for one in opened.members] == [True, True, False]
    bars, _ = await _told(changing, "replay.changing")
    closes = {preset: [bar.close_time.seconds - FIRST for bar in bars if bar.preset == preset] for preset in CHANGING}
    assert [(one[0] // MINUTE_S, one[-1] // MINUTE_S) for one in closes.values() if one] == [(185, 350), (245, 350)]
    asked = dataservicepb.FetchRequest(dataset="file.ohlcv.d5", session_id="s1")
    asked.context.CopyFrom(context_of(commonpb.EXECUTION_DOMAIN_DRYRUN, "2024-05-06T03:00:00Z"))
    assert (await fetch_all(changing.data, asked))[1].rows == 26, "its last two bars are there, too"


async def test_memberships_are_told_with_their_universe_and_faults_of_their_table_by_its_name(changing: Stubs) -> None:
    request = catalogueservicepb.GetPresetRequest(name="replay.changing")
    told = (await changing.catalogue.GetPreset(request)).preset
    assert [(one.symbol, one.ticker) for one in told.memberships] == [("A", "A"), ("D", "D"), ("L", "OLD"), ("L", "L")]
    assert told.memberships[1].end_time == time_of("2024-05-06T02:00:00Z")
    assert not told.memberships[1].HasField("start_time")
    assert not told.memberships[3].HasField("end_time")
    assert told.memberships_fingerprint.startswith("sha256:")
    listed = (await changing.catalogue.ListPresets(catalogueservicepb.ListPresetsRequest())).presets
    found = {one.name: one for one in listed if one.members}
    assert not found["replay.changing"].memberships
    assert "members line 4: symbol" in found["replay.wrong"].message
    assert "none.csv: No such file" in found["replay.lost"].message
    for name in ("replay.wrong", "replay.lost"):
        with pytest.raises(NotReady, match="E_DATASET_UNAVAILABLE"):
            await changing.sessions.OpenDataSession(_opening(preset=name))

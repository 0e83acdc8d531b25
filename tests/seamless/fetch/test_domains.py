"""What each domain may read, of which time, and that no domain sees what another was given.

The matrix: bars 0 to 40 are sealed, 0 to 60 stored (30 to 32 corrected since), 60 to 100 only at the exchange.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from controlbus.bus import Bus, connected
from qmtl.calendars.spans import Span
from qmtl.core.errors import DataLoss, InvalidRequest, NotReady
from qmtl.core.modes import ExecutionDomain
from qmtl.core.paging import Page
from qmtl.data.v1 import coverage_pb2 as coveragepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.sql.database import Database
from qmtl.wire.instants import ns_from_proto
from seamless.artifacts.verification import damages
from seamless.domain.bars import Bars, of_values
from seamless.domain.fetch_plan import FetchQuery
from seamless.domain.fingerprints import leaves
from seamless.domain.ranges import Range
from seamless.domain.sessions.requests import LENGTH_DEFAULT, SessionRequest
from seamless.domain.sla import FetchMode
from seamless.domain.stored import Provenance
from seamless.presets.preset import Universe
from tests.seamless.fetch.exchange_rig import MINUTE_NS, ExchangeRig, at, corrected, exchange_rig

ARTIFACT, STORAGE = coveragepb.SPAN_SOURCE_ARTIFACT, coveragepb.SPAN_SOURCE_STORAGE
BACKTEST, DRYRUN = ExecutionDomain.BACKTEST, ExecutionDomain.DRYRUN
LIVE, SHADOW = ExecutionDomain.LIVE, ExecutionDomain.SHADOW


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected(nats_url, service="seamless") as ready:
        yield ready


@pytest.fixture
async def rig(bus: Bus, db: Database, tmp_path: Path) -> AsyncIterator[ExchangeRig]:
    """The matrix's data."""
    async with exchange_rig(bus, db, tmp_path) as found:
        await found.fill(0, 40)
        more = await found.storage.read(found.preset.dataset, Span(at(30), at(32)))
        await found.store(40, 60)
        await found.storage.write(found.preset.dataset, corrected(more, 1.0), Span(at(30), at(32)), Provenance("later"))
        yield found


def sources(metadata: dataservicepb.FetchMetadata) -> list[tuple[coveragepb.SpanSource, int]]:
    return [(span.source, span.rows) for span in metadata.spans]


async def test_a_backtest_reads_the_artifact_that_its_as_of_sees_and_nothing_else(rig: ExchangeRig) -> None:
    newer = await rig.fill(0, 60)  # reprocessed: seals 60 bars, two of them corrected, with a later as_of
    for as_of, rows in ((40, 40), (59, 40), (60, 60), (90, 60)):
        told = await rig.fetch(0, 60, BACKTEST, as_of=as_of)
        assert sources(told) == [(ARTIFACT, rows)], as_of
        assert (told.artifact_fingerprint == newer) == (rows == 60)
    for as_of in (39, 1):
        with pytest.raises(NotReady, match="E_ARTIFACT_MISSING"):
            await rig.fetch(0, 60, BACKTEST, as_of=as_of)
    with pytest.raises(InvalidRequest, match="E_AS_OF_REQUIRED"):
        await rig.fetch(0, 60, BACKTEST)
    assert sources(await rig.fetch(0, 60)) == [(ARTIFACT, 60)]


async def test_a_dry_run_prefers_what_is_sealed_sees_to_its_as_of_and_seals_what_it_was_given(rig: ExchangeRig) -> None:
    told = await rig.fetch(0, 60, DRYRUN, as_of=50)
    assert sources(told) == [(ARTIFACT, 40), (STORAGE, 10)]
    assert (told.rows, told.flagged_rows, told.coverage_ratio) == (50, 0, 1.0)
    assert told.artifact_fingerprint == told.dataset_fingerprint
    assert ns_from_proto(told.as_of, "as_of") == at(50)
    await rig.fill(0, 100)  # whatever comes later
    again = await rig.fetch(0, 60, BACKTEST, fingerprint=told.artifact_fingerprint)
    assert (sources(again), again.dataset_fingerprint) == ([(ARTIFACT, 50)], told.dataset_fingerprint)
    sealed_only = await rig.fetch(0, 30, DRYRUN, as_of=90)
    assert sealed_only.artifact_fingerprint != sealed_only.dataset_fingerprint, "nothing stored: nothing to seal"


@pytest.mark.parametrize("domain", [LIVE, SHADOW])
async def test_a_live_fetch_takes_the_newest_word_first(rig: ExchangeRig, domain: ExecutionDomain) -> None:
    told = await rig.fetch(0, 100, domain)
    assert sources(told) == [(STORAGE, 60)]
    assert (told.rows, told.flagged_rows, told.artifact_fingerprint) == (60, 2, "")
    assert [(gap.kind, gap.bars) for gap in told.gaps] == [(coveragepb.GAP_KIND_NOT_FETCHED, 40)]
    assert told.sla == dataservicepb.SLA_OUTCOME_HOLD
    assert told.downgrade == dataservicepb.FETCH_DOWNGRADE_LAG_ABOVE_LIMIT
    assert ns_from_proto(told.as_of, "as_of") == at(60)


async def test_no_domain_is_given_what_another_was(rig: ExchangeRig) -> None:
    """Nothing is kept between fetches but what is named by its content: domain, as_of and range each have their own."""
    asked = [(BACKTEST, 40), (DRYRUN, 50), (LIVE, None), (DRYRUN, 60), (BACKTEST, 41)]
    rows = [40, 50, 60, 60, 40]
    for _ in range(2):
        told = [await rig.fetch(0, 60, domain, as_of=as_of) for domain, as_of in asked]
        assert [one.rows for one in told] == rows
        digests = [one.dataset_fingerprint for one in told]
        assert digests[0] == digests[4]
        assert len(set(digests)) == 4, "a dry run is not given the corrections that a live fetch is"


async def test_as_of_never_goes_back(rig: ExchangeRig) -> None:
    seen = [ns_from_proto((await rig.fetch(0, 10, LIVE)).as_of, "as_of")]
    await rig.fill(50, 70)
    seen.append(ns_from_proto((await rig.fetch(0, 10, LIVE)).as_of, "as_of"))
    await rig.fill(0, 20)  # sealed anew: nothing has changed
    seen.append(ns_from_proto((await rig.fetch(30, 35, SHADOW)).as_of, "as_of"))
    assert seen == sorted(seen)
    behind = await rig.fetch(0, 10, LIVE, as_of=95)
    assert (behind.sla, behind.downgrade) != (
        dataservicepb.SLA_OUTCOME_HOLD,
        dataservicepb.FETCH_DOWNGRADE_AS_OF_BEHIND,
    ), "the larger trouble is told"
    await rig.fill(0, 100)
    behind = await rig.fetch(0, 10, LIVE, as_of=120)
    assert (behind.sla, behind.downgrade) == (
        dataservicepb.SLA_OUTCOME_HOLD,
        dataservicepb.FETCH_DOWNGRADE_AS_OF_BEHIND,
    )
    level = await rig.fetch(0, 10, LIVE, as_of=100)
    assert (level.sla, level.downgrade) == (dataservicepb.SLA_OUTCOME_MET, 0)


@pytest.mark.parametrize("mode", [FetchMode.AUTO_BACKFILL, FetchMode.SEAMLESS])
async def test_what_is_fixed_in_time_is_not_added_to(rig: ExchangeRig, mode: FetchMode) -> None:
    for domain in (BACKTEST, DRYRUN):
        with pytest.raises(InvalidRequest, match="E_FETCH_MODE"):
            await rig.fetch(0, 60, domain, as_of=60, mode=mode)


async def test_a_session_on_the_feed_sees_to_its_watermark(rig: ExchangeRig) -> None:
    rig.feed.watermark_ns = rig.feed.began_ns = at(55)
    asked = SessionRequest("s1", "w1", at(55), LENGTH_DEFAULT, 0.0)
    await rig.live.open(Universe(rig.preset.name, (rig.preset,)), asked)
    told = await rig.fetch(0, 100, DRYRUN, as_of=55, session="s1")
    assert (told.rows, told.coverage_ratio) == (55, 1.0)
    assert told.artifact_fingerprint == told.dataset_fingerprint
    live = await rig.fetch(0, None, LIVE)
    assert sources(live) == [(STORAGE, 55), (coveragepb.SPAN_SOURCE_LIVE, 5)]


async def test_what_a_dry_run_was_given_is_seen_once_it_is_sealed(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with exchange_rig(bus, db, tmp_path) as rig:
        await rig.fill(0, 40)
        await rig.store(40, 42)
        given = await rig.fetch(0, 42, DRYRUN, as_of=42)
        assert (given.rows, sources(await rig.fetch(0, 60))) == (42, [(ARTIFACT, 40)])
        assert await rig.fill(0, 42) == given.dataset_fingerprint, "the same 42 bars"
        for told in (await rig.fetch(0, 60), await rig.fetch(0, 60, BACKTEST, as_of=42)):
            assert (sources(told), told.artifact_fingerprint) == ([(ARTIFACT, 42)], given.dataset_fingerprint)
        manifest = await rig.inventory.artifact(given.dataset_fingerprint)
        assert manifest is not None
        assert damages(rig.inventory.archive, manifest) == []
        assert (await rig.fetch(0, 42, BACKTEST, fingerprint=given.artifact_fingerprint)).rows == 42


async def test_stored_rows_of_several_months_leave_month_by_month_and_are_what_was_stored(rig: ExchangeRig) -> None:
    first_ns = int(datetime(2025, 10, 31, 23, tzinfo=UTC).timestamp()) * 10**9
    stored = minutes_from(first_ns, 120)
    span = Span(first_ns, first_ns + 120 * MINUTE_NS)
    await rig.storage.write(rig.preset.dataset, stored, span, Provenance("test"))
    ask = FetchQuery(rig.preset.name, Range(span.start_ns, span.end_ns), LIVE)
    *parts, last = [reply async for reply in rig.fetcher.fetch(ask)]
    assert len(parts) == 2
    assert last.metadata.rows == 120
    assert last.metadata.dataset_fingerprint == rig.inventory.digest_of(
        rig.preset, leaves(str(rig.preset.dataset), stored)
    )
    tables = [pa.ipc.open_stream(part.arrow_ipc).read_all() for part in parts]
    assert [len(table) for table in tables] == [60, 60]
    assert pa.concat_tables(tables)["close"].to_pylist() == stored.close.tolist()


async def test_what_a_dry_run_is_given_of_several_months_is_sealed_as_it_leaves(rig: ExchangeRig) -> None:
    first_ns = int(datetime(2025, 10, 31, 23, tzinfo=UTC).timestamp()) * 10**9
    stored = minutes_from(first_ns, 120)
    span = Span(first_ns, first_ns + 120 * MINUTE_NS)
    await rig.storage.write(rig.preset.dataset, stored, span, Provenance("test"))
    ask = FetchQuery(rig.preset.name, Range(span.start_ns, span.end_ns), DRYRUN, as_of_ns=span.end_ns - 10 * MINUTE_NS)
    replies = rig.fetcher.fetch(ask)
    await anext(replies)
    await replies.aclose()  # who leaves in the middle has sealed nothing
    assert len(await sealed_by(rig)) == 1
    *parts, last = [reply async for reply in rig.fetcher.fetch(ask)]
    assert [pa.ipc.open_stream(part.arrow_ipc).read_all().num_rows for part in parts] == [60, 50]
    given = stored.take(slice(0, 110))
    digest = rig.inventory.digest_of(rig.preset, leaves(str(rig.preset.dataset), given))
    assert last.metadata.artifact_fingerprint == last.metadata.dataset_fingerprint == digest
    manifest = await rig.inventory.artifact(digest)
    assert manifest is not None
    assert (manifest.rows, manifest.coverage) == (110, (Span(first_ns, first_ns + 110 * MINUTE_NS),))
    assert damages(rig.inventory.archive, manifest) == []
    by_name = FetchQuery(rig.preset.name, Range(None, None), BACKTEST, fingerprint=digest)
    again = (await last_of(rig.fetcher.fetch(by_name))).metadata
    assert (sources(again), again.dataset_fingerprint) == ([(ARTIFACT, 110)], digest)
    damaged = rig.inventory.archive.leaf_path(manifest.dataset, manifest.leaves[0])
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(DataLoss, match="E_STORED_FILE"):  # a kept file is not trusted by its name
        await last_of(rig.fetcher.fetch(replace(ask, as_of_ns=span.end_ns)))


@pytest.mark.parametrize("domain", [BACKTEST, DRYRUN, LIVE, SHADOW])
async def test_each_as_of_has_the_version_of_its_time_under_one_name(rig: ExchangeRig, domain: ExecutionDomain) -> None:
    """Versions: 40 bars, then 60 of which two were corrected, then the same 60 with another correction."""
    first = (await rig.fetch(0, 1)).artifact_fingerprint
    second = await rig.fill(0, 60)
    more = await rig.storage.read(rig.preset.dataset, Span(at(20), at(21)))
    await rig.storage.write(rig.preset.dataset, corrected(more, 2.0), Span(at(20), at(21)), Provenance("later"))
    third = await rig.fill(0, 60)
    manifests = [await rig.inventory.artifact(key) for key in (first, second, third)]
    as_ofs = [one.as_of_ns for one in manifests if one is not None]
    assert as_ofs == [at(40), at(60), at(60) + 1_000]
    asked = [at(39), as_ofs[0], as_ofs[1] - 1, as_ofs[1], as_ofs[1] + 999, as_ofs[2], at(90)]
    replies: list[dataservicepb.FetchMetadata] = []
    for as_of_ns in asked:
        ask = FetchQuery(rig.preset.name, Range(at(0), at(35)), domain, as_of_ns=as_of_ns)
        if domain is BACKTEST and as_of_ns < as_ofs[0]:
            with pytest.raises(NotReady, match="nothing was sealed at or before that as_of"):
                await last_of(rig.fetcher.fetch(ask))
            continue
        replies.append((await last_of(rig.fetcher.fetch(ask))).metadata)
    ranges = [
        await rig.inventory.range_digest(one, Span(at(0), at(35)), rig.preset) for one in manifests if one is not None
    ]
    assert len(set(ranges)) == 3
    versions = [0, 0, 1, 1, 2, 2] if domain in (BACKTEST, DRYRUN) else [2] * 7
    if domain is DRYRUN:  # before the first version it has what is stored, and of no version anything
        assert sources(replies.pop(0)) == [(STORAGE, 35)]
    assert [one.dataset_fingerprint for one in replies] == [ranges[version] for version in versions]


def minutes_from(first_ns: int, count: int) -> Bars:
    times = first_ns + MINUTE_NS * np.arange(count, dtype=np.int64)
    values = [np.linspace(low, low + 1.0, count) for low in (100.0, 101.0, 99.0, 100.0, 5.0)]
    return of_values(times, values, np.zeros(count, np.uint8))


async def last_of(replies: AsyncIterator[dataservicepb.FetchResponse]) -> dataservicepb.FetchResponse:
    return [reply async for reply in replies][-1]


async def sealed_by(rig: ExchangeRig) -> list[str]:
    """Everything sealed of the dataset."""
    found = await rig.inventory.artifacts(rig.preset, Page(100, None))
    return [one.fingerprint for one in found]

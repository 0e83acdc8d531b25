"""What a fetch does about missing bars, by its mode and the preset's service level."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from controlbus.bus import Bus, connected
from qmtl.calendars.spans import Span
from qmtl.core.errors import DataLoss, DeadlineExceeded, InvalidRequest, NotReady
from qmtl.core.modes import ExecutionDomain
from qmtl.data.v1 import coverage_pb2 as coveragepb
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.exchanges.budgets import Purpose
from qmtl.sql.database import Database
from seamless.domain.sla import BASELINE, HOLD, TOLERANT_PARTIAL, FetchMode
from seamless.domain.stored import Provenance, StoredCoverage
from seamless.storage.store import parts
from tests.seamless.fetch.exchange_rig import ExchangeRig, at, exchange_rig
from tests.support.waiting import eventually

LIVE = ExecutionDomain.LIVE
MET, PARTIAL = dataservicepb.SLA_OUTCOME_MET, dataservicepb.SLA_OUTCOME_PARTIAL
HELD = dataservicepb.SLA_OUTCOME_HOLD


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected(nats_url, service="seamless") as ready:
        yield ready


@pytest.fixture
async def rig(bus: Bus, db: Database, tmp_path: Path) -> AsyncIterator[ExchangeRig]:
    async with exchange_rig(bus, db, tmp_path) as found:
        await found.fill(0, 50)
        yield found


async def test_fail_fast_refuses_and_partial_serves_the_same_range(rig: ExchangeRig) -> None:
    asked = len(rig.market.told.asked)
    with pytest.raises(NotReady, match=r"E_COVERAGE_SHORT: .* 0.5000 of the bars are there, want 0.98"):
        await rig.fetch(0, 100, LIVE, mode=FetchMode.FAIL_FAST)
    told = await rig.fetch(0, 100, LIVE, mode=FetchMode.PARTIAL)
    assert (told.rows, told.coverage_ratio) == (50, 0.5)
    assert (await rig.fetch(0, 50, LIVE, mode=FetchMode.FAIL_FAST)).rows == 50
    assert len(rig.market.told.asked) == asked, "neither asks the exchange"


async def test_auto_backfill_fetches_what_is_missing_and_says_what_it_took(rig: ExchangeRig) -> None:
    told = await rig.fetch(20, 100, LIVE, mode=FetchMode.AUTO_BACKFILL)
    assert (told.rows, told.coverage_ratio, told.sla, told.downgrade) == (80, 1.0, MET, 0)
    assert [(one.phase, one.budget.seconds) for one in told.phases] == [
        (dataservicepb.SLA_PHASE_STORAGE, 10),
        (dataservicepb.SLA_PHASE_BACKFILL, 45),
    ]
    assert all(one.spent.ToNanoseconds() > 0 for one in told.phases)
    asked = len(rig.market.told.asked)
    again = await rig.fetch(20, 100, LIVE, mode=FetchMode.AUTO_BACKFILL)
    assert again.dataset_fingerprint == told.dataset_fingerprint
    assert len(rig.market.told.asked) == asked, "what is there is not asked for"
    assert (await rig.fetch(0, 100)).rows == 98, "it is sealed as well, for backtests"


async def test_auto_backfill_without_a_context_seals_first(rig: ExchangeRig) -> None:
    told = await rig.fetch(0, 80, mode=FetchMode.AUTO_BACKFILL)
    assert (told.rows, {span.source for span in told.spans}) == (80, {coveragepb.SPAN_SOURCE_ARTIFACT})
    with pytest.raises(InvalidRequest, match=r"E_RANGE: range.start is absent"):
        await rig.fetch(None, 100, mode=FetchMode.AUTO_BACKFILL)


async def test_nothing_is_there_before_an_auto_backfill(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with exchange_rig(bus, db, tmp_path) as rig:
        for domain in (None, LIVE):
            with pytest.raises(NotReady, match="E_ARTIFACT_MISSING"):
                await rig.fetch(0, 100, domain)
        assert (await rig.fetch(0, 100, LIVE, mode=FetchMode.AUTO_BACKFILL)).rows == 100


async def test_seamless_serves_what_is_there_and_fetches_the_rest_meanwhile(rig: ExchangeRig) -> None:
    running = asyncio.create_task(rig.filler.run())
    first = await rig.fetch(0, 100, LIVE, mode=FetchMode.SEAMLESS)
    assert (first.rows, first.backfilling, first.coverage_ratio) == (50, True, 0.5)

    async def filled() -> bool:
        told = await rig.fetch(0, 100, LIVE, mode=FetchMode.SEAMLESS)
        return told.rows == 100 and not told.backfilling

    await eventually(filled, 20.0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(("sla", "outcome"), [(TOLERANT_PARTIAL, PARTIAL), (HOLD, HELD), (BASELINE, None)])
async def test_a_backfill_over_its_budget_is_served_held_or_refused(
    bus: Bus, db: Database, tmp_path: Path, sla: object, outcome: int | None
) -> None:
    assert isinstance(sla, type(BASELINE))
    async with exchange_rig(bus, db, tmp_path, replace(sla, backfill_s=0.0)) as rig:
        await rig.fill(0, 50)
        await rig.fill(99, 100)
        if outcome is None:
            with pytest.raises(DeadlineExceeded, match=r"E_SLA_BREACH: the backfill phase") as caught:
                await rig.fetch(0, 100, LIVE, mode=FetchMode.AUTO_BACKFILL)
            assert caught.value.metadata == {"phase": "backfill"}
        else:
            told = await rig.fetch(0, 100, LIVE, mode=FetchMode.AUTO_BACKFILL)
            assert (told.sla, told.sla_phase) == (outcome, dataservicepb.SLA_PHASE_BACKFILL)
            assert told.sla_preset == sla.name
        breaches = rig.metrics.breaches.labels("backfill").collect()
        assert breaches


async def test_the_whole_budget_bounds_every_phase(bus: Bus, db: Database, tmp_path: Path) -> None:
    async with exchange_rig(bus, db, tmp_path, replace(BASELINE, total_s=0.0)) as rig:
        with pytest.raises(DeadlineExceeded, match=r"E_SLA_BREACH: the total phase") as caught:
            await rig.fetch(0, 100, LIVE)
        assert caught.value.metadata == {"phase": "total"}


async def test_lag_counts_from_the_earliest_bar_that_is_due_and_missing(rig: ExchangeRig) -> None:
    await rig.fill(0, 100)
    assert (await rig.fetch(0, None, LIVE)).sla == MET
    rig.clock.advance(30.0 + 45.0)  # bar 100 closed 45 s ago
    assert (await rig.fetch(0, None, LIVE)).downgrade == 0
    rig.clock.advance(1.0)
    late = await rig.fetch(0, None, LIVE)
    assert (late.sla, late.sla_phase) == (HELD, dataservicepb.SLA_PHASE_LIVE)
    assert late.downgrade == dataservicepb.FETCH_DOWNGRADE_LAG_ABOVE_LIMIT


async def test_what_an_exchange_says_never_was_counts_as_resolved(rig: ExchangeRig) -> None:
    rig.market.tape.hole(at(60) // 1_000_000, at(70) // 1_000_000)
    told = await rig.fetch(0, 100, LIVE, mode=FetchMode.AUTO_BACKFILL)
    assert [(gap.kind, gap.bars) for gap in told.gaps] == [(coveragepb.GAP_KIND_VERIFIED_EMPTY, 10)]
    assert (told.coverage_ratio, told.resolved_ratio, told.sla) == (0.9, 1.0, PARTIAL)


async def test_an_open_end_is_filled_to_the_newest_closed_bar(rig: ExchangeRig) -> None:
    assert (await rig.fetch(0, None, LIVE)).rows == 50
    told = await rig.fetch(0, None, LIVE, mode=FetchMode.AUTO_BACKFILL)
    assert (told.rows, told.delivered.end.ToNanoseconds()) == (100, at(100))
    asked = len(rig.market.told.asked)
    assert (await rig.fetch(0, None, LIVE, mode=FetchMode.AUTO_BACKFILL)).rows == 100
    assert len(rig.market.told.asked) == asked, "what is there is not asked for"


async def test_a_range_that_nobody_fetches_is_not_said_to_be_fetched(rig: ExchangeRig) -> None:
    running = asyncio.create_task(rig.filler.run())
    assert (await rig.fetch(50, 60, LIVE, mode=FetchMode.SEAMLESS)).backfilling
    assert not (await rig.fetch(50, 100, LIVE, mode=FetchMode.SEAMLESS)).backfilling, "only 50 to 60 are"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_rows_are_those_of_the_plan_whatever_is_stored_meanwhile(rig: ExchangeRig, db: Database) -> None:
    await rig.fill(70, 80)
    before = await rig.storage.coverage(rig.preset.dataset)
    source, _ = rig.filling.require(rig.preset)
    more = await source.fetch(Span(at(50), at(70)), Purpose.HISTORY)
    await rig.storage.write(rig.preset.dataset, more.bars, more.span, Provenance("binance"))

    async def earlier(dataset: object) -> StoredCoverage:
        return before

    rig.storage.coverage = earlier  # type: ignore[method-assign] # the bars come after the plan was made
    told = await rig.fetch(0, 80, LIVE, mode=FetchMode.PARTIAL)
    assert (told.rows, told.coverage_ratio, sum(gap.bars for gap in told.gaps)) == (60, 0.75, 20)
    await db.write(lambda conn: conn.execute(sa.delete(parts)))
    with pytest.raises(DataLoss, match=r"E_STORED_FILE: .* has 0 rows where 60 are known"):
        await rig.fetch(0, 80, LIVE, mode=FetchMode.PARTIAL)

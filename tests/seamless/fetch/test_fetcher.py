"""A fetch that takes longer than its budget says which phase ran out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from qmtl.calendars.spans import Span
from qmtl.config.settings import MeshSettings
from qmtl.core.clock import SystemClock
from qmtl.core.errors import DeadlineExceeded, NotReady
from qmtl.sql.database import Database
from seamless.backfill.filling import Filling
from seamless.config import Settings
from seamless.domain.fetch_plan import FetchQuery
from seamless.domain.fingerprints import leaves, month_span
from seamless.domain.ranges import Range
from seamless.domain.sla import BASELINE, HOLD, TOLERANT_PARTIAL
from seamless.fetch.fetcher import Fetcher
from seamless.fetch.filler import Filler
from seamless.live.sessions import LiveSessions
from seamless.metrics import SeamlessMetrics
from seamless.presets.preset import Presets
from seamless.replay.sessions import ReplaySessions
from seamless.storage.storage import Storage
from tests.seamless.asking import DEMO
from tests.seamless.serving import Seamless


def fetcher_of(seamless: Seamless, db: Database, folder: Path, budget_s: float) -> Fetcher:
    clock, metrics, storage = SystemClock(), SeamlessMetrics(CollectorRegistry()), Storage(folder, db)
    settings = Settings(mesh=MeshSettings(home=folder))
    sessions = ReplaySessions(seamless.inventory, db, clock, settings, metrics)
    live = LiveSessions({}, seamless.inventory, db, clock)
    filler = Filler(Filling({}, None, storage, seamless.inventory))
    return Fetcher(seamless.inventory, storage, sessions, live, filler, clock, budget_s, metrics)


async def test_a_storage_phase_over_its_budget_is_named(seamless: Seamless, db: Database, tmp_path: Path) -> None:
    fetcher = fetcher_of(seamless, db, tmp_path, 1e-9)
    query = FetchQuery(DEMO, Range(None, None), None)
    with pytest.raises(DeadlineExceeded) as caught:
        [reply async for reply in fetcher.fetch(query)]
    assert (caught.value.reason, caught.value.metadata["phase"]) == ("E_SLA_BREACH", "storage")


async def test_less_than_the_demanded_coverage_is_refused_unless_the_preset_serves_parts(
    seamless: Seamless, db: Database, tmp_path: Path
) -> None:
    serving = seamless.inventory.presets.serving(DEMO)
    query = FetchQuery(DEMO, Range(None, None), None)
    for level, demanded, refused in (
        (BASELINE, 0.99, True),
        (BASELINE, 0.9, False),
        (TOLERANT_PARTIAL, 0.99, False),
        (HOLD, 0.99, False),
    ):
        seamless.inventory.presets = Presets((replace(serving, sla=replace(level, min_coverage=demanded)),))
        fetcher = fetcher_of(seamless, db, tmp_path, 10.0)
        if refused:
            with pytest.raises(NotReady, match=r"E_COVERAGE_SHORT: demo.btc.15m: 0.9728 of the bars are there"):
                [reply async for reply in fetcher.fetch(query)]
        else:
            assert [reply async for reply in fetcher.fetch(query)][-1].metadata.rows == 8684


async def test_the_fingerprint_of_a_range_is_that_of_its_rows_wherever_it_is_cut(seamless: Seamless) -> None:
    preset, inventory = seamless.inventory.presets.serving(DEMO), seamless.inventory
    manifest = await inventory.seen_at(preset, None)
    assert len(manifest.leaves) > 2
    first, second, *_, last = (month_span(leaf.month) for leaf in manifest.leaves)
    hour = 3_600_000_000_000
    for span in (
        Span(first.start_ns, first.end_ns),
        Span(manifest.span.start_ns, second.end_ns),
        Span(second.start_ns + hour, last.start_ns),
        Span(second.start_ns + hour, second.start_ns + 2 * hour),
        Span(second.end_ns - hour, last.start_ns + hour),
    ):
        rows = inventory.archive.bars(manifest, span)
        assert await inventory.range_digest(manifest, span, preset) == inventory.digest_of(
            preset, leaves(str(preset.dataset), rows)
        )

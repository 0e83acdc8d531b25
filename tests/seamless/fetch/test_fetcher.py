"""A fetch that takes longer than its budget says which phase ran out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from qmtl.config.settings import MeshSettings
from qmtl.core.clock import SystemClock
from qmtl.core.errors import DeadlineExceeded, NotReady
from qmtl.sql.database import Database
from seamless.config import Settings
from seamless.domain.fetch_plan import FetchQuery
from seamless.domain.ranges import Range
from seamless.fetch.fetcher import Fetcher
from seamless.metrics import SeamlessMetrics
from seamless.presets.preset import Presets
from seamless.replay.sessions import ReplaySessions
from tests.seamless.asking import DEMO
from tests.seamless.serving import Seamless


async def test_a_storage_phase_over_its_budget_is_named(seamless: Seamless, db: Database, tmp_path: Path) -> None:
    clock, metrics = SystemClock(), SeamlessMetrics(CollectorRegistry())
    sessions = ReplaySessions(seamless.inventory, db, clock, Settings(mesh=MeshSettings(home=tmp_path)), metrics)
    fetcher = Fetcher(seamless.inventory, sessions, clock, 1e-9, metrics)
    query = FetchQuery(DEMO, Range(None, None), None, None, "", "")
    with pytest.raises(DeadlineExceeded) as caught:
        [reply async for reply in fetcher.fetch(query)]
    assert (caught.value.reason, caught.value.metadata["phase"]) == ("E_SLA_BREACH", "storage")


async def test_less_than_the_demanded_coverage_is_refused_unless_the_preset_serves_parts(
    seamless: Seamless, db: Database, tmp_path: Path
) -> None:
    serving = seamless.inventory.presets.serving(DEMO)
    query = FetchQuery(DEMO, Range(None, None), None, None, "", "")
    metrics = SeamlessMetrics(CollectorRegistry())
    for partial, demanded, refused in ((False, 0.99, True), (False, 0.9, False), (True, 0.99, False)):
        seamless.inventory.presets = Presets((replace(serving, partial=partial, min_coverage=demanded),))
        sessions = ReplaySessions(
            seamless.inventory, db, SystemClock(), Settings(mesh=MeshSettings(home=tmp_path)), metrics
        )
        fetcher = Fetcher(seamless.inventory, sessions, SystemClock(), 10.0, metrics)
        if refused:
            with pytest.raises(NotReady, match=r"E_COVERAGE_SHORT: demo.btc.15m: 0.9728 of the bars are there"):
                [reply async for reply in fetcher.fetch(query)]
        else:
            assert [reply async for reply in fetcher.fetch(query)][-1].metadata.rows == 8684

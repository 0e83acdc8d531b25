"""A fetch that takes longer than its budget says which phase ran out."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from qmtl.config.settings import MeshSettings
from qmtl.core.clock import SystemClock
from qmtl.core.errors import DeadlineExceeded
from qmtl.sql.database import Database
from seamless.config import Settings
from seamless.domain.fetch_plan import FetchQuery
from seamless.domain.ranges import Range
from seamless.fetch.fetcher import Fetcher
from seamless.metrics import SeamlessMetrics
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

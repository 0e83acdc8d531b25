"""Writes that lose a race run again, a bounded number of times."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from dagmanager.diffs.races import TRIES, RacingWrites
from dagmanager.metrics import GraphMetrics
from dagmanager.plans.store import Raced
from qmtl.core.errors import Unavailable
from tests.dagmanager.graph_store import GraphStore


@pytest.mark.parametrize("losses", [0, 1, TRIES - 1, TRIES])
async def test_a_write_that_loses_ten_races_is_unavailable(graph_store: GraphStore, losses: int) -> None:
    metrics = GraphMetrics(CollectorRegistry())
    left = losses

    def work(conn: Connection) -> str:
        nonlocal left
        if left:
            left -= 1
            raise Raced
        return "written"

    writes = RacingWrites(graph_store.db, metrics)
    if losses < TRIES:
        assert await writes.run(work) == "written"
    else:
        with pytest.raises(Unavailable, match="E_GRAPH_BUSY") as caught:
            await writes.run(work)
        assert caught.value.retry_after_s == 0.5
    (counted,) = metrics.races.collect()
    assert counted.samples[0].value == losses

"""Sentinels go with their plans, written to a file first; versions in use and their count stay."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controlbus.bus import Bus, connected
from dagmanager.artifacts import files
from dagmanager.garbage import retired_plans
from dagmanager.plans import release
from dagmanager.queues.events import Cause
from dagmanager.sentinels import store as sentinels_store
from dagmanager.sentinels import weights
from dagmanager.sentinels.domain import Sentinel
from dagmanager.tables import artifacts, sentinels
from tests.dagmanager.garbage.collection import CollectorHarness, after
from tests.dagmanager.graph_store import GraphStore
from tests.dagmanager.graphs import NOW, chain

LONG = {"days": 210}


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with connected(nats_url, service="t") as bus:
        yield bus


@pytest.fixture
def harness(graph_store: GraphStore, bus: Bus, tmp_path: Path) -> CollectorHarness:
    return CollectorHarness(graph_store, bus, tmp_path)


async def released(graph_store: GraphStore, version: int) -> None:
    await graph_store.write(lambda conn: release.release_plan(conn, "s1", version, "w1", Cause(NOW)))


async def left(graph_store: GraphStore) -> list[str]:
    found: list[Sentinel] = await graph_store.write(lambda conn: sentinels_store.lock_sentinels(conn, "s1"))
    return [each.sentinel_id for each in found]


async def test_a_sentinel_is_archived_with_its_plan_after_210_days(harness: CollectorHarness) -> None:
    for length in (2, 3):
        await harness.graph_store.diff(chain(length))
    await released(harness.graph_store, 1)
    assert await harness.collector.retire_plans(after(days=209, hours=23)) == 0
    assert await harness.collector.retire_plans(after(**LONG)) == 1
    assert await left(harness.graph_store) == ["s1@2"]
    assert await harness.graph_store.count(artifacts) == 1
    (said,) = written(Path(harness.root))
    assert (said["sentinel"]["sentinelId"], said["plan"]["version"]) == ("s1@1", 1)
    assert len(said["plan"]["dag"]["nodes"]) == 2
    told = (await harness.graph_store.events())[-1].sentinel_weight_updated
    assert [each.version for each in told.sentinels] == [2]
    assert (await harness.graph_store.diff(chain(4))).summary.version == 3


def written(root: Path) -> list[Any]:
    return [json.loads(path.read_text()) for path in sorted((root / "plans").glob("*.json"))]


async def test_a_sentinel_that_cannot_be_written_stays(graph_store: GraphStore, bus: Bus) -> None:
    harness = CollectorHarness(graph_store, bus, "/dev/null/graph")
    await graph_store.diff(chain(2))
    await released(graph_store, 1)
    assert await harness.collector.retire_plans(after(**LONG)) == 0
    assert await left(graph_store) == ["s1@1"]


async def test_a_sentinel_taken_up_or_changed_meanwhile_stays(harness: CollectorHarness) -> None:
    await harness.graph_store.diff(chain(2))
    await released(harness.graph_store, 1)
    cause = after(**LONG)
    ((sentinel, body),) = await harness.graph_store.db.read(lambda conn: retired_plans.due(conn, cause.now, 10))
    artifact = files.write_bytes(f"{harness.root}/a", body)
    await harness.graph_store.write(lambda conn: weights.set_weight(conn, "s1@1", 0.5, "", cause))
    assert not await harness.graph_store.write(lambda conn: retired_plans.forget(conn, sentinel, artifact, cause))
    ((sentinel, _),) = await harness.graph_store.db.read(lambda conn: retired_plans.due(conn, cause.now, 10))
    await harness.graph_store.diff(chain(2), now=cause.now)
    assert not await harness.graph_store.write(lambda conn: retired_plans.forget(conn, sentinel, artifact, cause))
    assert await harness.graph_store.count(sentinels) == 1


async def test_a_plan_submitted_again_gets_a_new_sentinel(harness: CollectorHarness) -> None:
    await harness.graph_store.diff(chain(2))
    await released(harness.graph_store, 1)
    assert await harness.collector.retire_plans(after(**LONG)) == 1
    again = await harness.graph_store.diff(chain(2), now=NOW + timedelta(days=211))
    assert (again.summary.version, again.summary.sentinel_id) == (1, "s1@1")
    assert await left(harness.graph_store) == ["s1@1"]

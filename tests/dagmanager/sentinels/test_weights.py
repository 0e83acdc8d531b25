"""Shares of the traffic change once, are published once, and are rolled back by one call."""

from __future__ import annotations

from dagmanager.sentinels import weights as sentinels_weights
from qmtl.core.traffic import version_of
from tests.dagmanager.graph_store import CAUSE, GraphStore
from tests.dagmanager.graphs import chain


async def test_a_weight_is_published_on_change_only(graph_store: GraphStore) -> None:
    await graph_store.diff(chain(1))
    await graph_store.diff(chain(2))
    for weight in (0.25, 0.25, 0.0):
        await graph_store.write(lambda conn, to=weight: sentinels_weights.set_weight(conn, "s1@2", to, "", CAUSE))  # type: ignore[misc]  # default binds the loop's value
    events = [event.sentinel_weight_updated for event in await graph_store.events()]
    assert [[each.traffic_weight for each in event.sentinels] for event in events] == [
        ["1"], ["1", "1"], ["1", "0.25"], ["1", "0"]
    ]  # fmt: skip
    assert [event.revision for event in await graph_store.events()] == [1, 2, 3, 4]


async def test_a_canary_is_rolled_back_by_one_call(graph_store: GraphStore) -> None:
    await graph_store.diff(chain(1))
    await graph_store.diff(chain(2), weight=0.5)
    symbols = [f"SYM{index}" for index in range(200)]

    async def owners() -> set[int | None]:
        event = (await graph_store.events())[-1].sentinel_weight_updated
        weights = {each.version: float(each.traffic_weight) for each in event.sentinels}
        return {version_of("s1", symbol, weights) for symbol in symbols}

    assert await owners() == {1, 2}
    await graph_store.write(lambda conn: sentinels_weights.set_weight(conn, "s1@2", 0.0, "", CAUSE))
    assert await owners() == {1}

"""Bars made up for checking a graph: one random walk for each of its sources, and what the graph makes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import NS_PER_S
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.outputs import flat_outputs
from qmtl.sdk.graph.dag import Dag
from qmtl.sdk.graph.vertices import StreamInput, TagQuery

START_NS = 1_704_067_200 * NS_PER_S
"""2024-01-01, a Monday."""
DEVIATION = 0.01  # of a bar's logarithmic return
BEYOND_WARMUP = 300


def sample_bars(dag: Dag, *, beyond: int = BEYOND_WARMUP, seed: int = 0) -> tuple[Bars, ...]:
    """`beyond` bars more than the graph needs to warm up, of each source. Prices begin at 100, volume is about 1,000.

    Raises InvalidRequest (E_LOOK_AHEAD_DATA) for a graph that reads queues: they are found only when it runs.
    """
    queries = [vertex.name for vertex in dag.nodes if isinstance(vertex, TagQuery)]
    if queries:
        raise InvalidRequest("E_LOOK_AHEAD_DATA", f"{', '.join(queries)} reads queues, want sources of bars only")
    sources = {(one.symbol, one.interval_s) for one in dag.nodes if isinstance(one, StreamInput)}
    count = dag.warmup_bars + beyond
    return tuple(_walk(symbol, interval_s, count, [seed, i]) for i, (symbol, interval_s) in enumerate(sorted(sources)))


def _walk(symbol: str, interval_s: int, count: int, seed: Iterable[int]) -> Bars:
    random = np.random.default_rng(list(seed))
    close = np.round(100.0 * np.exp(np.cumsum(random.normal(0.0, DEVIATION, count))), 4)
    opened = np.concatenate([[100.0], close[:-1]])
    reach = random.uniform(0.0, DEVIATION, (2, count))
    high = np.round(np.maximum(opened, close) * (1.0 + reach[0]), 4)
    low = np.round(np.minimum(opened, close) * (1.0 - reach[1]), 4)
    volume = np.round(random.lognormal(np.log(1_000.0), 0.3, count), 3)
    times = START_NS + interval_s * NS_PER_S * np.arange(count, dtype=np.int64)
    return Bars(symbol, interval_s, times, np.column_stack([opened, high, low, close, volume]))


def digests(dag: Dag, bars: Iterable[Bars]) -> dict[str, str]:
    """SHA-256 of each node's times and values over bars, by the node's name. Raises what the nodes raise."""
    outputs = flat_outputs(dag, tuple(bars))
    found: dict[str, str] = {}
    for vertex in dag.nodes:
        series = outputs[vertex]
        found[dag.names[vertex.node_id]] = hashlib.sha256(series.time_ns.tobytes() + series.rows.tobytes()).hexdigest()
    return found

"""Bars made up for a graph: every source, long enough, possible, the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import StreamInput, TagQuery
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.graph.dag import build_dag
from qmtl.sdk.repeatability.sample import digests, sample_bars


def test_every_source_has_bars_beyond_the_warm_up() -> None:
    roots = [ta.sma(StreamInput("BTC-USD", "1h"), 50), ta.sma(StreamInput("ETH-USD", "15m"), 20)]
    dag = build_dag(roots)
    bars = sample_bars(dag, beyond=30)
    assert [(one.symbol, one.interval_s, len(one)) for one in bars] == [("BTC-USD", 3600, 80), ("ETH-USD", 900, 80)]
    assert len(batch_outputs(dag, bars)[roots[0]].rows) == 31
    assert not np.array_equal(bars[0].values, bars[1].values)


def test_samples_repeat_and_seeds_differ() -> None:
    dag = build_dag([ta.ema(StreamInput("BTC-USD", "1h"), 5)])
    once, again, other = sample_bars(dag), sample_bars(dag), sample_bars(dag, seed=1)
    assert once[0].values.tobytes() == again[0].values.tobytes() != other[0].values.tobytes()
    assert digests(dag, once) == digests(dag, again)
    assert digests(dag, once).keys() == digests(dag, other).keys()
    assert digests(dag, once) != digests(dag, other)


def test_a_graph_that_reads_queues_has_no_sample() -> None:
    with pytest.raises(InvalidRequest, match="query_a reads queues") as caught:
        sample_bars(build_dag([TagQuery(["a"], "1h")]))
    assert caught.value.reason == "E_LOOK_AHEAD_DATA"

"""Features of a replay, counted by the deciles of what was known at the session's start."""

from __future__ import annotations

import numpy as np
import pytest

from qmtl.core.errors import NotReady
from qmtl.sdk import Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.mesh.divergence import feature_counts
from qmtl.sdk.strategy.assembly import assemble
from qmtl.stats.drift import population_shift


class Published(Strategy):
    name = "published"

    def setup(self) -> None:
        price = StreamInput("BTC-USD", interval="15m")
        fast, slow = ta.ema(price, 2), ta.ema(price, 4)
        self.publish("gap", fast - slow)
        self.trade(signals.position_target(signals.trend(fast, slow), long=0.5, short=0.0), price)


def test_features_are_counted_before_and_in_a_session() -> None:
    assembled = assemble(Published())
    bars = Bars.sample("demo.btc.15m")
    first = bars.between(None, int(bars.open_ns[400]))
    outputs = batch_outputs(assembled.dag, [first])
    series = outputs[assembled.published[0].node]
    start_ns = int(series.time_ns[299])
    (told,) = feature_counts(assembled.published, outputs, start_ns)
    assert told.node == "gap"
    assert (sum(told.reference_counts), sum(told.live_counts)) == (300, len(series) - 300)
    assert list(told.reference_counts) == [30] * 10
    edges = np.quantile(series.rows[:300, 0], np.arange(1, 10) / 10)
    assert told.live_counts[9] == int((series.rows[300:, 0] > edges[8]).sum())
    assert population_shift(list(told.reference_counts), list(told.reference_counts)) == 0.0
    with pytest.raises(NotReady, match=r"E_WARMUP: feature gap has 9 values before the session"):
        feature_counts(assembled.published, outputs, int(series.time_ns[8]))

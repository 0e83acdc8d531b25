"""Features of a replay, counted by the deciles of what was known at the session's start."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, NotReady
from qmtl.sdk import Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.bars import Bars
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.mesh.divergence import TradedRun, feature_counts
from qmtl.sdk.strategy.assembly import assemble
from qmtl.stats.drift import population_shift
from qmtl.wire.instants import instant_to_proto


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


def test_days_are_counted_from_the_end_and_never_begin_before_the_session() -> None:
    began, end = datetime(2026, 11, 2, 5, tzinfo=UTC), datetime(2026, 11, 20, 5, tzinfo=UTC)
    listed = commonpb.TimeRange(start=instant_to_proto(began), end=instant_to_proto(end))
    run = TradedRun("w1", "s")
    assert run.start_of(listed) is None
    assert replace(run, days=3).start_of(listed) == datetime(2026, 11, 17, 5, tzinfo=UTC)
    assert replace(run, days=19).start_of(listed) == began
    assert replace(run, since=end).start_of(listed) == end
    for wrong in (replace(run, days=0), replace(run, days=3, since=began)):
        with pytest.raises(InvalidRequest, match="E_FIELD: days"):
            wrong.start_of(listed)

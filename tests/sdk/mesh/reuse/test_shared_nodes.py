"""Shared nodes over queues: computed once, equal to the last bit, taken over from a dead runner, never in the way."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from qmtl.core.clock import SystemClock
from qmtl.core.errors import InvalidRequest, PermissionDenied
from qmtl.core.instants import from_ns
from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.sdk import CacheView, Node, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.mesh.history import History
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.reuse.shared_nodes import SharedNodes
from qmtl.sdk.mesh.submission.result import SubmitResult
from qmtl.sdk.mesh.submission.submit import Submitter
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.market import walk
from tests.sdk.mesh.fakes import FakeMesh
from tests.sdk.mesh.samples import ipc

BARS = walk(5000, seed=33)


class Cross(Strategy):
    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        self.trade(signals.position_target(signals.trend(ta.ema(price, 5), ta.ema(price, 20)), long=0.5), price)


class Slope(Strategy):
    """Shares one average with the other."""

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        slow = ta.ema(price, 20)
        direction = signals.trend(slow, ta.sma(slow, 30))
        self.trade(signals.position_target(direction, long=0.5), price)


async def submit(mesh: FakeMesh, strategy: Strategy, history: History | None = None) -> SubmitResult:
    submitter = Submitter(RetryingClient.open(mesh.client, 5.0, SystemClock()), "w")
    return await submitter.submit(assemble(strategy), None, history or History(), None)


async def test_what_one_strategy_computed_the_next_one_reads() -> None:
    mesh = FakeMesh(BARS, 4000)
    first = await submit(mesh, Cross())
    assert (first.reused.read, sorted(first.reused.computed)) == ([], ["ema_20", "ema_5"])
    second = await submit(mesh, Slope())
    assert (second.reused.read, second.reused.computed) == (["ema_20"], ["sma_30"])
    assert second.reused.nodes_reused_total == 1
    assert "1 reused (read from queues: ema_20; computed here: sma_30)" in str(second)
    assert json.loads(second.to_json())["nodes_reused_total"] == 1
    alone = replay(assemble(Slope()), second.bars)
    assert second.replay.equity == alone.equity
    assert second.replay.fills == alone.fills
    assert second.metrics == alone.metrics


async def test_a_runner_that_died_is_followed_from_the_state_it_left() -> None:
    whole, mesh = FakeMesh(BARS, 4000), FakeMesh(BARS, 4000)
    calm = await submit(whole, Cross())
    for key, batches in whole.queues.items():
        mesh.queues[key] = batches[:1]
        mesh.leases[key] = "another", 1
    after = await submit(mesh, Cross())
    assert sorted(after.reused.continued) == ["ema_20", "ema_5"]
    assert after.replay.equity == calm.replay.equity
    for key, batches in whole.queues.items():
        assert [b.arrow_ipc for b in mesh.queues[key]] == [b.arrow_ipc for b in batches]
        assert [b.writer_epoch for b in mesh.queues[key]] == [1, *[2] * (len(batches) - 1)]


async def test_longer_history_goes_on_where_the_queue_ends() -> None:
    mesh = FakeMesh(BARS, 4000)
    await submit(mesh, Cross(), History(end=from_ns(int(BARS.open_ns[3000]))))
    longer = await submit(mesh, Cross())
    assert sorted(longer.reused.continued) == ["ema_20", "ema_5"]
    assert longer.replay.equity == replay(assemble(Cross()), longer.bars).equity


async def test_records_of_other_inputs_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    mesh = FakeMesh(BARS, 4000)
    await submit(mesh, Cross())
    for batches in mesh.queues.values():
        batches[0].input_window_hash = "blake3:other"
    before = {
        key: [recordspb.RecordBatch.FromString(b.SerializeToString()) for b in q] for key, q in mesh.queues.items()
    }
    again = await submit(mesh, Cross())
    assert again.reused.nodes_reused_total == 0
    assert again.replay.equity == replay(assemble(Cross()), again.bars).equity
    assert mesh.queues == before
    assert "E_INPUT_WINDOW" in caplog.text


async def test_a_queue_that_says_nothing_is_not_waited_for_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    mesh = FakeMesh(BARS, 4000)
    first = await submit(mesh, Cross())
    mesh.silent_queues = True
    retrying = RetryingClient.open(mesh.client, 5.0, SystemClock())
    shared = SharedNodes(retrying, first.strategy, "w", {node_id: node_id for node_id in mesh.queues}, read_wait_s=0.05)
    dag = assemble(Cross()).dag
    found = await shared.outputs(dag, first.bars)
    assert caplog.text.count("E_QUEUE_SILENT") == 2
    assert shared.counts.nodes_reused_total == 0
    for vertex in dag.nodes:
        np.testing.assert_array_equal(found[vertex].rows, batch_outputs(dag, first.bars)[vertex].rows)


async def test_a_record_of_another_context_is_counted_and_never_used(caplog: pytest.LogCaptureFixture) -> None:
    mesh = FakeMesh(BARS, 4000)
    await submit(mesh, Cross())
    for batches in mesh.queues.values():
        batches[0].compute_key = "blake3:" + "0" * 64
    again = await submit(mesh, Cross())
    assert (again.reused.foreign_records, again.reused.nodes_reused_total) == (2, 0)
    assert again.replay.equity == replay(assemble(Cross()), again.bars).equity
    sent = {metric.name: metric.value for metric in mesh.evaluations[-1].metrics}
    assert sent["cross_context_cache_hits"] == 2
    assert "E_CROSS_CONTEXT" in caplog.text


def no_arrow(batch: recordspb.RecordBatch) -> None:
    batch.arrow_ipc = b"not arrow"


def no_json(batch: recordspb.RecordBatch) -> None:
    batch.node_state = b"go"


def short_state(batch: recordspb.RecordBatch) -> None:
    batch.node_state = b"[1]"


def deep_state(batch: recordspb.RecordBatch) -> None:
    batch.node_state = b"[" * 50_000


def other_node(batch: recordspb.RecordBatch) -> None:
    batch.arrow_ipc = ipc(BARS)


def far_time(batch: recordspb.RecordBatch) -> None:
    batch.end_time.seconds = 2**62


@pytest.mark.parametrize("spoil", [no_arrow, no_json, short_state, deep_state, other_node, far_time])
async def test_a_malformed_record_is_counted_said_and_never_used(
    spoil: Callable[[recordspb.RecordBatch], None], caplog: pytest.LogCaptureFixture
) -> None:
    mesh = FakeMesh(BARS, 4000)
    await submit(mesh, Cross())
    for batches in mesh.queues.values():
        spoil(batches[0])
    again = await submit(mesh, Cross())
    assert (again.reused.malformed_records, again.reused.nodes_reused_total) == (2, 0)
    assert again.replay.equity == replay(assemble(Cross()), again.bars).equity
    assert "2 malformed records" in str(again)
    assert "E_RECORD_MALFORMED" in caplog.text


class Remembers:
    """Its answers depend on what it has seen before: no scan of its code shows it."""

    def __init__(self) -> None:
        self.peak = 0.0

    def __call__(self, view: CacheView) -> float:
        self.peak = max(self.peak, view[0].latest)
        return view[0].latest / self.peak


class Repaints(Strategy):
    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        share = Node(price, Remembers(), name="share_of_peak", code_version="1")
        self.trade(signals.position_target(signals.threshold(share, above=0.99, below=0.9), long=0.5), price)


async def test_a_node_that_does_not_repeat_itself_is_refused_at_submit_and_never_published() -> None:
    mesh = FakeMesh(BARS, 4000)
    with pytest.raises(InvalidRequest, match="share_of_peak is of other values when it is run again") as caught:
        await submit(mesh, Repaints())
    assert caught.value.reason == "E_NOT_DETERMINISTIC"
    assert not mesh.queues
    assert mesh.canceled == {"s-1": "its submission ended: InvalidRequest"}
    assert not mesh.evaluations


async def test_a_queue_that_cannot_be_used_costs_nothing_but_the_work() -> None:
    mesh = FakeMesh(BARS, 4000)
    mesh.queue_error = PermissionDenied("E_NOT_BOUND", "on purpose")
    result = await submit(mesh, Cross())
    assert sorted(result.reused.computed) == ["ema_20", "ema_5"]
    assert not mesh.queues
    assert result.replay.equity == replay(assemble(Cross()), result.bars).equity


@pytest.mark.parametrize("call", ["PublishRecords", "AcquireProducer"])
async def test_a_lost_answer_writes_nothing_twice(call: str) -> None:
    mesh = FakeMesh(BARS, 4000)
    mesh.breaks[call] = 2
    await submit(mesh, Cross())
    assert {len(batches) for batches in mesh.queues.values()} == {3}

"""A node's outputs as records of its queue, and back: what one runner computed, another goes on from.

A record covers a stretch of the node's aligned inputs and carries what the node made of it, its state after it, and a
hash over every input row up to there. A reader has the inputs too: it takes only what was made of the very same ones,
so values read equal values computed, bit for bit. Pure: nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from qmtl.core.errors import refused
from qmtl.core.identity.canonical import digest
from qmtl.core.instants import NS_PER_S
from qmtl.data.v1 import records_pb2 as recordspb
from qmtl.sdk.engine.batch import compute_series, fold_inputs
from qmtl.sdk.engine.events import joined
from qmtl.sdk.engine.folds import run_fold
from qmtl.sdk.engine.series import Series
from qmtl.sdk.graph.vertices import FoldNode, Node
from qmtl.sdk.mesh.wire.records import NodeRecord, record_from_proto, record_to_proto

ROWS_MAX = 2048


@dataclass(frozen=True, slots=True, eq=False)
class NodeProgress:
    """What a node has made of its first `done` aligned inputs; `state` is that of what has one, after them."""

    done: int
    series: Series
    state: list[float] | None
    window_hash: str


@dataclass(frozen=True, slots=True)
class QueueLease:
    """Batches of one queue under one lease."""

    compute_key: str
    epoch: int


class NodeWork:
    """One node over given inputs: computed record by record, or taken from records of the same inputs."""

    def __init__(self, vertex: FoldNode | Node, name: str, inputs: Sequence[Series]) -> None:
        self._vertex = vertex
        self._name = name
        self._events = joined(vertex, inputs)
        self._times = self._events.times

    @property
    def begin(self) -> NodeProgress:
        """Nothing done yet."""
        empty = Series(np.zeros(0, dtype=np.int64), np.zeros((0, len(self._vertex.schema.fields))))
        return NodeProgress(0, empty, None, digest(self._vertex.node_id.encode()))

    def finished(self, at: NodeProgress) -> bool:
        return at.done == len(self._times)

    def last_bucket_ns(self, at: NodeProgress) -> int | None:
        """The open of the last bucket that is done; None before the first."""
        return self._bucket(at.done - 1) if at.done else None

    def repeats(self) -> bool:
        """Whether its first inputs make the same twice, to the last bit: what remembers, counts or draws does not."""
        end = min(ROWS_MAX, len(self._times))
        made = [self._extended(self.begin, end, *self._advance(self.begin, end)) for _ in range(2)]
        one, other = [(at.series.time_ns.tobytes(), at.series.rows.tobytes(), at.state) for at in made]
        return one == other

    def take(self, at: NodeProgress, batch: recordspb.RecordBatch) -> NodeProgress | None:
        """The progress with a record added; None for one that was made of other inputs.

        Raises InvalidRequest (E_RECORD_MALFORMED) for what is no record of this node over these inputs.
        """
        record = record_from_proto(batch, self._vertex.schema.fields, self._state_size)
        end = int(np.searchsorted(self._times, record.last_ns + self._interval_ns, side="right"))
        if end <= at.done or self._hash(at, end) != record.window_hash:
            return None
        if not bool(np.isin(record.series.time_ns, self._times[at.done : end]).all()):
            raise refused("E_RECORD_MALFORMED", "arrow_ipc", "its times", "times of the inputs that it covers")
        return self._extended(at, end, record.series, record.state)

    def compute(
        self, at: NodeProgress, key: QueueLease, rows_max: int = ROWS_MAX
    ) -> Iterator[tuple[NodeProgress, recordspb.RecordBatch]]:
        """The rest, in records to publish, each over at most `rows_max` inputs."""
        while at.done < len(self._times):
            end = min(at.done + rows_max, len(self._times))
            series, state = self._advance(at, end)
            begin, at = at, self._extended(at, end, series, state)
            yield at, self._batch(key, begin.done, at, series)

    def _advance(self, at: NodeProgress, end: int) -> tuple[Series, list[float] | None]:
        if isinstance(self._vertex, FoldNode):
            folded = run_fold(self._vertex.fold, fold_inputs(self._vertex, self._events, at.done, end), at.state)
            return Series(self._times[at.done : end][folded.emitted], folded.rows[folded.emitted]), folded.state
        state = self._vertex.state if at.state is None else tuple(at.state)
        series, state = compute_series(self._vertex, self._name, self._events, (at.done, end), state)
        return series, None if state is None else list(state)

    def _extended(self, at: NodeProgress, end: int, made: Series, state: list[float] | None) -> NodeProgress:
        times = np.concatenate([at.series.time_ns, made.time_ns])
        return NodeProgress(end, Series(times, np.concatenate([at.series.rows, made.rows])), state, self._hash(at, end))

    def _batch(self, key: QueueLease, first: int, at: NodeProgress, made: Series) -> recordspb.RecordBatch:
        record = NodeRecord(self._bucket(first), self._bucket(at.done - 1), at.window_hash, made, at.state)
        return record_to_proto(record, self._vertex.schema.fields, key.compute_key, key.epoch)

    def _hash(self, at: NodeProgress, end: int) -> str:
        """Over all inputs up to `end`, chained record by record."""
        return digest(at.window_hash.encode() + self._events.bytes_of(at.done, end))

    def _bucket(self, index: int) -> int:
        return int(self._times[index]) - self._interval_ns

    @property
    def _state_size(self) -> int | None:
        if isinstance(self._vertex, FoldNode):
            return self._vertex.fold.state_size
        return None if self._vertex.state is None else len(self._vertex.state)

    @property
    def _interval_ns(self) -> int:
        return self._vertex.interval_s * NS_PER_S

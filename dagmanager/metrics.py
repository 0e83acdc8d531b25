"""What this service counts for operators."""

from __future__ import annotations

from functools import partial

from prometheus_client import CollectorRegistry, Counter

from qmtl.dag.v1 import diff_pb2 as diffpb


class GraphMetrics:
    """Counters of the graph, in the process's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        self.diffs = counter("qmtl_dag_diffs_total", "Diffs answered, by whether the store answered.", ["seen"])
        self.nodes = counter("qmtl_dag_diff_nodes_total", "Nodes of answered diffs, by disposition.", ["disposition"])
        self.queues = counter("qmtl_dag_diff_queues_total", "Queues of answered diffs, new or reused.", ["kind"])
        self.races = counter("qmtl_dag_write_races_total", "Transactions run again because another came first.")
        self.garbage = counter("qmtl_dag_garbage_total", "Queues dropped, or kept by reason, per round.", ["outcome"])
        # looked up once: a diff counts six of them
        self._diffs = {seen: self.diffs.labels("yes" if seen else "no") for seen in (True, False)}
        self._new, self._reused, self._buffering = (
            self.nodes.labels(disposition) for disposition in ("new", "reused", "reused_with_buffering")
        )
        self._new_queues, self._reused_queues = self.queues.labels("new"), self.queues.labels("reused")

    def count(self, summary: diffpb.DiffSummary) -> None:
        """Count one answer."""
        self._diffs[summary.seen_before].inc()
        self._new.inc(summary.new_nodes)
        self._reused.inc(summary.reused_nodes)
        self._buffering.inc(summary.buffering_nodes)
        self._new_queues.inc(summary.new_queues)
        self._reused_queues.inc(summary.reused_queues)

"""What this service counts for operators."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from qmtl.dag.v1 import diff_pb2 as diffpb


class GraphMetrics:
    """Counters of the graph, in the process's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.diffs = Counter(
            "qmtl_dag_diffs_total", "Diffs answered, by whether the store answered.", ["seen"], registry=registry
        )
        self.nodes = Counter(
            "qmtl_dag_diff_nodes_total", "Nodes of answered diffs, by disposition.", ["disposition"], registry=registry
        )
        self.queues = Counter(
            "qmtl_dag_diff_queues_total", "Queues of answered diffs, new or reused.", ["kind"], registry=registry
        )
        self.races = Counter(
            "qmtl_dag_write_races_total", "Transactions run again because another came first.", registry=registry
        )
        self.garbage = Counter(
            "qmtl_dag_garbage_total", "Queues dropped, or kept by reason, per round.", ["outcome"], registry=registry
        )

    def count(self, summary: diffpb.DiffSummary) -> None:
        """Count one answer."""
        self.diffs.labels("yes" if summary.seen_before else "no").inc()
        self.nodes.labels("new").inc(summary.new_nodes)
        self.nodes.labels("reused").inc(summary.reused_nodes)
        self.nodes.labels("reused_with_buffering").inc(summary.buffering_nodes)
        self.queues.labels("new").inc(summary.new_queues)
        self.queues.labels("reused").inc(summary.reused_queues)

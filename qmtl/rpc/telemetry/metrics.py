"""Prometheus counters and histograms of a process, and the HTTP endpoint that shows them.

The registry is a value handed around, not a global: a service adds its own metrics to `Metrics.registry`.
Labels are bounded: full method names of served contracts, status codes, outcomes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)

RECENT_MAX: Final = 4096
FEW: Final = 50  # fewer calls have no 99th percentile to speak of
LATENCY_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


class RecentCalls:
    """How long the newest plain calls of a server took, as many as fit, for whoever has to tell whether it is slow.

    Only calls that were let in count, whatever came of them: not those without a token, over a rate or past a limit.
    """

    def __init__(self) -> None:
        self._calls: deque[tuple[float, str, float]] = deque(maxlen=RECENT_MAX)

    def add(self, method: str, seconds: float) -> None:
        """A call that just ended."""
        self._calls.append((time.monotonic(), method, seconds))

    def quantile(self, share: float, within_s: float, without: Collection[str] = ()) -> float:
        """Seconds that this share of the calls of the last `within_s` stayed under; 0 when there were too few."""
        since = time.monotonic() - within_s
        found = sorted(took for at, method, took in self._calls if at >= since and method not in without)
        return found[int(share * (len(found) - 1))] if len(found) >= FEW else 0.0


class Metrics:
    """What qmtl.rpc counts, and the registry for all others."""

    def __init__(self) -> None:
        self.recent = RecentCalls()
        self.registry = CollectorRegistry()
        by_method = ["method", "code"]
        self.handled = Counter(
            "qmtl_rpc_server_handled_total", "RPCs completed by this server.", by_method, registry=self.registry
        )
        self.seconds = Histogram(
            "qmtl_rpc_server_seconds",
            "Time from first byte to status, streams included.",
            ["method"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.in_flight = Gauge("qmtl_rpc_server_in_flight", "RPCs now open.", ["kind"], registry=self.registry)
        self.bugs = Counter(
            "qmtl_rpc_server_unmapped_errors_total",
            "Exceptions outside the error tree, answered INTERNAL.",
            ["method"],
            registry=self.registry,
        )
        self.client_handled = Counter(
            "qmtl_rpc_client_handled_total", "RPCs completed by peers.", by_method, registry=self.registry
        )
        self.client_retries = Counter(
            "qmtl_rpc_client_retries_total", "Attempts after the first.", ["method"], registry=self.registry
        )
        self.task_endings = Counter(
            "qmtl_background_task_endings_total",
            "Background tasks that ended and were begun again, for an outage or an error of ours.",
            ["task", "kind"],
            registry=self.registry,
        )
        self.task_troubled = Gauge(
            "qmtl_background_task_troubled",
            "1 while it does not hold.",
            ["task"],
            registry=self.registry,
        )
        self.outage = Gauge(
            "qmtl_outage",
            "1 while a check of the process fails: store, disk and so on.",
            ["subject"],
            registry=self.registry,
        )

    def add_process_collectors(self) -> None:
        """Memory, CPU, file descriptors and garbage collection of this process."""
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)


class MetricsEndpoint:
    """The HTTP server Prometheus scrapes."""

    def __init__(self, metrics: Metrics, host: str, port: int) -> None:
        self._server, self._thread = start_http_server(port, host, registry=metrics.registry)
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

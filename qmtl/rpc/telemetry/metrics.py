"""Prometheus counters and histograms of a process, and the HTTP endpoint that shows them.

The registry is a value handed around, not a global: a service adds its own metrics to `Metrics.registry`.
Labels are bounded: full method names of served contracts, status codes, outcomes.
"""

from __future__ import annotations

import hmac
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    make_wsgi_app,
)

from qmtl.core.errors import QmtlError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

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
    """The HTTP server Prometheus scrapes: plain or over TLS, for everybody or for who has the token."""

    def __init__(
        self,
        metrics: Metrics,
        host: str,
        port: int,
        *,
        context: ssl.SSLContext | None = None,
        token: Callable[[], str] | None = None,
    ) -> None:
        show = make_wsgi_app(metrics.registry)
        app = show if token is None else _guarded(show, token)
        self._server = make_server(host, port, app, _Threads, handler_class=_Silent)
        if context is not None:
            # The handshake is made by the thread of the connection: one that never ends it holds up nobody.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Threads(ThreadingMixIn, WSGIServer):
    """A thread for each scrape."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A scraper that goes away, or speaks no TLS, is its own business."""


class _Silent(WSGIRequestHandler):
    timeout = 10.0

    def log_message(self, format: str, *args: object) -> None:
        """Scrapes are not logged."""


def _guarded(show: WSGIApplication, token: Callable[[], str]) -> WSGIApplication:
    """Show it to who sends `Authorization: Bearer <token>`."""

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        try:
            wanted = f"Bearer {token()}"
        except QmtlError:  # the file is gone: then nobody is let in
            wanted = ""
        given = environ.get("HTTP_AUTHORIZATION", "")
        if wanted and hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
            return show(environ, start)
        start("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Type", "text/plain")])
        return [b"a token is wanted: Authorization: Bearer <token>\n"]

    return app

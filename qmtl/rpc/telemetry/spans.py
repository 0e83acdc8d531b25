"""Spans, in a process that records them: OpenTelemetry's provider, its server interceptor and an OTLP exporter.

Loaded by `traces.configure` only where there is something to export: OpenTelemetry takes longer to import than all the
rest of this room. The library's client interceptors are not used: a caller that is cancelled leaves their call running
at the peer, and their stream wrappers lose `write`. Outgoing streams carry the context only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Final

import grpc
from grpc import aio
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import aio_server_interceptor, filters
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

FLUSH_MS: Final = 2000
EXPORT_S: Final = 1
EXPORTER: Final = "opentelemetry.exporter.otlp.proto.grpc.exporter"


class Spans:
    """The process's tracer provider; OpenTelemetry takes one per process."""

    def __init__(self, service: str, otlp_endpoint: str) -> None:
        """Without an endpoint spans are recorded and go to the processors that are added to the provider."""
        self.provider = TracerProvider(
            resource=Resource.create({"service.name": f"qmtl-{service}"}), shutdown_on_exit=False
        )
        self._endpoint = otlp_endpoint
        self._asking: OTLPSpanExporter | None = None
        if otlp_endpoint:
            self.provider.add_span_processor(BatchSpanProcessor(_exporter(otlp_endpoint)))
            self._asking = _exporter(otlp_endpoint)  # one of its own: an exporter is for one thread
            logging.getLogger(EXPORTER).setLevel(logging.CRITICAL)  # `check` tells it, once
        trace.set_tracer_provider(self.provider)
        self._tracer = trace.get_tracer("qmtl.rpc")

    def server_interceptor(self) -> aio.ServerInterceptor:
        """Outermost on every server; health checks are not traced."""
        not_health = filters.negate(filters.health_check())
        interceptor: aio.ServerInterceptor = aio_server_interceptor(filter_=not_health)  # type: ignore[no-untyped-call]  # library has no types
        return interceptor

    @contextmanager
    def client_span(self, method: str) -> Iterator[trace.Span]:
        """The span of one attempt of a plain call."""
        service, _, name = method.removeprefix("/").partition("/")
        with self._tracer.start_as_current_span(
            method,
            kind=trace.SpanKind.CLIENT,
            attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": name},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield span

    def mark_client(self, span: trace.Span, code: grpc.StatusCode) -> None:
        """Any code but OK fails a client's span."""
        span.set_attribute("rpc.grpc.status_code", code.value[0])
        if code is not grpc.StatusCode.OK:
            span.set_status(trace.StatusCode.ERROR, code.name)

    def mark_server(self, code: grpc.StatusCode, attributes: Mapping[str, str], *, failed: bool) -> None:
        """The code that went out, in the current span: the library loses that of aborted and cancelled calls."""
        span = trace.get_current_span()
        span.set_attribute("rpc.grpc.status_code", code.value[0])
        span.set_attributes(attributes)
        if failed:
            span.set_status(trace.StatusCode.ERROR, code.name)

    def inject(self, carrier: MutableMapping[str, str]) -> None:
        """Write the current span's context into a carrier."""
        propagate.inject(carrier)

    def trace_id(self) -> str:
        """The current span's trace, empty outside any."""
        context = trace.get_current_span().get_span_context()
        return f"{context.trace_id:032x}" if context.is_valid else ""

    def check(self) -> str:
        """Send an empty batch and wait: why the collector takes none, "" when it does. For one thread at a time."""
        if self._asking is None or self._asking.export(()) is SpanExportResult.SUCCESS:
            return ""
        return f"the collector at {self._endpoint} takes no spans: those of meanwhile are lost"

    def shut_down(self) -> None:
        """Send what is left, for a bounded time."""
        self.provider.force_flush(FLUSH_MS)
        self.provider.shutdown()
        if self._asking is not None:
            self._asking.shutdown()


def _exporter(endpoint: str) -> OTLPSpanExporter:
    """Of short patience: a process that stops waits for it, and a collector that is away must not hold up a restart."""
    return OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https://"), timeout=EXPORT_S)

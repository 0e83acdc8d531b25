"""Traces: OpenTelemetry's gRPC instrumentation for spans and propagation, an OTLP exporter when configured.

Without an exporter spans are still made, so that every log line has a trace id that means something
across processes. Streams going out carry the caller's context but get no client span of their own: the
library's stream interceptors replace the call by a generator, which loses `cancel` and `write`.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

from grpc import aio
from opentelemetry import propagate, trace
from opentelemetry.instrumentation.grpc import aio_client_interceptors, aio_server_interceptor, filters
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

FLUSH_MS: Final = 2000


def configure(service: str, otlp_endpoint: str) -> TracerProvider:
    """Make the process's tracer provider; called once, by run.py."""
    provider = TracerProvider(resource=Resource.create({"service.name": f"qmtl-{service}"}), shutdown_on_exit=False)
    if otlp_endpoint:
        _export(provider, otlp_endpoint)
    trace.set_tracer_provider(provider)
    return provider


def shut_down(provider: TracerProvider) -> None:
    """Send what is left, for a bounded time."""
    provider.force_flush(FLUSH_MS)
    provider.shutdown()


def server_interceptors(provider: TracerProvider | None = None) -> list[aio.ServerInterceptor]:
    """Outermost on every server; health checks are not traced."""
    not_health = filters.negate(filters.health_check())
    interceptor: aio.ServerInterceptor = aio_server_interceptor(  # type: ignore[no-untyped-call]  # library has no types
        tracer_provider=provider, filter_=not_health
    )
    return [interceptor]


def client_interceptors(provider: TracerProvider | None = None) -> list[aio.ClientInterceptor]:
    """Spans around plain calls; health checks are not traced."""
    made = aio_client_interceptors(  # type: ignore[no-untyped-call]  # library has no types
        tracer_provider=provider, filter_=filters.negate(filters.health_check())
    )
    return [item for item in made if isinstance(item, aio.UnaryUnaryClientInterceptor)]


def inject(carrier: MutableMapping[str, str]) -> None:
    """Write the current trace context into a carrier (traceparent)."""
    propagate.inject(carrier)


def current_trace_id() -> str:
    """The trace this code runs under, as 32 hex digits; empty outside any."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def _export(provider: TracerProvider, endpoint: str) -> None:
    # Imported here: the exporter costs as much start-up time as all else in this room.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https://"))
    provider.add_span_processor(BatchSpanProcessor(exporter))

"""Traces: OpenTelemetry's gRPC instrumentation on servers, its API on channels, an OTLP exporter when configured.

Without an exporter spans record nothing, but have ids, so that every log line has a trace id that means something
across processes. The library's client interceptors are not used: a caller that is cancelled leaves their
call running at the peer, and their stream wrappers lose `write`. Outgoing streams carry the context only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Final

import grpc
from grpc import aio
from opentelemetry import context, propagate, trace
from opentelemetry.instrumentation.grpc import aio_server_interceptor, filters
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

FLUSH_MS: Final = 2000
EXPORT_S: Final = 1
HEALTH: Final = "/grpc.health.v1.Health/"
_IDS: Final = RandomIdGenerator()


def configure(service: str, otlp_endpoint: str, *, recorded: bool = False) -> TracerProvider:
    """Make the process's tracer provider; called once, by run.py. `recorded`: spans are, even without an exporter."""
    provider = TracerProvider(
        sampler=ALWAYS_ON if otlp_endpoint or recorded else ALWAYS_OFF,  # else ids are enough: spans cost CPU
        resource=Resource.create({"service.name": f"qmtl-{service}"}),
        shutdown_on_exit=False,
    )
    if otlp_endpoint:
        _export(provider, otlp_endpoint)
    trace.set_tracer_provider(provider)
    return provider


def shut_down(provider: TracerProvider) -> None:
    """Send what is left, for a bounded time."""
    provider.force_flush(FLUSH_MS)
    provider.shutdown()


def only_ids() -> bool:
    """Whether this process records no span: then calls need the ids of their trace and nothing else."""
    provider = trace.get_tracer_provider()
    return isinstance(provider, TracerProvider) and provider.sampler is ALWAYS_OFF


def enter(metadata: Mapping[str, str]) -> None:
    """Make the caller's trace current for the rest of this task, or one of its own: an RPC is a task of its own."""
    outer = propagate.extract(metadata)
    caller = trace.get_current_span(outer).get_span_context()
    trace_id = caller.trace_id if caller.is_valid else _IDS.generate_trace_id()
    ids = trace.SpanContext(trace_id, _IDS.generate_span_id(), is_remote=False, trace_flags=caller.trace_flags)
    context.attach(trace.set_span_in_context(trace.NonRecordingSpan(ids), outer))


def server_interceptors(provider: TracerProvider | None = None) -> list[aio.ServerInterceptor]:
    """Outermost on every server that records spans; health checks are not traced. See `enter` for the others."""
    if provider is None and only_ids():
        return []
    not_health = filters.negate(filters.health_check())
    interceptor: aio.ServerInterceptor = aio_server_interceptor(  # type: ignore[no-untyped-call]  # library has no types
        tracer_provider=provider, filter_=not_health
    )
    return [interceptor]


@contextmanager
def client_span(tracer: trace.Tracer, method: str) -> Iterator[trace.Span]:
    """The span of one attempt of a plain call; `finish_client_span` tells it the code. Health checks have none.

    A process that records nothing goes on under the span that it is in.
    """
    if method.startswith(HEALTH):
        yield trace.INVALID_SPAN
        return
    if only_ids():
        yield trace.get_current_span()
        return
    service, _, name = method.removeprefix("/").partition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
    with tracer.start_as_current_span(
        method, kind=trace.SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        yield span


def finish_client_span(span: trace.Span, code: grpc.StatusCode) -> None:
    """Any code but OK fails a client's span."""
    span.set_attribute("rpc.grpc.status_code", code.value[0])
    if code is not grpc.StatusCode.OK:
        span.set_status(trace.StatusCode.ERROR, code.name)


def with_current_span(metadata: aio.Metadata) -> aio.Metadata:
    """Metadata whose trace context is the current span's."""
    if only_ids():
        return metadata  # there is one span a call, whose context it has already
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return aio.Metadata(*((key, value) for key, value in metadata if key not in carrier), *carrier.items())


def inject(carrier: MutableMapping[str, str]) -> None:
    """Write the current trace context into a carrier (traceparent)."""
    propagate.inject(carrier)


def current_trace_id() -> str:
    """The trace this code runs under, as 32 hex digits; empty outside any."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def _export(provider: TracerProvider, endpoint: str) -> None:
    # Imported here: the exporter costs as much start-up time as all else here.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # Short, because a process that stops waits for it: a collector that is away must not hold up a restart.
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https://"), timeout=EXPORT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))

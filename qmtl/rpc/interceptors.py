"""What happens around every RPC, from outside in: observe, boundary, admission, authorisation, deadline.

Errors of all inner layers, authorisation included, leave through the boundary, and the observer sees
the code that really went out. Response streams are written with `context.write` inside these layers
instead of being yielded through them: a cancelled call then unwinds in its own task, in order.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

import grpc
import structlog
from grpc import aio
from opentelemetry import trace
from opentelemetry.trace import StatusCode as SpanCode

from qmtl.core.errors import (
    DeadlineExceeded,
    Exhausted,
    NotBuilt,
    PermissionDenied,
    QmtlError,
    Unauthenticated,
    Unavailable,
)
from qmtl.rpc import grants
from qmtl.rpc.auth import Authenticator, Identity, ServiceIdentity
from qmtl.rpc.context import Call, enter_call
from qmtl.rpc.methods import Door, MethodRule
from qmtl.rpc.metrics import Metrics
from qmtl.rpc.status import Status, internal_status, to_status

USER_KEY: Final = "authorization"
SERVICE_KEY: Final = "x-qmtl-service"
REQUEST_ID_KEY: Final = "x-request-id"
CORRELATION_ID_KEY: Final = "x-correlation-id"
STATUS_S: Final = 5.0  # how long a peer that reads nothing may keep a call that is over
_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")

Context = aio.ServicerContext[Any, Any]
Admit: TypeAlias = Callable[[MethodRule, Call], None]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the stubs only
log: Final = structlog.stdlib.get_logger("qmtl.rpc")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server. Streams and short calls are counted apart, so subscribers cannot shut callers out."""

    calls_max: int = 512
    streams_max: int = 1024
    message_bytes_max: int = 16 * 1024 * 1024
    metadata_bytes_max: int = 24 * 1024  # two tokens of the longest kind and as much again
    deadline_default_s: float = 30.0
    deadline_max_s: float = 120.0
    retry_after_s: float = 1.0
    keepalive_s: float = 60.0  # how long a silent connection is believed in before it is asked
    keepalive_timeout_s: float = 20.0  # how long it has to answer


@dataclass(slots=True)
class Inbound:
    """One RPC while it is being served; `code` is the status that went out, `entered` that it was not refused first."""

    rule: MethodRule
    kind: str
    context: Context
    metadata: Mapping[str, str]
    duplicated: frozenset[str]
    code: grpc.StatusCode = grpc.StatusCode.OK
    entered: bool = False
    call: Call = field(default_factory=Call)


class MeshInterceptor(aio.ServerInterceptor):
    """All layers in one interceptor, over all four kinds of handlers."""

    def __init__(
        self,
        *,
        service: str,
        rules: Mapping[str, MethodRule],
        authenticator: Authenticator,
        metrics: Metrics,
        limits: Limits,
        admit: Admit | None = None,
    ) -> None:
        self._admit = admit
        self._edge = service == grants.EDGE
        self._rules = rules
        self._authenticator = authenticator
        self._metrics = metrics
        self._limits = limits
        self._open = {"call": 0, "stream": 0}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        rule = self._rules.get(handler_call_details.method)
        if handler is None or rule is None:
            return None  # grpc answers UNIMPLEMENTED
        return self._wrap(handler, rule)

    def _wrap(self, handler: Handler, rule: MethodRule) -> Handler:
        codec = (handler.request_deserializer, handler.response_serializer)
        if handler.request_streaming and handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(self._streaming(handler.stream_stream, rule), *codec)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._streaming(handler.unary_stream, rule), *codec)
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(self._single(handler.stream_unary, rule, "stream"), *codec)
        return grpc.unary_unary_rpc_method_handler(self._single(handler.unary_unary, rule, "call"), *codec)

    def _single(self, behavior: Any, rule: MethodRule, kind: str) -> Any:
        async def serve(request: Any, context: Context) -> Any:
            async with self._around(_inbound(rule, kind, context)):
                reply = behavior(request, context)
                return await reply if inspect.isawaitable(reply) else reply

        return serve

    def _streaming(self, behavior: Any, rule: MethodRule) -> Any:
        async def serve(request: Any, context: Context) -> AsyncIterator[Any]:
            async with self._around(_inbound(rule, "stream", context)):
                replies = behavior(request, context)
                if inspect.isawaitable(replies):  # a handler that writes by itself
                    await replies
                    return
                async with aclosing(replies):
                    async for reply in replies:
                        await _write(context, reply)
            return
            yield  # makes this a generator, as tracing expects of a streaming handler; nothing ever comes this way

        return serve

    @asynccontextmanager
    async def _around(self, inbound: Inbound) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._observed(inbound))
            await stack.enter_async_context(self._bounded(inbound))
            await stack.enter_async_context(self._admitted(inbound))
            self._enter(inbound)
            inbound.entered = True
            await stack.enter_async_context(_timed(inbound.call))
            yield

    @asynccontextmanager
    async def _observed(self, inbound: Inbound) -> AsyncIterator[None]:
        """Count, time, log and mark the span with the code that went out, whatever way the call ended."""
        started = time.perf_counter()
        self._metrics.in_flight.labels(inbound.kind).inc()
        try:
            yield
        except asyncio.CancelledError:
            inbound.code = _code_of_cancelled(inbound.call)
            raise
        finally:
            seconds = time.perf_counter() - started
            self._metrics.in_flight.labels(inbound.kind).dec()
            self._metrics.handled.labels(inbound.rule.name, inbound.code.name).inc()
            self._metrics.seconds.labels(inbound.rule.name).observe(seconds)
            # What is refused at once, thousands of times, would hide how long the served ones wait.
            if inbound.entered and inbound.kind == "call" and inbound.rule.door is not Door.OPEN:
                self._metrics.recent.add(inbound.rule.name, seconds)
            _mark_span(inbound)
            _log_outcome(inbound, seconds)

    @asynccontextmanager
    async def _bounded(self, inbound: Inbound) -> AsyncIterator[None]:
        """Turn errors into statuses; what is not in the tree is a bug and tells the caller nothing."""
        try:
            yield
        except QmtlError as error:
            status = to_status(error, inbound.call.request_id)
            inbound.code = status.code
            if status.code is grpc.StatusCode.INTERNAL:
                self._report_bug(inbound, error)
        except aio.AbortError:
            inbound.code = _number_to_code(inbound.context.code())
            raise
        except _PeerGone:
            raise asyncio.CancelledError from None
        except asyncio.CancelledError:
            if _is_cancelled(inbound.context):
                raise
            log.warning("cancelled_inside", method=inbound.rule.name)
            status = to_status(Unavailable("E_CANCELLED_INSIDE", "a part of the service was stopped meanwhile"))
            inbound.code = status.code
        except Exception as error:
            if _is_cancelled(inbound.context):
                raise asyncio.CancelledError from error
            self._report_bug(inbound, error)
            status = internal_status(inbound.call.request_id)
            inbound.code = status.code
        else:
            inbound.code = _number_to_code(inbound.context.code())
            return
        await _abort(inbound.context, status)

    def _report_bug(self, inbound: Inbound, error: Exception) -> None:
        self._metrics.bugs.labels(inbound.rule.name).inc()
        log.error("unmapped_error", method=inbound.rule.name, exc_info=error)

    @asynccontextmanager
    async def _admitted(self, inbound: Inbound) -> AsyncIterator[None]:
        """Refuse past the limit at once, with the time to come back; health is always answered."""
        kind = inbound.kind
        limit = self._limits.calls_max if kind == "call" else self._limits.streams_max
        if self._open[kind] >= limit and inbound.rule.door is not Door.OPEN:
            raise Exhausted(
                "E_OVERLOADED",
                f"{limit} concurrent {kind}s are open",
                hint="back off and try again",
                retry_after_s=self._limits.retry_after_s,
            )
        self._open[kind] += 1
        try:
            yield
        finally:
            self._open[kind] -= 1

    def _enter(self, inbound: Inbound) -> None:
        """Identify and authorise the caller, then make the call current."""
        inbound.call = _call_of(inbound, self._limits)
        enter_call(inbound.call)
        identity, service = self._identify(inbound)
        authorise(inbound.rule, identity, service, edge=self._edge)
        inbound.call = replace(inbound.call, identity=identity, service=service)
        enter_call(inbound.call)
        if self._admit is not None and inbound.rule.door is not Door.OPEN:
            self._admit(inbound.rule, inbound.call)
        if inbound.rule.part:
            raise NotBuilt(
                "NOT_BUILT",
                f"{inbound.rule.name} is not built yet",
                hint=f"it comes with: {inbound.rule.part}",
                metadata={"part": inbound.rule.part},
            )

    def _identify(self, inbound: Inbound) -> tuple[Identity | None, ServiceIdentity | None]:
        """Verify every token that came along: a bad one is refused even where none is needed."""
        if inbound.rule.door is Door.OPEN:
            return None, None
        user, service = _bearer(inbound, USER_KEY), _bearer(inbound, SERVICE_KEY)
        return (
            self._authenticator.user(user) if user else None,
            self._authenticator.service(service) if service else None,
        )


def authorise(rule: MethodRule, identity: Identity | None, service: ServiceIdentity | None, *, edge: bool) -> None:
    """Decide whether verified callers may knock at this door; what they may do in a world is the service's to say.

    Raises Unauthenticated (E_TOKEN_MISSING) or PermissionDenied (E_SERVICE_REQUIRED, E_GRANT_REQUIRED).
    """
    if rule.door is Door.OPEN:
        return
    if identity is None and service is None:
        raise Unauthenticated(
            "E_TOKEN_MISSING", "no token came with the call", hint="send metadata authorization: Bearer <token>"
        )
    if rule.door is Door.ANY_TOKEN:
        return
    if rule.door is Door.PUBLIC and edge:
        if identity is None:
            raise Unauthenticated(
                "E_TOKEN_MISSING", "the gateway serves users", hint="send metadata authorization: Bearer <user token>"
            )
        return
    if service is None:
        raise PermissionDenied(
            "E_SERVICE_REQUIRED",
            f"{rule.name} is reached through the gateway, or with a service token",
            hint="call the gateway's address",
        )
    _require_grant(rule, identity, service)


def _require_grant(rule: MethodRule, identity: Identity | None, service: ServiceIdentity) -> None:
    forwards = rule.door is Door.PUBLIC and identity is not None and grants.is_known(service.name)
    if not forwards and not grants.allows(service.name, rule.name, read=rule.read):
        raise PermissionDenied(
            "E_GRANT_REQUIRED",
            f"service {service.name} has no grant for {rule.name}",
            hint="a change to it needs a user's own token beside the service token"
            if rule.door is Door.PUBLIC
            else "only services whose grant names this call may make it",
            metadata={"service": service.name},
        )


@asynccontextmanager
async def _timed(call: Call) -> AsyncIterator[None]:
    """Stop the work when nobody waits for it any more."""
    try:
        async with asyncio.timeout(call.remaining_s()) as scope:
            yield
    except TimeoutError:
        if scope.expired():
            raise DeadlineExceeded("E_DEADLINE_EXCEEDED", "the call's deadline passed while it was served") from None
        raise


def _inbound(rule: MethodRule, kind: str, context: Context) -> Inbound:
    metadata: dict[str, str] = {}
    duplicated: set[str] = set()
    for key, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            if key in metadata:
                duplicated.add(key)
            metadata[key] = value
    return Inbound(rule, kind, context, metadata, frozenset(duplicated))


def _call_of(inbound: Inbound, limits: Limits) -> Call:
    request_id = _id(inbound.metadata, REQUEST_ID_KEY) or secrets.token_hex(16)
    return Call(
        method=inbound.rule.name,
        request_id=request_id,
        correlation_id=_id(inbound.metadata, CORRELATION_ID_KEY) or request_id,
        deadline=_deadline(inbound, limits),
        peer=inbound.context.peer(),
    )


def _deadline(inbound: Inbound, limits: Limits) -> float | None:
    """The caller's; a plain call without one gets the default, and none may hold a slot past the maximum."""
    given: float | None = inbound.context.time_remaining()
    if given is not None and given > 365 * 86400:
        given = None  # grpc's "no deadline" is a very late one
    if inbound.kind == "call":
        given = min(limits.deadline_default_s if given is None else given, limits.deadline_max_s)
    return None if given is None else time.monotonic() + given


def _id(metadata: Mapping[str, str], key: str) -> str:
    value = metadata.get(key, "")
    return value if _ID.fullmatch(value) else ""


def _bearer(inbound: Inbound, key: str) -> str:
    value = inbound.metadata.get(key, "")
    if not value:
        return ""
    scheme, _, token = value.partition(" ")
    if key in inbound.duplicated or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("E_TOKEN_MALFORMED", f"metadata {key} is not one Bearer token", hint="Bearer <token>")
    return token.strip()


class _PeerGone(Exception):
    """A reply could not be written."""


async def _write(context: Context, reply: Any) -> None:
    try:
        await context.write(reply)
    except aio.InternalError as error:  # grpc's word for a write cut off, before the cancellation itself arrives
        raise _PeerGone from error


def _is_cancelled(context: Context) -> bool:
    """Whether the call is over for the caller too, and not just some part that served it.

    It matters: grpc sends no status for a handler that ends in CancelledError, so the caller would wait on.
    """
    task = asyncio.current_task()
    return context.cancelled() or (task is not None and task.cancelling() > 0)


async def _abort(context: Context, status: Status) -> None:
    """End the call with a status, or cut it when a reply is still unsent to a peer that reads nothing."""
    try:
        async with asyncio.timeout(STATUS_S):
            await context.abort_with_status(status)  # type: ignore[arg-type]  # grpc.Status is an interface without __init__
    except (aio.InternalError, TimeoutError) as error:
        raise asyncio.CancelledError from error


def _number_to_code(number: object) -> grpc.StatusCode:
    """`context.code()` of grpc.aio is the number or the code itself; 0 or None when nothing was set."""
    return _CODES.get(number, grpc.StatusCode.UNKNOWN) if number else grpc.StatusCode.OK


def _code_of_cancelled(call: Call) -> grpc.StatusCode:
    expired = call.deadline is not None and time.monotonic() >= call.deadline
    return grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED


_CODES: Final[Mapping[object, grpc.StatusCode]] = {
    key: code for code in grpc.StatusCode for key in (code, code.value[0])
}
_SERVER_FAULTS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


def _mark_span(inbound: Inbound) -> None:
    """Tracing itself loses the status of aborted and cancelled calls; a server span fails on the server's faults."""
    span = trace.get_current_span()
    span.set_attribute("rpc.grpc.status_code", inbound.code.value[0])
    span.set_attribute("qmtl.request_id", inbound.call.request_id)
    if inbound.code in _SERVER_FAULTS:
        span.set_status(SpanCode.ERROR, inbound.code.name)


def _log_outcome(inbound: Inbound, seconds: float) -> None:
    ok = inbound.code is grpc.StatusCode.OK
    write = log.debug if ok else log.warning if inbound.code in _SERVER_FAULTS else log.info
    write("rpc", method=inbound.rule.name, code=inbound.code.name, duration_ms=round(seconds * 1000, 2))

"""Around every RPC, from outside in: observe, boundary, authorisation, shares, deadline, reading, decoding.

Errors of all inner layers, authorisation included, leave through the boundary, and the observer sees
the code that really went out. Response streams are written with `context.write` inside these layers
instead of being yielded through them: a cancelled call then unwinds in its own task, in order.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeAlias

import grpc
import structlog
from grpc import aio

from qmtl.core.errors import (
    DeadlineExceeded,
    NotBuilt,
    QmtlError,
    Unavailable,
)
from qmtl.rpc.auth.call import Call, enter_call
from qmtl.rpc.auth.identity import Identity, ServiceIdentity
from qmtl.rpc.auth.verification import Authenticator
from qmtl.rpc.chunks import UNREADABLE, stated
from qmtl.rpc.metadata import PAYLOAD_WANTED_KEY, SERVICE_KEY, USER_KEY
from qmtl.rpc.rules import grants
from qmtl.rpc.rules.methods import Audience, MethodRule
from qmtl.rpc.server.authorisation import authorise
from qmtl.rpc.server.inbound import Context, Inbound, Limits, bearer_of, call_of, inbound_of
from qmtl.rpc.server.outcomes import OutcomeLog, code_of_cancelled, mark_span, number_to_code
from qmtl.rpc.server.replies import Encode, PeerGone, abort, bounded, forget_frames, is_cancelled, write
from qmtl.rpc.server.requests import Bodies, DecodedStream, decoded
from qmtl.rpc.server.shares import Shares, Turns, caller_of
from qmtl.rpc.status import internal_status, to_status
from qmtl.rpc.telemetry import traces
from qmtl.rpc.telemetry.metrics import Metrics

log: Final = structlog.stdlib.get_logger("qmtl.rpc.server")
Admit: TypeAlias = Callable[[MethodRule, Call], None]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the stubs only
Behavior: TypeAlias = Callable[[Inbound, Any, Context], AbstractAsyncContextManager[Any]]


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
        identities: Mapping[str, Callable[[str], Identity]] | None = None,
    ) -> None:
        self._admit = admit
        self._identities = dict(identities or {})  # by method; of users' tokens else
        self._edge = service == grants.EDGE
        self._rules = rules
        self._authenticator = authenticator
        self._metrics = metrics
        self._limits = limits
        self._outcomes = OutcomeLog()
        self._shares = Shares(limits)
        self._bodies = Bodies(self._shares)
        self._turns = Turns()
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}
        self._enters_trace = traces.only_ids()  # else an interceptor around this one does

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        rule = self._rules.get(handler_call_details.method)
        if handler is None or rule is None:
            return None  # grpc answers UNIMPLEMENTED
        known, wrapped = self._wrapped.get(rule.name, (None, None))
        if known is not handler:  # a proxy makes one for each call
            wrapped = self._wrap(handler, rule)
            self._wrapped[rule.name] = handler, wrapped
        return wrapped

    def _wrap(self, handler: Handler, rule: MethodRule) -> Handler:
        """The handler with all layers around it, as one of a client's stream: it runs before the body is taken."""
        encode = bounded(handler.response_serializer, rule.name, self._limits.reply_bytes_max)
        if handler.request_streaming and handler.response_streaming:
            layered = self._streaming(self._streamed(handler, handler.stream_stream), rule)
            return grpc.stream_stream_rpc_method_handler(layered, None, encode)
        if handler.response_streaming:
            layered = self._streaming(self._plain(handler, handler.unary_stream), rule)
            return grpc.stream_stream_rpc_method_handler(layered, None, encode)
        if handler.request_streaming:
            kind = "call" if rule.chunked is not None else "stream"  # a payload in parts is one request, with its end
            layered = self._single(self._streamed(handler, handler.stream_unary), rule, kind, encode)
            return grpc.stream_unary_rpc_method_handler(layered, None, None)
        layered = self._single(self._plain(handler, handler.unary_unary), rule, "call", encode)
        return grpc.stream_unary_rpc_method_handler(layered, None, None)

    def _single(self, behavior: Behavior, rule: MethodRule, kind: str, encode: Encode) -> Any:
        """Encodes its reply itself, for grpc would answer UNKNOWN where that fails; streams encode as they write."""

        async def serve(bodies: Any, context: Context) -> Any:
            async with (
                self._around(inbound_of(rule, kind, context)) as inbound,
                behavior(inbound, bodies, context) as reply,
            ):
                return encode(await reply if inspect.isawaitable(reply) else reply)

        return serve

    def _streaming(self, behavior: Behavior, rule: MethodRule) -> Any:
        async def serve(bodies: Any, context: Context) -> AsyncIterator[Any]:
            async with (
                self._around(inbound_of(rule, "stream", context)) as inbound,
                behavior(inbound, bodies, context) as replies,
            ):
                if inspect.isawaitable(replies):  # a handler that writes by itself
                    await replies
                    return
                async with aclosing(replies):
                    async for reply in replies:
                        await inbound.turn.aclose()  # how long the replies take is up to who reads them
                        await write(context, reply)
            return
            yield  # makes this a generator, as tracing expects of a streaming handler; nothing ever comes this way

        return serve

    def _plain(self, handler: Handler, behavior: Any) -> Behavior:
        """A handler of one request, which is read and decoded for it."""
        decode = handler.request_deserializer or bytes

        @asynccontextmanager
        async def serve(inbound: Inbound, bodies: Any, context: Context) -> AsyncIterator[Any]:
            caller = caller_of(inbound.call)
            async with self._bodies.only(context, inbound.rule, caller) as body:
                size = len(body) if handler.request_deserializer and not inbound.rule.reserved else 0
                async with self._turns.turn(caller, size):
                    request = decoded(decode, body)
                    inbound.entered = True
                    yield behavior(request, context)

        return serve

    def _streamed(self, handler: Handler, behavior: Any) -> Behavior:
        """A handler of a stream of requests, each read and decoded as it asks for it."""
        decode = handler.request_deserializer or bytes

        @asynccontextmanager
        async def serve(inbound: Inbound, bodies: Any, context: Context) -> AsyncIterator[Any]:
            said, caller = inbound.call.stated, caller_of(inbound.call)
            with self._shares.body(caller, 0 if said is None else said.total_bytes) as held:
                inbound.entered = True
                requests = DecodedStream(decode, bodies, inbound.rule, self._bodies, held if said is None else None)
                if said is not None:
                    size = said.total_bytes if handler.request_deserializer and not inbound.rule.reserved else 0
                    requests.begin = partial(context.send_initial_metadata, ((PAYLOAD_WANTED_KEY, "1"),))
                    requests.end = partial(inbound.turn.enter_async_context, self._turns.turn(caller, size))
                async with inbound.turn:
                    yield behavior(requests, context)

        return serve

    @asynccontextmanager
    async def _around(self, inbound: Inbound) -> AsyncIterator[Inbound]:
        if self._enters_trace:
            traces.enter(inbound.metadata)
        async with self._observed(inbound), self._bounded(inbound):
            self._enter(inbound)
            with self._shares.place(caller_of(inbound.call), inbound.rule, inbound.kind):
                try:
                    async with asyncio.timeout(inbound.call.remaining_s()) as scope:  # nobody waits for it then
                        yield inbound
                except TimeoutError:
                    if scope.expired():
                        raise _too_late() from None
                    raise

    @asynccontextmanager
    async def _observed(self, inbound: Inbound) -> AsyncIterator[None]:
        """Count, time, log and mark the span with the code that went out, whatever way the call ended."""
        started = time.perf_counter()
        self._metrics.in_flight.labels(inbound.kind).inc()
        try:
            yield
        except asyncio.CancelledError:
            inbound.code = code_of_cancelled(inbound.call)
            raise
        finally:
            seconds = time.perf_counter() - started
            self._metrics.in_flight.labels(inbound.kind).dec()
            self._metrics.handled.labels(inbound.rule.name, inbound.code.name).inc()
            self._metrics.seconds.labels(inbound.rule.name).observe(seconds)
            # What is refused at once, thousands of times, would hide how long the served ones wait.
            if inbound.entered and inbound.kind == "call" and inbound.rule.audience is not Audience.OPEN:
                self._metrics.recent.add(inbound.rule.name, seconds)
            mark_span(inbound)
            self._outcomes.write(inbound, seconds)

    @asynccontextmanager
    async def _bounded(self, inbound: Inbound) -> AsyncIterator[None]:
        """Turn errors into statuses; what is not in the tree is a bug and tells the caller nothing."""
        try:
            yield
        except QmtlError as error:
            inbound.entered &= error.reason != UNREADABLE
            status = to_status(error, inbound.call.request_id)
            inbound.code = status.code
            if status.code is grpc.StatusCode.INTERNAL:
                self._report_bug(inbound, error)
            forget_frames(error)
        except aio.AbortError:
            inbound.code = number_to_code(inbound.context.code())
            raise
        except PeerGone:
            raise asyncio.CancelledError from None
        except asyncio.CancelledError:
            if is_cancelled(inbound.context):
                raise
            log.warning("cancelled_inside", method=inbound.rule.name)
            status = to_status(Unavailable("E_CANCELLED_INSIDE", "a part of the service was stopped meanwhile"))
            inbound.code = status.code
        except Exception as error:
            if is_cancelled(inbound.context):
                raise asyncio.CancelledError from error
            self._report_bug(inbound, error)
            status = internal_status(inbound.call.request_id)
            inbound.code = status.code
        else:
            inbound.code = number_to_code(inbound.context.code())
            return
        await abort(inbound.context, status)

    def _report_bug(self, inbound: Inbound, error: Exception) -> None:
        self._metrics.bugs.labels(inbound.rule.name).inc()
        log.error("unmapped_error", method=inbound.rule.name, exc_info=error)

    def _enter(self, inbound: Inbound) -> None:
        """Identify and authorise the caller, hear what it says of its payload, then make the call current."""
        inbound.call = call_of(inbound, self._limits)
        enter_call(inbound.call)
        identity, service = self._identify(inbound)
        authorise(inbound.rule, identity, service, edge=self._edge)
        said = None if inbound.rule.chunked is None else stated(inbound.rule.chunked, inbound.metadata)
        inbound.call = replace(inbound.call, identity=identity, service=service, stated=said)
        enter_call(inbound.call)
        if self._admit is not None and inbound.rule.audience is not Audience.OPEN:
            self._admit(inbound.rule, inbound.call)
        if inbound.rule.part:
            raise NotBuilt(
                "E_NOT_BUILT",
                f"{inbound.rule.name} is not built yet",
                hint=f"it comes with: {inbound.rule.part}",
                metadata={"part": inbound.rule.part},
            )

    def _identify(self, inbound: Inbound) -> tuple[Identity | None, ServiceIdentity | None]:
        """Verify every token that came along: a bad one is refused even where none is needed."""
        if inbound.rule.audience is Audience.OPEN:
            return None, None
        user, service = bearer_of(inbound, USER_KEY), bearer_of(inbound, SERVICE_KEY)
        return (
            self._identities.get(inbound.rule.name, self._authenticator.user)(user) if user else None,
            self._authenticator.service(service) if service else None,
        )


def _too_late() -> DeadlineExceeded:
    return DeadlineExceeded("E_DEADLINE_EXCEEDED", "the call's deadline passed while it was served")

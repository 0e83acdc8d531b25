"""Channels to other services: deadlines, tokens, ids, traces and retries added, errors turned back.

A channel here is a `grpc.aio.Channel` for any generated stub. It wraps calls rather than using grpc's
client interceptors, whose stream wrappers lose `write` and `cancel`. Tokens never travel in the clear
beyond this machine: plaintext is for loopback addresses.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc
from grpc import aio

from qmtl.config.settings import ServiceSettings, is_loopback
from qmtl.core.errors import InvalidRequest
from qmtl.rpc import tls
from qmtl.rpc.auth.call import current_call
from qmtl.rpc.auth.identity import TokenSource
from qmtl.rpc.client.breaker import Breaker, BreakerState
from qmtl.rpc.client.calls import ChunkedCall, Policy, RetryBudget, UnaryCall, remaining_s
from qmtl.rpc.client.payloads import Relayed, paced, payload_of
from qmtl.rpc.client.streams import ReadingCall, TwoWayCall, WritingCall
from qmtl.rpc.client.transport import Method, Option, Transport
from qmtl.rpc.metadata import CORRELATION_ID_KEY, REQUEST_ID_KEY, SERVICE_KEY, USER_KEY
from qmtl.rpc.rules.methods import may_retry
from qmtl.rpc.telemetry import traces
from qmtl.rpc.telemetry.ids import new_id
from qmtl.rpc.telemetry.metrics import Metrics

REQUEST_BYTES_MAX: Final = 1024 * 1024  # of one message, as every server has it
REPLY_BYTES_MAX: Final = 1024 * 1024  # likewise: what may be larger comes in pages or in parts
KEEPALIVE_MS: Final = 30_000  # above the server's minimum, see server.py, or it ends our connections
KEEPALIVE_TIMEOUT_MS: Final = 10_000
Req = TypeVar("Req")
Res = TypeVar("Res")
Metadata = aio.Metadata | Iterable[tuple[str, str | bytes]] | Mapping[str, str] | None


def connect(
    address: str,
    *,
    settings: ServiceSettings | None = None,
    service_token: TokenSource | None = None,
    user_token: TokenSource | None = None,
    default_timeout_s: float = 10.0,
    ca: Path | None = None,
    client_pair: tuple[Path, Path] | None = None,
    metrics: Metrics | None = None,
    breaker: Breaker | None = None,
    peer: str = "",
) -> MeshChannel:
    """Open a channel to an address (see transport.py); it connects when first used.

    `peer`: the service meant, whose name a certificate must have where there are several addresses.

    A service gives its settings (TLS) and its service token; the user token of the inbound call goes along by
    itself. A client gives its user token and, over TLS, the CA's file; certificate and key where they are asked for.
    Raises InvalidRequest (E_TLS_REQUIRED, E_CONFIG).
    """
    credentials = tls.channel_credentials(settings, ca, client_pair)
    if credentials is None and not is_loopback(address):
        raise InvalidRequest(
            "E_TLS_REQUIRED",
            f"address is {address}, want a loopback address without TLS",
            hint="a client gives the CA's file (--ca, QMTL_CA), a service has tls_cert, tls_key and tls_client_ca",
        )
    transport = Transport(address, peer, credentials, _options())
    return MeshChannel(transport, CallMetadata(service_token, user_token, default_timeout_s, metrics, breaker))


@dataclass(frozen=True, slots=True)
class CallMetadata:
    """What every call of a channel is given on its way out."""

    service_token: TokenSource | None
    user_token: TokenSource | None
    default_timeout_s: float
    metrics: Metrics | None
    breaker: Breaker | None = None
    budget: RetryBudget = field(default_factory=RetryBudget)

    def deadline(self, timeout: float | None, *, plain: bool) -> float | None:
        """When to give up: the timeout given, for plain calls the default, never later than the inbound call's."""
        wanted = self.default_timeout_s if timeout is None and plain else timeout
        inbound = current_call().deadline
        own = None if wanted is None else time.monotonic() + wanted
        return inbound if own is None else own if inbound is None else min(own, inbound)

    def stream(
        self, timeout: float | None, given: Metadata, stated: Mapping[str, str] = {}
    ) -> tuple[float | None, aio.Metadata]:
        """Time and metadata of a stream that is opened now. Raises Unavailable (E_BREAKER_OPEN), DeadlineExceeded."""
        if self.breaker is not None and self.breaker.state is BreakerState.OPEN:
            self.breaker.check()
        return remaining_s(self.deadline(timeout, plain=False)), self.metadata(given, stated)

    def metadata(self, given: Metadata, stated: Mapping[str, str] = {}) -> aio.Metadata:
        """Tokens, ids, the trace context and what is stated of a payload; what the caller set stays."""
        call = current_call()
        pairs = list(given.items() if isinstance(given, Mapping) else given or ())
        request_id = call.request_id or new_id()
        extra: dict[str, str] = {
            REQUEST_ID_KEY: request_id,
            CORRELATION_ID_KEY: call.correlation_id or request_id,
            **stated,
        }
        if self.user_token is not None:
            extra[USER_KEY] = f"Bearer {self.user_token()}"
        elif call.identity is not None:
            extra[USER_KEY] = f"Bearer {call.identity.token}"
        if self.service_token is not None:
            extra[SERVICE_KEY] = f"Bearer {self.service_token()}"
        traces.inject(extra)
        present = {key for key, _ in pairs}
        return aio.Metadata(*pairs, *((key, value) for key, value in extra.items() if key not in present))


class MeshChannel(aio.Channel):
    """A channel whose calls carry tokens, ids and deadlines; see `connect`."""

    def __init__(self, transport: Transport, given: CallMetadata) -> None:
        self._transport = transport
        self._given = given

    @property
    def breaker(self) -> Breaker | None:
        """The breaker all calls of this channel share, if it has one."""
        return self._given.breaker

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        await self._transport.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._transport.channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._transport.channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._transport.channel.channel_ready()

    def unary_unary(self, method: str, *coders: Any, **named: Any) -> aio.UnaryUnaryMultiCallable[Any, Any]:
        inner = Method(self._transport, lambda channel: channel.unary_unary(method, *coders, **named))
        return _UnaryUnary(inner, self._given, self._policy(method))

    def unary_stream(self, method: str, *coders: Any, **named: Any) -> aio.UnaryStreamMultiCallable[Any, Any]:
        inner = Method(self._transport, lambda channel: channel.unary_stream(method, *coders, **named))
        return _UnaryStream(inner, self._given)

    def stream_unary(self, method: str, *coders: Any, **named: Any) -> aio.StreamUnaryMultiCallable[Any, Any]:
        inner = Method(self._transport, lambda channel: channel.stream_unary(method, *coders, **named))
        return _StreamUnary(inner, self._given, self._policy(method))

    def stream_stream(self, method: str, *coders: Any, **named: Any) -> aio.StreamStreamMultiCallable[Any, Any]:
        inner = Method(self._transport, lambda channel: channel.stream_stream(method, *coders, **named))
        return _StreamStream(inner, self._given)

    def _policy(self, method: str) -> Policy:
        given = self._given
        return Policy(method, may_retry(method), given.budget, given.metrics, given.breaker)


class _UnaryUnary(aio.UnaryUnaryMultiCallable[Req, Res]):
    def __init__(
        self, inner: Method[aio.UnaryUnaryMultiCallable[Req, Res]], given: CallMetadata, policy: Policy
    ) -> None:
        self._inner = inner
        self._given = given
        self._policy = policy

    def __call__(
        self, request: Req, *, timeout: float | None = None, metadata: Metadata = None, **passed: Any
    ) -> aio.UnaryUnaryCall[Req, Res]:
        sent = self._given.metadata(metadata)

        def start(left_s: float | None) -> aio.UnaryUnaryCall[Req, Res]:
            return self._inner.current()(request, timeout=left_s, metadata=traces.with_current_span(sent), **passed)

        return UnaryCall(start, self._policy, self._given.deadline(timeout, plain=True))


class _UnaryStream(aio.UnaryStreamMultiCallable[Req, Res]):
    def __init__(self, inner: Method[aio.UnaryStreamMultiCallable[Req, Res]], given: CallMetadata) -> None:
        self._inner = inner
        self._given = given

    def __call__(
        self, request: Req, *, timeout: float | None = None, metadata: Metadata = None, **passed: Any
    ) -> aio.UnaryStreamCall[Req, Res]:
        left_s, sent = self._given.stream(timeout, metadata)
        return ReadingCall(self._inner.current()(request, timeout=left_s, metadata=sent, **passed))


class _StreamUnary(aio.StreamUnaryMultiCallable[Req, Res]):
    """The chunks of a payload are sent as a plain call is: with a deadline, and again where the contract lets it."""

    def __init__(
        self, inner: Method[aio.StreamUnaryMultiCallable[Req, Res]], given: CallMetadata, policy: Policy
    ) -> None:
        self._inner = inner
        self._given = given
        self._policy = policy

    def __call__(  # type: ignore[override]  # what is passed on is passed by name
        self, request_iterator: Any = None, timeout: float | None = None, metadata: Metadata = None, **passed: Any
    ) -> aio.StreamUnaryCall[Req, Res]:
        payload = payload_of(request_iterator)
        if payload is None:
            left_s, sent = self._given.stream(timeout, metadata)
            return WritingCall(self._inner.current()(request_iterator, timeout=left_s, metadata=sent, **passed))
        sent = self._given.metadata(metadata, payload.stated.metadata)

        def start(left_s: float | None) -> aio.StreamUnaryCall[Req, Res]:
            chunks, marked = paced(payload, lambda: begun), traces.with_current_span(sent)
            begun: aio.StreamUnaryCall[Req, Res] = self._inner.current()(
                chunks, timeout=left_s, metadata=marked, **passed
            )
            return begun

        once = isinstance(payload, Relayed)
        policy = replace(self._policy, retry=False) if once else self._policy
        return ChunkedCall(start, policy, self._given.deadline(timeout, plain=True))


class _StreamStream(aio.StreamStreamMultiCallable[Req, Res]):
    def __init__(self, inner: Method[aio.StreamStreamMultiCallable[Req, Res]], given: CallMetadata) -> None:
        self._inner = inner
        self._given = given

    def __call__(  # type: ignore[override]  # what is passed on is passed by name
        self, request_iterator: Any = None, timeout: float | None = None, metadata: Metadata = None, **passed: Any
    ) -> aio.StreamStreamCall[Req, Res]:
        payload = payload_of(request_iterator)
        left_s, sent = self._given.stream(timeout, metadata, {} if payload is None else payload.stated.metadata)
        requests = request_iterator if payload is None else paced(payload, lambda: call)
        call: aio.StreamStreamCall[Req, Res] = self._inner.current()(requests, timeout=left_s, metadata=sent, **passed)
        return TwoWayCall(call)


def _options() -> list[Option]:
    return [
        ("grpc.max_receive_message_length", REPLY_BYTES_MAX),
        ("grpc.max_send_message_length", REQUEST_BYTES_MAX),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MS),  # the one core goes by, see server.py
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 65_536),
        # A service that is restarted is back within a second: do not wait out gRPC's long defaults.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        # A proxy from the environment is for the web, not for the mesh.
        ("grpc.enable_http_proxy", 0),
        # Channels to one address of one process would else share a connection, and its fate, across users.
        ("grpc.use_local_subchannel_pool", 1),
    ]

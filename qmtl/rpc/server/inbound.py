"""One inbound call while it is served: its metadata, ids, deadline and the bounds of its server."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Final

import grpc
from grpc import aio

from qmtl.config.settings import ServiceSettings
from qmtl.core.errors import Unauthenticated
from qmtl.rpc.auth.call import Call
from qmtl.rpc.metadata import CORRELATION_ID_KEY, REQUEST_ID_KEY
from qmtl.rpc.rules.methods import MethodRule
from qmtl.rpc.telemetry.ids import new_id

_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
Context = aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server. Streams and short calls are counted apart, so subscribers cannot shut callers out.

    An identity has its share of each; one without a role (`Role.NONE`) an eighth of it. Services have no share: what
    they do for a user is that user's. The reserve is for the methods that the contract calls reserved.
    """

    calls_max: int = 512
    streams_max: int = 1024
    reserve_max: int = 512  # reserved calls and streams, beside all others
    identity_calls_max: int = 256
    identity_streams_max: int = 256
    identity_reserve_max: int = 128
    body_bytes_max: int = 256 * 1024 * 1024  # of requests being read and served
    identity_body_bytes_max: int = 16 * 1024 * 1024
    connection_body_bytes_max: int = 32 * 1024 * 1024
    request_bytes_max: int = 1024 * 1024  # of one message; gRPC reads it whole before any code of ours runs
    reply_bytes_max: int = 1024 * 1024  # of one message; every client of ours takes no more
    metadata_bytes_max: int = 24 * 1024  # two tokens of the longest kind and as much again
    deadline_default_s: float = 30.0
    deadline_max_s: float = 120.0
    retry_after_s: float = 1.0
    keepalive_s: float = 60.0  # how long a silent connection is believed in before it is asked
    keepalive_timeout_s: float = 20.0  # how long it has to answer


def configured(limits: Limits, settings: ServiceSettings) -> Limits:
    """The limits with those that the settings name."""
    named = {
        "calls_max": settings.calls_max,
        "streams_max": settings.streams_max,
        "reserve_max": settings.reserve_max,
        "identity_calls_max": settings.identity_calls_max,
        "identity_streams_max": settings.identity_streams_max,
        "identity_reserve_max": settings.identity_reserve_max,
        "body_bytes_max": settings.body_bytes_max,
        "identity_body_bytes_max": settings.identity_body_bytes_max,
        "connection_body_bytes_max": settings.connection_body_bytes_max,
    }
    return replace(limits, **{name: value for name, value in named.items() if value})


@dataclass(slots=True)
class Inbound:
    """One RPC while it is being served; `code` is the status that went out, `entered` that a handler was asked.

    `turn` holds the turn of a payload that came in chunks, from its last one on (see shares.Turns).
    """

    rule: MethodRule
    kind: str
    context: Context
    metadata: Mapping[str, str]
    duplicated: frozenset[str]
    code: grpc.StatusCode = grpc.StatusCode.OK
    entered: bool = False
    call: Call = field(default_factory=Call)
    turn: AsyncExitStack = field(default_factory=AsyncExitStack)


def inbound_of(rule: MethodRule, kind: str, context: Context) -> Inbound:
    """The call as it arrives, with its metadata by key."""
    metadata: dict[str, str] = {}
    duplicated: set[str] = set()
    for key, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            if key in metadata:
                duplicated.add(key)
            metadata[key] = value
    return Inbound(rule, kind, context, metadata, frozenset(duplicated))


def call_of(inbound: Inbound, limits: Limits) -> Call:
    """The call's ids, peer and deadline, without identities yet."""
    request_id = _id(inbound.metadata, REQUEST_ID_KEY) or new_id()
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


def bearer_of(inbound: Inbound, key: str) -> str:
    """The token under a metadata key; "" without one. Raises Unauthenticated (E_TOKEN_MALFORMED)."""
    value = inbound.metadata.get(key, "")
    if not value:
        return ""
    scheme, _, token = value.partition(" ")
    if key in inbound.duplicated or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("E_TOKEN_MALFORMED", f"metadata {key} is not one Bearer token", hint="Bearer <token>")
    return token.strip()

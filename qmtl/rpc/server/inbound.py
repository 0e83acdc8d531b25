"""One inbound call while it is served: its metadata, ids, deadline and the bounds of its server."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from grpc import aio

from qmtl.core.errors import Unauthenticated
from qmtl.rpc.auth.call import Call
from qmtl.rpc.metadata import CORRELATION_ID_KEY, REQUEST_ID_KEY
from qmtl.rpc.rules.methods import MethodRule

WHOLE_DAG_BYTES_MAX: Final = 16 * 1024 * 1024  # of servers whose RPCs take a whole DAG in one message
_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
Context = aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server. Streams and short calls are counted apart, so subscribers cannot shut callers out."""

    calls_max: int = 512
    streams_max: int = 1024
    request_bytes_max: int = 1024 * 1024  # of one message; gRPC reads it whole before any code of ours runs
    reply_bytes_max: int = 16 * 1024 * 1024
    metadata_bytes_max: int = 24 * 1024  # two tokens of the longest kind and as much again
    deadline_default_s: float = 30.0
    deadline_max_s: float = 120.0
    retry_after_s: float = 1.0
    keepalive_s: float = 60.0  # how long a silent connection is believed in before it is asked
    keepalive_timeout_s: float = 20.0  # how long it has to answer


@dataclass(slots=True)
class Inbound:
    """One RPC while it is being served; `code` is the status that went out, `entered` that a handler was asked."""

    rule: MethodRule
    kind: str
    context: Context
    metadata: Mapping[str, str]
    duplicated: frozenset[str]
    code: grpc.StatusCode = grpc.StatusCode.OK
    entered: bool = False
    call: Call = field(default_factory=Call)


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


def bearer_of(inbound: Inbound, key: str) -> str:
    """The token under a metadata key; "" without one. Raises Unauthenticated (E_TOKEN_MALFORMED)."""
    value = inbound.metadata.get(key, "")
    if not value:
        return ""
    scheme, _, token = value.partition(" ")
    if key in inbound.duplicated or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("E_TOKEN_MALFORMED", f"metadata {key} is not one Bearer token", hint="Bearer <token>")
    return token.strip()

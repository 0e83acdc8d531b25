"""Stream and resume tokens: signed by the gateways' shared stream key, so that one is valid at any of them.

Neither is the user's token: a stream token opens one event stream of one scope, a resume token names a place in it.
A changed scope is refused; so is anything not signed with EdDSA by a key we know.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from joserfc.jwk import KeySet, OKPKey

from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest, PermissionDenied, Unauthenticated
from qmtl.core.roles import Role
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.rpc.auth.identity import Identity
from qmtl.rpc.auth.tokens import mint
from qmtl.rpc.auth.verification import verified

STREAM_AUDIENCE = "qmtl-stream"
RESUME_AUDIENCE = "qmtl-resume"
RESUME_TTL = timedelta(days=1)  # CONTROL keeps 24 h: an older place is gone anyway


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Where a subscriber stands: the last sequence seen of each stream, and when CONTROL was made.

    `ahead`: revisions a snapshot has shown whose events had not come yet, so that they are not shown again.
    """

    control: int
    orders: int
    born: str = ""
    ahead: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """What one event stream may show: whose, of which world and strategy, which topics."""

    subject: str
    world_id: str
    strategy_id: str
    topics: tuple[eventpb.Topic, ...]


@dataclass(frozen=True, slots=True)
class StreamGrant:
    """What a stream token opens: one stream, of one scope, until an instant."""

    scope: Scope
    stream_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StreamKey:
    """A key that signs from an instant on, until the next does; it verifies before and after."""

    generation: int
    key: OKPKey
    signs_from: datetime


class StreamKeys:
    """The keys all gateways of a mesh sign with and know; see key_store.py for where they come from."""

    def __init__(self, clock: Clock, keys: Sequence[StreamKey]) -> None:
        self._clock = clock
        self._keys: tuple[StreamKey, ...] = ()
        self.take(keys)

    def take(self, keys: Sequence[StreamKey]) -> None:
        """Know these from now on. Raises ValueError for none."""
        if not keys:
            raise ValueError("no stream keys, want at least one")
        self._keys = tuple(sorted(keys, key=lambda one: -one.generation))

    def _signing(self) -> OKPKey:
        """The newest key every gateway has had the time to learn; the oldest where each is too new."""
        now = self._clock.now()
        return next((one.key for one in self._keys if one.signs_from <= now), self._keys[-1].key)

    def stream_token(self, scope: Scope, ttl: timedelta, stream_id: str) -> tuple[str, datetime]:
        """A token for SubscribeEvents and when it expires; a renewed one keeps the stream's id."""
        expires_at = self._clock.now() + ttl
        return self._mint(STREAM_AUDIENCE, scope, {"sid": stream_id}, expires_at), expires_at

    def resume_token(self, scope: Scope, place: StreamPosition) -> str:
        """The place right after what was seen, in a stream of this scope."""
        where: dict[str, object] = {"control": place.control, "orders": place.orders, "born": place.born}
        if place.ahead:
            where["ahead"] = dict(place.ahead)
        return self._mint(RESUME_AUDIENCE, scope, where, self._clock.now() + RESUME_TTL)

    def opened(self, token: str) -> StreamGrant:
        """What a stream token opens. Raises Unauthenticated (E_STREAM_TOKEN)."""
        try:
            claims = self._claims(token, STREAM_AUDIENCE)
            scope = _scope(claims)
        except Unauthenticated as error:
            raise Unauthenticated(
                "E_STREAM_TOKEN", f"the stream token cannot be used: {error.message}", hint="create the stream again"
            ) from None
        expires = datetime.fromtimestamp(int(str(claims["exp"])), UTC)
        return StreamGrant(scope, str(claims.get("sid", "")), expires)

    def identity(self, token: str) -> Identity:
        """Whom a stream token stands for: its subject, in its world alone. Raises Unauthenticated (E_STREAM_TOKEN)."""
        scope = self.opened(token).scope
        return Identity(scope.subject, Role.NONE, frozenset({scope.world_id}), token)

    def place(self, token: str, scope: Scope) -> StreamPosition:
        """The place a resume token names. Raises InvalidRequest (E_RESUME_TOKEN), PermissionDenied (E_RESUME_SCOPE)."""
        try:
            claims = self._claims(token, RESUME_AUDIENCE)
            named = _scope(claims)
        except Unauthenticated as error:
            raise _no_place(error.message) from None
        if named != scope:
            raise PermissionDenied(
                "E_RESUME_SCOPE", "the resume token is of another stream", hint="start without a resume token"
            )
        control, orders = claims.get("control"), claims.get("orders", 0)
        if not isinstance(control, int) or not isinstance(orders, int) or min(control, orders) < 0:
            raise _no_place("it names no place")
        ahead = claims.get("ahead", {})
        if not isinstance(ahead, dict):
            raise _no_place("it names no place")
        return StreamPosition(control, orders, str(claims.get("born", "")), tuple(sorted(ahead.items())))

    def public(self) -> list[eventservicepb.PublicKey]:
        """Public halves of the keys tokens may be signed with."""
        keys = [one.key for one in self._keys]
        return [eventservicepb.PublicKey(kid=str(key.kid), x=str(key.as_dict(private=False)["x"])) for key in keys]

    def _mint(self, audience: str, scope: Scope, extra: Mapping[str, object], expires_at: datetime) -> str:
        claims: dict[str, object] = {
            "aud": audience, "sub": scope.subject, "world_id": scope.world_id, "strategy_id": scope.strategy_id,
            "topics": list(scope.topics), "jti": secrets.token_hex(8), "iat": int(self._clock.now().timestamp()),
            "exp": int(expires_at.timestamp()), **extra,
        }  # fmt: skip
        return mint(self._signing(), claims)

    def _claims(self, token: str, audience: str) -> dict[str, object]:
        if not token:
            raise Unauthenticated("E_TOKEN_MISSING", "the token is empty", hint="call CreateEventStream first")
        claims = verified(token, KeySet([one.key for one in self._keys]))
        if claims.get("aud") != audience:
            raise Unauthenticated("E_TOKEN_AUDIENCE", f"the token's audience is not {audience}")
        expires = claims.get("exp")
        if not isinstance(expires, int) or expires <= self._clock.now().timestamp():
            raise Unauthenticated("E_TOKEN_EXPIRED", "the token has expired", hint="create or refresh the stream")
        return claims


def _no_place(why: str) -> InvalidRequest:
    return InvalidRequest(
        "E_RESUME_TOKEN", f"the resume token cannot be used: {why}", hint="start without a resume token"
    )


def _scope(claims: Mapping[str, object]) -> Scope:
    topics = claims.get("topics")
    if not isinstance(topics, list):
        raise Unauthenticated("E_TOKEN_CLAIMS", "claim topics is missing")
    return Scope(
        str(claims.get("sub", "")), str(claims.get("world_id", "")), str(claims.get("strategy_id", "")), tuple(topics)
    )

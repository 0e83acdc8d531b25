"""Stream and resume tokens: signed by the gateways' shared stream key, so that one is valid at any of them.

Neither is the user's token: a stream token opens one event stream of one scope, a resume token names a place in it.
A changed scope is refused; so is anything not signed with EdDSA by a key we know.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from joserfc.jwk import KeySet, OKPKey

from qmtl.config.files import write_private
from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest, PermissionDenied, Unauthenticated
from qmtl.core.roles import Role
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.rpc.auth.identity import Identity
from qmtl.rpc.auth.keys import new_key
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


class StreamKeys:
    """The signing key and its predecessor, in a private file the gateways share."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._stamp = -1
        self._keys: list[OKPKey] = []
        self._reload()

    def rotate(self, older_than: timedelta) -> bool:
        """Sign with a new key from now on, unless the present one is younger; its predecessor still verifies.

        One of several gateways does it; the others find the new key in the file.
        """
        with open(self._path.with_suffix(".lock"), "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._reload()
            made = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
            if self._clock.now() - made < older_than:
                return False
            kept = [new_key(), self._keys[0]]
            write_private(self._path, json.dumps({"keys": [key.as_dict(private=True) for key in kept]}))
            self._reload()
            return True

    def _reload(self) -> None:
        """Read the file if another gateway changed it; made when absent, by whoever is first."""
        if not self._path.exists():
            _make(self._path)
        stamp = self._path.stat().st_mtime_ns
        if stamp != self._stamp:
            self._keys = [OKPKey.import_key(key) for key in json.loads(self._path.read_bytes())["keys"]]
            self._stamp = stamp

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
        self._reload()
        return [
            eventservicepb.PublicKey(kid=str(key.kid), x=str(key.as_dict(private=False)["x"])) for key in self._keys
        ]

    def _mint(self, audience: str, scope: Scope, extra: Mapping[str, object], expires_at: datetime) -> str:
        claims: dict[str, object] = {
            "aud": audience, "sub": scope.subject, "world_id": scope.world_id, "strategy_id": scope.strategy_id,
            "topics": list(scope.topics), "jti": secrets.token_hex(8), "iat": int(self._clock.now().timestamp()),
            "exp": int(expires_at.timestamp()), **extra,
        }  # fmt: skip
        return mint(self._keys[0], claims)

    def _claims(self, token: str, audience: str) -> dict[str, object]:
        if not token:
            raise Unauthenticated("E_TOKEN_MISSING", "the token is empty", hint="call CreateEventStream first")
        self._reload()
        claims = verified(token, KeySet(list(self._keys)))
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


def _make(path: Path) -> None:
    """Write a first key; when two gateways do at once, the first file stays."""
    own = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    write_private(own, json.dumps({"keys": [new_key().as_dict(private=True)]}))
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    finally:
        own.unlink()

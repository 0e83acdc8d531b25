"""Stream and resume tokens: signed by the gateways' shared stream key, so that one is valid at any of them.

Neither is the user's token: a stream token opens one event stream of one scope, a resume token names a place in it.
A changed scope is refused; so is anything not signed with EdDSA by a key we know.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from joserfc.jwk import KeySet, OKPKey

from qmtl.core.clock import Clock
from qmtl.core.errors import PermissionDenied, Unauthenticated
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as servicepb
from qmtl.rpc.auth import mint, new_key, verified, write_private

STREAM_AUDIENCE = "qmtl-stream"
RESUME_AUDIENCE = "qmtl-resume"
RESUME_TTL = timedelta(days=1)  # CONTROL keeps 24 h: an older place is gone anyway


@dataclass(frozen=True, slots=True)
class Scope:
    """What one event stream may show: whose, of which world and strategy, which topics."""

    subject: str
    world_id: str
    strategy_id: str
    topics: tuple[gatewaypb.Topic, ...]


class StreamKeys:
    """The signing key and its predecessor, in a private file the gateways share."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._keys = _load(path)

    def stream_token(self, scope: Scope, ttl: timedelta) -> tuple[str, datetime]:
        """A token for SubscribeEvents and when it expires."""
        expires_at = self._clock.now() + ttl
        return self._mint(STREAM_AUDIENCE, scope, {}, expires_at), expires_at

    def resume_token(self, scope: Scope, sequence: int) -> str:
        """The place after CONTROL's `sequence` in a stream of this scope."""
        return self._mint(RESUME_AUDIENCE, scope, {"control": sequence}, self._clock.now() + RESUME_TTL)

    def scope_of(self, token: str) -> Scope:
        """The scope a stream token opens. Raises Unauthenticated (E_TOKEN_...)."""
        return _scope(self._claims(token, STREAM_AUDIENCE))

    def place(self, token: str, scope: Scope) -> int:
        """The sequence a resume token names. Raises Unauthenticated, PermissionDenied (E_RESUME_SCOPE)."""
        claims = self._claims(token, RESUME_AUDIENCE)
        if _scope(claims) != scope:
            raise PermissionDenied(
                "E_RESUME_SCOPE", "the resume token is of another stream", hint="start without a resume token"
            )
        sequence = claims.get("control")
        if not isinstance(sequence, int) or sequence < 0:
            raise Unauthenticated("E_TOKEN_CLAIMS", "the resume token names no place")
        return sequence

    def public(self) -> list[servicepb.PublicKey]:
        """Public halves of the keys tokens may be signed with."""
        return [servicepb.PublicKey(kid=str(key.kid), x=str(key.as_dict(private=False)["x"])) for key in self._keys]

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
        claims = verified(token, KeySet(list(self._keys)))
        if claims.get("aud") != audience:
            raise Unauthenticated("E_TOKEN_AUDIENCE", f"the token's audience is not {audience}")
        expires = claims.get("exp")
        if not isinstance(expires, int) or expires <= self._clock.now().timestamp():
            raise Unauthenticated("E_TOKEN_EXPIRED", "the token has expired", hint="create or refresh the stream")
        return claims


def _scope(claims: Mapping[str, object]) -> Scope:
    topics = claims.get("topics")
    if not isinstance(topics, list):
        raise Unauthenticated("E_TOKEN_CLAIMS", "claim topics is missing")
    return Scope(
        str(claims.get("sub", "")), str(claims.get("world_id", "")), str(claims.get("strategy_id", "")), tuple(topics)
    )


def _load(path: Path) -> list[OKPKey]:
    """The keys of the file, newest first; made when absent."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, json.dumps({"keys": [new_key().as_dict(private=True)]}))
    return [OKPKey.import_key(key) for key in json.loads(path.read_bytes())["keys"]]

"""Stream and resume tokens: what opens a stream and what does not."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from gateway.events.tokens import Scope, StreamKey, StreamKeys, StreamPosition
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import InvalidRequest, PermissionDenied, Unauthenticated
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.rpc.auth.keys import new_key
from tests.gateway.events.signing import stream_keys

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SCOPE = Scope("ada", "w1", "", (eventpb.TOPIC_ACTIVATION,))
HERE = StreamPosition(5, 7, "then")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def keys(clock: VirtualClock) -> StreamKeys:
    return stream_keys(clock)


def test_stream_token_opens_its_scope(keys: StreamKeys) -> None:
    token, _ = keys.stream_token(SCOPE, MINUTE, "stream-1")
    assert keys.opened(token).scope == SCOPE


async def test_expired_token_is_refused(keys: StreamKeys, clock: VirtualClock) -> None:
    token, _ = keys.stream_token(SCOPE, MINUTE, "stream-1")
    clock.advance(MINUTE)
    with pytest.raises(Unauthenticated, match="E_STREAM_TOKEN"):
        keys.opened(token)


def test_resume_token_is_no_stream_token_and_the_other_way_round(keys: StreamKeys) -> None:
    with pytest.raises(Unauthenticated, match="E_STREAM_TOKEN"):
        keys.opened(keys.resume_token(SCOPE, HERE))
    with pytest.raises(InvalidRequest, match="E_RESUME_TOKEN"):
        keys.place(keys.stream_token(SCOPE, MINUTE, "stream-1")[0], SCOPE)


def test_resume_in_another_scope_is_refused(keys: StreamKeys) -> None:
    token = keys.resume_token(SCOPE, HERE)
    assert keys.place(token, SCOPE) == HERE
    with pytest.raises(PermissionDenied, match="E_RESUME_SCOPE"):
        keys.place(token, Scope("ada", "w2", "", SCOPE.topics))


def test_token_of_another_key_is_refused(keys: StreamKeys, clock: VirtualClock) -> None:
    other = stream_keys(clock)
    with pytest.raises(Unauthenticated, match="E_STREAM_TOKEN"):
        keys.opened(other.stream_token(SCOPE, MINUTE, "stream-1")[0])


def test_published_keys_are_public(keys: StreamKeys) -> None:
    (published,) = keys.public()
    assert published.x
    assert published.x not in str(SCOPE)


def test_a_key_signs_from_its_instant_on_and_verifies_before(clock: VirtualClock) -> None:
    first, second = StreamKey(1, new_key(), NOW), StreamKey(2, new_key(), NOW + MINUTE)
    keys, ahead = StreamKeys(clock, [first]), StreamKeys(clock, [second, first])
    old, _ = ahead.stream_token(SCOPE, 10 * MINUTE, "stream-1")
    assert keys.opened(old).stream_id == "stream-1"  # who does not know the new key yet reads what is signed now
    clock.advance(MINUTE)
    new, _ = ahead.stream_token(SCOPE, 10 * MINUTE, "stream-2")
    with pytest.raises(Unauthenticated, match="E_STREAM_TOKEN"):
        keys.opened(new)
    keys.take([first, second])
    assert [keys.opened(token).stream_id for token in (old, new)] == ["stream-1", "stream-2"]
    with pytest.raises(ValueError, match="want at least one"):
        keys.take([])


def forged(header: dict[str, str], claims: dict[str, object], sign: Callable[[bytes], bytes]) -> str:
    """A token with a header of the forger's choice."""
    parts = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    return (parts + b"." + base64.urlsafe_b64encode(sign(parts)).rstrip(b"=")).decode()


def test_unsigned_token_and_one_signed_with_the_public_key_as_a_secret_are_refused(
    keys: StreamKeys, clock: VirtualClock
) -> None:
    public = keys.public()[0]
    secret = base64.urlsafe_b64decode(public.x + "=")
    claims: dict[str, object] = {
        "aud": "qmtl-stream", "sub": "ada", "world_id": "w1", "strategy_id": "", "topics": [1], "sid": "stream-1",
        "exp": int((clock.now() + MINUTE).timestamp()),
    }  # fmt: skip
    unsigned = forged({"alg": "none", "kid": public.kid}, claims, lambda parts: b"")
    symmetric = forged({"alg": "HS256", "kid": public.kid}, claims, lambda parts: hmac.digest(secret, parts, "sha256"))
    for token in (unsigned, symmetric):
        with pytest.raises(Unauthenticated, match="E_STREAM_TOKEN"):
            keys.opened(token)

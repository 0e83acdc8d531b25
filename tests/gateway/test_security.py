"""The public entry and those who should not come in, over real channels: bad tokens, forged streams, too much.

Every refusal is looked at twice: by its code and reason, and for whether it or the log shows a part of a token.
"""

from __future__ import annotations

import base64
import hmac
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from joserfc.jwk import OKPKey

from controlbus.jetstream.permissions import seed_path, write_seeds
from gateway.events.tokens import Scope, StreamPosition
from qmtl.config.settings import MeshSettings
from qmtl.core.errors import InvalidRequest, PermissionDenied, QmtlError, Unauthenticated, Unavailable
from qmtl.core.roles import Role
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb
from qmtl.gateway.v1 import gateway_status_service_pb2_grpc as gatewaystatusrpc
from qmtl.gateway.v1 import queue_service_pb2_grpc as queuerpc
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.gateway.v1 import strategy_service_pb2_grpc as strategyrpc
from qmtl.gateway.v1 import trading_service_pb2_grpc as tradingrpc
from qmtl.rpc.auth.keys import DEV_ISSUER, dev_issuers, ensure_dev_keys, new_key
from qmtl.rpc.auth.tokens import mint, mint_service_token, mint_user_token
from qmtl.rpc.client.channel import connect
from qmtl.rpc.client.streams import scoped
from qmtl.rpc.metadata import bearer
from qmtl.rpc.server.inbound import Limits
from qmtl.rpc.status import from_rpc_error
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from qmtl.world.v1.world_service_pb2_grpc import WorldServiceStub
from tests.gateway.events.signing import stored_stream_keys
from tests.gateway.harness import GatewayHarness, lone_gateway, make_world
from tests.mesh.gateway_client import GatewayClient, client_over
from tests.rpc.certificates import authority
from tests.rpc.mesh import services_of
from tests.support.logbook import lines, logged

Metadata = tuple[tuple[str, str], ...]
STRATEGY = eventpb.TOPIC_STRATEGY
MINUTE = timedelta(minutes=1)


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """What the gateway logs, at DEBUG."""
    with logged() as stream:
        yield stream


@pytest.fixture
async def lone(tmp_path: Path, nats_url: str, out: io.StringIO) -> AsyncIterator[GatewayHarness]:
    async with lone_gateway(tmp_path, nats_url) as harness:
        yield harness


# Tokens, good and bad.


def issuer_key(home: Path) -> OKPKey:
    return OKPKey.import_key(json.loads((home / "keys" / "issuer.jwk").read_text()))


def claims(**changes: object) -> dict[str, object]:
    now = int(datetime.now(UTC).timestamp())
    return {"iss": DEV_ISSUER, "aud": "qmtl", "sub": "ann", "role": "owner", "nbf": now, "exp": now + 600, **changes}


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def forged(header: dict[str, str], said: dict[str, object], secret: bytes = b"") -> str:
    """A token with a header of the forger's choice, signed with a secret if there is one."""
    body = f"{encoded(header)}.{encoded(said)}"
    signature = hmac.digest(secret, body.encode(), "sha256") if secret else b""
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def public_key(home: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((home / "keys" / "jwks.json").read_text())["keys"][0]
    return found


def with_hs256(home: Path) -> str:
    public = public_key(home)
    return forged({"alg": "HS256", "kid": public["kid"]}, claims(), base64.urlsafe_b64decode(public["x"] + "="))


def with_another_role(home: Path) -> str:
    header, _, signature = mint_user_token(home, Role.READER, "ann").split(".")
    return f"{header}.{encoded(claims(role='owner'))}.{signature}"


BAD: dict[str, tuple[Callable[[Path], str], str]] = {
    "expired": (lambda home: mint_user_token(home, Role.OWNER, "ann", ttl=-MINUTE), "E_TOKEN_EXPIRED"),
    "not valid yet": (lambda home: mint(issuer_key(home), claims(nbf=2**33)), "E_TOKEN_NOT_YET_VALID"),
    "a service's": (lambda home: mint_service_token(home, "gateway"), "E_TOKEN_AUDIENCE"),
    "wrong audience": (lambda home: mint(issuer_key(home), claims(aud="qmtl-stream")), "E_TOKEN_AUDIENCE"),
    "wrong issuer": (lambda home: mint(issuer_key(home), claims(iss="corp")), "E_TOKEN_ISSUER"),
    "wrong key": (lambda home: mint(new_key(), claims()), "E_TOKEN_SIGNATURE"),
    "wrong key, our kid": (
        lambda home: mint(OKPKey.generate_key("Ed25519", {"kid": public_key(home)["kid"]}), claims()),
        "E_TOKEN_SIGNATURE",
    ),
    "algorithm none": (
        lambda home: forged({"alg": "none", "kid": public_key(home)["kid"]}, claims()),
        "E_TOKEN_SIGNATURE",
    ),
    "HS256 with the public key": (with_hs256, "E_TOKEN_SIGNATURE"),
    "another role": (with_another_role, "E_TOKEN_SIGNATURE"),
    "too long": (lambda home: mint(issuer_key(home), claims(worlds=["w" * 9_000])), "E_TOKEN_MALFORMED"),
    "no token at all": (lambda home: "x" * 64, "E_TOKEN_MALFORMED"),
}


def as_user(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


# Calls: one of each kind, own and forwarded.


async def get_status(channel: aio.Channel, said: Metadata) -> object:
    return await gatewaystatusrpc.GatewayStatusServiceStub(channel).GetStatus(
        gatewaystatuspb.GetStatusRequest(), metadata=said
    )


async def get_world(channel: aio.Channel, said: Metadata) -> object:
    return await WorldServiceStub(channel).GetWorld(worldservicepb.GetWorldRequest(world_id="w"), metadata=said)


async def watch(channel: aio.Channel, said: Metadata) -> object:
    request = strategyservicepb.WatchStrategyRequest(strategy_id="s")
    return await strategyrpc.StrategyServiceStub(channel).WatchStrategy(request, metadata=said).read()


async def trade(channel: aio.Channel, said: Metadata) -> object:
    return await tradingrpc.TradingServiceStub(channel).TradeStream(metadata=said).read()


async def publish(channel: aio.Channel, said: Metadata) -> object:
    return await queuerpc.QueueServiceStub(channel).PublishRecords(iter(()), metadata=said)


async def reflect(channel: aio.Channel, said: Metadata) -> object:
    return await channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")(
        metadata=said
    ).read()


CALLS: Sequence[Callable[[aio.Channel, Metadata], Awaitable[object]]] = (
    get_status, get_world, watch, trade, publish, reflect,
)  # fmt: skip


async def refusal(call: Awaitable[object]) -> aio.AioRpcError:
    """What a refused call was answered."""
    with pytest.raises(aio.AioRpcError) as refused:
        await call
    return refused.value


def reason_of(error: aio.AioRpcError) -> str:
    told = from_rpc_error(error)
    return told.metadata.get("cause", told.reason)


def everything_said(error: aio.AioRpcError) -> str:
    return repr((error.details(), error.debug_error_string(), [*error.initial_metadata(), *error.trailing_metadata()]))


def assert_hidden(token: str, *texts: str) -> None:
    """Neither the token nor the parts that carry something of it stand in a text."""
    for part in (token, *token.split(".")[1:]):
        for text in texts:
            assert not part or part not in text


@pytest.mark.parametrize("name", BAD)
async def test_bad_token_is_refused_by_every_kind_of_call_and_told_to_nobody(
    lone: GatewayHarness, out: io.StringIO, name: str
) -> None:
    make, reason = BAD[name]
    token = make(lone.home)
    async with aio.insecure_channel(lone.mesh_address("gateway")) as channel:
        for call in CALLS:
            error = await refusal(call(channel, as_user(token)))
            assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAUTHENTICATED, reason), call.__name__
            assert_hidden(token, everything_said(error))
    assert_hidden(token, out.getvalue())
    refused = [line for line in lines(out) if line["event"] == "rpc" and line["code"] == "UNAUTHENTICATED"]
    assert len(refused) == len(CALLS)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (lambda good, peer: (), "E_TOKEN_MISSING"),
        (lambda good, peer: (("authorization", good),), "E_TOKEN_MALFORMED"),
        (lambda good, peer: (("authorization", f"Basic {good}"),), "E_TOKEN_MALFORMED"),
        (lambda good, peer: (*as_user(good), *as_user(good)), "E_TOKEN_MALFORMED"),
        (lambda good, peer: (*as_user(good), ("x-qmtl-service", f"Bearer {good}")), "E_TOKEN_AUDIENCE"),
        (lambda good, peer: (*as_user(good), ("x-qmtl-service", f"Bearer {peer}x")), "E_TOKEN_SIGNATURE"),
    ],
    ids=["none", "bare", "basic", "twice", "user as service", "spoilt service"],
)
async def test_good_token_said_wrongly_is_refused(
    lone: GatewayHarness, out: io.StringIO, said: Callable[[str, str], Metadata], reason: str
) -> None:
    good, peer = mint_user_token(lone.home, Role.OWNER, "ann"), mint_service_token(lone.home, "gateway")
    async with aio.insecure_channel(lone.mesh_address("gateway")) as channel:
        assert await get_status(channel, as_user(good))
        for call in CALLS:
            error = await refusal(call(channel, said(good, peer)))
            assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAUTHENTICATED, reason), call.__name__
            assert_hidden(good, everything_said(error))
            assert_hidden(peer, everything_said(error))
    assert_hidden(good, out.getvalue())
    assert_hidden(peer, out.getvalue())


# Stream and resume tokens.


SCOPE = Scope("ann", "w", "", (STRATEGY,))


def forged_streams(home: Path, other: Path, audience: str, kid: str, x: str) -> dict[str, str]:
    """Tokens of the right shape that no gateway signed, by what is wrong with them."""
    shape: dict[str, object] = {
        "aud": audience, "sub": "ann", "world_id": "w", "strategy_id": "", "topics": [STRATEGY], "sid": "s",
        "control": 1, "orders": 0, "exp": int((datetime.now(UTC) + MINUTE).timestamp()),
    }  # fmt: skip
    return {
        "algorithm none": forged({"alg": "none", "kid": kid}, shape),
        "HS256 with the public key": forged(
            {"alg": "HS256", "kid": kid}, shape, base64.urlsafe_b64decode(x + "=" * (-len(x) % 4))
        ),
        "wrong key": mint(OKPKey.generate_key("Ed25519", {"kid": kid}), shape),
        "the issuer's key": mint(issuer_key(home), shape),
        "another mesh's": stored_stream_keys(other).stream_token(SCOPE, MINUTE, "s")[0],
    }


async def subscribed(client: GatewayClient, token: str, resume: str = "") -> eventpb.Frame:
    """The first frame of a stream."""
    request = eventservicepb.SubscribeEventsRequest(resume_token=resume)
    with scoped(client.events.SubscribeEvents(request, metadata=bearer(token))) as replies:
        return (await anext(aiter(replies))).frame


async def test_forged_and_foreign_stream_tokens_open_nothing(
    lone: GatewayHarness, out: io.StringIO, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ann = await lone.client()
    (public,) = (await ann.events.GetJwks(eventservicepb.GetJwksRequest())).keys
    keys, user = stored_stream_keys(lone.home), mint_user_token(lone.home, Role.OWNER, "ann")
    other = tmp_path_factory.mktemp("other")
    bad = {
        **{(name, "E_STREAM_TOKEN"): token for name, token in
           forged_streams(lone.home, other, "qmtl-stream", public.kid, public.x).items()},
        ("a user's", "E_STREAM_TOKEN"): user,
        ("expired", "E_STREAM_TOKEN"): keys.stream_token(SCOPE, -MINUTE, "s")[0],
        ("for resuming", "E_STREAM_TOKEN"): keys.resume_token(SCOPE, StreamPosition(1, 0)),
    }  # fmt: skip
    for (name, reason), token in bad.items():
        with pytest.raises(Unauthenticated) as refused:
            await subscribed(ann, token)
        assert refused.value.reason == reason, name
        with pytest.raises(Unauthenticated) as refused:
            await ann.events.RefreshEventStream(eventservicepb.RefreshEventStreamRequest(stream_token=token))
        assert refused.value.reason == reason, name
        assert_hidden(token, str(refused.value), out.getvalue())
    good = keys.stream_token(SCOPE, MINUTE, "s")[0]
    eve = await lone.client(subject="eve")
    with pytest.raises(Unauthenticated) as denied:
        await eve.events.RefreshEventStream(eventservicepb.RefreshEventStreamRequest(stream_token=good))
    assert denied.value.reason == "E_STREAM_TOKEN"
    assert_hidden(good, str(denied.value), out.getvalue())
    assert "unmapped_error" not in out.getvalue()


async def test_stream_and_resume_tokens_of_another_world_show_nothing_of_it(
    out: io.StringIO, harness: GatewayHarness, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ann = await harness.client()
    mine, other = await make_world(ann), await make_world(ann)
    keys = stored_stream_keys(harness.home)
    (public,) = (await ann.events.GetJwks(eventservicepb.GetJwksRequest())).keys
    request = eventservicepb.CreateEventStreamRequest(world_id=mine, topics=[STRATEGY])
    token = (await ann.events.CreateEventStream(request)).stream.stream_token
    assert (await subscribed(ann, token)).HasField("snapshot")
    elsewhere = tmp_path_factory.mktemp("other")
    bad = {
        **{(name, "E_RESUME_TOKEN"): forgery for name, forgery in
           forged_streams(harness.home, elsewhere, "qmtl-resume", public.kid, public.x).items()},
        ("of another world", "E_RESUME_SCOPE"): keys.resume_token(
            Scope("ann", other, "", (STRATEGY,)), StreamPosition(1, 0)
        ),
        ("of another user", "E_RESUME_SCOPE"): keys.resume_token(
            Scope("eve", mine, "", (STRATEGY,)), StreamPosition(1, 0)
        ),
        ("a stream's", "E_RESUME_TOKEN"): token,
    }  # fmt: skip
    for (name, reason), resume in bad.items():
        with pytest.raises((InvalidRequest, PermissionDenied)) as refused:
            await subscribed(ann, token, resume)
        assert refused.value.reason == reason, name
        assert_hidden(resume, str(refused.value), out.getvalue())
    stranger = await harness.client(
        Role.READER, "ann", worlds=[other]
    )  # the same subject, let into the other world only
    with pytest.raises(PermissionDenied) as denied:
        await stranger.events.CreateEventStream(request)
    assert denied.value.reason == "E_WORLD_FORBIDDEN"
    assert_hidden(token, out.getvalue())


# Too much.


async def test_oversized_metadata_is_refused_every_time_and_large_is_not(
    lone: GatewayHarness, out: io.StringIO
) -> None:
    """Core has two limits and refuses at random between them; a call here is refused always or never."""
    limit = Limits().metadata_bytes_max
    worlds = [f"w-{number:04}" for number in range(620)]
    good = mint_user_token(lone.home, Role.OWNER, "ann", worlds)
    assert 7_000 < len(good) <= 8_192
    large = (*as_user(good), ("x-ballast", "b" * 8_192))
    async with aio.insecure_channel(lone.mesh_address("gateway")) as channel:
        for _ in range(20):
            assert await get_status(channel, large)
        for said in ((*large, ("x-more", "b" * 8_192)), (("authorization", "Bearer " + "x" * limit),)):
            for call in (get_status, get_world, watch, trade):
                error = await refusal(call(channel, said))
                assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert "metadata size" in (error.details() or "")
                assert_hidden(good, everything_said(error))
            assert await get_status(channel, as_user(good))  # the connection is as good as before
    assert_hidden(good, out.getvalue())


# What the door shows of itself.


async def test_reflection_is_for_those_with_a_token_in_dev(lone: GatewayHarness) -> None:
    token = mint_user_token(lone.home, Role.READER, "ann")
    assert "qmtl.gateway.v1.TradingService" in await services_of(await lone.channel(token=token))


async def test_reflection_answers_nobody_in_prod(tmp_path: Path, nats_url: str, postgres_url: str) -> None:
    """The gateway as profile prod composes it: TLS, PostgreSQL, issuers and broker credentials from files."""
    ca = authority(tmp_path, "mesh-ca")
    cert, key = ca.issue("gateway")
    write_seeds(tmp_path)
    ensure_dev_keys(tmp_path)
    mesh = MeshSettings(
        profile="prod", home=tmp_path, nats_url=nats_url, nats_credentials=seed_path(tmp_path, "gateway"),
        issuers=tuple(dev_issuers(tmp_path)),
    )  # fmt: skip
    prod = {"mesh": mesh, "database_url": postgres_url, "tls_cert": cert, "tls_key": key, "tls_client_ca": ca.file}
    async with lone_gateway(tmp_path, nats_url, **prod) as harness:
        token = mint_user_token(tmp_path, Role.OWNER, "ann")
        channel = await harness.stack.enter_async_context(
            connect(harness.mesh_address("gateway"), ca=ca.file, user_token=lambda: token)
        )
        status = await client_over(channel).status.GetStatus(gatewaystatuspb.GetStatusRequest())
        assert status.status.service == "gateway"
        with pytest.raises(QmtlError) as refused:
            await services_of(channel)
        assert refused.value.__cause__ is not None
        assert code_of(refused.value.__cause__) is grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(Unavailable):
            await get_status(await harness.channel(token=token), ())  # in the clear: not even a refusal


def code_of(error: BaseException) -> Any:
    assert isinstance(error, aio.AioRpcError)
    return error.code()

"""Doors: who may knock at which RPC, at the gateway and behind it, in one table and over a connection."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from grpc import aio

from qmtl.core.errors import PermissionDenied, QmtlError, Unauthenticated, Unavailable
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import (
    Call,
    current_call,
    enter_call,
    own_act,
    require_role,
    require_user,
    require_world,
    require_world_role,
)
from qmtl.rpc.auth.identity import Identity, ServiceIdentity
from qmtl.rpc.rules import grants
from qmtl.rpc.rules.methods import Audience, MethodRule, rules_of
from qmtl.rpc.server.authorisation import authorise
from tests.rpc.echo import KINDS, EchoStub
from tests.rpc.mesh import Mesh, health_of, peer, services_of, user
from tests.support.contracts import services

ALICE = Identity("alice", Role.OPERATOR, None, "token")
GATEWAY = ServiceIdentity("gateway")
SUBMIT = MethodRule("/qmtl.broker.v1.OrderEntryService/SubmitOrder", Audience.SERVICE)
FENCE = MethodRule("/qmtl.broker.v1.FenceService/SetFence", Audience.SERVICE)
BIND = MethodRule("/qmtl.world.v1.BindingService/BindStrategy", Audience.PUBLIC)
DELETE = MethodRule("/qmtl.world.v1.WorldService/DeleteWorld", Audience.PUBLIC)
READ = MethodRule("/qmtl.world.v1.AuditService/ListAudit", Audience.PUBLIC, read=True)
REFLECT = MethodRule("/reflection", Audience.ANY_TOKEN, read=True)
HEALTH = MethodRule("/health", Audience.OPEN, read=True)


@pytest.mark.parametrize(
    ("rule", "identity", "service", "edge", "reason"),
    [
        (HEALTH, None, None, False, ""),
        (REFLECT, None, None, False, "E_TOKEN_MISSING"),
        (REFLECT, ALICE, None, False, ""),
        (REFLECT, None, GATEWAY, False, ""),
        (DELETE, None, None, True, "E_TOKEN_MISSING"),
        (DELETE, None, GATEWAY, True, "E_TOKEN_MISSING"),
        (DELETE, ALICE, None, True, ""),
        (FENCE, ALICE, None, True, "E_SERVICE_REQUIRED"),
        (DELETE, None, None, False, "E_TOKEN_MISSING"),
        (DELETE, ALICE, None, False, "E_SERVICE_REQUIRED"),
        (DELETE, ALICE, GATEWAY, False, ""),
        (DELETE, None, GATEWAY, False, "E_GRANT_REQUIRED"),
        (BIND, None, GATEWAY, False, ""),
        (DELETE, ALICE, ServiceIdentity("stranger"), False, "E_GRANT_REQUIRED"),
        (READ, None, ServiceIdentity("stranger"), False, "E_GRANT_REQUIRED"),
        (READ, None, ServiceIdentity("operator"), False, ""),
        (DELETE, None, ServiceIdentity("operator"), False, "E_GRANT_REQUIRED"),
        (DELETE, ALICE, ServiceIdentity("operator"), False, ""),
        (FENCE, None, ServiceIdentity("operator"), False, "E_GRANT_REQUIRED"),
        (SUBMIT, None, GATEWAY, False, ""),
        (SUBMIT, ALICE, GATEWAY, False, ""),
        (SUBMIT, ALICE, None, False, "E_SERVICE_REQUIRED"),
        (SUBMIT, ALICE, ServiceIdentity("worldservice"), False, "E_GRANT_REQUIRED"),
        (FENCE, None, ServiceIdentity("worldservice"), False, ""),
        (FENCE, None, GATEWAY, False, "E_GRANT_REQUIRED"),
        (FENCE, ALICE, GATEWAY, False, "E_GRANT_REQUIRED"),
    ],
)
def test_who_may_knock(
    rule: MethodRule, identity: Identity | None, service: ServiceIdentity | None, edge: bool, reason: str
) -> None:
    if not reason:
        authorise(rule, identity, service, edge=edge)
        return
    with pytest.raises((Unauthenticated, PermissionDenied)) as caught:
        authorise(rule, identity, service, edge=edge)
    assert caught.value.reason == reason


def test_every_grant_names_an_rpc_that_exists() -> None:
    names = {rule.name for contract in services() for rule in rules_of(contract, {})}
    granted = {pattern for patterns in grants.GRANTS.values() for pattern in patterns}
    assert granted - names == set()


def test_every_service_rpc_is_granted_to_somebody() -> None:
    wanted = {
        rule.name for contract in services() for rule in rules_of(contract, {}) if rule.audience is Audience.SERVICE
    }
    granted = {pattern for patterns in grants.GRANTS.values() for pattern in patterns}
    assert wanted - granted == set()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_user_cannot_go_behind_the_gateway(mesh: Mesh, home: Path, kind: str) -> None:
    server = await mesh.serve(name="worldservice")
    with pytest.raises(PermissionDenied) as caught:
        await EchoStub(await mesh.channel(server, as_user=user(home))).say(kind, "x")
    assert caught.value.reason == "E_SERVICE_REQUIRED"


@pytest.mark.parametrize("kind", KINDS)
async def test_the_gateway_serves_a_user_alone(mesh: Mesh, home: Path, kind: str) -> None:
    server = await mesh.serve(name="gateway")
    assert await EchoStub(await mesh.channel(server, as_user=user(home))).say(kind, "x") == "X"


async def test_the_operator_reads_directly_and_writes_nothing(mesh: Mesh, home: Path) -> None:
    server = await mesh.serve(name="worldservice")
    stub = EchoStub(await mesh.channel(server, as_service=peer(home, "operator")))
    assert await stub.one("Get", "x") == "X"
    for method in ("Put", "Post", "Internal"):
        with pytest.raises(PermissionDenied) as caught:
            await stub.one(method, "x")
        assert caught.value.reason == "E_GRANT_REQUIRED"


async def test_a_bad_token_is_refused_beside_a_good_one(mesh: Mesh, home: Path) -> None:
    server = await mesh.serve(name="gateway")
    stub = EchoStub(await mesh.channel(server, as_user=user(home), as_service=lambda: "not.a.token"))
    with pytest.raises(Unavailable) as caught:
        await stub.say("Post", "x")
    assert (caught.value.reason, caught.value.metadata["cause"]) == ("E_SERVICE_CREDENTIALS", "E_TOKEN_MALFORMED")


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "Bearer  ", "eyJhbGciOiJub25lIn0.e30."])
async def test_what_is_not_bearer_is_malformed(mesh: Mesh, value: str) -> None:
    server = await mesh.serve(name="gateway")
    stub = EchoStub(await mesh.channel(server))
    with pytest.raises(Unauthenticated) as caught:
        await stub.say("Post", "x", metadata=(("authorization", value),))
    assert caught.value.reason == "E_TOKEN_MALFORMED"


async def test_two_authorizations_are_refused(mesh: Mesh, home: Path) -> None:
    server = await mesh.serve(name="gateway")
    bearer = ("authorization", f"Bearer {user(home)()}")
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as bare:
        with pytest.raises(aio.AioRpcError) as caught:
            await EchoStub(bare).say("Post", "x", metadata=(bearer, bearer))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_health_is_open_and_reflection_is_not(mesh: Mesh, home: Path) -> None:
    server = await mesh.serve()
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as bare:
        assert await health_of(bare) == "SERVING"
    with pytest.raises(Unauthenticated):
        await services_of(await mesh.channel(server))
    names = await services_of(await mesh.channel(server, as_user=user(home)))
    assert names == {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "qmtl.rpctest.v1.EchoService",
    }


def within(call: Call) -> None:
    enter_call(call)


async def test_outside_a_call_nothing_is_allowed() -> None:
    for check in (require_user, lambda: require_world("w1"), lambda: require_role(Role.READER)):
        with pytest.raises(Unauthenticated):
            check()


async def test_a_token_for_other_worlds_is_refused() -> None:
    within(Call(identity=Identity("alice", Role.OWNER, frozenset({"w1"}), "t")))
    require_world_role("w1", Role.OWNER)
    with pytest.raises(PermissionDenied) as caught:
        require_world_role("w2", Role.READER)
    assert caught.value.reason == "E_WORLD_FORBIDDEN"


async def test_a_token_for_no_world_opens_none() -> None:
    within(Call(identity=Identity("alice", Role.OWNER, frozenset(), "t")))
    with pytest.raises(PermissionDenied):
        require_world("w1")


async def test_the_role_is_the_larger_of_token_and_grant() -> None:
    within(Call(identity=Identity("alice", Role.READER, None, "t")))
    with pytest.raises(PermissionDenied) as caught:
        require_world_role("w1", Role.OPERATOR)
    assert caught.value.reason == "E_ROLE_REQUIRED"
    require_world_role("w1", Role.OPERATOR, granted=Role.OWNER)
    with pytest.raises(PermissionDenied):
        require_world_role("w1", Role.OWNER, granted=Role.OPERATOR)


async def test_a_grant_does_not_lift_the_tokens_world_limit() -> None:
    within(Call(identity=Identity("alice", Role.READER, frozenset({"w1"}), "t")))
    with pytest.raises(PermissionDenied) as caught:
        require_world_role("w2", Role.READER, granted=Role.OWNER)
    assert caught.value.reason == "E_WORLD_FORBIDDEN"


async def test_a_services_own_act_was_checked_at_the_door() -> None:
    within(Call(service=GATEWAY))
    require_world_role("w1", Role.OWNER)
    assert current_call().actor == "service:gateway"
    with pytest.raises(QmtlError):
        require_user()
    with own_act():
        assert current_call() == Call()
    assert current_call().service == GATEWAY

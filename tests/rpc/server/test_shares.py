"""Fair shares: of calls, streams and bytes, by identity, by connection and in all; the reserve is never used up."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from qmtl.config.settings import ServiceSettings
from qmtl.core.errors import Exhausted
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import Call
from qmtl.rpc.auth.identity import Identity, ServiceIdentity
from qmtl.rpc.auth.tokens import mint_user_token
from qmtl.rpc.rules.methods import Audience, MethodRule
from qmtl.rpc.server.inbound import Limits, configured
from qmtl.rpc.server.shares import LARGE_AT_ONCE, LARGE_BYTES, Caller, Shares, Turns, caller_of
from tests.rpc.client.test_payloads import chunked
from tests.rpc.echo import EchoStub
from tests.rpc.mesh import Gate, Mesh, peer, user
from tests.support.waiting import eventually

PLAIN = MethodRule("/s/Plain", Audience.PUBLIC)
CANCEL = MethodRule("/s/Cancel", Audience.PUBLIC, reserved=True)
LIMITS = Limits(
    calls_max=16, streams_max=8, reserve_max=4, identity_calls_max=8, identity_streams_max=8, identity_reserve_max=2,
    body_bytes_max=1000, identity_body_bytes_max=400, connection_body_bytes_max=200, retry_after_s=0.5,
)  # fmt: skip
ANN, BOB, CID = (Caller(name, 1, "") for name in ("ann", "bob", "cid"))
NONE = Caller("eve", 8, "")
SERVICE = Caller("", 1, "")


async def as_it_is(text: str) -> str:
    return text


def filled(shares: Shares, stack: ExitStack, caller: Caller, rule: MethodRule, kind: str, count: int) -> None:
    for _ in range(count):
        stack.enter_context(shares.place(caller, rule, kind))


def refused(shares: Shares, caller: Caller, rule: MethodRule = PLAIN, kind: str = "call") -> Exhausted:
    with pytest.raises(Exhausted) as caught, shares.place(caller, rule, kind):
        pass
    assert caught.value.retry_after_s == 0.5
    return caught.value


def test_one_identity_has_its_share_and_no_more() -> None:
    shares = Shares(LIMITS)
    with ExitStack() as stack:
        filled(shares, stack, ANN, PLAIN, "call", 8)
        error = refused(shares, ANN)
        assert (error.reason, dict(error.metadata)) == ("E_SHARE_EXCEEDED", {"share": "call", "limit": "8"})
        filled(shares, stack, ANN, PLAIN, "stream", 1)
        filled(shares, stack, BOB, PLAIN, "call", 8)
        assert refused(shares, CID).reason == "E_OVERLOADED"
    filled(shares, ExitStack(), CID, PLAIN, "call", 8)


def test_an_identity_without_a_role_has_an_eighth_of_a_share() -> None:
    shares = Shares(LIMITS)
    with ExitStack() as stack:
        filled(shares, stack, NONE, PLAIN, "call", 1)
        assert dict(refused(shares, NONE).metadata) == {"share": "call", "limit": "1"}
        with pytest.raises(Exhausted), shares.body(NONE, 51):
            pass
        with shares.body(NONE, 50):
            pass


def test_a_full_server_serves_reserved_calls_and_services() -> None:
    shares = Shares(LIMITS)
    with ExitStack() as stack:
        for caller in (ANN, BOB):
            filled(shares, stack, caller, PLAIN, "call", 8)
        filled(shares, stack, ANN, CANCEL, "call", 2)
        assert refused(shares, ANN, CANCEL).reason == "E_SHARE_EXCEEDED"
        filled(shares, stack, CID, CANCEL, "call", 2)
        filled(shares, stack, SERVICE, PLAIN, "call", 100)
        filled(shares, stack, SERVICE, CANCEL, "call", 100)


def test_bytes_are_bounded_by_identity_connection_and_server() -> None:
    shares = Shares(LIMITS)
    with ExitStack() as stack:
        stack.enter_context(shares.body(Caller("ann", 1, "c1"), 200))
        for caller, share in ((Caller("ann", 1, "c1"), "connection"), (Caller("bob", 1, "c1"), "connection")):
            with pytest.raises(Exhausted) as caught, shares.body(caller, 1):
                pass
            assert caught.value.metadata["share"] == share
        stack.enter_context(shares.body(Caller("ann", 1, "c2"), 200))
        with pytest.raises(Exhausted) as caught, shares.body(Caller("ann", 1, "c3"), 1):
            pass
        assert (caught.value.reason, caught.value.metadata["share"]) == ("E_SHARE_EXCEEDED", "bytes")
        stack.enter_context(shares.body(BOB, 400))
        stack.enter_context(shares.body(CID, 200))
        with pytest.raises(Exhausted) as full, shares.body(CID, 1):
            pass
        assert full.value.reason == "E_OVERLOADED"
        with shares.body(SERVICE, 10_000):
            assert shares.body_bytes == 11_000
    assert shares.body_bytes == 0


def test_a_body_counts_what_it_is_once_it_has_come() -> None:
    shares = Shares(LIMITS)
    with shares.body(ANN, 400) as body:
        body.resize(10)
        assert shares.body_bytes == 10
        with shares.body(ANN, 390):
            assert shares.body_bytes == 400
    assert shares.body_bytes == 0


def test_a_user_behind_a_service_is_counted_as_the_user() -> None:
    identity = Identity("ann", Role.OPERATOR, None, "t")
    assert caller_of(Call(identity=identity, peer="ipv4:1")) == Caller("ann", 1, "ipv4:1")
    assert caller_of(Call(identity=identity, service=ServiceIdentity("gateway"), peer="ipv4:1")) == ANN
    assert caller_of(Call(service=ServiceIdentity("gateway"), peer="ipv4:1")) == SERVICE
    assert caller_of(Call(identity=Identity("eve", Role.NONE, None, "t"))) == NONE


def test_settings_name_limits() -> None:
    settings = ServiceSettings(service="dagmanager", identity_calls_max=3, body_bytes_max=7)
    assert configured(LIMITS, settings) == Limits(
        calls_max=16, streams_max=8, reserve_max=4, identity_calls_max=3, identity_streams_max=8,
        identity_reserve_max=2, body_bytes_max=7, identity_body_bytes_max=400, connection_body_bytes_max=200,
        retry_after_s=0.5,
    )  # fmt: skip


async def test_one_caller_of_a_server_leaves_room_for_the_others_and_for_the_reserve(mesh: Mesh) -> None:
    gate = Gate()
    server = await mesh.serve(gate.wait, limits=Limits(calls_max=2, identity_calls_max=1, identity_reserve_max=1))
    alice = await mesh.stub(server)
    bob_token = mint_user_token(mesh.home, Role.OPERATOR, "bob")
    bob = EchoStub(await mesh.channel(server, as_user=lambda: bob_token, as_service=peer(mesh.home)))
    held = [asyncio.create_task(alice.say("Post", "x"))]
    async with asyncio.timeout(5):
        await gate.reached.wait()
    with pytest.raises(Exhausted) as caught:
        await alice.say("Post", "y")
    assert caught.value.reason == "E_SHARE_EXCEEDED"
    held += [asyncio.create_task(bob.say("Post", "z")), asyncio.create_task(alice.one("Get", "reserved"))]
    gate.opened.set()
    assert await asyncio.gather(*held) == ["x", "z", "reserved"]


async def test_shares_come_back_when_calls_end_in_any_way(mesh: Mesh) -> None:
    server = await mesh.serve(limits=Limits(identity_calls_max=1))
    stub = await mesh.stub(server)
    nobody = EchoStub(await mesh.channel(server, as_user=user(mesh.home)))
    for _ in range(20):
        with pytest.raises(Exception, match="E_"):
            await nobody.say("Post", "x")
        with pytest.raises(Exception, match="E_TOO_LARGE"):
            await stub.say("Post", "x" * 70_000)
        assert await stub.say("Post", "x") == "X"


async def test_large_messages_of_one_identity_take_turns_and_nobody_elses_wait() -> None:
    turns, inside, gates = Turns(), [], {}

    async def serve(name: str, caller: Caller, size: int = LARGE_BYTES + 1) -> None:
        gates[name] = asyncio.Event()
        async with turns.turn(caller, size):
            inside.append(name)
            await gates[name].wait()

    served = [asyncio.create_task(serve(f"ann {number}", ANN)) for number in range(LARGE_AT_ONCE + 2)]
    await eventually(lambda: len(gates) == LARGE_AT_ONCE + 2)
    served += [
        asyncio.create_task(serve("ann small", ANN, LARGE_BYTES)),
        asyncio.create_task(serve("bob", BOB)),
        *(asyncio.create_task(serve(f"service {number}", SERVICE)) for number in range(LARGE_AT_ONCE + 1)),
    ]
    others = ["ann small", "bob", *(f"service {number}" for number in range(LARGE_AT_ONCE + 1))]
    await eventually(lambda: inside == [*(f"ann {number}" for number in range(LARGE_AT_ONCE)), *others])
    served[LARGE_AT_ONCE].cancel()
    gates["ann 0"].set()
    await eventually(lambda: inside[-1] == f"ann {LARGE_AT_ONCE + 1}")
    for gate in gates.values():
        gate.set()
    await asyncio.gather(*served, return_exceptions=True)
    assert (len(inside), turns.waited_for) == (LARGE_AT_ONCE + 1 + len(others), 0)


async def test_payloads_in_chunks_take_turns_once_they_are_whole(mesh: Mesh) -> None:
    inside, gate = [], asyncio.Event()

    async def act(text: str) -> str:
        inside.append(len(text))
        await gate.wait()
        return text

    server = await mesh.serve(act)
    alice = await mesh.stub(server)
    bob_token = mint_user_token(mesh.home, Role.OPERATOR, "bob")
    bob = EchoStub(await mesh.channel(server, as_user=lambda: bob_token, as_service=peer(mesh.home)))
    sizes = [(alice, 2 * LARGE_BYTES)] * (LARGE_AT_ONCE + 2) + [(alice, LARGE_BYTES - 10), (bob, 3 * LARGE_BYTES)]
    calls = [asyncio.ensure_future(stub.whole_call(chunked(size))) for stub, size in sizes]
    taken = sorted([2 * LARGE_BYTES] * LARGE_AT_ONCE + [LARGE_BYTES - 10, 3 * LARGE_BYTES])
    await eventually(lambda: sorted(inside) == taken)
    gate.set()
    assert [len(reply.value) for reply in await asyncio.gather(*calls)] == [size for _, size in sizes]


async def test_a_turn_is_over_with_the_first_reply_of_a_stream(mesh: Mesh) -> None:
    """Else who reads several streams one after the other would wait for ever."""
    stub = await mesh.stub(await mesh.serve(as_it_is))
    text = f"first {'x' * 8 * LARGE_BYTES}"  # the second reply is more than is sent to who does not read
    calls = [stub.each_call(chunked(text)) for _ in range(LARGE_AT_ONCE + 2)]
    async with asyncio.timeout(10):
        for call in calls:
            assert (await anext(aiter(call))).value == "first"
    for call in calls:
        call.cancel()


async def test_the_message_of_a_client_stream_that_is_served_is_counted(mesh: Mesh) -> None:
    gate = Gate()
    server = await mesh.serve(gate.wait, limits=Limits(identity_body_bytes_max=1_000))
    stub = await mesh.stub(server)
    held = asyncio.create_task(stub.say("Both", "x" * 600))
    async with asyncio.timeout(5):
        await gate.reached.wait()
    for kind in ("Both", "Up"):
        with pytest.raises(Exhausted) as caught:
            await stub.say(kind, "y" * 600)
        assert (caught.value.reason, caught.value.metadata["share"]) == ("E_SHARE_EXCEEDED", "bytes")
    gate.opened.set()
    assert await held == "x" * 600
    assert await stub.say("Both", " ".join(["z" * 900] * 5)) == " ".join(["z" * 900] * 5)

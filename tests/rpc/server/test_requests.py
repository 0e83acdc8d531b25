"""Bodies: decoded after their caller is known, and refused by name when they cannot be."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from qmtl.core.errors import InvalidRequest, PermissionDenied, QmtlError, Unauthenticated
from tests.rpc.echo import KINDS, NAME, EchoStub
from tests.rpc.mesh import Mesh, peer, user
from tests.support.logbook import lines, logged
from tests.support.waiting import eventually

GARBAGE = b"\xff\xff\xff"
every_kind = pytest.mark.parametrize("kind", KINDS)


async def send(channel: Any, kind: str, body: bytes) -> Any:  # grpc's stubs want a serializer to know the types
    """Raw bytes to an RPC of any kind; the reply, or all those of a stream."""
    path = f"/{NAME}/{kind}"
    match kind:
        case "Post":
            return await channel.unary_unary(path)(body)
        case "Up":
            return await channel.stream_unary(path)(iter([body]))
        case "Down":
            return [reply async for reply in channel.unary_stream(path)(body)]
        case _:
            return [reply async for reply in channel.stream_stream(path)(iter([body]))]


@every_kind
async def test_an_undecodable_body_is_an_invalid_argument(mesh: Mesh, kind: str) -> None:
    server = await mesh.serve()
    channel = await mesh.channel(server, as_user=user(mesh.home), as_service=peer(mesh.home))
    with pytest.raises(InvalidRequest) as caught:
        await send(channel, kind, GARBAGE)
    assert caught.value.reason == "E_REQUEST_UNREADABLE"
    assert "Error" not in caught.value.message


@every_kind
async def test_an_undecodable_body_of_nobody_is_unauthenticated(mesh: Mesh, kind: str) -> None:
    with pytest.raises(Unauthenticated):
        await send(await mesh.channel(await mesh.serve()), kind, GARBAGE)


@every_kind
async def test_an_undecodable_body_of_somebody_who_may_not_call_is_forbidden(mesh: Mesh, kind: str) -> None:
    channel = await mesh.channel(await mesh.serve(), as_user=user(mesh.home))
    with pytest.raises(PermissionDenied):
        await send(channel, kind, GARBAGE)


async def test_a_flood_of_refused_calls_is_a_line_a_second(mesh: Mesh) -> None:
    server = await mesh.serve()
    channel = await mesh.channel(server, as_user=user(mesh.home), as_service=peer(mesh.home))
    nobody = await mesh.channel(server)
    with logged("dagmanager") as out:
        for caller in (channel, nobody):
            for _ in range(50):
                with pytest.raises(QmtlError):
                    await send(caller, "Post", GARBAGE)
        refusals = [line for line in lines(out) if line["event"] == "rpc"]
    assert {line["code"] for line in refusals} == {"INVALID_ARGUMENT", "UNAUTHENTICATED"}
    assert len(refusals) <= 8  # 100 calls of two codes, in a few seconds at most
    assert all(line["level"] == "info" for line in refusals)


async def test_a_body_without_bytes_is_a_message_of_defaults(mesh: Mesh) -> None:
    channel = await mesh.channel(await mesh.serve(), as_user=user(mesh.home), as_service=peer(mesh.home))
    assert await send(channel, "Post", b"") == b""


async def test_each_method_has_its_size_of_request(mesh: Mesh) -> None:
    channel = await mesh.channel(await mesh.serve(), as_user=user(mesh.home), as_service=peer(mesh.home))
    stub = EchoStub(channel)
    assert len(await stub.one("Put", "x" * 900_000)) == 900_000
    assert len(await stub.say("Post", "x" * 65_000)) == 65_000
    with pytest.raises(InvalidRequest) as caught:
        await stub.say("Post", "x" * 66_000)
    assert caught.value.reason == "E_TOO_LARGE"
    assert caught.value.violations[0].want == "at most 65536 bytes"
    with pytest.raises(InvalidRequest) as streamed:
        await send(channel, "Up", StringValue(value="x" * 66_000).SerializeToString())
    assert streamed.value.reason == "E_TOO_LARGE"


@every_kind
async def test_who_may_not_call_is_refused_before_the_body_has_come(mesh: Mesh, kind: str) -> None:
    """The body never comes at all; its caller has the answer."""

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    call = (await mesh.channel(await mesh.serve())).stream_stream(f"/{NAME}/{kind}")(never())
    async with asyncio.timeout(5):
        with pytest.raises(Unauthenticated):
            async for _ in call:
                pass


async def test_what_a_refused_call_held_is_let_go_at_once(mesh: Mesh) -> None:
    """grpc.aio keeps the error of an aborted call in a cycle; the collector may come much later."""

    class Held:
        pass

    seen: list[weakref.ref[Held]] = []

    async def act(text: str) -> str:
        held = Held()
        seen.append(weakref.ref(held))
        try:
            raise LookupError(text)
        except LookupError as error:
            raise InvalidRequest("E_FIELD", "no") from error

    stub = await mesh.stub(await mesh.serve(act))
    gc.disable()
    try:
        for kind in ("Post", "Both"):
            with pytest.raises(InvalidRequest):
                await stub.say(kind, "x")
        await eventually(lambda: [each() for each in seen] == [None, None])
    finally:
        gc.enable()

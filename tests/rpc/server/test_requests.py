"""Bodies: decoded after their caller is known, and refused by name when they cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from qmtl.core.errors import InvalidRequest, PermissionDenied, QmtlError, Unauthenticated
from tests.rpc.echo import KINDS, NAME
from tests.rpc.mesh import Mesh, peer, user
from tests.support.logbook import lines, logged

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

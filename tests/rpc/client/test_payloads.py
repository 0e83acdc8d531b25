"""Payloads in chunks over a real wire: what the server answers is what the caller learns, whenever it answers."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from qmtl.core.errors import DeadlineExceeded, Exhausted, InvalidRequest, PermissionDenied, Unauthenticated, Unavailable
from qmtl.rpc.chunks import CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, Chunked
from qmtl.rpc.server.inbound import Limits
from tests.rpc.client.test_channel import Flaky
from tests.rpc.echo import EchoStub, part
from tests.rpc.mesh import Gate, Mesh, user

SIZES = (10, CHUNK_BYTES_MIN, CHUNK_BYTES_MAX, 3 * CHUNK_BYTES_MAX + 5)
every_size = pytest.mark.parametrize("size", SIZES)


def chunked(text: int | str) -> Chunked[Any]:
    """A payload of that text, or of one so long."""
    value = text if isinstance(text, str) else "x" * text
    return Chunked(type(part()), StringValue(value=value), ["w1"])


async def refuse(_: str) -> str:
    raise InvalidRequest("E_FIELD", "no")


@every_size
async def test_a_payload_arrives_whole_by_both_kinds(mesh: Mesh, size: int) -> None:
    stub = await mesh.stub(await mesh.serve())
    assert (await stub.whole_call(chunked(size))).value == "X" * size
    assert [reply.value async for reply in stub.each_call(chunked(size))] == ["X" * size]


@every_size
async def test_a_payload_is_sent_again_from_its_first_chunk(mesh: Mesh, size: int) -> None:
    flaky = Flaky(2, Unavailable("E_DOWN", "not now"))
    stub = await mesh.stub(await mesh.serve(flaky.act))
    assert (await stub.whole_call(chunked(size))).value == "x" * size
    assert flaky.calls == 3


@every_size
async def test_a_caller_without_a_token_learns_that_it_has_none(mesh: Mesh, size: int) -> None:
    server = await mesh.serve()
    for channel, error in (
        (await mesh.channel(server), Unauthenticated),
        (await mesh.channel(server, as_user=user(mesh.home)), PermissionDenied),
    ):
        stub = EchoStub(channel)
        for _ in range(20):
            with pytest.raises(error):
                await stub.whole_call(chunked(size))
            with pytest.raises(error):
                await anext(aiter(stub.each_call(chunked(size))))


async def test_a_payload_above_the_methods_limit_is_refused_by_its_reason(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve())
    for _ in range(20):
        with pytest.raises(InvalidRequest, match="E_TOO_LARGE"):
            await stub.whole_call(chunked(5 * 1024 * 1024))


@every_size
async def test_a_refusal_after_the_last_chunk_is_the_callers_to_read(mesh: Mesh, size: int) -> None:
    stub = await mesh.stub(await mesh.serve(refuse))
    with pytest.raises(InvalidRequest, match="E_FIELD"):
        await stub.whole_call(chunked(size))
    with pytest.raises(InvalidRequest, match="E_FIELD"):
        await anext(aiter(stub.each_call(chunked(size))))


async def test_requests_without_a_stated_total_are_refused(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve())
    with pytest.raises(InvalidRequest, match="E_TOTAL_BYTES"):
        await stub.whole_call(iter([part(b"x")]))


async def test_a_message_above_a_chunk_is_refused(mesh: Mesh) -> None:
    stub = await mesh.stub(await mesh.serve())
    said = (("x-total-bytes", "300000"), ("x-world-ids", "w1"))
    with pytest.raises(InvalidRequest, match="E_CHUNK_BYTES"):
        await stub.whole_call(iter([part(bytes(300_000))]), metadata=said)


async def test_a_payload_that_never_comes_ends_at_the_deadline(mesh: Mesh) -> None:
    """A payload is a call: without a deadline of its caller it has the default one."""
    stub = await mesh.stub(await mesh.serve(limits=Limits(deadline_default_s=0.2)))
    call = stub.whole_call(metadata=(("x-total-bytes", "10"), ("x-world-ids", "w1")))
    with pytest.raises(DeadlineExceeded):
        await call


async def test_payloads_on_their_way_are_bounded_together(mesh: Mesh) -> None:
    gate = Gate()
    stub = await mesh.stub(await mesh.serve(gate.wait, limits=Limits(body_bytes_max=1_500_000)))
    first = stub.whole_call(chunked(1_000_000))
    await gate.reached.wait()
    with pytest.raises(Exhausted, match="E_OVERLOADED"):
        await stub.each_call(chunked(1_000_000)).read()
    gate.opened.set()
    assert len((await first).value) == 1_000_000
    assert len((await stub.whole_call(chunked(1_000_000))).value) == 1_000_000

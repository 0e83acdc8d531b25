"""Payloads in chunks: cut and put together, and everything that is refused of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.gateway.v1 import strategy_service_pb2 as strategyservicepb
from qmtl.rpc.chunks import CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, Chunked, Stated, gathered, stated
from qmtl.rpc.rules.methods import ChunkRule

RULE = ChunkRule(1_000, names_worlds=True)
Request = strategyservicepb.SubmitStrategyRequest


async def stream(parts: Iterable[bytes]) -> AsyncIterator[Request]:
    for part in parts:
        yield Request(chunk=part)


async def refused(parts: Iterable[bytes], total: int) -> str:
    with pytest.raises(InvalidRequest) as caught:
        await gathered(stream(parts), Stated(total), BytesValue)
    return caught.value.reason


@given(st.integers(0, 3 * CHUNK_BYTES_MAX))
async def test_what_is_cut_is_put_together(size: int) -> None:
    payload = BytesValue(value=bytes(size))
    chunked = Chunked(Request, payload, ["w1"])
    parts = [request.chunk for request in chunked.again()]
    assert chunked.stated == Stated(payload.ByteSize(), ("w1",))
    assert all(len(part) == CHUNK_BYTES_MAX for part in parts[:-1])
    assert await gathered(stream(parts), chunked.stated, BytesValue) == payload
    assert [request.chunk for request in chunked.again()] == parts


async def test_more_or_fewer_bytes_than_stated_are_refused() -> None:
    body = BytesValue(value=b"abc").SerializeToString()
    assert await refused([body], len(body) + 1) == "E_TOTAL_BYTES"
    assert await refused([body], len(body) - 1) == "E_TOTAL_BYTES"
    assert await refused([], 1) == "E_TOTAL_BYTES"
    assert await refused([body], 0) == "E_TOTAL_BYTES"


async def test_a_payload_of_no_bytes_is_a_message_of_defaults() -> None:
    assert await gathered(stream([]), Stated(0), BytesValue) == BytesValue()


async def test_more_than_stated_is_refused_before_the_rest_is_read() -> None:
    read: list[int] = []

    async def endless() -> AsyncIterator[Request]:
        while True:
            read.append(CHUNK_BYTES_MIN)
            yield Request(chunk=bytes(CHUNK_BYTES_MIN))

    with pytest.raises(InvalidRequest, match="E_TOTAL_BYTES"):
        await gathered(endless(), Stated(2 * CHUNK_BYTES_MIN), BytesValue)
    assert len(read) == 3


async def test_chunks_too_large_too_small_or_empty_are_refused() -> None:
    assert await refused([bytes(CHUNK_BYTES_MAX + 1)], 2 * CHUNK_BYTES_MAX) == "E_CHUNK_BYTES"
    assert await refused([bytes(CHUNK_BYTES_MIN - 1), b"x"], CHUNK_BYTES_MIN) == "E_CHUNK_BYTES"
    assert await refused([b""], 1) == "E_CHUNK_BYTES"


async def test_chunks_of_the_largest_and_the_smallest_size_pass() -> None:
    body = BytesValue(value=bytes(CHUNK_BYTES_MAX + CHUNK_BYTES_MIN)).SerializeToString()
    cuts = (CHUNK_BYTES_MAX, CHUNK_BYTES_MAX + CHUNK_BYTES_MIN)
    parts = [body[: cuts[0]], body[cuts[0] : cuts[1]], body[cuts[1] :]]
    assert len(parts[2]) < CHUNK_BYTES_MIN
    assert (await gathered(stream(parts), Stated(len(body)), BytesValue)).ByteSize() == len(body)


async def test_bytes_that_are_no_payload_are_refused() -> None:
    assert await refused([b"\xff\xff\xff"], 3) == "E_REQUEST_UNREADABLE"


@pytest.mark.parametrize("text", ["", "-1", "1.0", "0x10", "1e3", "\u0661", " 1", "1" * 13])
def test_a_total_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="E_TOTAL_BYTES"):
        stated(RULE, {"x-total-bytes": text, "x-world-ids": "w1"})


def test_a_total_above_the_methods_limit_is_refused() -> None:
    said = {"x-total-bytes": "1000", "x-world-ids": "w1,w2"}
    assert stated(RULE, said) == Stated(1_000, ("w1", "w2"))
    assert Stated(1_000, ("w1", "w2")).metadata == said
    with pytest.raises(InvalidRequest, match="E_TOO_LARGE"):
        stated(RULE, said | {"x-total-bytes": "1001"})


@pytest.mark.parametrize(
    ("worlds", "reason"),
    [
        ("", "E_WORLD_IDS_REQUIRED"),
        ("w1,", "E_WORLD_IDS"),
        ("w1,w1", "E_WORLD_IDS"),
        ("w" * 64, "E_WORLD_IDS"),
        (",".join(f"w{number}" for number in range(17)), "E_WORLD_IDS"),
    ],
)
def test_worlds_that_nobody_has_are_refused(worlds: str, reason: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        stated(RULE, {"x-total-bytes": "1", "x-world-ids": worlds})
    assert caught.value.reason == reason
    assert stated(ChunkRule(1), {"x-total-bytes": "1", "x-world-ids": worlds}) == Stated(1)


def test_sixteen_worlds_of_the_longest_name_pass() -> None:
    worlds = tuple(f"w{number:062}" for number in range(16))
    assert stated(RULE, {"x-total-bytes": "1", "x-world-ids": ",".join(worlds)}).world_ids == worlds


def test_a_payload_about_other_worlds_than_stated_is_refused() -> None:
    Stated(1, ("a", "b")).check_worlds(["b", "a"])
    for named in (["a"], ["a", "b", "c"], []):
        with pytest.raises(InvalidRequest, match="E_WORLD_IDS_MISMATCH"):
            Stated(1, ("a", "b")).check_worlds(named)

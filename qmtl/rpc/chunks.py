"""Payloads that may be larger than one message, as chunks of a client stream: how they are cut and put together.

Both ends know from metadata how much will come and which worlds it is about, before a chunk is sent. Which RPCs take
chunks, and how much, is an option of the method: see `qmtl.common.v1.Chunked`. Nothing here opens a connection.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from google.protobuf.message import DecodeError, Message

from qmtl.core.errors import InvalidRequest, refused
from qmtl.rpc.metadata import TOTAL_BYTES_KEY, WORLD_IDS_KEY
from qmtl.rpc.rules.methods import ChunkRule

CHUNK_BYTES_MAX: Final = 256 * 1024
CHUNK_BYTES_MIN: Final = 16 * 1024  # of all but the last: a payload in single bytes would be millions of messages
WORLDS_MAX: Final = 16
WORLD_ID_MAX: Final = 63
UNREADABLE: Final = "E_REQUEST_UNREADABLE"


class Chunk(Protocol):
    """The request of an RPC that takes chunks."""

    @property
    def chunk(self) -> bytes: ...


R = TypeVar("R", covariant=True)
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Stated:
    """What metadata says of a payload before its first chunk: its bytes, and the worlds it names, if that is asked."""

    total_bytes: int
    world_ids: tuple[str, ...] = ()

    @property
    def metadata(self) -> Mapping[str, str]:
        """As it stands in metadata."""
        worlds = {WORLD_IDS_KEY: ",".join(self.world_ids)} if self.world_ids else {}
        return {TOTAL_BYTES_KEY: str(self.total_bytes), **worlds}

    def check_worlds(self, named: Iterable[str]) -> None:
        """Refuse a payload about other worlds than the caller's role was checked in. Raises E_WORLD_IDS_MISMATCH."""
        if set(named) != set(self.world_ids):
            raise refused("E_WORLD_IDS_MISMATCH", "world_ids", sorted(set(named)), f"those of metadata {WORLD_IDS_KEY}")


class Chunked(Iterator[R]):
    """A payload as the requests of a client stream: give it to the stub's method.

    `request` is the method's request type, `world_ids` the worlds that the payload names, where the method wants them.
    """

    def __init__(self, request: Callable[..., R], payload: Message | bytes, world_ids: Iterable[str] = ()) -> None:
        self._request = request
        self._body = payload if isinstance(payload, bytes) else payload.SerializeToString()
        self.stated = Stated(len(self._body), tuple(world_ids))
        self._at = 0

    def __next__(self) -> R:
        if self._at >= len(self._body):
            raise StopIteration
        part = self._body[self._at : self._at + CHUNK_BYTES_MAX]
        self._at += len(part)
        return self._request(chunk=part)

    def again(self) -> Chunked[R]:
        """The same chunks from the first, for another attempt."""
        return Chunked(self._request, self._body, self.stated.world_ids)


def stated(rule: ChunkRule, metadata: Mapping[str, str]) -> Stated:
    """What the caller says of its payload.

    Raises InvalidRequest: E_TOTAL_BYTES, E_TOO_LARGE, E_WORLD_IDS_REQUIRED, E_WORLD_IDS.
    """
    text = metadata.get(TOTAL_BYTES_KEY, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise refused("E_TOTAL_BYTES", f"metadata {TOTAL_BYTES_KEY}", repr(text[:40]), "the payload's bytes, a decimal")
    total = int(text)
    if total > rule.total_bytes_max:
        raise refused("E_TOO_LARGE", f"metadata {TOTAL_BYTES_KEY}", f"{total} bytes", f"at most {rule.total_bytes_max}")
    return Stated(total, _world_ids(metadata.get(WORLD_IDS_KEY, "")) if rule.names_worlds else ())


def _world_ids(text: str) -> tuple[str, ...]:
    field = f"metadata {WORLD_IDS_KEY}"
    if not text:
        raise refused("E_WORLD_IDS_REQUIRED", field, "empty", "the worlds of the payload, separated by commas")
    worlds = tuple(text.split(","))
    fits = all(0 < len(world_id) <= WORLD_ID_MAX and world_id.isprintable() for world_id in worlds)
    if not fits or len(set(worlds)) != len(worlds) or len(worlds) > WORLDS_MAX:
        raise refused("E_WORLD_IDS", field, f"{len(worlds)} names", f"at most {WORLDS_MAX}, each once")
    return worlds


async def gathered(chunks: AsyncIterable[Chunk], said: Stated, payload: type[M]) -> M:
    """The payload of a client's stream, read to its end.

    Raises InvalidRequest: E_TOTAL_BYTES, E_CHUNK_BYTES, E_REQUEST_UNREADABLE.
    """
    parts: list[bytes] = []
    size = 0
    async for message in chunks:
        part = message.chunk
        size += len(part)
        if size > said.total_bytes:
            raise _other_total(f"{size} bytes or more", said)
        if not 0 < len(part) <= CHUNK_BYTES_MAX:
            raise refused("E_CHUNK_BYTES", f"chunk {len(parts)}", f"{len(part)} bytes", f"1 to {CHUNK_BYTES_MAX}")
        if parts and len(parts[-1]) < CHUNK_BYTES_MIN:
            want = f"at least {CHUNK_BYTES_MIN}, for it was not the last"
            raise refused("E_CHUNK_BYTES", f"chunk {len(parts) - 1}", f"{len(parts[-1])} bytes", want)
        parts.append(part)
    if size < said.total_bytes:
        raise _other_total(f"{size} bytes", said)
    try:
        return payload.FromString(b"".join(parts))
    except DecodeError:
        raise InvalidRequest(UNREADABLE, f"{size} bytes are no {payload.DESCRIPTOR.full_name}") from None


def _other_total(sent: str, said: Stated) -> InvalidRequest:
    return refused("E_TOTAL_BYTES", "the chunks", sent, f"{said.total_bytes}, as metadata {TOTAL_BYTES_KEY} states")

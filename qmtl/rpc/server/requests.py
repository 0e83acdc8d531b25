"""Bodies of requests, decoded only once their caller is known: before that they are bytes.

gRPC would decode them before any code of ours runs, and answer what it cannot decode with the name of a class.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable
from typing import Final, Generic, Self, TypeVar

from google.protobuf.message import DecodeError

from qmtl.core.errors import InvalidRequest

UNREADABLE: Final = "E_REQUEST_UNREADABLE"
T = TypeVar("T")
Decode = Callable[[bytes], T]


def decoded(decode: Decode[T], body: bytes) -> T:
    """The message in a body. Raises InvalidRequest (E_REQUEST_UNREADABLE)."""
    try:
        return decode(body)
    except DecodeError:
        raise InvalidRequest(UNREADABLE, f"{len(body)} bytes are no message of this method's request type") from None


class DecodedStream(Generic[T]):
    """The messages of a client's stream, each decoded when the handler asks for it."""

    def __init__(self, decode: Decode[T], bodies: AsyncIterable[bytes]) -> None:
        self._decode = decode
        self._bodies = aiter(bodies)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        return decoded(self._decode, await anext(self._bodies))

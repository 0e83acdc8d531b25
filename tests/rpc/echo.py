"""A small service with RPCs of all four kinds, built from echo.proto when the tests start."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.wrappers_pb2 import StringValue
from grpc import aio
from grpc_tools import protoc

from qmtl.common.v1 import options_pb2
from qmtl.rpc.auth.call import require_stated
from qmtl.rpc.chunks import gathered

ROOT = Path(__file__).parents[2]
NAME = "qmtl.rpctest.v1.EchoService"
PLAIN = ("Get", "Put", "Post", "Internal", "Later")
KINDS = ("Post", "Down", "Up", "Both")

Act = Callable[[str], Awaitable[str]]
Context = aio.ServicerContext[StringValue, StringValue]


def _load() -> None:
    """Compile echo.proto and put it into the default pool, as importing a generated module would."""
    assert options_pb2.DESCRIPTOR.package == "qmtl.common.v1"  # the extension must be known before its users
    include = Path(protoc.__file__).parent / "_proto"
    with tempfile.NamedTemporaryFile(suffix=".bin") as out:
        folders = (ROOT / "proto", ROOT / "third_party", Path(__file__).parent, include)
        arguments = [*(f"-I{folder}" for folder in folders), f"-o{out.name}", "echo.proto"]
        assert protoc.main(["protoc", *arguments]) == 0
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(out.name).read_bytes())
    for file in files.file:
        descriptor_pool.Default().AddSerializedFile(file.SerializeToString())


def service(name: str = NAME) -> ServiceDescriptor:
    """A service of echo.proto; it is compiled on first use."""
    try:
        return descriptor_pool.Default().FindServiceByName(name)
    except KeyError:
        _load()
        return descriptor_pool.Default().FindServiceByName(name)


class Echo:
    """Answers every request with what `act` makes of it; streams answer each request in turn."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.closed_in: list[asyncio.Task[Any] | None] = []

    async def single(self, request: StringValue, context: Context) -> StringValue:
        return StringValue(value=await self.act(request.value))

    async def down(self, request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        try:
            for word in request.value.split(" "):
                yield StringValue(value=await self.act(word))
        finally:
            self.closed_in.append(asyncio.current_task())

    async def up(self, requests: AsyncIterator[StringValue], context: Context) -> StringValue:
        return StringValue(value=" ".join([await self.act(item.value) async for item in requests]))

    async def both(self, requests: AsyncIterator[StringValue], context: Context) -> AsyncIterator[StringValue]:
        try:
            async for item in requests:
                yield StringValue(value=await self.act(item.value))
        finally:
            self.closed_in.append(asyncio.current_task())

    async def whole(self, chunks: AsyncIterator[Any], context: Context) -> StringValue:
        return StringValue(value=await self.act((await gathered(chunks, require_stated(), StringValue)).value))

    async def each(self, chunks: AsyncIterator[Any], context: Context) -> AsyncIterator[StringValue]:
        asked = await gathered(chunks, require_stated(), StringValue)
        for word in (await self.act(asked.value)).split(" "):
            yield StringValue(value=word)


def part(chunk: bytes = b"") -> Message:
    """A request of the RPCs that take a payload in chunks."""
    service()
    made: Message = GetMessageClass(descriptor_pool.Default().FindMessageTypeByName("qmtl.rpctest.v1.Part"))(
        chunk=chunk
    )
    return made


def add_echo(servicer: Echo, server: aio.Server) -> None:
    """What a generated add_XServicer_to_server does."""
    codec: dict[str, Any] = {
        "request_deserializer": StringValue.FromString,
        "response_serializer": StringValue.SerializeToString,
    }
    plain = grpc.unary_unary_rpc_method_handler(servicer.single, **codec)
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = dict.fromkeys(PLAIN, plain)
    handlers["Down"] = grpc.unary_stream_rpc_method_handler(servicer.down, **codec)
    handlers["Up"] = grpc.stream_unary_rpc_method_handler(servicer.up, **codec)
    handlers["Both"] = grpc.stream_stream_rpc_method_handler(servicer.both, **codec)
    codec["request_deserializer"] = type(part()).FromString
    handlers["Whole"] = grpc.stream_unary_rpc_method_handler(servicer.whole, **codec)
    handlers["Each"] = grpc.stream_stream_rpc_method_handler(servicer.each, **codec)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


class EchoStub:
    """What a generated stub does; each method also takes grpc's keyword arguments."""

    def __init__(self, channel: aio.Channel) -> None:
        codec: dict[str, Any] = {
            "request_serializer": StringValue.SerializeToString,
            "response_deserializer": StringValue.FromString,
        }
        self.plain = {name: channel.unary_unary(f"/{NAME}/{name}", **codec) for name in PLAIN}
        self.down_call = channel.unary_stream(f"/{NAME}/Down", **codec)
        self.up_call = channel.stream_unary(f"/{NAME}/Up", **codec)
        self.both_call = channel.stream_stream(f"/{NAME}/Both", **codec)
        codec["request_serializer"] = type(part()).SerializeToString
        self.whole_call = channel.stream_unary(f"/{NAME}/Whole", **codec)
        self.each_call = channel.stream_stream(f"/{NAME}/Each", **codec)

    async def one(self, name: str, text: str, **options: Any) -> str:
        reply: StringValue = await self.plain[name](StringValue(value=text), **options)
        return reply.value

    async def say(self, kind: str, words: str, **options: Any) -> str:
        """Send words through an RPC of any kind and join what comes back."""
        requests = [StringValue(value=word) for word in words.split(" ")]
        if kind == "Down":
            down = self.down_call(StringValue(value=words), **options)
            return " ".join([reply.value async for reply in down])
        if kind == "Up":
            up: StringValue = await self.up_call(iter(requests), **options)
            return up.value
        if kind == "Both":
            both = self.both_call(iter(requests), **options)
            return " ".join([reply.value async for reply in both])
        return await self.one(kind, words, **options)

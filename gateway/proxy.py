"""Other services' public contracts under the gateway's address: bytes in, bytes out.

Only methods whose audience is PUBLIC are forwarded; the caller's token travels unchanged beside the gateway's own.
What the gateway must look into (strategies, events, orders) is not here but in service.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc import aio

from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.control.v1 import service_pb2 as controlservicepb
from qmtl.core.errors import PermissionDenied
from qmtl.dag.v1 import service_pb2 as dagservicepb
from qmtl.data.v1 import service_pb2 as dataservicepb
from qmtl.rpc.context import current_call
from qmtl.rpc.methods import Door, rules_of
from qmtl.world.v1 import service_pb2 as worldservicepb

PROXIED: Mapping[str, ServiceDescriptor] = {
    "worldservice": worldservicepb.DESCRIPTOR.services_by_name["WorldService"],
    "dagmanager": dagservicepb.DESCRIPTOR.services_by_name["DagManagerService"],
    "brokerage": brokerservicepb.DESCRIPTOR.services_by_name["BrokerageService"],
    "seamless": dataservicepb.DESCRIPTOR.services_by_name["DataService"],
    "controlbus": controlservicepb.DESCRIPTOR.services_by_name["ControlBusService"],
}
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Proxy(grpc.GenericRpcHandler):
    """A handler per PUBLIC method of each proxied service."""

    def __init__(self, channels: Mapping[str, aio.Channel]) -> None:
        self._handlers: dict[str, Handler] = {}
        for peer, service in PROXIED.items():
            for rule in rules_of(service, {}):
                method = service.methods_by_name[rule.name.rpartition("/")[2]]
                kind = (method.client_streaming, method.server_streaming)
                public = rule.door is Door.PUBLIC
                self._handlers[rule.name] = _handler(channels[peer], rule.name, kind) if public else _NOT_PROXIED

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of a method, or None when it is not forwarded."""
        return self._handlers.get(handler_call_details.method)


async def _not_proxied(_: bytes, __: aio.ServicerContext[bytes, bytes]) -> bytes:
    """What even a service gets here: contracts between services are not forwarded."""
    raise PermissionDenied("E_NOT_PROXIED", "this call is between services; call its service directly")


_NOT_PROXIED: Handler = grpc.unary_unary_rpc_method_handler(_not_proxied)


def _handler(channel: aio.Channel, name: str, kind: tuple[bool, bool]) -> Handler:
    """A handler for one method; `kind` is (client streams, server streams)."""
    match kind:
        case (False, False):
            return grpc.unary_unary_rpc_method_handler(_single(channel.unary_unary(name)))
        case (True, False):
            return grpc.stream_unary_rpc_method_handler(_single(channel.stream_unary(name)))
        case (False, True):
            return grpc.unary_stream_rpc_method_handler(_streaming(channel.unary_stream(name)))
        case _:
            return grpc.stream_stream_rpc_method_handler(_streaming(channel.stream_stream(name)))


def _single(call: Callable[..., Any]) -> Callable[..., Awaitable[bytes]]:
    async def forward(request: bytes | AsyncIterable[bytes], _: aio.ServicerContext[bytes, bytes]) -> bytes:
        reply: bytes = await call(request, timeout=current_call().remaining_s())  # the caller's time, not our default
        return reply

    return forward


def _streaming(open_stream: Callable[..., Any]) -> Callable[..., AsyncIterator[bytes]]:
    async def forward(
        request: bytes | AsyncIterable[bytes], _: aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        call = open_stream(request)
        try:
            async for message in call:
                yield message
        finally:
            call.cancel()

    return forward

"""Whether a process of the mesh answers; nothing here waits longer than asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from qmtl.config.settings import split_address

if TYPE_CHECKING:
    from google.protobuf.message import Message

Reply = TypeVar("Reply", bound="Message")


async def nats_answers(address: str, timeout_s: float) -> bool:
    """Whether a NATS server greets at the address."""
    host, port = split_address(address)
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port)
            greeting = await reader.read(4)
            writer.close()
            return greeting == b"INFO"
    except (OSError, TimeoutError):
        return False


async def health_answers(address: str, timeout_s: float) -> bool:
    """Whether gRPC health at the address says SERVING; the blocking call runs in a thread.

    While nobody listens no channel is made: it costs as much as fifty refused connections, of a processor that the
    services need for their start.
    """
    return await _listens(address, timeout_s) and await asyncio.to_thread(is_serving, address, timeout_s)


async def _listens(address: str, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(*split_address(address))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def is_serving(address: str, timeout_s: float) -> bool:
    """The blocking form: safe beside an event loop that uses grpc.aio."""
    from grpc_health.v1 import health_pb2 as healthpb  # grpc is a tenth of a second that --help need not pay

    request = healthpb.HealthCheckRequest()
    reply = _answer(address, "/grpc.health.v1.Health/Check", request, healthpb.HealthCheckResponse, timeout_s)
    return reply is not None and reply.status == healthpb.HealthCheckResponse.SERVING


def gateway_level(address: str, token: str, timeout_s: float) -> str:
    """The degradation level the gateway reports, such as "NORMAL"; "" when it does not answer. Blocking."""
    from qmtl.cli.show.messages import enum_word
    from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb

    method, request = "/qmtl.gateway.v1.GatewayStatusService/GetStatus", gatewaystatuspb.GetStatusRequest()
    reply = _answer(address, method, request, gatewaystatuspb.GetStatusResponse, timeout_s, token)
    return "" if reply is None else enum_word(gatewaystatuspb.DegradationLevel, reply.level)


def _answer(
    address: str, method: str, request: Message, reply: type[Reply], timeout_s: float, token: str = ""
) -> Reply | None:
    import grpc

    options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=options) as channel:
        call = channel.unary_unary(
            method, request_serializer=type(request).SerializeToString, response_deserializer=reply.FromString
        )
        bearer = (("authorization", f"Bearer {token}"),) if token else ()
        try:
            return call(request, timeout=timeout_s, metadata=bearer)
        except grpc.RpcError:
            return None

"""Whether a process of the mesh answers; nothing here waits longer than asked."""

from __future__ import annotations

import asyncio

from qmtl.config.settings import split_address


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
    """Whether gRPC health at the address says SERVING; the blocking call runs in a thread."""
    return await asyncio.to_thread(is_serving, address, timeout_s)


def is_serving(address: str, timeout_s: float) -> bool:
    """The blocking form: safe beside an event loop that uses grpc.aio."""
    import grpc  # a tenth of a second that --help need not pay
    from grpc_health.v1 import health_pb2 as healthpb

    options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=options) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=healthpb.HealthCheckRequest.SerializeToString,
            response_deserializer=healthpb.HealthCheckResponse.FromString,
        )
        try:
            reply = check(healthpb.HealthCheckRequest(), timeout=timeout_s)
        except grpc.RpcError:
            return False
        return bool(reply.status == healthpb.HealthCheckResponse.SERVING)


def gateway_level(address: str, token: str, timeout_s: float) -> str:
    """The degradation level the gateway reports, such as "NORMAL"; "" when it does not answer. Blocking."""
    import grpc  # as above

    from qmtl.cli.show.messages import enum_word
    from qmtl.gateway.v1 import gateway_status_service_pb2 as gatewaystatuspb

    options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=options) as channel:
        ask = channel.unary_unary(
            "/qmtl.gateway.v1.GatewayStatusService/GetStatus",
            request_serializer=gatewaystatuspb.GetStatusRequest.SerializeToString,
            response_deserializer=gatewaystatuspb.GetStatusResponse.FromString,
        )
        bearer = (("authorization", f"Bearer {token}"),)
        try:
            reply = ask(gatewaystatuspb.GetStatusRequest(), timeout=timeout_s, metadata=bearer)
        except grpc.RpcError:
            return ""
        return enum_word(gatewaystatuspb.DegradationLevel, reply.level)

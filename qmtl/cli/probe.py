"""Whether a process of the mesh answers, and which ports are free; nothing here waits longer than asked."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterable

from qmtl.core.errors import Conflict
from qmtl.core.settings import split_address

PORTS = range(20_000, 32_000)  # below Linux's ephemeral range, so no outgoing connection takes one meanwhile


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

    from qmtl.cli.tables import enum_word
    from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
    from qmtl.gateway.v1 import service_pb2 as servicepb

    options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=options) as channel:
        ask = channel.unary_unary(
            "/qmtl.gateway.v1.GatewayService/GetStatus",
            request_serializer=servicepb.GetStatusRequest.SerializeToString,
            response_deserializer=servicepb.GetStatusResponse.FromString,
        )
        bearer = (("authorization", f"Bearer {token}"),)
        try:
            reply = ask(servicepb.GetStatusRequest(), timeout=timeout_s, metadata=bearer)
        except grpc.RpcError:
            return ""
        return enum_word(gatewaypb.DegradationLevel, reply.level)


def is_free(address: str) -> bool:
    """Whether nobody listens at the address."""
    host, port = split_address(address)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Different ports nobody listens on now."""
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        if len(found) == count:
            break
        if is_free(f"127.0.0.1:{port}"):
            found.append(port)
    return found


def refuse_taken(addresses: Iterable[tuple[str, str]]) -> None:
    """Refuse to start over somebody else's listener. Raises Conflict (E_PORT_IN_USE) naming each."""
    taken = [f"{name} {address}" for name, address in addresses if not is_free(address)]
    if taken:
        raise Conflict(
            "E_PORT_IN_USE",
            f"something listens already: {', '.join(taken)}",
            hint="stop it, or set mesh.addresses and mesh.nats_url in qmtl.toml",
        )

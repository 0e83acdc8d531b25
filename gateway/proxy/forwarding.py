"""Other services' public contracts under the gateway's address: bytes in, bytes out.

Only methods whose audience is PUBLIC are forwarded; the caller's token travels unchanged beside the gateway's own.
Three things are looked into: decisions, which come from a cache with a safe default; what can cause live trading; and
which world a write is about, so that its remembered decision is forgotten.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from grpc import aio

from gateway.proxy.decision_cache import DecisionCache
from gateway.proxy.live_guard import GUARDED, LiveGuard
from qmtl.broker.v1 import (
    account_service_pb2,
    instrument_service_pb2,
    manual_order_service_pb2,
    order_service_pb2,
    portfolio_service_pb2,
    venue_service_pb2,
)
from qmtl.broker.v1 import status_service_pb2 as brokerstatusservicepb
from qmtl.control.v1 import broker_stream_service_pb2, dead_letter_service_pb2, event_tail_service_pb2
from qmtl.control.v1 import status_service_pb2 as controlstatusservicepb
from qmtl.core.errors import PermissionDenied
from qmtl.core.roles import Role
from qmtl.dag.v1 import (
    diff_service_pb2,
    graph_service_pb2,
    hotfix_service_pb2,
    maintenance_service_pb2,
    plan_service_pb2,
    queue_catalogue_service_pb2,
    queue_progress_service_pb2,
    sentinel_service_pb2,
)
from qmtl.dag.v1 import status_service_pb2 as dagstatusservicepb
from qmtl.data.v1 import (
    artifact_service_pb2,
    catalogue_service_pb2,
    coverage_service_pb2,
    data_service_pb2,
    data_session_service_pb2,
    feature_service_pb2,
    file_service_pb2,
    schema_service_pb2,
    status_service_pb2,
)
from qmtl.risk.v1 import risk_service_pb2 as riskservicepb
from qmtl.rpc.auth.call import current_call, require_stated
from qmtl.rpc.client.payloads import Relayed
from qmtl.rpc.rules.methods import Audience, full_name, rules_of
from qmtl.rpc.server.requests import decoded
from qmtl.world.v1 import access_service_pb2 as accessservicepb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import audit_service_pb2 as auditservicepb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import divergence_service_pb2 as divergenceservicepb
from qmtl.world.v1 import evaluation_service_pb2 as evaluationservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import status_service_pb2 as worldstatusservicepb
from qmtl.world.v1 import world_graph_service_pb2 as worldgraphservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb


def _services(*files: FileDescriptor) -> tuple[ServiceDescriptor, ...]:
    return tuple(service for file in files for service in file.services_by_name.values())


PROXIED: Mapping[str, tuple[ServiceDescriptor, ...]] = {
    "worldservice": _services(
        accessservicepb.DESCRIPTOR,
        activationservicepb.DESCRIPTOR,
        allocationservicepb.DESCRIPTOR,
        applyservicepb.DESCRIPTOR,
        auditservicepb.DESCRIPTOR,
        bindingservicepb.DESCRIPTOR,
        campaignservicepb.DESCRIPTOR,
        divergenceservicepb.DESCRIPTOR,
        evaluationservicepb.DESCRIPTOR,
        policyservicepb.DESCRIPTOR,
        riskservicepb.DESCRIPTOR,
        worldstatusservicepb.DESCRIPTOR,
        worldgraphservicepb.DESCRIPTOR,
        worldservicepb.DESCRIPTOR,
    ),
    "dagmanager": _services(
        diff_service_pb2.DESCRIPTOR,
        graph_service_pb2.DESCRIPTOR,
        hotfix_service_pb2.DESCRIPTOR,
        maintenance_service_pb2.DESCRIPTOR,
        plan_service_pb2.DESCRIPTOR,
        queue_catalogue_service_pb2.DESCRIPTOR,
        queue_progress_service_pb2.DESCRIPTOR,
        sentinel_service_pb2.DESCRIPTOR,
        dagstatusservicepb.DESCRIPTOR,
    ),
    "brokerage": _services(
        account_service_pb2.DESCRIPTOR,
        instrument_service_pb2.DESCRIPTOR,
        manual_order_service_pb2.DESCRIPTOR,
        order_service_pb2.DESCRIPTOR,
        portfolio_service_pb2.DESCRIPTOR,
        brokerstatusservicepb.DESCRIPTOR,
        venue_service_pb2.DESCRIPTOR,
    ),
    "seamless": _services(
        artifact_service_pb2.DESCRIPTOR,
        catalogue_service_pb2.DESCRIPTOR,
        coverage_service_pb2.DESCRIPTOR,
        data_service_pb2.DESCRIPTOR,
        data_session_service_pb2.DESCRIPTOR,
        feature_service_pb2.DESCRIPTOR,
        file_service_pb2.DESCRIPTOR,
        schema_service_pb2.DESCRIPTOR,
        status_service_pb2.DESCRIPTOR,
    ),
    "controlbus": _services(
        broker_stream_service_pb2.DESCRIPTOR,
        dead_letter_service_pb2.DESCRIPTOR,
        event_tail_service_pb2.DESCRIPTOR,
        controlstatusservicepb.DESCRIPTOR,
    ),
}
DECIDE = "/qmtl.world.v1.EvaluationService/Decide"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Proxy(grpc.GenericRpcHandler):
    """A handler per PUBLIC method of each proxied service."""

    def __init__(self, channels: Mapping[str, aio.Channel], decisions: DecisionCache, guard: LiveGuard) -> None:
        self._decisions = decisions
        self._guard = guard
        self._handlers: dict[str, Handler] = {}
        for peer, services in PROXIED.items():
            for service in services:
                self._add(peer, service, channels[peer])
        self._handlers[DECIDE] = grpc.unary_unary_rpc_method_handler(self._decide)

    def _add(self, peer: str, service: ServiceDescriptor, channel: aio.Channel) -> None:
        for rule in rules_of(service, {}):
            method = service.methods_by_name[rule.name.rpartition("/")[2]]
            kind = (method.client_streaming, method.server_streaming)
            public = rule.audience is Audience.PUBLIC
            self._handlers[rule.name] = _handler(channel, rule.name, kind) if public else _NOT_PROXIED[kind[0]]
            if public and rule.chunked is not None and kind == (True, False):
                relayed = _relayed(_single(channel.stream_unary(rule.name)))
                self._handlers[rule.name] = grpc.stream_unary_rpc_method_handler(relayed)
            looked_into = rule.name in GUARDED or (peer == "worldservice" and not rule.read)
            if not public or not looked_into:
                continue
            if kind == (False, False):
                write = self._looked_into(method, _single(channel.unary_unary(rule.name)))
                self._handlers[rule.name] = grpc.unary_unary_rpc_method_handler(write)
            elif rule.chunked is not None:
                payload = self._world_payload(_single(channel.stream_unary(rule.name)))
                self._handlers[rule.name] = grpc.stream_unary_rpc_method_handler(payload)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of a method, or None when it is not forwarded."""
        return self._handlers.get(handler_call_details.method)

    async def _decide(self, body: bytes, _: aio.ServicerContext[bytes, bytes]) -> bytes:
        request = decoded(evaluationservicepb.DecideRequest.FromString, body)
        decision = await self._decisions.decide(request)
        return evaluationservicepb.DecideResponse(decision=decision).SerializeToString()

    def _looked_into(self, method: MethodDescriptor, forward: Callable[..., Awaitable[bytes]]) -> Any:
        """Forward what passes the live guard, and forget the decision of the world it is about, whatever came of it."""
        request_type = GetMessageClass(method.input_type)
        name, names_world = full_name(method), "world_id" in method.input_type.fields_by_name

        async def write(body: bytes, context: aio.ServicerContext[bytes, bytes]) -> bytes:
            await self._guard.check(name, body, context.invocation_metadata())
            try:
                return await forward(body, context)
            finally:
                if names_world:
                    self._decisions.forget(_world_of(request_type, body))

        return write

    def _world_payload(self, forward: Callable[..., Awaitable[bytes]]) -> Any:
        """Forward a write about worlds that comes in chunks, for operators of them, and forget their decisions."""

        async def write(chunks: AsyncIterable[bytes], context: aio.ServicerContext[bytes, bytes]) -> bytes:
            said = require_stated()
            for world_id in said.world_ids:
                await self._guard.roles.require_known(world_id, Role.OPERATOR)
            try:
                return await forward(Relayed(chunks, said), context)
            finally:
                for world_id in said.world_ids:
                    self._decisions.forget(world_id)

        return write


def _world_of(request_type: type[Message], body: bytes) -> str:
    try:
        fields = request_type.FromString(body).ListFields()
    except DecodeError:
        return ""  # worldservice has refused it for that
    return next((str(value) for field, value in fields if field.name == "world_id"), "")


async def _not_proxied(_: object, __: aio.ServicerContext[bytes, bytes]) -> bytes:
    """What even a service gets here: contracts between services are not forwarded."""
    raise PermissionDenied("E_NOT_PROXIED", "this call is between services; call its service directly")


_NOT_PROXIED: Mapping[bool, Handler] = {  # by whether the client streams: then nothing of it is read
    False: grpc.unary_unary_rpc_method_handler(_not_proxied),
    True: grpc.stream_unary_rpc_method_handler(_not_proxied),
}


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
    async def forward(request: bytes | AsyncIterable[bytes] | Relayed, _: aio.ServicerContext[bytes, bytes]) -> bytes:
        reply: bytes = await call(request, timeout=current_call().remaining_s())  # the caller's time, not our default
        return reply

    return forward


def _relayed(forward: Callable[..., Awaitable[bytes]]) -> Any:
    """Forward a payload in chunks, with what was stated of it."""

    async def relay(chunks: AsyncIterable[bytes], context: aio.ServicerContext[bytes, bytes]) -> bytes:
        return await forward(Relayed(chunks, require_stated()), context)

    return relay


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

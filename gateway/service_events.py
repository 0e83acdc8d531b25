"""RPCs of event streams: describe, renew, follow, and the public keys of their tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta

from gateway.doors import Doors
from gateway.streams import check_topics, frames
from gateway.tokens import Scope
from qmtl.core.errors import Exhausted, PermissionDenied
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as servicepb
from qmtl.rpc.auth import Role
from qmtl.rpc.context import require_user
from qmtl.wire.words import instant_to_proto


class EventCalls:
    """Event streams of the caller's worlds."""

    _doors: Doors
    _subscribers: int

    async def CreateEventStream(
        self, request: servicepb.CreateEventStreamRequest, context: object
    ) -> servicepb.CreateEventStreamResponse:
        topics = check_topics(list(request.topics))
        subject = await self._doors.access.require(request.world_id, Role.READER)
        scope = Scope(subject, request.world_id, request.strategy_id, topics)
        return servicepb.CreateEventStreamResponse(stream=self._descriptor(scope))

    async def RefreshEventStream(
        self, request: servicepb.RefreshEventStreamRequest, context: object
    ) -> servicepb.RefreshEventStreamResponse:
        scope = self._own_scope(request.token)
        await self._doors.access.require(scope.world_id, Role.READER)
        return servicepb.RefreshEventStreamResponse(stream=self._descriptor(scope))

    async def SubscribeEvents(
        self, request: servicepb.SubscribeEventsRequest, context: object
    ) -> AsyncIterator[servicepb.SubscribeEventsResponse]:
        doors = self._doors
        scope = self._own_scope(request.token)
        await doors.access.require(scope.world_id, Role.READER)
        if self._subscribers >= doors.settings.subscribers_max:
            raise Exhausted("E_SUBSCRIBERS", f"{self._subscribers} event streams are open", retry_after_s=5.0)
        self._subscribers += 1
        try:
            async with aclosing(frames(doors.streams, scope, request.resume_token, doors.draining)) as following:
                async for frame in following:
                    yield servicepb.SubscribeEventsResponse(frame=frame)
        finally:
            self._subscribers -= 1

    async def GetJwks(self, request: servicepb.GetJwksRequest, context: object) -> servicepb.GetJwksResponse:
        return servicepb.GetJwksResponse(keys=self._doors.streams.keys.public())

    def _own_scope(self, token: str) -> Scope:
        scope = self._doors.streams.keys.scope_of(token)
        if scope.subject != require_user().subject:
            raise PermissionDenied("E_RESUME_SCOPE", "the stream token is another user's")
        return scope

    def _descriptor(self, scope: Scope) -> gatewaypb.EventStreamDescriptor:
        settings, keys = self._doors.settings, self._doors.streams.keys
        token, expires_at = keys.stream_token(scope, timedelta(seconds=settings.stream_token_ttl_s))
        return gatewaypb.EventStreamDescriptor(
            address=settings.public_address or settings.bind,
            token=token,
            topics=scope.topics,
            expires_at=instant_to_proto(expires_at),
            fallback_address=settings.fallback_address,
        )

"""RPCs of event streams: describe, renew, follow, and the public keys of their tokens.

A stream ends with its token, unless the token was renewed here meanwhile: then who follows has been authorised again.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any

from gateway.doors import Doors
from gateway.events.subscribers import Subscribers
from gateway.events.subscription import ends, frames
from gateway.events.tokens import Scope, StreamGrant
from gateway.events.topics import check_topics
from gateway.writing import write_within
from qmtl.core.errors import PermissionDenied, Unavailable
from qmtl.core.roles import Role
from qmtl.gateway.v1 import gateway_pb2 as gatewaypb
from qmtl.gateway.v1 import service_pb2 as servicepb
from qmtl.rpc.auth.call import require_user
from qmtl.wire.instants import instant_to_proto

EXPIRY_LOOK_S = 1.0


class EventCalls:
    """Event streams of the caller's worlds."""

    _doors: Doors
    _subscribers: Subscribers

    async def CreateEventStream(
        self, request: servicepb.CreateEventStreamRequest, context: object
    ) -> servicepb.CreateEventStreamResponse:
        topics = check_topics(list(request.topics))
        subject = await self._doors.access.require(request.world_id, Role.READER)
        scope = Scope(subject, request.world_id, request.strategy_id, topics)
        stream = self._descriptor(scope, secrets.token_hex(8))
        with suppress(Unavailable):  # while the broker is away the stream begins with its snapshots, as it would anyway
            stream.resume_token = self._doors.streams.keys.resume_token(scope, await ends(self._doors.streams, scope))
        return servicepb.CreateEventStreamResponse(stream=stream)

    async def RefreshEventStream(
        self, request: servicepb.RefreshEventStreamRequest, context: object
    ) -> servicepb.RefreshEventStreamResponse:
        stream = self._own_stream(request.token)
        await self._doors.access.require(stream.scope.world_id, Role.READER)
        return servicepb.RefreshEventStreamResponse(stream=self._descriptor(stream.scope, stream.stream_id))

    async def SubscribeEvents(self, request: servicepb.SubscribeEventsRequest, context: Any) -> None:
        """Writes its replies itself, so that each write is bounded in time."""
        doors, subscribers = self._doors, self._subscribers
        stream = self._own_stream(request.token)
        await doors.access.require(stream.scope.world_id, Role.READER)
        subscribers.enter(stream, doors.settings.subscribers_max)
        ending = asyncio.Event()
        watching = asyncio.create_task(self._watch(stream, ending))
        try:
            following = frames(doors.streams, stream.scope, request.resume_token, ending)
            async with aclosing(following) as shown:
                async for frame in shown:
                    reply = servicepb.SubscribeEventsResponse(frame=frame)
                    await write_within(doors.settings.subscriber_write_s, context, reply)
        finally:
            watching.cancel()
            subscribers.leave(stream)

    async def GetJwks(self, request: servicepb.GetJwksRequest, context: object) -> servicepb.GetJwksResponse:
        return servicepb.GetJwksResponse(keys=self._doors.streams.keys.public())

    async def _watch(self, stream: StreamGrant, ending: asyncio.Event) -> None:
        """Set `ending` when the gateway drains or the stream's token has expired."""
        while not self._subscribers.over(stream.stream_id, self._doors.clock.now()):
            try:
                async with asyncio.timeout(EXPIRY_LOOK_S):
                    await self._doors.draining.wait()
                    break
            except TimeoutError:
                continue
        ending.set()

    def _own_stream(self, token: str) -> StreamGrant:
        stream = self._doors.streams.keys.opened(token)
        if stream.scope.subject != require_user().subject:
            raise PermissionDenied("E_RESUME_SCOPE", "the stream token is another user's")
        return stream

    def _descriptor(self, scope: Scope, stream_id: str) -> gatewaypb.EventStreamDescriptor:
        settings, keys = self._doors.settings, self._doors.streams.keys
        token, expires_at = keys.stream_token(scope, timedelta(seconds=settings.stream_token_ttl_s), stream_id)
        self._subscribers.renew(stream_id, expires_at)
        return gatewaypb.EventStreamDescriptor(
            address=settings.public_address or settings.bind,
            token=token,
            topics=scope.topics,
            expires_at=instant_to_proto(expires_at),
            fallback_address=settings.fallback_address,
        )

"""RPCs of event streams: describe, renew, follow, and the public keys of their tokens.

A stream ends with its token, unless the token was renewed here meanwhile: then who follows has been authorised again.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gateway.events.subscribers import Subscribers
from gateway.events.subscription import StreamSources, ends, frames
from gateway.events.tokens import Scope, StreamGrant
from gateway.events.topics import check_topics
from qmtl.core.errors import Unauthenticated, Unavailable
from qmtl.core.roles import Role
from qmtl.gateway.v1 import event_pb2 as eventpb
from qmtl.gateway.v1 import event_service_pb2 as eventservicepb
from qmtl.gateway.v1 import event_service_pb2_grpc as eventrpc
from qmtl.rpc.auth.call import own_act, require_user
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.rpc.server.streaming import write_within
from qmtl.wire.instants import instant_to_proto

EXPIRY_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class StreamOffer:
    """What a client is told of its stream, and the bounds it is served within."""

    address: str
    fallback_address: str
    token_ttl: timedelta
    subscribers_max: int
    write_s: float


class EventServicer(eventrpc.EventServiceServicer):
    """Event streams of the caller's worlds; see event_service.proto for what each call does."""

    def __init__(
        self,
        sources: StreamSources,
        roles: WorldRoles,
        subscribers: Subscribers,
        offer: StreamOffer,
        draining: asyncio.Event,
    ) -> None:
        self._sources = sources
        self._roles = roles
        self._subscribers = subscribers
        self._offer = offer
        self._draining = draining

    async def CreateEventStream(
        self, request: eventservicepb.CreateEventStreamRequest, context: object
    ) -> eventservicepb.CreateEventStreamResponse:
        topics = check_topics(list(request.topics))
        subject = await self._roles.require_known(request.world_id, Role.READER)
        scope = Scope(subject, request.world_id, request.strategy_id, topics)
        stream = self._descriptor(scope, secrets.token_hex(8))
        with suppress(Unavailable):  # while the broker is away the stream begins with its snapshots, as it would anyway
            stream.resume_token = self._sources.keys.resume_token(scope, await ends(self._sources, scope))
        return eventservicepb.CreateEventStreamResponse(stream=stream)

    async def RefreshEventStream(
        self, request: eventservicepb.RefreshEventStreamRequest, context: object
    ) -> eventservicepb.RefreshEventStreamResponse:
        stream = self._own_stream(request.stream_token)
        await self._roles.require_known(stream.scope.world_id, Role.READER)
        return eventservicepb.RefreshEventStreamResponse(stream=self._descriptor(stream.scope, stream.stream_id))

    async def SubscribeEvents(  # type: ignore[override]  # writes its replies itself
        self, request: eventservicepb.SubscribeEventsRequest, context: Any
    ) -> None:
        """Writes its replies itself, so that each write is bounded in time.

        The stream token is all that is known of the caller: it was given after a check of the role and says what may be
        seen, so the owners of snapshots are asked by the gateway itself.
        """
        stream = self._sources.keys.opened(require_user().token)
        with own_act():
            await self._serve(stream, request.resume_token, context)

    async def _serve(self, stream: StreamGrant, resume_token: str, context: Any) -> None:
        self._subscribers.enter(stream, self._offer.subscribers_max)
        ending = asyncio.Event()
        watching = asyncio.create_task(self._watch(stream, ending))
        try:
            following = frames(self._sources, stream.scope, resume_token, ending)
            async with aclosing(following) as shown:
                async for frame in shown:
                    reply = eventservicepb.SubscribeEventsResponse(frame=frame)
                    await write_within(self._offer.write_s, context, reply)
        finally:
            watching.cancel()
            self._subscribers.leave(stream)

    async def GetJwks(self, request: eventservicepb.GetJwksRequest, context: object) -> eventservicepb.GetJwksResponse:
        return eventservicepb.GetJwksResponse(keys=self._sources.keys.public())

    async def _watch(self, stream: StreamGrant, ending: asyncio.Event) -> None:
        """Set `ending` when the gateway drains or the stream's token has expired."""
        while not self._subscribers.over(stream.stream_id, self._sources.clock.now()):
            try:
                async with asyncio.timeout(EXPIRY_LOOK_S):
                    await self._draining.wait()
                    break
            except TimeoutError:
                continue
        ending.set()

    def _own_stream(self, token: str) -> StreamGrant:
        """What the caller's own stream token opens. Raises Unauthenticated (E_STREAM_TOKEN)."""
        stream = self._sources.keys.opened(token)
        if stream.scope.subject != require_user().subject:
            raise Unauthenticated("E_STREAM_TOKEN", "the stream token is another user's")
        return stream

    def _descriptor(self, scope: Scope, stream_id: str) -> eventpb.EventStreamDescriptor:
        offer, keys = self._offer, self._sources.keys
        token, expires_at = keys.stream_token(scope, offer.token_ttl, stream_id)
        self._subscribers.renew(stream_id, expires_at)
        return eventpb.EventStreamDescriptor(
            address=offer.address,
            stream_token=token,
            topics=scope.topics,
            expires_at=instant_to_proto(expires_at),
            fallback_address=offer.fallback_address,
        )

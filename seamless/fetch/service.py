"""DataService: market data, history and live as one."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from qmtl.core.roles import Role
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.rpc.auth.call import require_all_worlds
from seamless.domain.sessions.playback import Delivery, Replay
from seamless.domain.sessions.requests import SubscribeQuery
from seamless.fetch import wire
from seamless.fetch.fetcher import Fetcher
from seamless.live.store import LiveSession
from seamless.recordings.recorder import Recorder
from seamless.replay.subscription import Subscriptions
from seamless.replay.wire import delivery_to_proto, subscribe_from_proto


class DataServicer(datarpc.DataServiceServicer):
    """Fetches, and subscriptions to what is played or live."""

    def __init__(self, fetcher: Fetcher, subscriptions: Subscriptions, recorder: Recorder) -> None:
        self._fetcher = fetcher
        self._recorder = recorder
        self._subscriptions = subscriptions

    async def Fetch(
        self, request: dataservicepb.FetchRequest, context: object
    ) -> AsyncIterator[dataservicepb.FetchResponse]:
        query = wire.fetch_from_proto(request)
        if query.mode.fetches:
            require_all_worlds(Role.OPERATOR)
        if query.session_id:
            await self._subscriptions.require_reader(query.session_id)
        async with aclosing(self._fetcher.fetch(query)) as replies:
            async for reply in replies:
                yield reply

    async def Subscribe(
        self, request: dataservicepb.SubscribeRequest, context: object
    ) -> AsyncIterator[dataservicepb.SubscribeResponse]:
        query = subscribe_from_proto(request)
        session = await self._subscriptions.session(query)
        labels = self._subscriptions.told_as(session, query)
        async with aclosing(self._deliveries(session, query)) as deliveries:
            async for delivery in deliveries:
                yield delivery_to_proto(delivery, labels)

    def _deliveries(self, session: Replay | LiveSession, query: SubscribeQuery) -> AsyncGenerator[Delivery, None]:
        """What is delivered; of a live session that goes on it is recorded first."""
        found = self._subscriptions.deliveries(session, query)
        if isinstance(session, Replay) or not session.session_id or session.closed_at_ns:
            return found
        return self._recorder.through(session, self._subscriptions.told_of(session, query), found)

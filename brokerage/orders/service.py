"""OrderService: orders, their events and fills, as clients read them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from brokerage.accounts.access import AccountAccess
from brokerage.market.context import MarketContext
from brokerage.orders import listings, store
from brokerage.orders.store import OrdersOf
from brokerage.orders.stream import OrderEventStream
from brokerage.orders.wire import name_from_proto, status_to_proto
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import order_service_pb2_grpc as orderrpc
from qmtl.core.roles import Role
from qmtl.rpc.auth.roles import WorldRoles
from qmtl.sql.database import Database


class OrderService(orderrpc.OrderServiceServicer):
    """Listings and the stream of order events."""

    def __init__(
        self,
        db: Database,
        market: MarketContext,
        roles: WorldRoles,
        access: AccountAccess,
        stream: OrderEventStream,
    ) -> None:
        self._db = db
        self._market = market
        self._roles = roles
        self._access = access
        self._stream = stream

    async def GetOrder(
        self, request: orderservicepb.GetOrderRequest, context: object
    ) -> orderservicepb.GetOrderResponse:
        name = name_from_proto(request.key)
        await self._roles.require(name.owner.world_id, Role.READER)
        stored = await self._db.read(lambda conn: store.order(conn, name, self._market.instruments))
        return orderservicepb.GetOrderResponse(status=status_to_proto(stored))

    async def ListOrders(
        self, request: orderservicepb.ListOrdersRequest, context: object
    ) -> orderservicepb.ListOrdersResponse:
        await self._access.readable(request.account, request.world_id)
        return await self._db.read(lambda conn: listings.list_orders(conn, self._market, request))

    async def StreamOrderEvents(
        self, request: orderservicepb.StreamOrderEventsRequest, context: object
    ) -> AsyncIterator[orderservicepb.StreamOrderEventsResponse]:
        account = await self._access.readable(request.account, request.world_id)
        listings.check_resume(account, request.after_account_event_number)
        of = OrdersOf(request.account, request.world_id, request.strategy_id)
        async for message in self._stream.follow(of, request.after_account_event_number):
            yield message

    async def ListFills(
        self, request: orderservicepb.ListFillsRequest, context: object
    ) -> orderservicepb.ListFillsResponse:
        await self._access.readable(request.account, request.world_id)
        return await self._db.read(lambda conn: listings.list_fills(conn, self._market, request))

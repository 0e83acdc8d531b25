"""A strategy's own orders and fills, listed and followed through breaks of the stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from brokerage.domain.orders.order import Owner
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import QmtlError, Unavailable
from qmtl.core.fills import FillEvent
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.wire.orders import fill_from_proto


async def follow_orders(
    retrying: RetryingClient,
    owner: Owner,
    on_fill: Callable[[FillEvent], None],
    on_event: Callable[[orderpb.OrderEvent], None],
) -> None:
    """Report each event of a strategy's orders, and its fill, once, from now on, for ever; resumes by the account's
    event number.
    """
    number = 0
    while True:
        request = orderservicepb.StreamOrderEventsRequest(
            account=owner.account,
            world_id=owner.world_id,
            strategy_id=owner.strategy_id,
            after_account_event_number=number,
        )
        try:
            with scoped(retrying.client.orders.StreamOrderEvents(request)) as replies:
                async for reply in replies:
                    retrying.outage.answered()
                    if reply.WhichOneof("part") == "snapshot":
                        number = max(number, reply.snapshot.account_event_number)
                    for event in reply.events.events:
                        if event.account_event_number > number:
                            number = event.account_event_number
                            on_event(event)
                            if event.HasField("fill"):
                                on_fill(fill_from_proto(event.fill))
            raise Unavailable("E_STREAM_ENDED", "the order stream ended")
        except QmtlError as error:
            await retrying.outage.failed(error, "order events")


async def list_orders(
    retrying: RetryingClient, owner: Owner, *, symbol: str = "", open_only: bool = False
) -> list[orderpb.OrderStatus]:
    """A strategy's orders, newest first; `symbol` empty: of all symbols."""

    def page_of(page: commonpb.PageRequest) -> Awaitable[orderservicepb.ListOrdersResponse]:
        return retrying.client.orders.ListOrders(
            orderservicepb.ListOrdersRequest(
                account=owner.account,
                world_id=owner.world_id,
                strategy_id=owner.strategy_id,
                symbol=symbol,
                open_only=open_only,
                page=page,
            )
        )

    return [status async for reply in retrying.pages(page_of, "orders") for status in reply.statuses]


async def list_fills(retrying: RetryingClient, owner: Owner) -> list[FillEvent]:
    """Every fill of a strategy's orders, in the order they were booked."""

    def page_of(page: commonpb.PageRequest) -> Awaitable[orderservicepb.ListFillsResponse]:
        return retrying.client.orders.ListFills(
            orderservicepb.ListFillsRequest(
                account=owner.account, world_id=owner.world_id, strategy_id=owner.strategy_id, page=page
            )
        )

    found = [fill async for reply in retrying.pages(page_of, "fills") for fill in reply.fills]
    return [fill_from_proto(fill) for fill in sorted(found, key=lambda fill: fill.account_fill_number)]

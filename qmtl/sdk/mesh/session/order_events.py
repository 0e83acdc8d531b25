"""A strategy's own orders and fills, listed and followed through breaks of the stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from brokerage.domain.orders.order import Owner
from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import QmtlError, Unavailable
from qmtl.core.fills import FillEvent
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.wire.orders import fill_from_proto


async def follow_fills(retrying: RetryingClient, owner: Owner, on_fill: Callable[[FillEvent], None]) -> None:
    """Report each fill of a strategy's orders once, from now on, for ever; resumes by the account's sequence."""
    sequence = 0
    while True:
        request = brokerservicepb.StreamOrderEventsRequest(
            account=owner.account, world_id=owner.world_id, strategy_id=owner.strategy_id, after_sequence=sequence
        )
        try:
            with scoped(retrying.client.brokerage.StreamOrderEvents(request)) as replies:
                async for reply in replies:
                    retrying.outage.answered()
                    if reply.WhichOneof("part") == "snapshot":
                        sequence = max(sequence, reply.snapshot.sequence)
                    for event in reply.events.events:
                        if event.sequence > sequence:
                            sequence = event.sequence
                            if event.HasField("fill"):
                                on_fill(fill_from_proto(event.fill))
            raise Unavailable("E_STREAM_ENDED", "the order stream ended")
        except QmtlError as error:
            await retrying.outage.failed(error, "order events")


async def list_orders(retrying: RetryingClient, owner: Owner, *, open_only: bool = False) -> list[brokerpb.OrderStatus]:
    """A strategy's orders, newest first."""

    def page_of(page: commonpb.PageRequest) -> Awaitable[brokerservicepb.ListOrdersResponse]:
        return retrying.client.brokerage.ListOrders(
            brokerservicepb.ListOrdersRequest(
                account=owner.account,
                world_id=owner.world_id,
                strategy_id=owner.strategy_id,
                open_only=open_only,
                page=page,
            )
        )

    return [status async for reply in retrying.pages(page_of, "orders") for status in reply.statuses]


async def list_fills(retrying: RetryingClient, owner: Owner) -> list[FillEvent]:
    """Every fill of a strategy's orders, in the order they were booked."""

    def page_of(page: commonpb.PageRequest) -> Awaitable[brokerservicepb.ListFillsResponse]:
        return retrying.client.brokerage.ListFills(
            brokerservicepb.ListFillsRequest(
                account=owner.account, world_id=owner.world_id, strategy_id=owner.strategy_id, page=page
            )
        )

    found = [fill async for reply in retrying.pages(page_of, "fills") for fill in reply.fills]
    return [fill_from_proto(fill) for fill in sorted(found, key=lambda fill: fill.sequence)]

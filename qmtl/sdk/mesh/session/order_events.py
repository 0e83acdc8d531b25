"""A strategy's own orders and fills, listed and followed through breaks of the stream."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as brokerservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import QmtlError, Unavailable
from qmtl.core.fills import FillEvent
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.wire.orders import OrderOwner, fill_from_proto


async def follow_fills(line: RetryingClient, desk: OrderOwner, on_fill: Callable[[FillEvent], None]) -> None:
    """Report each fill of the desk's orders once, from now on, for ever; resumes by the account's sequence."""
    sequence = 0
    while True:
        request = brokerservicepb.StreamOrderEventsRequest(
            account=desk.account, world_id=desk.world_id, strategy_id=desk.strategy_id, after_sequence=sequence
        )
        try:
            with scoped(line.client.brokerage.StreamOrderEvents(request)) as replies:
                async for reply in replies:
                    line.patience.answered()
                    if reply.WhichOneof("part") == "snapshot":
                        sequence = max(sequence, reply.snapshot.sequence)
                    for event in reply.events.events:
                        if event.sequence > sequence:
                            sequence = event.sequence
                            if event.HasField("fill"):
                                on_fill(fill_from_proto(event.fill))
            raise Unavailable("E_STREAM_ENDED", "the order stream ended")
        except QmtlError as error:
            await line.patience.failed(error, "order events")


async def list_orders(line: RetryingClient, desk: OrderOwner) -> list[brokerpb.OrderStatus]:
    """Every order of the desk, newest first."""
    found: list[brokerpb.OrderStatus] = []
    page = commonpb.PageRequest(page_size=1000)
    while True:
        request = brokerservicepb.ListOrdersRequest(
            account=desk.account, world_id=desk.world_id, strategy_id=desk.strategy_id, page=page
        )
        reply = await line.ask(partial(line.client.brokerage.ListOrders, request), "orders")
        found.extend(reply.statuses)
        if not reply.page.next_page_token:
            return found
        page = commonpb.PageRequest(page_size=1000, page_token=reply.page.next_page_token)


async def list_fills(line: RetryingClient, desk: OrderOwner) -> list[FillEvent]:
    """Every fill of the desk's orders, in the order they were booked."""
    found: list[brokerpb.Fill] = []
    page = commonpb.PageRequest(page_size=1000)
    while True:
        request = brokerservicepb.ListFillsRequest(
            account=desk.account, world_id=desk.world_id, strategy_id=desk.strategy_id, page=page
        )
        reply = await line.ask(partial(line.client.brokerage.ListFills, request), "fills")
        found.extend(reply.fills)
        if not reply.page.next_page_token:
            return [fill_from_proto(fill) for fill in sorted(found, key=lambda fill: fill.sequence)]
        page = commonpb.PageRequest(page_size=1000, page_token=reply.page.next_page_token)

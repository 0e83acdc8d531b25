"""A strategy's own orders and fills, listed and followed through breaks of the stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final

from brokerage.domain.orders.order import Owner
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.decimals import parse_decimal
from qmtl.core.errors import QmtlError, Unavailable
from qmtl.core.fills import FillEvent
from qmtl.rpc.client.streams import scoped
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.wire.orders import fill_from_proto, state_of, update_from_proto, update_of
from qmtl.sdk.strategy.events import OrderState, OrderUpdate
from qmtl.sdk.strategy.quotes import QuoteRule
from qmtl.sdk.strategy.rules import TradeRule
from qmtl.sdk.strategy.strategy import Strategy

ENDED = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED, OrderState.DENIED})
"""States that only a late fill follows. What comes all the same, or has less filled than was told, is from before the
listing that told of it.
"""

UNTOLD: Final = (None, Decimal(0))


class OrderListener:
    """Tells a strategy of the steps of its orders: of each event as it comes, and at the end of what the last events,
    which did not come any more, made of them.
    """

    def __init__(self, strategy: Strategy, rules: Sequence[TradeRule | QuoteRule]) -> None:
        self._on_order = strategy.on_order
        self.listens = strategy.hears_orders
        self._rules = rules
        self._told: dict[str, tuple[OrderState | None, Decimal]] = {}  # the state, and how much was filled

    def begin(self, statuses: Iterable[orderpb.OrderStatus]) -> None:
        """Orders of an earlier process: what became of them before is not told."""
        for status in statuses:
            filled = parse_decimal(status.cumulative_quantity or "0", "status.cumulative_quantity")
            self._told[status.order.client_order_id] = state_of(status.state), filled

    def hear(self, event: orderpb.OrderEvent) -> None:
        """An event of an order."""
        update = update_from_proto(event, self._rules)
        if update is None or not self.listens:
            return
        state, filled = self._told.get(update.client_order_id, UNTOLD)
        if update.filled > filled or (update.filled == filled and state not in ENDED):
            self._tell(update)

    def compare(self, statuses: Iterable[orderpb.OrderStatus]) -> None:
        """All orders, newest first: tell of those that are not as they were told of."""
        for status in reversed(list(statuses)):
            state, name = state_of(status.state), status.order.client_order_id
            if not self.listens or state is None:
                continue
            update, (told, filled) = update_of(status, state, self._rules), self._told.get(name, UNTOLD)
            if told is not state or update.filled > filled:
                self._tell(update)

    def _tell(self, update: OrderUpdate) -> None:
        self._told[update.client_order_id] = update.state, update.filled
        self._on_order(update)


async def follow_orders(
    retrying: RetryingClient,
    owner: Owner,
    on_fill: Callable[[FillEvent], None],
    on_event: Callable[[orderpb.OrderEvent], None],
    begun: asyncio.Event,
    missed: Callable[[], Awaitable[None]],
) -> None:
    """Report each event of a strategy's orders, and its fill, once, from now on, for ever; resumes by the account's
    event number. What happens before `begun` is set may be older than the stream: it is in listings made after. A
    stream that breaks before its first event begins anew, and nobody tells what came between: `missed` lists it.
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
                        if begun.is_set() and reply.snapshot.account_event_number > number:
                            await missed()
                        number = max(number, reply.snapshot.account_event_number)
                    begun.set()
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

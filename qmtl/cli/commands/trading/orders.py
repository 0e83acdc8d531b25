"""`qmtl orders` and `qmtl portfolio`: what strategies sent, what came of it, and the books it left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as servicepb
from qmtl.broker.v1 import service_pb2_grpc as brokerrpc
from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.ids import the_one, whole_strategy_id
from qmtl.cli.gateway.pages import collect
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_pairs, show_table
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import Conflict, NotFound
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.gateway.v1 import trading_service_pb2_grpc as tradingrpc
from qmtl.rpc.client.channel import MeshChannel

if TYPE_CHECKING:
    from qmtl.broker.v1.service_pb2_grpc import BrokerageServiceAsyncStub

LIST_MAX = 50
SEARCH_MAX = 100_000

World = Annotated[str, typer.Option("--world", help="Only accounts of this world.")]
Account = Annotated[str, typer.Option("--account", help="Only this account. Default: every one there is.")]
Strategy = Annotated[str, typer.Option("--strategy", help="Only orders of this strategy.")]
OrderId = Annotated[str, typer.Argument(help="Client order id, or as much of it as no other begins with.")]


@with_access
def list_orders(
    access: Access,
    world: World = "",
    account: Account = "",
    strategy: Strategy = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only orders that may still fill.")] = False,
    limit: Annotated[int, typer.Option(help="At most this many of each account, newest first.", min=1)] = LIST_MAX,
) -> None:
    """Orders of the accounts of a world, newest first."""
    strategy = whole_strategy_id(access, strategy)

    async def call(channel: MeshChannel) -> list[brokerpb.OrderStatus]:
        stub = brokerrpc.BrokerageServiceStub(channel)
        return await _orders(stub, account, world, strategy, limit, open_only=open_only)

    found = ask(access, call)
    if access.json:
        show_json([as_dict(one) for one in found])
        return
    columns = ("order", "strategy", "symbol", "side", "type", "quantity", "filled", "at", "state", "why", "created")
    show_table("orders", columns, order_rows(found))


def order_rows(found: Sequence[brokerpb.OrderStatus]) -> list[tuple[str, ...]]:
    """One line per order."""
    return [
        (
            one.order.client_order_id,
            one.order.strategy_id,
            one.order.symbol,
            enum_word(brokerpb.OrderSide, one.order.side),
            enum_word(brokerpb.OrderType, one.order.type),
            one.working_quantity or one.order.quantity,
            one.cumulative_quantity or "0",
            one.average_price or "-",
            enum_word(brokerpb.OrderState, one.state) + (" (unresolved)" if one.unresolved else ""),
            why(one) or "-",
            when(one.created_at),
        )
        for one in found
    ]


def why(status: brokerpb.OrderStatus) -> str:
    """The rule that refused an order, and the words that came with it."""
    rule = enum_word(brokerpb.Denial, status.denial) if status.denial else ""
    return ": ".join(part for part in (rule, status.reason) if part)


@with_access
def show(access: Access, order_id: OrderId, world: World = "", account: Account = "", strategy: Strategy = "") -> None:
    """One order with its fills."""
    strategy = whole_strategy_id(access, strategy)

    async def call(channel: MeshChannel) -> tuple[brokerpb.OrderStatus, list[brokerpb.Fill]]:
        stub = brokerrpc.BrokerageServiceStub(channel)
        status = await _find(stub, order_id, account, world, strategy)
        return status, await _fills(stub, status.order)

    status, fills = ask(access, call)
    if access.json:
        show_json({**as_dict(status), "fills": [as_dict(fill) for fill in fills]})
        return
    _show_order(status)
    _show_fills(fills)


@with_access
def cancel(
    access: Access, order_id: OrderId, world: World = "", account: Account = "", strategy: Strategy = ""
) -> None:
    """Cancel an open order; a closed one is answered as it is."""
    strategy = whole_strategy_id(access, strategy)

    async def call(channel: MeshChannel) -> brokerpb.OrderStatus:
        order = (await _find(brokerrpc.BrokerageServiceStub(channel), order_id, account, world, strategy)).order
        key = servicepb.OrderKey(
            account=order.account,
            world_id=order.world_id,
            strategy_id=order.strategy_id,
            client_order_id=order.client_order_id,
        )
        return (
            await tradingrpc.TradingServiceStub(channel).CancelOrder(tradingservicepb.CancelOrderRequest(key=key))
        ).status

    status = ask(access, call)
    if access.json:
        show_json(as_dict(status))
    else:
        _show_order(status)


async def account_names(stub: BrokerageServiceAsyncStub, account: str, world: str) -> list[str]:
    """The account named, or those the paper venue has for the world."""
    if account:
        return [account]
    venue = await stub.GetVenueStatus(servicepb.GetVenueStatusRequest())
    return [one.account for one in venue.accounts if world in ("", one.world_id)]


async def _orders(
    stub: BrokerageServiceAsyncStub, account: str, world: str, strategy: str, limit: int, *, open_only: bool
) -> list[brokerpb.OrderStatus]:

    found: list[brokerpb.OrderStatus] = []
    for name in await account_names(stub, account, world):

        async def page(
            asked: commonpb.PageRequest, name: str = name
        ) -> tuple[Sequence[brokerpb.OrderStatus], commonpb.PageInfo]:
            request = servicepb.ListOrdersRequest(
                account=name, world_id=world, strategy_id=strategy, open_only=open_only, page=asked
            )
            reply = await stub.ListOrders(request)
            return reply.statuses, reply.page

        found.extend(await collect(page, limit))
    return sorted(found, key=lambda one: one.created_at.ToNanoseconds(), reverse=True)


async def _find(
    stub: BrokerageServiceAsyncStub, order_id: str, account: str, world: str, strategy: str
) -> brokerpb.OrderStatus:
    """The one order whose id begins so.

    Raises NotFound (E_ORDER_UNKNOWN), Conflict (E_ORDER_AMBIGUOUS, E_ID_AMBIGUOUS).
    """
    every = await _orders(stub, account, world, strategy, SEARCH_MAX, open_only=False)
    name = the_one(order_id, (one.order.client_order_id for one in every))
    found = [one for one in every if one.order.client_order_id == name]
    if not found:
        raise NotFound("E_ORDER_UNKNOWN", f"no order {order_id!r} in the accounts looked at", hint="qmtl orders list")
    if len(found) > 1:
        places = ", ".join(f"{one.order.account}/{one.order.strategy_id}" for one in found)
        raise Conflict("E_ORDER_AMBIGUOUS", f"{order_id!r} names {places}", hint="add --account or --strategy")
    return found[0]


async def _fills(stub: BrokerageServiceAsyncStub, order: brokerpb.Order) -> list[brokerpb.Fill]:
    async def page(asked: commonpb.PageRequest) -> tuple[Sequence[brokerpb.Fill], commonpb.PageInfo]:
        request = servicepb.ListFillsRequest(
            account=order.account, world_id=order.world_id, strategy_id=order.strategy_id, page=asked
        )
        reply = await stub.ListFills(request)
        return reply.fills, reply.page

    return [fill for fill in await collect(page, SEARCH_MAX) if fill.client_order_id == order.client_order_id]


def _show_order(status: brokerpb.OrderStatus) -> None:
    order = status.order
    prices = (("limit", order.limit_price), ("stop", order.stop_price), ("trail", order.trail_amount))
    fees = ", ".join(f"{fee} {currency}" for currency, fee in sorted(status.fees.items()))
    pairs = [
        ("account", f"{order.account} in world {order.world_id}"),
        ("strategy", order.strategy_id),
        ("asked", f"{enum_word(brokerpb.OrderSide, order.side)} {order.quantity} {order.symbol}"),
        ("type", enum_word(brokerpb.OrderType, order.type) + (", reduce only" if order.reduce_only else "")),
        *((name, price) for name, price in prices if price),
        ("working quantity", status.working_quantity or "-"),
        ("filled", f"{status.cumulative_quantity or 0} at {status.average_price or '-'}"),
        ("fees", fees or "-"),
        ("state", enum_word(brokerpb.OrderState, status.state) + (", unresolved" if status.unresolved else "")),
        ("why", why(status) or "-"),
        ("epoch", str(status.epoch)),
        ("decided", when(order.decided_at)),
        ("created", when(status.created_at)),
        ("updated", when(status.updated_at)),
    ]
    show_pairs(f"order {order.client_order_id}", pairs)


def _show_fills(fills: Sequence[brokerpb.Fill]) -> None:
    rows = [
        (
            str(fill.sequence),
            when(fill.venue_time),
            enum_word(brokerpb.OrderSide, fill.side),
            fill.quantity,
            fill.price,
            f"{fill.fee} {fill.fee_currency}",
            fill.trade_id,
        )
        for fill in fills
    ]
    show_table("fills", ("step", "venue time", "side", "quantity", "price", "fee", "trade"), rows)

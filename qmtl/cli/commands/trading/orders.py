"""`qmtl orders`: the orders strategies sent and what came of them; cancel or change one."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from google.protobuf.field_mask_pb2 import FieldMask

from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.broker.v1 import manual_order_service_pb2 as manualorderservicepb
from qmtl.broker.v1 import manual_order_service_pb2_grpc as manualorderrpc
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import order_service_pb2_grpc as orderrpc
from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.ids import the_one, whole_strategy_id
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.listings import show_listing
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_pairs, show_table
from qmtl.core.errors import Conflict, NotFound
from qmtl.gateway.v1 import trading_service_pb2 as tradingservicepb
from qmtl.gateway.v1 import trading_service_pb2_grpc as tradingrpc
from qmtl.rpc.client.channel import MeshChannel

if TYPE_CHECKING:
    from qmtl.broker.v1.order_service_pb2_grpc import OrderServiceAsyncStub

LIST_MAX = 50
OPERATOR = "@operator"
"""Who orders by hand are of; they are cancelled by who operates the account, and not changed."""
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
    """List orders of the accounts of a world, newest first."""
    strategy = whole_strategy_id(access, strategy)

    async def call(channel: MeshChannel) -> list[orderpb.OrderStatus]:
        return await _orders(channel, account, world, strategy, limit, open_only=open_only)

    found = ask(access, call)
    columns = ("order", "strategy", "symbol", "side", "type", "quantity", "filled", "at", "state", "why", "created")
    show_listing(access, found, "orders", columns, order_rows)


def order_rows(found: Sequence[orderpb.OrderStatus]) -> list[tuple[str, ...]]:
    """One line per order."""
    return [
        (
            one.order.client_order_id,
            one.order.strategy_id,
            one.order.symbol,
            enum_word(orderpb.OrderSide, one.order.side),
            enum_word(orderpb.OrderType, one.order.type),
            one.working_quantity or one.order.quantity,
            one.cumulative_quantity or "0",
            one.average_price or "-",
            enum_word(orderpb.OrderState, one.state) + (" (unresolved)" if one.unresolved else ""),
            why(one) or "-",
            when(one.created_at),
        )
        for one in found
    ]


def why(status: orderpb.OrderStatus) -> str:
    """The rule that refused an order, and the words that came with it."""
    rule = enum_word(orderpb.Denial, status.denial) if status.denial else ""
    return ": ".join(part for part in (rule, status.message) if part)


@with_access
def show(access: Access, order_id: OrderId, world: World = "", account: Account = "", strategy: Strategy = "") -> None:
    """Show an order with its fills."""
    strategy = whole_strategy_id(access, strategy)

    async def call(channel: MeshChannel) -> tuple[orderpb.OrderStatus, list[orderpb.Fill]]:
        status = await _find(channel, order_id, account, world, strategy)
        return status, await _fills(orderrpc.OrderServiceStub(channel), status.order)

    status, fills = ask(access, call)
    if access.json:
        show_json({**as_dict(status), "fills": [as_dict(fill) for fill in fills]})
        return
    show_order(status)
    _show_fills(fills)


@with_access
def cancel(
    access: Access, order_id: OrderId, world: World = "", account: Account = "", strategy: Strategy = ""
) -> None:
    """Cancel an open order; one that is closed already is shown as it is."""
    strategy = whole_strategy_id(access, strategy)

    async def call(channel: MeshChannel) -> orderpb.OrderStatus:
        found = await _find(channel, order_id, account, world, strategy)
        key = _key(found)
        if found.order.strategy_id == OPERATOR:
            by_hand = manualorderservicepb.CancelManualOrderRequest(key=key)
            return (await manualorderrpc.ManualOrderServiceStub(channel).CancelManualOrder(by_hand)).status
        return (
            await tradingrpc.TradingServiceStub(channel).CancelOrder(tradingservicepb.CancelOrderRequest(key=key))
        ).status

    status = ask(access, call)
    if access.json:
        show_json(as_dict(status))
    else:
        show_order(status)


@with_access
def replace(
    access: Access,
    order_id: OrderId,
    quantity: Annotated[str, typer.Option("--quantity", help="New whole quantity, filled part included.")] = "",
    limit: Annotated[str, typer.Option("--limit", help="New limit.")] = "",
    stop: Annotated[str, typer.Option("--stop", help="New stop.")] = "",
    world: World = "",
    account: Account = "",
    strategy: Strategy = "",
    request_id: Annotated[str, typer.Option("--request", help="Idempotency key; the same again changes nothing.")] = "",
) -> None:
    """Change quantity or prices of an open order of a strategy; one that is refused works on as it was."""
    strategy = whole_strategy_id(access, strategy)
    terms = {"quantity": quantity, "limit_price": limit, "stop_price": stop}
    given = {name: value for name, value in terms.items() if value}

    async def call(channel: MeshChannel) -> tradingservicepb.ReplaceOrderResponse:
        request = tradingservicepb.ReplaceOrderRequest(
            key=_key(await _find(channel, order_id, account, world, strategy)),
            terms=orderentryservicepb.OrderTerms(quantity=quantity, limit_price=limit, stop_price=stop),
            update_mask=FieldMask(paths=list(given)),
            request_id=request_id or uuid.uuid4().hex,
        )
        return await tradingrpc.TradingServiceStub(channel).ReplaceOrder(request)

    reply = ask(access, call)
    if access.json:
        show_json(as_dict(reply))
    else:
        show_order(reply.status)
    if reply.denial:
        rule = enum_word(orderpb.Denial, reply.denial)
        typer.echo(f"refused by {rule}: {reply.message}; the order works on as it was", err=True)
        raise typer.Exit(1)


def _key(status: orderpb.OrderStatus) -> orderpb.OrderKey:
    order = status.order
    return orderpb.OrderKey(
        account=order.account,
        world_id=order.world_id,
        strategy_id=order.strategy_id,
        client_order_id=order.client_order_id,
    )


async def account_names(channel: MeshChannel, account: str, world: str) -> list[str]:
    """The account named, or those that the world may use (empty: that any world of the caller's may)."""
    if account:
        return [account]
    stub = accountrpc.AccountServiceStub(channel)
    request = accountservicepb.ListAccountsRequest(world_id=world)
    return await listed(stub.ListAccounts, request, lambda reply: [one.account for one in reply.accounts], SEARCH_MAX)


async def _orders(
    channel: MeshChannel, account: str, world: str, strategy: str, limit: int, *, open_only: bool
) -> list[orderpb.OrderStatus]:

    stub, found = orderrpc.OrderServiceStub(channel), list[orderpb.OrderStatus]()
    for name in await account_names(channel, account, world):
        request = orderservicepb.ListOrdersRequest(
            account=name, world_id=world, strategy_id=strategy, open_only=open_only
        )
        found += await listed(stub.ListOrders, request, lambda reply: reply.statuses, limit)
    return sorted(found, key=lambda one: one.created_at.ToNanoseconds(), reverse=True)


async def _find(channel: MeshChannel, order_id: str, account: str, world: str, strategy: str) -> orderpb.OrderStatus:
    return the_order(order_id, await _orders(channel, account, world, strategy, SEARCH_MAX, open_only=False))


def the_order(order_id: str, every: Sequence[orderpb.OrderStatus]) -> orderpb.OrderStatus:
    """The one order whose id begins so.

    Raises NotFound (E_ORDER_UNKNOWN), Conflict (E_ORDER_AMBIGUOUS, E_ID_AMBIGUOUS).
    """
    name = the_one(order_id, (one.order.client_order_id for one in every))
    found = [one for one in every if one.order.client_order_id == name]
    if not found:
        raise NotFound("E_ORDER_UNKNOWN", f"no order {order_id!r} in the accounts looked at", hint="qmtl orders list")
    if len(found) > 1:
        places = ", ".join(f"{one.order.account}/{one.order.strategy_id}" for one in found)
        raise Conflict("E_ORDER_AMBIGUOUS", f"{order_id!r} names {places}", hint="add --account or --strategy")
    return found[0]


async def _fills(stub: OrderServiceAsyncStub, order: orderpb.Order) -> list[orderpb.Fill]:
    request = orderservicepb.ListFillsRequest(
        account=order.account, world_id=order.world_id, strategy_id=order.strategy_id
    )
    found = await listed(stub.ListFills, request, lambda reply: reply.fills, SEARCH_MAX)
    return [fill for fill in found if fill.client_order_id == order.client_order_id]


def show_order(status: orderpb.OrderStatus) -> None:
    order = status.order
    prices = (("limit", order.limit_price), ("stop", order.stop_price), ("trail", order.trail_offset))
    fees = ", ".join(f"{fee} {currency}" for currency, fee in sorted(status.fees.items()))
    pairs = [
        ("account", f"{order.account} in world {order.world_id}"),
        ("strategy", order.strategy_id),
        ("asked", f"{enum_word(orderpb.OrderSide, order.side)} {order.quantity} {order.symbol}"),
        ("type", enum_word(orderpb.OrderType, order.type) + (", reduce only" if order.reduce_only else "")),
        *((name, price) for name, price in prices if price),
        ("working quantity", status.working_quantity or "-"),
        ("filled", f"{status.cumulative_quantity or 0} at {status.average_price or '-'}"),
        ("fees", fees or "-"),
        ("state", enum_word(orderpb.OrderState, status.state) + (", unresolved" if status.unresolved else "")),
        ("why", why(status) or "-"),
        ("epoch", str(status.fence_epoch)),
        ("decided", when(order.decided_at)),
        ("created", when(status.created_at)),
        ("updated", when(status.updated_at)),
    ]
    show_pairs(f"order {order.client_order_id}", pairs)


def _show_fills(fills: Sequence[orderpb.Fill]) -> None:
    rows = [
        (
            str(fill.account_fill_number),
            when(fill.venue_time),
            enum_word(orderpb.OrderSide, fill.side),
            fill.quantity,
            fill.price,
            f"{fill.fee} {fill.fee_currency}",
            fill.trade_id,
        )
        for fill in fills
    ]
    show_table("fills", ("step", "venue time", "side", "quantity", "price", "fee", "trade"), rows)

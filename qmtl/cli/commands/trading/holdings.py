"""`qmtl positions`, `qmtl cash`, `qmtl fills`: what accounts hold, and what made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import order_service_pb2_grpc as orderrpc
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.broker.v1 import portfolio_service_pb2_grpc as portfoliorpc
from qmtl.cli.commands.trading.orders import LIST_MAX, Account, Strategy, World, account_names
from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.formats import instant
from qmtl.cli.show.listings import show_listing
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_table
from qmtl.rpc.client.channel import MeshChannel


@with_access
def positions(
    access: Access,
    world: World = "",
    account: Account = "",
    strategy: Strategy = "",
    netted: Annotated[bool, typer.Option("--netted", help="One line a symbol over all strategies.")] = False,
) -> None:
    """List positions at their marks."""
    strategy = whole_strategy_id(access, strategy)

    async def call(channel: MeshChannel) -> list[tuple[str, portfoliopb.Position]]:
        stub, found = portfoliorpc.PortfolioServiceStub(channel), list[tuple[str, portfoliopb.Position]]()
        for name in await account_names(channel, account, world):
            request = portfolioservicepb.ListPositionsRequest(
                account=name, world_id=world, strategy_id=strategy, netted=netted
            )
            found += [(name, one) for one in (await stub.ListPositions(request)).positions]
        return found

    found = ask(access, call)
    if access.json:
        show_json([{"account": name, **as_dict(one)} for name, one in found])
        return
    columns = (
        *("account", "symbol", "strategy", "quantity", "average price", "mark", "value", "unrealized", "realized"),
        "liquidation",
    )
    rows = [(name, *cells_of(one), one.realized_pnl, one.liquidation_price or "-") for name, one in found]
    show_table("positions", columns, rows)


def cells_of(position: portfoliopb.Position) -> tuple[str, ...]:
    """Symbol, strategy, quantity, average price, mark, value and unrealised profit."""
    whose = position.symbol, position.strategy_id or "netted", position.quantity, position.average_price
    return *whose, mark_of(position), position.market_value, position.unrealized_pnl


def mark_of(position: portfoliopb.Position) -> str:
    """The price of a position, and whether it can still be closed at one."""
    price = position.mark_price or "-"
    return f"{price} (not tradable)" if position.HasField("end_time") else price


@with_access
def cash(access: Access, world: World = "", account: Account = "") -> None:
    """List the cash of accounts by currency, and what open orders hold of it."""

    async def call(channel: MeshChannel) -> list[tuple[str, portfoliopb.CashBalance]]:
        stub, found = portfoliorpc.PortfolioServiceStub(channel), list[tuple[str, portfoliopb.CashBalance]]()
        for name in await account_names(channel, account, world):
            reply = await stub.GetCash(portfolioservicepb.GetCashRequest(account=name))
            found += [(name, one) for one in reply.balances]
        return found

    found = ask(access, call)
    if access.json:
        show_json([{"account": name, **as_dict(one)} for name, one in found])
        return
    rows = [(name, one.currency, one.settled, one.unsettled, one.reserved) for name, one in found]
    show_table("cash", ("account", "currency", "settled", "unsettled", "reserved"), rows)


@with_access
def fills(
    access: Access,
    world: World = "",
    account: Account = "",
    strategy: Strategy = "",
    limit: Annotated[int, typer.Option(help="At most this many of each account, oldest first.", min=1)] = LIST_MAX,
) -> None:
    """List fills of accounts in the order in which they were booked."""
    strategy = whole_strategy_id(access, strategy)

    async def call(channel: MeshChannel) -> list[orderpb.Fill]:
        stub, found = orderrpc.OrderServiceStub(channel), list[orderpb.Fill]()
        for name in await account_names(channel, account, world):
            request = orderservicepb.ListFillsRequest(account=name, world_id=world, strategy_id=strategy)
            found += await listed(stub.ListFills, request, lambda reply: reply.fills, limit)
        return found

    columns = ("number", "venue time", "account", "strategy", "symbol", "side", "quantity", "price", "fee", "order")
    show_listing(access, ask(access, call), "fills", columns, fill_rows)


def fill_rows(found: Sequence[orderpb.Fill]) -> list[tuple[str, ...]]:
    """One line per fill."""
    return [
        (
            str(one.account_fill_number),
            when(one.venue_time),
            one.account,
            one.strategy_id,
            one.symbol,
            enum_word(orderpb.OrderSide, one.side),
            one.quantity,
            one.price,
            f"{one.fee} {one.fee_currency}",
            one.client_order_id,
        )
        for one in found
    ]


@with_access
def payments(
    access: Access,
    world: World = "",
    account: Account = "",
    strategy: Strategy = "",
    symbol: Annotated[str, typer.Option("--symbol", help="Only for positions in this symbol.")] = "",
    start: Annotated[str, typer.Option("--from", help="Only what was due from then on, for example 2026-01-01.")] = "",
    until: Annotated[str, typer.Option("--until", help="Only what was due before.")] = "",
    limit: Annotated[int, typer.Option(help="At most this many of each account, oldest first.", min=1)] = LIST_MAX,
) -> None:
    """List what moved the money of accounts without a fill: dividends, splits, funding, interest, borrow fees."""
    asked = portfolioservicepb.ListPaymentsRequest(world_id=world, symbol=symbol)
    asked.strategy_id = whole_strategy_id(access, strategy)
    if start:
        asked.range.start.FromDatetime(instant(start, "--from"))
    if until:
        asked.range.end.FromDatetime(instant(until, "--until"))

    async def call(channel: MeshChannel) -> list[portfoliopb.Payment]:
        stub, found = portfoliorpc.PortfolioServiceStub(channel), list[portfoliopb.Payment]()
        for asked.account in await account_names(channel, account, world):
            asked.ClearField("page")
            found += await listed(stub.ListPayments, asked, lambda reply: reply.payments, limit)
        return found

    columns = ("number", "due", "account", "strategy", "symbol", "kind", "amount", "shares")
    show_listing(access, ask(access, call), "payments", columns, payment_rows)


def payment_rows(found: Sequence[portfoliopb.Payment]) -> list[tuple[str, ...]]:
    """One line per payment."""
    return [
        (
            str(one.number),
            when(one.time),
            one.account,
            one.strategy_id or "-",
            one.symbol or "-",
            enum_word(portfoliopb.PaymentKind, one.kind),
            f"{one.amount} {one.currency}",
            _change_text(one) if one.HasField("change") else "-",
        )
        for one in found
    ]


def _change_text(payment: portfoliopb.Payment) -> str:
    """What became of an old share."""
    change, parts = payment.change, list[str]()
    if change.symbol:
        parts.append(f"{change.ratio} {change.symbol}")
    if change.cash_per_share not in ("", "0"):
        parts.append(f"{change.cash_per_share} {payment.currency}")
    return f"1 became {' and '.join(parts) or 'nothing'}"

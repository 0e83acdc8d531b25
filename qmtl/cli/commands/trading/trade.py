"""`qmtl trade`: orders by hand. They pass the checks of any order, and each is audited with its reason."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import typer

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.broker.v1 import manual_order_service_pb2 as manualorderservicepb
from qmtl.broker.v1 import manual_order_service_pb2_grpc as manualorderrpc
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.cli.commands.trading.orders import account_names, order_rows, show_order
from qmtl.cli.gateway.calls import ask, live_metadata
from qmtl.cli.gateway.ids import whole_strategy_id
from qmtl.cli.options import Access, with_access, with_options
from qmtl.cli.show.messages import as_dict, enum_word, show_json
from qmtl.cli.show.tables import show_table
from qmtl.core.errors import NotFound
from qmtl.rpc.client.channel import MeshChannel

PAPER = "paper"
COLUMNS = ("order", "strategy", "symbol", "side", "type", "quantity", "filled", "at", "state", "why", "created")


class Tif(Enum):
    """Time in force of an order by hand."""

    GTC = "gtc"
    DAY = "day"
    IOC = "ioc"
    FOK = "fok"


Symbol = Annotated[str, typer.Argument(help="Symbol of the instrument.")]
Quantity = Annotated[str, typer.Argument(help="How much, in units of the instrument.")]
Limit = Annotated[str, typer.Option("--limit", help="At this price or better.")]
Stop = Annotated[str, typer.Option("--stop", help="Once the price has come to this; with --limit a limit order then.")]
ReduceOnly = Annotated[bool, typer.Option("--reduce-only", help="Take off what is held and no more.")]
InForce = Annotated[Tif, typer.Option("--tif", help="How long it works.")]
OfAccount = Annotated[str, typer.Option("--account", help="Account it is for.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit log.")]
OfWorld = Annotated[str, typer.Option("--world", help="World whose fence it is to pass. Default: none.")]
Named = Annotated[str, typer.Option("--id", help="Client order id; the same again is no second order.")]


@dataclass(frozen=True, slots=True)
class ManualOrder:
    """An order by hand as options say it."""

    symbol: Symbol
    quantity: Quantity
    account: OfAccount
    reason: Reason
    limit: Limit = ""
    stop: Stop = ""
    reduce_only: ReduceOnly = False
    tif: InForce = Tif.GTC
    world: OfWorld = ""
    order_id: Named = ""

    def order(self, side: orderpb.OrderSide) -> orderpb.Order:
        """As it is sent; without an id of its own it has a new one."""
        kind = {
            (False, False): "MARKET", (True, False): "LIMIT", (False, True): "STOP_MARKET", (True, True): "STOP_LIMIT"
        }  # fmt: skip
        return orderpb.Order(
            account=self.account,
            world_id=self.world,
            client_order_id=self.order_id or f"hand-{uuid.uuid4().hex[:12]}",
            symbol=self.symbol,
            side=side,
            type=f"ORDER_TYPE_{kind[bool(self.limit), bool(self.stop)]}",
            quantity=self.quantity,
            limit_price=self.limit,
            stop_price=self.stop,
            time_in_force=f"TIME_IN_FORCE_{self.tif.name}",
            position_side=orderpb.POSITION_SIDE_BOTH,
            reduce_only=self.reduce_only,
        )


@with_access
@with_options(ManualOrder)
def buy(wanted: ManualOrder, access: Access) -> None:
    """Buy by hand, at the market unless --limit or --stop says otherwise."""
    _send(access, wanted, orderpb.ORDER_SIDE_BUY)


@with_access
@with_options(ManualOrder)
def sell(wanted: ManualOrder, access: Access) -> None:
    """Sell by hand, at the market unless --limit or --stop says otherwise."""
    _send(access, wanted, orderpb.ORDER_SIDE_SELL)


@with_access
def flatten(
    access: Access,
    what: Annotated[str, typer.Argument(metavar="ACCOUNT|STRATEGY", help="Account, or a strategy in all accounts.")],
    reason: Reason,
    request_id: Annotated[str, typer.Option("--request", help="Idempotency key; the same again sends nothing.")] = "",
    despite_fence: Annotated[
        bool, typer.Option("--despite-fence", help="Also in worlds that are frozen or fell back to paper.")
    ] = False,
) -> None:
    """Close what an account or a strategy holds, by orders that only reduce."""
    key = request_id or uuid.uuid4().hex[:12]

    async def look(channel: MeshChannel) -> tuple[list[accountpb.Account], str]:
        try:
            return [await _account(channel, what)], ""
        except NotFound:
            names = await account_names(channel, "", "")
            return [await _account(channel, name) for name in names], "strategy"

    accounts, kind = ask(access, look)
    strategy = whole_strategy_id(access, what) if kind else ""
    for one in accounts:
        confirmed(one, f"flatten {what}")

    async def call(channel: MeshChannel) -> tuple[list[orderpb.OrderStatus], int]:
        stub, found, total = manualorderrpc.ManualOrderServiceStub(channel), list[orderpb.OrderStatus](), 0
        for one in accounts:
            request = manualorderservicepb.FlattenPositionsRequest(
                account=one.account,
                strategy_id=strategy,
                request_id=key,
                reason=reason,
                despite_fence=despite_fence,
            )
            reply = await stub.FlattenPositions(request)
            found += reply.statuses
            total += reply.orders
        return found, total

    statuses, total = ask(access, call)
    if total > len(statuses):
        typer.echo(f"{total - len(statuses)} more orders were sent: qmtl orders list shows them", err=True)
    if access.json:
        show_json([as_dict(status) for status in statuses])
    elif statuses:
        show_table(f"orders of {key}", COLUMNS, order_rows(statuses))
    else:
        whose = f"strategy {strategy}" if strategy else f"account {what}"
        typer.echo(f"{whose} holds nothing in {len(accounts)} accounts that were looked at")
    if any(status.state == orderpb.ORDER_STATE_DENIED for status in statuses):
        raise typer.Exit(1)


def _send(access: Access, wanted: ManualOrder, side: orderpb.OrderSide) -> None:
    async def look(channel: MeshChannel) -> accountpb.Account:
        return await _account(channel, wanted.account)

    act = f"{enum_word(orderpb.OrderSide, side).lower()} {wanted.quantity} {wanted.symbol}"
    live = confirmed(ask(access, look), act)
    request = manualorderservicepb.SubmitManualOrderRequest(order=wanted.order(side), reason=wanted.reason)

    async def call(channel: MeshChannel) -> orderpb.OrderStatus:
        stub = manualorderrpc.ManualOrderServiceStub(channel)
        return (await stub.SubmitManualOrder(request, metadata=live_metadata(is_meant=live))).status

    status = ask(access, call)
    if access.json:
        show_json(as_dict(status))
    else:
        show_order(status)
    if status.state == orderpb.ORDER_STATE_DENIED:
        raise typer.Exit(1)


async def _account(channel: MeshChannel, name: str) -> accountpb.Account:
    request = accountservicepb.GetAccountRequest(account=name)
    return (await accountrpc.AccountServiceStub(channel).GetAccount(request)).account


def confirmed(account: accountpb.Account, act: str) -> bool:
    """Whether the account is at a live venue; then its name has to be typed, and nothing is sent if it is not."""
    if account.venue == PAPER:
        return False
    asked = f"LIVE at {account.venue}: {act}. Type the account's name to go on"
    typed = typer.prompt(asked, default="", show_default=False, err=True)
    if typed != account.account:
        typer.echo(f"not confirmed: {typed!r} is not {account.account!r}; nothing was sent", err=True)
        raise typer.Exit(1)
    return True

"""`qmtl portfolio`: equity, cash and positions of accounts."""

from __future__ import annotations

import typer

from qmtl.broker.v1 import broker_pb2 as brokerpb
from qmtl.broker.v1 import service_pb2 as servicepb
from qmtl.broker.v1 import service_pb2_grpc as brokerrpc
from qmtl.cli.commands.trading.orders import Account, World, account_names
from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.messages import as_dict, show_json, when
from qmtl.cli.show.tables import show_pairs, show_table
from qmtl.rpc.client.channel import MeshChannel


@with_access
def portfolio(access: Access, world: World = "", account: Account = "") -> None:
    """Equity, cash and positions of each account."""

    async def call(channel: MeshChannel) -> list[brokerpb.Portfolio]:
        stub = brokerrpc.BrokerageServiceStub(channel)
        names = await account_names(stub, account, world)
        return [(await stub.GetPortfolio(servicepb.GetPortfolioRequest(account=name))).portfolio for name in names]

    books = ask(access, call)
    if access.json:
        show_json([as_dict(book) for book in books])
        return
    if not books:
        typer.echo("no account: a strategy's paper session opens one")
    for book in books:
        _show_book(book)


def _show_book(book: brokerpb.Portfolio) -> None:
    unit = book.base_currency
    pairs = [
        ("account", f"{book.account} of world {book.world_id}"),
        ("equity", f"{book.equity} {unit}"),
        ("realized", f"{book.realized_pnl} {unit}"),
        ("unrealized", f"{book.unrealized_pnl} {unit}"),
        ("fees", f"{book.fees} {unit}"),
        ("as of", when(book.time)),
    ]
    show_pairs("books", pairs)
    cash = [(one.currency, one.settled, one.unsettled, one.reserved) for one in book.cash]
    show_table("cash", ("currency", "settled", "unsettled", "reserved"), cash)
    positions = [
        (
            one.symbol,
            one.strategy_id or "netted",
            one.quantity,
            one.average_price,
            one.mark_price,
            one.market_value,
            one.unrealized_pnl,
        )
        for one in book.positions
    ]
    columns = ("symbol", "strategy", "quantity", "average price", "mark", "value", "unrealized")
    show_table("positions", columns, positions)

"""`qmtl portfolio`: equity, cash and positions of accounts."""

from __future__ import annotations

import typer

from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.broker.v1 import portfolio_service_pb2_grpc as portfoliorpc
from qmtl.cli.commands.trading.holdings import cells_of
from qmtl.cli.commands.trading.orders import Account, World, account_names
from qmtl.cli.gateway.calls import ask
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.messages import as_dict, enum_word, show_json, when
from qmtl.cli.show.tables import show_pairs, show_table
from qmtl.rpc.client.channel import MeshChannel


@with_access
def portfolio(access: Access, world: World = "", account: Account = "") -> None:
    """Show equity, cash and positions of accounts."""

    async def call(channel: MeshChannel) -> list[portfoliopb.Portfolio]:
        stub = portfoliorpc.PortfolioServiceStub(channel)
        requests = [
            portfolioservicepb.GetPortfolioRequest(account=name, world_id=world)
            for name in await account_names(channel, account, world)
        ]
        return [(await stub.GetPortfolio(request)).portfolio for request in requests]

    books = ask(access, call)
    if access.json:
        show_json([as_dict(book) for book in books])
        return
    if not books:
        typer.echo("no account: a strategy's paper session opens one")
    for book in books:
        _show_book(book)


def _show_book(book: portfoliopb.Portfolio) -> None:
    unit = book.base_currency
    pairs = [
        ("account", f"{book.account} of world {book.world_id}" if book.world_id else book.account),
        ("equity", f"{book.equity} {unit}"),
        ("realized", f"{book.realized_pnl} {unit}"),
        ("unrealized", f"{book.unrealized_pnl} {unit}"),
        ("fees", f"{book.fees} {unit}"),
        *margin_pairs(book),
        ("as of", when(book.time)),
    ]
    show_pairs("books", pairs)
    cash = [(one.currency, one.settled, one.unsettled, one.reserved) for one in book.cash]
    show_table("cash", ("currency", "settled", "unsettled", "reserved"), cash)
    positions = [(*cells_of(one), one.liquidation_price or "-") for one in book.positions]
    columns = ("symbol", "strategy", "quantity", "average price", "mark", "value", "unrealized", "liquidation")
    show_table("positions", columns, positions)


def margin_pairs(book: portfoliopb.Portfolio) -> list[tuple[str, str]]:
    """What positions must keep of the equity of a MARGIN account, and since when it is short of that."""
    if not book.HasField("margin"):
        return []
    margin = book.margin
    used = ("margin in use", f"{margin.used} {book.base_currency}")
    if margin.state == portfoliopb.MARGIN_STATE_COVERED:
        return [used]
    word = enum_word(portfoliopb.MarginState, margin.state)
    return [used, ("margin", f"{word} since {when(margin.warned_at)}" if margin.HasField("warned_at") else word)]

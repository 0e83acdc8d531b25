"""`qmtl accounts`: accounts, what they may do and which worlds use them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Annotated

import typer

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.cli.commands.trading.orders import World
from qmtl.cli.gateway.calls import ask
from qmtl.cli.gateway.pages import listed
from qmtl.cli.options import Access, with_access
from qmtl.cli.show.listings import show_listing, shown_as_json
from qmtl.cli.show.messages import enum_word, when
from qmtl.cli.show.tables import show_pairs, show_table
from qmtl.rpc.client.channel import MeshChannel

LIST_MAX = 200


class StateName(Enum):
    """What an account may do."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


@with_access
def list_accounts(
    access: Access,
    world: World = "",
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = LIST_MAX,
) -> None:
    """List accounts in order of name."""
    request = accountservicepb.ListAccountsRequest(world_id=world)
    found = ask(
        access,
        lambda channel: listed(
            accountrpc.AccountServiceStub(channel).ListAccounts, request, lambda reply: reply.accounts, limit
        ),
    )
    columns = ("account", "type", "currency", "starting cash", "leverage", "state", "worlds", "symbols")
    show_listing(access, found, "accounts", columns, account_rows)


def account_rows(found: Sequence[accountpb.Account]) -> list[tuple[str, ...]]:
    """One line per account."""
    return [
        (
            one.account,
            enum_word(accountpb.AccountType, one.type),
            one.base_currency,
            one.starting_cash,
            str(one.leverage),
            enum_word(accountpb.TradingState, one.trading_state),
            ", ".join(one.worlds),
            ", ".join(feed.symbol for feed in one.feeds),
        )
        for one in found
    ]


@with_access
def show(access: Access, account: Annotated[str, typer.Argument(help="Name of the account.")]) -> None:
    """Show an account with its feeds and its own limits."""

    async def call(channel: MeshChannel) -> accountpb.Account:
        stub = accountrpc.AccountServiceStub(channel)
        return (await stub.GetAccount(accountservicepb.GetAccountRequest(account=account))).account

    found = ask(access, call)
    if shown_as_json(access, found):
        return
    show_pairs(f"account {found.account}", account_pairs(found))
    feeds = [(f.symbol, f.data_preset, f.data_session_id or "live", when(f.venue_time)) for f in found.feeds]
    show_table("feeds", ("symbol", "preset", "session", "venue time"), feeds)
    budgets = [(b.world_id, b.strategy_id or "all", b.gross_max) for b in found.limits.budgets]
    if budgets:
        show_table("budgets", ("world", "strategy", "gross at most"), budgets)


@with_access
def state(
    access: Access,
    account: Annotated[str, typer.Argument(help="Name of the account.")],
    to: Annotated[StateName, typer.Argument(help="What it may do from now on.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")] = "",
) -> None:
    """Let an account trade, only reduce, or do nothing; whatever its worlds and strategies may."""
    request = accountservicepb.SetTradingStateRequest(account=account, state=f"TRADING_STATE_{to.name}", message=reason)

    async def call(channel: MeshChannel) -> accountpb.Account:
        return (await accountrpc.AccountServiceStub(channel).SetTradingState(request)).account

    found = ask(access, call)
    if shown_as_json(access, found):
        return
    typer.echo(f"account {found.account} is {enum_word(accountpb.TradingState, found.trading_state)}")


def account_pairs(one: accountpb.Account) -> list[tuple[str, str]]:
    """What an account is and may do; limits that are not set read as none."""
    limits = (
        ("gross at most", one.limits.gross_max),
        ("net at most", one.limits.net_max),
        ("leverage at most", one.limits.leverage_max),
        ("of equity in a symbol", one.limits.symbol_max),
        ("of equity in a sector", one.limits.sector_max),
    )
    return [
        ("type", f"{enum_word(accountpb.AccountType, one.type)}, leverage {one.leverage}"),
        ("venue", one.venue),
        ("starting cash", f"{one.starting_cash} {one.base_currency}"),
        ("fees", f"profile {one.profile}" if one.profile else f"{one.fee_rate} of the notional"),
        ("state", enum_word(accountpb.TradingState, one.trading_state)),
        ("worlds", ", ".join(one.worlds)),
        ("created", when(one.created_at)),
        ("limits", f"revision {one.limits_revision}" if one.limits_revision else "none"),
        *((name, most) for name, most in limits if most),
    ]

"""Accounts at venues as books of one data session: the capital that a strategy began with, and the funding that is its.

A venue says nothing of who in an account trades what: whatever cannot be told apart is refused, and never shared out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts.wire import starting_money
from brokerage.books.load import load_view
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.money import money_text
from brokerage.domain.orders.order import EXTERNAL, NETTING, Owner
from brokerage.domain.simulation.carry import Payment
from brokerage.market.context import MarketContext
from qmtl.core.errors import refused

CAPITAL_TIMES = 2


def in_session(
    conn: Connection, market: MarketContext, account: Account, session_id: str, starting_cash: str
) -> Account:
    """The account with its live feeds as those of a data session, and a strategy's capital as the cash it began with.

    Raises InvalidRequest (E_DECIMAL; E_FIELD: more than twice the highest equity known, as returns would be too small).
    """
    currency, capital = starting_money(account.base_currency, starting_cash)
    # what it had when the session began is not on record: it may have lost since
    most = CAPITAL_TIMES * max(account.peak_equity or 0, load_view(conn, market, account).equity())
    if capital > most:
        want = f"at most {money_text(currency, most)}, twice the highest equity known of {account.account}"
        raise refused("E_FIELD", "account_model.starting_cash", money_text(currency, capital), want)
    feeds = tuple(replace(one, session_id=one.session_id or session_id) for one in account.feeds)
    return replace(account, starting_cash=capital, feeds=feeds)


def paid_in(conn: Connection, owner: Owner, known: Iterable[Payment]) -> list[Payment]:
    """Of what time paid an account what counts for one strategy: its own, interest of the account, and the funding of
    the symbols that it traded; transfers are nobody's profit.

    Raises InvalidRequest (E_ACCOUNT_OTHER_DATA): others traded such a symbol there too.
    """
    booked_as, traders = Owner(owner.account, EXTERNAL, EXTERNAL), _traders(conn, owner.account)
    mine = {symbol for symbol, who in traders.items() if (owner.world_id, owner.strategy_id) in who}
    found, shared = list[Payment](), set[str]()
    for one in known:
        funds = one.owner == booked_as and one.kind is CashKind.FUNDING and one.symbol in mine
        if funds or one.owner == owner or (one.owner is None and one.kind is not CashKind.TRANSFER):
            found.append(one)
        if funds and len(traders[one.symbol]) > 1:
            shared.add(one.symbol)
    if shared:
        told = f"funding of {', '.join(sorted(shared))}, which others traded in {owner.account} too"
        raise refused("E_ACCOUNT_OTHER_DATA", "account", told, "funding of symbols that one strategy trades there")
    return found


def _traders(conn: Connection, account: str) -> dict[str, set[tuple[str, str]]]:
    """Worlds and strategies with a fill, by symbol."""
    fills = t.fills.c
    query = sa.select(fills.symbol, fills.world_id, fills.strategy_id).where(fills.account == account)
    found: dict[str, set[tuple[str, str]]] = {}
    for symbol, world_id, strategy_id in conn.execute(query.where(fills.strategy_id != NETTING).distinct()):
        found.setdefault(symbol, set()).add((world_id, strategy_id))
    return found

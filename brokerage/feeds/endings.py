"""Symbols that end by the clock: at their time, whether or not anybody calls and whether or not a bar comes."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account
from brokerage.domain.models.corporate import Ending, action_text
from brokerage.domain.risk.fence import VenueKind
from brokerage.feeds.carried import CarriedAccount
from brokerage.market.context import MarketContext
from brokerage.orders import journal
from brokerage.orders.working import load_open_orders
from qmtl.core.errors import NotReady, QmtlError

log = structlog.stdlib.get_logger("qmtl.brokerage.feeds")


def end_symbol(
    conn: Connection,
    market: MarketContext,
    action: Ending,
    now_ns: int,
    heard: Callable[[str], int] = lambda _: 0,
) -> bool:
    """End a symbol, whose time has come, for the paper accounts that have a live feed of it; whether that was all of
    them: one whose last bars are still on their way waits for those. `heard`: when a preset's feed was last heard of.

    Its orders end, what is held is paid out or, where no price says so, kept and told. Once: a repeat does nothing. An
    account that this fails for is told of it, and all others go on; its next bar tries again. Replays end symbols by
    their own time, with their bars.
    """
    every = True
    for account in accounts_store.live_accounts_of(conn, action.symbol):
        if not _is_on_paper(market, account):
            continue
        feed = account.feed(action.symbol)
        heard_ns = heard(feed.preset) if feed is not None else 0
        if not account.has_come(action.symbol, action.at_ns, now_ns, heard_ns):
            every = False
            continue
        try:
            with conn.begin_nested():
                _end(conn, market, account, action, now_ns)
        except QmtlError as error:
            detail = f"{action_text(action)}: {error}"
            if not audit.is_recorded(conn, "ending_failed", account.account, detail):
                audit.record(conn, now_ns, ("brokerage", ""), "ending_failed", account.account, detail)
            log.error("ending_failed", account=account.account, symbol=action.symbol, error=str(error))
    return every


def _is_on_paper(market: MarketContext, account: Account) -> bool:
    """One at a venue that is not set up here is at an exchange: on paper it would be here."""
    try:
        return market.of(account).kind is VenueKind.PAPER
    except NotReady:
        return False


def _end(conn: Connection, market: MarketContext, account: Account, action: Ending, now_ns: int) -> None:
    money = CarriedAccount(account, load_open_orders(conn, market, account), action.symbol)
    money.advance(action.at_ns, ())
    done = money.end(action, 0, now_ns, ())
    account = journal.record(conn, money.carried(account), done)
    money.save(conn, account, now_ns)

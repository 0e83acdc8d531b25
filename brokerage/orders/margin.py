"""Margin calls of accounts in the store: reduce-only market orders by which an account closes what it cannot hold."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from brokerage import audit
from brokerage.accounts import store as accounts_store
from brokerage.books.load import load_view
from brokerage.domain.accounts.account import Account, AccountType, TradingState
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import MARGIN_CALL, Order, Side
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.fence import GateStamp, lets_go
from brokerage.domain.risk.maintenance import AccountMargin, MarginState, account_margin
from brokerage.domain.risk.margin_call import Reduction, margin_call
from brokerage.domain.trading import commands
from brokerage.fences import intents
from brokerage.fences.store import locked_fence
from brokerage.market.context import MarketContext
from brokerage.orders import journal, store
from brokerage.orders.entry.submit import add_order
from qmtl.core.modes import ExecutionDomain


def call_margin(conn: Connection, market: MarketContext, account: Account, now_ns: int) -> Account:
    """Tell of margin that becomes short, and close what an account's equity no longer covers at its marks; nothing
    while orders of an earlier call are open.

    An act of the brokerage itself: the fence of the moment is asked, and while it lets nothing go the call waits for
    the next bar; so it does while the account is HALTED, which is told of its margin all the same. An account without
    equity opens nothing until an operator sets it ACTIVE again.
    """
    if account.type is AccountType.CASH:
        return account
    market = market.of(account)
    view = load_view(conn, market, account)
    margin = account_margin(view)
    account = _warned(conn, account, margin, now_ns)
    if account.trading_state is TradingState.HALTED:
        return account
    call = margin_call(view, margin)
    if call is None or _called(conn, market, account):
        return account
    if not call.reductions and account.trading_state is TradingState.REDUCING:
        return account  # ruined by what nobody can close: that was said
    if call.ruined and account.trading_state is not TradingState.REDUCING:
        account = replace(account, trading_state=TradingState.REDUCING)
        accounts_store.save_account(conn, account)
    sent: list[str] = []
    for reduction in call.reductions:
        account, name = _reduce(conn, market, account, view, reduction, now_ns)
        sent += [name] if name else []
    none = "none, the fence lets nothing go" if call.reductions else "none"
    detail = f"{call.message}; orders: {', '.join(sent) or none}"
    audit.record(conn, now_ns, ("brokerage", ""), "margin_call", account.account, detail)
    return account


def _warned(conn: Connection, account: Account, margin: AccountMargin | None, now_ns: int) -> Account:
    """The account, with since when its margin is short; the change is audited."""
    short = margin is not None and margin.state is not MarginState.COVERED
    if margin is None or short == bool(account.margin_warned_ns):
        return account
    account = replace(account, margin_warned_ns=account.shown_ns if short else 0)
    accounts_store.save_account(conn, account)
    told = ("margin_warning", margin.warning) if short else ("margin_covered", margin.numbers)
    audit.record(conn, now_ns, ("brokerage", ""), told[0], account.account, told[1])
    return account


def _called(conn: Connection, market: MarketContext, account: Account) -> bool:
    records = store.open_records(conn, market.instruments, account.account)
    return any(MARGIN_CALL in record.order.tags for record in records)


def _reduce(
    conn: Connection,
    market: MarketContext,
    account: Account,
    view: AccountView,
    reduction: Reduction,
    now_ns: int,
) -> tuple[Account, str]:
    """Take one reduction to the venue; the account then, and the order's name where one was sent."""
    instrument, owner = reduction.instrument, reduction.owner
    fence = locked_fence(conn, owner.world_id)
    if not lets_go(fence, owner.strategy_id, None, market.kind):
        return account, ""
    time = account.time(now_ns, instrument.symbol)
    order = Order(
        owner=owner,
        client_order_id=f"margin-call-{instrument.symbol}-{time.at_ns}-{account.event_sequence + 1}",
        symbol=instrument.symbol,
        side=Side.BUY if reduction.quantity > 0 else Side.SELL,
        quantity=instrument.quantity_decimal(abs(reduction.quantity)),
        reduce_only=True,
        tags=(MARGIN_CALL,),
    )
    book = view.book(owner)
    events = commands.submit(view, order, time, until=market.first_rest(order))
    record = book.record(events[0].order_id)
    add_order(conn, account, order, record, GateStamp(fence.epoch, RATE_ONE, ExecutionDomain.DRYRUN, True))
    if record.denial is None:
        intents.write(conn, record, fence.epoch, now_ns)
    return journal.record(conn, account, [(book, event) for event in events], new=(record.id,)), order.client_order_id

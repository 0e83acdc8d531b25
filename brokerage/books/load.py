"""The books of accounts and worlds as they are stored, read once for a decision. Orders are there as totals only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import Connection

from brokerage.accounts import cash
from brokerage.books import netted, store, totals
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.orders.order import NETTING, Owner
from brokerage.domain.risk.account_view import AccountView
from brokerage.domain.risk.exposure import NO_EXPOSURE, Exposure
from brokerage.market.context import MarketContext


def load_view(conn: Connection, market: MarketContext, account: Account) -> AccountView:
    """An account with the books of all its owners in all its worlds: what an order may commit is what they leave free.

    The cost does not grow with the number of open orders. Other accounts of a world are not known here.
    """
    return ask_view(conn, account.account)(market, account)


def ask_view(conn: Connection, name: str) -> Callable[[MarketContext, Account], AccountView]:
    """As `load_view`, heard later, when the account itself is known."""
    money, held, working = cash.ask_cash(conn, name), store.ask_positions(conn, name), totals.ask(conn, name)

    def view_of(market: MarketContext, account: Account) -> AccountView:
        view = _empty_view(market, account)
        view.cash = money()
        if view.profile.settles is not None:
            view.unsettled = cash.load_unsettled(conn, name)
        open_totals = working()
        _fill({name: view}, held(), open_totals)
        if any(owner.strategy_id == NETTING for owner in open_totals):
            netted.reserve({name: view}, netted.ask(conn, (name,))())
        return view

    return view_of


def world_beside(
    conn: Connection, market: MarketContext, account: Account, world_id: str, world: Sequence[Account]
) -> Exposure | None:
    """Exposure of a world in its other accounts; None if a part of it cannot be valued in this account's currency."""
    others = {other.account: other for other in world if other.account != account.account}
    views = {name: _empty_view(market, other) for name, other in others.items()}
    held, working = store.ask_positions_of_world(conn, world_id), totals.ask_world(conn, world_id)
    shares = netted.ask(conn, views)
    _fill(views, held(), working())
    netted.reserve(views, shares(), world_id)
    total = NO_EXPOSURE
    for name, view in views.items():
        if not any(_has_something(view, owner) for owner in view.books):
            continue
        part = view.exposure(world_id) if _is_priced(view) else None
        if part is None or others[name].base_currency != account.base_currency:
            return None
        total += part
    return total


def _is_priced(view: AccountView) -> bool:
    return all(symbol in view.marks for book in view.books.values() for symbol in _busy_symbols(book))


def _busy_symbols(book: StrategyBook) -> set[str]:
    held = {symbol for symbol, position in book.ledger.positions.items() if position.quantity}
    return held | {symbol for symbol, _ in (*book.totals, *book.reserved)}


def _has_something(view: AccountView, owner: Owner) -> bool:
    return bool(_busy_symbols(view.books[owner]))


def _fill(views: Mapping[str, AccountView], held: Iterable[store.Held], working: totals.Totals) -> None:
    for owner, symbol, position in held:
        view = views.get(owner.account)
        instrument = None if view is None else view.instruments.find(symbol)
        if view is not None and instrument is not None:
            view.book(owner).ledger.restore(instrument, position)
    for owner, sides in working.items():
        if owner.account in views:
            views[owner.account].book(owner).totals = sides


def _empty_view(market: MarketContext, account: Account) -> AccountView:
    market = market.of(account)
    return AccountView(
        market.profile_of(account),
        market.instruments,
        account.base_currency,
        cash={},
        marks=account.marks,
        trading=account.trading_state,
        limits=market.limits,
        account_limits=account.limits,
        world_beside=None,
        endings=market.endings,
        circuit_open=bool(market.limits.drawdown_max) and account.circuit_ns is not None,
    )

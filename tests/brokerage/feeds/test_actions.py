"""Splits and dividends of paper accounts: as in a backtest, for every owner, once, and proved by the replay."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import sqlalchemy as sa

from brokerage import schema as t
from brokerage.accounts import cash as accounts_cash
from brokerage.accounts import store as accounts_store
from brokerage.books import store as books_store
from brokerage.books.payments import load_payments
from brokerage.domain.accounts.account import TradingState
from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.corporate import CorporateAction, Dividend, Split
from brokerage.domain.models.latency import Link
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.order import Order, Owner, Side, TrailOffsetType
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.domain.simulation.corporate import ENDED_BY_SPLIT, acted_before
from brokerage.feeds import show
from brokerage.market.context import MarketContext
from qmtl.sql.database import sqlite_url
from tests.brokerage.samples import ACCOUNT, FEED, MINUTE, OWNER, STOCK, Book, bar, open_book, order

PROFILE = margin(2, participation="0")
SPLIT = Split("AAPL", 3 * MINUTE, Fraction(3, 2))
ACTIONS: tuple[CorporateAction, ...] = (
    Dividend("AAPL", 2 * MINUTE, Decimal("0.25")),
    SPLIT,
    Dividend("AAPL", 3 * MINUTE + 1, Decimal("0.1")),
    Split("AAPL", 5 * MINUTE, Fraction(1, 4)),
)
MARKET = MarketContext(Instruments([STOCK]), PROFILE, actions={"AAPL": ACTIONS})
TRAIL = {"type": OrderType.TRAILING_STOP, "trail_offset_type": TrailOffsetType.FRACTION}
BARS = [bar(0), bar(1), bar(2), bar(3, 67), bar(4, 67), bar(5, 268), bar(6, 268)]


def orders_of(side: Side) -> dict[int, list[Order]]:
    """Orders by the number of the bar after which they are decided: one that fills, others that stay open."""
    away = 90 if side is Side.BUY else 110
    return {
        0: [
            order("held", side, 7),
            order("limit", side, 5, type=OrderType.LIMIT, limit_price=Decimal(away)),
            order("stop", side, 5, type=OrderType.STOP_MARKET, stop_price=Decimal(200 - away)),
            order("trail", side, 5, trail_offset=Decimal("0.2"), **TRAIL),
        ],
        3: [order("later", side, 2)],
    }


def in_a_backtest(decided: dict[int, list[Order]]) -> tuple[list[tuple[object, ...]], dict[str, int], object]:
    """Events by order and number, cash, and the position."""
    start = Decimal(ACCOUNT.starting_cash).scaleb(-8)
    desk, seen, waiting = SimulatedAccount(PROFILE, {"USD": start}, instruments=[STOCK], owner=OWNER), [], [*ACTIONS]
    for number, shown in enumerate(BARS):
        for action in acted_before(STOCK, shown, waiting):
            waiting.remove(action)
            seen += desk.act(action, shown.open)[0]
        seen += desk.on_bar("AAPL", shown)
        for one in decided.get(number, ()):
            seen += desk.submit(one, shown.end_ns)
    return sorted(map(told, seen)), desk.book.ledger.cash, desk.book.ledger.position("AAPL")


def told(event: object) -> tuple[object, ...]:
    names = ("order_id", "seq", "kind.value", "at_ns", "state.value", "quantity", "limit", "stop", "detail")
    found = []
    for name in names:
        value = event
        for part in name.split("."):
            value = getattr(value, part)
        found.append(value)
    return tuple(found)


async def on_paper(
    book: Book, decided: dict[int, list[Order]]
) -> tuple[list[tuple[object, ...]], dict[str, int], object]:
    for number, shown in enumerate(BARS):
        await book.show(shown)
        await book.show(shown)  # who sends a bar again changes nothing
        assert await book.verify() > 0
        for one in decided.get(number, ()):
            await book.submit(one)
    names = [one.client_order_id for some in decided.values() for one in some]
    seen = [event for name in names for event in (await book.order(name)).events]
    held = await book.db.read(lambda conn: accounts_cash.load_cash(conn, "acc"))
    return sorted(map(told, seen)), held, await position(book)


async def position(book: Book, owner: Owner = OWNER) -> object:
    rows = await book.db.read(lambda conn: books_store.load_positions(conn, "acc"))
    return next(at for who, symbol, at in rows if (who, symbol) == (owner, "AAPL"))


@pytest.mark.parametrize("side", list(Side))
async def test_actions_do_on_paper_what_they_do_in_a_backtest(database_url: str, side: Side) -> None:
    decided = orders_of(side)
    async with open_book(database_url, MARKET) as book:
        await book.open()
        found = await on_paper(book, decided)
        paid = await book.db.read(lambda conn: load_payments(conn, "acc", MARKET.instruments))
    assert found == in_a_backtest(decided)
    sign = side.sign
    amounts = [(payment.kind, payment.amount * sign) for _, payment in paid]
    # 7 shares; 10.5 are 10 and half a share at 67; (10 + 2) / 4 are 3
    assert amounts == [
        (CashKind.DIVIDEND, 175 * 10**6),
        (CashKind.SPLIT, 3350 * 10**6),
        (CashKind.DIVIDEND, 10**8),
        (CashKind.SPLIT, 0),
    ]
    assert found[2].quantity == 3 * sign  # type: ignore[attr-defined]  # a position
    audited = [one[8] for one in found[0] if one[2] == "CANCELED"]
    assert audited == [ENDED_BY_SPLIT] * 3


async def test_bars_of_one_message_are_split_between_them(tmp_path: Path) -> None:
    decided = {0: orders_of(Side.BUY)[0]}
    async with open_book(sqlite_url(tmp_path / "one.db"), MARKET) as book:
        await book.open()
        await book.show(BARS[0])
        for one in decided[0]:
            await book.submit(one)
        await book.show(*BARS[1:])
        found = await position(book)
        held = await book.db.read(lambda conn: accounts_cash.load_cash(conn, "acc"))
        assert await book.verify() > 0
    assert (held, found) == in_a_backtest(decided)[1:]


async def test_an_action_is_done_once_whatever_breaks_and_restarts(tmp_path: Path) -> None:
    """A process that ends before the commit has done nothing, one that ends after it everything."""
    url = sqlite_url(tmp_path / "store.db")
    async with open_book(url, MARKET) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(order("held", quantity=10))
        await book.show(bar(1), bar(2))
        with pytest.raises(ZeroDivisionError):
            await book.db.write(lambda conn: broken(conn, book.market))
        assert (await position(book)).quantity == 10  # type: ignore[attr-defined]
    for _ in range(2):
        async with open_book(url, MARKET) as book:
            assert await book.verify() > 0
            await book.show(bar(3, 67))
            assert (await position(book)).quantity == 15  # type: ignore[attr-defined]
            assert await book.verify() > 0
    # what was done is proved without the settings that asked for it
    async with open_book(url, replace(MARKET, actions={})) as book:
        assert await book.verify() > 0
        rows = await book.db.read(lambda conn: conn.execute(sa.select(t.payments)).all())
        acts = await book.db.read(lambda conn: conn.execute(sa.select(t.audit_log)).all())
    assert [(row.kind, row.ratio, row.price) for row in rows] == [("DIVIDEND", "", ""), ("SPLIT", "3/2", "6700")]
    assert [row.detail for row in acts if row.act == "corporate_action"] == [
        "AAPL dividend 0.25 at 1970-01-01T00:02:00Z: w1/s1, cash 2.50000000 USD",
        "AAPL split 3/2 at 1970-01-01T00:03:00Z: w1/s1, cash 0.00000000 USD",
    ]


def broken(conn: sa.Connection, market: MarketContext) -> None:
    show.show_bars(conn, market, FEED, [bar(3, 67)], 0, 7)
    raise ZeroDivisionError


async def test_every_owner_gets_its_own_and_who_holds_nothing_none(tmp_path: Path) -> None:
    market = replace(MARKET, actions={"AAPL": (SPLIT,)})
    async with open_book(sqlite_url(tmp_path / "store.db"), market) as book:
        await book.open()
        await book.show(bar(0))
        for number, quantity in ((1, 10), (2, 20)):
            await book.submit(order(f"o{number}", quantity=quantity, owner=Owner("acc", "w1", f"s{number}")))
        await book.show(bar(1), bar(2), bar(3, 67))
        held = [(await position(book, Owner("acc", "w1", f"s{n}"))).quantity for n in (1, 2)]  # type: ignore[attr-defined]
        paid = await book.db.read(lambda conn: load_payments(conn, "acc", MARKET.instruments))
    assert held == [15, 30]
    assert [payment.owner.strategy_id for _, payment in paid if payment.owner] == ["s1", "s2"]


async def test_an_action_that_was_passed_before_it_was_told_does_nothing(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "store.db")
    async with open_book(url, replace(MARKET, actions={})) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(order("held", quantity=10))
        await book.show(bar(1), bar(2), bar(3, 67))
    async with open_book(url, replace(MARKET, actions={"AAPL": (SPLIT,)})) as book:
        await book.show(bar(4, 67))
        assert (await position(book)).quantity == 10  # type: ignore[attr-defined]


async def test_a_change_on_its_way_names_the_old_shares(tmp_path: Path) -> None:
    market = MarketContext(Instruments([STOCK]), PROFILE, link=Link(latency_ms=1), actions={"AAPL": (SPLIT,)})
    async with open_book(sqlite_url(tmp_path / "store.db"), market) as book:
        await book.open()
        await book.show(bar(0))
        for name in ("changed", "kept"):
            await book.submit(order(name, quantity=4, type=OrderType.LIMIT, limit_price=Decimal(50)))
            await book.to_wire(name)
            await book.arrive(name)
            await book.answer(name)
        await book.replace("changed", limit_price="51")
        await book.show(bar(3, 67))
        assert [await book.state(name) for name in ("changed", "kept")] == [OrderState.CANCELED, OrderState.ACCEPTED]
        kept = (await book.order("kept")).record
    assert (kept.quantity, kept.limit) == (6, 33_33)


async def test_an_action_inside_a_long_bar_halts_the_account(tmp_path: Path) -> None:
    """Without a calendar it is not known whether the bar opened before it or after."""
    hours = 4 * 60 * MINUTE
    action = Split("AAPL", hours + MINUTE, Fraction(2))
    async with open_book(sqlite_url(tmp_path / "store.db"), replace(MARKET, actions={"AAPL": (action,)})) as book:
        await book.open()
        await book.show(Bar(0, hours, 100, 100, 100, 100, 1))
        await book.show(Bar(hours, 2 * hours, 100, 100, 100, 100, 1))
        account = await book.db.read(lambda conn: accounts_store.account(conn, "acc"))
    assert account.trading_state is TradingState.HALTED

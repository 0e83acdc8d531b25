"""Transactions on a real store, SQLite and PostgreSQL: orders, fences, bars, books, and what a repeat does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from brokerage import schema as t
from brokerage.accounts import cash
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import TradingState
from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.models.profiles.generic import spot
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.events import EventTime, Fill, Liquidity
from brokerage.domain.orders.order import OrderName, Owner, Side
from brokerage.domain.orders.states import EventKind, OrderState, OrderType
from brokerage.domain.risk.fence import FenceState, GateStamp
from brokerage.domain.trading import reports
from brokerage.fences import change
from brokerage.orders import journal, working
from brokerage.orders import store as orders_store
from brokerage.orders.entry.cancel import cancel_all, cancel_order
from brokerage.orders.store import OrdersOf
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.errors import Conflict, NotFound, NotReady
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from tests.brokerage.samples import (
    ACCOUNT,
    ACTOR,
    GATE,
    MARKET,
    MINUTE,
    OWNER,
    STOCK,
    WORLD,
    Book,
    bar,
    fence,
    open_book,
    order,
)


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    async with open_book(database_url) as made:
        await made.open()
        await made.show(bar(0))
        yield made


async def test_an_order_is_accepted_filled_and_booked(book: Book) -> None:
    stored = await book.submit(order("o1"))
    assert [event.kind.value for event in stored.events] == ["INITIALIZED", "SUBMITTED", "ACCEPTED"]
    assert await book.show(bar(1, 101)) == 1
    stored = await book.db.read(lambda conn: orders_store.order(conn, OrderName(OWNER, "o1"), MARKET.instruments))
    assert (stored.record.state, stored.record.filled) == (OrderState.FILLED, 10)
    portfolio = await book.portfolio()
    assert portfolio.cash[0].settled == "98988.99"  # 100000 - 1010 - 1.01
    assert (portfolio.positions[0].quantity, portfolio.positions[0].average_price) == ("10", "101")
    assert (portfolio.equity, portfolio.unrealized_pnl, portfolio.fees) == ("100008.99", "10", "1.01")
    assert await book.verify() == 1


async def test_the_same_order_again_is_answered_and_not_taken_twice(book: Book) -> None:
    first = await book.submit(order("o1"))
    again = await book.submit(order("o1", quantity=10), replace(GATE, epoch=7))
    assert again == first
    await book.show(bar(1))
    later = await book.submit(order("o1"))
    assert later.record.state is OrderState.FILLED
    with pytest.raises(Conflict, match="E_ORDER_CONFLICT"):
        await book.submit(order("o1", quantity=11))
    other = replace(order("o1"), owner=Owner("acc", WORLD, "s2"))
    assert (await book.submit(other)).record.id != first.record.id


async def test_one_order_submitted_from_many_places_at_once_is_taken_once(book: Book) -> None:
    answers = await asyncio.gather(*(book.submit(order("o1")) for _ in range(8)))
    assert {answer.record.id for answer in answers} == {answers[0].record.id}
    assert await book.show(bar(1)) == 1


async def test_a_bar_shown_again_changes_nothing(book: Book) -> None:
    await book.submit(order("o1"))
    await book.show(bar(1))
    before = await book.db.read(_everything)
    assert await book.show(bar(0), bar(1)) == 0
    assert await book.db.read(_everything) == before
    await book.submit(order("o2"))
    assert await book.show(bar(1)) == 0
    assert await book.show(bar(1), bar(2)) == 1


def _everything(conn: Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for table in t.metadata.sorted_tables for row in conn.execute(sa.select(table))]


async def test_a_bar_shown_again_is_not_filled_from_twice(book: Book) -> None:
    await book.submit(order("o1", quantity=12))
    assert await book.show(bar(1, volume=50)) == 1
    assert await book.show(bar(1, volume=50), bar(2, volume=50)) == 1
    stored = await book.db.read(lambda conn: orders_store.order(conn, OrderName(OWNER, "o1"), MARKET.instruments))
    assert (stored.record.filled, stored.record.state) == (10, OrderState.PARTIALLY_FILLED)


async def test_a_fill_that_should_not_have_been_is_booked_and_the_account_only_reduces(book: Book) -> None:
    await book.submit(order("o1"))
    await book.show(bar(1))

    def overfill(conn: Connection) -> None:
        account = accounts_store.account(conn, "acc", lock=True)
        known = orders_store.order(conn, OrderName(OWNER, "o1"), MARKET.instruments)
        _, loaded = working.load_orders(conn, MARKET, account, OWNER, known.record.id)
        fill = Fill("late", 3, 100_00, 0, "USD", Liquidity.TAKER, 8)
        event = reports.book_fill(loaded, known.record.id, fill, EventTime(8, 8))
        journal.record(conn, account, [(loaded, event)])

    await book.db.write(overfill)
    account = await book.db.read(lambda conn: accounts_store.account(conn, "acc"))
    assert account.trading_state is TradingState.REDUCING
    assert await book.verify() == 1
    assert (await book.submit(order("o2"))).record.denial is Denial.TRADING_REDUCING
    assert (await book.submit(order("o3", Side.SELL, 13))).record.state is OrderState.ACCEPTED


async def test_no_fence_or_a_frozen_one_denies(database_url: str) -> None:
    async with open_book(database_url) as book:
        await book.open(fenced=False)
        await book.show(bar(0))
        stored = await book.submit(order("o1"), replace(GATE, epoch=0))
        assert (stored.record.state, stored.record.denial) == (OrderState.DENIED, Denial.FENCED)
        await book.fence(fence(1, FenceState.FROZEN))
        assert (await book.submit(order("o2"))).record.denial is Denial.FENCED
        again = await book.submit(order("o1"))
        assert again.record.denial is Denial.FENCED


async def test_an_older_epoch_is_an_error_and_records_nothing(book: Book) -> None:
    await book.fence(fence(3))
    before = await book.db.read(_everything)
    with pytest.raises(NotReady, match="E_STALE_EPOCH") as caught:
        await book.submit(order("o1"), replace(GATE, epoch=2))
    assert caught.value.metadata["epoch"] == "3"
    assert await book.db.read(_everything) == before
    assert (await book.submit(order("o1"), replace(GATE, epoch=3))).record.state is OrderState.ACCEPTED
    assert (await book.submit(order("o2"), replace(GATE, epoch=4))).record.denial is Denial.FENCED


async def test_drain_lets_only_reducing_orders_pass(book: Book) -> None:
    await book.submit(order("o1"))
    await book.show(bar(1))
    await book.fence(fence(2, FenceState.DRAIN))
    gate = replace(GATE, epoch=2)
    assert (await book.submit(order("o2"), gate)).record.denial is Denial.FENCED
    assert (await book.submit(order("o3", Side.SELL, 11), gate)).record.denial is Denial.FENCED
    assert (await book.submit(order("o4", Side.SELL, 10), gate)).record.state is OrderState.ACCEPTED


@pytest.mark.parametrize(
    ("mode", "domain", "want"),
    [
        (EffectiveMode.PAPER, ExecutionDomain.DRYRUN, None),
        (EffectiveMode.LIVE, ExecutionDomain.DRYRUN, None),
        (EffectiveMode.LIVE, ExecutionDomain.LIVE, Denial.NO_LIVE_VENUE),
        (EffectiveMode.PAPER, ExecutionDomain.LIVE, Denial.DOMAIN_FORBIDS_ORDERS),
        (EffectiveMode.COMPUTE_ONLY, ExecutionDomain.DRYRUN, Denial.DOMAIN_FORBIDS_ORDERS),
        (EffectiveMode.VALIDATE, ExecutionDomain.BACKTEST, Denial.DOMAIN_FORBIDS_ORDERS),
        (EffectiveMode.SHADOW, ExecutionDomain.SHADOW, Denial.DOMAIN_FORBIDS_ORDERS),
    ],
)
async def test_the_domain_decides_the_venue(
    book: Book, mode: EffectiveMode, domain: ExecutionDomain, want: Denial | None
) -> None:
    await book.fence(fence(2, mode=mode))
    assert (await book.submit(order("o1"), GateStamp(2, RATE_ONE, domain, False))).record.denial is want


async def test_a_fence_moves_only_forward(book: Book) -> None:
    await book.fence(fence(1))
    with pytest.raises(NotReady, match="E_STALE_EPOCH"):
        await book.fence(fence(1, FenceState.FROZEN))
    await book.fence(fence(5, FenceState.FROZEN))
    with pytest.raises(NotReady, match="E_STALE_EPOCH"):
        await book.fence(fence(4))
    set_again = await book.db.write(lambda conn: change.set_fence(conn, fence(5, FenceState.FROZEN), ACTOR, 99))
    assert set_again[:2] == (fence(5, FenceState.FROZEN), 5)
    assert (await book.db.read(lambda conn: change.current(conn, "unknown")))[0].state is FenceState.FROZEN


async def test_a_resting_order_can_be_cancelled_through_every_fence(book: Book) -> None:
    await book.submit(order("o1"))
    await book.fence(fence(2, FenceState.FROZEN))
    name = OrderName(OWNER, "o1")
    canceled = await book.db.write(lambda conn: cancel_order(conn, MARKET, name, 8))
    assert canceled.record.state is OrderState.CANCELED
    assert await book.db.write(lambda conn: cancel_order(conn, MARKET, name, 9)) == canceled
    assert await book.show(bar(1)) == 0
    with pytest.raises(NotFound, match="E_ORDER_UNKNOWN"):
        await book.db.write(lambda conn: cancel_order(conn, MARKET, OrderName(OWNER, "nope"), 9))


async def test_cancel_all_of_a_strategy_leaves_the_others(book: Book) -> None:
    await book.submit(order("o1"))
    await book.submit(order("o2"))
    other = replace(order("o3"), owner=Owner("acc", WORLD, "s2"))
    await book.submit(other)
    canceled = await book.db.write(lambda conn: cancel_all(conn, MARKET, OrdersOf("acc", strategy_id="s1"), 8))
    assert [stored.record.state for stored in canceled] == [OrderState.CANCELED] * 2
    assert await book.show(bar(1)) == 1


async def test_an_order_for_another_world_or_account_is_refused(book: Book) -> None:
    with pytest.raises(NotFound, match="E_ACCOUNT_UNKNOWN"):
        await book.submit(replace(order("o1"), owner=Owner("acc", "w2", "s1")))
    with pytest.raises(NotFound, match="E_ACCOUNT_UNKNOWN"):
        await book.submit(replace(order("o1"), owner=Owner("nobody", WORLD, "s1")))


async def test_strategies_share_the_cash_of_their_account(book: Book) -> None:
    await book.submit(order("o1", quantity=900))
    other = replace(order("o2", quantity=200), owner=Owner("acc", WORLD, "s2"))
    assert (await book.submit(other)).record.denial is Denial.BALANCE_INSUFFICIENT
    await book.show(bar(1))
    more = replace(other, client_order_id="o3")
    assert (await book.submit(more)).record.denial is Denial.BALANCE_INSUFFICIENT
    fits = replace(other, client_order_id="o4", quantity=Decimal(90))
    assert (await book.submit(fits)).record.state is OrderState.ACCEPTED
    short = replace(fits, client_order_id="o5", side=Side.SELL)
    assert (await book.submit(short)).record.denial is Denial.SHORT_UNAVAILABLE


async def test_the_gate_weight_scales_and_its_drain_makes_reduce_only(book: Book) -> None:
    half = replace(GATE, weight=RATE_ONE // 2)
    assert (await book.submit(order("o1", quantity=11), half)).record.quantity == 5
    await book.show(bar(1))
    drained = replace(GATE, reduce_only=True)
    assert (await book.submit(order("o2"), drained)).record.denial is Denial.REDUCE_ONLY_INCREASES
    selling = await book.submit(order("o3", Side.SELL, 5), replace(drained, weight=0))
    assert (selling.record.state, selling.record.quantity, selling.record.order.reduce_only) == (
        OrderState.ACCEPTED,
        5,
        True,
    )
    assert not selling.order.reduce_only


async def test_trading_states_hold_per_account(book: Book) -> None:
    halted = replace(
        await book.db.read(lambda conn: accounts_store.account(conn, "acc")), trading_state=TradingState.HALTED
    )
    await book.db.write(lambda conn: accounts_store.save_account(conn, halted))
    assert (await book.submit(order("o1"))).record.denial is Denial.TRADING_HALTED


async def test_an_account_is_opened_once_and_joins_its_feed_where_it_stands(book: Book) -> None:
    await book.show(bar(1))
    assert (await book.open()).position_ns == 2 * MINUTE
    joined = await book.open(replace(ACCOUNT, account="late"))
    assert (joined.position_ns, joined.marks["AAPL"].price) == (2 * MINUTE, 101_00)
    with pytest.raises(Conflict, match="E_ACCOUNT_CONFLICT"):
        await book.open(replace(ACCOUNT, starting_cash=5))


async def test_events_and_fills_are_queued_for_the_bus_in_order(book: Book) -> None:
    await book.submit(order("o1"))
    await book.show(bar(1))
    rows = await book.db.read(lambda conn: t.outbox.unsent(conn, 100))
    told = [orderpb.OrderEvents.FromString(row.body) for row in rows if row.subject.startswith("qmtl.orders")]
    events = [event for together in told for event in together.events]
    assert [len(together.events) for together in told] == [3, 1]  # a message for each commit
    fills = [orderpb.Fill.FromString(row.body) for row in rows if row.subject.startswith("qmtl.fills")]
    assert [(event.order_event_number, event.account_event_number) for event in events] == [
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 4),
    ]
    assert events[-1].fill == fills[0]
    assert [event.cumulative_quantity for event in events] == ["0", "0", "0", "10"]
    assert (fills[0].price, fills[0].fee, fills[0].account_fill_number) == ("100", "1", 1)
    assert len({row.msg_id for row in rows}) == 3


async def test_a_watermark_moves_the_venue_over_a_gap_without_a_fill(book: Book) -> None:
    await book.submit(order("o1"))
    assert await book.show(watermark_ns=90 * MINUTE) == 0
    account = await book.db.read(lambda conn: accounts_store.account(conn, "acc"))
    assert (account.position_ns, account.marks["AAPL"].at_ns) == (90 * MINUTE, MINUTE)
    assert await book.show(bar(50)) == 0
    assert (await book.submit(order("o2"))).record.denial is Denial.PRICE_STALE
    assert await book.show(bar(90)) == 1


async def test_a_limit_waits_for_its_price_over_many_transactions(book: Book) -> None:
    await book.submit(order("o1", type=OrderType.LIMIT, limit_price=Decimal(97)))
    assert [await book.show(bar(minute, opened)) for minute, opened in ((1, 100), (2, 99), (3, 98), (4, 90))] == [
        0, 0, 1, 0,
    ]  # fmt: skip


async def test_damaged_books_are_found_by_replay(book: Book) -> None:
    await book.submit(order("o1"))
    await book.show(bar(1))
    await book.db.write(lambda conn: cash.save_cash(conn, "acc", "USD", 1))
    with pytest.raises(Conflict, match=r"E_BOOKS_DIFFER.*settled cash as stored"):
        await book.verify()


async def test_paper_and_backtest_agree_to_the_last_unit(book: Book) -> None:
    local = SimulatedAccount(spot("0.001"), {"USD": Decimal(100_000)}, instruments=[STOCK], owner=OWNER)
    local.on_bar("AAPL", bar(0))
    made = []
    for minute in range(1, 40):
        side = Side.BUY if minute % 3 else Side.SELL
        wanted = order(f"o{minute}", side, 5 + minute % 7, decided_ns=minute * MINUTE)
        stored = await book.submit(wanted)
        assert [event.kind for event in stored.events] == [
            event.kind for event in local.submit(wanted, minute * MINUTE)
        ]
        shown = bar(minute, 100 + minute % 11, volume=0 if minute % 13 == 0 else 60)
        await book.show(shown)
        made += [event for event in local.on_bar("AAPL", shown) if event.kind is EventKind.FILLED]
    fills = await book.db.read(
        lambda conn: orders_store.fills_after(conn, OrdersOf("acc"), 0, 1000, MARKET.instruments)
    )
    assert [event.fill for _, event, _ in fills] == [event.fill for event in made]
    assert len(made) > 30
    money = await book.db.read(lambda conn: cash.load_cash(conn, "acc"))
    assert money == local.book.ledger.cash
    assert await book.verify() == 1

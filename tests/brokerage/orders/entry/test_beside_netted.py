"""Orders of strategies beside netted ones: both may close the same position, and an exchange has one number for all."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.models.latency import Link
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import NETTING, OrderName, Owner, Side, order_id
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.orders.entry.cancel import cancel_all
from brokerage.orders.store import OrdersOf
from brokerage.venues.dispatch import reported_fills, send
from brokerage.venues.dispatch.closing import NETTED_FIRST
from tests.brokerage.orders.entry.test_netted import NET, S2, fill_own, held, netted, opened, share, submit
from tests.brokerage.orders.test_limits import market as margin_market
from tests.brokerage.samples import Book, bar, order, reported

STOP = order("stop", Side.SELL, 500, owner=S2, type=OrderType.STOP_MARKET, stop_price=Decimal(50), reduce_only=True)


async def bought(book: Book) -> None:
    """What the strategy bought first has filled, though it was never sent: an operator has seen that."""
    assert await fill_own(book, "o", "BUY") == (1, 0)
    await book.set_trading(TradingState.ACTIVE)


async def wire(book: Book, owner: Owner, name: str) -> bool:
    identity = order_id(owner, name)
    return await book.db.write(lambda conn: send.to_wire(conn, book.market, OrderName(owner, name), identity, 10))


async def test_of_a_netted_order_and_a_strategys_own_exit_at_one_bar_the_exit_trades(database_url: str) -> None:
    async with opened(database_url) as book:
        await book.submit(STOP)
        await submit(book, netted())
        assert (await book.submit(order("exit", Side.SELL, 500, owner=S2))).record.denial is None
        await book.show(bar(2))
        assert await held(book) == {"w2/s2": 0}
        assert (await submit(book, netted())).record.state is OrderState.CANCELED
        assert await book.verify() == 1


async def test_shares_do_not_trade_with_each_other_what_an_own_exit_is_about_to_close(database_url: str) -> None:
    """They would at once, and the exit would go through zero after them."""
    async with opened(database_url) as book:
        assert (await book.submit(order("exit", Side.SELL, 101, owner=S2))).record.denial is None
        crossing = netted("n", share("w1", "s1", 400), share("w2", "s2", -400))
        refused = (await submit(book, crossing)).record
        assert refused.denial is Denial.REDUCE_ONLY_INCREASES
        assert refused.detail.endswith("held of AAPL now: 400 of 500, 101 of which own orders are closing")
        await book.show(bar(2))
        assert await held(book) == {"w2/s2": 399}
        await book.submit(STOP)
        smaller = netted("n2", share("w1", "s1", 399), share("w2", "s2", -399))
        assert (await submit(book, smaller)).record.denial is None
        assert (await submit(book, crossing)).record.denial is Denial.REDUCE_ONLY_INCREASES, "it is answered again"
        assert await held(book) == {"w1/s1": 399, "w2/s2": 0}
        assert await book.verify() == 1


async def test_a_stop_that_rests_holds_up_no_netted_order(database_url: str) -> None:
    async with opened(database_url) as book:
        await book.submit(STOP)
        await submit(book, netted())
        await book.show(bar(2))
        assert (await held(book))["w2/s2"] == 100


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize(("asked", "goes"), [(500, 100), (700, 300), (300, 0)])
async def test_at_an_exchange_an_own_order_waits_for_a_netted_one_in_flight_and_is_cut_by_what_that_reduced(
    database_url: str, asked: int, goes: int, seen: bool
) -> None:
    """Positions of an exchange are one number for all: it stops neither from going through zero."""
    async with opened(database_url, replace(margin_market(), link=Link(remote=True))) as book:
        await bought(book)
        assert (await submit(book, netted("n", share("w2", "s2", -400)))).record.denial is None
        assert await wire(book, NET, "n")
        assert (await book.submit(order("exit", Side.SELL, asked, owner=S2))).record.denial is None
        for _ in range(2 if seen else 0):
            assert not await wire(book, S2, "exit")
            record = (await book.order("exit", S2)).record
            both = f"{NETTED_FIRST}: 400 and {asked} are more than the 500 that are held"
            assert (record.state, record.detail) == (OrderState.RELEASED, both)
        told = reported("t1", "n", quantity="400", side="ORDER_SIDE_SELL")
        told.key.world_id = told.key.strategy_id = NETTING
        reports = [reported_fills.report_from_proto(told)]
        await book.db.write(lambda conn: reported_fills.book_fills(conn, book.market, reports, 17))
        assert await held(book) == {"w2/s2": 100}
        assert await wire(book, S2, "exit") is bool(goes)
        record = (await book.order("exit", S2)).record
        assert (record.quantity, record.closed) == (goes or asked, not goes)
        said = f"REDUCE_ONLY: netted orders have reduced 400 since it was taken, of the {asked} asked"
        assert [one.detail for one in (await book.order("exit", S2)).events].count(said) == 1
        assert await book.verify() == 1


async def test_an_exit_that_is_at_the_exchange_keeps_a_netted_order_off_it(database_url: str) -> None:
    async with opened(database_url, replace(margin_market(), link=Link(remote=True))) as book:
        await bought(book)
        await book.submit(order("exit", Side.SELL, 500, owner=S2))
        assert await wire(book, S2, "exit")
        await submit(book, netted("n", share("w2", "s2", -400)))
        assert not await wire(book, NET, "n")
        assert (await submit(book, netted("n", share("w2", "s2", -400)))).record.denial is Denial.REDUCE_ONLY_INCREASES


async def test_a_stop_that_was_watched_here_and_let_go_keeps_a_netted_order_off_what_it_closes(
    database_url: str,
) -> None:
    async with opened(database_url, replace(margin_market(), link=Link(remote=True), emulate_stops=True)) as book:
        await bought(book)
        await book.submit(replace(STOP, stop_price=Decimal(95)))
        await book.show(bar(2, 96))
        assert await wire(book, S2, "stop")
        assert (await book.order("stop", S2)).record.let_go
        await submit(book, netted("n", share("w2", "s2", -400)))
        assert not await wire(book, NET, "n")


async def test_all_orders_of_a_world_are_cancelled_with_the_netted_ones_that_have_a_share_of_it(
    database_url: str,
) -> None:
    async with opened(database_url) as book:
        await submit(book, netted())
        for world, strategy, ended in (("w3", "", False), ("w2", "s1", False), ("w2", "", True)):
            found = await book.db.write(
                partial(cancel_all, market=book.market, of=OrdersOf("acc", world, strategy), now_ns=9)
            )
            assert [one.record.state for one in found] == [OrderState.CANCELED] * ended
        await book.show(bar(2))
        assert await held(book) == {"w2/s2": 500}
        assert await book.verify() == 1

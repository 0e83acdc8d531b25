"""Fills from outside: once each, in any state, flagged when they should not have been, refused when they do not fit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import TradingState
from brokerage.domain.models.latency import Link
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Side
from brokerage.domain.orders.states import FillFlag, OrderState
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import reported_fill_service_pb2 as reportedfillservicepb
from qmtl.core.errors import Conflict, InvalidRequest, NotFound
from tests.brokerage.samples import MARKET, Book, bar, fence, open_book, order, reported


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    async with open_book(database_url) as made:
        await made.open()
        await made.show(bar(0))
        await made.submit(order("o1"))
        yield made


async def trading(book: Book) -> TradingState:
    return (await book.db.read(lambda conn: accounts_store.account(conn, "acc"))).trading_state


async def test_a_fill_is_booked_and_a_repeat_changes_nothing(book: Book) -> None:
    assert await book.book_fills(reported("t1", quantity="4"), reported("t2", quantity="6")) == (2, 0)
    stored = await book.order("o1")
    assert (stored.record.state, stored.record.filled) == (OrderState.FILLED, 10)
    untimed = reported("t2", quantity="6")
    untimed.ClearField("venue_time")
    assert await book.book_fills(reported("t1", quantity="4"), untimed) == (0, 2)
    assert await book.order("o1") == stored
    assert await book.show(bar(1)) == 0
    assert await book.verify() == 1


@pytest.mark.parametrize("change", [{"quantity": "5"}, {"price": "99"}, {"fee": "0"}, {"client_order_id": "o2"}])
async def test_other_content_under_a_known_trade_id_is_a_conflict_and_books_nothing(
    book: Book, change: dict[str, str]
) -> None:
    await book.submit(order("o2"))
    await book.book_fills(reported("t1", quantity="4"))
    wrong = reported("t1", **{"quantity": "4", **change})
    with pytest.raises(Conflict, match="E_FILL_CONFLICT"):
        await book.book_fills(reported("t9", quantity="1"), wrong)
    assert (await book.order("o1")).record.filled == 4


async def test_a_late_fill_is_booked_and_completes_only_when_whole(book: Book) -> None:
    await book.cancel("o1")
    await book.book_fills(reported("t1", quantity="4"))
    stored = await book.order("o1")
    assert (stored.record.state, stored.record.filled, stored.record.flag) == (OrderState.CANCELED, 4, None)
    await book.book_fills(reported("t2", quantity="6"))
    assert await book.state("o1") is OrderState.FILLED
    assert await trading(book) is TradingState.ACTIVE
    assert await book.verify() == 1


async def test_more_than_was_ordered_is_booked_flagged_and_the_account_only_reduces(book: Book) -> None:
    await book.book_fills(reported("t1"), reported("t2", quantity="3"))
    stored = await book.order("o1")
    assert (stored.record.filled, stored.record.flag) == (13, FillFlag.OVERFILL)
    assert await trading(book) is TradingState.REDUCING
    assert (await book.submit(order("o2"))).record.denial is Denial.TRADING_REDUCING
    assert await book.verify() == 1


async def test_a_fill_of_a_denied_order_is_a_fact_too(book: Book) -> None:
    await book.submit(order("o2", Side.SELL, 99))
    sold = reported("t1", "o2", quantity="1")
    sold.side = orderpb.ORDER_SIDE_SELL
    assert await book.book_fills(sold) == (1, 0)
    stored = await book.order("o2")
    assert (stored.record.state, stored.record.flag) == (OrderState.DENIED, FillFlag.UNEXPECTED)
    assert await trading(book) is TradingState.REDUCING


async def test_a_reported_fill_resolves_an_unknown_outcome(database_url: str) -> None:
    async with open_book(database_url, replace(MARKET, link=Link(latency_ms=1))) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(order("o1"))
        await book.to_wire("o1")
        await book.lose("o1")
        await book.book_fills(reported("t1"))
        stored = await book.order("o1")
        assert (stored.record.state, stored.record.unresolved) == (OrderState.FILLED, False)
        assert await book.fence(fence(1)) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"symbol": "MSFT"}, "E_FILL_MISMATCH"),
        ({"fee_currency": "yen"}, "E_FILL_MISMATCH"),
        ({"venue": "mars"}, "E_FILL_MISMATCH"),
        ({"quantity": "0"}, "E_DECIMAL"),
        ({"quantity": "1.5"}, "E_DECIMAL"),
        ({"price": "-1"}, "E_DECIMAL"),
    ],
    ids=str,
)
async def test_a_report_that_does_not_fit_its_order_is_refused(book: Book, change: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        await book.book_fills(reported("t1", **change))


async def test_a_report_of_an_unknown_order_or_without_a_trade_id_is_refused(book: Book) -> None:
    with pytest.raises(NotFound, match="E_ORDER_UNKNOWN"):
        await book.book_fills(reported("t1", "never"))
    with pytest.raises(InvalidRequest, match=r"E_FIELD: fills\[0\]\.key\.account"):
        await book.book_fills(reportedfillservicepb.ReportedFill(symbol="AAPL"))


async def test_a_halted_account_stays_halted_when_more_fills_than_was_ordered(book: Book) -> None:
    await book.submit(order("o1"))
    await book.set_trading(TradingState.HALTED)
    await book.book_fills(reported("t1", quantity="13"))
    assert (await book.order("o1")).record.flag is FillFlag.OVERFILL
    assert await trading(book) is TradingState.HALTED

"""Payments as they are listed: all of them, in pages, by what is asked for; and a report of them is the backtest's."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.books.load import load_view
from brokerage.books.payment_list import list_payments
from brokerage.books.payments import save_payments
from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.corporate import CorporateAction, Dividend, Split
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.order import Owner, Side
from brokerage.domain.simulation.carry import Payment
from brokerage.market.context import MarketContext
from brokerage.orders.listings import list_fills
from qmtl.broker.v1 import order_service_pb2 as orderservicepb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.broker.v1 import portfolio_service_pb2 as portfolioservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, NotFound
from qmtl.sdk.mesh.share_steps import share_steps
from qmtl.sdk.mesh.wire.orders import fill_from_proto
from qmtl.sdk.reports.trades import TradedWith, trade_report
from qmtl.sql.database import sqlite_url
from qmtl.stats.trades import ConversionStep, SplitStep
from qmtl.wire.instants import ns_to_proto
from tests.brokerage.feeds.test_endings import MERGER, NEW, TWO, holding, shown
from tests.brokerage.feeds.test_endings import market as ending
from tests.brokerage.samples import MINUTE, OWNER, STOCK, Book, bar, open_book, order

ACTIONS: tuple[CorporateAction, ...] = (
    Dividend("AAPL", 2 * MINUTE, Decimal("0.25")),
    Split("AAPL", 3 * MINUTE, Fraction(3, 2)),
    Split("AAPL", 5 * MINUTE, Fraction(1, 4)),
)
MARKET = MarketContext(Instruments([STOCK]), margin(2, participation="0"), actions={"AAPL": ACTIONS})
SECOND = Owner("acc", "w1", "s2")


async def listed(book: Book, market: MarketContext = MARKET, **asked: object) -> list[portfoliopb.Payment]:
    request = portfolioservicepb.ListPaymentsRequest(account="acc", **asked)  # type: ignore[arg-type]  # real fields
    return list((await book.db.read(lambda conn: list_payments(conn, market, request))).payments)


async def traded(book: Book) -> None:
    """s1 buys 7 and s2 sells 3 before all actions; s1 sells what it has left in the end."""
    await book.open()
    await book.show(bar(0))
    await book.submit(order("long", quantity=7))
    await book.submit(order("short", Side.SELL, quantity=3, owner=SECOND))
    for one in (bar(1), bar(2), bar(3, 67), bar(4, 67), bar(5, 268)):
        await book.show(one)
    await book.submit(order("out", Side.SELL, quantity=2))
    await book.show(bar(6, 268))


async def test_payments_are_listed_in_pages_by_what_is_asked_for(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db"), MARKET) as book:
        await traded(book)
        loan = Payment(None, "", CashKind.INTEREST, "USD", -5 * 10**7, 9 * MINUTE)

        def lend(conn: Connection) -> None:
            save_payments(conn, "acc", load_view(conn, MARKET, accounts_store.account(conn, "acc")), [(3, loan)])

        await book.db.write(lend)
        every = await listed(book)
        told = [
            (one.strategy_id, portfoliopb.PaymentKind.Name(one.kind)[13:], one.amount, one.account_fill_number)
            for one in every
        ]
        # 7 x 3/2 are 10 and half a share at 67, 3 x 3/2 are 4 and half; 10 / 4 are 2 and half at 268, 4 / 4 are 1
        assert told == [
            ("s1", "DIVIDEND", "1.75", 2),
            ("s2", "DIVIDEND", "-0.75", 2),
            ("s1", "SPLIT", "33.5", 2),
            ("s2", "SPLIT", "-33.5", 2),
            ("s1", "SPLIT", "134", 2),
            ("s2", "SPLIT", "0", 2),
            ("", "INTEREST", "-0.5", 3),
        ]
        change = every[2].change
        assert (change.ratio, change.price, change.symbol, change.cash_per_share) == ("3/2", "67", "AAPL", "")
        assert (every[6].symbol, every[6].world_id, every[6].HasField("change")) == ("", "", False)
        page = commonpb.PageRequest(page_size=4)
        request = portfolioservicepb.ListPaymentsRequest(account="acc", page=page)
        first = await book.db.read(lambda conn: list_payments(conn, MARKET, request))
        request.page.page_token = first.page.next_page_token
        rest = await book.db.read(lambda conn: list_payments(conn, MARKET, request))
        assert ([*first.payments, *rest.payments], rest.page.next_page_token) == (every, "")
        numbers = [one.number for one in every]
        for asked, wanted in (
            ({"world_id": "w1"}, numbers[:6]),
            ({"world_id": "w2"}, []),
            ({"strategy_id": "s2"}, numbers[1:6:2]),
            ({"symbol": "AAPL", "kind": portfoliopb.PAYMENT_KIND_DIVIDEND}, numbers[:2]),
            ({"range": commonpb.TimeRange(start=ns_to_proto(3 * MINUTE), end=ns_to_proto(5 * MINUTE))}, numbers[2:4]),
            ({"range": commonpb.TimeRange(end=ns_to_proto(3 * MINUTE))}, numbers[:2]),
        ):
            assert [one.number for one in await listed(book, **asked)] == wanted, asked


async def test_what_cannot_be_asked_for_or_told_is_refused_by_name(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db"), MARKET) as book:
        await traded(book)
        back = commonpb.TimeRange(start=ns_to_proto(5), end=ns_to_proto(4))
        late = commonpb.TimeRange(start=ns_to_proto(0))
        late.start.seconds = 10**12
        other = commonpb.PageRequest(page_token="x")
        for asked, reason in (
            ({"kind": 99}, "E_ENUM"),
            ({"range": back}, "E_RANGE"),
            ({"range": late}, "E_TIMESTAMP"),
            ({"page": other}, "E_PAGE_TOKEN"),
        ):
            with pytest.raises(InvalidRequest) as caught:
                await listed(book, **asked)
            assert caught.value.reason == reason
        nothing = MarketContext(Instruments([]), MARKET.profile)
        nothing.instruments.learn([NEW])
        assert len(await listed(book, nothing, kind=portfoliopb.PAYMENT_KIND_DIVIDEND)) == 2
        with pytest.raises(NotFound, match="no longer name it") as unknown:
            await listed(book, nothing)
        assert unknown.value.reason == "E_INSTRUMENT_UNKNOWN"
        request = orderservicepb.ListFillsRequest(account="acc", after_account_fill_number=2**63)
        with pytest.raises(InvalidRequest, match="after_account_fill_number"):
            await book.db.read(lambda conn: list_fills(conn, MARKET, request))
        request.after_account_fill_number = 0
        with pytest.raises(NotFound, match="has filled in AAPL, which the settings no longer name at paper") as unknown:
            await book.db.read(lambda conn: list_fills(conn, nothing, request))
        assert unknown.value.reason == "E_INSTRUMENT_UNKNOWN"


async def test_lots_of_an_account_go_on_over_splits_to_the_cash_that_was_made(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db"), MARKET) as book:
        await traded(book)
        request = orderservicepb.ListFillsRequest(account="acc")
        fills = list((await book.db.read(lambda conn: list_fills(conn, MARKET, request))).fills)
        steps = share_steps(fills, await listed(book), {"AAPL": STOCK})
        assert steps == [
            SplitStep("AAPL", 2, 3 * MINUTE, Fraction(3, 2), Decimal(10 - 4), Decimal(0), "acc"),
            SplitStep("AAPL", 2, 5 * MINUTE, Fraction(1, 4), Decimal(2 - 1), Decimal(134), "acc"),
        ]
        events = [fill_from_proto(fill) for fill in fills]
        report = trade_report(events, TradedWith.of({"AAPL": STOCK}, Decimal(0)), (), steps)
        book_value = (await book.portfolio()).equity
    gross = sum((one.gross for one in report.trades.trades), Decimal(0))
    fees = sum((fill.fee for fill in events), Decimal(0))
    [lot] = report.trades.open_lots["AAPL"]
    assert (lot.quantity, lot.price) == (Decimal(-1), Decimal(268))
    # the open lot at its mark, 269, and the dividends of both
    assert Decimal(100_000) + gross - fees - 1 + 1 == Decimal(book_value)


async def test_lots_of_an_account_become_those_of_the_other_symbol(tmp_path: Path) -> None:
    of = ending(MERGER)
    async with open_book(sqlite_url(tmp_path / "store.db"), of) as book:
        await holding(book, of, 7)
        await shown(book, of, bar(3, 200))
        request = orderservicepb.ListFillsRequest(account="acc")
        fills = list((await book.db.read(lambda conn: list_fills(conn, of, request))).fills)
        paid = await listed(book, of)
        [step] = share_steps(fills, paid, {"AAPL": STOCK, "NEW": NEW})
    assert TWO.account == OWNER.account
    assert (paid[0].change.price, paid[0].change.symbol, paid[0].change.cash_per_share) == ("200", "NEW", "3")
    assert isinstance(step, ConversionStep)
    # 3.5 of NEW, worth 700, and 21 in cash
    assert (step.into, step.received, step.cash, step.kept) == (
        "NEW",
        Decimal("3.5"),
        Decimal(21),
        Fraction(700, 721),
    )
    assert (step.fills_before, step.ratio, step.account) == (1, Fraction(1, 2), "acc")

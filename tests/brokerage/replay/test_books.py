"""ReplayBooks through the real service: what an account booked, at the closes of its session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Connection

from brokerage.accounts import at_venues
from brokerage.accounts import store as accounts_store
from brokerage.books.load import load_view
from brokerage.books.payments import save_payments
from brokerage.config import Settings
from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.market.instrument import instrument
from brokerage.domain.orders.order import Side
from brokerage.domain.simulation.carry import Payment
from brokerage.market.configured import market_of
from brokerage.replay.bars import SealedBars
from brokerage.replay.books import BooksQuery, PaperBooks, load_books, valued
from brokerage.venues.ccxt.dialects.binance import SPOT
from brokerage.venues.dispatch.reported_fills import book_fills, report_from_proto
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.config.settings import MeshSettings
from qmtl.core.errors import InvalidRequest, NotFound, NotReady, PermissionDenied
from qmtl.core.volumes import VolumeUnit
from qmtl.sql.database import Database, sqlite_url
from qmtl.wire.instants import ns_to_proto
from tests.brokerage.exchange_mesh import account_request, at
from tests.brokerage.feed import PRESET, SESSION
from tests.brokerage.mesh import Client, Mesh, running_mesh, until
from tests.brokerage.samples import ACCOUNT, ACTOR, MARKET, MINUTE, OWNER, STOCK, bar, open_book, order, reported

MODEL = {"starting_cash": "100000"}
TERMS = accountpb.AccountModel(starting_cash="100000")


@pytest.fixture
async def mesh(tmp_path: Path, nats_url: str) -> AsyncIterator[Mesh]:
    async with running_mesh(tmp_path, nats_url) as made:
        await made.start()
        yield made


def asked(session: str = SESSION, start: int = 0, **changes: str) -> replayservicepb.ReplayBooksRequest:
    owner: dict[str, Any] = {"world_id": "w1", "strategy_id": "s1", "account": "acc"}
    owner |= {name: value for name, value in changes.items() if name in owner}
    model = MODEL | {name: value for name, value in changes.items() if name not in owner}
    return replayservicepb.ReplayBooksRequest(
        **owner,
        data_session_id=session,
        start=ns_to_proto(start * MINUTE),
        account_model=accountpb.AccountModel(**model),  # type: ignore[arg-type]  # by name
    )


async def told(
    mesh: Mesh, request: replayservicepb.ReplayBooksRequest
) -> tuple[replaypb.ReplaySummary, list[D], list[replayservicepb.ReplayOrdersResponse]]:
    client = mesh.client(service="worldservice", role=None)
    parts = [reply.part async for reply in client.replays.ReplayBooks(request)]
    tables = [pa.ipc.open_stream(part.equity_arrow).read_all() for part in parts if part.equity_arrow]
    return parts[-1].summary, [one for table in tables for one in table.column("equity").to_pylist()], parts


async def traded(mesh: Mesh) -> Client:
    """Ten bought in the second bar at 101, sold in the fourth at 104; another strategy sells short nothing it has."""
    client = mesh.client()
    await client.open()
    await mesh.client(service="worldservice").fence(1)
    mesh.feed.push(bar(0, 100))
    await until(mesh.confirmed, bool)  # there is a price
    await client.submit(order("in", decided_ns=MINUTE))
    mesh.feed.push(bar(1, 101), bar(2, 102))
    await until(client.fills, lambda found: len(found) == 1)
    await client.submit(order("out", side=Side.SELL, decided_ns=3 * MINUTE))
    mesh.feed.push(bar(3, 104))
    await until(client.fills, lambda found: len(found) == 2)
    return client


async def test_books_are_valued_at_the_sessions_closes(mesh: Mesh) -> None:
    client = await traded(mesh)
    summary, equity, parts = await told(mesh, asked())
    fills = [fill for part in parts for fill in part.fills.fills]
    assert [(one.client_order_id, D(one.price)) for one in fills] == [("in", D(101)), ("out", D(104))]
    assert (summary.fill_count, summary.equity_count, summary.invested_count) == (2, 4, 2)
    assert equity == [D(100_000), D("100008.99"), D("100018.99"), D("100027.95")]  # closes are one above their opens
    assert summary.equity == (await client.portfolio()).equity
    assert [one.data_preset for one in summary.instruments] == [PRESET.name]
    assert [trip.profit for part in parts for trip in part.trades.trades] == ["27.95"]
    assert summary.terms.taker_fee_rate == "0.001"

    summary, equity, _ = await told(mesh, asked(start=2))  # what was held then is held from the first close on
    assert (summary.equity_count, equity[0]) == (2, D("100018.99"))
    summary, equity, _ = await told(mesh, asked(strategy_id="s2"))  # a strategy has its own trading only
    assert (summary.fill_count, set(equity)) == (0, {D(100_000)})
    await client.submit(order("much", quantity=10**6))
    _, _, parts = await told(mesh, asked())
    assert [one.client_order_id for part in parts for one in part.denials.denials] == ["much"]


async def test_an_account_at_a_venue_has_no_books_on_paper(mesh: Mesh) -> None:
    market = market_of(Settings(venues=at("http://127.0.0.1:1")), {"binance": SPOT}, [])  # type: ignore[arg-type]
    held = at_venues.draft(market, account_request(), 7)
    store = Database(Settings(mesh=MeshSettings(home=mesh.home)).database_url)
    try:
        await store.write(lambda conn: at_venues.open_at_venue(conn, held, ["w1"], ACTOR, accounts_max=10))
    finally:
        await store.close()
    with pytest.raises(InvalidRequest, match=r"E_ACCOUNT_NOT_PAPER.*acc at binance, want a paper account"):
        await told(mesh, asked())


async def test_what_is_not_the_worlds_account_is_no_evidence(mesh: Mesh) -> None:
    client = mesh.client()
    await client.open()
    with pytest.raises(NotReady, match="E_ACCOUNT_WITHOUT_BARS"):
        await told(mesh, asked())
    client = await traded(mesh)
    for request, error, reason in (
        (asked(account="none"), NotFound, "E_ACCOUNT_UNKNOWN"),
        (asked(world_id="w2"), NotFound, "E_ACCOUNT_UNKNOWN"),
        (asked(session="another"), InvalidRequest, "E_ACCOUNT_OTHER_DATA"),
        (asked(starting_cash="100001"), InvalidRequest, "E_ACCOUNT_OTHER_TERMS"),
        (asked(taker_fee_rate_min="0.002"), InvalidRequest, "E_ACCOUNT_OTHER_TERMS"),
        (asked(profile="binance_spot"), InvalidRequest, "E_ACCOUNT_OTHER_TERMS"),
        (asked(session=""), InvalidRequest, "E_FIELD"),
    ):
        with pytest.raises(error, match=reason):
            await told(mesh, request)
    with pytest.raises(PermissionDenied):
        [reply async for reply in client.replays.ReplayBooks(asked())]


def test_books_in_another_currency_than_the_accounts_are_not_summed() -> None:
    euros = instrument("E", base="E", quote="EUR", price_places=2)
    books = PaperBooks(ACCOUNT, [], [], [], [])
    with pytest.raises(InvalidRequest, match=r"E_CURRENCIES.*E in EUR"):
        valued(MARKET, books, [SealedBars(euros, 60, VolumeUnit.BASE, [])])


def test_what_time_paid_after_the_last_close_is_not_told() -> None:
    opens = pa.array([MINUTE, 2 * MINUTE], pa.timestamp("ns", "UTC"))
    table = pa.table(
        {"open_time": opens, **{name: [100.0, 100.0] for name in ("open", "high", "low", "close", "volume")}}
    )
    paid = [Payment(OWNER, "AAPL", CashKind.BORROW, "USD", -(10**8), minute * MINUTE) for minute in (2, 3, 4)]
    books = PaperBooks(ACCOUNT, [], [], [], paid)
    summary = valued(MARKET, books, [SealedBars(STOCK, 60, VolumeUnit.BASE, [table])])[-1].summary
    assert (summary.equity, dict(summary.carried)) == ("99998", {"BORROW": "-2"})


async def test_interest_of_the_account_is_not_shed_by_company(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db")) as book:
        account = await book.open()
        await book.show(bar(0))
        for name in ("s1", "other"):
            await book.submit(replace(order(name), owner=replace(OWNER, strategy_id=name)))
        assert await book.show(bar(1)) == 2
        interest = Payment(None, "", CashKind.INTEREST, "USD", -(10**8), 2 * MINUTE)
        borrowed = Payment(replace(OWNER, strategy_id="other"), "AAPL", CashKind.BORROW, "USD", -(10**8), 2 * MINUTE)

        def load(conn: Connection) -> PaperBooks:
            save_payments(conn, "acc", load_view(conn, MARKET, account), [(2, interest), (2, borrowed)])
            return load_books(conn, MARKET, BooksQuery(OWNER, SESSION, 0, TERMS))

        books = await book.db.write(load)
    assert (len(books.fills), books.payments) == (1, [interest])


async def test_a_fill_that_was_told_from_outside_is_no_evidence(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db")) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(order("o1"))
        told = [report_from_proto(reported("t1", price="0.01"))]
        await book.db.write(lambda conn: book_fills(conn, MARKET, told, 7))
        await book.show(bar(1))
        query = BooksQuery(OWNER, SESSION, 0, TERMS)
        with pytest.raises(InvalidRequest, match=r"E_ACCOUNT_OTHER_DATA.*o1 that was reported"):
            await book.db.read(lambda conn: load_books(conn, MARKET, query))


async def test_books_that_miss_bars_are_no_evidence_of_the_time_before_their_end(tmp_path: Path) -> None:
    async with open_book(sqlite_url(tmp_path / "store.db")) as book:
        account = await book.open()
        await book.show(bar(0), bar(1), bar(2))
        await book.db.write(lambda conn: accounts_store.save_account(conn, replace(account, missed_ns=2 * MINUTE)))
        query = BooksQuery(OWNER, SESSION, 2 * MINUTE - 1, TERMS)
        with pytest.raises(InvalidRequest, match=r"E_ACCOUNT_INCOMPLETE.*could not take bars up to 1970-01-01T00:02"):
            await book.db.read(lambda conn: load_books(conn, MARKET, query))
        after = replace(query, start_ns=2 * MINUTE)
        assert (await book.db.read(lambda conn: load_books(conn, MARKET, after))).account.missed_ns == 2 * MINUTE


async def test_an_account_as_it_is_tells_what_was_sent_and_where_it_arrived(mesh: Mesh) -> None:
    client = await traded(mesh)
    request = asked(starting_cash="7")  # another account than this one
    with pytest.raises(InvalidRequest, match="E_ACCOUNT_OTHER_TERMS"):
        await told(mesh, request)
    request.own_terms = True
    request.end.CopyFrom(ns_to_proto(3 * MINUTE))
    service = mesh.client(service="worldservice", role=None)
    replies = [reply async for reply in service.replays.ReplayBooks(request)]
    sent = [(one.client_order_id, one.side, one.arrival_price) for reply in replies for one in reply.orders]
    assert sent == [("in", orderpb.ORDER_SIDE_BUY, "101"), ("out", orderpb.ORDER_SIDE_SELL, "103")]
    fills = [fill.client_order_id for reply in replies for fill in reply.part.fills.fills]
    assert fills == ["in"]
    (shown,) = replies[-1].part.summary.instruments
    assert (shown.last_price, replies[-1].part.summary.equity_count) == ("103", 3)
    whole = (await told(mesh, asked()))[0].instruments[0]
    assert whole.bars_digest != shown.bars_digest
    assert whole.bars_digest == (await told(mesh, asked()))[0].instruments[0].bars_digest
    assert await client.fills()

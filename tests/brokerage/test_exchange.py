"""The real process with an account at the local exchange: orders reach it, once, and its fills come home."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from brokerage.domain.orders.order import Side
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import manual_order_service_pb2 as manualorderservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import venue_service_pb2 as venueservicepb
from qmtl.core.errors import Conflict
from tests.brokerage.exchange_mesh import WAIT_S, account_request, at_exchange, bitcoin, started
from tests.brokerage.mesh import Mesh
from tests.exchange.binance.usdm.rest import BinanceUsdm
from tests.exchange.core.faults import Trouble
from tests.support.waiting import eventually

FILLED, ACCEPTED, DENIED = orderpb.ORDER_STATE_FILLED, orderpb.ORDER_STATE_ACCEPTED, orderpb.ORDER_STATE_DENIED


@pytest.mark.timeout(180)
async def test_an_order_reaches_the_exchange_once_whatever_kills_the_process(tmp_path: Path, nats_url: str) -> None:
    async with at_exchange(tmp_path, nats_url) as traded:
        process = await started(traded)
        await traded.open()
        cash = {row.currency: row.settled for row in (await traded.client.portfolio()).cash}
        assert (cash["USDT"], cash["BTC"]) == ("10000", "1")

        await traded.client.submit(bitcoin("o1"), domain="LIVE")
        await traded.until("o1", ACCEPTED)
        traded.exchange.quote("BTCUSDT", "96", "97")
        filled = await traded.until("o1", FILLED)
        assert filled.average_price == "98"
        paper = (await traded.client.submit(bitcoin("o2"), domain="DRYRUN")).status
        assert (paper.state, paper.denial) == (DENIED, orderpb.DENIAL_DOMAIN_FORBIDS_ORDERS)

        taken = asyncio.Event()
        traded.exchange.faults.witness = lambda *seen: taken.set() if seen == ("POST order", True) else None
        traded.exchange.faults.plan("POST order", Trouble.SILENT_AFTER)
        await traded.client.submit(bitcoin("o3", "95"), domain="LIVE")
        await taken.wait()
        process.kill()
        await process.wait()
        traded.exchange.quote("BTCUSDT", "93", "94")  # it fills while nobody is there
        await started(traded)
        await traded.until("o3", FILLED)
        assert [(fill.client_order_id, fill.price) for fill in await traded.client.fills()] == [
            ("o1", "98"),
            ("o3", "95"),
        ]
        sent = traded.sent()
        assert len(sent) == len(set(sent)) == 2


@pytest.mark.timeout(120)
async def test_what_is_not_live_is_compared_and_gets_no_order(tmp_path: Path, nats_url: str) -> None:
    async with at_exchange(tmp_path, nats_url, live=False) as traded:
        await traded.mesh.start()
        await traded.mesh.client(role=None, service="worldservice").fence(1, mode="LIVE")
        await traded.client.accounts.OpenVenueAccount(account_request())
        await eventually(traded.is_active, 45.0)
        denied = (await traded.client.submit(bitcoin("o1"), domain="LIVE")).status
        assert (denied.state, denied.denial) == (DENIED, orderpb.DENIAL_NO_LIVE_VENUE)
        told = await traded.venue()
        assert (told.live, told.stage, told.account, told.lease_epoch) == (False, "local", "acc", 1)
        assert told.HasField("compared_at")
        other = account_request()
        other.account = "second"
        with pytest.raises(Conflict, match="E_ACCOUNT_CONFLICT"):
            await traded.client.accounts.OpenVenueAccount(other)
        assert not traded.sent()


@pytest.mark.soak
@pytest.mark.timeout(180)
async def test_a_contract_is_traded_and_its_funding_booked(tmp_path: Path, nats_url: str) -> None:
    contract = "BTC/USDT:USDT"
    async with at_exchange(tmp_path, nats_url, BinanceUsdm, market="usdm", symbols=[contract]) as traded:
        await traded.mesh.start()
        await traded.mesh.client(role=None, service="worldservice").fence(1, mode="LIVE")
        await traded.open("btc-perpetual", accountpb.ACCOUNT_TYPE_MARGIN)
        wallet = traded.exchange.accounts["client"].total

        async def agrees() -> bool:
            """Whether the books have the one position, and with what it cost the exchange's wallet."""
            book = await traded.client.portfolio()
            held = [(row.symbol, row.quantity) for row in book.positions]
            cost = sum((Decimal(row.average_price) * Decimal(row.quantity) for row in book.positions), Decimal(0))
            cash = sum((Decimal(row.settled) for row in book.cash), Decimal(0))
            return held == [(contract, "-0.1")] and cash + cost == wallet["USDT"]

        sold = replace(bitcoin("o1", "98", Side.SELL), symbol=contract)
        taken = (await traded.client.submit(sold, domain="LIVE")).status
        assert not taken.denial, taken.message
        await traded.until("o1", FILLED)
        await eventually(agrees, WAIT_S)
        before = wallet["USDT"]
        traded.exchange.fund("BTCUSDT", "0.0001")
        assert wallet["USDT"] > before
        await eventually(agrees, WAIT_S)
        with closing(sqlite3.connect(f"file:{tmp_path}/state/brokerage.db?mode=ro", uri=True)) as store:
            paid = store.execute("SELECT strategy_id, symbol FROM payments WHERE kind = 'FUNDING'").fetchall()
        assert paid == [("@external", contract)]

        request = manualorderservicepb.FlattenPositionsRequest(account="acc", request_id="f1", reason="enough")
        flat = await traded.client.manual.FlattenPositions(request)
        assert [(one.order.symbol, one.order.quantity) for one in flat.statuses] == [(contract, "0.1")]

        async def is_flat() -> bool:
            held = [row.quantity for row in (await traded.client.portfolio()).positions]
            return held == ["0"] and not traded.exchange.accounts["client"].held("BTCUSDT")

        await eventually(is_flat, WAIT_S)


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_of_two_processes_on_postgresql_the_fenced_one_sends_nothing_until_the_other_is_killed(
    tmp_path: Path, nats_url: str, postgres_url: str
) -> None:
    await _fenced_and_awake_again(tmp_path, nats_url, postgres_url)


@pytest.mark.timeout(180)
@pytest.mark.soak
async def test_of_two_processes_one_drives_and_the_fenced_one_sends_nothing(tmp_path: Path, nats_url: str) -> None:
    await _fenced_and_awake_again(tmp_path, nats_url)


async def _fenced_and_awake_again(tmp_path: Path, nats_url: str, database_url: str = "") -> None:
    """The holder is stopped and wakes after its lease; on a database of its own its successor is killed then."""
    async with at_exchange(tmp_path, nats_url) as traded:
        traded.mesh.database_url = database_url
        first = await started(traded)
        await traded.open()
        other = Mesh(traded.mesh.home, nats_url, traded.mesh.stack)
        other.database_url = database_url
        other.feed_port, other.venues = traded.mesh.feed_port, traded.mesh.venues
        second = await other.spawn()
        await other.ready()
        client = other.client()
        before = await traded.venue()
        taken = (await client.submit(bitcoin("o1"), domain="LIVE")).status  # taken by one, sent by the other
        assert not taken.denial, taken.message
        await traded.until("o1", ACCEPTED)

        await _stop_between_writes(first.pid, None if database_url else tmp_path / "state" / "brokerage.db")
        traded.client = client

        async def taken_over() -> bool:
            told = await traded.venue()
            return told.lease_epoch > before.lease_epoch and told.state == venueservicepb.VENUE_STATE_CONNECTED

        await eventually(taken_over, 45.0)
        await client.submit(bitcoin("o2", "97"), domain="LIVE")
        await traded.until("o2", ACCEPTED)
        os.kill(first.pid, signal.SIGCONT)
        for number in range(3, 8):
            await client.submit(bitcoin(f"o{number}", "96", quantity="0.06"), domain="LIVE")
            await traded.until(f"o{number}", ACCEPTED)
        sent = traded.sent()
        assert len(sent) == len(set(sent)) == 7
        taken_by = await traded.venue()
        assert taken_by.lease_holder != before.lease_holder
        assert (first.returncode, second.returncode) == (None, None)
        if not database_url:
            return
        second.kill()
        traded.client = traded.mesh.client()

        async def driven_again() -> bool:
            told = await traded.venue()
            return told.lease_epoch > taken_by.lease_epoch and told.state == venueservicepb.VENUE_STATE_CONNECTED

        await eventually(driven_again, 45.0)
        await traded.client.submit(bitcoin("o8", "96", quantity="0.06"), domain="LIVE")
        await traded.until("o8", ACCEPTED)
        assert len(traded.sent()) == len(set(traded.sent())) == 8


async def _stop_between_writes(pid: int, database: Path | None) -> None:
    """SIGSTOP while the process holds no write lock of an SQLite file: a stopped writer holds the file for all."""

    async def stopped() -> bool:
        os.kill(pid, signal.SIGSTOP)
        if database is None or _may_write(database):
            return True
        os.kill(pid, signal.SIGCONT)
        return False

    await eventually(stopped, WAIT_S)


def _may_write(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=1.0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True

"""The books follow an account of futures: funding, liquidations, stops that become other orders, both directions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from brokerage import schema as t
from brokerage.books import store as books_store
from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.orders.order import EXTERNAL, Side
from brokerage.domain.orders.states import OrderState
from tests.brokerage.venues.reconcile.live import OWNER, Live, living
from tests.brokerage.venues.reconcile.places import BINANCE_USDM
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import Ask
from tests.exchange.core.values import Side as ExchangeSide


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with living(f"sqlite:///{tmp_path / 'store.db'}", place=BINANCE_USDM) as found:
        yield found


async def held(live: Live) -> dict[str, Decimal]:
    """Positions by strategy, of bitcoin."""
    read = await live.db.read(lambda conn: books_store.load_positions(conn, OWNER.account))
    instrument = live.market.instruments.find(live.place.btc)
    assert instrument is not None
    return {owner.strategy_id: instrument.quantity_decimal(one.quantity) for owner, _, one in read if one.quantity}


async def payments(live: Live, kind: CashKind) -> list[tuple[str, str, int]]:
    query = sa.select(t.payments.c.strategy_id, t.payments.c.symbol, t.payments.c.amount)
    rows = await live.db.read(lambda conn: conn.execute(query.where(t.payments.c.kind == kind.value)).all())
    return [(row.strategy_id, row.symbol, row.amount) for row in rows]


async def test_a_position_goes_from_long_to_short_and_back(live: Live) -> None:
    for name, side, quantity in (("o1", Side.BUY, "0.2"), ("o2", Side.SELL, "0.5"), ("o3", Side.BUY, "0.1")):
        await live.order(name, side, quantity, price=None)
        assert (await live.settle()).differences == []
    assert await held(live) == {"s1": Decimal("-0.2")}
    await live.require_books_of_the_exchange()


async def test_funding_is_booked_once_and_is_no_transfer(live: Live) -> None:
    await live.order("o1", price=None)
    await live.settle()
    before = await payments(live, CashKind.TRANSFER)
    live.exchange.fund("BTCUSDT", "0.0001")
    live.advance(8 * 3_600)
    live.exchange.fund("BTCUSDT", "-0.0002")
    assert (await live.reconciler.reconcile()).differences == []
    live.restart()
    assert (await live.settle()).differences == []
    want = [(EXTERNAL, live.place.btc, -101_000), (EXTERNAL, live.place.btc, 202_000)]
    assert await payments(live, CashKind.FUNDING) == want
    assert await payments(live, CashKind.TRANSFER) == before
    await live.require_books_of_the_exchange()


@pytest.mark.parametrize(("name", "why"), [("autoclose-1", "LIQUIDATION"), ("adl_autoclose", "DELEVERAGING")])
async def test_a_position_that_the_exchange_closes_is_closed_by_others_and_told(
    live: Live, name: str, why: str
) -> None:
    await live.order("o1", price=None)
    await live.settle()
    live.exchange.close_out("client", "BTCUSDT", name)
    found = await live.settle()
    assert found.differences == []
    assert await held(live) == {"s1": Decimal("0.1"), EXTERNAL: Decimal("-0.1")}
    [forced] = [one for one in (await live.records()).values() if one.order.owner.strategy_id == EXTERNAL]
    assert (forced.state, forced.order.tags) == (OrderState.FILLED, (name, why))
    log = t.audit_log.c
    said = sa.select(log.detail).where(log.act == "venue_closed_out")
    [told] = await live.db.read(lambda conn: conn.execute(said).scalars().all())
    assert told.startswith(f"{why}: binanceusdm closed SELL 0.1 BTC/USDT:USDT by order ")
    await live.require_books_of_the_exchange()


async def test_orders_of_others_that_wait_and_are_triggered_are_kept(live: Live) -> None:
    asked = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.1", "algoType": "CONDITIONAL", "type": "STOP_MARKET"}
    await live.client.ccxt.fapiprivate_post_algoorder({**asked, "triggerPrice": "105", "clientAlgoId": "web_1"})
    await live.settle()
    live.exchange.quote("BTCUSDT", "105", "106")
    found = await live.settle()
    assert found.differences == []
    assert await held(live) == {EXTERNAL: Decimal("0.1")}


async def test_fees_in_bnb_are_paid_from_it(live: Live) -> None:
    live.exchange.transfer("client", "BNB", "1")
    live.exchange.accounts["client"].fee_asset = "BNB"
    await live.settle()
    await live.order("o1", price=None)
    assert (await live.settle()).differences == []
    await live.require_books_of_the_exchange()


async def test_a_fee_in_the_coin_that_a_contract_is_of_is_paid_from_the_wallet(live: Live) -> None:
    live.exchange.transfer("client", "BTC", "1")
    live.exchange.accounts["client"].fee_asset = "BTC"
    await live.settle()
    await live.order("o1", price=None)
    assert (await live.settle()).differences == []
    assert await held(live) == {"s1": Decimal("0.1")}
    await live.require_books_of_the_exchange()


async def test_both_sides_of_a_hedged_account_are_netted(live: Live) -> None:
    live.exchange.accounts["client"].hedged = True
    for name, side, position, quantity in (
        ("web_1", ExchangeSide.BUY, "LONG", "0.3"),
        ("web_2", ExchangeSide.SELL, "SHORT", "0.1"),
    ):
        live.exchange.place("client", Ask("BTCUSDT", side, Decimal(quantity), name, position_side=position))
    await live.settle()
    assert await held(live) == {EXTERNAL: Decimal("0.2")}


async def test_a_market_order_that_found_nobody_and_whose_answer_was_lost_has_expired(live: Live) -> None:
    live.exchange.quote("BTCUSDT", "99", "101", size="0.04")
    live.client.plan("POST order", Trouble.CUT_AFTER)
    await live.order("o1", price=None)
    await live.settle()
    record = (await live.records())["o1"]
    assert (record.state, await held(live)) == (OrderState.EXPIRED, {"s1": Decimal("0.04")})
    await live.require_books_of_the_exchange()

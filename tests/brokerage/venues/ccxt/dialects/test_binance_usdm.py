"""Binance USD-M's rows, read from the real ccxt class at the local exchange: conditional orders, positions, funding."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from brokerage.domain.market.instrument import AssetClass
from brokerage.domain.orders.events import Liquidity
from brokerage.domain.orders.order import PositionSide, Side, TrailOffsetType
from brokerage.domain.orders.states import EventKind, OrderType, TimeInForce
from brokerage.venues.ccxt.dialects.binance_usdm import BinanceUsdm
from brokerage.venues.ccxt.dialects.dialect import OutgoingOrder
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import Unavailable
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Connection, VenueRefused
from tests.exchange.binance.client import clocked
from tests.exchange.binance.usdm.client import Client, connected, opened
from tests.exchange.core.exchange import Exchange
from tests.exchange.core.values import Ask, Income
from tests.exchange.core.values import Side as ExchangeSide
from tests.support.clocks import START

BTC = "BTC/USDT:USDT"
OURS = "abcdefghijklmnopqrstuvwxyz234567"
DAY_S = 86_400

LIMIT = OutgoingOrder(
    client_id=OURS,
    symbol=BTC,
    side=Side.BUY,
    type=OrderType.LIMIT,
    tif=TimeInForce.GTC,
    quantity=Decimal("0.101"),
    limit=Decimal("100.1"),
    stop=None,
    reduce_only=False,
    post_only=False,
    purpose=Purpose.INCREASE,
)
STOP = replace(LIMIT, side=Side.SELL, type=OrderType.STOP_MARKET, limit=None, stop=Decimal(95))
SALE = replace(LIMIT, side=Side.SELL, limit=Decimal(120), purpose=Purpose.REDUCE, reduce_only=True)


@dataclass(frozen=True, slots=True)
class Usdm:
    """The dialect with its connection and the exchange."""

    dialect: BinanceUsdm
    at: Connection
    client: Client
    clock: VirtualClock

    @property
    def exchange(self) -> Exchange:
        return self.client.exchange

    def buy(self, quantity: str = "0.1", **more: str) -> None:
        """Hold a position, by another client."""
        self.exchange.place("client", Ask("BTCUSDT", ExchangeSide.BUY, Decimal(quantity), "web_1", **more))  # type: ignore[arg-type]


@pytest.fixture
async def usdm() -> AsyncIterator[Usdm]:
    clock = VirtualClock(START)
    async with connected(opened(clock=clocked(clock))) as client:
        yield Usdm(BinanceUsdm(), Connection(client.ccxt, clock), client, clock)


async def test_an_order_is_sent_and_listed_to_its_last_digit(usdm: Usdm) -> None:
    sent = await usdm.dialect.submit(usdm.at, LIMIT)
    assert (sent.client_id, sent.symbol, sent.side, sent.kind) == (OURS, BTC, Side.BUY, EventKind.ACCEPTED)
    assert (sent.quantity, sent.limit, sent.filled) == (Decimal("0.101"), Decimal("100.1"), Decimal(0))
    assert await usdm.dialect.order(usdm.at, BTC, client_id=OURS) == sent
    assert await usdm.dialect.open_orders(usdm.at, "") == [sent]


async def test_instruments_have_the_filters_of_the_exchange(usdm: Usdm) -> None:
    [btc, _] = await usdm.dialect.instruments(usdm.at)
    assert (btc.symbol, btc.asset_class, btc.quote) == (BTC, AssetClass.FUTURE, "USDT")
    assert (btc.price_decimal(btc.tick), btc.quantity_decimal(btc.lot)) == (Decimal("0.1"), Decimal("0.001"))
    assert (btc.money_decimal(btc.notional_min), btc.multiplier) == (Decimal(5), Decimal(1))


async def test_margin_brackets_are_those_of_the_exchange(usdm: Usdm) -> None:
    margin = (await usdm.dialect.instruments(usdm.at))[0].margin_tiers
    unit = 10**8
    assert [margin.tier_of(value * unit).leverage_max for value in (1, 50_000, 50_001, 250_001)] == [20, 20, 10, 5]
    for value, rate, cum in ((10_000, "0.01", 0), (100_000, "0.025", 750), (300_000, "0.05", 7_000)):
        assert Decimal(margin.to_hold(value * unit)) / unit == value * Decimal(rate) - cum


async def test_brackets_that_cannot_be_read_keep_their_own_symbol_out_and_no_other(usdm: Usdm) -> None:
    usdm.exchange.unreadable_brackets.add("BTCUSDT")
    with capture_logs() as told:
        [other] = await usdm.dialect.instruments(usdm.at)
    assert other.symbol != BTC
    assert other.margin_tiers.tiers[-1].notional_cap == 2**63 - 1, "a cap above all money there can be"
    assert [(one["event"], one["symbol"]) for one in told] == [("no_instrument_without_margin_brackets", BTC)]


async def test_an_order_that_waits_stays_the_same_once_it_is_triggered(usdm: Usdm) -> None:
    usdm.buy()
    asked = replace(STOP, type=OrderType.STOP_LIMIT, limit=Decimal(95), quantity=Decimal("0.1"))
    waiting = await usdm.dialect.submit(usdm.at, asked)
    assert (waiting.number, waiting.stop, waiting.kind) == ("a1", Decimal(95), EventKind.ACCEPTED)
    assert await usdm.dialect.open_orders(usdm.at, "") == [waiting]
    usdm.exchange.quote("BTCUSDT", "95", "96", "0.04")
    [working] = await usdm.dialect.open_orders(usdm.at, BTC)
    assert (working.client_id, working.filled) == (OURS, Decimal("0.04"))
    assert await usdm.dialect.order(usdm.at, BTC, client_id=OURS, conditional=True) == working
    assert await usdm.dialect.order(usdm.at, BTC, number=working.number) == working
    assert await usdm.dialect.order(usdm.at, BTC, number="a1") == working
    assert [one.client_id for one in await usdm.dialect.orders(usdm.at, BTC)] == ["web_1", OURS]


async def test_what_a_trigger_made_is_known_by_an_order_of_weeks_ago(usdm: Usdm) -> None:
    usdm.buy()
    await usdm.dialect.submit(usdm.at, replace(STOP, quantity=Decimal("0.1")))
    usdm.clock.advance(40 * DAY_S)
    usdm.exchange.quote("BTCUSDT", "95", "96")
    number = usdm.exchange.executions("client")[-1].number
    found = await usdm.dialect.order(usdm.at, BTC, number=str(number))
    assert found is not None
    assert found.client_id == OURS


async def test_an_order_that_waits_is_cancelled_before_and_after_its_trigger(usdm: Usdm) -> None:
    asked = replace(STOP, type=OrderType.STOP_LIMIT, limit=Decimal("99.5"))
    await usdm.dialect.submit(usdm.at, asked)
    ended = await usdm.dialect.cancel(usdm.at, BTC, OURS, conditional=True)
    assert ended is not None
    assert ended.kind is EventKind.CANCELED
    assert await usdm.dialect.cancel(usdm.at, BTC, OURS, conditional=True) is None
    await usdm.dialect.submit(usdm.at, replace(asked, client_id=OURS[::-1].replace("1", "a")))
    usdm.exchange.quote("BTCUSDT", "94", "96")
    ended = await usdm.dialect.cancel(usdm.at, BTC, OURS[::-1], conditional=True)
    assert ended is not None
    assert (ended.kind, ended.number[0], ended.client_id) == (EventKind.CANCELED, "5", OURS[::-1])


async def test_a_trigger_that_the_exchange_refuses_ends_the_order(usdm: Usdm) -> None:
    usdm.buy()
    await usdm.dialect.submit(usdm.at, replace(STOP, reduce_only=True, quantity=Decimal("0.1")))
    usdm.exchange.close_out("client", "BTCUSDT", "adl_autoclose")
    usdm.exchange.quote("BTCUSDT", "94", "95")
    found = await usdm.dialect.order(usdm.at, BTC, client_id=OURS, conditional=True)
    assert found is not None
    assert found.kind is EventKind.REJECTED


@pytest.mark.parametrize(
    ("order", "kind", "fields"),
    [
        (STOP, "STOP_MARKET", {"triggerPrice": "95.00000000", "price": "0.00000000"}),
        (
            replace(STOP, type=OrderType.LIMIT_IF_TOUCHED, limit=Decimal(110), stop=Decimal(109)),
            "TAKE_PROFIT",
            {"triggerPrice": "109.00000000", "price": "110.00000000"},
        ),
    ],
)
async def test_orders_wait_as_the_kinds_of_the_exchange(
    usdm: Usdm, order: OutgoingOrder, kind: str, fields: dict[str, str]
) -> None:
    await usdm.dialect.submit(usdm.at, order)
    row = usdm.client.dialect.algo.words(usdm.client.dialect.algo.orders[-1])
    assert row["orderType"] == kind
    assert {name: row[name] for name in fields} == fields


async def test_a_trailing_stop_has_its_rate_in_percent(usdm: Usdm) -> None:
    trails = replace(STOP, type=OrderType.TRAILING_STOP, stop=None, trail_offset=Decimal("0.015"))
    await usdm.dialect.submit(usdm.at, replace(trails, trail_offset_type=TrailOffsetType.FRACTION))
    assert usdm.client.dialect.algo.orders[-1].callback == Decimal("1.5")
    with pytest.raises(VenueRefused, match="fraction"):
        await usdm.dialect.submit(usdm.at, replace(trails, trail_offset_type=TrailOffsetType.PRICE))


@pytest.mark.parametrize(("held", "flag"), [("0.101", True), ("0.1", False)])
async def test_the_exchange_is_told_to_reduce_only_where_the_account_does(usdm: Usdm, held: str, flag: bool) -> None:
    usdm.buy(held)
    assert (await usdm.dialect.submit(usdm.at, SALE)).reduce_only is flag
    assert len(usdm.exchange.open_orders("client")) == 1


async def test_hedge_mode_names_the_side_and_no_flag(usdm: Usdm) -> None:
    usdm.exchange.accounts["client"].hedged = True
    usdm.buy("0.3", position_side="LONG")
    await usdm.dialect.submit(usdm.at, replace(SALE, position_side=PositionSide.LONG))
    short = Ask("BTCUSDT", ExchangeSide.SELL, Decimal("0.1"), "web_2", position_side="SHORT")
    usdm.exchange.place("client", short)
    assert await usdm.dialect.positions(usdm.at) == {BTC: Decimal("0.2")}
    with pytest.raises(VenueRefused, match="position side"):
        await usdm.dialect.submit(usdm.at, replace(LIMIT, client_id="o2"))


async def test_positions_have_signs_and_none_is_told_once_flat(usdm: Usdm) -> None:
    usdm.exchange.place("client", Ask("BTCUSDT", ExchangeSide.SELL, Decimal("0.3"), "web_1"))
    assert await usdm.dialect.positions(usdm.at) == {BTC: Decimal("-0.3")}
    usdm.exchange.close_out("client", "BTCUSDT", "autoclose-7")
    assert await usdm.dialect.positions(usdm.at) == {}


async def test_a_trade_has_its_fee_and_what_it_was_paid_in(usdm: Usdm) -> None:
    usdm.exchange.accounts["client"].fee_asset = "BNB"
    usdm.buy()
    [trade] = await usdm.dialect.trades(usdm.at, [BTC], 0)
    assert (trade.price, trade.quantity, trade.fee, trade.fee_currency) == (
        Decimal(101),
        Decimal("0.1"),
        Decimal("0.0101"),
        "BNB",
    )
    assert (trade.symbol, trade.side, trade.liquidity) == (BTC, Side.BUY, Liquidity.TAKER)


@pytest.mark.parametrize("days_ago", [0, 9, 20, 1_000])
async def test_every_trade_is_read_over_pages_and_weeks(usdm: Usdm, days_ago: int) -> None:
    since_ms = usdm.exchange.clock()
    for days in (0, 2, 10, 8):
        usdm.clock.advance(days * DAY_S)
        for _ in range(4):
            usdm.buy()
    want = [done.trade_id for done in usdm.exchange.executions("client")]
    if not days_ago:
        since_ms = usdm.exchange.clock()
        want = want[-4:]
    elif days_ago == 9:
        since_ms, want = usdm.exchange.clock() - 9 * DAY_S * 1_000, want[-8:]
    elif days_ago == 1_000:
        since_ms = 0
    for page in (3, 4, 1_000):
        found = await BinanceUsdm(page=page).trades(usdm.at, [BTC], since_ms)
        assert sorted(int(one.trade_id) for one in found) == want


async def test_funding_is_listed_once_with_its_sign(usdm: Usdm) -> None:
    usdm.buy()
    for _ in range(3):
        usdm.exchange.fund("BTCUSDT", "-0.0001")
        usdm.clock.advance(8 * 3_600)
    usdm.exchange.transfer("client", "USDT", "5")
    found = await usdm.dialect.payments(usdm.at, 0)
    assert [(one.symbol, one.currency, one.amount) for one in found] == [(BTC, "USDT", Decimal("0.00101"))] * 3
    assert len({one.number for one in found}) == 3
    assert len(await usdm.dialect.payments(usdm.at, found[1].at_ms)) == 2


async def test_more_funding_of_one_millisecond_than_a_page_holds_is_told_and_read_past(usdm: Usdm) -> None:
    incomes, at_ms = usdm.exchange.accounts["client"].incomes, usdm.at.now_ms()
    for number in range(1_002):
        incomes.append(Income(number, "BTCUSDT", "FUNDING_FEE", "USDT", Decimal(1), at_ms))
    incomes.append(Income(1_002, "BTCUSDT", "FUNDING_FEE", "USDT", Decimal(1), at_ms + 1))
    usdm.clock.advance(1)
    with capture_logs() as told:
        found = await asyncio.wait_for(usdm.dialect.payments(usdm.at, 0), 30)
    assert sorted(int(one.number) for one in found) == [*range(1_000), 1_002]
    assert [(one["event"], one["at_ms"]) for one in told] == [("payments_beyond_a_page", at_ms)]


@pytest.mark.soak
async def test_a_key_that_has_ended_is_noticed_and_made_anew(usdm: Usdm) -> None:
    watching = asyncio.create_task(usdm.dialect.told(usdm.at))
    await usdm.exchange.streams.until_open("client")
    usdm.buy()
    await asyncio.wait_for(watching, 5)
    usdm.client.dialect.keys.expire("client")
    usdm.clock.advance(59)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(usdm.dialect.told(usdm.at), 0.2)
    usdm.clock.advance(60)
    with pytest.raises(Unavailable, match="key has ended"):
        await usdm.dialect.told(usdm.at)
    watching = asyncio.create_task(usdm.dialect.told(usdm.at))
    await usdm.exchange.streams.until_open("client")
    usdm.buy()
    await asyncio.wait_for(watching, 5)

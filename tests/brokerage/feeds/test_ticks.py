"""Ticks of a feed's messages: exact values, and a refusal by field of what is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from grpc.aio import insecure_channel
from prometheus_client import CollectorRegistry

from brokerage.accounts import cash as accounts_cash
from brokerage.config import InstrumentEntry, Settings
from brokerage.domain.accounts.account import AccountFeed
from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.backtest.order_list import acts_of
from brokerage.domain.backtest.tick_list import replay_ticks
from brokerage.domain.market.instrument import Instrument, TriggerPrice
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.market.ticks import Level, MarkTick, QuoteTick, Tick, TradeTick
from brokerage.feeds.follow import BarSource, Feed, FeedFollower
from brokerage.feeds.metrics import FeedMetrics
from brokerage.feeds.ticks import tick_from_proto
from brokerage.market.configured import market_of
from brokerage.market.context import MarketContext
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import from_ns
from qmtl.data.v1 import data_service_pb2 as dataservicepb
from qmtl.data.v1 import data_service_pb2_grpc as datarpc
from qmtl.data.v1 import data_session_service_pb2_grpc as datasessionrpc
from qmtl.data.v1 import ticks_pb2 as tickspb
from qmtl.sql.database import sqlite_url
from qmtl.wire.instants import ns_to_proto
from tests.brokerage.samples import ACCOUNT, OWNER, STOCK, open_book
from tests.brokerage.venues.paper.test_parity import CASH, LISTED
from tests.brokerage.venues.paper.test_tick_parity import PROFILE, orders_of, ticks_of

NOW = ns_to_proto(7)


def quote(bids: list[tuple[float, float]], asks: list[tuple[float, float]]) -> tickspb.Tick:
    levels = [[tickspb.BookLevel(price=price, quantity=size) for price, size in side] for side in (bids, asks)]
    return tickspb.Tick(time=NOW, quote=tickspb.Quote(bids=levels[0], asks=levels[1]))


def trade(price: float, quantity: float) -> tickspb.Tick:
    return tickspb.Tick(time=NOW, trade=tickspb.Trade(price=price, quantity=quantity))


def test_messages_are_taken_to_the_last_digit_and_quantities_down() -> None:
    found = tick_from_proto(quote([(99.9, 3.7), (99.8, 5)], [(100.01, 2)]), STOCK)
    assert found == QuoteTick(7, (Level(99_90, 3), Level(99_80, 5)), (Level(100_01, 2),))
    assert tick_from_proto(quote([], []), STOCK) == QuoteTick(7, (), ())
    assert tick_from_proto(trade(100.07, 9), STOCK) == TradeTick(7, 100_07, 9)
    mark = tickspb.Tick(time=NOW, mark=tickspb.MarkPrice(price=100.5))
    assert tick_from_proto(mark, STOCK) == MarkTick(7, 100_50)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (tickspb.Tick(time=NOW), "E_FIELD: ticks.event"),
        (trade(0, 1), "E_FIELD: ticks.price"),
        (trade(float("nan"), 1), "E_FIELD: ticks.price"),
        (trade(float("inf"), 1), "E_AMOUNT_NOT_FINITE"),
        (trade(100, -1), "E_FIELD: ticks.quantity"),
        (trade(100.123, 1), "E_PRICE_SCALE"),
        (quote([(99, 1), (99, 1)], []), "E_FIELD: ticks.quote.bids"),
        (quote([], [(100, 1), (99, 1)]), "E_FIELD: ticks.quote.asks"),
        (quote([(100, 1)], [(100, 1)]), "E_FIELD: ticks.quote.bids"),
    ],
)
def test_what_is_no_tick_is_refused_by_field(message: tickspb.Tick, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        tick_from_proto(message, STOCK)


def test_settings_say_what_tests_stops_and_fills_limits() -> None:
    entry = InstrumentEntry(base="MSFT", trigger_price="quote")
    market = market_of(Settings(instruments={"MSFT": entry}, limit_fill="at"))
    found = market.instruments.find("MSFT")
    assert found is not None
    assert (found.trigger, market.profile.limits_at_touch) == (TriggerPrice.QUOTE, True)
    assert market_of(Settings()).profile.limits_at_touch is False


def message_of(tick: Tick, of: Instrument) -> tickspb.Tick:
    """A tick as a feed tells it, in doubles."""
    found = tickspb.Tick(time=ns_to_proto(tick.at_ns))

    def price(units: int) -> float:
        return float(of.price_decimal(units))

    match tick:
        case QuoteTick(bids=bids, asks=asks):
            found.quote.SetInParent()
            for side, levels in ((found.quote.bids, bids), (found.quote.asks, asks)):
                side.extend(tickspb.BookLevel(price=price(one.price), quantity=one.quantity) for one in levels)
        case TradeTick():
            found.trade.price, found.trade.quantity = price(tick.price), tick.quantity
        case MarkTick():
            found.mark.price = price(tick.price)
    return found


async def test_ticks_of_a_live_feed_fill_on_paper_what_they_fill_in_a_backtest(tmp_path: Path) -> None:
    """As the feed's messages bring them, two instants each, the broken ones among them left out."""
    market, ticks = MarketContext(Instruments([LISTED]), PROFILE), ticks_of(5, 60)
    first = [replace(one, decided_ns=ticks[0].at_ns) for some in orders_of(5, ticks) for one in some][:24]
    account = SimulatedAccount(PROFILE, {"USD": CASH}, instruments=[LISTED], owner=OWNER)
    expected = replay_ticks(account, [("AAPL", tick) for tick in ticks], acts_of(first, []))
    feed, registry = Feed("live-aapl", ""), CollectorRegistry()
    terms = replace(ACCOUNT, feeds=(AccountFeed(feed.preset, "", symbol="AAPL", interval_s=60),))
    url, clock = sqlite_url(tmp_path / "store.db"), VirtualClock(from_ns(ticks[0].at_ns))
    async with open_book(url, market) as book, insecure_channel("127.0.0.1:1") as nobody:
        await book.open(terms)
        source = BarSource(datarpc.DataServiceStub(nobody), datasessionrpc.DataSessionServiceStub(nobody))
        venue = FeedFollower(book.db, book.market, source, clock, FeedMetrics(registry))
        for begin in range(0, len(ticks), 2):
            told = [message_of(one, LISTED) for one in ticks[begin : begin + 2]]
            broken = tickspb.Tick(time=told[0].time, trade=tickspb.Trade(price=-1, quantity=1))
            reached = ns_to_proto(ticks[begin : begin + 2][-1].at_ns)
            answer = dataservicepb.SubscribeResponse(ticks=[broken, *told], watermark=reached)
            if not begin:
                await venue.take(feed, dataservicepb.SubscribeResponse(ticks=told[:1], watermark=told[0].time))
                for one in first:
                    await book.submit(one, now_ns=ticks[0].at_ns)
            await venue.take(feed, answer)
            await venue.take(feed, answer)  # sent again: nothing
        found = [event for one in first for event in (await book.order(one.client_order_id)).events if event.fill]
        cash = await book.db.read(lambda conn: accounts_cash.load_cash(conn, "acc"))
        assert await book.verify() > 0
    fills = {(event.order_id, event.seq): event.fill for event in expected if event.fill}
    assert {(event.order_id, event.seq): event.fill for event in found} == fills
    assert len(fills) > 5
    assert cash == account.book.ledger.cash
    assert registry.get_sample_value("qmtl_brokerage_bad_bars_total") == len(ticks)

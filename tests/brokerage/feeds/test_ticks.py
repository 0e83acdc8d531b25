"""Ticks of a feed's messages: exact values, and a refusal by field of what is none."""

from __future__ import annotations

import pytest

from brokerage.config import InstrumentEntry, Settings
from brokerage.domain.market.instrument import TriggerPrice
from brokerage.domain.market.ticks import Level, MarkTick, QuoteTick, TradeTick
from brokerage.feeds.ticks import tick_from_proto
from brokerage.market.configured import market_of
from qmtl.core.errors import InvalidRequest
from qmtl.data.v1 import ticks_pb2 as tickspb
from qmtl.wire.instants import ns_to_proto
from tests.brokerage.samples import STOCK

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

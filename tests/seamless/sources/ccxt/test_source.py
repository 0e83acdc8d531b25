"""Bars over the real ccxt class, from a local exchange that pages, leaves out, repeats, refuses and is down."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qmtl.calendars.spans import Span
from qmtl.core.clock import VirtualClock
from qmtl.core.errors import Exhausted, InvalidRequest, NotFound, NotReady, Unavailable
from qmtl.exchanges.budgets import Purpose
from seamless.domain.datasets import DatasetId, Kind
from seamless.sources.ccxt.answers import Answer
from seamless.sources.ccxt.endpoints import endpoint_of
from tests.exchange.core.faults import Trouble
from tests.exchange.market.client import BTC_MINUTES, MINUTE_MS, Market, bars_of, market

MINUTE_NS = 60_000_000_000
START_MS = 1_700_000_040_000 - 1_700_000_040_000 % MINUTE_MS
NOW_MS = START_MS + 3_000 * MINUTE_MS + 12_345
WHOLE = Span(START_MS * 1_000_000, (START_MS + 3_000 * MINUTE_MS) * 1_000_000)


def at(bar: int) -> int:
    """The open of a bar, in ms."""
    return START_MS + bar * MINUTE_MS


def truth(found: Market, first: int, end: int) -> list[tuple[float, ...]]:
    """What the exchange has, as numbers."""
    listed = found.tape.truth(at(first), at(end))
    return [(one.open_ms * 1_000_000, *(float(value) for value in one.values)) for one in listed]


def told(answer: Answer) -> list[tuple[float, ...]]:
    """What was told, as numbers."""
    columns = (answer.bars.time_ns.tolist(), *(column.tolist() for column in answer.bars.values()))
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize("sparse", [0, 7, 333])
async def test_every_bar_of_a_span_comes_whatever_the_pages(sparse: int) -> None:
    async with market(lambda: NOW_MS, first_ms=START_MS) as there, bars_of(there) as source:
        there.tape.sparse = sparse
        answer = await source.fetch(WHOLE if sparse != 7 else Span(WHOLE.start_ns, at(60) * 1_000_000), Purpose.HISTORY)
        assert told(answer) == truth(there, 0, 3_000 if sparse != 7 else 60)
        assert answer.empty == ()
        assert answer.broken == ()


@pytest.mark.parametrize("exchange_id", ["binanceusdm", "kraken"])
async def test_bars_of_the_other_exchanges(exchange_id: str) -> None:
    served = market(lambda: NOW_MS, exchange_id=exchange_id, first_ms=START_MS)
    async with served as there, bars_of(there) as source:
        answer = await source.fetch(Span(at(2_400) * 1_000_000, WHOLE.end_ns), Purpose.HISTORY)
        assert told(answer) == truth(there, 2_400, 3_000)
        assert answer.unresolved(MINUTE_NS) == ()


async def test_of_a_bar_that_was_corrected_between_two_answers_the_later_counts() -> None:
    async with market(lambda: NOW_MS, first_ms=START_MS) as there, bars_of(there) as source:
        there.tape.sparse = 400

        def correct(kind: str, done: bool) -> None:
            if done and kind == "GET klines" and len(there.told.asked) == 1:
                there.tape.correct(at(399))

        there.exchange.faults.witness = correct
        answer = await source.fetch(Span(WHOLE.start_ns, at(700) * 1_000_000), Purpose.HISTORY)
        assert told(answer) == truth(there, 0, 700)


async def test_a_whole_page_is_one_request() -> None:
    async with market(lambda: NOW_MS, first_ms=START_MS) as there, bars_of(there) as source:
        await source.fetch(Span(WHOLE.start_ns, at(1_000) * 1_000_000), Purpose.HISTORY)
        assert there.told.asked == [("BTCUSDT", START_MS)]


async def test_a_bar_is_told_once_it_has_closed_by_the_exchanges_clock() -> None:
    now, ours = [at(10) - 1], VirtualClock(datetime.fromtimestamp(at(10) / 1_000, UTC))
    async with market(lambda: now[0], first_ms=START_MS) as there, bars_of(there, clock=ours) as source:
        answer = await source.fetch(WHOLE, Purpose.MARKET_DATA)
        assert answer.span.end_ns == at(9) * 1_000_000
        assert len(answer.bars) == 9
    now[0] = at(10)
    async with market(lambda: now[0], first_ms=START_MS) as there, bars_of(there) as source:
        assert len((await source.fetch(WHOLE, Purpose.MARKET_DATA)).bars) == 10


async def test_nothing_has_closed_yet() -> None:
    async with market(lambda: NOW_MS, first_ms=START_MS) as there, bars_of(there) as source:
        answer = await source.fetch(Span(WHOLE.end_ns, WHOLE.end_ns + MINUTE_NS), Purpose.MARKET_DATA)
        assert answer.span.empty
        assert len(answer.bars) == 0
        assert there.told.asked == []


async def test_what_was_left_out_of_one_answer_is_asked_for_again() -> None:
    async with market(lambda: NOW_MS, first_ms=START_MS) as there, bars_of(there) as source:
        there.tape.withheld += [(at(100), at(140)), (at(990), at(1_000))]
        answer = await source.fetch(Span(WHOLE.start_ns, at(1_000) * 1_000_000), Purpose.HISTORY)
        assert told(answer) == truth(there, 0, 1_000)
        assert answer.empty == ()


async def test_only_what_two_answers_say_never_was_is_empty() -> None:
    async with market(lambda: NOW_MS, first_ms=START_MS) as there, bars_of(there) as source:
        there.tape.hole(at(20), at(30))
        there.tape.hole(at(990), at(1_004))
        there.tape.withheld.append((at(24), at(33)))
        answer = await source.fetch(Span(WHOLE.start_ns, at(1_000) * 1_000_000), Purpose.HISTORY)
        assert told(answer) == truth(there, 0, 1_000)
        assert [(one.start_ns // 1_000_000, one.end_ns // 1_000_000) for one in answer.empty] == [
            (at(20), at(30)),
            (at(990), at(1_000)),
        ]
        assert answer.unresolved(MINUTE_NS) == ()


async def test_time_before_the_listing_is_empty() -> None:
    async with market(lambda: NOW_MS, first_ms=at(500)) as there, bars_of(there) as source:
        answer = await source.fetch(WHOLE, Purpose.HISTORY)
        assert answer.empty == (Span(WHOLE.start_ns, at(500) * 1_000_000),)


async def test_bars_that_do_not_come_any_more_are_not_called_empty() -> None:
    async with market(lambda: NOW_MS, first_ms=START_MS) as there, bars_of(there) as source:
        there.tape.halted_ms = at(2_000)
        answer = await source.fetch(WHOLE, Purpose.HISTORY)
        assert told(answer) == truth(there, 0, 2_000)
        assert answer.empty == ()
        assert answer.unresolved(MINUTE_NS) == (Span(at(2_000) * 1_000_000, WHOLE.end_ns),)


async def test_an_empty_field_is_asked_for_again_and_never_made_up() -> None:
    async with market(lambda: NOW_MS, first_ms=START_MS) as there, bars_of(there) as source:
        there.tape.nulls += [at(7), at(9), at(9)]
        answer = await source.fetch(Span(WHOLE.start_ns, at(20) * 1_000_000), Purpose.HISTORY)
        assert answer.broken == (at(9) * 1_000_000,)
        assert answer.unresolved(MINUTE_NS) == (Span(at(9) * 1_000_000, at(10) * 1_000_000),)
        assert told(answer) == [row for row in truth(there, 0, 20) if row[0] != at(9) * 1_000_000]


@pytest.mark.parametrize("trouble", [Trouble.BROKEN_BEFORE, Trouble.CUT_BEFORE])
async def test_no_answer_is_no_statement(trouble: Trouble) -> None:
    async with market(lambda: NOW_MS, first_ms=START_MS) as there, bars_of(there) as source:
        there.exchange.faults.plan("GET klines", *[trouble] * 4)  # aiohttp asks twice after a lost connection
        with pytest.raises(Unavailable):
            await source.fetch(WHOLE, Purpose.HISTORY)
        there.exchange.faults.clear()
        assert len((await source.fetch(WHOLE, Purpose.HISTORY)).bars) == 3_000


async def test_too_many_is_told_as_a_limit() -> None:
    async with market(lambda: NOW_MS, first_ms=START_MS) as there, bars_of(there) as source:
        there.exchange.faults.plan("GET klines", Trouble.TOO_MANY)
        with pytest.raises(Exhausted) as caught:
            await source.fetch(WHOLE, Purpose.HISTORY)
        assert caught.value.reason == "E_RATE_LIMITED"


async def test_a_refusal_has_the_exchanges_words() -> None:
    hours = market(lambda: NOW_MS, first_ms=START_MS, interval_ms=3_600_000)
    async with hours as there, bars_of(there, dataset=BTC_MINUTES) as source:
        with pytest.raises(Unavailable, match="Invalid symbol") as caught:
            await source.fetch(WHOLE, Purpose.HISTORY)
        assert caught.value.reason == "E_SOURCE_ANSWER"


async def test_a_symbol_that_is_not_listed_is_named() -> None:
    other = DatasetId(Kind.OHLCV, "binance", "DOGE/USDT", 60)
    async with market(lambda: NOW_MS) as there, bars_of(there, dataset=other) as source:
        with pytest.raises(NotReady, match="DOGE/USDT") as caught:
            await source.fetch(WHOLE, Purpose.HISTORY)
        assert caught.value.reason == "E_DATASET_UNAVAILABLE"


async def test_an_interval_that_the_exchange_does_not_have_is_refused() -> None:
    async with market() as there:
        with pytest.raises(InvalidRequest, match="7m") as caught:
            async with bars_of(there, dataset=DatasetId(Kind.OHLCV, "binance", "BTC/USDT", 420)):
                pass
        assert caught.value.reason == "E_INTERVAL"


def test_an_exchange_that_nobody_has_read_is_named() -> None:
    with pytest.raises(NotFound, match="mtgox") as caught:
        endpoint_of("mtgox")
    assert caught.value.reason == "E_EXCHANGE_UNKNOWN"


async def test_bars_that_an_exchange_lists_no_more_are_refused() -> None:
    """Of an endpoint that lists its newest entries only, as Kraken's does."""
    async with market(lambda: NOW_MS, first_ms=START_MS) as there, bars_of(there, reach=720) as source:
        newest = Span(at(3_000 - 717) * 1_000_000, WHOLE.end_ns)
        assert len((await source.fetch(newest, Purpose.HISTORY)).bars) == 717
        whole = await source.fetch(WHOLE, Purpose.HISTORY)
        assert (whole.span, whole.empty) == (newest, ()), "it is told from where on"
        with pytest.raises(NotReady, match="720 newest") as caught:
            await source.fetch(Span(WHOLE.start_ns, newest.start_ns), Purpose.HISTORY)
        assert caught.value.reason == "E_HISTORY_SHORT"

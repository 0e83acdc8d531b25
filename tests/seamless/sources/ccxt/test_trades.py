"""Bars made of trades: on the grid, of exact decimals, and none that is not whole."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from qmtl.calendars.spans import Span
from qmtl.exchanges.budgets import Purpose
from seamless.sources.ccxt.trades import ASKED_AGAIN_MAX, Trade, answer_of, bars_from_trades
from tests.exchange.market.client import MINUTE_MS, bars_of, market

MINUTE_NS = 60_000_000_000
START_MS = 1_700_000_040_000 - 1_700_000_040_000 % MINUTE_MS
NOW_MS = START_MS + 2_000 * MINUTE_MS + 12_345
SPAN = Span(START_MS * 1_000_000, (START_MS + 100 * MINUTE_MS) * 1_000_000)


def traded(number: int, at_ns: int, price: str, volume: str = "1") -> Trade:
    return Trade(number, at_ns, Decimal(price), Decimal(volume))


def test_a_bar_is_its_trades_in_order_and_its_volume_is_exact() -> None:
    trades = [
        traded(4, 60, "5"),
        traded(1, 0, "3", "0.1"),
        traded(3, 59, "2", "0.1"),
        traded(2, 59, "9", "0.1"),
    ]
    answer = answer_of(trades, Span(0, 120), 60)
    (bar,) = zip(*(column.tolist() for column in answer.bars.columns()), strict=True)
    assert bar == (0, 3.0, 9.0, 2.0, 2.0, 0.3, 0)
    assert (answer.empty, answer.unresolved(60)) == ((), (Span(60, 120),)), "the bar of the last trade is not whole"


def test_between_trades_nothing_was_traded_and_after_the_last_nobody_knows() -> None:
    answer = answer_of([traded(1, 70, "1"), traded(2, 250, "1")], Span(0, 600), 60)
    assert answer.bars.time_ns.tolist() == [60]
    assert answer.empty == (Span(0, 60), Span(120, 240))
    assert answer.unresolved(60) == (Span(240, 600),)
    assert answer_of([], Span(0, 600), 60).unresolved(60) == (Span(0, 600),)


def test_trades_beside_the_span_make_no_bars_of_it() -> None:
    answer = answer_of([traded(1, 59, "1"), traded(2, 60, "2"), traded(3, 120, "3")], Span(60, 120), 60)
    assert answer.bars.close.tolist() == [2.0]
    assert answer.unresolved(60) == ()


async def test_numbers_that_are_missing_are_asked_for_once_more() -> None:
    whole = [traded(i, 30 * i, "1") for i in range(1, 21)]
    asked: list[int] = []

    async def ask(since_ns: int) -> Sequence[Trade]:
        asked.append(since_ns)
        later = [one for one in whole if one.time_ns > since_ns][:8]
        return [one for one in later if not (one.number in (9, 10) and asked.count(since_ns) + len(asked) < 5)]

    answer = await bars_from_trades(ask, Span(120, 540), 60)
    assert answer.bars.volume.tolist() == [2.0] * 7
    assert answer.unresolved(60) == ()


async def test_after_more_gaps_than_can_be_asked_about_nothing_is_known() -> None:
    """Every third trade is withheld: of the gaps that were asked about two answers say so, of the others one does."""

    async def ask(since_ns: int) -> Sequence[Trade]:
        return [traded(i, 30 * i, "1") for i in range(1, 601) if i % 3 and 30 * i > since_ns]

    answer = await bars_from_trades(ask, Span(120, 15_000), 60)
    (left,) = answer.unresolved(60)
    last = 3 * (ASKED_AGAIN_MAX + 1) - 1  # before the first gap that was not asked about
    assert left == Span(30 * last // 60 * 60, 15_000)


async def test_a_page_of_one_instant_ends_it() -> None:
    async def ask(since_ns: int) -> Sequence[Trade]:
        return [traded(i, 100, "1") for i in range(5)] if since_ns < 100 else []

    answer = await bars_from_trades(ask, Span(60, 600), 60)
    assert answer.unresolved(60) == (Span(60, 600),)


@pytest.mark.parametrize("sparse", [0, 7])
async def test_bars_from_krakens_trades_are_those_of_its_truth(sparse: int) -> None:
    async with market(lambda: NOW_MS, exchange_id="kraken", first_ms=START_MS - 10 * MINUTE_MS) as there:
        there.tape.sparse = sparse
        there.tape.hole(START_MS + 20 * MINUTE_MS, START_MS + 25 * MINUTE_MS)
        there.tape.withheld += [
            (START_MS - 3 * MINUTE_MS, START_MS + 2 * MINUTE_MS),
            (START_MS + 40 * MINUTE_MS, START_MS + 43 * MINUTE_MS),
        ]
        async with bars_of(there) as source:
            answer = await source.fetch(SPAN, Purpose.HISTORY)
        truth = there.tape.truth(START_MS, START_MS + 100 * MINUTE_MS)
        assert answer.bars.time_ns.tolist() == [one.open_ms * 1_000_000 for one in truth]
        for column, values in zip(answer.bars.values(), zip(*(one.values for one in truth), strict=True), strict=True):
            assert column.tolist() == [float(value) for value in values]
        hole = Span((START_MS + 20 * MINUTE_MS) * 1_000_000, (START_MS + 25 * MINUTE_MS) * 1_000_000)
        assert answer.empty == (hole,)
        assert answer.unresolved(MINUTE_NS) == ()


async def test_what_kraken_lists_as_bars_and_what_only_as_trades_is_one_answer() -> None:
    async with market(lambda: NOW_MS, exchange_id="kraken", first_ms=START_MS) as there, bars_of(there) as source:
        whole = Span((START_MS + 1_200 * MINUTE_MS) * 1_000_000, (START_MS + 1_400 * MINUTE_MS) * 1_000_000)
        answer = await source.fetch(whole, Purpose.HISTORY)
        truth = there.tape.truth(whole.start_ns // 1_000_000, whole.end_ns // 1_000_000)
        assert answer.span == whole
        assert answer.bars.close.tolist() == [float(one.close) for one in truth]
        assert answer.unresolved(MINUTE_NS) == ()
        oldest_ns = source.quick_from_ns(NOW_MS * 1_000_000)
        assert NOW_MS - oldest_ns // 1_000_000 < 720 * MINUTE_MS
        before = len(there.told.asked)
        await source.fetch(Span(oldest_ns, whole.end_ns + 400 * MINUTE_NS), Purpose.HISTORY)
        assert len(there.told.asked) == before + 1, "nothing of it is older than what is listed"

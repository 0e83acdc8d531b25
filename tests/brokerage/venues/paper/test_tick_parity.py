"""The same orders over the same ticks: replayed as a list, sent as they come, and on paper, one by one and together."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from brokerage.accounts import cash as accounts_cash
from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.backtest.order_list import acts_of
from brokerage.domain.backtest.tick_list import replay_ticks
from brokerage.domain.market.instrument import TriggerPrice
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.market.ticks import Level, MarkTick, QuoteTick, Tick, TradeTick
from brokerage.domain.models.corporate import Split
from brokerage.domain.models.latency import Link
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.order import Order
from brokerage.market.context import MarketContext
from brokerage.venues.paper.store import seen_market
from qmtl.sql.database import sqlite_url
from tests.brokerage.samples import ACCOUNT, MINUTE, OWNER, open_book, order
from tests.brokerage.venues.paper.test_parity import CASH, LISTED, MONDAY_OPENS, Told, an_order, told

PROFILE = margin(2, slippage="0.0005")
STEP = MINUTE // 4


def ticks_of(seed: int, many: int) -> list[Tick]:
    """A wandering book of up to three levels a side, with trades in and around it and mark prices."""
    dice, middle, found = random.Random(seed), 10_000, list[Tick]()
    for number in range(many):
        at_ns, middle = MONDAY_OPENS + 10 * MINUTE + number * STEP, max(middle + dice.randrange(-120, 121), 5_000)
        kind = dice.random() if number else 0.0
        if kind < 0.5:
            half = dice.randrange(1, 30)
            bids = tuple(Level(middle - half - 10 * n, dice.randrange(1, 40)) for n in range(dice.randrange(1, 4)))
            asks = tuple(Level(middle + half + 10 * n, dice.randrange(1, 40)) for n in range(dice.randrange(0, 4)))
            found.append(QuoteTick(at_ns, bids, asks or (Level(middle + half, 5),) if not number else asks))
        elif kind < 0.9:
            found.append(TradeTick(at_ns, middle + dice.randrange(-60, 61), dice.randrange(1, 400)))
        else:
            found.append(MarkTick(at_ns, middle))
    return found


def orders_of(seed: int, ticks: Sequence[Tick]) -> list[list[Order]]:
    """After each tick an order of each type and time in force in turn, decided then."""
    dice = random.Random(seed)
    found: list[list[Order]] = []
    for number, tick in enumerate(ticks):
        made = an_order(f"o{number}", number, 100, dice)
        found.append([replace(made, decided_ns=tick.at_ns)] if number % 3 else [])
    return found


def replayed(market: MarketContext, ticks: Sequence[Tick], orders: Sequence[Sequence[Order]]) -> tuple[Told, object]:
    account = SimulatedAccount(market.profile, {"USD": CASH}, instruments=market.instruments.listed(), owner=OWNER)
    acts = acts_of([one for some in orders for one in some], [])
    events = replay_ticks(account, [("AAPL", tick) for tick in ticks], acts)
    return sorted((told(event) for event in events), key=lambda one: one[:2]), account.book.ledger.cash


@pytest.mark.parametrize(("seed", "trigger"), list(enumerate(TriggerPrice)))
async def test_ticks_do_the_same_in_a_replay_as_they_come_and_on_paper(
    tmp_path: Path, seed: int, trigger: TriggerPrice
) -> None:
    market = MarketContext(Instruments([replace(LISTED, trigger=trigger)]), PROFILE)
    ticks = ticks_of(seed, 60)
    orders = orders_of(seed, ticks)
    expected = replayed(market, ticks, orders)
    live = SimulatedAccount(PROFILE, {"USD": CASH}, instruments=market.instruments.listed(), owner=OWNER)
    seen = []
    for tick, some in zip(ticks, orders, strict=True):
        seen += live.on_tick("AAPL", tick)[0]
        for one in some:
            seen += live.submit(one, tick.at_ns)
    assert (sorted((told(event) for event in seen), key=lambda one: one[:2]), live.book.ledger.cash) == expected
    async with open_book(sqlite_url(tmp_path / "store.db"), market) as book:
        await book.open()
        for tick, some in zip(ticks, orders, strict=True):
            await book.show(tick)
            for one in some:
                await book.submit(one)
        names = [one.client_order_id for some in orders for one in some]
        found = [told(event) for name in names for event in (await book.order(name)).events]
        held = await book.db.read(lambda conn: accounts_cash.load_cash(conn, "acc"))
        assert await book.verify() > 0
    assert (sorted(found, key=lambda one: one[:2]), held) == expected
    kinds = {one[2].value for one in found}  # type: ignore[attr-defined]  # the third is a kind
    assert {"FILLED", "TRIGGERED", "EXPIRED", "UPDATED"} <= kinds
    assert len([one for one in found if one[5] is not None]) > 15


async def test_ticks_of_one_message_do_what_they_do_one_by_one(tmp_path: Path) -> None:
    market, ticks = MarketContext(Instruments([LISTED]), PROFILE), ticks_of(7, 60)
    first = [one for some in orders_of(7, ticks) for one in some][:30]
    orders = [[replace(one, decided_ns=ticks[0].at_ns) for one in first], *([[]] * (len(ticks) - 1))]
    expected = replayed(market, ticks, orders)
    async with open_book(sqlite_url(tmp_path / "store.db"), market) as book:
        await book.open()
        await book.show(ticks[0])
        for one in orders[0]:
            await book.submit(one)
        await book.show(*ticks[1:])
        await book.show(*ticks[1:])  # sent again: nothing
        found = [told(event) for one in orders[0] for event in (await book.order(one.client_order_id)).events]
        held = await book.db.read(lambda conn: accounts_cash.load_cash(conn, "acc"))
    assert (sorted(found, key=lambda one: one[:2]), held) == expected


async def test_what_an_order_took_of_a_quote_is_gone_after_a_restart_too(database_url: str) -> None:
    market = MarketContext(Instruments([LISTED]), PROFILE)
    opens = MONDAY_OPENS + 10 * MINUTE
    shown = QuoteTick(opens, (Level(99_00, 9),), (Level(101_00, 9), Level(102_00, 9)))
    async with open_book(database_url, market) as book:
        await book.open()
        await book.show(shown)
        await book.submit(order("o1", quantity=12))
        await book.show(MarkTick(opens + 1, 100_00))
    async with open_book(database_url, market) as book:
        seen = await book.db.read(lambda conn: seen_market(conn, "acc", "AAPL"))
        assert (seen.bids, seen.asks) == (shown.bids, (Level(102_00, 6),))
        await book.submit(order("o2", quantity=12))
        await book.show(MarkTick(opens + 2, 100_00))
        fills = [(event.fill.price, event.fill.quantity) for event in (await book.order("o2")).events if event.fill]
    assert fills == [(102_06, 6)]  # 102 and 0.05 %, up to a tick


async def test_an_order_that_arrives_later_meets_the_book_of_then_on_paper_as_in_a_backtest(tmp_path: Path) -> None:
    market = MarketContext(Instruments([LISTED]), PROFILE, link=Link(latency_bars=1))  # a minute
    ticks = ticks_of(11, 40)
    desk = SimulatedAccount(PROFILE, {"USD": CASH}, instruments=[LISTED], owner=OWNER, latency_ns=MINUTE)
    expected = []
    async with open_book(sqlite_url(tmp_path / "store.db"), market) as book:
        await book.open()
        for number, tick in enumerate(ticks):
            expected += [event.fill for event in desk.on_tick("AAPL", tick)[0] if event.fill]
            await book.show(tick)
            if number % 4 == 0:
                made = order(f"o{number}", quantity=7)
                desk.submit(made, tick.at_ns)
                await book.submit(made)
                await book.to_wire(made.client_order_id)
                await book.arrive(made.client_order_id)
        seen = [event.fill for n in range(0, 40, 4) for event in (await book.order(f"o{n}")).events if event.fill]
    content = [(fill.quantity, fill.price, fill.fee, fill.venue_ns) for fill in expected]
    assert sorted((fill.quantity, fill.price, fill.fee, fill.venue_ns) for fill in seen) == sorted(content)
    assert len(content) > 6


async def test_after_a_split_nothing_of_the_book_before_it_is_traded(tmp_path: Path) -> None:
    opens = MONDAY_OPENS + 10 * MINUTE
    split = Split("AAPL", opens + 5, Fraction(2))
    market = MarketContext(Instruments([LISTED]), margin(2), actions={"AAPL": (split,)})
    ticks: list[Tick] = [
        QuoteTick(opens, (Level(99_00, 50),), (Level(101_00, 50),)),
        TradeTick(opens + 5, 50_00, 1_000),  # the first after it
        TradeTick(opens + 6, 51_00, 1_000),
    ]
    desk = SimulatedAccount(market.profile, {"USD": CASH}, instruments=[LISTED], owner=OWNER)
    desk.on_tick("AAPL", ticks[0])
    desk.submit(order("o1"), opens)
    desk.act(split, 50_00)
    expected = [event.fill for tick in ticks[1:] for event in desk.on_tick("AAPL", tick)[0] if event.fill]
    async with open_book(sqlite_url(tmp_path / "store.db"), market) as book:
        await book.open(ACCOUNT)
        await book.show(ticks[0])
        await book.submit(order("o1"))
        await book.show(*ticks[1:])
        found = [event.fill for event in (await book.order("o1")).events if event.fill]
    assert [(fill.price, fill.quantity) for fill in found] == [(50_00, 20)]
    assert found == expected
    assert desk.position("AAPL") == Decimal(20)

"""The same orders over the same bars: a backtest, the paper service bar by bar and in one message do the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from brokerage.accounts import cash as accounts_cash
from brokerage.books.payments import load_payments
from brokerage.domain.accounts.account import Account
from brokerage.domain.accounts.cash_book import CashKind
from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import AssetClass, Instrument
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.latency import Link
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.models.profiles.named import PROFILES, profile_named
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Order, Side, TrailOffsetType
from brokerage.domain.orders.states import EventKind, OrderType, TimeInForce
from brokerage.market.context import MarketContext
from qmtl.core.instants import to_ns
from qmtl.sql.database import sqlite_url
from tests.brokerage.samples import ACCOUNT, MINUTE, OWNER, STOCK, Book, open_book, order

LISTED = replace(STOCK, calendar="XNYS")
CASH = Decimal(ACCOUNT.starting_cash).scaleb(-8)
HALF_DAY_ENDS = to_ns(datetime(2024, 11, 29, 17, 45, tzinfo=UTC))
MONDAY_OPENS = to_ns(datetime(2024, 12, 2, 14, 20, tzinfo=UTC))
Play = Sequence[tuple[Bar, Sequence[Order]]]


def an_order(name: str, number: int, price: int, dice: random.Random) -> Order:
    """An order of each type and time in force in turn, near the price (in dollars)."""
    kind, tif = list(OrderType)[number % len(OrderType)], list(TimeInForce)[number // 2 % len(TimeInForce)]
    side = dice.choice(list(Side))
    better, beyond = Decimal(price - side.sign), Decimal(price + side.sign)
    fields: dict[str, object] = {"type": kind, "tif": tif}
    if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        fields["limit_price"] = better if kind is OrderType.LIMIT else beyond + side.sign
    if kind is OrderType.LIMIT_IF_TOUCHED:
        fields |= {"stop_price": better, "limit_price": Decimal(price)}
    if kind in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT):
        fields["stop_price"] = beyond
    if kind in (OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT):
        fields |= {"trail_offset": Decimal("0.015"), "trail_offset_type": TrailOffsetType.FRACTION}
    if kind is OrderType.TRAILING_STOP_LIMIT:
        fields["limit_offset"] = Decimal("0.005")
    if tif is TimeInForce.GTD:
        fields["expire_at_ns"] = MONDAY_OPENS + 25 * MINUTE
    return order(name, side, dice.randrange(1, 40), **fields)


def a_play(seed: int) -> Play:
    """Bars over a half day's close and the next open, with some orders decided at the end of each."""
    dice, price, found = random.Random(seed), 100, []
    starts = [start + minute * MINUTE for start in (HALF_DAY_ENDS, MONDAY_OPENS) for minute in range(30)]
    for number, start in enumerate(starts):
        opened, price = price, max(price + dice.randrange(-2, 3), 50)
        high, low = max(opened, price) + dice.randrange(2), min(opened, price) - dice.randrange(2)
        shown = Bar(
            start, start + MINUTE, opened * 100, high * 100, low * 100, price * 100, dice.choice([0, 50, 500, 5000])
        )
        found.append((shown, [an_order(f"o{number}", number, price, dice)]))
    return found


Told = list[tuple[object, ...]]


def told(event: OrderEvent) -> tuple[object, ...]:
    moved = (event.quantity, event.limit, event.stop, event.expire_ns, event.worst)
    return event.order_id, event.seq, event.kind, event.at_ns, event.state, event.fill, event.denial, *moved


def backtest(
    profile: BrokerageProfile, play: Play, traded: Instrument = LISTED, cash: int = ACCOUNT.starting_cash
) -> tuple[Told, dict[str, int]]:
    start = Decimal(cash).scaleb(-8)
    desk, seen = SimulatedAccount(profile, {"USD": start}, instruments=[traded], owner=OWNER), []
    for shown, orders in play:
        desk.advance(shown.start_ns)
        seen += desk.on_bar("AAPL", shown)
        desk.advance(shown.end_ns)
        for one in orders:
            seen += desk.submit(one, shown.end_ns)
    return sorted((told(event) for event in seen), key=lambda one: one[:2]), desk.book.ledger.cash


async def paper(book: Book, play: Play, account: Account = ACCOUNT) -> tuple[Told, dict[str, int]]:
    await book.open(account)
    for shown, orders in play:
        await book.show(shown)
        for one in orders:
            await book.submit(one)
    names = [one.client_order_id for _, orders in play for one in orders]
    seen = [event for name in names for event in (await book.order(name)).events]
    held = await book.db.read(lambda conn: accounts_cash.load_cash(conn, "acc"))
    assert await book.verify() > 0
    return sorted((told(event) for event in seen), key=lambda one: one[:2]), held


@pytest.mark.parametrize("seed", range(2))
async def test_every_type_and_time_in_force_is_the_same_in_a_backtest_and_on_paper(tmp_path: Path, seed: int) -> None:
    profile, play = margin(2, slippage="0.0005"), a_play(seed)
    expected, cash = backtest(profile, play)
    async with open_book(sqlite_url(tmp_path / "store.db"), MarketContext(Instruments([LISTED]), profile)) as book:
        found, held = await paper(book, play)
    assert found == expected
    assert held == cash
    kinds = {one[2].value for one in expected}  # type: ignore[attr-defined]  # the third is a kind
    assert {"FILLED", "TRIGGERED", "EXPIRED", "UPDATED", "DENIED"} <= kinds


CLASSES = {
    "ibkr_equities": (AssetClass.EQUITY, "XNYS"),
    "ibkr_reg_t": (AssetClass.EQUITY, "XNYS"),
    "ibkr_day_trader": (AssetClass.EQUITY, "XNYS"),
    "ibkr_futures": (AssetClass.FUTURE, "CMES"),
    "ibkr_fx": (AssetClass.FOREX, ""),
    "binance_spot": (AssetClass.CRYPTO, ""),
    "binance_usdm": (AssetClass.CRYPTO, ""),
    "kraken_spot": (AssetClass.CRYPTO, ""),
    "coinbase_spot": (AssetClass.CRYPTO, ""),
    "zero_cost": (AssetClass.EQUITY, ""),
}


STORED = ("ibkr_futures", "ibkr_fx")
"""One with payments, one whose fees go by the month's volume."""

SMALL = 6_000 * 10**8
"""Cash that purchases exceed: an account on margin borrows."""


async def compare_profile(url: str, name: str) -> None:
    """Play one history under a profile in a backtest and on paper, and compare fills, cash and kinds of payments."""
    profile, (asset_class, calendar) = profile_named(name), CLASSES[name]
    traded, play = replace(STOCK, asset_class=asset_class, calendar=calendar), a_play(11)[:40]
    expected, cash = backtest(profile, play, traded, SMALL)
    market = MarketContext(Instruments([traded]), profile)
    async with open_book(url, market) as book:
        found, held = await paper(book, play, replace(ACCOUNT, profile=name, fee_rate=0, starting_cash=SMALL))
        paid = await book.db.read(lambda conn: load_payments(conn, "acc", market.instruments))
    assert (found, held) == (expected, cash)
    assert sum(one[2] is EventKind.FILLED for one in expected) > 5
    kinds = {"ibkr_futures": {CashKind.VARIATION}, "ibkr_equities": {CashKind.INTEREST}}
    kinds |= {"ibkr_reg_t": {CashKind.INTEREST}, "ibkr_day_trader": {CashKind.INTEREST}}
    assert {payment.kind for _, payment in paid} == kinds.get(name, set())


@pytest.mark.parametrize("name", [name for name in PROFILES if name not in STORED])
async def test_an_account_with_a_profile_is_the_backtest_of_that_profile(tmp_path: Path, name: str) -> None:
    await compare_profile(sqlite_url(tmp_path / "store.db"), name)


@pytest.mark.parametrize("name", STORED)
async def test_what_a_profile_keeps_of_time_and_volume_is_the_same_in_every_store(database_url: str, name: str) -> None:
    await compare_profile(database_url, name)


async def test_shares_sold_for_cash_settle_on_their_day_on_paper_as_in_a_backtest(database_url: str) -> None:
    profile = replace(profile_named("ibkr_equities"), buying_power=BuyingPower.CASH, leverage=1)
    play = a_play(5)
    expected, cash = backtest(profile, play, LISTED, SMALL)
    market = MarketContext(Instruments([LISTED]), profile)
    async with open_book(database_url, market) as book:
        found, held = await paper(
            book, play, replace(ACCOUNT, profile="ibkr_equities", fee_rate=0, starting_cash=SMALL)
        )
        [balance] = (await book.portfolio()).cash
    assert (found, held) == (expected, cash)
    assert Decimal(balance.unsettled) > 0


async def test_orders_that_arrive_bars_later_fill_as_in_a_backtest_with_that_latency(tmp_path: Path) -> None:
    play = a_play(3)[:30]
    desk = SimulatedAccount(margin(2), {"USD": CASH}, instruments=[LISTED], owner=OWNER, latency_ns=2 * MINUTE)
    expected = []
    market = MarketContext(Instruments([LISTED]), margin(2), link=Link(latency_bars=2))
    async with open_book(sqlite_url(tmp_path / "store.db"), market) as book:
        await book.open()
        for number, (shown, _) in enumerate(play):
            expected += [event.fill for event in desk.on_bar("AAPL", shown) if event.fill]
            await book.show(shown)
            made = order(f"o{number}", Side.BUY if number % 3 else Side.SELL, 10)
            desk.submit(made, shown.end_ns)
            await book.submit(made)
            await book.to_wire(made.client_order_id)
            await book.arrive(made.client_order_id)
        seen = [event.fill for n in range(len(play)) for event in (await book.order(f"o{n}")).events if event.fill]
    prices = [(fill.quantity, fill.price, fill.fee, fill.venue_ns) for fill in expected]
    assert sorted((fill.quantity, fill.price, fill.fee, fill.venue_ns) for fill in seen) == sorted(prices)
    assert len(prices) > 10


async def test_bars_of_one_message_do_what_they_do_one_by_one(tmp_path: Path) -> None:
    profile, play = margin(2), a_play(7)
    orders = [one for _, decided in play[:30:3] for one in decided]
    first, rest = play[0][0], [shown for shown, _ in play[1:]]
    expected, cash = backtest(profile, [(first, orders), *((shown, ()) for shown in rest)])
    async with open_book(sqlite_url(tmp_path / "store.db"), MarketContext(Instruments([LISTED]), profile)) as book:
        await book.open()
        await book.show(first)
        for one in orders:
            await book.submit(one)
        await book.show(*rest)
        seen = [event for one in orders for event in (await book.order(one.client_order_id)).events]
        held = await book.db.read(lambda conn: accounts_cash.load_cash(conn, "acc"))
    assert sorted((told(event) for event in seen), key=lambda one: one[:2]) == expected
    assert held == cash

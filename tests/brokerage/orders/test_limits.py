"""House limits on a real store: rate, position, leverage, gross, net, drawdown; nobody overshoots jointly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import sqlalchemy as sa

from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import TradingState
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, Owner, Side
from brokerage.domain.orders.states import OrderState
from brokerage.domain.risk.limits import Limits
from brokerage.market.context import MarketContext
from brokerage.orders import working
from tests.brokerage.samples import ACCOUNT, MARKET, OWNER, WORLD, Book, bar, open_book, order, without_price

MONEY = 10**8
SECOND = 1_000_000_000


def market(**limits: int) -> MarketContext:
    """A margin market, so that shorts and leverage are possible, with these limits in whole dollars or rates."""
    profile = BrokerageProfile(buying_power=BuyingPower.MARGIN, leverage=10)
    return replace(MARKET, profile=profile, limits=Limits(**limits))


@asynccontextmanager
async def opened(url: str, **limits: int) -> AsyncIterator[Book]:
    """An account with 100,000 and a price of 101."""
    async with open_book(url, market(**limits)) as book:
        await book.open()
        await book.show(bar(0))
        yield book


async def denial(book: Book, wanted: Order) -> Denial | None:
    return (await book.submit(wanted)).record.denial


def by(strategy: str, wanted: Order, account: str = "acc") -> Order:
    return replace(wanted, owner=Owner(account, WORLD, strategy))


async def test_a_position_with_its_open_orders_stays_below_its_limit(database_url: str) -> None:
    async with opened(database_url, position_notional_max=2_000 * MONEY) as book:
        assert await denial(book, order("a", quantity=20)) is Denial.POSITION_ABOVE_LIMIT
        assert await denial(book, order("b", quantity=15)) is None
        assert await denial(book, order("c", quantity=5)) is Denial.POSITION_ABOVE_LIMIT
        assert await denial(book, order("d", Side.SELL, 19)) is None
        assert await denial(book, by("s2", order("e", quantity=19))) is None
        await book.show(bar(1))
        assert await denial(book, order("f", Side.SELL, 16)) is Denial.POSITION_ABOVE_LIMIT


async def test_leverage_is_gross_exposure_over_equity(database_url: str) -> None:
    async with opened(database_url, leverage_max=2 * MONEY) as book:
        assert await denial(book, order("a", quantity=1_500)) is None
        assert await denial(book, by("s2", order("b", Side.SELL, 600))) is Denial.LEVERAGE_ABOVE_LIMIT
        assert await denial(book, by("s2", order("c", Side.SELL, 400))) is None


async def test_gross_and_net_of_an_account_over_its_strategies(database_url: str) -> None:
    async with opened(database_url, account_gross_max=5_000 * MONEY, account_net_max=3_000 * MONEY) as book:
        assert await denial(book, order("a", quantity=29)) is None
        assert await denial(book, by("s2", order("b", quantity=1))) is Denial.EXPOSURE_ABOVE_LIMIT
        assert await denial(book, by("s2", order("c", Side.SELL, 21))) is Denial.EXPOSURE_ABOVE_LIMIT
        assert await denial(book, by("s2", order("d", Side.SELL, 20))) is None


async def test_what_reduces_is_never_held_up_by_an_exposure_limit(database_url: str) -> None:
    async with opened(database_url) as book:
        await book.submit(order("a", quantity=50))
        await book.show(bar(1))
        book.market = market(
            account_gross_max=MONEY,
            account_net_max=MONEY,
            world_gross_max=MONEY,
            leverage_max=1,
            position_notional_max=1,
        )
        assert await denial(book, order("b", quantity=1)) is Denial.POSITION_ABOVE_LIMIT
        assert await denial(book, order("c", Side.SELL, 50)) is None


async def test_concurrent_strategies_do_not_overshoot_together(database_url: str) -> None:
    async with opened(database_url, account_gross_max=1_000 * MONEY) as book:
        wanted = [by(f"s{number}", order(f"o{number}", quantity=2)) for number in range(12)]
        answers = await asyncio.gather(*(denial(book, one) for one in wanted))
        assert sorted(answers, key=str) == [Denial.EXPOSURE_ABOVE_LIMIT] * 8 + [None] * 4
        await book.verify()


async def test_accounts_of_a_world_do_not_overshoot_together(database_url: str) -> None:
    async with opened(database_url, world_gross_max=1_000 * MONEY) as book:
        for number in range(4):
            await book.open(replace(ACCOUNT, account=f"acc{number}"))
        wanted = [by("s1", order(f"o{number}", quantity=2), f"acc{number % 4}") for number in range(12)]
        answers = await asyncio.gather(*(denial(book, one) for one in wanted))
        assert sorted(answers, key=str) == [Denial.EXPOSURE_ABOVE_LIMIT] * 8 + [None] * 4


async def test_a_world_that_cannot_be_valued_is_over_its_limit(database_url: str) -> None:
    async with opened(database_url, world_net_max=100_000 * MONEY) as book:
        await book.open(replace(ACCOUNT, account="other"))
        assert await denial(book, by("s1", order("a"), "other")) is None
        await book.db.write(without_price)
        assert await denial(book, order("b")) is Denial.EXPOSURE_ABOVE_LIMIT


async def test_too_many_orders_a_second_are_denied_by_name(database_url: str) -> None:
    async with opened(database_url, orders_per_s_max=3) as book:
        answers = [await denial(book, order(f"o{number}", quantity=1)) for number in range(5)]
        assert answers == [None, None, None, Denial.RATE_ABOVE_LIMIT, Denial.RATE_ABOVE_LIMIT]
        assert (await book.submit(order("o0", quantity=1))).record.state is OrderState.ACCEPTED


async def test_a_drawdown_opens_the_circuit_until_an_operator_closes_it(database_url: str) -> None:
    async with opened(database_url, drawdown_max=MONEY // 10) as book:
        await book.submit(order("a", quantity=900))
        await book.show(bar(1))
        await book.show(bar(2, 95))
        assert await denial(book, order("b", quantity=1)) is None
        await book.show(bar(3, 80))
        await book.show(bar(4, 100))
        assert await denial(book, order("c", quantity=1)) is Denial.DRAWDOWN_CIRCUIT
        assert await denial(book, order("d", Side.SELL, 1)) is None
        acts = await book.db.read(lambda conn: conn.execute(sa.select(t.audit_log.c.act)).scalars().all())
        assert list(acts).count("drawdown_circuit") == 1
        await book.set_trading(TradingState.ACTIVE)
        assert await denial(book, order("e", quantity=1)) is None


async def test_a_book_is_loaded_without_the_other_open_orders(database_url: str) -> None:
    async with opened(database_url) as book:
        for number in range(20):
            await book.submit(order(f"o{number}", quantity=1))

        def loaded(conn: sa.Connection) -> tuple[int, int]:
            _, loaded = working.load_orders(conn, book.market, accounts_store.account(conn, "acc"), OWNER)
            return len(loaded.records), loaded.open_totals("AAPL", Side.BUY).orders

        assert await book.db.read(loaded) == (0, 20)

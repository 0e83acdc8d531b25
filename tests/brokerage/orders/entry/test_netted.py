"""One order for several strategies: every share asks its own fence, entry and budget, and is booked as its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa

from brokerage import schema as t
from brokerage.accounts import limits as accounts_limits
from brokerage.books import store as books_store
from brokerage.domain.accounts.account import TradingState
from brokerage.domain.accounts.limits import AccountLimits, Budget
from brokerage.domain.models.latency import Link
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import NETTING, Order, OrderShare, Owner, Side, order_id
from brokerage.domain.orders.states import OrderState, OrderType, TimeInForce
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.risk.fence import FenceState
from brokerage.market.context import MarketContext
from brokerage.orders.entry import protection
from brokerage.orders.entry.netted import submit_netted
from brokerage.orders.wire import netted_from_proto, order_from_proto, order_to_proto, status_to_proto
from brokerage.venues.dispatch import reported_fills, send
from qmtl.core.errors import Conflict, InvalidRequest, NotReady
from qmtl.core.limits import RiskLimits
from qmtl.core.modes import ExecutionDomain
from tests.brokerage.accounts.test_sharing import share as serve
from tests.brokerage.orders.test_limits import market as margin_market
from tests.brokerage.samples import ACCOUNT, ACTOR, OWNER, Book, bar, fence, open_book, order, reported

MONEY = 10**8
NET = Owner("acc", NETTING, NETTING)
S2 = Owner("acc", "w2", "s2")
PARTS = (("w1", "s1", 1_000), ("w1", "s3", 200), ("w2", "s2", -400))


def share(world: str, strategy: str, quantity: int, epoch: int = 1) -> OrderShare:
    """One that sells only reduces, in these books."""
    return OrderShare(world, strategy, Decimal(quantity), epoch, quantity < 0)


def netted(name: str = "n", *parts: OrderShare, limit: int = 103) -> Order:
    shares = parts or tuple(share(*part) for part in PARTS)
    net = sum(each.quantity for each in shares)
    side = Side.SELL if net < 0 else Side.BUY
    return Order(
        NET, name, "AAPL", side, abs(Decimal(net)), OrderType.LIMIT, TimeInForce.IOC, Decimal(limit),
        tags=("rebalance",), shares=shares,
    )  # fmt: skip


@asynccontextmanager
async def opened(url: str, market: MarketContext | None = None) -> AsyncIterator[Book]:
    """Worlds w1 and w2 on one account with 100,000 at leverage 10; s2 holds 500 shares at 101."""
    async with open_book(url, market or margin_market()) as book:
        await book.open()
        await serve(book)
        await book.show(bar(0))
        await book.submit(order("o", quantity=500, owner=S2))
        await book.show(bar(1))
        yield book


async def submit(book: Book, wanted: Order) -> StoredOrder:
    domain = ExecutionDomain.DRYRUN
    return (await book.db.write(lambda conn: submit_netted(conn, book.market, wanted, domain, 6)))[0]


async def denied(book: Book, wanted: Order) -> tuple[Denial | None, str]:
    record = (await submit(book, wanted)).record
    return record.denial, record.detail


async def held(book: Book) -> dict[str, int]:
    rows = await book.db.read(lambda conn: books_store.load_positions(conn, "acc"))
    return {f"{owner.world_id}/{owner.strategy_id}": position.quantity for owner, _, position in rows}


async def fill(book: Book, trade: str, quantity: str, fee: str = "0") -> tuple[int, int]:
    """A fill of order n at 100.5 as a venue tells it."""
    told = reported(trade, "n", quantity=quantity, fee=fee)
    told.key.world_id = told.key.strategy_id = NETTING
    reports = [reported_fills.report_from_proto(told)]
    return await book.db.write(lambda conn: reported_fills.book_fills(conn, book.market, reports, 17))


async def limit(book: Book, revision: int = 1, **given: object) -> None:
    wanted = AccountLimits(revision, **given)  # type: ignore[arg-type]  # the test names real fields
    await book.db.write(lambda conn: accounts_limits.set_account_limits(conn, "acc", wanted, ACTOR, 11))


async def test_fills_are_booked_to_the_shares_and_to_nobody_else(database_url: str) -> None:
    async with opened(database_url) as book:
        cash = Decimal((await book.portfolio()).cash[0].settled)
        taken = await submit(book, netted())
        assert (taken.record.state, taken.record.quantity) == (OrderState.ACCEPTED, 800)
        assert await fill(book, "t1", "300", "9.0045") == (1, 0)
        assert await held(book) == {"w1/s1": 375, "w1/s3": 75, "w2/s2": 350}
        paid = cash - Decimal((await book.portfolio()).cash[0].settled)
        assert paid == 300 * Decimal("100.5") + Decimal("9.0045")
        assert await fill(book, "t1", "300", "9.0045") == (0, 1), "told again"
        await fill(book, "t2", "1")
        await fill(book, "t3", "499")
        assert await held(book) == {"w1/s1": 1_000, "w1/s3": 200, "w2/s2": 100}
        told = status_to_proto(await submit(book, netted()))
        assert [(row.strategy_id, row.quantity, row.notional) for row in told.share_fills] == [
            ("s1", "1000", "100500"), ("s3", "200", "20100"), ("s2", "-400", "-40200"),
        ]  # fmt: skip
        fees = {row.strategy_id: row.fees["USD"] for row in told.share_fills}
        assert fees == {"s1": "5.6278125", "s3": "1.1255625", "s2": "2.251125"}
        assert await book.verify() == 1


async def test_what_a_venue_fills_beyond_the_order_is_booked_however_often(database_url: str) -> None:
    async with opened(database_url) as book:
        await submit(book, netted())
        for trade, quantity in (("t1", "800"), ("t2", "5"), ("t3", "7")):
            assert await fill(book, trade, quantity, "0.07") == (1, 0)
        assert await held(book) == {"w1/s1": 1_012, "w1/s3": 200, "w2/s2": 100}, "the largest share has what is beyond"
        told = status_to_proto(await submit(book, netted()))
        assert [row.quantity for row in told.share_fills] == ["1012", "200", "-400"]
        assert sum(Decimal(row.fees["USD"]) for row in told.share_fills) == Decimal("0.21")
        assert await book.verify() == 1


async def test_a_share_that_only_reduces_takes_nobody_through_zero(database_url: str) -> None:
    """The strategy sells on its own what the order was to take off it, before the order meets the market."""
    async with opened(database_url) as book:
        await submit(book, netted())
        own = order("exit", quantity=500, side=Side.SELL, owner=S2)
        assert (await book.submit(own)).record.denial is None
        assert await fill_own(book) == (1, 0)
        await book.show(bar(2))
        assert await held(book) == {"w2/s2": 0}
        record = (await submit(book, netted())).record
        assert record.state is OrderState.CANCELED
        assert record.detail.startswith("share w2/s2: it only reduces")
        assert await book.verify() == 1


async def test_a_share_with_nothing_left_to_reduce_keeps_the_order_off_the_wire(database_url: str) -> None:
    async with opened(database_url, replace(margin_market(), link=Link(latency_ms=1))) as book:
        assert await fill_own(book, "o", "BUY") == (1, 0)
        wanted = netted("n", share("w2", "s2", -400))
        assert (await submit(book, wanted)).record.state is OrderState.RELEASED
        own = order("exit", quantity=500, side=Side.SELL, owner=S2, reduce_only=True)
        assert (await book.submit(own)).record.denial is None
        assert await fill_own(book) == (1, 0)
        put = replace(reported_fills.report_from_proto(reported("t", "n")).name, owner=NET)
        identity = order_id(NET, "n")
        assert not await book.db.write(lambda conn: send.to_wire(conn, book.market, put, identity, 10))
        assert (await submit(book, wanted)).record.denial is Denial.REDUCE_ONLY_INCREASES


async def fill_own(book: Book, name: str = "exit", side: str = "SELL") -> tuple[int, int]:
    """The strategy's own order for 500 fills elsewhere than on paper."""
    told = reported(f"own {name}", name, quantity="500", side=f"ORDER_SIDE_{side}")
    told.key.world_id, told.key.strategy_id = S2.world_id, S2.strategy_id
    reports = [reported_fills.report_from_proto(told)]
    return await book.db.write(lambda conn: reported_fills.book_fills(conn, book.market, reports, 17))


async def test_a_worlds_limit_counts_open_shares_in_its_other_accounts(database_url: str) -> None:
    async with open_book(database_url, margin_market()) as book:
        await book.open(fenced=False)
        await book.fence(fence(1, limits=RiskLimits(gross_notional_max=Decimal(130_000))))
        await serve(book)
        await book.open(replace(ACCOUNT, account="b"), fenced=False)
        await book.show(bar(0))
        assert (await submit(book, netted("n", *(share(*part) for part in PARTS[:2])))).record.denial is None
        there = replace(OWNER, account="b")
        assert (
            await book.submit(order("more", quantity=100, owner=there))
        ).record.denial is Denial.EXPOSURE_ABOVE_LIMIT
        assert (await book.submit(order("less", quantity=50, owner=there))).record.denial is None


async def test_what_it_brings_are_orders_of_its_strategies(database_url: str) -> None:
    async with opened(database_url) as book:
        taken = await submit(book, netted())
        await book.show(bar(2))
        heads = t.orders.c
        query = sa.select(heads.strategy_id, heads.state, heads.asked_quantity, heads.tags, heads.epoch).where(
            heads.client_order_id == f"n.{taken.record.seq + 1}"
        )
        rows = await book.db.read(lambda conn: conn.execute(query.order_by(heads.strategy_id)).all())
        assert [(row.strategy_id, row.state, row.asked_quantity) for row in rows] == [
            ("s1", "FILLED", "1000"), ("s2", "FILLED", "400"), ("s3", "FILLED", "200"),
        ]  # fmt: skip
        assert ["INTERNAL" in row.tags for row in rows] == [False, True, False]
        assert await held(book) == {"w1/s1": 1_000, "w1/s3": 200, "w2/s2": 100}
        assert await book.verify() == 1


async def test_shares_that_add_up_to_nothing_cross_at_the_mark(database_url: str) -> None:
    async with opened(database_url) as book:
        cash = (await book.portfolio()).cash[0].settled
        wanted = netted("x", share("w1", "s1", 300), share("w2", "s2", -300))
        got = await submit(book, wanted)
        assert (got.record.state, got.record.filled, got.order.owner.strategy_id) == (OrderState.FILLED, 300, "s1")
        assert await submit(book, wanted) == got, "asked again"
        assert await held(book) == {"w1/s1": 300, "w2/s2": 200}
        assert (await book.portfolio()).cash[0].settled == cash
        assert await book.verify() == 1
        assert await denied(book, netted("y", share("w1", "s1", 300), share("w2", "s2", -300))) == (
            Denial.REDUCE_ONLY_INCREASES,
            "share w2/s2: SELL 300 AAPL is reduce-only and 200 is held of it",
        )


async def test_one_share_that_may_not_trade_denies_the_order_by_its_name(database_url: str) -> None:
    async with opened(database_url) as book:
        assert await denied(book, netted("a", share("w1", "unknown", 10))) == (
            Denial.FENCED,
            "share w1/unknown: the fence of world w1 is OPEN at epoch 1, where unknown may add nothing by a BUY: "
            "only orders that reduce a position pass",
        )
        await limit(book, budgets=(Budget("w1", "", 10**15), Budget("w1", "s3", 20_000 * MONEY)))
        assert await denied(book, netted("b")) == (
            Denial.BUDGET_ABOVE_LIMIT,
            "share w1/s3: gross exposure of world w1, strategy s3 20200 USD would be above its budget 20000 USD",
        )
        assert await denied(book, netted("c", share("w2", "s2", -501))) == (
            Denial.REDUCE_ONLY_INCREASES,
            "share w2/s2: SELL 501 AAPL is reduce-only and 500 is held of it",
        )
        await book.fence(replace(fence(2, FenceState.FROZEN), world_id="w2"))
        with pytest.raises(NotReady, match=r"E_STALE_EPOCH: share w2/s2: epoch 1 is behind epoch 2 of world w2"):
            await submit(book, netted("d"))
        parts = (share("w1", "s1", 10), share("w2", "s2", -5, epoch=2))
        assert (await denied(book, netted("d", *parts)))[1].startswith("share w2/s2: the fence of world w2 is FROZEN")
        await book.set_trading(TradingState.HALTED)
        assert (await denied(book, netted("e", share("w1", "s1", 10))))[0] is Denial.TRADING_HALTED
        assert await held(book) == {"w2/s2": 500}
        assert await book.verify() == 1


async def test_the_account_is_judged_by_what_all_shares_come_to(database_url: str) -> None:
    async with opened(database_url) as book:
        await limit(book, gross_max=51_000 * MONEY)  # 50,500 is held
        crossing = (share("w1", "s1", 400), share("w2", "s2", -400))
        assert (await book.submit(order("alone", quantity=400))).record.denial is Denial.EXPOSURE_ABOVE_LIMIT
        assert await denied(book, netted("a", *crossing)) == (None, "")
        more = (share("w1", "s1", 10), share("w2", "s2", -4))
        assert (await denied(book, netted("b", *more)))[0] is Denial.EXPOSURE_ABOVE_LIMIT


async def test_an_open_order_counts_with_its_owners(database_url: str) -> None:
    async with opened(database_url) as book:
        await limit(book, budgets=(Budget("w1", "s1", 110_000 * MONEY),))
        await submit(book, netted())
        assert (await book.submit(order("own", quantity=100))).record.denial is Denial.BUDGET_ABOVE_LIMIT
        assert (await book.submit(order("own2", quantity=50))).record.denial is None
        assert await book.verify() == 1


async def test_a_freeze_ends_what_rests_and_holds_back_what_was_not_sent(database_url: str) -> None:
    async with opened(database_url) as book:
        await submit(book, netted())
        await book.fence(replace(fence(2, FenceState.FROZEN), world_id="w2"))
        assert await book.db.read(protection.accounts_to_narrow) == ["acc"]
        assert await book.db.write(lambda conn: protection.narrow_account(conn, book.market, "acc", 9)) == 1
        await book.show(bar(2))
        assert await held(book) == {"w2/s2": 500}


async def test_the_fence_is_asked_once_more_before_the_wire(database_url: str) -> None:
    async with opened(database_url, replace(margin_market(), link=Link(latency_ms=1))) as book:
        wanted = netted("n", share("w1", "s1", 10), share("w1", "s3", 20))
        assert (await submit(book, wanted)).record.state is OrderState.RELEASED
        await book.fence(fence(2, FenceState.FROZEN))
        name = reported("t", "n").key
        name.world_id = name.strategy_id = NETTING
        told = reported_fills.report_from_proto(reported("t", "n")).name
        put = replace(told, owner=NET)
        identity = order_id(NET, "n")
        assert not await book.db.write(lambda conn: send.to_wire(conn, book.market, put, identity, 10))
        record = (await submit(book, wanted)).record
        assert record.denial is Denial.FENCED
        assert "share w1/s1" in record.detail


async def test_what_is_on_the_wire_is_told_to_who_freezes_one_of_its_worlds(database_url: str) -> None:
    async with opened(database_url, replace(margin_market(), link=Link(latency_ms=1))) as book:
        await submit(book, netted("n", share("w1", "s1", 10), share("w1", "s3", 20)))
        put = replace(reported_fills.report_from_proto(reported("t", "n")).name, owner=NET)
        identity = order_id(NET, "n")
        assert await book.db.write(lambda conn: send.to_wire(conn, book.market, put, identity, 10))
        assert "n" not in await book.fence(replace(fence(2), world_id="w2"))
        assert "n" in await book.fence(fence(2, FenceState.FROZEN))


async def test_the_same_order_again_changes_nothing_and_another_is_refused(database_url: str) -> None:
    async with opened(database_url) as book:
        first = await submit(book, netted())
        later = tuple(replace(each, epoch=1) for each in netted().shares)
        assert await submit(book, replace(netted(), shares=later)) == first
        with pytest.raises(Conflict, match="E_ORDER_CONFLICT"):
            await submit(book, netted("n", share("w1", "s1", 10)))


def test_netted_orders_survive_the_wire() -> None:
    assert netted_from_proto(order_to_proto(netted())) == netted()
    with pytest.raises(InvalidRequest, match="none but in SubmitNettedOrder"):
        order_from_proto(order_to_proto(netted()))
    with pytest.raises(InvalidRequest, match=r"order.shares is 0, want 1 to 2000"):
        netted_from_proto(order_to_proto(replace(netted(), shares=())))


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({"owner": OWNER}, "strategy_id is s1"),
        ({"quantity": Decimal(801)}, "shares is a sum of 800, want 801"),
        ({"type": OrderType.MARKET, "limit_price": None}, "want LIMIT IOC"),
        ({"reduce_only": True}, "none with shares"),
        ({"shares": tuple(reversed(netted().shares))}, "each once, by world and strategy"),
        ({"shares": (share("w1", "a", 0), *netted().shares)}, "other than 0"),
    ],
)
def test_what_is_no_netted_order(changes: dict[str, object], want: str) -> None:
    wrong = replace(netted(), **changes)  # type: ignore[arg-type]  # the test names real fields
    with pytest.raises(InvalidRequest, match=want):
        netted_from_proto(order_to_proto(wrong))

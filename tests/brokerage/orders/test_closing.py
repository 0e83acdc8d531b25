"""Closing what a demoted strategy holds: orders of brokerage's own that only reduce, each sent once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from functools import partial

import pytest

from brokerage.domain.accounts.account import TradingState
from brokerage.domain.market.instrument import Instrument, instrument
from brokerage.domain.models.latency import Link
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import DEMOTION, OPERATOR, Order, OrderName, Side
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderState, OrderType, TimeInForce
from brokerage.domain.risk.fence import Fence, FenceState
from brokerage.orders.closing.attempts import (
    PAUSE_MAX_NS,
    PAUSE_NS,
    Closing,
    closing_order,
    in_the_way,
    next_due_ns,
    worst_price,
)
from brokerage.orders.closing.step import Standing, accounts_of, take_step
from brokerage.orders.wire import order_from_proto, order_to_proto
from brokerage.venues.dispatch import send
from qmtl.broker.v1 import position_closing_service_pb2 as positionclosingservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest
from qmtl.core.modes import ExecutionDomain
from tests.brokerage.mesh import Client, Mesh
from tests.brokerage.orders.entry.test_netted import NET, netted, opened, share, submit
from tests.brokerage.orders.test_limits import market as margin_market
from tests.brokerage.samples import ACTOR, MARKET, STOCK, WORLD, Book, bar, fence, open_book, order

S = 10**9
LONGS = Closing(WORLD, "s1", Side.BUY, ExecutionDomain.DRYRUN, "c1", Decimal(20))
SHORTS = replace(LONGS, holds=Side.SELL)


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    async with open_book(database_url) as made:
        await made.open()
        await made.show(bar(0))
        yield made


TEN = Decimal(10)
NOBODY = fence(2, FenceState.DRAIN, standings=frozenset())


async def step(book: Book, closing: Closing = LONGS, at_s: int = 100, under: Fence | None = NOBODY) -> Standing:
    if under is not None:
        await book.fence(under)
    return await book.db.write(lambda conn: take_step(conn, book.market, closing, "acc", ACTOR, at_s * S))


async def holding(book: Book, quantity: int = 10) -> None:
    await book.submit(order("entry", quantity=quantity))
    await book.show(bar(1))


async def test_a_position_is_closed_by_one_order_within_the_slippage_of_its_mark(book: Book) -> None:
    await holding(book)
    assert await book.db.read(lambda conn: accounts_of(conn, LONGS)) == ["acc"]
    (left,) = (await step(book)).left
    (sent,) = left.attempts
    assert (left.quantity, sent.order.side, sent.order.quantity) == (Decimal(10), Side.SELL, Decimal(10))
    assert (sent.order.type, sent.order.tif, sent.order.reduce_only) == (OrderType.LIMIT, TimeInForce.IOC, True)
    assert sent.order.limit_price == Decimal("100.80")  # the close of 101 less 20 bp, at a tick that is not beyond
    assert (sent.order.tags, left.reason) == ((DEMOTION,), f"WORKING: {sent.order.client_order_id} was sent")
    (again,) = (await step(book)).left
    assert [one.id for one in again.attempts] == [sent.id]
    assert again.reason.startswith("WORKING")
    await book.show(bar(2, 101))
    assert await step(book) == Standing()
    assert await book.state(sent.order.client_order_id) is OrderState.FILLED
    assert await book.verify() == 1


async def test_asked_by_two_at_once_one_order_is_sent(book: Book) -> None:
    await holding(book)
    both = await asyncio.gather(step(book), step(book))
    assert len({one.id for standing in both for left in standing.left for one in left.attempts}) == 1


async def test_an_order_that_got_nothing_is_followed_by_another_at_the_new_mark_after_a_pause(book: Book) -> None:
    await holding(book)
    await step(book, at_s=100)
    await book.show(bar(2, 90))  # beyond the limit: it ends unfilled
    (left,) = (await step(book, at_s=104)).left
    assert (len(left.attempts), left.reason.split(":")[0]) == (1, "EXPIRED")
    (left,) = (await step(book, at_s=105)).left
    assert [one.order.limit_price for one in left.attempts] == [Decimal("100.80"), Decimal("90.82")]
    await book.show(bar(3, 91))
    assert (await step(book, at_s=106)).left == ()


async def test_orders_that_could_add_are_cancelled_and_those_that_protect_stay(book: Book) -> None:
    await holding(book)
    await book.submit(order("more", quantity=5, type=OrderType.LIMIT, limit_price=Decimal(80)))
    await book.submit(order("target", Side.SELL, 10, type=OrderType.LIMIT, limit_price=Decimal(200), reduce_only=True))
    standing = await step(book)
    assert standing.adding == ()
    assert await book.state("more") is OrderState.CANCELED
    assert await book.state("target") is OrderState.ACCEPTED
    await book.show(bar(2, 101))
    assert (await step(book)).left == ()


async def test_without_a_position_an_order_that_could_open_one_is_cancelled(book: Book) -> None:
    await book.submit(order("rest", quantity=5, type=OrderType.LIMIT, limit_price=Decimal(80)))
    assert await book.db.read(lambda conn: accounts_of(conn, LONGS)) == ["acc"]
    assert (await step(book)).left == ()
    assert await book.state("rest") is OrderState.CANCELED
    assert await book.db.read(lambda conn: accounts_of(conn, LONGS)) == []


async def test_the_other_side_and_other_strategies_are_left_alone(book: Book) -> None:
    await book.submit(order("other", quantity=4, owner=replace(LONGS.owner("acc"), strategy_id="s2")))
    await holding(book)
    assert await step(book, SHORTS) == Standing()
    live = replace(LONGS, domain=ExecutionDomain.LIVE)
    assert await book.db.read(lambda conn: accounts_of(conn, live)) == []
    await step(book)
    await book.show(bar(2, 101))
    assert [(one.strategy_id, one.quantity) for one in (await book.portfolio()).positions if one.quantity != "0"] == [
        ("s2", "4")
    ]


async def test_a_freeze_holds_and_a_drain_lets_it_go(book: Book) -> None:
    await holding(book)
    (left,) = (await step(book, under=fence(2, FenceState.FROZEN))).left
    assert (left.attempts, left.reason) == ((), f"FENCED: the fence of world {WORLD} is FROZEN at epoch 2")
    (left,) = (await step(book, under=replace(NOBODY, epoch=3))).left
    assert [one.denial for one in left.attempts] == [None]


async def test_what_an_account_denies_is_told_and_tried_again_ever_more_slowly(book: Book) -> None:
    await holding(book)
    await book.set_trading(TradingState.HALTED)
    for at_s, attempts in ((100, 1), (104, 1), (105, 2), (114, 2), (115, 3)):
        (left,) = (await step(book, at_s=at_s)).left
        assert (len(left.attempts), left.reason.split(":")[0]) == (attempts, "TRADING_HALTED"), at_s
    assert {one.denial for one in left.attempts} == {Denial.TRADING_HALTED}


async def test_over_a_wire_an_unanswered_order_is_waited_for_and_never_doubled(database_url: str) -> None:
    async with open_book(database_url, replace(MARKET, link=Link(latency_ms=1))) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(order("entry"))
        await book.to_wire("entry")
        await book.arrive("entry")
        await book.answer("entry")
        await book.show(bar(1))
        (left,) = (await step(book)).left
        name = left.attempts[0].order.client_order_id
        assert await book.to_wire(name)
        await book.lose(name)  # the venue is away
        (left,) = (await step(book, at_s=3_000)).left
        assert (len(left.attempts), left.reason) == (
            1,
            f"WORKING: {name} is SUBMITTED, and its venue has not answered",
        )


@pytest.mark.parametrize(
    ("mark", "slippage", "buys", "want"),
    [
        (10_000, "20", False, "99.80"),
        (10_000, "20", True, "100.20"),
        (10_001, "20", False, "99.81"),  # 99.80998: not beyond, so up
        (10_001, "20", True, "100.21"),  # 100.21002: not beyond, so down
        (10_000, "0.5", False, "100.00"),
        (1, "1000", False, "0.01"),
        (1, "1000", True, "0.01"),
    ],
)
def test_a_price_is_at_a_tick_within_the_slippage(mark: int, slippage: str, buys: bool, want: str) -> None:
    assert worst_price(STOCK, mark, Decimal(slippage), buys=buys) == Decimal(want)


def test_prices_keep_to_coarse_ticks() -> None:
    coarse: Instrument = instrument("X", base="X", quote="USD", price_places=2, tick="0.25")
    assert worst_price(coarse, 10_000, Decimal(20), buys=False) == Decimal("100.00")
    assert worst_price(coarse, 10_010, Decimal(20), buys=True) == Decimal("100.25")


def ended(created_s: int, filled: int = 0, denial: Denial | None = None) -> OrderRecord:
    state = OrderState.DENIED if denial else OrderState.EXPIRED
    return OrderRecord(
        "id", order("d"), STOCK, state, state, 1, 10, None, None, None, filled, created_ns=created_s * S, denial=denial
    )


def test_the_pause_doubles_with_each_order_that_got_nothing_and_is_bounded() -> None:
    assert next_due_ns([], TEN) == 0
    assert next_due_ns([ended(100)], TEN) == 100 * S + PAUSE_NS
    assert next_due_ns([ended(90), ended(100)], TEN) == 100 * S + 2 * PAUSE_NS
    assert next_due_ns([ended(80), ended(90, filled=3), ended(100)], TEN) == 100 * S + PAUSE_NS
    assert next_due_ns([ended(90), ended(100, filled=3)], TEN) == 100 * S
    assert next_due_ns([ended(100)] * 50, TEN) == 100 * S + PAUSE_MAX_NS
    assert next_due_ns([ended(100, denial=Denial.TRADING_HALTED)], TEN) == 100 * S + PAUSE_NS
    assert next_due_ns([ended(100, denial=Denial.LOT)], TEN) is None
    assert next_due_ns([ended(100, denial=Denial.LOT)], Decimal(11)) == 100 * S + PAUSE_NS
    assert next_due_ns([ended(100, denial=Denial.SHORT_UNAVAILABLE)], TEN) == 100 * S + PAUSE_NS


def resting(wanted: Order) -> OrderRecord:
    state = OrderState.ACCEPTED
    return OrderRecord("id", wanted, STOCK, state, state, 1, int(wanted.quantity), None, None, None)


def cancels(closing: Closing, held: int, *orders: Order, may_turn: bool = False) -> list[str]:
    found = in_the_way(closing, map(resting, orders), {"AAPL": held}, may_turn=may_turn)
    return [record.order.client_order_id for record in found]


def test_what_could_add_to_the_side() -> None:
    buy, sell = order("b"), order("s", Side.SELL)  # of 10
    assert cancels(LONGS, 0, buy) == cancels(LONGS, 5, buy) == cancels(LONGS, -9, buy) == ["b"]
    assert cancels(LONGS, -10, buy) == []  # it takes back a short that may go on
    assert cancels(LONGS, -19, buy, order("b2")) == ["b2"]  # both would go through zero
    assert cancels(SHORTS, 0, sell) == cancels(SHORTS, -5, sell) == ["s"]
    assert cancels(LONGS, 0, replace(buy, reduce_only=True)) == []
    for tag in (DEMOTION, OPERATOR):
        assert cancels(LONGS, 0, replace(buy, tags=(tag,))) == []


def test_what_would_go_on_through_zero_where_the_strategy_may_add_on_neither_side() -> None:
    sell = order("s", Side.SELL)
    assert cancels(LONGS, 10, sell) == cancels(LONGS, 0, sell) == ["s"]
    assert cancels(LONGS, 10, sell, replace(sell, reduce_only=True), may_turn=True) == []
    assert cancels(LONGS, 10, replace(sell, reduce_only=True)) == []


def test_what_is_beyond_the_largest_order_is_the_next_orders() -> None:
    bounded = replace(STOCK, quantity_max=4)
    assert [closing_order(LONGS, "acc", bounded, held, 10_000, 1).quantity for held in (10, 4, 3, -10)] == [4, 4, 3, 4]
    lots = replace(bounded, lot=3)
    assert [closing_order(LONGS, "acc", lots, held, 10_000, 1).quantity for held in (10, 2)] == [3, 2]


async def test_a_target_that_may_turn_the_position_round_does_not_have_the_closing_denied(book: Book) -> None:
    await holding(book)
    await book.submit(order("target", Side.SELL, 10, type=OrderType.LIMIT, limit_price=Decimal(200)))
    (left,) = (await step(book)).left
    assert [one.denial for one in left.attempts] == [None]
    assert await book.state("target") is OrderState.CANCELED
    await book.show(bar(2, 101))
    assert await step(book) == Standing()


async def test_who_may_add_by_the_fence_of_the_moment_is_not_closed_by_a_late_request(book: Book) -> None:
    await holding(book)
    await book.submit(order("more", quantity=5, type=OrderType.LIMIT, limit_price=Decimal(80)))
    (left,) = (await step(book, under=None)).left
    assert (left.attempts, left.reason) == (
        (),
        f"GOES_ON: by the fence of world {WORLD} s1 may add by a BUY at epoch 1",
    )
    assert await book.state("more") is OrderState.ACCEPTED


@pytest.mark.parametrize("sent", [False, True])
async def test_a_netted_order_that_adds_for_the_strategy_is_cancelled_and_awaited(
    database_url: str, sent: bool
) -> None:
    async with opened(database_url, replace(margin_market(), link=Link(remote=sent))) as book:
        await book.set_trading(TradingState.ACTIVE)
        taken = await submit(book, netted("n", share("w1", "s1", 500), share("w1", "s3", 100)))
        assert taken.record.denial is None
        if sent:
            name = OrderName(NET, "n")
            wire = partial(send.to_wire, market=book.market, name=name, order_id=taken.record.id, now_ns=10)
            assert await book.db.write(wire)
        assert await book.db.read(lambda conn: accounts_of(conn, LONGS)) == ["acc"]
        assert await book.db.read(lambda conn: accounts_of(conn, replace(LONGS, strategy_id="s2"))) == []
        standing = await step(book)
        assert (standing.left, [name.client_order_id for name in standing.adding]) == ((), ["n"] * sent)
        assert (await book.order("n", NET)).record.closed is not sent


def test_nobody_passes_an_order_off_as_one_of_a_demotion() -> None:
    with pytest.raises(InvalidRequest, match="another tag"):
        order_from_proto(order_to_proto(order("o", tags=(DEMOTION,))))


def asked(**changes: object) -> positionclosingservicepb.ClosePositionsRequest:
    request = positionclosingservicepb.ClosePositionsRequest(
        world_id="w1",
        strategy_id="s1",
        side=commonpb.SIDE_LONG,
        execution_domain=commonpb.EXECUTION_DOMAIN_DRYRUN,
        closing_id="c1",
        slippage_bps="20",
    )
    request.MergeFrom(positionclosingservicepb.ClosePositionsRequest(**changes))  # type: ignore[arg-type]  # fields by name
    return request


async def test_worldservice_asks_and_what_it_asks_is_checked(mesh: Mesh, client: Client) -> None:
    service = mesh.client(role=None, service="worldservice")
    reply = await service.closings.ClosePositions(asked())
    assert (list(reply.left), list(reply.adding)) == ([], [])
    for wrong, field in (
        ({"execution_domain": commonpb.EXECUTION_DOMAIN_SHADOW}, "execution_domain"),
        ({"closing_id": "a b"}, "closing_id"),
        ({"slippage_bps": "1000.5"}, "slippage_bps"),
        ({"slippage_bps": "-1"}, "slippage_bps"),
    ):
        with pytest.raises(InvalidRequest, match=field):
            await service.closings.ClosePositions(asked(**wrong))

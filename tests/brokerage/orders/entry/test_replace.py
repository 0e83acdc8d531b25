"""ReplaceOrder: what changes, what is refused and leaves the order alone, and what a repeated request answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest
from google.protobuf import field_mask_pb2

from brokerage.accounts import store as accounts_store
from brokerage.books.load import load_view
from brokerage.domain.models.latency import Link
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, OrderName, Side
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.domain.risk.fence import FenceState
from brokerage.domain.trading.replacement import Change
from brokerage.orders.wire import replace_from_proto
from qmtl.broker.v1 import order_entry_service_pb2 as orderentryservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.errors import Conflict, InvalidRequest, NotFound, NotReady
from tests.brokerage.samples import GATE, MARKET, OWNER, Book, bar, fence, open_book, order

STOPS = replace(MARKET, emulate_stops=True)


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    async with open_book(database_url) as made:
        await made.open()
        await made.show(bar(0))
        yield made


def resting(name: str = "o1", price: int = 90, quantity: int = 10) -> Order:
    return order(name, quantity=quantity, type=OrderType.LIMIT, limit_price=Decimal(price))


async def free(book: Book) -> int:
    """What may still be committed, in 1e-8 of a dollar."""
    return await book.db.read(
        lambda conn: load_view(conn, book.market, accounts_store.account(conn, OWNER.account)).free("USD")
    )


async def kinds(book: Book, name: str = "o1") -> list[str]:
    return [event.kind.value for event in (await book.order(name)).events[3:]]


async def test_an_order_works_under_its_new_terms_and_holds_their_money(book: Book) -> None:
    await book.submit(resting())
    done = await book.replace("o1", quantity=20, limit_price="99.5")
    record = done.stored.record
    assert (done.refusal, done.duplicate) == (None, False)
    assert (record.state, record.quantity, record.limit, record.worst) == (OrderState.ACCEPTED, 20, 99_50, 99_50)
    assert (record.replaces, record.generation, record.wanted) == (1, 1, None)
    assert await kinds(book) == ["PENDING_UPDATE", "UPDATED"]
    assert await book.verify() == 1
    assert await book.show(bar(1)) == 1
    assert (await book.order("o1")).record.filled == 20


async def test_a_request_is_answered_once_and_a_retry_undoes_nothing(book: Book) -> None:
    await book.submit(resting())
    await book.replace("o1", "r1", quantity=20)
    await book.replace("o1", "r2", quantity=5)
    again = await book.replace("o1", "r1", quantity=20)
    assert (again.duplicate, again.stored.record.quantity) == (True, 5)
    with pytest.raises(Conflict, match="E_REPLACE_CONFLICT"):
        await book.replace("o1", "r1", quantity=21)
    same = await book.replace("o1", "r3", quantity=5)
    assert same.stored.record.seq == again.stored.record.seq


async def test_what_the_change_adds_is_judged_and_a_refusal_leaves_the_order(book: Book) -> None:
    await book.submit(resting(quantity=1_000, price=99))
    refused = await book.replace("o1", quantity=1_012)
    assert refused.refusal is not None
    assert refused.refusal.denial is Denial.BALANCE_INSUFFICIENT
    record = refused.stored.record
    assert (record.state, record.quantity, record.denial) == (OrderState.ACCEPTED, 1_000, None)
    assert await kinds(book) == ["MODIFY_REJECTED"]
    assert (await book.replace("o1", quantity=1_012)).refusal == refused.refusal
    assert (await book.replace("o1", "r2", quantity=1_005)).refusal is None
    tick = (await book.replace("o1", "r3", limit_price="99.001")).refusal
    assert tick is not None
    assert tick.denial is Denial.PRECISION
    assert await book.verify() == 1


async def test_the_weight_scales_a_new_quantity_as_it_scaled_the_first(book: Book) -> None:
    half = replace(GATE, weight=RATE_ONE // 2)
    await book.submit(order("o1", quantity=40), half)
    await book.show(bar(1, volume=100))
    assert (await book.order("o1")).record.filled == 10
    assert (await book.replace("o1", gate=half, quantity=60)).stored.record.quantity == 30
    done = await book.replace("o1", "r2", gate=half, quantity=20)
    assert (done.stored.record.state, done.stored.record.quantity) == (OrderState.FILLED, 10)
    with pytest.raises(NotReady, match="E_ORDER_CLOSED"):
        await book.replace("o1", "r3", gate=half, quantity=60)


async def test_the_fence_binds_a_change_as_it_binds_an_order(book: Book) -> None:
    await book.submit(order("held"))
    await book.show(bar(1))
    await book.submit(order("o1", Side.SELL, type=OrderType.LIMIT, limit_price=Decimal(120), reduce_only=True))
    await book.submit(resting("o2"))
    await book.fence(fence(2, FenceState.DRAIN))
    with pytest.raises(NotReady, match="E_STALE_EPOCH"):
        await book.replace("o1", limit_price=119)
    now = replace(GATE, epoch=2)
    assert (await book.replace("o1", gate=now, limit_price=119)).refusal is None
    refused = (await book.replace("o2", gate=now, limit_price=91)).refusal
    assert refused is not None
    assert refused.denial is Denial.FENCED


async def test_a_pending_replace_holds_the_dearer_terms_and_lets_no_second_pass(database_url: str) -> None:
    async with open_book(database_url, replace(MARKET, link=Link(latency_ms=1))) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(resting(price=95))
        await book.to_wire("o1")
        with pytest.raises(NotReady, match="E_ORDER_PENDING"):
            await book.replace("o1", quantity=20)
        await book.arrive("o1")
        await book.answer("o1")
        before = await free(book)
        await book.replace("o1", "up", quantity=20)
        assert before - await free(book) == 950_95000000
        with pytest.raises(NotReady, match="E_ORDER_PENDING"):
            await book.replace("o1", "down", quantity=5)
        assert await book.verify() == 1


async def test_a_watched_stop_is_changed_here(database_url: str) -> None:
    async with open_book(database_url, STOPS) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(order("held"))
        await book.show(bar(1))
        await book.submit(order("o1", Side.SELL, type=OrderType.STOP_MARKET, stop_price=Decimal(90), reduce_only=True))
        record = (await book.replace("o1", stop_price=97)).stored.record
        assert (record.state, record.stop, record.replaces) == (OrderState.EMULATED, 97_00, 0)
        assert await book.show(bar(2, 98), bar(3, 98)) == 1


async def test_malformed_changes_are_refused_by_name(book: Book) -> None:
    await book.submit(order("market"))
    with pytest.raises(InvalidRequest, match="E_ORDER_MALFORMED"):
        await book.replace("market", limit_price=99)
    with pytest.raises(NotFound, match="E_ORDER_UNKNOWN"):
        await book.replace("nobody", quantity=1)


def test_a_mask_says_what_is_meant() -> None:
    key = orderpb.OrderKey(account="acc", world_id="w1", strategy_id="s1", client_order_id="o1")
    terms = orderentryservicepb.OrderTerms(quantity="5", limit_price="99")
    request = orderentryservicepb.ReplaceOrderRequest(key=key, terms=terms, request_id="r1")
    for paths in ([], ["trail_offset"], ["quantity", "symbol"]):
        request.update_mask.CopyFrom(field_mask_pb2.FieldMask(paths=paths))
        with pytest.raises(InvalidRequest, match="E_REPLACE_MASK"):
            replace_from_proto(request)
    request.update_mask.CopyFrom(field_mask_pb2.FieldMask(paths=["quantity"]))
    read = replace_from_proto(request)
    assert (read.name, read.change) == (OrderName(OWNER, "o1"), Change(quantity=Decimal(5)))


async def test_a_change_that_was_gated_to_reduce_only_adds_nothing(book: Book) -> None:
    await book.submit(order("held"))
    await book.show(bar(1))
    await book.submit(resting())
    await book.submit(order("o2", Side.SELL, type=OrderType.LIMIT, limit_price=Decimal(120), quantity=4))
    only = replace(GATE, reduce_only=True)
    refused = await book.replace("o1", gate=only, quantity=20)
    assert refused.refusal is not None
    assert refused.refusal.denial is Denial.REDUCE_ONLY_INCREASES
    assert (refused.stored.record.quantity, refused.stored.record.order.reduce_only) == (10, False)
    assert (await book.replace("o2", gate=only, quantity=11)).refusal is not None
    assert not (await book.replace("o2", "r2", gate=only, quantity=4)).stored.record.order.reduce_only
    done = await book.replace("o2", "r3", gate=only, quantity=10)
    assert (done.refusal, done.stored.record.quantity, done.stored.record.order.reduce_only) == (None, 10, True)
    assert (await book.order("o2")).record.order.reduce_only
    assert await book.verify() == 1


async def test_an_order_whose_cancel_is_pending_is_not_changed(database_url: str) -> None:
    async with open_book(database_url, replace(MARKET, link=Link(latency_ms=1))) as book:
        await book.open()
        await book.show(bar(0))
        await book.submit(resting())
        await book.to_wire("o1")
        await book.arrive("o1")
        await book.answer("o1")
        await book.cancel("o1")
        with pytest.raises(NotReady, match="E_ORDER_PENDING"):
            await book.replace("o1", quantity=4)

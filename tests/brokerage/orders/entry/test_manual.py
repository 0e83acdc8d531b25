"""Orders of people: under no fence of a world unless one is named, by the same rules, audited, and made once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa

from brokerage import schema as t
from brokerage.domain.accounts.account import TradingState
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.latency import Link
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import OPERATOR, Order, OrderName, Owner, Side, order_id
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.risk.fence import FenceState
from brokerage.orders import store
from brokerage.orders.entry.manual import Act, Flatten, cancel_by_hand, closing_order, flatten, submit_by_hand
from brokerage.orders.entry.protection import accounts_to_narrow
from brokerage.orders.wire import order_from_proto, order_to_proto, status_to_proto
from brokerage.venues.dispatch import send
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.core.errors import Conflict, InvalidRequest, NotFound
from tests.brokerage.samples import ACTOR, MARKET, OWNER, WORLD, Book, bar, fence, open_book, order

HAND = Owner("acc", OPERATOR, OPERATOR)
ACT = Act(ACTOR, "hedge", 9)


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    async with open_book(database_url) as made:
        await made.open()
        await made.show(bar(0))
        yield made


async def by_hand(book: Book, wanted: Order) -> tuple[StoredOrder, bool]:
    return await book.db.write(lambda conn: submit_by_hand(conn, book.market, wanted, ACT))


async def closed(book: Book, request_id: str = "r", strategy_id: str = "") -> list[StoredOrder]:
    wanted = Flatten("acc", strategy_id, request_id)
    return await book.db.write(lambda conn: flatten(conn, book.market, wanted, ACT))


async def state_of(book: Book, name: str, owner: Owner = HAND) -> OrderState:
    found = OrderName(owner, name)
    return (await book.db.read(lambda conn: store.order(conn, found, book.market.instruments))).record.state


async def audited(book: Book, act: str) -> list[str]:
    log = t.audit_log.c
    query = sa.select(log.detail).where(log.act == act)
    return await book.db.read(lambda conn: list(conn.execute(query).scalars()))


async def test_an_order_of_no_world_passes_whatever_a_world_is_and_is_the_operator_s(book: Book) -> None:
    await book.fence(fence(2, FenceState.FROZEN))
    wanted = order("h1", owner=HAND)
    stored, known = await by_hand(book, wanted)
    assert (stored.record.denial, known) == (None, False)
    status = status_to_proto(stored)
    assert (status.origin, status.order.strategy_id) == (orderpb.ORDER_ORIGIN_OPERATOR, OPERATOR)
    again, known = await by_hand(book, wanted)
    assert (again.record.id, known) == (stored.record.id, True)
    assert await audited(book, "manual_order") == ["hedge: BUY 10 AAPL as h1 of @operator, ACCEPTED"]
    await book.show(bar(1))
    assert await state_of(book, "h1") is OrderState.FILLED
    assert await book.verify() == 1
    with pytest.raises(Conflict):
        await by_hand(book, replace(wanted, quantity=Decimal(11)))


@pytest.mark.parametrize(
    ("state", "denial"),
    [(FenceState.OPEN, None), (FenceState.DRAIN, Denial.FENCED), (FenceState.FROZEN, Denial.FENCED)],
)
async def test_where_a_world_is_named_its_fence_is_asked_and_no_standing_is_needed(
    book: Book, state: FenceState, denial: Denial | None
) -> None:
    await book.fence(fence(2, state, standings=frozenset()))
    stored, _ = await by_hand(book, order("h1", owner=Owner("acc", WORLD, OPERATOR)))
    assert stored.record.denial is denial


async def test_a_resting_order_by_hand_is_not_withdrawn_by_a_world_s_fence(book: Book) -> None:
    await by_hand(book, order("h1", type=OrderType.LIMIT, limit_price=Decimal(90), owner=HAND))
    await book.fence(fence(2, FenceState.FROZEN))
    assert await book.db.read(accounts_to_narrow) == []


async def test_the_account_s_rules_hold_and_an_unknown_account_is_refused(book: Book) -> None:
    stored, _ = await by_hand(book, order("h1", quantity=100_000, owner=HAND))
    assert stored.record.denial is Denial.BALANCE_INSUFFICIENT
    with pytest.raises(NotFound):
        await by_hand(book, order("h1", owner=Owner("none", OPERATOR, OPERATOR)))
    await book.set_trading(TradingState.HALTED)
    halted, _ = await by_hand(book, order("h2", owner=HAND))
    assert halted.record.denial is Denial.TRADING_HALTED


async def test_over_a_wire_it_goes_too(database_url: str) -> None:
    async with open_book(database_url, replace(MARKET, link=Link(latency_ms=1))) as book:
        await book.open()
        await book.show(bar(0))
        await book.fence(fence(2, FenceState.FROZEN))
        await by_hand(book, order("h1", owner=HAND))
        name, identity = OrderName(HAND, "h1"), order_id(HAND, "h1")
        assert await book.db.write(lambda conn: send.to_wire(conn, book.market, name, identity, 10))


async def test_a_cancel_by_hand_is_audited(book: Book) -> None:
    await by_hand(book, order("h1", type=OrderType.LIMIT, limit_price=Decimal(90), owner=HAND))
    name = OrderName(HAND, "h1")
    await book.db.write(lambda conn: cancel_by_hand(conn, book.market, name, ACTOR, 10))
    assert await state_of(book, "h1") is OrderState.CANCELED
    assert await audited(book, "manual_cancel") == ["h1 of @operator, CANCELED"]


async def test_flatten_closes_what_each_owner_holds_and_only_reduces(book: Book) -> None:
    neighbour = replace(OWNER, strategy_id="s2")
    await book.submit(order("a", quantity=10))
    await book.submit(order("b", quantity=4, owner=neighbour))
    await by_hand(book, order("c", quantity=3, owner=HAND))
    await book.show(bar(1))
    sent = await closed(book)
    assert [(one.order.owner.strategy_id, one.order.quantity) for one in sent] == [
        (OPERATOR, Decimal(3)),
        ("s1", Decimal(10)),
        ("s2", Decimal(4)),
    ]
    assert all(one.order.reduce_only and one.order.side is Side.SELL for one in sent)
    assert all(status_to_proto(one).origin == orderpb.ORDER_ORIGIN_OPERATOR for one in sent)
    await book.show(bar(2))
    again = await closed(book)
    assert [one.record.id for one in again] == [one.record.id for one in sent]
    assert {one.record.state for one in again} == {OrderState.FILLED}
    assert await closed(book, "other") == []
    said = await audited(book, "flatten")
    assert (len(said), said[-1]) == (4, "hedge: nothing was held")


async def test_what_another_request_closed_answers_none_whose_id_begins_alike(book: Book) -> None:
    await book.submit(order("a", quantity=10))
    await book.show(bar(1))
    assert len(await closed(book, "monday-1")) == 1
    await book.show(bar(2))
    await book.submit(order("b", quantity=5))
    await book.show(bar(3))
    (sent,) = await closed(book, "monday")
    assert (sent.order.quantity, sent.record.denial) == (Decimal(5), None)


async def test_what_was_closed_of_one_strategy_answers_for_no_other_nor_for_all(book: Book) -> None:
    await book.submit(order("a", quantity=10))
    await book.submit(order("b", quantity=4, owner=replace(OWNER, strategy_id="s2")))
    await book.show(bar(1))
    assert [one.order.quantity for one in await closed(book, "r", "s1")] == [Decimal(10)]
    await book.show(bar(2))
    assert [one.order.quantity for one in await closed(book, "r")] == [Decimal(4)]


async def test_flatten_passes_beside_the_exits_of_a_bracket(book: Book) -> None:
    await book.submit(order("a", quantity=10))
    await book.show(bar(1))
    far = order("t", Side.SELL, 10, type=OrderType.LIMIT, limit_price=Decimal(200), reduce_only=True)
    assert (await book.submit(far)).record.denial is None
    (sent,) = await closed(book)
    assert sent.record.denial is None
    await book.show(bar(2))
    assert await state_of(book, sent.order.client_order_id, OWNER) is OrderState.FILLED


async def test_flatten_of_a_strategy_leaves_the_others_and_its_world_s_freeze_holds(book: Book) -> None:
    await book.submit(order("a", quantity=10))
    await book.submit(order("b", quantity=4, owner=replace(OWNER, strategy_id="s2")))
    await book.show(bar(1))
    await book.fence(fence(2, FenceState.FROZEN))
    (frozen,) = await closed(book, "r1", "s2")
    assert (frozen.order.owner.strategy_id, frozen.record.denial) == ("s2", Denial.FENCED)
    await book.fence(fence(3, FenceState.DRAIN))
    (draining,) = await closed(book, "r2", "s2")
    assert (draining.order.owner.strategy_id, draining.record.denial) == ("s2", None)


COIN = instrument("BTC-USD", base="BTC", quote="USD", quantity_places=2, lot="0.10")


@pytest.mark.parametrize(("held", "closed_by"), [(250, "2.50"), (-257, "2.50"), (7, "0.07")])
def test_a_position_is_closed_by_all_of_its_lots_or_by_what_is_less_than_one(held: int, closed_by: str) -> None:
    wanted = closing_order(OWNER, COIN, held, "f")
    assert (wanted.side, wanted.quantity) == (Side.SELL if held > 0 else Side.BUY, Decimal(closed_by))


def test_nobody_passes_an_order_off_as_one_by_hand() -> None:
    message = order_to_proto(order("o", tags=(OPERATOR,)))
    with pytest.raises(InvalidRequest, match="another tag"):
        order_from_proto(message)

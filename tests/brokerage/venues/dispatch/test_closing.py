"""What closes a position at once: the resting exits that hold its coins end first, and no more is sold than is held."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import Order, OrderName, Side
from brokerage.domain.orders.record import OrderRecord
from brokerage.domain.orders.states import OrderState, OrderType
from brokerage.domain.orders.stored import StoredOrder
from brokerage.domain.risk.fence import FenceState, VenueKind
from brokerage.fences.change import set_fence
from brokerage.fences.service import FenceService
from brokerage.fences.unprotected import UNPROTECTED, WAITS, UnprotectedPosition, unprotected
from brokerage.orders.entry.cancel import cancel_order
from brokerage.orders.entry.manual import Act, Flatten, flatten
from brokerage.orders.entry.submit import submit
from brokerage.venues.dispatch.closing import CLOSES_ALREADY, GIVES_WAY, NOTHING_HELD
from brokerage.venues.dispatch.send import to_wire
from qmtl.broker.v1 import fence_pb2 as fencepb
from qmtl.broker.v1 import fence_service_pb2 as fenceservicepb
from qmtl.core.instants import to_ns
from qmtl.core.modes import EffectiveMode
from tests.brokerage.samples import ACTOR, fence
from tests.brokerage.venues.reconcile.live import LIVE_GATE, OWNER, Live, living
from tests.brokerage.venues.reconcile.places import BINANCE_USDM
from tests.exchange.core.faults import Trouble


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with living(f"sqlite:///{tmp_path / 'store.db'}") as found:
        await hold(found)
        yield found


async def hold(live: Live) -> None:
    """Hold two bitcoins less a fee, with a sale of all at 110 that only reduces: the exchange has none beside it."""
    live.exchange.quote(live.place.btc_id, "99", "100", size="5")
    await live.order("entry", quantity="2", price=None)
    await live.settle()
    limit, name = Decimal(110), live.place.name
    exit_ = Order(OWNER, "exit", live.place.btc, Side.SELL, Decimal("1.998"), OrderType.LIMIT, limit_price=limit)
    exit_ = replace(exit_, venue=name, reduce_only=True)
    await live.db.write(lambda conn: submit(conn, live.market, exit_, LIVE_GATE, to_ns(live.clock.now())))
    await live.dispatch()
    assert len(live.exchange.open_orders("client")) == 1
    live.exchange.transfer("client", "BTC", "-1")  # what nobody here has bought
    await live.compare(3)


async def flat(live: Live, request_id: str = "r", *, despite_fence: bool = False) -> StoredOrder:
    wanted = Flatten(OWNER.account, OWNER.strategy_id, request_id, despite_fence)
    act = Act(ACTOR, "enough", to_ns(live.clock.now()))
    [sent] = await live.db.write(lambda conn: flatten(conn, live.market, wanted, act))
    return sent


async def found(live: Live, sent: StoredOrder) -> OrderRecord:
    return (await live.records())[sent.order.client_order_id]


async def test_exits_that_hold_the_coins_end_before_they_are_sold(live: Live) -> None:
    live.exchange.faults.plan("DELETE order", *[Trouble.CUT_AFTER] * 2)  # nobody knows whether it has ended
    sent = await flat(live)
    await live.dispatch()
    assert (await found(live, sent)).detail == WAITS
    assert (await live.records())["exit"].state is OrderState.PENDING_CANCEL
    await live.settle()
    records = await live.records()
    assert records["exit"].state is OrderState.CANCELED
    assert (await found(live, sent)).state is OrderState.FILLED
    await live.require_books_of_the_exchange()


async def test_an_exit_that_fills_meanwhile_leaves_nothing_to_sell(live: Live) -> None:
    sent = await flat(live)
    live.exchange.quote(live.place.btc_id, "110", "111", size="5")
    await live.settle()
    await live.settle()
    assert (await live.records())["exit"].state is OrderState.FILLED
    record = await found(live, sent)
    assert (record.state, record.detail, record.filled) == (OrderState.CANCELED, NOTHING_HELD, 0)
    await live.require_books_of_the_exchange()


async def test_what_an_exit_has_sold_by_its_end_is_not_sold_again(live: Live) -> None:
    sent = await flat(live)
    live.exchange.quote(live.place.btc_id, "110", "111", size="0.7")
    await live.dispatch(12)  # the cancel is answered, its fill is not booked yet
    assert (await live.records())["exit"].state is OrderState.PENDING_CANCEL
    assert (await found(live, sent)).state is OrderState.RELEASED
    live.exchange.quote(live.place.btc_id, "109", "110", size="5")
    await live.settle()
    await live.settle()
    records = await live.records()
    assert (records["exit"].state, records["exit"].filled) == (OrderState.CANCELED, 70_000_000)
    assert (await found(live, sent)).quantity == (await found(live, sent)).filled
    await live.require_books_of_the_exchange()


@pytest.mark.parametrize(
    ("state", "mode", "denial"),
    [
        (FenceState.FROZEN, EffectiveMode.LIVE, Denial.FENCED),
        (FenceState.DRAIN, EffectiveMode.PAPER, Denial.DOMAIN_FORBIDS_ORDERS),
    ],
)
async def test_an_operator_may_close_despite_the_fence(
    live: Live, state: FenceState, mode: EffectiveMode, denial: Denial
) -> None:
    await live.db.write(lambda conn: set_fence(conn, fence(2, state, mode), ACTOR, 6))
    assert (await flat(live, "asked")).record.denial is denial
    sent = await flat(live, "meant", despite_fence=True)
    await live.db.write(lambda conn: set_fence(conn, fence(3, state, mode), ACTOR, 7))  # moves while it is on its way
    await live.settle()
    assert (await found(live, sent)).state is OrderState.FILLED
    await live.require_books_of_the_exchange()


async def test_a_venue_that_is_shut_takes_nothing_despite_the_fence_either(live: Live) -> None:
    live.market = replace(live.market, kind=VenueKind.SHUT)
    assert (await flat(live, despite_fence=True)).record.denial is Denial.NO_LIVE_VENUE


async def test_where_resting_sales_hold_nothing_exits_stay(tmp_path: Path) -> None:
    async with living(f"sqlite:///{tmp_path / 'store.db'}", place=BINANCE_USDM) as live:
        live.exchange.quote(live.place.btc_id, "99", "100", size="5")
        await live.order("entry", quantity="2", price=None)
        await live.settle()
        limit, name = Decimal(110), live.place.name
        asked = Order(OWNER, "exit", live.place.btc, Side.SELL, Decimal(2), OrderType.LIMIT, limit_price=limit)
        exit_ = replace(asked, venue=name, reduce_only=True)
        await live.db.write(lambda conn: submit(conn, live.market, exit_, LIVE_GATE, to_ns(live.clock.now())))
        await live.dispatch()
        sent = await flat(live)
        await live.settle()
        assert (await found(live, sent)).state is OrderState.FILLED
        assert (await live.records())["exit"].detail != GIVES_WAY


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[Live]:
    """Two bitcoins less a fee are held, without exits; the exchange has as many beside them."""
    async with living(f"sqlite:///{tmp_path / 'store.db'}") as found:
        found.exchange.quote(found.place.btc_id, "99", "100", size="5")
        await found.order("entry", quantity="2", price=None)
        await found.settle()
        yield found


async def test_what_one_close_may_still_sell_another_does_not_sell_again(bare: Live) -> None:
    bare.exchange.faults.plan("POST order", Trouble.CUT_AFTER)  # nobody knows whether it has filled
    first = await flat(bare, "one")
    second = await flat(bare, "two")
    await bare.dispatch()
    both = "1.998 and 1.998 are more than the 1.998 that are held"
    assert (await found(bare, second)).detail == f"{CLOSES_ALREADY}: {both}"
    await bare.settle()
    await bare.settle()
    assert (await found(bare, first)).state is OrderState.FILLED
    record = await found(bare, second)
    assert (record.state, record.detail, record.filled) == (OrderState.CANCELED, NOTHING_HELD, 0)
    await bare.require_books_of_the_exchange()


async def test_a_close_whose_exits_have_ended_goes_though_its_epoch_is_over(live: Live) -> None:
    live.exchange.quote(live.place.btc_id, "110", "111", size="0.7")  # some of the exit fills before it ends
    sent = await flat(live)
    await live.dispatch(1)
    assert (await found(live, sent)).detail == WAITS
    await live.db.write(lambda conn: set_fence(conn, fence(2, FenceState.DRAIN, EffectiveMode.LIVE), ACTOR, 6))
    await live.settle()
    live.exchange.quote(live.place.btc_id, "109", "110", size="5")
    await live.settle()
    record = await found(live, sent)
    assert (record.state, record.denial) == (OrderState.FILLED, None)
    await live.require_books_of_the_exchange()


async def test_a_close_that_a_freeze_stops_tells_that_its_exits_are_gone(live: Live) -> None:
    sent = await flat(live)
    await live.dispatch(1)
    await live.db.write(lambda conn: set_fence(conn, fence(2, FenceState.FROZEN, EffectiveMode.LIVE), ACTOR, 6))
    await live.settle()
    record = await found(live, sent)
    assert record.denial is Denial.FENCED
    assert record.detail.endswith(UNPROTECTED)


async def bare_positions(live: Live) -> list[UnprotectedPosition]:
    return await live.db.read(lambda conn: unprotected(conn, OWNER.world_id))


async def test_a_freeze_between_the_exits_end_and_the_close_names_the_position(live: Live) -> None:
    """From the instant in which the exits are asked to end, until new ones rest or nothing is held."""
    service = FenceService(live.db, live.clock)
    assert await bare_positions(live) == []
    sent = await flat(live)
    assert await bare_positions(live) == []  # the exit still rests
    await live.dispatch(1)
    told = [UnprotectedPosition(OWNER, live.place.btc, sent.order.client_order_id)]
    assert await bare_positions(live) == told
    frozen = fenceservicepb.SetFenceRequest(
        world_id=OWNER.world_id, fence_epoch=2, state=fencepb.FENCE_STATE_FROZEN, effective_mode="EFFECTIVE_MODE_LIVE"
    )
    reply = await service.SetFence(frozen, None)
    assert [(one.account, one.strategy_id, one.symbol, one.client_order_id) for one in reply.unprotected] == [
        (OWNER.account, OWNER.strategy_id, live.place.btc, sent.order.client_order_id)
    ]
    assert reply.unprotected_total == 1
    assert list(reply.held) == []
    await live.settle()
    assert (await found(live, sent)).denial is Denial.FENCED
    asked = await service.GetFence(fenceservicepb.GetFenceRequest(world_id=OWNER.world_id), None)
    assert list(asked.unprotected) == list(reply.unprotected)
    await live.db.write(lambda conn: set_fence(conn, fence(3, FenceState.OPEN, EffectiveMode.LIVE), ACTOR, 7))
    limit, name = Decimal(110), live.place.name
    again = Order(OWNER, "again", live.place.btc, Side.SELL, Decimal("0.9"), OrderType.LIMIT, limit_price=limit)
    again = replace(again, venue=name, reduce_only=True)
    gate = replace(LIVE_GATE, epoch=3)
    await live.db.write(lambda conn: submit(conn, live.market, again, gate, to_ns(live.clock.now())))
    assert await bare_positions(live) == []


async def test_a_close_that_was_cancelled_while_it_waited_leaves_a_position_that_is_named(live: Live) -> None:
    sent = await flat(live)
    await live.dispatch(1)
    name = OrderName(OWNER, sent.order.client_order_id)
    await live.db.write(lambda conn: cancel_order(conn, live.market, name, to_ns(live.clock.now())))
    await live.settle()
    assert (await found(live, sent)).state is OrderState.CANCELED
    assert [one.client_order_id for one in await bare_positions(live)] == [sent.order.client_order_id]
    await flat(live, "once more")
    await live.settle()
    assert await bare_positions(live) == []  # nothing is held


async def test_request_limits_do_not_end_a_close_whose_exits_have_ended(live: Live) -> None:
    sent = await flat(live)
    await live.dispatch(1)
    live.advance(60)
    name, now_ns = OrderName(OWNER, sent.order.client_order_id), to_ns(live.clock.now())
    assert not await live.db.write(lambda conn: to_wire(conn, live.market, name, sent.record.id, now_ns, paced=True))
    assert (await found(live, sent)).detail == WAITS

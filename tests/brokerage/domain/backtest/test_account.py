"""A simulated account refuses orders of others, and shows as a fill only what is one."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.backtest.direct import Ticket
from brokerage.domain.backtest.fill_view import view_fill
from brokerage.domain.market.bars import Bar
from brokerage.domain.models.profiles.generic import spot
from brokerage.domain.orders.order import Side
from brokerage.orders.wire import fill_to_proto
from qmtl.core.errors import Conflict, InvalidRequest, NotFound
from tests.brokerage.domain.models.test_fills import MINUTE, STOCK, account, order


def test_an_order_of_another_owner_is_refused_and_leaves_no_trace() -> None:
    desk = account()
    stranger = order(owner=replace(LOCAL, strategy_id="another"))
    with pytest.raises(InvalidRequest, match="E_OWNER_MISMATCH"):
        desk.submit(stranger, MINUTE)
    assert desk.open_orders() == ()


def test_an_event_that_is_no_fill_is_never_shown_as_one() -> None:
    desk, made = account(), order()
    for event in desk.submit(made, MINUTE):
        for show in (
            lambda event=event: desk.fill_view(event),
            lambda event=event: view_fill(STOCK, made.side, event),
            lambda event=event: fill_to_proto(made, STOCK, event, 1),
        ):
            with pytest.raises(Conflict, match=f"E_NOT_A_FILL: event {event.seq} of order .* is {event.kind.value}"):
                show()


def test_an_order_that_was_never_sent_is_not_known() -> None:
    with pytest.raises(NotFound, match="E_ORDER_UNKNOWN: no order nobody"):
        account().record("nobody")


def test_an_order_arrives_after_its_latency_counted_from_the_later_of_decision_and_sending() -> None:
    for decided, sent in ((MINUTE, 2 * MINUTE), (2 * MINUTE, MINUTE)):
        desk = SimulatedAccount(spot("0"), {"USD": Decimal(10_000)}, instruments=[STOCK], latency_ns=5)
        desk.on_bar("AAPL", Bar(0, MINUTE, 100_00, 100_00, 100_00, 100_00, 10))
        desk.submit(order(decided_ns=decided), sent)
        assert desk.record("o1").accepted_ns == 2 * MINUTE + 5


def test_a_market_order_without_a_target_is_taken_without_events() -> None:
    desk = account()
    assert desk.take_direct(Ticket("o1", STOCK.symbol, Side.BUY, Decimal(1), MINUTE, None))

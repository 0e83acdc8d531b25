"""A simulated account refuses orders of others, and shows as a fill only what is one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from brokerage.domain.backtest.account import LOCAL, view_fill
from brokerage.orders.wire import fill_to_proto
from qmtl.core.errors import Conflict, InvalidRequest
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

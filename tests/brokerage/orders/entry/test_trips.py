"""How often an order waits for PostgreSQL: its time there is that of the way to the server and back."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import pytest
from sqlalchemy import Connection

from brokerage.domain.orders.order import Order
from brokerage.orders.entry.submit import submit
from qmtl.core.limits import UNLIMITED, RiskLimits
from tests.brokerage.samples import GATE, MARKET, bar, fence, open_book, order
from tests.support.round_trips import counted_trips


def take(wanted: Order, limits: RiskLimits, conn: Connection) -> None:
    """As the service takes an order that is in step, under a fence that it has seen."""
    submit(conn, MARKET, wanted, GATE, 6, limits, in_step=True)


@pytest.mark.parametrize(
    ("limits", "trips"),
    [(UNLIMITED, 2), (RiskLimits(gross_notional_max=Decimal(10**6)), 3)],
    ids=["alone", "under a limit of its world"],
)
async def test_an_order_waits_for_what_it_is_decided_on_and_for_its_commit(
    postgres_url: str, limits: RiskLimits, trips: int
) -> None:
    """All that is locked and read (and the world's other accounts), then the commit."""
    async with counted_trips(postgres_url) as counted, open_book(counted.url) as book:
        await book.open(fenced=False)
        await book.fence(fence(GATE.epoch, limits=limits))
        await book.show(bar(0))
        counts = []
        for number in range(8):  # the driver prepares a statement that comes often
            before = counted.count
            await book.db.write(partial(take, order(f"o{number}"), limits))
            counts.append(counted.count - before)
        assert counts == [trips] * 8

"""Fees of a fill: in quote or in base currency, and never in a third one."""

from __future__ import annotations

import pytest

from brokerage.domain.accounts.position import Position, received, settled
from brokerage.domain.orders.order import Side
from qmtl.core.errors import Conflict
from tests.brokerage.domain.accounts.test_ledger import SPOT, fill


def test_a_fee_in_a_currency_of_neither_side_is_refused_and_no_fee_has_any_currency() -> None:
    with pytest.raises(Conflict, match="E_FEE_CURRENCY_UNKNOWN: fee of t is in BNB"):
        settled(Position(), SPOT, Side.BUY, fill(10, 100_00, fee=1, currency="BNB"))
    free, _ = settled(Position(), SPOT, Side.BUY, fill(10, 100_00, fee=0, currency="BNB"))
    assert (free.quantity, free.fees) == (10, 0)


@pytest.mark.parametrize(
    ("quantity", "cost", "after"),
    [
        (4, 500, Position(14, 1_500, 70, 3, 2)),  # more of the same closes nothing
        (-4, -500, Position(6, 600, 170, 3, 2)),  # 4 of 10 cost 400
        (-15, -1_500, Position(-5, -500, 70, 3, 2)),  # 10 close at their cost, 5 are short
    ],
)
def test_shares_that_come_without_a_trade_close_only_those_of_the_other_side(
    quantity: int, cost: int, after: Position
) -> None:
    assert received(Position(10, 1_000, 70, 3, 2), quantity, cost) == after
    opened = received(Position(), quantity, cost)
    assert (opened.quantity, opened.cost, opened.realised) == (quantity, cost, 0)

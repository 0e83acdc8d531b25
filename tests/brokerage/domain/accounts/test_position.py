"""Fees of a fill: in quote or in base currency, and never in a third one."""

from __future__ import annotations

import pytest

from brokerage.domain.accounts.position import Position, settled
from brokerage.domain.orders.order import Side
from qmtl.core.errors import Conflict
from tests.brokerage.domain.accounts.test_ledger import SPOT, fill


def test_a_fee_in_a_currency_of_neither_side_is_refused_and_no_fee_has_any_currency() -> None:
    with pytest.raises(Conflict, match="E_FEE_CURRENCY_UNKNOWN: fee of t is in BNB"):
        settled(Position(), SPOT, Side.BUY, fill(10, 100_00, fee=1, currency="BNB"))
    free, _ = settled(Position(), SPOT, Side.BUY, fill(10, 100_00, fee=0, currency="BNB"))
    assert (free.quantity, free.fees) == (10, 0)

"""A paper session's equity: a fill counts from the bar that made it, at its open or at its close."""

from __future__ import annotations

from decimal import Decimal

from brokerage.domain.market.instrument import instrument
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.fills import FillEvent
from qmtl.sdk.mesh.session.account.equity import equity_record
from tests.sdk.market import walk

BARS = walk(4, seed=3)
COIN = instrument("BTC-USD", base="BTC", quote="USD", lot="0.01", quantity_places=8)


def test_a_fill_at_the_close_of_a_bar_is_in_its_equity_and_one_at_the_next_open_is_not() -> None:
    account = accountpb.Account(
        base_currency="USD", starting_cash="1000", fee_rate="0", type=accountpb.ACCOUNT_TYPE_MARGIN, leverage=1
    )
    at_ns = int(BARS.close_ns[1])  # the close of the second bar is the open of the third

    def equity(booked: int) -> list[int]:
        price = Decimal(str(BARS.values[1, 3]))
        fill = FillEvent("BTC-USD", Decimal("0.01"), price, Decimal(3), "USD", at_ns, "t", int(BARS.close_ns[booked]))
        return [int(amount) // 10**8 for amount in equity_record(account, [COIN], [BARS], [fill], []).equity]

    assert equity(1)[:2] == [1000, 997]
    assert equity(2)[:2] == [1000, 1000]
    assert equity(1)[2:] == equity(2)[2:]

"""What nodes read of a position at a close is what `view_position` says of it, to the nearest double."""

from __future__ import annotations

from decimal import Decimal as D

import numpy as np

from brokerage.domain.accounts.portfolio import view_position
from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.market.bars import bar_columns
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.order import Side
from qmtl.sdk.execution.holdings import Holding, Holdings
from qmtl.sdk.execution.stepping.observed import HeldAtCloses

MINUTE = 60 * 10**9


def test_what_is_read_at_closes_is_what_people_are_shown() -> None:
    traded = instrument("AAA-USD", base="AAA", quote="USD", tick="0.01", lot="0.001", multiplier="0.3")
    random, count = np.random.default_rng(3), 200
    close = np.round(90.0 + np.cumsum(random.normal(0.0, 0.7, count)), 2)
    columns = bar_columns(traded, MINUTE * np.arange(count), MINUTE, (close, close, close, close, np.full(count, 1e6)))
    timeline = Timeline([columns])
    account = SimulatedAccount(margin(2, "0.0011", participation="0"), {"USD": D(100_000)}, instruments=[traded])
    held, read, shown = HeldAtCloses(account, timeline), Holdings(), Holdings()
    profits, sides = list[float](), [Side.BUY, Side.SELL]
    assert read.row("AAA-USD") == [0.0, 0.0, 0.0, 0.0]
    for step in range(count):
        account.on_bar("AAA-USD", columns.bar(step))
        held.show(step, read)
        view = view_position(traded, account.book.ledger.position("AAA-USD"), account.view.marks.get("AAA-USD"))
        shown.observe("AAA-USD", Holding(view.quantity, view.average_price, view.unrealised))
        assert read.row("AAA-USD") == shown.row("AAA-USD")
        if step % 3 == 0:
            size = D(int(random.integers(1, 9_999))) / 1_000
            account.market("AAA-USD", sides[int(random.integers(2))], size, MINUTE * (step + 1), f"o{step}")
        profits.append(read.row("AAA-USD")[2])
    assert read.row("AAA-USD")[3] >= 1.0
    assert min(profits) < 0.0 < max(profits)

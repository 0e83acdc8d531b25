"""The execution port over a simulated account: every request is answered at once."""

from __future__ import annotations

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.orders.events import OrderEvent
from brokerage.domain.orders.order import Side
from qmtl.core.fills import FillEvent


def fill_of(account: SimulatedAccount, event: OrderEvent) -> FillEvent:
    """A FILLED event of a simulated account, with a signed quantity."""
    view = account.fill_view(event)
    signed = view.quantity if view.side is Side.BUY else -view.quantity
    return FillEvent(view.symbol, signed, view.price, view.fee, view.fee_currency, view.at_ns, view.trade_id)

"""What an account holds at the closes of a replay, shown to the nodes that read it."""

from __future__ import annotations

from brokerage.domain.accounts.position import position_value
from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.money import currency_scale
from qmtl.sdk.execution.holdings import Holdings


class HeldAtCloses:
    """The positions of an account, step by step, as the doubles nearest to what `view_position` says of them."""

    def __init__(self, account: SimulatedAccount, timeline: Timeline) -> None:
        self._account, self._timeline = account, timeline
        self._averages: dict[str, tuple[tuple[int, int], float]] = {}

    def show(self, step: int, holdings: Holdings) -> None:
        """Show the nodes of the next instants what is held at the close of a step, of the symbols that close at it."""
        for symbol, _ in self._timeline.rows_at(step):
            position, mark = self._account.book.ledger.position(symbol), self._account.view.marks.get(symbol)
            if not position.quantity:
                holdings.observe_row(symbol, 0.0, 0.0, 0.0)
                continue
            instrument, key = self._account.instrument(symbol), (position.cost, position.quantity)
            known = self._averages.get(symbol)
            if known is None or known[0] != key:
                known = self._averages[symbol] = key, float(instrument.average_price(*key))
            profit = position_value(instrument, position, 0 if mark is None else mark.price) - position.cost
            quantity = position.quantity / 10**instrument.quantity_scale
            holdings.observe_row(symbol, quantity, known[1], profit / 10 ** currency_scale(instrument.quote))

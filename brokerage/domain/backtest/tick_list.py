"""A list of orders and cancels over ticks: what an account that sent them as they came would have been."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from brokerage.domain.backtest.account import SimulatedAccount
from brokerage.domain.backtest.order_list import Act, Cancel
from brokerage.domain.market.ticks import Tick
from brokerage.domain.orders.events import OrderEvent


def replay_ticks(
    account: SimulatedAccount, ticks: Iterable[tuple[str, Tick]], acts: Sequence[tuple[int, Act]]
) -> list[OrderEvent]:
    """Show ticks of symbols, in order of time, with what was decided between them; what became of the orders.

    An act is decided after all ticks of its instant and before the next.
    """
    events, waiting = list[OrderEvent](), list(reversed(acts))
    for symbol, tick in ticks:
        while waiting and waiting[-1][0] < tick.at_ns:
            events += _decide(account, *waiting.pop())
        events += account.on_tick(symbol, tick)[0]
    for at_ns, act in reversed(waiting):
        events += _decide(account, at_ns, act)
    return events


def _decide(account: SimulatedAccount, at_ns: int, act: Act) -> Sequence[OrderEvent]:
    if isinstance(act, Cancel):
        ended = account.cancel(act.client_order_id, at_ns)
        return [] if ended is None else [ended]
    one = len(act) == 1 and not act[0].list_id
    return account.submit(act[0], at_ns) if one else account.submit_list(act, at_ns)

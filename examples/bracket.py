"""A bracket on a simulated account: an entry, and a stop and a target of which only one can fill.

python -m examples.bracket

The same orders go to a mesh as one TradingService.SubmitOrderList, and a strategy has them by its trade rule's bracket:
docs/orders.md has the rules.
"""

from __future__ import annotations

from decimal import Decimal

from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.orders.order import Contingency, Order, Side
from brokerage.domain.orders.states import OrderType

MINUTE = 60_000_000_000
APPLE = instrument("AAPL", base="AAPL", quote="USD", price_places=2)


def bracket(quantity: int, stop: int, target: int) -> list[Order]:
    """A market purchase; its exits wait for its fill, reduce it and nothing more, and each takes off the other."""
    size = Decimal(quantity)
    return [
        Order(
            LOCAL, "entry", "AAPL", Side.BUY, size,
            list_id="bracket", contingency=Contingency.OTO, linked=("stop", "target"),
        ),
        Order(
            LOCAL, "stop", "AAPL", Side.SELL, size, type=OrderType.STOP_MARKET, stop_price=Decimal(stop),
            reduce_only=True, list_id="bracket", parent="entry", contingency=Contingency.OUO, linked=("target",),
        ),
        Order(
            LOCAL, "target", "AAPL", Side.SELL, size, type=OrderType.LIMIT, limit_price=Decimal(target),
            reduce_only=True, list_id="bracket", parent="entry", contingency=Contingency.OUO, linked=("stop",),
        ),
    ]  # fmt: skip


def bar(minute: int, low: int, high: int) -> Bar:
    """A bar that opens and closes at 100."""
    return Bar(minute * MINUTE, (minute + 1) * MINUTE, 100_00, high * 100, low * 100, 100_00, 10_000)


def main() -> list[str]:
    """The events of a bracket whose last bar touches both exits: the worse one fills."""
    account = SimulatedAccount(margin(1), {"USD": Decimal(10_000)}, instruments=[APPLE])
    account.on_bar("AAPL", bar(0, 99, 101))
    events = account.submit_list(bracket(10, stop=95, target=105), MINUTE)
    for minute, (low, high) in enumerate([(99, 101), (98, 103), (94, 106)], start=1):
        events += account.on_bar("AAPL", bar(minute, low, high))
    return [
        f"{account.book.record(event.order_id).order.client_order_id} {event.state.value} {event.detail}".rstrip()
        for event in events
    ]


if __name__ == "__main__":
    print("\n".join(main()))

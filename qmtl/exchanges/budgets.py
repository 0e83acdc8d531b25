"""One rate limit for all processes that call an exchange, with a reserve that history can never use up.

    budget = RequestBudget(bus, clock, "binance", egress="203.0.113.7", account="main")
    await budget.request(Purpose.HISTORY, weight=2, timeout_s=30)     # leaves the reserve alone
    await budget.order(Purpose.CANCEL, timeout_s=5)                   # may use all there is

Weight is counted by egress address, as exchanges do, orders by account. What the exchange says it has counted is
adopted; after a 429 or 418 nobody calls it until the time it named.
"""

from __future__ import annotations

from enum import Enum

from controlbus.bus import Bus
from qmtl.core.clock import Clock
from qmtl.exchanges.published import ExchangeLimits, published_limits


class Purpose(Enum):
    """What a call is for; it decides who may use the reserve."""

    HISTORY = "HISTORY"
    MARKET_DATA = "MARKET_DATA"
    INCREASE = "INCREASE"
    REDUCE = "REDUCE"
    CANCEL = "CANCEL"
    QUERY = "QUERY"
    RECONCILE = "RECONCILE"

    @property
    def reserves(self) -> int:
        """How many times the reserve it leaves alone: none for what takes risk away or asks what became of an order,
        twice for comparisons and history, which can wait, so that new orders and live bars have room of their own.
        """
        if self in (Purpose.REDUCE, Purpose.CANCEL, Purpose.QUERY):
            return 0
        return 2 if self in (Purpose.RECONCILE, Purpose.HISTORY) else 1


class RequestBudget:
    """The budget of one exchange, egress address and account. Keeps nothing: all of a name share their buckets."""

    def __init__(
        self, bus: Bus, clock: Clock, exchange: str, *, egress: str, account: str, limits: ExchangeLimits | None = None
    ) -> None:
        self._limits = limits or published_limits(exchange)
        self._weight = self._limits.weight.bucket(bus, clock, exchange=exchange, egress=egress)
        self._orders = self._limits.orders.bucket(bus, clock, exchange=exchange, account=account)

    async def request(self, purpose: Purpose, *, weight: int = 1, timeout_s: float) -> None:
        """Wait until a call of so much weight may be made. Raises Exhausted (E_RATE_LIMITED), Unavailable."""
        await self._weight.wait(weight, timeout_s=timeout_s, keep=purpose.reserves * self._limits.weight_reserve)

    async def order(self, purpose: Purpose, *, weight: int = 1, timeout_s: float) -> None:
        """Wait until an order, a change or a cancel may be sent: one of the account's orders, and its call's weight.

        Raises as `request`. Tokens taken for a call that then is not made are lost, never counted twice.
        """
        await self._orders.wait(timeout_s=timeout_s, keep=purpose.reserves * self._limits.orders_reserve)
        await self.request(purpose, weight=weight, timeout_s=timeout_s)

    async def take_orders(self, purpose: Purpose, count: int) -> float:
        """Take so many of the account's orders without waiting: 0.0, else the seconds after which to ask again.

        Raises InvalidRequest for more than the bucket holds, Unavailable.
        """
        return await self._orders.take(count, keep=purpose.reserves * self._limits.orders_reserve)

    async def take_weight(self, purpose: Purpose, weight: int) -> float:
        """Take so much weight without waiting, as `take_orders` does."""
        return await self._weight.take(weight, keep=purpose.reserves * self._limits.weight_reserve)

    async def adopt(self, *, weight_used: int | None = None, orders_used: int | None = None) -> None:
        """Take over what the exchange has counted in its running interval (X-MBX-USED-WEIGHT-1M and its like)."""
        if weight_used is not None:
            await self._weight.adopt(weight_used)
        if orders_used is not None:
            await self._orders.adopt(orders_used)

    async def penalise(self, retry_after_s: float | None = None) -> None:
        """The exchange said 429 or 418: nobody on this egress address calls it for so long, by default a minute."""
        await self._weight.penalise(retry_after_s)

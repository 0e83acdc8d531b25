"""What happens to an order: events with their times, and fills."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import currency_scale
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.states import EventKind, FillFlag, OrderState
from qmtl.core.decimals import from_scaled
from qmtl.core.fast_init import fast_init


class Liquidity(Enum):
    MAKER = "MAKER"
    TAKER = "TAKER"


@fast_init
@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `fee` is in `fee_currency` at its scale; in coins that are traded it reduces what is received."""

    trade_id: str
    quantity: int
    price: int
    fee: int
    fee_currency: str
    liquidity: Liquidity
    venue_ns: int


def fee_decimal(instrument: Instrument, fill: Fill) -> Decimal:
    """The fee of a fill in its currency: coins that are traded at their scale, any other at its own."""
    if instrument.withholds(fill.fee_currency):
        return instrument.quantity_decimal(fill.fee)
    return from_scaled(fill.fee, currency_scale(fill.fee_currency))


@fast_init
@dataclass(frozen=True, slots=True)
class WorkedTerms:
    """What of an order can change while it works, in scaled integers. `worst`: the worst price it can trade at."""

    quantity: int
    limit: int | None
    stop: int | None
    expire_ns: int | None
    worst: int = 0


@fast_init
@dataclass(frozen=True, slots=True)
class EventTime:
    """When something happened by the venue's time and when we learned of it; in a backtest the two are one."""

    at_ns: int
    received_ns: int


@fast_init
@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One row of an order's history. `at_ns` is the venue's time, `received_ns` ours; `state` is after the event.

    `quantity`, `limit`, `stop`, `expire_ns` and `worst` are set on INITIALIZED and UPDATED, where they are worked from
    then on, and on PENDING_UPDATE, where they are asked for. `booked` is what a fill of a netted order brought each of
    its shares, signed; it follows from the fills, and is not stored.
    """

    order_id: str
    seq: int
    kind: EventKind
    at_ns: int
    received_ns: int
    state: OrderState = OrderState.INITIALIZED
    cumulative: int = 0
    fill: Fill | None = None
    denial: Denial | None = None
    detail: str = ""
    flag: FillFlag | None = None
    quantity: int = 0
    limit: int | None = None
    stop: int | None = None
    expire_ns: int | None = None
    unresolved: bool = False
    worst: int = 0
    booked: tuple[int, ...] = ()

    @property
    def terms(self) -> WorkedTerms:
        """The terms of an event that has some."""
        return WorkedTerms(self.quantity, self.limit, self.stop, self.expire_ns, self.worst)

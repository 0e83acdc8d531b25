"""What open orders come to, kept as sums: so that taking one more order costs the same however many are open.

A sum is over one side of one strategy's open orders in one symbol. Exposure counts what they may still become: every
open buy filled, or every open sell, whichever is worse, valued at the mark. What orders hold of the account's money is
valued at the worst price each of them can trade at.
"""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.instrument import Instrument
from brokerage.domain.money import RATE_ONE, divide, fit
from brokerage.domain.orders import OrderRecord, Side
from brokerage.domain.profile import BrokerageProfile, BuyingPower
from brokerage.domain.states import OrderType


@dataclass(frozen=True, slots=True)
class Working:
    """Open orders of one side: how many, their unfilled quantity, how much of it is reduce-only, and of those that take
    money (`taking` of them) the notional at their worst price and the quantity that has none and is valued at the mark.
    """

    orders: int = 0
    quantity: int = 0
    taking: int = 0
    priced: int = 0
    unpriced: int = 0
    reducing: int = 0

    def reach(self, side: Side, held: int) -> int:
        """How far they may move a position."""
        return reach(side, held, self.quantity, self.reducing)

    def __add__(self, other: Working) -> Working:
        return Working(
            self.orders + other.orders,
            fit(self.quantity + other.quantity, "working quantity"),
            self.taking + other.taking,
            fit(self.priced + other.priced, "working notional"),
            fit(self.unpriced + other.unpriced, "working quantity"),
            self.reducing + other.reducing,
        )

    def __sub__(self, other: Working) -> Working:
        return Working(
            self.orders - other.orders,
            self.quantity - other.quantity,
            self.taking - other.taking,
            self.priced - other.priced,
            self.unpriced - other.unpriced,
            self.reducing - other.reducing,
        )


IDLE = Working()


def reach(side: Side, held: int, quantity: int, reducing: int) -> int:
    """How far orders of one side may move a position: their reduce-only part takes off what is held, and no more."""
    return quantity - reducing + min(reducing, max(-held * side.sign, 0))


def working_of(record: OrderRecord | None) -> Working:
    """What one order adds to the sum of its side. A stop that was let go is a market order: it has no price."""
    if record is None or record.closed or record.instrument is None:
        return IDLE
    left, price = record.remaining, record.worst or record.limit or record.stop
    if record.order.reduce_only:
        return Working(1, left, reducing=left)
    if price is None or (record.triggered and record.order.type is OrderType.STOP_MARKET):
        return Working(1, left, 1, 0, left)
    return Working(1, left, 1, record.instrument.notional(price, left))


def committed(buys: Working, sells: Working, instrument: Instrument, profile: BrokerageProfile, mark: int) -> int:
    """Quote currency that open orders may still consume: what later orders must leave free.

    In the cash model only buys consume. In the margin model both sides do; that opposite orders cannot both add risk
    is not credited, which errs to the safe side. One unit per order covers the rounding of its fee.
    """
    taking = buys if profile.buying_power is BuyingPower.CASH else buys + sells
    if not taking.taking:
        return 0
    notional = taking.priced + instrument.notional(mark, taking.unpriced)
    leverage = profile.leverage if profile.buying_power is BuyingPower.MARGIN else 1
    fees = divide(notional * max(profile.fee.maker, profile.fee.taker), RATE_ONE) + taking.taking
    return fit(-(-notional // leverage) + fees, "commitment")


@dataclass(frozen=True, slots=True)
class Exposure:
    """Worth of a part of a book in quote currency: `gross` at worst, `long` were all buys filled, `short` all sells."""

    gross: int = 0
    long: int = 0
    short: int = 0

    def __add__(self, other: Exposure) -> Exposure:
        return Exposure(self.gross + other.gross, self.long + other.long, self.short + other.short)


NONE = Exposure()


def exposure_of(instrument: Instrument, mark: int, held: int, buys: int, sells: int) -> Exposure:
    """Exposure of one strategy's position with its open orders in one symbol."""
    up, down = instrument.notional(mark, held + buys), instrument.notional(mark, held - sells)
    return Exposure(max(abs(up), abs(down)), up, down)


@dataclass(frozen=True, slots=True)
class Around:
    """What stands beside one strategy's desk: the rest of its account and the other accounts of its world.

    `equity` is the account's beside the desk's own ledger. A `world` that is None is not known or cannot be valued: it
    is over every limit there is.
    """

    equity: int = 0
    account: Exposure = NONE
    world: Exposure | None = NONE
    circuit_open: bool = False


ALONE = Around()

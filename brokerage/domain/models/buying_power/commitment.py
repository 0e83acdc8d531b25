"""What an order takes of an account's money, and what open orders hold of it."""

from __future__ import annotations

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.money import RATE_ONE, divide, fit
from brokerage.domain.orders.totals import OpenOrderTotals


def committed(
    buys: OpenOrderTotals, sells: OpenOrderTotals, instrument: Instrument, profile: BrokerageProfile, mark: int
) -> int:
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


def needed(instrument: Instrument, profile: BrokerageProfile, price: int, quantity: int) -> int:
    """Quote currency that opening `quantity` at `price` takes: notional / leverage and the fee."""
    notional = instrument.notional(price, quantity)
    leverage = profile.leverage if profile.buying_power is BuyingPower.MARGIN else 1
    return fit(-(-notional // leverage) + profile.fee.estimate(notional), "commitment")

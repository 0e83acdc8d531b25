"""A brokerage profile: the fees, slippage, participation and buying power that orders meet in simulation.

One profile drives local backtests and the paper venue alike. Rates are integers of 1e-8 (see money.RATE_SCALE).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from enum import Enum

from brokerage.domain.instrument import Instrument
from brokerage.domain.money import LIMIT_SCALE, RATE_ONE, RATE_SCALE, divide, fit
from brokerage.domain.orders import Liquidity, Side
from qmtl.core.decimals import INT64_MAX, parse_decimal, to_scaled
from qmtl.core.limits import UNLIMITED, RiskLimits

HOUR_NS = 3_600_000_000_000

_AMOUNTS = (
    "order_notional_max",
    "position_notional_max",
    "account_gross_max",
    "account_net_max",
    "world_gross_max",
    "world_net_max",
)
NOTHING = -1
"""A limit that lets nothing be added: less than one unit of a currency must not read as no limit."""


def rate(text: str) -> int:
    """A rate written as a plain decimal: rate("0.001") is 0.1 %."""
    return to_scaled(parse_decimal(text, "rate"), RATE_SCALE)


class FeeCurrency(Enum):
    QUOTE = "QUOTE"
    BASE_ON_BUY = "BASE_ON_BUY"


@dataclass(frozen=True, slots=True)
class PercentFee:
    """A share of the notional, half to even at the fee currency's scale.

    BASE_ON_BUY charges buys in what was bought, as Binance spot does: a fee in base reduces the quantity received.
    """

    maker: int = 100_000
    taker: int = 100_000
    currency: FeeCurrency = FeeCurrency.QUOTE

    def charge(
        self, instrument: Instrument, side: Side, quantity: int, notional: int, liquidity: Liquidity
    ) -> tuple[int, str]:
        """The fee and its currency. A base fee is at the instrument's quantity scale."""
        share = self.maker if liquidity is Liquidity.MAKER else self.taker
        if self.currency is FeeCurrency.BASE_ON_BUY and side is Side.BUY:
            return divide(quantity * share, RATE_ONE), instrument.base
        return divide(notional * share, RATE_ONE), instrument.quote

    def estimate(self, notional: int) -> int:
        """An upper bound of the fee on a notional, in quote currency, for reservations."""
        return divide(notional * max(self.maker, self.taker), RATE_ONE) + 1


class BuyingPower(Enum):
    """CASH: no shorting, buys are paid in full. MARGIN: notional / leverage is held against equity."""

    CASH = "CASH"
    MARGIN = "MARGIN"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the pre-trade check, a house's own or tightened by a world's. 0 means no limit; NOTHING may stand for a
    notional; a stale price is one older than `price_age_max_ns`.

    Amounts are in the account's currency at LIMIT_SCALE, `leverage_max` (gross exposure / equity) and `drawdown_max`
    (share of the highest equity) are rates. Gross and net count positions and open orders at their worst, at the mark.
    """

    open_orders_max: int = 1_000
    order_notional_max: int = 0
    price_age_max_ns: int = HOUR_NS
    orders_per_s_max: int = 0
    position_notional_max: int = 0
    leverage_max: int = 0
    account_gross_max: int = 0
    account_net_max: int = 0
    world_gross_max: int = 0
    world_net_max: int = 0
    drawdown_max: int = 0


@dataclass(frozen=True, slots=True)
class BrokerageProfile:
    """Reality as assumed. `participation` caps a strategy's fills in a bar by its volume; 0 fills in full."""

    fee: PercentFee = field(default_factory=PercentFee)
    slippage: int = 0
    participation: int = 10_000_000
    buying_power: BuyingPower = BuyingPower.CASH
    leverage: int = 1
    limits: Limits = field(default_factory=Limits)

    def slipped(self, instrument: Instrument, side: Side, price: int) -> int:
        """`price` moved against the trader by the slippage rate, outward to a tick."""
        if not self.slippage:
            return price
        tick = instrument.tick
        slip = -(-price * self.slippage // (RATE_ONE * tick)) * tick
        return max(fit(price + side.sign * slip, "slipped price"), tick)


def tightened(profile: BrokerageProfile, world: RiskLimits, side: Side, scale: int) -> BrokerageProfile:
    """The profile under the tighter of each house limit and its world's, as they bind an order of one side.

    `scale` is the places of the currency the order is valued in.
    """
    if world == UNLIMITED and scale == LIMIT_SCALE:
        return profile
    house, position = at_scale(profile.limits, scale), _of_side(world, side)
    limits = replace(
        house,
        order_notional_max=_tighter(house.order_notional_max, world.order_notional_max, scale),
        position_notional_max=_tighter(house.position_notional_max, position, scale),
        world_gross_max=_tighter(house.world_gross_max, world.gross_notional_max, scale),
        world_net_max=_tighter(house.world_net_max, world.net_notional_max, scale),
    )
    return replace(profile, limits=limits)


def at_scale(limits: Limits, scale: int) -> Limits:
    """House limits in units of the currency an order is valued in, rounded down; a small one does not become none."""
    if scale == LIMIT_SCALE:
        return limits
    unit = 10 ** (LIMIT_SCALE - scale)
    given = {name: amount for name, amount in asdict(limits).items() if name in _AMOUNTS and amount}
    return replace(limits, **{name: amount // unit or NOTHING for name, amount in given.items()})


def spans_accounts(house: Limits, world: RiskLimits) -> bool:
    """Whether a limit is over all accounts of a world: an order then has to know them all and to hold them still."""
    return bool(house.world_gross_max or house.world_net_max or world.gross_notional_max or world.net_notional_max)


def _of_side(world: RiskLimits, side: Side) -> Decimal | None:
    return world.long_notional_max if side is Side.BUY else world.short_notional_max


def _tighter(house: int, world: Decimal | None, scale: int) -> int:
    if world is None:
        return house
    numerator, denominator = world.as_integer_ratio()  # exact: arithmetic of Decimals would round up at 28 digits
    units = min(numerator * 10**scale // denominator, INT64_MAX) or NOTHING
    return min(house, units) if house else units


def spot(fee: str = "0.001", *, slippage: str = "0", participation: str = "0.1") -> BrokerageProfile:
    """Spot trading paid in full: percent fee both ways, no shorting."""
    return BrokerageProfile(
        fee=PercentFee(rate(fee), rate(fee)), slippage=rate(slippage), participation=rate(participation)
    )


def margin(
    leverage: int = 1, fee: str = "0.001", *, slippage: str = "0", participation: str = "0.1"
) -> BrokerageProfile:
    """Margin trading: shorts allowed, notional / leverage held against equity."""
    return BrokerageProfile(
        fee=PercentFee(rate(fee), rate(fee)),
        slippage=rate(slippage),
        participation=rate(participation),
        buying_power=BuyingPower.MARGIN,
        leverage=leverage,
    )

"""Fees per contract: futures by their root symbol, options by premium and monthly contracts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fees.model import Execution, NoShareOfValue, SameForEveryVolume
from brokerage.domain.money import RATE_ONE, currency_scale, divide
from qmtl.core.errors import Conflict

_DATED = re.compile(r"(?P<root>[A-Z0-9]+?)[FGHJKMNQUVXZ][0-9]{1,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ContractRates:
    """What one contract costs to trade once: the broker's part and the exchange's, in 1e-8 of `currency`."""

    commission: int
    exchange: int
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class ContractFee(NoShareOfValue, SameForEveryVolume):
    """fee = contracts x (commission + exchange + regulatory), by the root symbol of the contract, else the default.

    The root is the symbol itself, or what stands before the letter of the month and the digits of the year (ESZ6).
    """

    rates_of: Mapping[str, ContractRates]
    default: ContractRates
    regulatory: int

    def charge(self, execution: Execution) -> tuple[int, str]:
        """The fee of the fill. Raises Conflict (E_FEE_CURRENCY_UNKNOWN) where it is not in the quote currency."""
        return self._amount(execution.instrument, execution.quantity), execution.instrument.quote

    def bound(self, instrument: Instrument, notional: int, quantity: int, orders: int = 1) -> int:
        """Every contract charged."""
        return self._amount(instrument, quantity) + orders

    def _amount(self, instrument: Instrument, quantity: int) -> int:
        found = self.rates_of.get(instrument.symbol) or self.rates_of.get(root_of(instrument.symbol), self.default)
        if found.currency != instrument.quote:
            raise Conflict(
                "E_FEE_CURRENCY_UNKNOWN", f"fee of {instrument.symbol} is in {found.currency}, want {instrument.quote}"
            )
        each = found.commission + found.exchange + self.regulatory
        return divide(
            each * quantity * 10 ** currency_scale(instrument.quote), RATE_ONE * 10**instrument.quantity_scale
        )


def root_of(symbol: str) -> str:
    """The root of a dated contract's symbol; any other symbol is its own root."""
    dated = _DATED.fullmatch(symbol)
    return dated["root"] if dated else symbol


@dataclass(frozen=True, slots=True)
class PremiumRate:
    """Commission a contract from a premium on (`from_premium` included), both in 1e-8 of the currency."""

    from_premium: int
    rate: int


@dataclass(frozen=True, slots=True)
class OptionTier:
    """Rates by premium, for contracts of a month up to `to_contracts` (0: all further). Rates are in falling order of
    premium, the last holds from 0 on.
    """

    to_contracts: int
    by_premium: tuple[PremiumRate, ...]


def option_commission(tiers: tuple[OptionTier, ...], contracts: int, premium: int, monthly: int, minimum: int) -> int:
    """fee = max(contracts x rate, minimum) in 1e-8 of the currency, the rate by the month's contracts and the premium.

    `premium` is the order's price; for an order without one the bid of a purchase and the ask of a sale, in 1e-8.
    `monthly` counts the month's contracts before the order. Source: QuantConnect Lean, InteractiveBrokersFeeModel.
    """
    tier = next(tier for tier in tiers if not tier.to_contracts or monthly <= tier.to_contracts)
    rate = next(row.rate for row in tier.by_premium if premium >= row.from_premium)
    return max(contracts * rate, minimum)

"""Interactive Brokers: shares, futures and currency, by its own tables."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from brokerage.domain.market.instrument import AssetClass
from brokerage.domain.models.buying_power.margins import DayTraderMargins, Margins, RateMargins
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.fees.composite import CompositeFee
from brokerage.domain.models.fees.tables import ibkr
from brokerage.domain.models.financing import IBKR_LOANS, LoanRates
from brokerage.domain.models.profile import BrokerageProfile


class SharePlan(Enum):
    """IBKR Pro's two plans for shares, and the fixed one as QuantConnect Lean computes it."""

    FIXED = "FIXED"
    TIERED = "TIERED"
    LEAN_PARITY = "LEAN_PARITY"


_PLANS = {
    SharePlan.FIXED: ibkr.FIXED,
    SharePlan.TIERED: ibkr.tiered_all_in(),
    SharePlan.LEAN_PARITY: ibkr.LEAN_FIXED,
}


def ibkr_equities(
    plan: SharePlan = SharePlan.FIXED,
    *,
    leverage: int = 2,
    margins: Margins | None = None,
    regulatory: bool = False,
    known_rates_only: bool = False,
) -> BrokerageProfile:
    """US shares on a margin account: twice the equity, or by `margins`: `RateMargins()` of Regulation T and FINRA,
    `DayTraderMargins()`.

    `known_rates_only` refuses interest of days beyond the benchmark's table, which is else assumed and told.
    `regulatory` adds the SEC's, FINRA's and the audit trail's fees; their table begins on 2018-05-22.
    """
    fee = CompositeFee((_PLANS[plan], ibkr.REGULATORY)) if regulatory else _PLANS[plan]
    return BrokerageProfile(
        fee=fee,
        buying_power=BuyingPower.MARGIN,
        leverage=leverage,
        margins=margins,
        name="ibkr_equities",
        shares_settle_later=True,
        loans=known_loans() if known_rates_only else IBKR_LOANS,
        asset_classes=frozenset({AssetClass.EQUITY}),
    )


def known_loans() -> dict[str, LoanRates]:
    """IBKR's loans, refused on days whose benchmark is not known."""
    return {currency: replace(rates, refuses=True) for currency, rates in IBKR_LOANS.items()}


def ibkr_reg_t() -> BrokerageProfile:
    """US shares at the margins of Regulation T and FINRA: half to open, 25 % of longs and 30 % of shorts to keep."""
    return replace(ibkr_equities(margins=RateMargins()), name="ibkr_reg_t")


def ibkr_day_trader() -> BrokerageProfile:
    """US shares for a pattern day trader: four times the equity, twice from ten minutes before the close on."""
    return replace(ibkr_equities(leverage=4, margins=DayTraderMargins()), name="ibkr_day_trader")


def ibkr_futures(*, leverage: int = 10, margins: Margins | None = None) -> BrokerageProfile:
    """Futures in USD by contract. Their margin is set by contract and changes: `margins` are `ContractMargins` of the
    caller; without them the leverage is an assumption.
    """
    return BrokerageProfile(
        fee=ibkr.FUTURES,
        buying_power=BuyingPower.MARGIN,
        leverage=leverage,
        margins=margins,
        name="ibkr_futures",
        loans=IBKR_LOANS,
        asset_classes=frozenset({AssetClass.FUTURE}),
    )


def ibkr_fx(*, leverage: int = 20) -> BrokerageProfile:
    """Spot currency with USD on one side, tiered by the month's value with a minimum an order."""
    return BrokerageProfile(
        fee=ibkr.FOREX,
        buying_power=BuyingPower.MARGIN,
        leverage=leverage,
        name="ibkr_fx",
        asset_classes=frozenset({AssetClass.FOREX}),
    )

"""Interactive Brokers' schedules in USD: shares (fixed, tiered), futures, options, currency, and what is passed on."""

from __future__ import annotations

from datetime import UTC, datetime

from brokerage.domain.models.fees.composite import CompositeFee, Surcharge
from brokerage.domain.models.fees.contracts import ContractFee, ContractRates, OptionTier, PremiumRate
from brokerage.domain.models.fees.forex import BASIS_POINT, ForexFee, ForexTier
from brokerage.domain.models.fees.model import FeeModel
from brokerage.domain.models.fees.regulatory import SaleFee, ShareLevy
from brokerage.domain.models.fees.shares import PerShareFee, ShareTier
from brokerage.domain.models.source import Dated, TableSource
from brokerage.domain.money import rate
from qmtl.core.instants import to_ns

STOCKS = TableSource(
    "Commissions Stocks | Interactive Brokers U.K. Limited",
    "https://www.interactivebrokers.co.uk/en/pricing/commissions-stocks.php?re=amer",
    "2024-05-22 to 2025-05-13, by the SEC rate it shows",
)
LEAN = TableSource(
    "QuantConnect Lean, InteractiveBrokersFeeModel", "https://github.com/QuantConnect/Lean", "2025, as restated"
)
OPTIONS_PAGE = TableSource(
    "Commissions Options | Interactive Brokers Canada",
    "https://www.interactivebrokers.ca/en/pricing/commissions-options.php?re=amer",
    "2023-02-27 to 2024-05-21, by the SEC rate it shows; a copy with the rate of 2024-05-22 has the same table",
)
SEC = TableSource(
    "SEC fee rate advisories, Section 31 transaction fee",
    "https://www.sec.gov/rules-regulations/fee-rate-advisories",
    "2025-05-14",
)

_CENT = rate("0.01")

FIXED = PerShareFee((ShareTier(0, rate("0.005")),), rate("1"), cap=rate("0.01"), fraction_minimum=_CENT)
"""0.005 a share, at least 1.00, at most 1 % of the value. Source: STOCKS."""

LEAN_FIXED = PerShareFee((ShareTier(0, rate("0.005")),), rate("1"), cap=rate("0.005"), minimum_wins=True)
"""0.005 a share, at most 0.5 % of the value, at least 1.00 whatever the cap. Source: LEAN."""

TIERED = PerShareFee(
    (
        ShareTier(0, rate("0.0035")),
        ShareTier(300_000, rate("0.002")),
        ShareTier(3_000_000, rate("0.0015")),
        ShareTier(20_000_000, rate("0.001")),
        ShareTier(100_000_000, rate("0.0005")),
    ),
    rate("0.35"),
    cap=rate("0.01"),
    fraction_minimum=_CENT,
)
"""Marginal in the month's shares, at least 0.35, at most 1 % of the value; exchange fees are apart. Source: STOCKS."""

INDIA = PerShareFee((ShareTier(0, rate("0.01")),), rate("6"), cap=rate("20"), minimum_wins=True)
"""0.01 a share, at least 6, at most 20 times the value: the cap never binds. Source: LEAN."""


def _from(year: int, month: int, day: int, per_million: str) -> Dated[int]:
    return Dated(to_ns(datetime(year, month, day, tzinfo=UTC)), rate(per_million) // 1_000_000)


SECTION_31 = SaleFee(
    "sec_section_31",
    (
        _from(2018, 5, 22, "13"),
        _from(2019, 4, 16, "20.7"),
        _from(2020, 2, 18, "22.1"),
        _from(2021, 2, 25, "5.1"),
        _from(2022, 5, 14, "22.9"),
        _from(2023, 2, 27, "8"),
        _from(2024, 5, 22, "27.8"),
        _from(2025, 5, 14, "0"),
    ),
)
"""USD a million sold, by the day it began. Source: SEC; later rates are not in the table."""

REGULATORY = CompositeFee(
    (
        SECTION_31,
        ShareLevy(rate("0.000166"), cap=rate("8.30"), sales_only=True),
        ShareLevy(rate("0.000072")),
    )
)
"""Section 31, FINRA's trading activity fee (sales, at most 8.30 a trade), the audit trail's fee. Source: STOCKS."""

CLEARING = ShareLevy(rate("0.0002"))
"""NSCC and DTC, 0.0002 a share, under the tiered plan. Source: STOCKS."""

PASS_THROUGH = (rate("0.000175"), rate("0.000563"))
"""Shares of the commission passed through for NYSE and FINRA under the tiered plan. Source: STOCKS."""


def tiered_all_in() -> FeeModel:
    """The tiered plan with clearing and pass-through fees; exchange fees depend on the route and are not in it."""
    passed = tuple(Surcharge(TIERED, share) for share in PASS_THROUGH)
    return CompositeFee((TIERED, CLEARING, *passed))


FOREX = ForexFee(
    (
        ForexTier(0, 20 * BASIS_POINT // 100, rate("2")),
        ForexTier(rate("1000000000"), 15 * BASIS_POINT // 100, rate("1.5")),
        ForexTier(rate("2000000000"), 10 * BASIS_POINT // 100, rate("1.25")),
        ForexTier(rate("5000000000"), 8 * BASIS_POINT // 100, rate("1")),
    )
)
"""0.20 to 0.08 basis points by the month's USD value, at least 2, 1.50, 1.25, 1 USD an order. Source: LEAN."""


def _same(symbols: str, commission: str, exchange: str) -> dict[str, ContractRates]:
    return {symbol: ContractRates(rate(commission), rate(exchange)) for symbol in symbols.split()}


FUTURES = ContractFee(
    {
        **_same("ES NQ YM RTY EMD", "0.85", "1.28"),
        **_same("MYM M2K MES MNQ 2YY 5YY 10Y 30Y MCL MGC SIL", "0.25", "0.30"),
        **_same("BTC", "5", "6"),
        **_same("MBT MIB", "2.25", "2.5"),
        **_same("ETH", "3", "4"),
        **_same("MET MRB", "0.20", "0.20"),
        **_same("E7 J7", "0.50", "0.85"),
        **_same("M6E M6A M6B MCD MJY MSF M6J MIR M6C M6S MNH", "0.15", "0.24"),
    },
    ContractRates(rate("0.85"), rate("1.60")),
    rate("0.02"),
)
"""Commission and exchange fee a contract, and 0.02 of regulatory fee; 0.85 and 1.60 by default. Source: LEAN."""

FUTURE_OPTIONS = ContractFee(
    {
        **_same("ES NQ YM RTY EMD", "0.85", "0.55"),
        **_same("MYM M2K MES MNQ 2YY 5YY 10Y 30Y MCL MGC SIL", "0.25", "0.20"),
        **_same("BTC", "5", "5"),
        **_same("MBT MIB", "1.25", "2.5"),
        **_same("ETH", "3", "4"),
        **_same("MET MRB", "0.10", "0.20"),
    },
    ContractRates(rate("0.85"), rate("1.60")),
    rate("0.02"),
)
"""The same for options on futures, by the root of the future. Source: LEAN."""

OPTIONS = (
    OptionTier(
        10_000,
        (
            PremiumRate(rate("0.10"), rate("0.65")),
            PremiumRate(rate("0.05"), rate("0.50")),
            PremiumRate(0, rate("0.25")),
        ),
    ),
    OptionTier(50_000, (PremiumRate(rate("0.05"), rate("0.50")), PremiumRate(0, rate("0.25")))),
    OptionTier(100_000, (PremiumRate(0, rate("0.25")),)),
    OptionTier(0, (PremiumRate(0, rate("0.15")),)),
)
"""Smart-routed US options, tiered plan: commission a contract by the month's contracts and the premium, for
`option_commission`. Without exchange, clearing and regulatory fees, which come on top. Source: OPTIONS_PAGE, which LEAN
has too; that the month's contracts before an order set the tier of all of it is LEAN's.
"""

OPTION_MINIMUM = rate("1")

"""Maker and taker rates of crypto venues by the volume of 30 days in USD; what is traded in other currencies does not
count here (see `fees/volumes`), though the venues convert it.
"""

from __future__ import annotations

from brokerage.domain.models.fees.percent import FeeCurrency, PercentFee, TieredPercentFee, VolumeTier
from brokerage.domain.models.source import TableSource
from brokerage.domain.money import rate

BITFINEX_PAGE = TableSource(
    "Bitfinex: Fees, order execution",
    "https://www.bitfinex.com/securities/fees/",
    "a copy without a date, read 2026-11",
)
KRAKEN_PAIRS = TableSource(
    "Kraken: fees and fees_maker of a pair, as the exchange answers AssetPairs",
    "https://api.kraken.com/0/public/AssetPairs",
    "copies of answers kept in public repositories, read 2026-11: older with nine tiers, later with ten",
)
COINBASE_PAGE = TableSource(
    "Coinbase Exchange: Exchange fees",
    "https://help.coinbase.com/en/exchange/trading-and-funding/exchange-fees",
    "a copy without a date, read 2026-11",
)


def _tiers(currency: FeeCurrency, rows: str) -> TieredPercentFee:
    """A table written as `from volume in USD, maker, taker` in percent, a row each line."""
    written = [line.split() for line in rows.splitlines() if line.strip()]
    made = [(int(volume) * 10**8, rate(maker) // 100, rate(taker) // 100) for volume, maker, taker in written]
    return TieredPercentFee(
        tuple(VolumeTier(volume, PercentFee(maker, taker, currency)) for volume, maker, taker in made), "USD"
    )


BITFINEX_SPOT = _tiers(
    FeeCurrency.BASE_ON_BUY,
    """
    0           0.10 0.200
    500000      0.08 0.200
    1000000     0.06 0.200
    2500000     0.04 0.200
    5000000     0.02 0.200
    7500000     0    0.200
    10000000    0    0.180
    15000000    0    0.160
    20000000    0    0.140
    25000000    0    0.120
    30000000    0    0.100
    300000000   0    0.090
    1000000000  0    0.085
    3000000000  0    0.075
    10000000000 0    0.060
    30000000000 0    0.055
    """,
)
"""Without the discounts of who holds LEO; purchases pay in what they buy. Source: BITFINEX_PAGE."""

KRAKEN_SPOT = _tiers(
    FeeCurrency.QUOTE,
    """
    0        0.25 0.40
    10000    0.20 0.35
    50000    0.14 0.24
    100000   0.12 0.22
    250000   0.10 0.20
    500000   0.08 0.18
    1000000  0.06 0.16
    2500000  0.04 0.14
    5000000  0.02 0.12
    10000000 0    0.10
    """,
)
"""The later table. Fees in quote currency, as `kraken_spot` takes them. Source: KRAKEN_PAIRS."""

KRAKEN_SPOT_FORMER = _tiers(
    FeeCurrency.QUOTE,
    """
    0        0.16 0.26
    50000    0.14 0.24
    100000   0.12 0.22
    250000   0.10 0.20
    500000   0.08 0.18
    1000000  0.06 0.16
    2500000  0.04 0.14
    5000000  0.02 0.12
    10000000 0    0.10
    """,
)
"""The older table, whose first tier is `crypto.KRAKEN_SPOT`; when it changed was not found. Source: KRAKEN_PAIRS."""

COINBASE_SPOT = _tiers(
    FeeCurrency.QUOTE,
    """
    0         0.40 0.60
    10000     0.25 0.40
    50000     0.15 0.25
    100000    0.10 0.20
    1000000   0.08 0.18
    15000000  0.06 0.16
    75000000  0.03 0.12
    250000000 0    0.08
    400000000 0    0.05
    """,
)
"""Coinbase Exchange; the venue goes by the tier when an order is placed, this by that before each fill. Volume in pairs
of stable currencies, which the venue leaves out, counts here. Source: COINBASE_PAGE.
"""

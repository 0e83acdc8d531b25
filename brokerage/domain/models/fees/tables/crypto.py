"""Maker and taker rates of crypto venues for an account without volume, and Coinbase's by their time."""

from __future__ import annotations

from datetime import UTC, datetime

from brokerage.domain.models.fees.percent import DatedPercentFee, FeeCurrency, PercentFee
from brokerage.domain.models.source import Dated, TableSource
from brokerage.domain.money import rate
from qmtl.core.instants import to_ns

LEAN = TableSource(
    "QuantConnect Lean, fee models by venue", "https://github.com/QuantConnect/Lean", "2025, as restated"
)
BINANCE_USDM_PAGE = TableSource(
    "Binance Square: Binance Futures trading fees",
    "https://www.binance.bh/sl/square/post/323489449119810",
    "2025; of the range it gives for takers the higher end",
)

BINANCE_SPOT = PercentFee(rate("0.001"), rate("0.001"), FeeCurrency.BASE_ON_BUY)
"""0.1 % and 0.1 %, purchases pay in what they buy. Source: LEAN."""

BINANCE_USDM = PercentFee(rate("0.0002"), rate("0.0005"))
"""0.02 % and 0.05 % of regular users. Source: BINANCE_USDM_PAGE."""

BITFINEX_SPOT = PercentFee(rate("0.001"), rate("0.002"), FeeCurrency.BASE_ON_BUY)
"""0.1 % and 0.2 %, purchases pay in what they buy. Source: LEAN."""

KRAKEN_SPOT = PercentFee(rate("0.0016"), rate("0.0026"))
"""0.16 % and 0.26 %. Source: LEAN."""

KRAKEN_SPOT_STABLE = PercentFee(rate("0.002"), rate("0.002"))
"""0.2 % for pairs whose base is a fiat or stable currency. Source: LEAN."""

COINBASE_SPOT_STABLE = PercentFee(0, rate("0.00001"))
"""0 and 0.001 % for pairs of two stable currencies. Source: LEAN."""


def _from(*moment: int, maker: str, taker: str) -> Dated[PercentFee]:
    year, month, day, hour, minute = moment
    return Dated(to_ns(datetime(year, month, day, hour, minute, tzinfo=UTC)), PercentFee(rate(maker), rate(taker)))


COINBASE_SPOT = DatedPercentFee(
    "coinbase_spot",
    (
        _from(1970, 1, 1, 0, 0, maker="0", taker="0.003"),
        _from(2019, 3, 23, 1, 30, maker="0.0015", taker="0.0025"),
        _from(2019, 10, 8, 0, 30, maker="0.006", taker="0.008"),
    ),
)
"""0 and 0.3 % before 2019-03-23 01:30Z, 0.15 and 0.25 % before 2019-10-08 00:30Z, then 0.6 and 0.8 %. Source: LEAN."""

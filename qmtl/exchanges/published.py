"""Rate limits that exchanges publish, as data. One that tells its limits in its own info is believed instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controlbus.coordination.token_bucket import Limit
from qmtl.core.errors import NotFound

WEIGHT_KEY = "exchange/{exchange}/egress/{egress}/weight"
ORDERS_KEY = "exchange/{exchange}/account/{account}/orders"


@dataclass(frozen=True, slots=True)
class ExchangeLimits:
    """Request weight by egress address and orders by account, with what is kept of each for the reserve."""

    weight: Limit
    orders: Limit
    weight_reserve: int
    orders_reserve: int


def limits_of(weight: int, weight_s: float, orders: int, orders_s: float, *, reserve: float = 0.2) -> ExchangeLimits:
    """Limits whose buckets hold half an interval's worth at once, a share of it reserved.

    The exchange counts in windows of its own: half at once and the plain rate after it never pass a whole window.
    """
    weight_burst, orders_burst = max(weight // 2, 1), max(orders // 2, 1)
    return ExchangeLimits(
        Limit(WEIGHT_KEY, weight // 2 or 1, weight_s, weight_burst, penalty_s=60.0),
        Limit(ORDERS_KEY, orders // 2 or 1, orders_s, orders_burst, penalty_s=10.0),
        int(weight_burst * reserve),
        int(orders_burst * reserve),
    )


PUBLISHED: Mapping[str, ExchangeLimits] = {
    "binance": limits_of(6_000, 60.0, 100, 10.0),
    "binanceusdm": limits_of(2_400, 60.0, 300, 10.0),
    "kraken": replace(
        limits_of(40, 60.0, 60, 60.0), weight=Limit(WEIGHT_KEY, 30, 60.0, 18, penalty_s=60.0), weight_reserve=3
    ),
}
"""Binance: `rateLimits` of GET /api/v3/exchangeInfo (6,000 weight a minute, 100 orders in 10 s) and of
GET /fapi/v1/exchangeInfo (2,400 weight a minute, 300 orders in 10 s). Kraken: docs.kraken.com, Spot REST rate limits:
of an intermediate account (a counter of 20 that falls by one in two seconds, as the bucket of 18 does, so no window is
halved), and the least of its trading engine's.
"""


def published_limits(exchange: str) -> ExchangeLimits:
    """The limits of an exchange by its ccxt id. Raises NotFound (E_EXCHANGE_LIMITS_UNKNOWN): none is guessed."""
    found = PUBLISHED.get(exchange)
    if found is None:
        raise NotFound(
            "E_EXCHANGE_LIMITS_UNKNOWN",
            f"no rate limits of {exchange[:80]!r} are known",
            hint=f"known are {', '.join(PUBLISHED)}; others are given as ExchangeLimits",
        )
    return found

"""Published limits: no window of an exchange ever sees more than it allows, and nothing is guessed."""

from __future__ import annotations

import pytest

from controlbus.coordination.token_bucket import SECOND_NS, Fill, take
from qmtl.core.errors import NotFound
from qmtl.exchanges.published import PUBLISHED, limits_of, published_limits


@pytest.mark.parametrize(("exchange", "weight", "orders"), [("binance", 6_000, 100), ("binanceusdm", 2_400, 300)])
def test_no_window_holds_more_than_the_exchange_allows(exchange: str, weight: int, orders: int) -> None:
    limits = published_limits(exchange)
    for limit, allowed in ((limits.weight, weight), (limits.orders, orders)):
        fill, now_ns, taken = Fill(), 0, []
        for _ in range(allowed * 3):
            fill, wait_ns = take(limit, fill, now_ns, 1)
            if wait_ns:
                now_ns += wait_ns
                fill, wait_ns = take(limit, fill, now_ns, 1)
            assert wait_ns == 0
            taken.append(now_ns)
        window_ns = int(limit.interval_s * SECOND_NS)
        assert all(taken[i + allowed] - taken[i] >= window_ns for i in range(len(taken) - allowed))


def test_a_fifth_of_a_bucket_is_the_reserve() -> None:
    limits = limits_of(100, 1.0, 10, 1.0)
    assert (limits.weight.burst, limits.weight_reserve, limits.orders.burst, limits.orders_reserve) == (50, 10, 5, 1)
    tiny = limits_of(1, 1.0, 1, 1.0)
    assert (tiny.weight.burst, tiny.weight_reserve, tiny.orders.burst, tiny.orders_reserve) == (1, 0, 1, 0)


def test_an_exchange_whose_limits_are_not_known_is_refused() -> None:
    with pytest.raises(NotFound, match="E_EXCHANGE_LIMITS_UNKNOWN"):
        published_limits("nowhere")
    assert set(PUBLISHED) == {"binance", "binanceusdm", "kraken"}

"""Returns and growth by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.stats.drawdowns import max_drawdown
from qmtl.stats.returns import DAYS_PER_YEAR, Sessions, cagr, daily, returns_of, total_return

DAY_NS = 86_400 * 10**9
HOUR_NS = 3_600 * 10**9


def test_returns_are_quotients_less_one() -> None:
    assert returns_of(np.array([100.0, 110.0, 99.0])).tolist() == pytest.approx([0.1, -0.1])
    assert total_return(np.array([100.0, 90.0, 130.0])) == pytest.approx(0.3)
    assert total_return(np.array([100.0, 130.0])) == pytest.approx(0.3)
    assert math.isnan(total_return(np.array([100.0])))


def test_growth_by_hand() -> None:
    assert cagr(np.array([100.0, 7.0, 121.0]), 2.0) == pytest.approx(0.1)
    assert cagr(np.array([100.0, 200.0]), 0.5) == pytest.approx(3.0)
    assert cagr(np.array([100.0, 121.0]), 2.0) == pytest.approx(0.1)
    assert cagr(np.array([0.5, -3.0, 0.605]), 2.0) == pytest.approx(0.1)  # only the ends count, small as they are
    assert DAYS_PER_YEAR == 365.25  # the Julian year


def test_growth_that_has_no_number() -> None:
    for equity, years in (
        ([100.0], 1.0),
        ([100.0, 121.0], 0.0),
        ([100.0, 121.0], -1.0),
        ([100.0, 0.0], 1.0),
        ([100.0, 50.0, 0.0], 1.0),
        ([100.0, -1.0], 1.0),
        ([0.0, 100.0], 1.0),
        ([-1.0, -2.0], 1.0),
        ([1e-300, 1.0], 1e-300),
    ):
        assert math.isnan(cagr(np.array(equity), years))


def test_a_day_ends_with_its_last_close_and_midnight_is_the_day_before() -> None:
    hours = np.arange(1, 73) * HOUR_NS
    ends, closes = daily(hours, np.arange(1.0, 73.0))
    assert ends.tolist() == [DAY_NS, 2 * DAY_NS, 3 * DAY_NS]
    assert closes.tolist() == [24.0, 48.0, 72.0]
    gap = np.array([DAY_NS, DAY_NS + 1, 5 * DAY_NS - 1])  # one at midnight, one just after it, one four days on
    ends, closes = daily(gap, np.array([1.0, 2.0, 3.0]))
    assert ends.tolist() == [DAY_NS, 2 * DAY_NS, 5 * DAY_NS]
    assert closes.tolist() == [1.0, 2.0, 3.0]


@given(st.lists(st.floats(0.5, 2.0), min_size=2, max_size=50), st.floats(0.1, 1e6))
def test_scale_of_money_changes_no_return(steps: list[float], scale: float) -> None:
    equity = np.cumprod(np.array(steps))
    np.testing.assert_allclose(returns_of(equity), returns_of(equity * scale), rtol=1e-9, atol=1e-12)
    assert max_drawdown(equity) == pytest.approx(max_drawdown(equity * scale))
    assert 0.0 <= max_drawdown(equity) < 1.0


def test_sessions_are_equal_by_their_closes_and_their_number() -> None:
    closes = np.array([1, 2], dtype=np.int64)
    assert Sessions() == Sessions(365.0)
    assert Sessions(252.0, closes) == Sessions(252.0, closes.copy())
    assert hash(Sessions(252.0, closes)) == hash(Sessions(252.0, closes.copy()))
    for other in (
        Sessions(253.0, closes),
        Sessions(252.0),
        Sessions(252.0, closes + 1),
        Sessions(252.0, closes[:0]),
        1,
    ):
        assert Sessions(252.0, closes) != other
    assert Sessions(252.0) != Sessions(252.0, closes[:0])

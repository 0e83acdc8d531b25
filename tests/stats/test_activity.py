"""What a run traded and held, by hand."""

from decimal import Decimal as D

import numpy as np
import pytest

from qmtl.core.fills import FillEvent
from qmtl.stats.activity import activity, costs_of
from qmtl.stats.returns import DAY_NS

TIMES = np.array([0, 365.25 * DAY_NS // 2, 365.25 * DAY_NS], dtype=np.int64)
EQUITY = np.array([90.0, 100.0, 110.0])


def test_activity_by_hand() -> None:
    fills = [
        FillEvent("X", D(2), D(10), D("0.5"), "USD", 0, "1", 0),
        FillEvent("X", D(-2), D(15), D("0.01"), "X", 1, "2", 1),  # 0.01 x 15 x 5
        FillEvent("Y", D(-1), D(30), D(0), "USD", 1, "3", 1),
    ]
    fees, notional = costs_of(fills, "USD", {"X": D(5)})
    assert (fees, notional) == (D("1.25"), D(280))
    found = activity(float(fees), float(notional), 2, TIMES, EQUITY)
    assert found["exposure"] == pytest.approx(2.0 / 3.0)
    assert found["fees_paid"] == pytest.approx(1.25)
    assert found["turnover"] == pytest.approx(2.8)


def test_no_time_and_no_money_turn_nothing_over() -> None:
    assert "turnover" not in activity(0.0, 10.0, 1, TIMES[:1], EQUITY[:1])
    assert "turnover" not in activity(0.0, 10.0, 1, TIMES, np.array([1.0, 0.0, -1.0]))


def test_turnover_is_a_year_s_whenever_the_year_began() -> None:
    since = TIMES * 2 + 50 * 365 * DAY_NS
    assert activity(0.0, 280.0, 2, since, EQUITY)["turnover"] == pytest.approx(1.4)

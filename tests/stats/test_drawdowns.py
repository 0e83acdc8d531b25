"""Drawdowns by hand: from 110 to 99 is a tenth, from 120 to 90 a quarter."""

import math

import numpy as np
import pytest

from qmtl.stats.drawdowns import drawdowns, max_drawdown, ulcer_index

EQUITY = np.array([100.0, 110.0, 99.0, 120.0, 90.0, 130.0])


def test_falls_below_the_peak_by_hand() -> None:
    assert drawdowns(EQUITY).tolist() == pytest.approx([0.0, 0.0, 0.1, 0.0, 0.25, 0.0])
    assert max_drawdown(EQUITY) == pytest.approx(0.25)
    assert ulcer_index(EQUITY) == pytest.approx(100.0 * math.sqrt(0.0725 / 6.0))


def test_no_values_have_no_drawdown() -> None:
    assert math.isnan(max_drawdown(np.array([])))
    assert math.isnan(ulcer_index(np.array([])))
    assert (max_drawdown(np.array([5.0])), ulcer_index(np.array([5.0]))) == (0.0, 0.0)

"""Signals by hand."""

from __future__ import annotations

import numpy as np
import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import StreamInput, signals
from qmtl.sdk.engine.folds import run_fold

PRICE = StreamInput("BTC-USD")


@pytest.mark.parametrize(
    ("leave", "made"),
    [
        (0.0, [0, 1, 1, 1, 0, 0, -1, -1, -1, 0, 0]),
        (0.5, [0, 1, 1, 0, 0, 0, -1, -1, 0, 0, 0]),
        (-0.5, [0, 1, 1, 1, 1, 0, -1, -1, -1, -1, 0]),
    ],
)
def test_a_signal_is_taken_when_strong_and_left_when_weak(leave: float, made: list[int]) -> None:
    scores = [0.9, 1.1, 0.7, 0.0, -0.5, -0.7, -1.2, -0.5, 0.0, 0.5, 0.6]
    fold = signals.trade_signal(PRICE, enter=1.0, leave=leave).fold
    assert run_fold(fold, np.array(scores).reshape(-1, 1)).rows[:, 0].tolist() == made


def test_what_is_left_before_it_is_taken_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="leave"):
        signals.trade_signal(PRICE, enter=1.0, leave=1.1)

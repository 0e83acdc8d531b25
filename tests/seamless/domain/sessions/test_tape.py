"""Bars of several members on one tape: in the order of their closes, at one time in the members' order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seamless.domain.sessions.playback import Tape, merged
from tests.seamless.samples import START, STEP, walk

COARSE = 4 * STEP


def _tape(*numbers: set[int]) -> Tape:
    """A tape of members at one, four and one step, each with bars of these numbers."""
    parts = []
    for kept, interval_ns in zip(map(sorted, numbers), (STEP, COARSE, STEP), strict=True):
        bars = walk(64).take(np.array(kept, dtype=np.intp))
        parts.append((replace(bars, time_ns=START + interval_ns * np.array(kept, dtype=np.int64)), interval_ns))
    return merged(parts)


def _model(fine: set[int], coarse: set[int], again: set[int]) -> list[tuple[int, int, int]]:
    """Close, member and open of every bar, sorted."""
    rows = [(START + (n + 1) * STEP, 0, START + n * STEP) for n in fine]
    rows += [(START + (n + 1) * COARSE, 1, START + n * COARSE) for n in coarse]
    rows += [(START + (n + 1) * STEP, 2, START + n * STEP) for n in again]
    return sorted(rows)


_some = st.sets(st.integers(0, 40), max_size=20)
_few = st.sets(st.integers(0, 10), max_size=6)
_place = st.integers(-1, 45)


@given(_some, _few, _some, _place, _place, st.integers(1, 7))
def test_a_tape_is_the_sorted_bars_of_all_members(
    fine: set[int], coarse: set[int], again: set[int], after: int, until: int, size: int
) -> None:
    after_ns, until_ns = START + after * STEP, START + until * STEP
    part = _tape(fine, coarse, again).between(after_ns, until_ns)
    model = [row for row in _model(fine, coarse, again) if after_ns < row[0] <= until_ns]
    told: list[tuple[int, int, int]] = []
    for delivery in part.batches(size, after_ns):
        assert delivery.members is not None
        closes = [row[0] for row in model[len(told) : len(told) + len(delivery.bars)]]
        told += zip(closes, delivery.members.tolist(), delivery.bars.time_ns.tolist(), strict=True)
        left = [row[0] for row in model[len(told) :]]
        assert all(close > delivery.watermark_ns for close in left), "everything up to the watermark was told"
        whole = [row[0] for row in told if row[0] < min(left, default=2**63)]
        assert delivery.watermark_ns == max(whole, default=after_ns)
    assert told == model

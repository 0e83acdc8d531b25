"""Splits: what is tested was never trained on, nor what touches it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.sdk.research.splits import WalkForward, purged_folds

DAY = 86_400 * 10**9
ONE_DAY = timedelta(days=1)


def test_walking_forward_tests_the_last_part_once_after_all_that_came_before() -> None:
    found = list(WalkForward(folds=3, first=0.4).splits(0, 100 * DAY))
    assert [split.test for split in found] == [(40 * DAY, 60 * DAY), (60 * DAY, 80 * DAY), (80 * DAY, 100 * DAY)]
    assert [split.train for split in found] == [((0, 40 * DAY),), ((0, 60 * DAY),), ((0, 80 * DAY),)]


def test_a_rolling_window_and_gaps_move_what_is_trained_on() -> None:
    forward = WalkForward(folds=2, first=0.5, train=10 * ONE_DAY, purge=2 * ONE_DAY, embargo=ONE_DAY)
    assert [split.train for split in forward.splits(0, 100 * DAY)] == [
        ((37 * DAY, 47 * DAY),),
        ((62 * DAY, 72 * DAY),),
    ]


def test_purged_folds_keep_their_distance_on_both_sides() -> None:
    found = list(purged_folds(0, 100 * DAY, 4, purge=2 * ONE_DAY, embargo=3 * ONE_DAY))
    assert [split.test for split in found] == [(k * 25 * DAY, (k + 1) * 25 * DAY) for k in range(4)]
    assert found[0].train == ((30 * DAY, 100 * DAY),)
    assert found[1].train == ((0, 23 * DAY), (55 * DAY, 100 * DAY))
    assert found[3].train == ((0, 73 * DAY),)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: list(WalkForward(folds=0).splits(0, DAY)),
        lambda: list(WalkForward(first=1.0).splits(0, DAY)),
        lambda: list(WalkForward(purge=40 * ONE_DAY).splits(0, 100 * DAY)),
        lambda: list(WalkForward(purge=-ONE_DAY).splits(0, 100 * DAY)),
        lambda: list(purged_folds(0, DAY, 1)),
        lambda: list(purged_folds(0, 10 * DAY, 2, purge=6 * ONE_DAY)),
    ],
)
def test_what_leaves_nothing_is_refused(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(InvalidRequest):
        wrong()

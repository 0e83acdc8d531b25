"""A search that learns: the same numbers each time, every try another, no fold led by what it is tested on."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from qmtl.core.errors import InvalidRequest, NotReady
from qmtl.sdk import Bars, Between, Runner, WalkForward
from qmtl.sdk.research.adaptive import ROUND, search
from qmtl.sdk.research.optimize import OptimizeResult
from qmtl.sdk.research.spaces import Point, Space, drawn, point_of
from qmtl.sdk.research.trials import Params, Trial
from tests.sdk.research.crosses import DATA, Cross

NO_DAYS = np.zeros(0, dtype=np.int64)


def parabola(params: Params) -> Trial:
    """A trial whose score is highest at x = 0.3."""
    score = -((float(params["x"]) - 0.3) ** 2)
    return Trial(dict(params), {"score": score}, NO_DAYS, NO_DAYS.astype(float), 0)


def scores(space: Space, count: int, seed: int) -> list[float]:
    found = search(space, count, seed, lambda tries: [parabola(each) for each in tries], lambda t: t.metrics["score"])
    assert len({point_of(trial.params) for trial in found}) == count
    return [trial.metrics["score"] for trial in found]


def test_later_tries_are_better_than_the_first_ones() -> None:
    found = [scores({"x": Between(0.0, 1.0)}, 6 * ROUND, seed) for seed in range(3)]
    for each in found:
        assert np.median(each[4 * ROUND :]) > np.median(each[: 2 * ROUND])
    assert found[0] == scores({"x": Between(0.0, 1.0)}, 6 * ROUND, 0)
    assert found[0] != found[1]


def test_a_small_space_is_tried_whole_and_nothing_twice() -> None:
    assert sorted(scores({"x": [0, 1, 2], "y": [True, False]}, 6, 5)) == sorted(2 * [-0.09, -(0.7**2), -(1.7**2)])


def test_the_last_points_of_a_space_are_found_one_by_one() -> None:
    for seed in range(10):
        random, seen = np.random.default_rng(seed), set[Point]()
        for _ in range(60):
            next(drawn({"x": list(range(60))}, 1, random, seen))
        assert len(seen) == 60


def test_a_score_that_is_no_number_leads_nowhere_and_ends_nothing() -> None:
    found = search(
        {"x": Between(0, 50)}, 12, 0, lambda tries: [parabola(each) for each in tries], lambda trial: float("nan")
    )
    assert len(found) == 12


def learned(data: Bars) -> OptimizeResult:
    space: Space = {"fast": Between(2, 7), "slow": Between(8, 60)}
    forward = WalkForward(folds=1, first=0.5)
    return Runner.optimize(Cross, space, data, trials=14, seed=4, sampler="tpe", walk_forward=forward)


def test_a_fold_of_a_search_that_learns_has_not_seen_its_test() -> None:
    found = learned(DATA)
    begin = found.folds[0].split.test[0]
    values = DATA.values.copy()
    values[DATA.close_ns > begin] *= np.linspace(1.0, 3.0, int((DATA.close_ns > begin).sum()))[:, None]
    other = learned(Bars("BTC-USD", 3600, DATA.open_ns.copy(), values))
    assert [t.params for t in other.trials] != [t.params for t in found.trials]  # all of history led there
    assert (other.folds[0].params, other.folds[0].trained) == (found.folds[0].params, found.folds[0].trained)
    assert found.verdict.trials == len(found.trials) > 14  # those of the fold's search are tries too


def test_mistakes_of_a_search_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidRequest, match="sampler is 'luck', want 'random' or 'tpe'"):
        Runner.optimize(Cross, {"fast": [2, 3]}, DATA, trials=2, sampler="luck")
    with pytest.raises(InvalidRequest, match="space of fast is 5 to 2"):
        Runner.optimize(Cross, {"fast": Between(5, 2)}, DATA, trials=1)
    with pytest.raises(InvalidRequest, match="trials is 4, want no more than the points of the space, which are 3"):
        Runner.optimize(Cross, {"fast": Between(2, 4)}, DATA, trials=4, sampler="tpe")
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(NotReady, match="E_NO_OPTUNA"):
        Runner.optimize(Cross, {"fast": [2, 3]}, DATA, trials=2, sampler="tpe")

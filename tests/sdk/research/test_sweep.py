"""Sweeps and searches: equal to single backtests in any process, resumed from what was kept, honest about luck."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path

import numpy as np
import pytest

from brokerage.domain.models.profiles.generic import spot
from qmtl.core.errors import InvalidRequest
from qmtl.core.volumes import VolumeUnit
from qmtl.sdk import AccountTerms, Bars, Between, Runner, StreamInput, WalkForward, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.research.spaces import Space
from qmtl.sdk.research.trials import Trial
from qmtl.sdk.research.verdict import verdict_of
from qmtl.stats.ratios import sharpe
from qmtl.stats.significance import deflated_sharpe
from tests.sdk.market import START_NS
from tests.sdk.research.crosses import DATA, GRID, Cross, hourly, same


def test_each_point_is_what_a_backtest_of_it_gives() -> None:
    found = Runner.sweep(Cross, GRID, DATA)
    assert [trial.params for trial in found.trials] == [{"fast": f, "slow": s} for f in (2, 4) for s in (8, 16, 24)]
    for trial in found.trials:
        assert trial.metrics == Runner.backtest(Cross(**trial.params), DATA).metrics  # type: ignore[arg-type]  # whole numbers
    assert [t.metrics["sharpe"] for t in found.ranked] == sorted(
        (t.metrics["sharpe"] for t in found.trials), reverse=True
    )
    assert found.frame.height == 6
    xs, ys, values = found.table("slow", "fast")
    assert (xs, ys, values.shape) == ([8, 16, 24], [2, 4], (2, 3))
    assert values[1, 2] == found.trials[5].metrics["sharpe"]


def test_a_pool_of_processes_and_a_resumed_store_give_the_same(tmp_path: Path) -> None:
    here, store = Runner.sweep(Cross, GRID, DATA), tmp_path / "trials.jsonl"
    first = Runner.sweep(Cross, {"fast": [2], "slow": [8, 16, 24]}, DATA, workers=2, store=store)
    assert all(map(same, first.trials, here.trials[:3]))
    store.write_bytes(store.read_bytes()[:-20])  # a crash cut the last line off
    ran: list[tuple[int, int]] = []
    again = Runner.sweep(Cross, GRID, DATA, store=store, on_trial=lambda done, of: ran.append((done, of)))
    assert len(ran) == 4
    assert ran[-1] == (6, 6)
    assert all(map(same, again.trials, here.trials))
    assert str(again) == str(here)


def test_a_store_gives_nothing_back_of_other_code_data_or_terms(tmp_path: Path) -> None:
    store, point = tmp_path / "trials.jsonl", {"fast": [2]}
    ran: list[int] = []

    def run(data: Bars, terms: AccountTerms | None = None, weight: float = 0.9) -> int:
        ran.clear()
        Runner.sweep(
            lambda fast: Cross(fast, weight=weight), point, data, terms=terms, store=store,
            on_trial=lambda done, of: ran.append(done),
        )  # fmt: skip
        return len(ran)

    assert run(DATA) == 1
    assert run(DATA) == 0
    assert run(hourly(800, seed=2)) == 1
    assert run(DATA, AccountTerms(cash=D(5_000))) == 1
    assert run(DATA, weight=0.5) == 1


def test_of_noise_nothing_is_called_significant() -> None:
    found = Runner.sweep(Cross, {"fast": [2, 3, 4], "slow": [8, 16]}, hourly(900, seed=11))
    assert not found.verdict.significant
    assert found.winner is None
    assert "not significant" in str(found).splitlines()[0]


def trial(returns: np.ndarray, name: int) -> Trial:
    times = START_NS + 86_400 * 10**9 * np.arange(len(returns) + 1, dtype=np.int64)
    equity = 1000.0 * np.concatenate([[1.0], np.cumprod(1.0 + returns)])
    return Trial({"n": name}, {"sharpe": sharpe(returns, 365.0)}, times, equity, 0)


def test_the_verdict_is_of_the_published_statistics() -> None:
    random = np.random.default_rng(3)
    returns = random.normal(0.0, 0.01, (10, 300))
    returns[4] += 0.004
    trials = [trial(each, at) for at, each in enumerate(returns)]
    verdict = verdict_of(trials, trials[4])
    spread = float(np.std([each.mean() / each.std(ddof=1) for each in returns], ddof=1))
    assert verdict.deflated_sharpe == pytest.approx(deflated_sharpe(returns[4], 10, spread), rel=1e-9)
    assert verdict.overfitting < 0.05
    assert verdict.significant == (verdict.deflated_sharpe >= 0.95)
    assert not verdict_of(trials[:1], trials[0]).significant


def test_a_search_tests_what_it_chose_on_bars_that_it_had_not_seen() -> None:
    forward = WalkForward(folds=2, first=0.5)
    space: Space = {"fast": Between(2, 5), "slow": [8, 16, 24]}
    found = Runner.optimize(Cross, space, DATA, trials=5, seed=4, walk_forward=forward)
    again = Runner.optimize(Cross, space, DATA, trials=5, seed=4, walk_forward=forward)
    assert [t.params for t in found.trials] == [t.params for t in again.trials]
    assert len({tuple(t.params.items()) for t in found.trials}) == 5
    for fold in found.folds:
        (begin, end), [(_, trained)] = fold.split.test, fold.split.train
        assert fold.test.day_ns[0] >= begin >= trained
        assert fold.test.day_ns[-1] <= end + 86_400 * 10**9
    assert str(found) == str(again)
    assert found.winner is None
    # another future changes no choice that was made before it
    begin = found.folds[0].split.test[0]
    values = DATA.values.copy()
    values[DATA.close_ns > begin] *= 3.0
    other = Bars("BTC-USD", 3600, DATA.open_ns.copy(), values)
    changed = Runner.optimize(Cross, space, other, trials=5, seed=4, walk_forward=forward)
    assert changed.folds[0].params == found.folds[0].params
    assert changed.folds[0].trained == found.folds[0].trained


def test_mistakes_are_named() -> None:
    with pytest.raises(InvalidRequest, match="grid"):
        Runner.sweep(Cross, {}, DATA)
    with pytest.raises(InvalidRequest, match="grid"):
        Runner.sweep(Cross, {"fast": []}, DATA)
    with pytest.raises(InvalidRequest, match="points of the space"):
        Runner.optimize(Cross, {"fast": [2, 3]}, DATA, trials=5)
    with pytest.raises(InvalidRequest, match="objective"):
        Runner.optimize(Cross, {"fast": [2, 3]}, DATA, trials=2, objective="luck")
    with pytest.raises(InvalidRequest, match="workers"):
        Runner.sweep(Cross, GRID, DATA, workers=-1)
    with pytest.raises(InvalidRequest, match="other processes cannot import"):
        Runner.sweep(lambda fast: Cross(fast), {"fast": [2]}, DATA, workers=1)
    with pytest.raises(InvalidRequest, match="parameter"):
        Runner.sweep(Cross, {"fast": [2]}, DATA, terms=AccountTerms(profile=spot("0"))).table("fast", "slower")


def test_a_mistake_in_another_process_is_told_as_it_is_here() -> None:
    with pytest.raises(InvalidRequest, match="E_NODE_PARAMETER: fast is 0"):
        Runner.sweep(Wrong, {"fast": [0]}, DATA, workers=1)


class Wrong(Cross):
    def setup(self) -> None:
        price = StreamInput("BTC-USD", "1h")
        self.trade(signals.position_target(signals.trend(ta.macd(price, self.fast, 3, 3), price), long=0.5), price)


def test_what_is_better_the_lower_it_is_is_ranked_so() -> None:
    found = Runner.sweep(Cross, GRID, DATA, objective="max_drawdown")
    falls = [trial.metrics["max_drawdown"] for trial in found.trials]
    assert found.best.metrics["max_drawdown"] == min(falls) < max(falls)
    assert [trial.metrics["max_drawdown"] for trial in found.ranked] == sorted(falls)
    _, _, values = found.table("fast", "fast")
    assert np.nanmin(values) == min(falls)
    forward = WalkForward(folds=1, first=0.5)
    searched = Runner.optimize(Cross, {"fast": [2, 4]}, DATA, trials=2, objective="max_drawdown", walk_forward=forward)
    assert searched.best.metrics["max_drawdown"] == min(trial.metrics["max_drawdown"] for trial in searched.trials)
    flat = Runner.optimize(
        Cross, {"weight": [0.9, 0.1]}, DATA, trials=2, objective="max_drawdown", walk_forward=forward
    )
    assert [fold.params for fold in flat.folds] == [{"weight": 0.1}]  # a ninth of the money falls by a ninth


def test_an_objective_that_no_try_has_in_training_chooses_none() -> None:
    short = WalkForward(folds=2, train=timedelta(hours=12))  # no two days end in it
    with pytest.raises(InvalidRequest, match="objective is sharpe, want a metric of daily equity that a try has over"):
        Runner.optimize(Cross, {"fast": [2, 4]}, DATA, trials=2, walk_forward=short)


def test_an_objective_that_no_trial_has_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="objective is luck, want one of"):
        Runner.sweep(Cross, {"fast": [2]}, DATA, objective="luck")
    with pytest.raises(InvalidRequest, match="bars enough"):
        Runner.sweep(Cross, {"fast": [2]}, hourly(3))


def test_a_store_gives_nothing_back_of_bars_that_count_other_volume(tmp_path: Path) -> None:
    ran: list[int] = []
    for unit in VolumeUnit:
        data = replace(DATA, open_ns=DATA.open_ns.copy(), values=DATA.values.copy(), volume_unit=unit)
        Runner.sweep(Cross, {"fast": [2]}, data, store=tmp_path / "kept", on_trial=lambda done, _: ran.append(done))
    assert len(ran) == 2


def test_a_ruined_trial_does_not_make_the_others_look_like_luck() -> None:
    random = np.random.default_rng(3)
    returns = random.normal(0.0, 0.01, (6, 300))
    returns[4] += 0.004
    trials = [trial(each, at) for at, each in enumerate(returns)]
    ruined = replace(trials[0], equity=np.where(np.arange(301) < 100, 1000.0, 0.0))
    assert verdict_of([ruined, *trials[1:]], trials[4]).overfitting < 0.05

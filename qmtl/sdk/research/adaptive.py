"""A search that learns from its tries where to look next: tree-structured Parzen estimator, of optuna.

Tries are asked for in rounds of a fixed size and told in order, so the numbers of a seed do not depend on how many run
at once. A point that the sampler comes back to is not run again: one drawn at random takes its place.
Source: Bergstra, Bardenet, Bengio and Kegl 2011.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from qmtl.core.errors import NotReady
from qmtl.sdk.research.spaces import Between, Point, Space, drawn, point_of
from qmtl.sdk.research.trials import Params, Trial, Value

if TYPE_CHECKING:
    import optuna

ROUND = 8
"""Tries of one round; more run at once, fewer learn from each other."""

Run = Callable[[Sequence[Params]], list[Trial]]
Score = Callable[[Trial], float]


def search(space: Space, count: int, seed: int, run: Run, score: Score) -> list[Trial]:
    """`count` different tries, each round chosen by the scores (higher is better, not finite: none) of those before.

    Raises NotReady (E_NO_OPTUNA), InvalidRequest (E_FIELD) for a space with fewer points.
    """
    study, kinds = _study(seed), _distributions(space)
    random = np.random.default_rng([seed, 1])
    seen: set[Point] = set()
    found: list[Trial] = []
    while len(found) < count:
        tries = _asked(study, space, kinds, min(ROUND, count - len(found)), random, seen)
        for trial in run(tries):
            _tell(study, kinds, trial.params, score(trial))
            found.append(trial)
    return found


def _study(seed: int) -> optuna.Study:
    try:
        import optuna
    except ImportError as error:
        raise NotReady("E_NO_OPTUNA", "this search needs optuna", hint="pip install 'qmtl[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=ROUND)
    )


def _distributions(space: Space) -> dict[str, optuna.distributions.BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    def of(each: Sequence[Value] | Between) -> optuna.distributions.BaseDistribution:
        if not isinstance(each, Between):
            return CategoricalDistribution(tuple(dict.fromkeys(each)))
        return IntDistribution(int(each.low), int(each.high)) if each.whole else FloatDistribution(each.low, each.high)

    return {name: of(each) for name, each in space.items()}


def _asked(
    study: optuna.Study,
    space: Space,
    kinds: dict[str, optuna.distributions.BaseDistribution],
    count: int,
    random: np.random.Generator,
    seen: set[Point],
) -> list[Params]:
    from optuna.trial import TrialState

    tries: list[Params] = []
    for _ in range(count):
        asked = study.ask(kinds)
        params: Params = {name: asked.params[name] for name in space}
        study.tell(asked, state=TrialState.FAIL)  # what comes of it is told whole, as a trial of its own
        if point_of(params) in seen:
            (params,) = drawn(space, 1, random, seen)
        seen.add(point_of(params))
        tries.append(params)
    return tries


def _tell(
    study: optuna.Study, kinds: dict[str, optuna.distributions.BaseDistribution], params: Params, score: float
) -> None:
    from optuna.trial import TrialState, create_trial

    known = math.isfinite(score)
    study.add_trial(
        create_trial(
            state=TrialState.COMPLETE if known else TrialState.FAIL,
            value=score if known else None,
            params=dict(params),
            distributions=kinds,
        )
    )

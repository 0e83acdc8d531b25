"""Tests of VaR and ES forecasts against what happened: exceptions counted, their clustering, the size of losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist

import numpy as np

LEVEL = 0.99
ES_LEVEL = 0.975
REJECT_P = 0.05
MODEL_REJECT_P = 0.01
BASEL_DAYS = 250
YELLOW_FROM, RED_FROM = 5, 10
Z2_CRITICAL, Z2_RED = -0.70, -1.8  # at 250 days, for any continuous tail that is not extreme (Acerbi, Szekely 2014)
PATHS, PATHS_SEED = 20_000, 20_141_101


class Verdict(Enum):
    """What a test says of a model. CONSERVATIVE: too few exceptions; it blocks nothing."""

    ACCEPTED = "ACCEPTED"
    CONSERVATIVE = "CONSERVATIVE"
    REJECTED = "REJECTED"


class Zone(Enum):
    """The traffic light of the Basel Committee (1996), for 250 days at 99 %."""

    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """A likelihood ratio and its p-value under the chi-squared distribution."""

    statistic: float
    p: float


@dataclass(frozen=True, slots=True)
class ExpectedShortfallTest:
    """Z2 of Acerbi and Szekely: 0 for a right model, negative for one that understates; with its critical values."""

    z2: float
    critical: float
    red: float

    @property
    def holds(self) -> bool:
        """Whether the test does not reject at 5 %."""
        return self.z2 >= self.critical


@dataclass(frozen=True, slots=True)
class ForecastTests:
    """All tests of a row of days. `zone` None: the row is not of 250 days. `missing`: days without a forecast."""

    days: int
    exceptions: int
    missing: int
    unconditional: LikelihoodRatio
    independence: LikelihoodRatio
    conditional: LikelihoodRatio
    shortfall: ExpectedShortfallTest
    zone: Zone | None
    verdict: Verdict

    @property
    def model_rejected(self) -> bool:
        """Whether promotions stop: too many exceptions with p of LRcc below .01, or Z2 red."""
        too_many = self.exceptions > self.days * (1.0 - LEVEL)
        return (too_many and self.conditional.p < MODEL_REJECT_P) or self.shortfall.z2 < self.shortfall.red


@dataclass(frozen=True, slots=True)
class ForecastDay:
    """What was forecast for a day, and the return (a fraction) that came: VaR at 99 %, VaR and ES at 97.5 %."""

    day: int
    var_99: float
    var_975: float
    es_975: float
    realised: float

    @property
    def exception(self) -> bool:
        """Whether the loss was beyond the VaR at 99 %."""
        return -self.realised > self.var_99


def backtest_forecasts(days: Sequence[ForecastDay], missing: int = 0) -> ForecastTests:
    """All tests over consecutive forecast days, oldest first. At least one day."""
    hits = [one.exception for one in days]
    count, exceptions = len(hits), sum(hits)
    unconditional = kupiec(count, exceptions, 1.0 - LEVEL)
    independence = christoffersen(*transitions(hits))
    conditional = chi_squared_2(unconditional.statistic + independence.statistic)
    beyond = [-one.realised / one.es_975 for one in days if -one.realised > one.var_975 and one.es_975 > 0]
    return ForecastTests(
        days=count,
        exceptions=exceptions,
        missing=missing,
        unconditional=unconditional,
        independence=independence,
        conditional=conditional,
        shortfall=acerbi_szekely(beyond, count, 1.0 - ES_LEVEL),
        zone=basel_zone(exceptions) if count == BASEL_DAYS else None,
        verdict=verdict_of(unconditional, count, exceptions),
    )


def verdict_of(unconditional: LikelihoodRatio, count: int, exceptions: int) -> Verdict:
    """What the number of exceptions says at 5 %."""
    if unconditional.p >= REJECT_P:
        return Verdict.ACCEPTED
    return Verdict.REJECTED if exceptions > count * (1.0 - LEVEL) else Verdict.CONSERVATIVE


def kupiec(count: int, exceptions: int, probability: float) -> LikelihoodRatio:
    """LRuc of `exceptions` in `count` days against their probability; chi-squared with 1 degree. (Kupiec 1995.)"""
    observed = exceptions / count
    expected_fit = _log_likelihood(count - exceptions, exceptions, probability)
    return chi_squared_1(-2.0 * (expected_fit - _log_likelihood(count - exceptions, exceptions, observed)))


def transitions(hits: Sequence[bool]) -> tuple[int, int, int, int]:
    """n00, n01, n10, n11: how often a day without (0) or with (1) exception was followed by one of either kind."""
    found = [0, 0, 0, 0]
    for before, after in pairwise(hits):
        found[2 * before + after] += 1
    return found[0], found[1], found[2], found[3]


def christoffersen(n00: int, n01: int, n10: int, n11: int) -> LikelihoodRatio:
    """LRind: exceptions follow each other no more often than chance; chi-squared, 1 degree. (Christoffersen 1998.)"""
    total = n00 + n01 + n10 + n11
    pooled = (n01 + n11) / total if total else 0.0
    after_none = n01 / (n00 + n01) if n00 + n01 else 0.0
    after_one = n11 / (n10 + n11) if n10 + n11 else 0.0
    apart = _log_likelihood(n00, n01, after_none) + _log_likelihood(n10, n11, after_one)
    return chi_squared_1(-2.0 * (_log_likelihood(n00 + n10, n01 + n11, pooled) - apart))


def acerbi_szekely(losses_over_es: Sequence[float], count: int, probability: float) -> ExpectedShortfallTest:
    """Z2 = 1 - sum(loss / ES of exceptions) / (T q). (Acerbi and Szekely 2014, test 2.)"""
    z2 = 1.0 - math.fsum(losses_over_es) / (count * probability)
    critical, red = z2_critical(count)
    return ExpectedShortfallTest(z2, critical, red)


@lru_cache(maxsize=64)
def z2_critical(count: int) -> tuple[float, float]:
    """The 5 % critical value of Z2 and the value of its red zone, at `count` days.

    At 250 days those of the paper; else the same quantiles (5 %, .01 %) of 20,000 seeded paths of a right model.
    """
    if count == BASEL_DAYS:
        return Z2_CRITICAL, Z2_RED
    z2 = _simulated_z2(count)
    return float(np.quantile(z2, 0.05)), float(np.quantile(z2, 0.0001))


def basel_zone(exceptions: int) -> Zone:
    """Green up to 4 exceptions in 250 days, yellow up to 9, red from 10 on."""
    if exceptions >= RED_FROM:
        return Zone.RED
    return Zone.YELLOW if exceptions >= YELLOW_FROM else Zone.GREEN


def chi_squared_1(statistic: float) -> LikelihoodRatio:
    """The p-value of chi-squared with 1 degree of freedom: erfc(sqrt(x / 2))."""
    value = max(0.0, statistic)
    return LikelihoodRatio(value, math.erfc(math.sqrt(value / 2.0)))


def chi_squared_2(statistic: float) -> LikelihoodRatio:
    """The p-value of chi-squared with 2 degrees of freedom: exp(-x / 2)."""
    value = max(0.0, statistic)
    return LikelihoodRatio(value, math.exp(-value / 2.0))


def _log_likelihood(without: int, hits: int, probability: float) -> float:
    """ln((1-p)^without p^hits), with 0 ln 0 = 0."""
    quiet = without * math.log1p(-probability) if without else 0.0
    return quiet + (hits * math.log(probability) if hits else 0.0)


def _simulated_z2(count: int) -> np.ndarray:
    """Z2 of 20,000 paths of a right model, losses standard normal: the number of exceptions is drawn, then each."""
    normal, probability = NormalDist(), 1.0 - ES_LEVEL
    z = normal.inv_cdf(ES_LEVEL)
    shortfall = normal.pdf(z) / probability
    random = np.random.Generator(np.random.PCG64(PATHS_SEED))
    numbers = random.binomial(count, probability, PATHS)
    tails = random.uniform(ES_LEVEL, 1.0, int(numbers.sum()))
    losses = _tail_quantiles(tails)
    sums = np.zeros(PATHS)
    np.add.at(sums, np.repeat(np.arange(PATHS), numbers), losses / shortfall)
    return 1.0 - sums / (count * probability)


def _tail_quantiles(levels: np.ndarray) -> np.ndarray:
    """Normal quantiles of levels in the upper 2.5 %, by interpolation of exact ones."""
    normal = NormalDist()
    tail = np.geomspace(1.0 - ES_LEVEL, 1e-9, 4_000)
    exact = np.array([-normal.inv_cdf(p) for p in tail])
    found: np.ndarray = np.interp(-np.log(1.0 - levels), -np.log(tail), exact)
    return found

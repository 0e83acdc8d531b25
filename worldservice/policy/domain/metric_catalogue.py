"""The metric catalogue: the only names a policy may read, each with its unit, direction and formula source.

A metric that is not here does not exist: a policy that names it is refused at upload, an evaluation that
reports it is refused at the door. Counts and days are integers in expressions, everything else is a double.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from qmtl.core.errors import InvalidRequest, Violation

MAGNITUDE_MAX = 1e15  # beyond this a statistic is an accident, and sums of a few of them stay far from overflow
CROSS_CONTEXT_HITS = "cross_context_cache_hits"


class MetricGroup(Enum):
    """What a metric tells of."""

    RETURNS = "returns"
    SAMPLE = "sample"
    RISK = "risk"
    ROBUSTNESS = "robustness"


class Unit(Enum):
    """What a metric is measured in."""

    RATIO = "1"
    FRACTION = "fraction"
    PERCENT = "percent"
    COUNT = "count"
    DAYS = "days"
    YEARS = "years"
    CURRENCY = "currency"


class MetricDirection(Enum):
    """Which way is better."""

    HIGHER_IS_BETTER = "HIGHER_IS_BETTER"
    LOWER_IS_BETTER = "LOWER_IS_BETTER"


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that policies may name."""

    name: str
    group: MetricGroup
    unit: Unit
    direction: MetricDirection
    formula: str

    @property
    def integral(self) -> bool:
        """Whether it counts something, so that it is a whole number."""
        return self.unit in (Unit.COUNT, Unit.DAYS)


_UP, _DOWN = MetricDirection.HIGHER_IS_BETTER, MetricDirection.LOWER_IS_BETTER
_Row = tuple[str, Unit, MetricDirection, str]

_RETURNS: tuple[_Row, ...] = (
    ("sharpe", Unit.RATIO, _UP, "Sharpe 1994: mean excess return over its deviation, annualised"),
    ("sortino", Unit.RATIO, _UP, "Sortino, Price 1994: mean excess return over downside deviation"),
    ("max_drawdown", Unit.FRACTION, _DOWN, "largest 1 - equity / running peak, a positive fraction"),
    ("cagr", Unit.FRACTION, _UP, "(last equity / first equity) ** (1 / years) - 1"),
    ("calmar", Unit.RATIO, _UP, "Young 1991: cagr / max_drawdown"),
    ("gain_to_pain", Unit.RATIO, _UP, "Schwager 2012: sum of returns / sum of absolute losses"),
    ("win_rate", Unit.FRACTION, _UP, "winning closed trades / closed trades"),
    ("profit_factor", Unit.RATIO, _UP, "gross profit / gross loss of closed trades"),
    ("ulcer_index", Unit.PERCENT, _DOWN, "Martin, McCann 1989: root mean squared drawdown in percent"),
    ("var_99", Unit.FRACTION, _DOWN, "historical 1-period value at risk, 99 %, positive is a loss"),
    ("es_99", Unit.FRACTION, _DOWN, "mean loss beyond var_99"),
    ("es_975", Unit.FRACTION, _DOWN, "mean loss beyond the historical value at risk at 97.5 %"),
    ("volatility", Unit.FRACTION, _DOWN, "annualised standard deviation of period returns"),
    ("total_return", Unit.FRACTION, _UP, "last equity / first equity - 1"),
    ("final_equity", Unit.CURRENCY, _UP, "equity at the last bar, in the account's currency"),
    ("fees_paid", Unit.CURRENCY, _DOWN, "sum of all fees, in the account's currency"),
)
_SAMPLE: tuple[_Row, ...] = (
    ("sample_days", Unit.DAYS, _UP, "whole days of covered data time of the run"),
    ("n_trades", Unit.COUNT, _UP, "closed round trips of the run"),
    ("n_bars", Unit.COUNT, _UP, "bars the run saw after warm-up"),
    (CROSS_CONTEXT_HITS, Unit.COUNT, _DOWN, "records met in queues that belong to another context than asked for"),
    ("effective_history_years", Unit.YEARS, _UP, "covered data time / 365.25 days"),
)
_RISK: tuple[_Row, ...] = (
    ("exposure", Unit.FRACTION, _DOWN, "fraction of bars with an open position"),
    ("gross_leverage", Unit.RATIO, _DOWN, "largest gross notional / equity"),
    ("turnover", Unit.RATIO, _DOWN, "traded notional / mean equity, annualised"),
    ("beta", Unit.RATIO, _DOWN, "slope of returns on the benchmark's returns"),
    ("skewness", Unit.RATIO, _UP, "third standardised moment of period returns"),
    ("kurtosis", Unit.RATIO, _DOWN, "fourth standardised moment of period returns, normal is 3"),
)
_ROBUSTNESS: tuple[_Row, ...] = (
    ("probabilistic_sharpe", Unit.FRACTION, _UP, "Bailey, Lopez de Prado 2012: P(true sharpe > 0)"),
    ("deflated_sharpe", Unit.FRACTION, _UP, "Bailey, Lopez de Prado 2014: PSR against N trials"),
    ("cv_sharpe_mean", Unit.RATIO, _UP, "mean sharpe over cross-validation folds"),
    ("cv_sharpe_std", Unit.RATIO, _DOWN, "deviation of sharpe over cross-validation folds"),
)


def _group(group: MetricGroup, rows: tuple[_Row, ...]) -> dict[str, Metric]:
    return {name: Metric(name, group, unit, direction, formula) for name, unit, direction, formula in rows}


CATALOGUE: Mapping[str, Metric] = {
    **_group(MetricGroup.RETURNS, _RETURNS),
    **_group(MetricGroup.SAMPLE, _SAMPLE),
    **_group(MetricGroup.RISK, _RISK),
    **_group(MetricGroup.ROBUSTNESS, _ROBUSTNESS),
}
INTEGRAL = frozenset(name for name, metric in CATALOGUE.items() if metric.integral)


class Unusable(Enum):
    """Why a number may not be read by an expression."""

    METRIC_MISSING = "METRIC_MISSING"
    METRIC_NOT_FINITE = "METRIC_NOT_FINITE"
    METRIC_NOT_INTEGRAL = "METRIC_NOT_INTEGRAL"
    METRIC_OUT_OF_RANGE = "METRIC_OUT_OF_RANGE"


def unusable(name: str, values: Mapping[str, float]) -> Unusable | None:
    """The reason why `name` cannot be read from `values`, or None when it can."""
    value = values.get(name)
    if value is None:
        return Unusable.METRIC_MISSING
    if not math.isfinite(value):
        return Unusable.METRIC_NOT_FINITE
    if abs(value) > MAGNITUDE_MAX:
        return Unusable.METRIC_OUT_OF_RANGE
    if name in INTEGRAL and value != math.floor(value):
        return Unusable.METRIC_NOT_INTEGRAL
    return None


def refuse_unknown(names: Mapping[str, float], field: str) -> None:
    """Refuse a report that carries a metric the catalogue does not have."""
    unknown = sorted(name for name in names if name not in CATALOGUE)
    if unknown:
        raise InvalidRequest(
            "E_METRIC_UNKNOWN",
            f"{field} names metrics that are not in the catalogue: {', '.join(unknown)}",
            hint="list the catalogue and report only its metrics",
            violations=[Violation(f"{field}.{name}", name, "a metric of the catalogue") for name in unknown],
        )

"""Risk numbers beside those of scikit-learn 1.9.1 and scipy 1.17.1, computed once over returns of a closed form."""

import numpy as np
import pytest

from worldservice.risk.domain.covariance import Covariance, ledoit_wolf, portfolio_vol
from worldservice.risk.domain.tail_risk import components, historical_tail, normal_es, normal_var


def test_shrinkage_is_that_of_scikit_learn() -> None:
    """`sklearn.covariance.ledoit_wolf` of the same rows."""
    day, column = np.arange(1, 61)[:, None], np.arange(1, 7)[None, :]
    rows = 0.01 * (np.sin(0.7 * day * column) + 0.5 * np.cos(1.3 * day) + 0.1 * column * np.sin(day * day / 7.0))
    matrix, k = ledoit_wolf(rows)
    assert k == pytest.approx(0.2703113674867682, rel=1e-11)
    first = [6.494541964e-05, 8.725462501e-06, 1.092776143e-05, 1.280883777e-05, 1.064520344e-05, 1.027065261e-05]
    assert matrix[0].tolist() == pytest.approx(first, rel=1e-8)
    assert np.trace(matrix) == pytest.approx(0.00042300548879051935, rel=1e-11)


@pytest.mark.parametrize(
    ("level", "z", "shortfall"),
    [(0.99, 2.3263478740408408, 2.6652142203458045), (0.975, 1.959963984540054, 2.3378027922)],
)
def test_normal_tails_are_those_of_scipy(level: float, z: float, shortfall: float) -> None:
    """`norm.ppf`, and `norm.expect` beyond it, which integrates numerically."""
    assert normal_var(1.0, level) == pytest.approx(z, rel=1e-12)
    assert normal_es(1.0, level) == pytest.approx(shortfall, rel=1e-10)


def test_historical_tails_are_those_of_scipy() -> None:
    """`mquantiles` with alphap = betap = 1, and the mean of what is at or below it."""
    day = np.arange(1, 401)
    found = historical_tail(0.0004 + 0.01 * np.sin(day * day * 0.37) + 0.004 * np.cos(2.1 * day))
    assert found is not None
    assert found.var_99 == pytest.approx(0.013339313911002649, rel=1e-12)
    assert found.es_99 == pytest.approx(0.013456017075969351, rel=1e-12)
    assert found.var_975 == pytest.approx(0.01301336567755011, rel=1e-12)
    assert found.es_975 == pytest.approx(0.013266330812870406, rel=1e-12)


def test_components_are_weights_times_the_slope_of_the_value_at_risk() -> None:
    """Euler: w dVaR/dw, with the slope taken by a small step each way; one position hedges."""
    vol, ids = np.array([0.01, 0.02, 0.015]), ("A", "B", "C")
    known = Covariance(ids, np.outer(vol, vol) * np.array([[1, 0.2, 0.5], [0.2, 1, -0.1], [0.5, -0.1, 1]]))
    weights, step = {"A": 0.7, "B": 0.5, "C": -0.1}, 1e-6
    found = components(weights, known)
    for name, weight in weights.items():
        up, down = ({**weights, name: weight + move} for move in (step, -step))
        slope = (normal_var(portfolio_vol(up, known)) - normal_var(portfolio_vol(down, known))) / (2.0 * step)
        assert found[name] == pytest.approx(weight * slope, rel=1e-7)
    assert found["C"] < 0 < found["A"]

"""Generators: the moments that their formulas promise, seeds, and bars that are bars."""

from collections.abc import Callable

import numpy as np
import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Bars, generators
from qmtl.sdk.generators import Shape, garch, gbm, heston, rough_bergomi
from qmtl.sdk.generators.rough import volterra

EVERY: tuple[Callable[[Shape], Bars], ...] = (gbm, heston, garch, rough_bergomi)
LONG = Shape(40_000, seed=7, interval="1d", price=1e6, tick=1e-6, steps=1)


def moves(bars: Bars) -> np.ndarray:
    """Log returns from open to close of each bar."""
    return np.log(bars.values[:, 3] / bars.values[:, 0])


@pytest.mark.parametrize("make", EVERY)
def test_a_seed_is_a_path(make: Callable[[Shape], Bars]) -> None:
    first, again, other = (make(Shape(300, seed=seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.values, again.values)
    assert not np.array_equal(first.values, other.values)


@pytest.mark.parametrize("make", EVERY)
def test_bars_follow_each_other_on_the_tick(make: Callable[[Shape], Bars]) -> None:
    bars = make(Shape(500, seed=1, interval="1h", symbol="MADE", price=250.0, tick=0.25))
    opened, high, low, close, volume = bars.values.T
    assert (bars.symbol, bars.interval_s, len(bars)) == ("MADE", 3600, 500)
    assert opened[0] == 250.0
    np.testing.assert_array_equal(opened[1:], close[:-1])
    assert (high >= np.maximum(opened, close)).all()
    assert (low <= np.minimum(opened, close)).all()
    assert (high > low).any()
    assert (volume > 0.0).all()
    np.testing.assert_array_equal(bars.values[:, :4] / 0.25, np.round(bars.values[:, :4] / 0.25))


def test_ticks_of_a_cent_are_written_as_cents() -> None:
    for price in gbm(Shape(200, seed=3)).values[:, 3].tolist():
        assert len(repr(price).partition(".")[2]) <= 2


def test_gbm_has_its_mean_and_its_deviation() -> None:
    found = moves(gbm(LONG, drift=2.0, volatility=0.6))
    deviation = 0.6 / np.sqrt(365)
    assert found.std(ddof=1) == pytest.approx(deviation, rel=0.02)
    assert found.mean() == pytest.approx((2.0 - 0.18) / 365, abs=4 * deviation / np.sqrt(len(found)))


def test_gbm_of_no_volatility_is_the_drift() -> None:
    bars = gbm(Shape(365, seed=0, interval="1d", price=100.0, tick=1e-9), drift=0.1, volatility=0.0)
    assert bars.values[-1, 3] == pytest.approx(100.0 * np.exp(0.1), rel=1e-9)


def test_heston_reverts_to_its_long_run_and_leans_on_its_correlation() -> None:
    still = moves(heston(LONG, drift=0.08, variance=9.0, long_run=0.16, reversion=20.0, vol_of_variance=0.0))
    assert still[:10].std() > 2 * still[1_000:].std()  # 3 falls to 0.4 by exp(-20 t)
    assert still[1_000:].std(ddof=1) == pytest.approx(0.4 / np.sqrt(365), rel=0.02)
    moved = moves(heston(LONG, drift=0.125, long_run=0.25, reversion=8.0, vol_of_variance=1.0, correlation=-0.9))
    late = np.square(moved[1:])
    assert np.corrcoef(moved[:-1], late)[0, 1] < -0.02  # a fall comes before wild days
    assert moved.std(ddof=1) == pytest.approx(0.5 / np.sqrt(365), rel=0.1)


def test_garch_has_its_volatility_fat_tails_and_clusters() -> None:
    found = moves(garch(LONG, drift=0.18, volatility=0.6, alpha=0.1, beta=0.85))
    assert found.std(ddof=1) == pytest.approx(0.6 / np.sqrt(365), rel=0.05)
    squares = np.square(found)
    # Bollerslev 1986: kurtosis 3 (1 - (a + b)^2) / (1 - (a + b)^2 - 2 a^2); correlation of squares at lag 1
    assert np.mean(squares**2) / np.mean(squares) ** 2 == pytest.approx(3 * 0.0975 / (0.0975 - 0.02), rel=0.15)
    lag = 0.1 * (1 - 0.85 * 0.95) / (1 - 2 * 0.1 * 0.85 - 0.85**2)
    assert np.corrcoef(squares[:-1], squares[1:])[0, 1] == pytest.approx(lag, abs=0.06)


def test_garch_without_memory_is_gbm_of_its_volatility() -> None:
    found = moves(garch(LONG, drift=0.18, volatility=0.6, alpha=0.0, beta=0.0))
    squares = np.square(found)
    assert abs(np.corrcoef(squares[:-1], squares[1:])[0, 1]) < 0.02


@pytest.mark.parametrize("hurst", [0.05, 0.1, 0.3])
def test_the_volterra_process_has_the_variance_of_its_formula(hurst: float) -> None:
    random = np.random.default_rng(11)
    ends = np.array([volterra(random, 50, 1.0 / 50, hurst)[1] for _ in range(4_000)])
    times = np.arange(1, 51) / 50
    # exact in the nearest cell; the hybrid scheme's error elsewhere is below 2 % here
    np.testing.assert_allclose(ends.var(axis=0)[[0, 9, 49]], times[[0, 9, 49]] ** (2 * hurst), rtol=0.08)


def test_the_volterra_process_is_of_the_moves_it_is_given_with() -> None:
    random = np.random.default_rng(12)
    drawn = [volterra(random, 4, 0.25, 0.3) for _ in range(20_000)]
    moved, y = (np.array([one[part] for one in drawn]) for part in (0, 1))
    root = np.sqrt(0.6)
    # cov(Y(t), W(b) - W(a)) = sqrt(2H) ((t - a)^(H + 1/2) - (t - b)^(H + 1/2)) / (H + 1/2)
    for end, step in ((3, 3), (3, 2), (3, 0)):
        a, b, t = 0.25 * step, 0.25 * (step + 1), 0.25 * (end + 1)
        want = root * ((t - a) ** 0.8 - (t - b) ** 0.8) / 0.8
        assert np.cov(moved[:, step], y[:, end])[0, 1] == pytest.approx(want, abs=0.012)
    assert abs(np.cov(moved[:, 3], y[:, 2])[0, 1]) < 0.012  # nothing of what comes later


def test_rough_bergomi_has_its_variance_and_leans_on_its_correlation() -> None:
    found = moves(rough_bergomi(LONG, variance=0.25, eta=1.0, correlation=-0.9))
    assert np.corrcoef(found[:-1], np.square(found[1:]))[0, 1] < -0.05
    quiet = moves(rough_bergomi(LONG, variance=0.25, eta=0.0, correlation=-0.9))
    assert quiet.std(ddof=1) == pytest.approx(0.5 / np.sqrt(365), rel=0.02)
    paths = [rough_bergomi(Shape(1, seed=seed, interval="1d", steps=64, tick=1e-9)) for seed in range(1_500)]
    assert np.std([moves(bars)[0] for bars in paths]) == pytest.approx(0.5 / np.sqrt(365), rel=0.08)


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("bars", lambda: Shape(0, seed=1)),
        ("seed", lambda: Shape(1, seed=-1)),
        ("steps", lambda: Shape(1, seed=1, steps=0)),
        ("price", lambda: Shape(1, seed=1, price=float("nan"))),
        ("tick", lambda: Shape(1, seed=1, tick=0.0)),
        ("volatility", lambda: gbm(Shape(1, seed=1), volatility=-0.1)),
        ("correlation", lambda: heston(Shape(1, seed=1), correlation=1.1)),
        ("hurst", lambda: rough_bergomi(Shape(1, seed=1), hurst=0.5)),
        ("alpha + beta", lambda: garch(Shape(1, seed=1), alpha=0.2, beta=0.8)),
    ],
)
def test_what_no_path_is_made_of_is_refused_by_name(field: str, make: Callable[[], object]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        make()
    assert refusal.value.reason == "E_FIELD"
    assert field in str(refusal.value)


def test_authors_find_them() -> None:
    assert set(generators.__all__) == {"Shape", "garch", "gbm", "heston", "rough_bergomi"}

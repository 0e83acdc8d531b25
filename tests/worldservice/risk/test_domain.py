"""Risk numbers: properties that hold for every book, mixed calendars, samples that are too short."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest, NotReady
from tests.worldservice.risk.books import AS_OF, book, series, snapshot_of
from worldservice.risk.domain.candidate import explain_candidate
from worldservice.risk.domain.covariance import (
    Covariance,
    check_semidefinite,
    covariance_of,
    covariance_of_triangle,
    ledoit_wolf,
    portfolio_vol,
)
from worldservice.risk.domain.forecasts.backtest import ForecastDay, acerbi_szekely, backtest_forecasts, z2_critical
from worldservice.risk.domain.report import risk_report
from worldservice.risk.domain.returns import daily_returns, shared_returns
from worldservice.risk.domain.snapshot import CASH, CovarianceTriangle, Exposure, Scenario
from worldservice.risk.domain.tail_risk import components, historical_tail, normal_es, normal_var, with_candidate

BOOKS = settings(max_examples=15, deadline=None)
FRIDAY = date(2026, 1, 2)


def day(offset: int) -> date:
    return FRIDAY + timedelta(days=offset)


@BOOKS
@given(st.integers(1, 8), st.integers(0, 10_000))
def test_components_sum_to_the_value_at_risk(count: int, seed: int) -> None:
    weights, returns = book(count, 120, seed)
    covariance = covariance_of(returns)
    vol = portfolio_vol(weights, covariance)
    assert sum(components(weights, covariance).values()) == pytest.approx(normal_var(vol), rel=1e-12)
    assert normal_es(vol) >= normal_var(vol)
    doubled = Covariance(covariance.ids, 4.0 * covariance.matrix)
    assert portfolio_vol(weights, doubled) == pytest.approx(2.0 * vol, rel=1e-12)


@BOOKS
@given(st.integers(1, 12), st.integers(2, 40), st.integers(0, 10_000))
def test_a_shrunk_covariance_is_semidefinite(width: int, days: int, seed: int) -> None:
    rows = np.random.Generator(np.random.PCG64(seed)).normal(0.0, 0.01, (days, width))
    matrix, k = ledoit_wolf(rows)
    assert 0.0 <= k <= 1.0
    check_semidefinite(Covariance(tuple(f"s{i:02}" for i in range(width)), matrix))


def test_order_of_ids_changes_no_bit() -> None:
    weights, returns = book(5, 300, 3)
    turned = dict(reversed(returns.items()))
    first = risk_report(snapshot_of(weights, returns))
    again = risk_report(snapshot_of(dict(reversed(weights.items())), turned))
    assert first == again


def test_copies_of_one_strategy_have_its_risk() -> None:
    _, returns = book(1, 300, 5)
    one = returns["s0"]
    copies = {f"c{i}": one for i in range(4)}
    single = risk_report(snapshot_of({"s0": 1.0}, returns)).figures
    spread = risk_report(snapshot_of(dict.fromkeys(copies, 0.25), copies)).figures
    assert spread["var_99_historical"] == pytest.approx(single["var_99_historical"], rel=1e-12)
    plain = Covariance(tuple(copies), np.full((4, 4), 1e-4))
    assert portfolio_vol(dict.fromkeys(copies, 0.25), plain) == pytest.approx(0.01, rel=1e-12)


def test_returns_that_never_move_have_no_risk() -> None:
    flat = {"s0": series([0.0] * 300)}
    found = risk_report(snapshot_of({"s0": 1.0}, flat))
    assert found.shrinkage == 0.0
    assert found.figures["var_99"] == 0.0
    assert found.strategies[0].component_share is None


def test_a_weekend_compounds_into_monday() -> None:
    coin = daily_returns({day(0): 0.01, day(1): 0.02, day(2): -0.01, day(3): 0.03, day(4): 0.04})
    stock = daily_returns({day(0): 0.001, day(3): 0.002, day(4): 0.003}, closed=[day(1), day(2)])
    shared = shared_returns({"coin": coin, "stock": stock})
    assert [date.fromordinal(one) for one in shared.days] == [day(0), day(3), day(4)]
    assert [date.fromordinal(one) for one in shared.starts] == [day(0), day(1), day(4)]
    assert shared.rows[:, 0].tolist() == [0.01, pytest.approx(1.02 * 0.99 * 1.03 - 1.0), 0.04]
    assert shared.rows[:, 1].tolist() == [0.001, pytest.approx(0.002), 0.003]


def test_a_gap_is_no_closed_day() -> None:
    coin = daily_returns({day(0): 0.01, day(2): 0.03, day(3): 0.04, day(4): 0.05})
    stock = daily_returns({day(0): 0.001, day(3): 0.002, day(4): 0.001}, closed=[day(1), day(2)])
    shared = shared_returns({"coin": coin, "stock": stock})
    assert [date.fromordinal(one) for one in shared.days] == [day(0), day(4)]  # Saturday is unknown, so is Monday's


def test_days_before_a_strategy_began_are_not_shared() -> None:
    old = daily_returns({day(i): 0.01 for i in range(5)})
    new = daily_returns({day(3): 0.02, day(4): 0.02})
    assert len(shared_returns({"old": old, "new": new})) == 2
    assert len(shared_returns({"old": old, "none": daily_returns({})})) == 0
    assert len(shared_returns({})) == 0
    assert len(shared_returns({"shut": daily_returns({day(0): 0.1}, closed=[day(0)])})) == 0


def test_weekend_zeros_would_understate_the_vol_of_stocks() -> None:
    random = np.random.Generator(np.random.PCG64(11))
    open_days = [one for one in range(1500) if day(one).weekday() < 5]
    values = dict(zip(map(day, open_days), random.normal(0.0, 0.01, len(open_days)).tolist(), strict=True))
    closed = [day(one) for one in range(1500) if day(one).weekday() >= 5]
    right = shared_returns({"s": daily_returns(values, closed)})
    zeros = shared_returns({"s": daily_returns(values | dict.fromkeys(closed, 0.0))})
    assert zeros.rows.std() / right.rows.std() == pytest.approx((5 / 7) ** 0.5, abs=0.005)


def test_the_newest_500_days_make_the_covariance() -> None:
    calm, wild = np.tile([0.001, -0.001], 250), np.tile([0.1, -0.1], 250)
    found = covariance_of({"s0": series([*wild, *calm])})
    assert found.days == 500
    assert found.vols()[0] == pytest.approx(0.001, rel=1e-9)
    assert found.correlations().tolist() == [[1.0]]


def test_a_sample_too_short_names_the_shortest() -> None:
    long, short = series([0.01, -0.01] * 60), series([0.01, -0.01] * 29)
    with pytest.raises(NotReady, match=r"E_RISK_SAMPLE_SHORT: covariance has 58 days .* want 60; .* is new with 58"):
        covariance_of({"old": long, "new": short})
    wide = {f"s{i:02}": series([0.01, -0.01] * 35) for i in range(40)}
    with pytest.raises(NotReady, match="has 70 days that all strategies share, want 80"):
        covariance_of(wide)


def test_a_report_leaves_out_what_it_cannot_know() -> None:
    weights, returns = book(2, 100, 1)
    found = risk_report(snapshot_of(weights, returns))
    assert found.historical is None
    assert "var_99_historical" not in found.figures
    assert found.figures["var_99"] == found.figures["var_99_normal"]
    assert [(one.reason, "250" in one.detail) for one in found.missing] == [("RISK_SAMPLE_SHORT", True)]
    few = risk_report(snapshot_of(*book(2, 50, 1)))
    assert few.normal is None
    assert not {"var_99", "vol", "component_share"} & set(few.figures)
    assert [one.reason for one in few.missing] == ["RISK_SAMPLE_SHORT"] * 2
    with pytest.raises(NotReady, match="E_RISK_INPUT: snapshot v1 has neither returns nor a covariance of s1"):
        risk_report(snapshot_of(weights, {"s0": returns["s0"]}))


def test_the_larger_method_is_the_figure() -> None:
    weights, returns = book(3, 400, 2)
    found = risk_report(snapshot_of(weights, returns))
    shared = shared_returns(returns)
    tail = historical_tail(shared.weighted(np.array([weights[name] for name in shared.ids])))
    assert found.historical == tail
    assert found.historical is not None
    assert found.historical.es_99 >= found.historical.var_99 > 0
    assert found.figures["var_99"] == max(found.figures["var_99_normal"], found.figures["var_99_historical"])
    assert found.figures["drawdown"] >= 0
    assert found.strategy_figures("s1")["component_share"] == found.strategies[1].component_share
    assert found.strategy_figures("nobody") == {}


def test_cash_dilutes() -> None:
    weights, returns = book(2, 300, 4)
    whole = risk_report(snapshot_of(weights, returns)).figures
    half = risk_report(snapshot_of({name: w / 2 for name, w in weights.items()} | {CASH: 0.5}, returns)).figures
    assert half["var_99_normal"] == pytest.approx(whole["var_99_normal"] / 2, rel=1e-12)
    alone = risk_report(snapshot_of({CASH: 1.0}, {}))
    assert alone.figures["var_99"] == 0.0


def test_weights_are_divided_by_their_sum() -> None:
    snapshot = snapshot_of({"s0": 0.4995, CASH: 0.5}, {"s0": series([0.01, -0.01] * 40)})
    assert sum(snapshot.shares().values()) == pytest.approx(1.0, rel=1e-15)
    assert snapshot.invested() == {"s0": 0.4995 / 0.9995}


def test_shocks_by_symbol_then_sector_then_asset_class() -> None:
    exposures = (
        _exposure("BTC", "600", sector="layer1", asset_class="crypto"),
        _exposure("ETH", "-200", sector="layer1", asset_class="crypto"),
        _exposure("AAPL", "100", asset_class="equity"),
        _exposure("X", "50"),
    )
    scenario = Scenario("crash", {"BTC": -0.5}, {"layer1": -0.6}, {"crypto": -0.9, "equity": -0.2})
    weights, returns = book(1, 300, 1)
    snapshot = replace(snapshot_of(weights, returns), exposures=exposures, scenarios=(scenario,), capital=Decimal(1000))
    found = risk_report(snapshot)
    crash = next(one for one in found.stress if one.name == "crash")
    assert crash.loss == pytest.approx(0.5 * 0.6 - 0.6 * 0.2 + 0.2 * 0.1)
    assert crash.unshocked == ("X",)
    assert found.figures["leverage"] == pytest.approx(0.95)
    without = risk_report(replace(snapshot, capital=None))
    assert [one.reason for one in without.missing] == ["E_RISK_INPUT"]
    assert "leverage" not in without.figures


def test_past_windows_and_worst_days() -> None:
    values = [0.0] * 300
    values[100:105] = [-0.1, -0.1, 0.05, -0.1, 0.0]
    one = series(values)
    start = one.first
    window = Scenario("then", {}, {}, {}, (start + timedelta(days=100), start + timedelta(days=104)))
    before = Scenario("never", {}, {}, {}, (start - timedelta(days=9), start - timedelta(days=1)))
    found = risk_report(replace(snapshot_of({"s0": 1.0}, {"s0": one}), scenarios=(window, before)))
    losses = {each.name: each.loss for each in found.stress}
    assert losses["then"] == pytest.approx(1 - 0.9 * 0.9 * 1.05 * 0.9)
    assert losses["worst_1d"] == pytest.approx(0.1)
    assert losses["worst_5d"] == pytest.approx(1 - 0.9 * 0.9 * 1.05 * 0.9)
    assert found.figures["stress_loss"] == max(losses.values())
    assert [each.detail for each in found.missing] == ["scenario never: no shared day lies in its window"]
    assert found.figures["drawdown"] == pytest.approx(1 - 0.9 * 0.9 * 1.05 * 0.9)


def test_a_given_covariance_is_used_as_it_is() -> None:
    given_one = CovarianceTriangle(("s0", "s1"), (1e-4, 0.0, 4e-4))
    found = risk_report(replace(snapshot_of({"s0": 0.5, "s1": 0.5}, {}), covariance=given_one))
    assert found.vol == pytest.approx(0.5 * 5e-4**0.5)
    assert found.shrinkage is None
    with pytest.raises(InvalidRequest, match=r"E_COVARIANCE_INCOMPLETE: .* \(s0, s1\)"):
        covariance_of_triangle(("s0", "s1"), (1e-4,))
    with pytest.raises(InvalidRequest, match=r"\(a, b\)"):
        portfolio_vol({"a": 0.5, "b": 0.5}, covariance_of_triangle(("a",), (1e-4,)))
    with pytest.raises(InvalidRequest, match=r"\(a, a\)"):
        portfolio_vol({"a": 1.0}, covariance_of_triangle((), ()))


def test_a_covariance_that_is_none_is_never_mended() -> None:
    with pytest.raises(InvalidRequest, match=r"E_COVARIANCE_NOT_PSD: covariance has the eigenvalue -0\.0001"):
        check_semidefinite(covariance_of_triangle(("a", "b"), (1e-4, 2e-4, 1e-4)))
    check_semidefinite(covariance_of_triangle(("a", "b"), (1e-4, 1e-4, 1e-4)))
    check_semidefinite(covariance_of_triangle((), ()))


def test_a_candidate_is_measured_on_the_same_days() -> None:
    weights, returns = book(3, 400, 8)
    _, others = book(1, 260, 9)
    told = explain_candidate(weights, "new", 0.2, {**returns, "new": others["s0"]})
    assert told.covariance.days == 260
    assert sum(told.after.weights.values()) == pytest.approx(1.0)
    assert told.before.historical is not None
    assert told.incremental("es_975") == told.after.figures["es_975"] - told.before.figures["es_975"]
    assert -1 < told.correlation < 1
    assert with_candidate({"a": 1.0}, "a", 0.5) == {"a": 1.0}
    for share in (0.0, 1.0, float("nan")):
        with pytest.raises(InvalidRequest, match="E_FIELD: share"):
            explain_candidate(weights, "new", share, returns)
    with pytest.raises(NotReady, match="E_RISK_SAMPLE_SHORT"):
        explain_candidate(weights, "nobody", 0.1, returns)


def test_hash_is_of_all_content() -> None:
    weights, returns = book(2, 100, 6)
    one = snapshot_of(weights, returns)
    changes: list[Callable[[], object]] = [
        lambda: replace(one, version="v2"),
        lambda: replace(one, as_of=AS_OF + timedelta(seconds=1)),
        lambda: replace(one, ttl=timedelta(seconds=60)),
        lambda: replace(one, capital=Decimal(1)),
        lambda: replace(one, provenance=replace(one.provenance, actor="else")),
        lambda: replace(one, provenance=replace(one.provenance, account_sequence=7)),
        lambda: replace(one, returns={**returns, "s0": replace(returns["s0"], closed=(1,))}),
        lambda: replace(one, weights={**weights, "s0": weights["s0"] + 1e-9}),
        lambda: replace(one, scenarios=(Scenario("x", {}, {}, {}),)),
        lambda: replace(one, exposures=(_exposure("BTC", "1"),)),
        lambda: replace(one, covariance=CovarianceTriangle(("s0",), (1e-4,))),
    ]
    hashes = {change().content_hash() for change in changes}  # type: ignore[attr-defined]  # each is a snapshot
    assert len(hashes | {one.content_hash()}) == len(changes) + 1
    assert replace(one, weights=dict(reversed(weights.items()))).content_hash() == one.content_hash()


def test_horizons_beyond_ten_days_are_refused() -> None:
    for days in (0, 11):
        with pytest.raises(InvalidRequest, match="E_FIELD: days"):
            normal_var(0.01, days=days)


@pytest.mark.parametrize(("count", "within"), [(250, 0.04), pytest.param(10_000, 0.01, marks=pytest.mark.soak)])
def test_sizes_of_the_tests_are_those_that_the_report_states(count: int, within: float) -> None:
    """At 250 days: a right model and one that knows two thirds of the vol, on seeded paths."""
    random = np.random.Generator(np.random.PCG64(1))
    rates = {}
    for vol in (1.0, 1.5):
        paths = random.normal(0.0, vol, (count, 250))
        found = [
            backtest_forecasts([ForecastDay(i, 2.326348, 1.959964, 2.337803, r) for i, r in enumerate(path)])
            for path in paths.tolist()
        ]
        rates[vol] = [
            np.mean([one.unconditional.p < 0.05 for one in found]),
            np.mean([one.independence.p < 0.05 for one in found]),
            np.mean([one.conditional.p < 0.05 for one in found]),
            np.mean([not one.shortfall.holds for one in found]),
        ]
    assert rates[1.0] == pytest.approx([0.091, 0.013, 0.008, 0.050], abs=within)
    assert rates[1.5] == pytest.approx([0.994, 0.022, 0.985, 0.999], abs=within)


def test_critical_values_of_other_lengths_are_simulated() -> None:
    critical, red = z2_critical(500)
    assert critical == pytest.approx(-0.49, abs=0.03)
    assert red < critical
    assert acerbi_szekely([], 500, 0.025).z2 == 1.0


def test_a_model_is_rejected_for_too_many_exceptions_only() -> None:
    quiet = [ForecastDay(i, 0.02, 0.018, 0.021, 0.0) for i in range(250)]
    found = backtest_forecasts(quiet, missing=3)
    assert (found.exceptions, found.missing, found.model_rejected) == (0, 3, False)
    loud = [ForecastDay(i, 0.02, 0.018, 0.021, -0.05 if i % 20 == 0 else 0.0) for i in range(250)]
    lost = backtest_forecasts(loud)
    assert lost.exceptions == 13
    assert lost.zone is not None
    assert lost.zone.value == "RED"
    assert lost.model_rejected
    assert backtest_forecasts(quiet[:100]).zone is None


def _exposure(symbol: str, notional: str, sector: str = "", asset_class: str = "") -> Exposure:
    return Exposure("s0", symbol, Decimal(1), Decimal(1), Decimal(notional), sector, asset_class)


def test_instants_of_a_snapshot() -> None:
    snapshot = snapshot_of({CASH: 1.0}, {})
    assert snapshot.expires_at == datetime(2026, 7, 1, 0, 15, tzinfo=UTC)

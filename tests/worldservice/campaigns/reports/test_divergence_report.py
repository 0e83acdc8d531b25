"""Reports: their figures, every limit's two bounds, and what leaves a verdict unknown."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from worldservice.campaigns.domain.divergence.attribution import Marks
from worldservice.campaigns.domain.divergence.pairing import TradedOrder
from worldservice.campaigns.domain.divergence.report import Evidence, FeatureDrift, Side, report_of
from worldservice.campaigns.domain.divergence.verdict import Ground, Measured, Verdict, judge
from worldservice.policy.domain.campaign.terms import CampaignTerms, DivergenceTerms

START = datetime(2026, 11, 2, tzinfo=UTC)
GROUND = Ground("sha256:r", 1.0, "v1", "v1")
FINE = Measured(40, 1.0, 1.0, 2.0, 0.01, 0.3, 0.02)
BP = 1e-4
GAPS = [-3, 1, -2, -4, 0, -1, 2, -3, -2, -1, -4, 1, -2, -3, 0, -2, -1, -3, 1, -2]


def orders(count: int = 12, slip: str = "0", share: str = "1") -> tuple[TradedOrder, ...]:
    """Of one each quarter of an hour, filled at 100 worsened by `slip`."""
    made = []
    for index in range(count):
        buys = index % 2 == 0
        price = Decimal(100) + (1 if buys else -1) * Decimal(slip)
        quantity = Decimal(share)
        made.append(
            TradedOrder(
                f"o{index}", "BTC", buys, START + timedelta(minutes=15 * index), quantity, quantity * price,
                arrival=Decimal(100),
            )
        )  # fmt: skip
    return tuple(made)


def returns(gaps: list[float] | None = None) -> dict[date, float]:
    gaps = gaps or [0.0] * 20
    return {(START + timedelta(days=day)).date(): 0.001 * (day % 3) + gap for day, gap in enumerate(gaps)}


def evidence(live: Side, replay: Side | None = None, **fields: object) -> Evidence:
    made = Evidence(
        START, START + timedelta(days=20), timedelta(minutes=15), live, replay or Side(orders(), returns()),
        {"BTC": Marks(Decimal(100), Decimal(100))}, GROUND,
    )  # fmt: skip
    return replace(made, **fields)  # type: ignore[arg-type]  # fields by name


def test_a_live_run_equal_to_its_replay_reports_nothing_and_passes() -> None:
    report = report_of(evidence(Side(orders(), returns())), CampaignTerms())
    assert (report.verdict, report.reasons) == (Verdict.PASS, ())
    assert math.isnan(report.measured.psi)
    assert replace(report.measured, psi=0.0) == Measured(12, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    assert report.attribution is not None
    assert report.attribution.terms.total == 0
    assert (report.shifted, report.only_live, report.only_replay, report.mean_difference) == (0, 0, 0, 0.0)
    assert report.curve[-1][1] == report.curve[-1][2]


def test_slippage_is_told_in_basis_points_beside_the_models() -> None:
    live = Side(orders(slip="0.2"), returns())
    report = report_of(evidence(live, Side(orders(slip="0.05"), returns())), CampaignTerms())
    assert report.measured.slippage_bps == pytest.approx(20.0)
    assert report.model_slippage_bps == pytest.approx(5.0)
    assert report.slippages_bps == pytest.approx((20.0,) * 12)
    assert report.attribution is not None
    assert report.attribution.terms.execution == Decimal("-2.4")
    assert (report.verdict, report.reasons) == (Verdict.FAIL, ("slippage in bps is 20, want at most 15",))


def test_the_mean_of_days_is_tested_from_twenty_on() -> None:
    gaps = [gap * BP for gap in GAPS]
    report = report_of(evidence(Side(orders(), returns(gaps))), CampaignTerms())
    assert report.measured.t == pytest.approx(-6.066, abs=5e-4)
    assert report.mean_difference == pytest.approx(-1.4 * BP)
    assert report.verdict is Verdict.FAIL
    fewer = report_of(evidence(Side(orders(), returns(gaps[:19]))), CampaignTerms())
    assert math.isnan(fewer.measured.t)
    assert fewer.verdict is Verdict.PASS
    same = report_of(evidence(Side(orders(), returns([-2 * BP] * 20))), CampaignTerms())
    assert same.verdict is Verdict.FAIL  # worse by the same each day: no spread, and no doubt


def test_denials_fills_and_drift_are_counted() -> None:
    refused = replace(orders()[0], quantity=Decimal(0), notional=Decimal(0), denial="LEVERAGE")
    live = Side((refused, *orders()[1:]), returns())
    drift = FeatureDrift("n", (1.0,) * 10, (2.0, 4.0, 6.0, 8.0, 10.0, 11.0, 12.0, 14.0, 16.0, 17.0))
    report = report_of(evidence(live, features=(drift,)), CampaignTerms())
    assert report.denials == {"LEVERAGE": (1, 0)}
    assert report.measured.fill_ratio == pytest.approx(11 / 12)
    assert report.drift["n"] == pytest.approx(0.2920, abs=5e-5)
    assert report.verdict is Verdict.FAIL


def judged(**fields: float) -> Verdict:
    return judge(replace(FINE, **fields), DivergenceTerms(), GROUND, 0.98)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "passes", "warns", "fails"),
    [
        ("match_rate", 0.96, 0.955, 0.9499),
        ("fill_ratio", 0.92, 0.919, 0.8999),
        ("slippage_bps", 12.0, 12.01, 15.01),
        ("tracking_error", 0.04, 0.0401, 0.0501),
        ("psi", 0.2, 0.201, 0.2501),
        ("t", -1.96, -1.97, -2.577),
    ],
)
def test_a_limit_warns_beyond_four_fifths_and_fails_beyond_itself(
    field: str, passes: float, warns: float, fails: float
) -> None:
    found = [judged(**{field: value}) for value in (passes, warns, fails)]
    assert found == [Verdict.PASS, Verdict.WARN, Verdict.FAIL]


def test_better_than_its_replay_is_a_warning_and_never_a_failure() -> None:
    assert judged(t=2.576) is Verdict.PASS
    assert judged(t=9.0) is Verdict.WARN
    assert [judged(t=t) for t in (2.576, -1.96, -2.576)] == [Verdict.PASS, Verdict.PASS, Verdict.WARN]  # limits are in
    assert judged(slippage_bps=15.0) is Verdict.WARN
    assert judged(t=math.nan) is Verdict.PASS
    assert judged(psi=math.nan) is Verdict.PASS
    assert judged(fill_ratio=math.nan) is Verdict.FAIL


@pytest.mark.parametrize(
    ("ground", "measured", "says"),
    [
        (replace(GROUND, recording=""), FINE, "no recording of what the live run was given"),
        (replace(GROUND, cut=True), FINE, "the recording ends before the window does"),
        (replace(GROUND, coverage=0.9), FINE, "the recording covers 90.0% of the window, want 98.0%"),
        (replace(GROUND, coverage=math.nan), FINE, "the recording covers nan% of the window, want 98.0%"),
        (replace(GROUND, replay_version="v2"), FINE, "the replay is of version v2, live of v1"),
        (GROUND, replace(FINE, pairs=9), "9 pairs of orders, want 10"),
        (GROUND, replace(FINE, slippage_bps=math.nan), "no live fill has the mark that its order arrived at"),
        (GROUND, replace(FINE, tracking_error=math.nan), "fewer than two days with a return of both sides"),
    ],
)
def test_what_is_missing_is_unknown_and_named(ground: Ground, measured: Measured, says: str) -> None:
    worst = replace(measured, match_rate=0.0)
    assert judge(worst, DivergenceTerms(), ground, 0.98) == (Verdict.UNKNOWN, (says,))

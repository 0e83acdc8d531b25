"""Demotion rules: counted once per live data day, in order, over numbers of the days since it went live."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from qmtl.core.errors import InvalidRequest
from qmtl.world.v1 import divergence_pb2 as divergencepb
from tests.worldservice.samples import DOCUMENT
from worldservice.campaigns.domain.demotion import EvidenceDay, count_days, recommended
from worldservice.campaigns.domain.phases import Campaign, Phase
from worldservice.campaigns.live.divergence import daily_differences, figures_of, figures_on, spread_of
from worldservice.campaigns.live.evidence import days_of_rules
from worldservice.policy.domain.campaign.demotion import DemotionRule
from worldservice.policy.domain.policy import parse_policy
from worldservice.risk.domain.returns import daily_returns

DAY = date(2026, 11, 2)
LIVE = Campaign("alpha", "s", Phase.LIVE_FULL)
DRAIN = "position_policy: {on_demote: drain}\n"


def rules(text: str) -> tuple[DemotionRule, ...]:
    policy = parse_policy(f"{DOCUMENT}{DRAIN}campaign: {{demote: {text}}}\n")
    assert policy.campaign is not None
    return policy.campaign.demote


FALLS = '[{when: "live_drawdown > 1.5 * backtest_max_drawdown", for: 2, act: drain}]'


def days(*drawdowns: float | None) -> list[EvidenceDay]:
    """Consecutive days; None: the number is not known."""
    fixed = {"backtest_max_drawdown": 0.1}
    return [
        EvidenceDay(DAY + timedelta(days=at), fixed if one is None else {**fixed, "live_drawdown": one})
        for at, one in enumerate(drawdowns)
    ]


@pytest.mark.parametrize(
    ("drawdowns", "fires"),
    [
        ((0.16, 0.16), 1),
        ((0.16, 0.15, 0.16), None),  # 0.15 is not above 1.5 times 0.1
        ((0.16, 0.15, 0.16, 0.2), 3),
        ((0.16, None, 0.16), 2),  # a gap neither clears nor adds
        ((None, None), None),
        ((0.16,), None),
    ],
)
def test_a_rule_fires_after_its_days_in_a_row(drawdowns: tuple[float | None, ...], fires: int | None) -> None:
    after, fired = count_days(LIVE, rules(FALLS), days(*drawdowns))
    assert (None if fired is None else fired.evidence.day) == (None if fires is None else DAY + timedelta(days=fires))
    assert after.counted == DAY + timedelta(days=len(drawdowns) - 1 if fires is None else fires)


def test_a_day_counts_once_however_often_it_is_looked_at() -> None:
    first, fired = count_days(LIVE, rules(FALLS), days(0.16))
    again, fired_again = count_days(first, rules(FALLS), days(0.16))
    assert (again, fired, fired_again) == (first, None, None)
    _, later = count_days(again, rules(FALLS), days(0.16, 0.2))
    assert later is not None
    assert later.sentence() == (
        "live_drawdown > 1.5 * backtest_max_drawdown on 2 live data days to 2026-11-03: "
        "backtest_max_drawdown 0.1, live_drawdown 0.2"
    )


def test_a_rule_that_left_the_policy_is_counted_no_longer() -> None:
    first, _ = count_days(LIVE, rules(FALLS), days(0.16))
    other = rules('[{when: "live_drawdown > 0.9", act: drain}]')
    after, _ = count_days(first, other, days(0.16, 0.16))
    assert [key for key, _ in after.counts] == ["live_drawdown > 0.9 for 1"]


def test_a_rule_without_auto_is_told_and_lowers_nobody() -> None:
    asks = rules('[{when: "live_drawdown > 0.15", for: 2, act: drain, auto: false}]')
    shown = days(0.16, 0.2)
    after, fired = count_days(LIVE, asks, shown)
    assert fired is None
    found = recommended(after, asks, shown)
    assert found is not None
    assert found.sentence() == "live_drawdown > 0.15 on 2 live data days to 2026-11-03: live_drawdown 0.2"
    assert recommended(after, rules(FALLS), shown) is None
    assert recommended(replace(after, counts=()), asks, shown) is None


def test_numbers_are_of_the_days_since_it_went_live() -> None:
    values = [0.5, -0.1, -0.2, 0.1, 0.05]
    series = daily_returns({DAY + timedelta(days=at): value for at, value in enumerate(values)})
    shown = days_of_rules(series, DAY + timedelta(days=1), None, {"paper_sharpe": 2.0})
    assert [one.day.day for one in shown] == [3, 4, 5, 6]
    last = shown[1].figures
    assert last["live_days"] == 2
    assert last["live_return"] == pytest.approx(0.9 * 0.8 - 1.0)
    assert last["live_drawdown"] == pytest.approx(1.0 - 0.9 * 0.8)
    assert last["paper_sharpe"] == 2.0
    from_counted = days_of_rules(series, DAY + timedelta(days=1), DAY + timedelta(days=3), {"paper_sharpe": 2.0})
    assert from_counted == shown[2:]


@pytest.mark.parametrize(
    ("text", "reason", "path"),
    [
        ('[{when: "live_days > 3", act: sell}]', "E_POLICY_VALUE", "campaign.demote[0].act"),
        ('[{when: "live_days > 3", act: drain, for: 0}]', "E_POLICY_VALUE", "campaign.demote[0].for"),
        (
            '[{when: "live_days > 3", act: drain}, {when: "live_days > 3", act: drain}]',
            "E_POLICY_VALUE",
            "campaign.demote",
        ),
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused_by_name(text: str, reason: str, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        rules(text)
    assert (caught.value.reason, caught.value.violations[0].field) == (reason, path)


def test_rules_ask_for_a_drain() -> None:
    with pytest.raises(InvalidRequest, match=r"position_policy\.on_demote"):
        parse_policy(f"{DOCUMENT}campaign: {{demote: {FALLS}}}\n")


def growth(gaps: list[float]) -> list[divergencepb.DivergenceDay]:
    """Days of a replay that earns nothing, live with these differences."""
    made, live = list[divergencepb.DivergenceDay](), 1.0
    for place, gap in enumerate(gaps):
        live *= 1.0 + gap
        day = (DAY + timedelta(days=place)).isoformat()
        made.append(divergencepb.DivergenceDay(day=day, live_growth=live, replay_growth=1.0))
    return made


def live_report(gaps: list[float], match_rate: float = math.nan) -> divergencepb.DivergenceReport:
    made = divergencepb.DivergenceReport(
        days=growth(gaps), figures=divergencepb.DivergenceFigures(match_rate=match_rate)
    )
    made.end.FromDatetime(datetime.combine(DAY, time(), UTC) + timedelta(days=len(gaps)))
    return made


def test_shortfalls_of_live_days_add_up_in_deviations_of_paper() -> None:
    paper = daily_differences(growth([0.001, -0.001] * 10))
    spread = spread_of(paper)
    assert spread == pytest.approx(0.001 * math.sqrt(20 / 19))
    told = figures_of(live_report([-2.5 * spread, -0.5 * spread, -4.0 * spread], match_rate=0.9), spread)
    assert told.figures["cusum"] == pytest.approx(2.0 + 0.0 + 3.5)
    assert told.figures["match_rate"] == 0.9
    better = figures_of(live_report([-2.5 * spread, 9.0 * spread]), spread)
    assert better.figures["cusum"] == 0.0
    assert math.isnan(spread_of(paper[1:]))  # of 19 days nothing is said
    for unknown in (math.nan, 0.0):
        assert "cusum" not in figures_of(live_report([-0.1]), unknown).figures
    assert "psi" not in told.figures
    drifted = live_report([0.0])
    drifted.drift.extend([divergencepb.FeatureDrift(node="a", psi=0.1), divergencepb.FeatureDrift(node="b", psi=0.3)])
    assert figures_of(drifted, math.nan).figures["psi"] == 0.3


def test_a_day_reads_the_newest_report_that_had_ended_by_then_and_is_not_too_old() -> None:
    first = figures_of(live_report([0.0], match_rate=0.9), math.nan)
    second = figures_of(live_report([0.0] * 3, match_rate=0.8), math.nan)
    read = [
        figures_on(DAY + timedelta(days=at), [first, second], timedelta(days=2)).get("match_rate")
        for at in range(-1, 6)
    ]
    assert read == [None, 0.9, 0.9, 0.8, 0.8, 0.8, None]
    assert figures_on(DAY + timedelta(days=2), [first], timedelta(days=1)) == {}


def test_a_rule_on_shortfalls_fires_with_its_number() -> None:
    asks = rules('[{when: "cusum > 5.0", act: drain}]')
    shown = [EvidenceDay(DAY, {"live_days": 1.0}), EvidenceDay(DAY + timedelta(days=1), {"cusum": 5.25})]
    after, fired = count_days(LIVE, asks, shown)
    assert fired is not None
    assert fired.sentence() == "cusum > 5.0 on 1 live data days to 2026-11-03: cusum 5.25"
    assert after.counted == DAY + timedelta(days=1)

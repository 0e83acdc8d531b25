"""Every block alone and with every other, each with its sentence; overrides; selection; what a tick recommends."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from qmtl.core.errors import InvalidRequest
from tests.worldservice.samples import NOW, trials
from worldservice.campaigns.domain.actions import Action, ActionKind, Standing, action_of, in_order
from worldservice.campaigns.domain.blocks import OVERRIDABLE, BlockReason
from worldservice.campaigns.domain.overrides import Override, check_override
from worldservice.campaigns.domain.promotions import Promotion, PromotionState
from worldservice.campaigns.domain.readiness import Readiness, ReportShown, StageEvidence, blocks_of
from worldservice.campaigns.domain.selection import Selection, TrialsSummary, selection_of, with_earlier
from worldservice.campaigns.domain.windows import Window
from worldservice.campaigns.store import StoredTrials
from worldservice.campaigns.trials import TrialsTable, trials_table
from worldservice.evaluation.domain.runs import DailyMoments
from worldservice.policy.domain.campaign.terms import CampaignTerms
from worldservice.worlds.domain.binding import Approval, Stage
from worldservice.worlds.domain.block import Block

DAY = timedelta(days=1)
FINE = Selection(1, "1 versions evaluated", 0.99, False, 0.1, 0.0)
BACKTEST = StageEvidence("b", 1, Window(400 * DAY, 365 * DAY), 150.0, 0.0, FINE)
PAPER = StageEvidence("p", 2, Window(31 * DAY, 30 * DAY), 40.0, 0.0)
APPROVED = Approval("alpha", "s", "ann", "fine", NOW - DAY, NOW + DAY)
REPORT = ReportShown("WARN", ("slippage in bps is 13, want at most 15",), "blake3:v1", NOW - 21 * DAY, NOW - DAY)
READY = Readiness(
    "s", Stage.PAPER, CampaignTerms(divergence_written=True), "blake3:v1", BACKTEST, PAPER, False, (), 7, APPROVED,
    None, True, False, REPORT,
)  # fmt: skip
BREAKS: Mapping[str, Mapping[str, object]] = {
    "LIVE_NOT_ALLOWED: is in a world with allow_live false": {"allow_live": False},
    "REPLAY_NEVER_LIVE: is in a world on recorded data, which never trades live": {"replay": True},
    "NOT_PAPER_STAGE: is at stage BACKTEST, want PAPER": {"stage": Stage.BACKTEST},
    "MAX_LIVE_SLOTS: finds 8 others live, want fewer than 8": {"live_others": 8},
    "VERSION_CHANGED: was evaluated at other versions of its nodes only": {"other_version": True},
    "BACKTEST_WINDOW_INCOMPLETE: backtest covers 364.5 of 365 days of data": {
        "backtest": {"window": Window(364.5 * DAY, 365 * DAY)}
    },
    "INSUFFICIENT_TRADES: needs 12 more trades on backtest, has 88": {"backtest": {"trades": 88.0}},
    "METRIC_MISSING: has no n_trades on backtest": {"backtest": {"trades": None}},
    "DEFLATED_SHARPE_LOW: has a deflated Sharpe ratio of 0.9004, want 0.95 (N 100 from 100 variants tried)": {
        "selection": Selection(100, "100 variants tried", 0.900397, False, 0.1, 0.0)
    },
    "OVERFIT: is overfitted with probability 0.5249, want at most 0.2": {"selection": replace(FINE, pbo=0.52486)},
    "PAPER_WINDOW_INCOMPLETE: paper covers 29.5 of 30 days of data": {
        "paper": {"window": Window(29.5 * DAY, 30 * DAY)}
    },
    "INSUFFICIENT_TRADES: needs 1 more trades on paper, has 29": {"paper": {"trades": 29.0}},
    "VALIDATION_FAILED: fails sharpe >= 0.6": {"failed_rules": ("sharpe >= 0.6",)},
    "CROSS_CONTEXT_CACHE_HIT: read records of another context: 3 in run p": {"paper": {"cross_context_hits": 3.0}},
    "COOLDOWN_ACTIVE: fell from live at 2026-11-16 12:00 and waits until 2026-11-23 12:00 UTC": {
        "demoted_at": NOW - 6 * DAY
    },
    "APPROVAL_MISSING: has no owner's approval to go live": {"approval": None},
    "APPROVAL_EXPIRED: has an approval that ended at 2026-11-22 12:00 UTC": {
        "approval": replace(APPROVED, expires_at=NOW)
    },
    "MISSING_BACKTEST_RUN: has no replayed backtest of its version here": {"backtest": None},
    "MISSING_PAPER_RUN: has no paper run of its version from brokerage's books": {"paper": None},
    "DIVERGENCE_MISSING: has no divergence report of its version": {"report": None},
    "DIVERGENCE_MISSING: has a divergence report on 19.0 of 20.0 days": {
        "report": replace(REPORT, start=REPORT.end - 19 * DAY)
    },
    "DIVERGENCE_MISSING: has a divergence report that is UNKNOWN: 3 pairs of orders, want 10": {
        "report": replace(REPORT, verdict="UNKNOWN", reasons=("3 pairs of orders, want 10",))
    },
    "DIVERGENCE_STALE: has a divergence report whose data ended 3.5 days ago, want at most 3.0": {
        "report": replace(REPORT, start=NOW - 30 * DAY, end=NOW - 3.5 * DAY)
    },
    "DIVERGENCE_GUARD: has a divergence report that is FAIL: fill ratio is 0.5, want at least 0.9": {
        "report": replace(REPORT, verdict="FAIL", reasons=("fill ratio is 0.5, want at least 0.9",))
    },
}


def broken(*changes: Mapping[str, object]) -> Readiness:
    ready = READY
    for change in changes:
        for name, value in change.items():
            if name == "selection":
                shown = ready.backtest
                ready = replace(ready, backtest=None if shown is None else replace(shown, selection=value))  # type: ignore[arg-type]
            elif isinstance(value, dict):
                shown = getattr(ready, name)
                ready = replace(ready, **{name: None if shown is None else replace(shown, **value)})  # type: ignore[arg-type]
            else:
                ready = replace(ready, **{name: value})  # type: ignore[arg-type]  # fields by name
    return ready


def told(ready: Readiness) -> list[str]:
    return [f"{block.reason}: {block.sentence}" for block in blocks_of(ready, NOW)]


def test_nothing_bars_who_has_shown_everything() -> None:
    assert told(READY) == []
    assert told(replace(READY, terms=CampaignTerms(), report=None)) == []  # the policy does not write divergence
    other = replace(READY, report=replace(REPORT, version="blake3:v0"))
    assert told(other) == ["DIVERGENCE_MISSING: has no divergence report of its version"]


@pytest.mark.parametrize("sentence", list(BREAKS))
def test_each_block_alone(sentence: str) -> None:
    assert told(broken(BREAKS[sentence])) == [sentence]


def test_each_two_blocks_are_told_together() -> None:
    """But where one evidence is gone altogether, what it would have shown is not told beside it."""
    for one, two in itertools.combinations(BREAKS, 2):
        changes = BREAKS[one], BREAKS[two]
        if changes[0].keys() & changes[1].keys() or {"selection", "backtest"} <= {*changes[0], *changes[1]}:
            continue
        assert sorted(told(broken(*changes))) == sorted([one, two])


def test_trades_are_enough_when_they_are_as_many_as_asked() -> None:
    least = READY.terms.backtest.min_trades
    for trades, want in (
        (least, []),
        (least - 1, [f"INSUFFICIENT_TRADES: needs 1 more trades on backtest, has {least - 1}"]),
    ):
        assert told(broken({"backtest": {"trades": float(trades)}})) == want


def test_a_cooldown_ends_and_revoking_is_missing() -> None:
    assert told(broken({"demoted_at": NOW - 7 * DAY})) == []
    revoked = replace(APPROVED, revoked_at=NOW)
    assert told(broken({"approval": revoked})) == ["APPROVAL_MISSING: has no owner's approval to go live"]


def test_an_unknown_overfitting_bars_only_where_the_policy_writes_it() -> None:
    unknown = broken({"selection": replace(FINE, pbo=math.nan)})
    assert told(unknown) == []
    terms = CampaignTerms(backtest=replace(CampaignTerms().backtest, pbo_required=True))
    assert told(replace(unknown, terms=terms))[0].startswith("PBO_UNKNOWN")
    assert told(broken({"selection": None}))[0].startswith("METRIC_MISSING: has no deflated Sharpe")


def test_behind_a_freeze_only_slots_and_approvals_are_asked_again() -> None:
    everything = broken({"live_others": 9}, {"approval": None}, {"backtest": None}, {"allow_live": False})
    found = blocks_of(everything, NOW, switching=True)
    assert [block.reason for block in found] == ["MAX_LIVE_SLOTS", "APPROVAL_MISSING"]


def test_a_waiver_counts_for_its_rule_run_and_revision_only() -> None:
    short = broken({"paper": {"trades": 3.0}}, {"approval": None})
    held = frozenset({("p", 2, "INSUFFICIENT_TRADES"), ("p", 2, "APPROVAL_MISSING")})
    assert [block.reason for block in blocks_of(replace(short, overrides=held), NOW)] == ["APPROVAL_MISSING"]
    for other in (("p", 1, "INSUFFICIENT_TRADES"), ("q", 2, "INSUFFICIENT_TRADES"), ("p", 2, "OVERFIT")):
        assert len(blocks_of(replace(short, overrides=frozenset({other})), NOW)) == 2


def test_a_waiver_of_the_backtest_waives_nothing_of_paper() -> None:
    few = broken({"backtest": {"trades": 3.0}}, {"paper": {"trades": 3.0}})
    held = replace(few, overrides=frozenset({("b", 1, "INSUFFICIENT_TRADES")}))
    assert told(held) == ["INSUFFICIENT_TRADES: needs 27 more trades on paper, has 3"]


OVERRIDE = Override("alpha", "s", "p", 2, "OVERFIT", "known", "ann", NOW, NOW + 90 * DAY)


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "APPROVAL_MISSING"},
        {"rule": "RISK_LIMIT_EXCEEDED"},
        {"rule": "CROSS_CONTEXT_CACHE_HIT"},
        {"revision": 1},
        {"expires_at": NOW},
        {"expires_at": NOW + 90 * DAY + timedelta(microseconds=1)},
    ],
)
def test_a_waiver_is_of_few_rules_of_the_newest_revision_and_ends(change: dict[str, object]) -> None:
    check_override(OVERRIDE, 2)
    with pytest.raises(InvalidRequest, match="E_OVERRIDE"):
        check_override(replace(OVERRIDE, **change), 2)  # type: ignore[arg-type]  # fields by name
    assert BlockReason.OVERFIT in OVERRIDABLE


MOMENTS = DailyMoments(1250, 2.5 / math.sqrt(250.0), -3.0, 10.0)
STORED = TrialsSummary("blake3:t", 100, 400, math.sqrt(0.5 / 250.0), 0.3, 100, math.sqrt(0.5 / 250.0))


def test_the_deflated_ratio_falls_with_trials_and_says_where_they_are_from() -> None:
    found = selection_of(MOMENTS, 3, STORED)
    assert (found.trials, found.trials_from, found.assumed) == (100, "100 variants tried", False)
    assert found.deflated_sharpe == pytest.approx(0.900397, abs=5e-7)
    more = selection_of(MOMENTS, 120, STORED)
    assert (more.trials, more.trials_from) == (120, "120 versions evaluated")
    assert more.deflated_sharpe < found.deflated_sharpe


def test_without_stored_trials_their_spread_is_assumed_and_one_version_is_no_trial() -> None:
    alone = selection_of(MOMENTS, 1, None)
    assert (alone.trials, alone.assumed, alone.more_days) == (1, False, 0.0)
    assert math.isnan(alone.pbo)
    assert selection_of(MOMENTS, 2, None).assumed
    several = selection_of(MOMENTS, 5, None)
    assert several.assumed
    assert several.deflated_sharpe < alone.deflated_sharpe
    short = selection_of(DailyMoments(100, 2.0 / math.sqrt(365.0), -0.5, 6.0), 1, None)
    assert math.ceil(short.more_days) == 165


def test_trials_are_summed_up_or_refused_by_name() -> None:
    good = trials("w1", "s")
    found = trials_table(good.returns_arrow, good.trials_hash).summary
    assert (found.variants, found.days) == (12, 200)
    assert found.pbo is not None
    assert 0.0 < found.pbo < 1.0
    assert found.sharpe_std == pytest.approx(1.0 / math.sqrt(200.0), rel=0.5)
    few = trials("w1", "s", variants=9)
    assert trials_table(few.returns_arrow, few.trials_hash).summary.pbo is None
    with pytest.raises(InvalidRequest, match="E_TRIALS_TABLE"):
        trials_table(good.returns_arrow, "blake3:other")
    for body in (b"no arrow", trials("w1", "s", days=1).returns_arrow):
        with pytest.raises(InvalidRequest, match="E_TRIALS_TABLE"):
            trials_table(body, _named(body))


def _named(body: bytes) -> str:
    from blake3 import blake3

    return f"blake3:{blake3(body).hexdigest()}"


MISSING = Block("APPROVAL_MISSING", "s", "has none")
SHORT = Block("PAPER_WINDOW_INCOMPLETE", "s", "paper covers 3 of 30 days of data")
STANDING = Standing("alpha", "s", "blake3:v1", Stage.PAPER, (MISSING,), None, False, False, NOW)
ASKED = Promotion("alpha", "s", "run", "bob", NOW, "ready", "blake3:v1", 7)


def acted(**changes: object) -> Action | None:
    return action_of(replace(STANDING, **changes))  # type: ignore[arg-type]  # fields by name


def test_a_tick_asks_for_what_is_missing_first_and_then_for_the_promotion() -> None:
    waits = acted(blocks=(MISSING, SHORT))
    assert waits is not None
    assert (waits.kind, waits.message) == (ActionKind.EVALUATE, "paper covers 3 of 30 days of data")
    assert waits.run_id == "camp-alpha-s-paper-20261122"
    asks = acted()
    assert asks is not None
    assert asks.kind is ActionKind.REQUEST_PROMOTION
    assert acted(blocks=(Block("RISK_LIMIT_EXCEEDED", "s", "x"),)) is None
    assert acted(paused=True) is None
    assert acted(live=True) is None
    assert acted(stage=Stage.BACKTEST) is None


def test_an_open_promotion_is_applied_once_nothing_blocks_it() -> None:
    approved = replace(ASKED, state=PromotionState.APPROVED)
    found = acted(promotion=approved, blocks=())
    assert found is not None
    assert (found.kind, found.run_id) == (ActionKind.APPLY_PROMOTION, "run")
    assert acted(promotion=approved, blocks=(SHORT,)) is None
    assert acted(promotion=ASKED, blocks=()) is None
    by_itself = acted(promotion=ASKED, auto_apply=True)
    assert by_itself is not None
    assert by_itself.kind is ActionKind.APPLY_PROMOTION
    assert acted(promotion=replace(ASKED, state=PromotionState.APPLYING), blocks=()) is None


def test_a_scheduler_carries_out_what_takes_no_person() -> None:
    def automatic(**changes: object) -> bool:
        found = acted(**changes)
        assert found is not None
        return found.automatic

    approved = replace(ASKED, state=PromotionState.APPROVED)
    live = {"live": True, "blocks": (), "canary": 1}
    assert automatic()  # asks for the promotion
    assert automatic(stage=Stage.BACKTEST, blocks=(), paper_auto=True)
    for acts in (False, True):
        assert automatic(promotion=approved, blocks=(), auto_apply=acts) is acts
        assert automatic(**live, auto_apply=acts) is acts
        assert not automatic(blocks=(SHORT,), auto_apply=acts)  # to evaluate
        assert not automatic(demotion="x", auto_apply=acts)


def test_an_act_has_one_key_for_the_same_evidence_and_another_for_new() -> None:
    keys = {
        action.key
        for action in (
            acted(), acted(), acted(data_end=NOW + DAY), acted(version="blake3:v2"), acted(blocks=(SHORT,)),
            acted(world_id="beta"), acted(strategy_id="t"),
        )
        if action is not None
    }  # fmt: skip
    assert len(keys) == 6
    made = [acted(strategy_id=name) for name in ("c", "a", "b")]
    assert [one.strategy_id for one in in_order([one for one in made if one is not None])] == ["a", "b", "c"]
    many = [acted(strategy_id=f"s{index:03}") for index in range(120)]
    assert len(in_order([one for one in many if one is not None])) == 100


def test_what_was_tried_once_stays_tried() -> None:
    def put(variants: int, spread: float | None) -> TrialsSummary:
        return TrialsSummary(f"blake3:{variants}", variants, 400, spread, 0.1)

    first = with_earlier(put(50, 0.04), None, 50, 50)
    assert (first.tried, first.spread, first.pbo) == (50, 0.04, 0.1)
    fewer = with_earlier(put(12, 0.01), first, 12, 50)  # N and the spread stay; overfitting is not known of a part
    assert (fewer.variants, fewer.tried, fewer.spread, fewer.pbo) == (12, 50, 0.04, None)
    before, after = (selection_of(MOMENTS, 3, each) for each in (first, fewer))
    assert (after.trials, after.deflated_sharpe) == (50, before.deflated_sharpe)
    assert math.isnan(after.pbo)
    more = with_earlier(put(80, 0.05), fewer, 80, 80)
    assert (more.tried, more.spread, more.pbo) == (80, 0.05, 0.1)
    assert with_earlier(put(1, None), more, 1, 81).spread == 0.05


def test_variants_are_counted_once_over_all_tables_and_each_that_differs_is_one_more() -> None:
    returns = np.random.Generator(np.random.PCG64(7)).normal(0.0, 0.01, (200, 14))

    def table(columns: list[int], days: int = 200, changed: float = 0.0) -> TrialsTable:
        part = returns[:days, columns].copy()
        part[-1, 0] += changed
        return TrialsTable(TrialsSummary(f"blake3:{columns}{days}{changed}", len(columns), days, 0.1, 0.3), part)

    every, put = [*range(12)], list[StoredTrials]()
    for one, tried, known in (
        (table(every, 180), 12, True),
        (table(every), 12, True),  # the same on more days
        (table([3, 4, 5]), 12, False),  # a part of them
        (table([12, *every]), 13, True),
        (table([*every, 0]), 13, False),  # one twice is not the one that is left out
        (table([0, *range(1, 13)], changed=0.01), 14, False),  # another in the place of one
        (table(every, 170), 26, False),  # what ends before cannot be told from others
    ):
        put.append(one.after(put, NOW))
        assert (put[-1].summary.tried, put[-1].summary.pbo is not None) == (tried, known)


def test_columns_that_begin_alike_are_one_variant_each() -> None:
    def table(*columns: tuple[float, ...]) -> TrialsTable:
        part = np.array(columns).T
        return TrialsTable(TrialsSummary(f"blake3:{columns}", len(columns), len(part), None, None), part)

    put = [table((0.0, 0.0)).after([], NOW)]
    for one, tried in ((table((0.0, 0.0, 5.0)), 1), (table((0.0, 0.0, 7.0, 1.0), (0.0, 0.0, 5.0, 1.0)), 2)):
        put.append(one.after(put, NOW))
        assert put[-1].summary.tried == tried
    assert table((0.0, 0.0, 0.1), (0.0, 0.0, 0.2), (0.0, 0.0, 0.3)).after(put[:1], NOW).summary.tried == 3


def test_an_approval_of_a_policy_ends_when_another_is_the_default() -> None:
    by_policy = replace(APPROVED, policy_version=2)
    assert told(replace(READY, approval=by_policy, policy_version=2)) == []
    assert told(replace(READY, approval=by_policy, policy_version=3)) == [
        "APPROVAL_EXPIRED: has an approval by policy v2, and v3 is the default"
    ]
    assert told(replace(READY, approval=APPROVED, policy_version=3)) == []

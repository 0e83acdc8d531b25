"""The sections of a policy beside the selection: strict, and each word of them means something."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal

import pytest

from qmtl.calendars.windows import Window
from qmtl.core.errors import InvalidRequest
from qmtl.core.limits import RiskLimits
from qmtl.core.modes import ExecutionDomain
from worldservice.policy.domain.edge_policy import EdgePolicy
from worldservice.policy.domain.execution_model import ExecutionModel, FillModel
from worldservice.policy.domain.gating import Gating
from worldservice.policy.domain.governance import LivePromotion, OnDemote, OnPromote
from worldservice.policy.domain.policy import OnMissing, Policy, parse_policy, rules_of
from worldservice.worlds.domain.binding import Stage

DRYRUN, LIVE = ExecutionDomain.DRYRUN, ExecutionDomain.LIVE
BASE = 'data_currency: {max_lag: 5m}\nselection: {gates: "sharpe > 0.5", score: "sharpe"}\n'
SESSION = 'activation_windows: [{days: [mon..fri], from: "09:30", to: "16:00", tz: America/New_York}]\n'


def parsed(text: str) -> Policy:
    return parse_policy(BASE + text)


def test_without_the_sections_nothing_more_is_asked() -> None:
    policy = parsed("")
    assert (policy.profiles, policy.gating, policy.windows) == ({}, Gating(), ())
    assert policy.live_promotion is LivePromotion.MANUAL_APPROVAL


def test_windows_have_days_times_and_a_zone() -> None:
    assert parsed(SESSION).windows == (Window(frozenset(range(5)), time(9, 30), time(16), "America/New_York"),)
    weekend = 'activation_windows: [{days: [sat..mon, wed], from: "22:00", to: "24:00", tz: UTC}]\n'
    assert parsed(weekend).windows == (Window(frozenset({5, 6, 0, 2}), time(22), time(0), "UTC"),)


def test_a_profile_named_like_a_stage_is_the_stage_s_own() -> None:
    policy = parsed(
        "validation_profiles:\n"
        '  backtest: {min_history: 180d, gates: {and: ["n_trades >= 50", "sharpe >= 1.0"]}}\n'
        '  paper: {gates: "sharpe >= 0.3", missing_metrics: {sharpe: warn}}\n'
    )
    assert set(policy.profiles) == {Stage.BACKTEST, Stage.PAPER}
    assert policy.profiles[Stage.BACKTEST].min_history == timedelta(days=180)
    assert len(rules_of(policy.profiles[Stage.BACKTEST].gates)) == 2
    assert policy.profiles[Stage.PAPER].missing_rule("sharpe") is OnMissing.WARN
    assert rules_of(policy.profiles[Stage.PAPER].gates)[0].path == GATES


def test_a_profile_may_serve_several_stages() -> None:
    policy = parsed(
        'validation_profiles: {watch: {gates: "max_drawdown <= 0.2"}}\n'
        "default_profile_by_stage: {paper: watch, live: watch}\n"
    )
    assert set(policy.profiles) == {Stage.PAPER, Stage.LIVE}


def test_gating_and_governance() -> None:
    policy = parsed(
        'gating_policy: {dataset_fingerprint: "blake3:aa", share_policy: feature-artifacts-only, can_short: false, '
        "clocks: {backtest: virtual, live: wall}, divergence_guards: {sharpe: 0.5, max_drawdown: 0.1}, "
        "freeze_timeout: 45s}\n"
        "governance: {live_promotion: {mode: disabled}}\n"
    )
    assert policy.gating == Gating(
        "blake3:aa", False, {"max_drawdown": 0.1, "sharpe": 0.5}, timedelta(seconds=45)
    )  # fmt: skip
    assert policy.live_promotion is LivePromotion.DISABLED


def test_the_terms_that_others_keep() -> None:
    gating = parsed(
        "gating_policy:\n"
        "  snapshot: {strategy_plane: cow, feature_plane: readonly}\n"
        "  edges: {pre_promotion: {disable_edges_to: [dryrun, live]}, post_promotion: {enable_edges_to: dryrun}}\n"
        "  execution_model:\n"
        "    {fill: next_bar, maker_fee_bps: 2, taker_fee_bps: 5.5, slippage_bps: '3', participation: 0.1,\n"
        "     profile: ibkr_fx}\n"
        "  risk_limits:\n"
        "    {max_order_notional: '2500.50', max_position_notional: {long: 500000}, max_gross_notional: 1000000}\n"
        "  observability: {slo: {cross_context_cache_hit: 0}}\n"
    ).gating
    assert gating.edges == EdgePolicy(frozenset({DRYRUN, LIVE}), frozenset({DRYRUN}))
    maker, taker, slippage, share = (Decimal(rate) for rate in ("0.0002", "0.00055", "0.0003", "0.1"))
    assert gating.execution == ExecutionModel(FillModel.NEXT_BAR, maker, taker, slippage, share, "ibkr_fx")
    assert gating.limits == RiskLimits(Decimal("2500.50"), Decimal(500_000), None, Decimal(1_000_000), None)
    assert gating.no_cross_context


def test_small_rates_are_read_as_they_are_written() -> None:
    gating = parsed("gating_policy: {execution_model: {participation: 0.00001, slippage_bps: 0.0001}}\n").gating
    assert gating.execution == ExecutionModel(slippage=Decimal("0.00000001"), participation=Decimal("0.00001"))


def test_an_apply_opens_all_that_was_shut_unless_said() -> None:
    gating = parsed("gating_policy: {edges: {pre_promotion: {disable_edges_to: live}}}\n").gating
    assert gating.edges == EdgePolicy(frozenset({LIVE}), frozenset({LIVE}))


SLIPPAGE = "position_policy.flat_slippage_bps"

GATES = "validation_profiles.paper.gates"
GUARDS = "gating_policy.divergence_guards"
EDGES, SHUT = "gating_policy.edges.pre_promotion", "disable_edges_to"
SNAPSHOT, WATCHED = "gating_policy.snapshot", "gating_policy.observability"
MODEL, RISK = "gating_policy.execution_model", "gating_policy.risk_limits"
FAULTS = (
    ("activation_windows: []\n", "E_POLICY_VALUE", "activation_windows"),
    (SESSION.replace("mon..fri", "mo..fri"), "E_POLICY_VALUE", "activation_windows[0].days"),
    (SESSION.replace("[mon..fri]", "7"), "E_POLICY_VALUE", "activation_windows[0].days"),
    ("gating_policy: {divergence_guards: {sharpe: much}}\n", "E_POLICY_VALUE", f"{GUARDS}.sharpe"),
    (SESSION.replace("[mon..fri]", "mon"), "E_POLICY_VALUE", "activation_windows[0].days"),
    (SESSION.replace("09:30", "9:30"), "E_POLICY_VALUE", "activation_windows[0].from"),
    (SESSION.replace("09:30", "24:00"), "E_POLICY_VALUE", "activation_windows[0].from"),
    (SESSION.replace("16:00", "25:00"), "E_POLICY_VALUE", "activation_windows[0].to"),
    (SESSION.replace("America/New_York", "America/Atlantis"), "E_POLICY_VALUE", "activation_windows[0].tz"),
    (SESSION.replace("America/New_York", "../etc/passwd"), "E_POLICY_VALUE", "activation_windows[0].tz"),
    *(
        (SESSION.replace("America/New_York", name), "E_POLICY_VALUE", "activation_windows[0].tz")
        for name in ("localtime", "posixrules", "Factory", "posix/UTC", "right/UTC", "utc", "5", "[UTC]")
    ),
    (SESSION.replace(", tz: America/New_York", ""), "E_POLICY_KEY_MISSING", "activation_windows[0].tz"),
    (SESSION.replace("tz:", "zone:"), "E_POLICY_KEY_UNKNOWN", "activation_windows[0].zone"),
    ("default_profile_by_stage: {paper: x}\n", "E_POLICY_VALUE", "default_profile_by_stage"),
    ('validation_profiles: {strict: {gates: "sharpe > 0.1"}}\n', "E_POLICY_VALUE", "validation_profiles.strict"),
    (
        'validation_profiles: {paper: {gates: "sharpe > 0.1"}}\ndefault_profile_by_stage: {live: other}\n',
        "E_POLICY_VALUE", "default_profile_by_stage.live",
    ),
    ('validation_profiles: {paper: {gates: "sharp > 0.1"}}\n', "E_POLICY_METRIC_UNKNOWN", GATES),
    ('validation_profiles: {paper: {gates: "n_trades > 0.1"}}\n', "E_POLICY_CEL_TYPE", GATES),
    ('validation_profiles: {paper: {score: "sharpe"}}\n', "E_POLICY_KEY_UNKNOWN", "validation_profiles.paper.score"),
    ("validation_profiles: {paper: {min_history: 5d}}\n", "E_POLICY_KEY_MISSING", GATES),
    ("gating_policy: {share_policy: everything}\n", "E_POLICY_VALUE", "gating_policy.share_policy"),
    ("gating_policy: {clocks: {live: virtual}}\n", "E_POLICY_VALUE", "gating_policy.clocks.live"),
    ("gating_policy: {clocks: {paper: wall}}\n", "E_POLICY_KEY_UNKNOWN", "gating_policy.clocks.paper"),
    ("gating_policy: {can_short: maybe}\n", "E_POLICY_VALUE", "gating_policy.can_short"),
    ("gating_policy: {freeze_timeout: 7s}\n", "E_POLICY_VALUE", "gating_policy.freeze_timeout"),
    ("gating_policy: {freeze_timeout: 2h}\n", "E_POLICY_VALUE", "gating_policy.freeze_timeout"),
    ("gating_policy: {freeze_timeout: 30}\n", "E_POLICY_UNIT", "gating_policy.freeze_timeout"),
    ("gating_policy: {divergence_guards: {drift: 5}}\n", "E_POLICY_METRIC_UNKNOWN", f"{GUARDS}.drift"),
    ("gating_policy: {divergence_guards: {sharpe: -1}}\n", "E_POLICY_VALUE", f"{GUARDS}.sharpe"),
    ("gating_policy: {snapshot: {strategy_plane: x}}\n", "E_POLICY_VALUE", f"{SNAPSHOT}.strategy_plane"),
    ("gating_policy: {snapshot: {plane: cow}}\n", "E_POLICY_KEY_UNKNOWN", f"{SNAPSHOT}.plane"),
    ("gating_policy: {edges: {}}\n", "E_POLICY_KEY_MISSING", "gating_policy.edges.pre_promotion"),
    (f"gating_policy: {{edges: {{pre_promotion: {{{SHUT}: paper}}}}}}\n", "E_POLICY_VALUE", f"{EDGES}.{SHUT}"),
    (f"gating_policy: {{edges: {{pre_promotion: {{{SHUT}: []}}}}}}\n", "E_POLICY_VALUE", f"{EDGES}.{SHUT}"),
    (
        f"gating_policy: {{edges: {{pre_promotion: {{{SHUT}: live}}, post_promotion: {{enable_edges_to: dryrun}}}}}}\n",
        "E_POLICY_VALUE", "gating_policy.edges.post_promotion.enable_edges_to",
    ),
    ("gating_policy: {execution_model: {}}\n", "E_POLICY_VALUE", MODEL),
    ("gating_policy: {execution_model: {fill: same_bar}}\n", "E_POLICY_VALUE", f"{MODEL}.fill"),
    ("gating_policy: {execution_model: {taker_fee_bps: -1}}\n", "E_POLICY_VALUE", f"{MODEL}.taker_fee_bps"),
    ("gating_policy: {execution_model: {slippage_bps: true}}\n", "E_POLICY_VALUE", f"{MODEL}.slippage_bps"),
    ("gating_policy: {execution_model: {slippage_bps: 2.55555}}\n", "E_POLICY_VALUE", f"{MODEL}.slippage_bps"),
    ("gating_policy: {execution_model: {participation: '0.000000001'}}\n", "E_POLICY_VALUE", f"{MODEL}.participation"),
    ("gating_policy: {execution_model: {participation: 0}}\n", "E_POLICY_VALUE", f"{MODEL}.participation"),
    ("gating_policy: {execution_model: {profile: 'IBKR FX'}}\n", "E_POLICY_VALUE", f"{MODEL}.profile"),
    ("gating_policy: {execution_model: {profile: [a]}}\n", "E_POLICY_VALUE", f"{MODEL}.profile"),
    ("gating_policy: {execution_model: {fee_bps: 1}}\n", "E_POLICY_KEY_UNKNOWN", f"{MODEL}.fee_bps"),
    ("gating_policy: {risk_limits: {}}\n", "E_POLICY_VALUE", RISK),
    ("gating_policy: {risk_limits: {max_order_notional: 2500.5}}\n", "E_POLICY_VALUE", f"{RISK}.max_order_notional"),
    ("gating_policy: {risk_limits: {max_order_notional: 0}}\n", "E_POLICY_VALUE", f"{RISK}.max_order_notional"),
    ("gating_policy: {risk_limits: {max_net_notional: 1e6}}\n", "E_POLICY_VALUE", f"{RISK}.max_net_notional"),
    (
        "gating_policy: {risk_limits: {max_position_notional: {both: 1}}}\n",
        "E_POLICY_KEY_UNKNOWN", f"{RISK}.max_position_notional.both",
    ),
    (
        "gating_policy: {observability: {slo: {cross_context_cache_hit: 1}}}\n",
        "E_POLICY_VALUE", f"{WATCHED}.slo.cross_context_cache_hit",
    ),
    ("gating_policy: {observability: {audit_topic: x}}\n", "E_POLICY_KEY_UNKNOWN", f"{WATCHED}.audit_topic"),
    ('gating_policy: {dataset_fingerprint: "  "}\n', "E_POLICY_VALUE", "gating_policy.dataset_fingerprint"),
    ("gating_policy: {dataset_fingerprint: 12}\n", "E_POLICY_VALUE", "gating_policy.dataset_fingerprint"),
    ("gating_policy: {leverage: 3}\n", "E_POLICY_KEY_UNKNOWN", "gating_policy.leverage"),
    ("position_policy: {}\n", "E_POLICY_KEY_MISSING", "position_policy.on_demote"),
    ("position_policy: {on_demote: sell}\n", "E_POLICY_VALUE", "position_policy.on_demote"),
    ("position_policy: {on_promote: enter, flat_within: 1h}\n", "E_POLICY_KEY_MISSING", "position_policy.on_demote"),
    ("position_policy: {on_promote: wait}\n", "E_POLICY_VALUE", "position_policy.on_promote"),
    ("position_policy: {on_demote: drain, flat_within: 1h}\n", "E_POLICY_VALUE", "position_policy.on_demote"),
    ("position_policy: {on_demote: flat, flat_within: 0s}\n", "E_POLICY_VALUE", "position_policy.flat_within"),
    ("position_policy: {on_demote: flat, flat_within: 31d}\n", "E_POLICY_VALUE", "position_policy.flat_within"),
    ("position_policy: {on_demote: flat, flat_within: 3}\n", "E_POLICY_UNIT", "position_policy.flat_within"),
    ("position_policy: {on_demote: flat, flat_slippage_bps: 0}\n", "E_POLICY_VALUE", SLIPPAGE),
    ("position_policy: {on_demote: flat, flat_slippage_bps: 1001}\n", "E_POLICY_VALUE", SLIPPAGE),
    ("position_policy: {on_demote: flat, flat_slippage_bps: 2.5}\n", "E_POLICY_VALUE", SLIPPAGE),
    ("position_policy: {on_demote: flat, flat_slippage_bps: x}\n", "E_POLICY_VALUE", SLIPPAGE),
    ("position_policy: {on_demote: hold, on_swap: hold}\n", "E_POLICY_KEY_UNKNOWN", "position_policy.on_swap"),
    ("governance: {live_promotion: {mode: yolo}}\n", "E_POLICY_VALUE", "governance.live_promotion.mode"),
    ("governance: {live_promotion: {}}\n", "E_POLICY_KEY_MISSING", "governance.live_promotion.mode"),
    ("governance: {two_person: true}\n", "E_POLICY_KEY_UNKNOWN", "governance.two_person"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "reason", "path"), FAULTS)
def test_a_fault_names_its_path(text: str, reason: str, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parsed(text)
    assert (caught.value.reason, caught.value.violations[0].field) == (reason, path)


def test_a_time_without_quotes_is_told_to_want_them() -> None:
    with pytest.raises(InvalidRequest, match='a time in quotes, "16:00"'):
        parsed(SESSION.replace('"16:00"', "16:00"))


def test_what_a_demoted_strategy_holds_is_closed_within_what_the_policy_says() -> None:
    plain = parsed("position_policy: {on_demote: flat}\n").positions
    assert (plain.on_demote, plain.flat_within, plain.flat_slippage_bps) == (
        OnDemote.FLAT,
        timedelta(hours=1),
        Decimal(20),
    )
    told = parsed('position_policy: {on_demote: flat, flat_within: 30m, flat_slippage_bps: "2.5"}\n').positions
    assert (told.flat_within, told.flat_slippage_bps) == (timedelta(minutes=30), Decimal("2.5"))
    assert parsed("position_policy: {on_promote: enter}\n").positions.on_demote is OnDemote.HOLD
    assert plain.on_promote is OnPromote.ENTER
    assert parsed("position_policy: {on_promote: keep}\n").positions.on_promote is OnPromote.KEEP
    assert [word.drains for word in OnDemote] == [False, True, True]

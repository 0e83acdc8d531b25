"""Edges that are off, and edges that no apply has opened: what they keep a strategy from, and what they leave alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.modes import EffectiveMode, ExecutionDomain, lower
from tests.worldservice.samples import DOCUMENT, GOOD, NOW, candidate, fresh, world
from worldservice.evaluation.domain.decision import Verdicts, WorldFacts, decide
from worldservice.evaluation.domain.pipeline import run_pipeline
from worldservice.evaluation.domain.reports import Outcome, PipelineStage
from worldservice.evaluation.domain.runs import Candidate
from worldservice.evaluation.domain.selection import Tenure
from worldservice.graph.domain.edges import (
    UNTOUCHED,
    Cut,
    Edges,
    EdgeStanding,
    openings,
    openings_text,
    standing,
    still_open,
)
from worldservice.graph.domain.nodes import EdgeKey, EdgeOverride
from worldservice.policy.domain.edge_policy import EdgePolicy
from worldservice.policy.domain.execution_model import ExecutionModel, FillModel
from worldservice.policy.domain.policy import parse_policy
from worldservice.worlds.domain.binding import Stage

BACKTEST, DRYRUN, LIVE_DOMAIN, SHADOW = (
    ExecutionDomain.BACKTEST,
    ExecutionDomain.DRYRUN,
    ExecutionDomain.LIVE,
    ExecutionDomain.SHADOW,
)
COMPUTE_ONLY, PAPER, LIVE = EffectiveMode.COMPUTE_ONLY, EffectiveMode.PAPER, EffectiveMode.LIVE
POLICY = parse_policy(DOCUMENT)
DOMAINS = st.frozensets(st.sampled_from([BACKTEST, DRYRUN, LIVE_DOMAIN]))
SHUTTABLE = st.frozensets(st.sampled_from([DRYRUN, LIVE_DOMAIN]), min_size=1)


def cut(*domains: ExecutionDomain) -> Edges:
    """A graph that has one edge off in each domain."""
    return Edges(frozenset(domains), True, tuple(Cut(domain, 1, "a -> b (why)") for domain in domains))


def decided(*candidates: Candidate, document: str = DOCUMENT, approved: str = "s") -> Verdicts:
    live_world = replace(world(allow_live=True), default_policy_version=1)
    return decide(
        WorldFacts(live_world, parse_policy(document), candidates, fresh(), False, frozenset({approved})), NOW
    )


def standing_of(edges: Edges, document: str = DOCUMENT) -> EffectiveMode:
    return decided(replace(candidate("s"), edges=edges), document=document).ceiling_of("s")


@pytest.mark.parametrize(
    ("edges", "ceiling"),
    [
        (UNTOUCHED, LIVE),
        (cut(BACKTEST), COMPUTE_ONLY),
        (cut(DRYRUN), COMPUTE_ONLY),
        (cut(LIVE_DOMAIN), PAPER),
        (cut(LIVE_DOMAIN, DRYRUN), COMPUTE_ONLY),
        (Edges(off=frozenset({BACKTEST})), LIVE),  # of another graph
        (Edges(off=frozenset({LIVE_DOMAIN}), known=False), PAPER),
        (Edges(off=frozenset({DRYRUN, LIVE_DOMAIN}), known=False), COMPUTE_ONLY),
        (Edges(known=False), LIVE),  # nothing is off, so nothing has to be known
    ],
)
def test_an_edge_that_is_off_bars_from_its_domain_and_those_above(edges: Edges, ceiling: EffectiveMode) -> None:
    assert standing_of(edges) is ceiling


def test_the_report_names_the_edge_and_no_later_stage_is_asked() -> None:
    verdicts = decided(replace(candidate("s"), edges=cut(DRYRUN)))
    currency, edge, selection = verdicts.reports["s"].verdicts
    assert (edge.stage, edge.outcome, edge.reason) == (PipelineStage.EDGES, Outcome.FAIL, "EDGE_OFF")
    assert "a -> b (why)" in edge.explanation
    assert "DRYRUN" in edge.explanation
    assert (currency.outcome, selection.outcome) == (Outcome.PASS, Outcome.SKIPPED)
    assert verdicts.decision.reasons == ("NOTHING_SELECTED",)


def test_off_in_live_is_a_warning_on_paper_and_a_reason_of_the_decision() -> None:
    verdicts = decided(replace(candidate("s"), edges=cut(LIVE_DOMAIN)))
    (edge,) = [line for line in verdicts.reports["s"].verdicts if line.stage is PipelineStage.EDGES]
    assert edge.outcome is Outcome.WARN
    assert verdicts.decision.selected == ("s",)
    assert verdicts.decision.reasons == ("EDGE_OFF",)


def test_a_graph_nobody_told_is_named_while_edges_are_off() -> None:
    verdicts = decided(replace(candidate("s"), edges=Edges(frozenset({DRYRUN}), known=False)))
    (edge,) = [line for line in verdicts.reports["s"].verdicts if line.stage is PipelineStage.EDGES]
    assert (edge.outcome, edge.reason) == (Outcome.FAIL, "EDGES_UNKNOWN")
    assert edge.explanation.endswith("edges are off in DRYRUN")


@pytest.mark.parametrize(
    ("count", "said"), [(1, "off in DRYRUN: a -> b"), (2, "off in DRYRUN: 2 of its edges, such as a -> b")]
)
def test_several_edges_that_are_off_are_counted(count: int, said: str) -> None:
    edges = Edges(frozenset({DRYRUN}), True, (Cut(DRYRUN, count, "a -> b"),))
    (edge,) = [
        line
        for line in decided(replace(candidate("s"), edges=edges)).reports["s"].verdicts
        if line.stage is PipelineStage.EDGES
    ]
    assert edge.explanation == said


def test_without_overrides_no_report_speaks_of_edges() -> None:
    lines = decided(candidate("s")).reports["s"].verdicts
    assert PipelineStage.EDGES not in {line.stage for line in lines}


def test_hysteresis_holds_nobody_whose_edge_is_off_and_its_slot_is_free() -> None:
    held = parse_policy(
        DOCUMENT.replace("total: 8", "total: 1") + "  hysteresis: {demote_after: 9, min_dwell: 30d, promote_after: 1}\n"
    )
    inside = {"s": Tenure("s", True, NOW - timedelta(minutes=1), 3, 0, NOW - timedelta(days=1))}
    failing = replace(candidate("s", {**GOOD, "sharpe": 0.1}), sides=candidate("t").sides)
    crowd = [failing, candidate("t")]
    kept = run_pipeline(held, crowd, fresh(), inside).verdicts
    assert [verdict.strategy_id for verdict in kept if verdict.selected] == ["s"]
    crowd[0] = replace(failing, edges=cut(DRYRUN))
    freed = run_pipeline(held, crowd, fresh(), inside)
    assert [verdict.strategy_id for verdict in freed.verdicts if verdict.selected] == ["t"]
    assert not freed.tenures["s"].selected
    crowd[0] = replace(failing, edges=cut(LIVE_DOMAIN))  # bars from live only: it keeps its slot
    assert next(v for v in run_pipeline(held, crowd, fresh(), inside).verdicts if v.strategy_id == "s").selected


@given(first=DOMAINS, more=DOMAINS, known=st.booleans())
def test_more_that_is_off_never_lets_a_strategy_rise(
    first: frozenset[ExecutionDomain], more: frozenset[ExecutionDomain], known: bool
) -> None:
    def edges(domains: frozenset[ExecutionDomain]) -> Edges:
        return replace(cut(*sorted(domains, key=lambda d: d.value)), known=known)

    before, after = standing_of(edges(first)), standing_of(edges(first | more))
    assert lower(before, after) is after


EDGES = "gating_policy: {{edges: {{pre_promotion: {{disable_edges_to: {}}}}}}}\n"


@pytest.mark.parametrize(
    ("shut", "opened", "now", "promoted"),
    [
        ("live", (), PAPER, LIVE),
        ("live", (DRYRUN,), PAPER, LIVE),
        ("live", (LIVE_DOMAIN,), LIVE, LIVE),
        ("dryrun", (), COMPUTE_ONLY, LIVE),
        ("[dryrun, live]", (DRYRUN,), PAPER, LIVE),
        ("[dryrun, live]", (LIVE_DOMAIN,), COMPUTE_ONLY, LIVE),  # above what is shut nothing is open
        ("[dryrun, live]", (DRYRUN, LIVE_DOMAIN), LIVE, LIVE),
    ],
)
def test_what_a_policy_shuts_is_reached_by_an_apply_only(
    shut: str, opened: tuple[ExecutionDomain, ...], now: EffectiveMode, promoted: EffectiveMode
) -> None:
    shown = replace(candidate("s"), edges=Edges(opened=frozenset(opened)))
    verdicts = decided(shown, document=DOCUMENT + EDGES.format(shut))
    assert verdicts.ceiling_of("s") is now
    assert verdicts.promoted().ceiling_of("s") is promoted
    assert verdicts.decision.selected == ("s",)  # it may be aimed at
    assert verdicts.decision.effective_mode is LIVE  # the world's own ceiling is another matter


def test_what_an_apply_does_not_open_stays_shut_for_good() -> None:
    text = (
        "gating_policy: {edges: {pre_promotion: {disable_edges_to: [dryrun, live]}, "
        "post_promotion: {enable_edges_to: dryrun}}}\n"
    )
    verdicts = decided(candidate("s"), document=DOCUMENT + text)
    assert verdicts.promoted().ceiling_of("s") is PAPER
    policy = parse_policy(DOCUMENT + text).gating.edges
    assert openings({"s": Stage.LIVE, "t": Stage.BACKTEST}, policy) == {"s": frozenset({DRYRUN})}


def test_what_another_policy_had_opened_is_shut_when_this_one_never_opens_it() -> None:
    text = (
        "gating_policy: {edges: {pre_promotion: {disable_edges_to: [dryrun, live]}, "
        "post_promotion: {enable_edges_to: dryrun}}}\n"
    )
    opened = Edges(opened=frozenset({DRYRUN, LIVE_DOMAIN}))
    verdicts = decided(replace(candidate("s"), edges=opened), document=DOCUMENT + text)
    assert verdicts.ceiling_of("s") is PAPER
    (line,) = [line for line in verdicts.reports["s"].verdicts if line.stage is PipelineStage.EDGES]
    assert line.explanation == "shut to it: LIVE"
    policy = parse_policy(DOCUMENT + text).gating.edges
    assert still_open({"s": opened.opened, "t": frozenset({LIVE_DOMAIN})}, policy) == {"s": frozenset({DRYRUN})}


def test_hysteresis_counts_nothing_while_an_edge_is_off() -> None:
    policy = parse_policy(DOCUMENT + "  hysteresis: {promote_after: 2}\n")
    known = {"s": Tenure("s", False, None, 1, 0, NOW - timedelta(days=1))}
    cut_off = run_pipeline(policy, [replace(candidate("s"), edges=cut(DRYRUN))], fresh(), known)
    assert cut_off.tenures["s"] == known["s"]
    assert run_pipeline(policy, [candidate("s")], fresh(), cut_off.tenures).verdicts[0].selected


def test_a_timeline_names_what_was_opened_and_closed() -> None:
    came = {"s": frozenset({LIVE_DOMAIN, DRYRUN}), "t": frozenset({DRYRUN})}
    assert openings_text(came, {"u": frozenset({DRYRUN})}) == (
        "edges opened: s DRYRUN+LIVE, t DRYRUN; edges closed: u DRYRUN"
    )
    many = {f"s{number:02}": frozenset({DRYRUN}) for number in range(22)}
    assert openings_text(many, {}).endswith("s19 DRYRUN, and 2 more")
    assert openings_text({}, {}) == ""


def test_an_apply_opens_up_to_the_stage_it_aims_at() -> None:
    stages = {"s": Stage.LIVE, "t": Stage.PAPER, "u": Stage.BACKTEST}
    assert openings(stages, None) == {"s": frozenset({DRYRUN, LIVE_DOMAIN}), "t": frozenset({DRYRUN})}


def test_not_opened_yet_is_told_and_warns_of_nothing() -> None:
    report = decided(candidate("s"), document=DOCUMENT + EDGES.format("live")).reports["s"]
    (line,) = [line for line in report.verdicts if line.stage is PipelineStage.EDGES]
    assert (line.outcome, line.reason) == (Outcome.PASS, "EDGES_NOT_OPENED")
    assert "LIVE" in line.explanation


@given(shut=SHUTTABLE, opened=DOMAINS, more=DOMAINS)
def test_opening_never_lowers_and_shutting_never_raises(
    shut: frozenset[ExecutionDomain], opened: frozenset[ExecutionDomain], more: frozenset[ExecutionDomain]
) -> None:
    one, two = EdgePolicy(shut, shut), EdgePolicy(shut | (more - {BACKTEST}), shut)
    assert lower(one.ceiling(opened), one.ceiling(opened | more)) is one.ceiling(opened)
    assert lower(one.ceiling(opened), two.ceiling(opened)) is two.ceiling(opened)


@pytest.mark.parametrize(
    ("start", "active", "opened", "comes_to"),
    [
        (LIVE_DOMAIN, True, False, EdgeStanding.ON),
        (LIVE_DOMAIN, False, True, EdgeStanding.OFF),
        (BACKTEST, True, False, EdgeStanding.AWAITS_PROMOTION),
        (BACKTEST, True, True, EdgeStanding.ON),
        (BACKTEST, False, True, EdgeStanding.OFF),
    ],
)
def test_an_edge_between_two_domains_waits_for_a_promotion(
    start: ExecutionDomain, active: bool, opened: bool, comes_to: EdgeStanding
) -> None:
    override = EdgeOverride(EdgeKey("alpha", "a", start, "b", LIVE_DOMAIN), active, "")
    assert standing(override, opened) is comes_to
    assert override.cuts is (not active and start is LIVE_DOMAIN)


ASKED = (
    "gating_policy: {execution_model: {fill: next_bar, maker_fee_bps: 2, taker_fee_bps: 5, slippage_bps: 3, "
    "participation: 0.1, profile: ibkr_equities}}\n"
)
MAKER, TAKER, SLIPPAGE, SHARE = (Decimal(rate) for rate in ("0.0002", "0.0005", "0.0003", "0.1"))
STRICT = ExecutionModel(FillModel.NEXT_BAR, MAKER, TAKER, SLIPPAGE, SHARE, "ibkr_equities")


@pytest.mark.parametrize(
    ("assumed", "reason"),
    [
        (STRICT, None),
        (replace(STRICT, taker_fee=Decimal("0.01"), participation=Decimal("0.05")), None),
        (None, "EXECUTION_MODEL_UNKNOWN"),
        (replace(STRICT, maker_fee=Decimal("0.000199")), "EXECUTION_MODEL_LENIENT"),
        (replace(STRICT, taker_fee=Decimal(0)), "EXECUTION_MODEL_LENIENT"),
        (replace(STRICT, slippage=Decimal("0.0002999")), "EXECUTION_MODEL_LENIENT"),
        (replace(STRICT, participation=Decimal("0.100001")), "EXECUTION_MODEL_LENIENT"),
        (replace(STRICT, participation=Decimal(0)), "EXECUTION_MODEL_LENIENT"),  # all it asks for
        (replace(STRICT, fill=None), "EXECUTION_MODEL_LENIENT"),
        (replace(STRICT, profile=""), "EXECUTION_MODEL_LENIENT"),
        (replace(STRICT, profile="zero_cost"), "EXECUTION_MODEL_LENIENT"),
    ],
)
def test_numbers_of_a_kinder_execution_do_not_count(assumed: ExecutionModel | None, reason: str | None) -> None:
    shown = candidate("s")
    assert shown.evidence is not None
    terms = parse_policy(DOCUMENT + ASKED).account_text
    shown = replace(shown, evidence=replace(shown.evidence, execution=assumed, account=terms))
    verdicts = decided(shown, document=DOCUMENT + ASKED)
    (line,) = [line for line in verdicts.reports["s"].verdicts if line.rule.startswith("execution: ")]
    assert (line.stage, line.reason) == (PipelineStage.SUFFICIENCY, reason)
    assert verdicts.decision.selected == (() if reason else ("s",))
    assert verdicts.decision.execution == STRICT  # told to who is to be evaluated


@pytest.mark.parametrize(
    ("backtest", "paper", "reasons"),
    [(0, None, ()), (0, 0, ()), (1, 0, ("CROSS_CONTEXT_CACHE_HIT",)), (0, 2, ("CROSS_CONTEXT_CACHE_HIT",))],
)
def test_who_met_records_of_another_context_does_not_go_live(
    backtest: int, paper: int | None, reasons: tuple[str, ...]
) -> None:
    text = DOCUMENT + "gating_policy: {observability: {slo: {cross_context_cache_hit: 0}}}\n"
    shown = candidate("s", {**GOOD, "cross_context_cache_hits": backtest})
    if paper is not None:
        evidence = candidate("s", {**GOOD, "cross_context_cache_hits": paper}).evidence
        assert evidence is not None
        shown = replace(shown, paper=replace(evidence, stage=Stage.PAPER))
    assert decided(shown, document=text).decision.reasons == reasons
    assert decided(candidate("s"), document=text).decision.reasons == ("CROSS_CONTEXT_CACHE_HIT",)  # does not say

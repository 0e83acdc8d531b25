"""Live is reached by exactly one combination of its conditions; every other one is enumerated and stays below.

Conditions of the decision are asked of the pure decision, ways to raise of the pure activation; the roles of the RPCs
that approve and apply are in the matrix of test_roles.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields, replace

import pytest

from qmtl.core.errors import NotReady
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from tests.worldservice.samples import DOCUMENT, GOOD, NOW, binding, candidate, fresh, world
from worldservice.activation.domain.activation import empty
from worldservice.activation.domain.operator_changes import Change, change_activation
from worldservice.apply.domain.phases import aimed
from worldservice.apply.domain.targets import Target, check_targets
from worldservice.evaluation.domain.decision import Verdicts, WorldFacts, decide
from worldservice.graph.domain.edges import Cut, Edges
from worldservice.policy.domain.policy import parse_policy
from worldservice.worlds.domain.binding import Side, Stage
from worldservice.worlds.domain.world import WorldState

POLICY = parse_policy(
    DOCUMENT + "gating_policy: {edges: {pre_promotion: {disable_edges_to: live}}, "
    "observability: {slo: {cross_context_cache_hit: 0}}}\n"
)
LIVE = EffectiveMode.LIVE


@dataclass(frozen=True)
class Conditions:
    allow_live: bool
    passes: bool
    fingerprint: bool
    approved: bool
    real_data: bool
    current: bool
    untripped: bool
    active: bool
    policy: bool
    uncut: bool
    opened: bool
    isolated: bool


CONDITIONS = len(fields(Conditions))
ALL = [Conditions(*bits) for bits in itertools.product((False, True), repeat=CONDITIONS)]


def decided(conditions: Conditions) -> Verdicts:
    numbers = {**GOOD, "cross_context_cache_hits": 0 if conditions.isolated else 1}
    shown = candidate("s", numbers if conditions.passes else {**numbers, "sharpe": 0.1})
    assert shown.evidence is not None
    if not conditions.fingerprint:
        shown = replace(shown, evidence=replace(shown.evidence, dataset_fingerprint=""))
    cuts = () if conditions.uncut else (Cut(ExecutionDomain.LIVE, 1, "a -> b"),)
    opened = frozenset({ExecutionDomain.LIVE} if conditions.opened else ())
    shown = replace(shown, edges=Edges(frozenset({ExecutionDomain.LIVE}), True, cuts, opened))
    facts = WorldFacts(
        world=replace(
            world(allow_live=conditions.allow_live),
            circuit_breaker=not conditions.untripped,
            state=WorldState.ACTIVE if conditions.active else WorldState.SUSPENDED,
            default_policy_version=1,
        ),
        policy=POLICY if conditions.policy else None,
        candidates=(shown,),
        data=fresh() if conditions.current else replace(fresh(), data_end=None),
        replay=not conditions.real_data,
        live_approved=frozenset({"s"} if conditions.approved else ()),
    )
    return decide(facts, NOW)


def goes_live_by_apply(verdicts: Verdicts, stage: Stage) -> bool:
    """Whether an apply to this target would leave anything trading live, had the check before it been forgotten."""
    target = Target("s", Side.LONG, 1.0, stage)
    bound = {"s": binding("s", stage)}
    entries = aimed((), [target], bound, verdicts.ceiling_of, "r", NOW)
    return any(entry.effective_mode is LIVE for entry in entries)


@pytest.mark.parametrize("stage", list(Stage))
def test_exactly_one_combination_goes_live_and_only_at_stage_live(stage: Stage) -> None:
    live = [conditions for conditions in ALL if goes_live_by_apply(decided(conditions), stage)]
    assert live == ([Conditions(*[True] * CONDITIONS)] if stage is Stage.LIVE else [])


def test_every_missing_condition_is_refused_before_the_freeze() -> None:
    target = Target("s", Side.LONG, 1.0, Stage.LIVE)
    for conditions in ALL:
        if conditions == Conditions(*[True] * CONDITIONS):
            check_targets([target], {"s": binding("s")}, decided(conditions))
            continue
        with pytest.raises(NotReady) as caught:
            check_targets([target], {"s": binding("s")}, decided(conditions))
        assert caught.value.reason == "E_LIVE_FORBIDDEN"


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("entry_mode", [None, EffectiveMode.COMPUTE_ONLY, EffectiveMode.PAPER, LIVE])
@pytest.mark.parametrize("change", [{"active": True}, {"stage": Stage.PAPER, "active": True}, {"freeze": False}])
def test_no_change_of_an_operator_makes_anything_trade_live(
    stage: Stage, entry_mode: EffectiveMode | None, change: dict[str, bool | Stage]
) -> None:
    """Not even of a strategy that was live before and has been shut since."""
    bound = {"s": binding("s", stage)}
    before = empty("alpha", NOW)
    if entry_mode is not None:
        made = aimed(
            (), [Target("s", Side.LONG, 1.0, Stage.LIVE)], {"s": binding("s", Stage.LIVE)}, lambda *_: LIVE, "", NOW
        )
        shut = tuple(replace(e, effective_mode=entry_mode, active="freeze" in change, freeze=True) for e in made)
        before = replace(before, entries=shut)
    asked = Change("s", Side.LONG, **{"freeze": False, **change})  # type: ignore[arg-type]  # fields by name
    try:
        after, _ = change_activation(before, [asked], bound, lambda *_: LIVE, NOW)
    except NotReady:
        return
    assert not any(e.effective_mode is LIVE and e.active and not e.freeze for e in after.entries)


def test_one_approved_strategy_takes_no_other_along() -> None:
    crowd = (candidate("s"), candidate("t"))
    facts = WorldFacts(
        replace(world(allow_live=True), default_policy_version=1),
        parse_policy(DOCUMENT),
        crowd,
        fresh(),
        False,
        frozenset({"s"}),
    )
    verdicts = decide(facts, NOW)
    assert verdicts.ceiling_of("s") is LIVE
    assert verdicts.ceiling_of("t") is EffectiveMode.PAPER

"""`position_policy.on_demote: drain`: who may not go on reduces what it holds, takes no new risk, and nothing rises."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotReady
from qmtl.core.modes import EffectiveMode, ExecutionDomain, lower
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import apply_pb2 as applypb
from qmtl.world.v1 import apply_service_pb2 as applyservicepb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.worldservice.harness import COMPUTE_ONLY as LOW
from tests.worldservice.harness import LONG, WorldHarness, evaluation, eventually, make_world, raising
from tests.worldservice.harness import PAPER as ON_PAPER
from tests.worldservice.samples import CLAIMS, DOCUMENT, NOW, binding, candidate, fresh, world
from worldservice.activation.domain.activation import Activation, Ceiling, Entry, FenceState, empty, narrowed, no_exit
from worldservice.activation.domain.operator_changes import Change, change_activation
from worldservice.apply.domain.phases import aimed, frozen, restored, switched
from worldservice.apply.domain.targets import Target
from worldservice.evaluation.domain.decision import WorldFacts, decide
from worldservice.graph.domain.edges import Cut, Edges
from worldservice.policy.domain.policy import parse_policy
from worldservice.worlds.domain.binding import Side, Stage
from worldservice.worlds.domain.world import WorldState

COMPUTE_ONLY, PAPER, LIVE = EffectiveMode.COMPUTE_ONLY, EffectiveMode.PAPER, EffectiveMode.LIVE
MODES = st.sampled_from([COMPUTE_ONLY, PAPER, LIVE])
DRAINS = "position_policy: {on_demote: drain}\n"
LATER = NOW + timedelta(seconds=1)


def at(mode: EffectiveMode) -> Ceiling:
    return lambda *_: mode


def trading(mode: EffectiveMode = PAPER, **fields: bool) -> Activation:
    entry = Entry("s", Side.LONG, True, 1.0, False, False, None, None, NOW, "", mode)
    start = empty("alpha", NOW)
    state = FenceState.OPEN
    fence = replace(start.fence, epoch=3, state=state, effective_mode=mode, confirmed_epoch=3)
    return replace(start, revision=1, entries=(replace(entry, **fields),), fence=fence)  # type: ignore[arg-type]  # fields by name


def settled(
    before: Activation, ceiling: EffectiveMode, exits: EffectiveMode, stage: Stage = Stage.LIVE
) -> tuple[Entry, Activation]:
    after = narrowed(before, {"s": binding("s", stage)}, at(ceiling), LATER, None, at(exits))
    return after.entries[0], after


@pytest.mark.parametrize(
    ("mode", "ceiling", "exits", "comes_to"),
    [
        (PAPER, COMPUTE_ONLY, PAPER, (True, PAPER)),
        (PAPER, COMPUTE_ONLY, LIVE, (True, PAPER)),
        (PAPER, COMPUTE_ONLY, COMPUTE_ONLY, (False, COMPUTE_ONLY)),
        (PAPER, PAPER, PAPER, (False, PAPER)),
        (LIVE, PAPER, LIVE, (True, LIVE)),  # what is live is reduced live
        (LIVE, PAPER, PAPER, (False, PAPER)),
        (LIVE, COMPUTE_ONLY, PAPER, (False, COMPUTE_ONLY)),  # on paper there is nothing of it to reduce
    ],
)
def test_who_may_not_go_on_drains_where_it_is(
    mode: EffectiveMode, ceiling: EffectiveMode, exits: EffectiveMode, comes_to: tuple[bool, EffectiveMode]
) -> None:
    entry, after = settled(trading(mode), ceiling, exits)
    assert (entry.drain, entry.effective_mode) == comes_to
    if entry.drain:
        assert (after.fence.state, after.fence.epoch) == (FenceState.DRAIN, 4)  # it narrows
        assert settled(after, ceiling, exits)[1] is after


@pytest.mark.parametrize("fields", [{"active": False}, {"freeze": True}])
def test_what_does_not_trade_has_nothing_to_leave(fields: dict[str, bool]) -> None:
    entry, _ = settled(trading(PAPER, **fields), COMPUTE_ONLY, PAPER)
    assert (entry.drain, entry.effective_mode) == (False, COMPUTE_ONLY)


def test_who_was_led_to_the_stage_of_backtest_is_there_at_once() -> None:
    entry, _ = settled(trading(), COMPUTE_ONLY, PAPER, Stage.BACKTEST)
    assert (entry.drain, entry.effective_mode) == (False, COMPUTE_ONLY)


def test_what_drains_goes_on_draining_until_an_operator_ends_it() -> None:
    _, draining = settled(trading(), COMPUTE_ONLY, PAPER)
    entry, _ = settled(draining, PAPER, PAPER)  # selected again
    assert entry.drain
    bound = {"s": binding("s", Stage.PAPER)}
    undrain = [Change("s", Side.LONG, active=True, drain=False)]
    again, _ = change_activation(draining, undrain, bound, at(COMPUTE_ONLY), LATER, None, at(PAPER))
    assert again.entries[0].drain  # not while the policy does not select it
    freed, _ = change_activation(draining, undrain, bound, at(PAPER), LATER, None, at(PAPER))
    assert not freed.entries[0].drain
    down = [Change("s", Side.LONG, stage=Stage.BACKTEST)]
    shut, _ = change_activation(draining, down, bound, at(COMPUTE_ONLY), LATER, None, at(PAPER))
    assert shut.entries[0].effective_mode is COMPUTE_ONLY


def test_a_change_of_another_leaves_it_draining() -> None:
    _, draining = settled(trading(), COMPUTE_ONLY, PAPER)
    bound = {"s": binding("s", Stage.PAPER), "t": binding("t")}
    after, _ = change_activation(
        draining, [Change("t", Side.LONG, weight=0.5)], bound, at(COMPUTE_ONLY), LATER, None, at(PAPER)
    )
    assert (after.entries[0].drain, after.entries[0].effective_mode) == (True, PAPER)


def test_what_stopped_the_world_ended_it_and_an_operator_brings_it_back_to_reduce_only() -> None:
    _, draining = settled(trading(), COMPUTE_ONLY, PAPER)
    entry, stopped = settled(draining, COMPUTE_ONLY, COMPUTE_ONLY)
    assert entry.effective_mode is COMPUTE_ONLY
    assert settled(stopped, COMPUTE_ONLY, PAPER)[1] is stopped  # nothing rises by itself
    bound = {"s": binding("s", Stage.PAPER)}
    back = Change("s", Side.LONG, active=True, drain=True, stage=Stage.PAPER)
    again, _ = change_activation(stopped, [back], bound, at(COMPUTE_ONLY), LATER, None, at(PAPER))
    assert (again.entries[0].drain, again.entries[0].effective_mode) == (True, PAPER)
    assert again.fence.state is FenceState.DRAIN
    with pytest.raises(NotReady):
        change_activation(stopped, [replace(back, drain=False)], bound, at(COMPUTE_ONLY), LATER, None, at(PAPER))
    with pytest.raises(NotReady):
        change_activation(stopped, [back], bound, at(COMPUTE_ONLY), LATER, None, no_exit)


def test_who_was_stopped_while_it_drained_live_is_brought_to_paper_at_most() -> None:
    _, draining = settled(trading(LIVE), PAPER, LIVE)
    _, stopped = settled(draining, COMPUTE_ONLY, COMPUTE_ONLY)
    bound = {"s": binding("s", Stage.LIVE)}
    back, _ = change_activation(stopped, [Change("s", Side.LONG, active=True)], bound, at(PAPER), LATER, None, at(LIVE))
    assert (back.entries[0].drain, back.entries[0].effective_mode) == (True, PAPER)


@pytest.mark.parametrize("change", [{"drain": False}, {"drain": False, "active": True}])
def test_what_drains_live_takes_new_risk_again_by_an_apply_only(change: dict[str, bool]) -> None:
    """Approved and selected again, too: going live is an apply."""
    _, draining = settled(trading(LIVE), PAPER, LIVE)
    bound = {"s": binding("s", Stage.LIVE)}
    with pytest.raises(NotReady) as refused:
        change_activation(draining, [Change("s", Side.LONG, **change)], bound, at(LIVE), LATER, None, at(LIVE))  # type: ignore[arg-type]  # fields by name
    assert refused.value.reason == "E_MODE_CEILING"


@pytest.mark.parametrize("change", [{"weight": 0.5}, {"drain": True}, {"freeze": True}, {"active": False}])
def test_what_drains_live_may_be_narrowed_on(change: dict[str, bool | float]) -> None:
    _, draining = settled(trading(LIVE), PAPER, LIVE)
    asked = [Change("s", Side.LONG, **change)]  # type: ignore[arg-type]  # fields by name
    after, _ = change_activation(draining, asked, {"s": binding("s", Stage.LIVE)}, at(LIVE), LATER, None, at(LIVE))
    assert (after.entries[0].drain, after.entries[0].effective_mode) == (True, LIVE)


@pytest.mark.parametrize(
    "change", [{"drain": True}, {"drain": True, "weight": 0.5}, {"freeze": True}, {"drain": True, "freeze": True}]
)
@pytest.mark.parametrize("ceiling", [PAPER, LIVE])
def test_narrowing_on_paper_is_never_refused_as_going_live(
    change: dict[str, bool | float], ceiling: EffectiveMode
) -> None:
    """The binding of one that was live stays at LIVE, and the command line sets active with every change."""
    asked = [Change("s", Side.LONG, active=True, **change)]  # type: ignore[arg-type]  # fields by name
    bound = {"s": binding("s", Stage.LIVE)}
    after, _ = change_activation(trading(PAPER), asked, bound, at(ceiling), LATER, None, at(LIVE))
    assert after.entries[0].effective_mode is PAPER


def test_nobody_is_led_to_paper_to_reduce_who_was_never_there() -> None:
    back = Change("s", Side.LONG, active=True, drain=True, stage=Stage.PAPER)
    with pytest.raises(NotReady):
        change_activation(empty("alpha", NOW), [back], {"s": binding("s")}, at(COMPUTE_ONLY), LATER, None, at(PAPER))


def test_a_freeze_keeps_the_place_of_who_drains_after_it() -> None:
    """Else each decision meanwhile would take it, and the opening would begin anew."""
    _, draining = settled(trading(), COMPUTE_ONLY, PAPER)
    shut = frozen(draining, "r", LATER)
    assert settled(shut, COMPUTE_ONLY, PAPER)[1] is shut
    aim = aimed(
        shut.entries, (), {"s": binding("s", Stage.PAPER)}, at(COMPUTE_ONLY), "r", LATER,
        traded=draining.entries, exits=at(PAPER),
    )  # fmt: skip
    behind = switched(shut, aim, LATER)
    assert settled(behind, COMPUTE_ONLY, PAPER)[1] is behind
    assert settled(shut, COMPUTE_ONLY, COMPUTE_ONLY)[0].effective_mode is COMPUTE_ONLY  # what stops the world stops it


def test_the_other_side_of_a_target_drains_where_it_was() -> None:
    """The apply brings the binding to paper; what the short side holds live is reduced live."""
    both = replace(trading(LIVE), entries=tuple(replace(trading(LIVE).entries[0], side=side) for side in Side))
    shut = frozen(both, "r", LATER)
    target = [Target("s", Side.LONG, 1.0, Stage.PAPER)]
    bound = {"s": binding("s", Stage.PAPER)}
    found = aimed(shut.entries, target, bound, at(LIVE), "r", LATER, traded=both.entries, exits=at(LIVE))
    modes = {entry.side: (entry.drain, entry.effective_mode) for entry in found}
    assert modes == {Side.LONG: (False, PAPER), Side.SHORT: (True, LIVE)}
    after = narrowed(replace(both, entries=found), bound, at(LIVE), LATER, None, at(LIVE))
    assert {entry.side: (entry.drain, entry.effective_mode) for entry in after.entries} == modes
    behind = switched(shut, found, LATER)
    assert narrowed(behind, bound, at(LIVE), LATER, None, at(LIVE)) is behind


def test_an_apply_lets_who_is_no_target_drain() -> None:
    before = trading()
    shut = frozen(before, "r", LATER)
    bound = {"s": binding("s", Stage.PAPER), "t": binding("t", Stage.PAPER)}
    target = [Target("t", Side.LONG, 1.0, Stage.PAPER)]
    rest = {"traded": before.entries, "exits": at(PAPER)}
    left, entered = aimed(shut.entries, target, bound, at(PAPER), "r", LATER, **rest)  # type: ignore[arg-type]  # by name
    assert (left.strategy_id, left.active, left.drain, left.effective_mode) == ("s", True, True, PAPER)
    assert (entered.active, entered.drain) == (True, False)
    held, _ = aimed(shut.entries, target, bound, at(PAPER), "r", LATER, traded=before.entries)
    assert not held.active
    frozen_before = trading(freeze=True).entries
    never, _ = aimed(shut.entries, target, bound, at(PAPER), "r", LATER, traded=frozen_before, exits=at(PAPER))
    assert not never.active


def test_a_resumption_lets_drain_who_may_not_go_on() -> None:
    (entry,) = restored(trading().entries, {"s": binding("s", Stage.PAPER)}, at(COMPUTE_ONLY), LATER, at(PAPER))
    assert (entry.active, entry.drain, entry.effective_mode) == (True, True, PAPER)
    (entry,) = restored(trading().entries, {"s": binding("s", Stage.PAPER)}, at(COMPUTE_ONLY), LATER)
    assert entry.effective_mode is COMPUTE_ONLY


@given(
    mode=MODES,
    ceiling=MODES,
    exits=MODES,
    stage=st.sampled_from(Stage),
    active=st.booleans(),
    freeze=st.booleans(),
    drain=st.booleans(),
)
def test_nothing_takes_new_risk_above_its_ceiling_and_nothing_rises(
    mode: EffectiveMode,
    ceiling: EffectiveMode,
    exits: EffectiveMode,
    stage: Stage,
    active: bool,
    freeze: bool,
    drain: bool,
) -> None:
    before = trading(mode, active=active, freeze=freeze, drain=drain)
    entry, after = settled(before, ceiling, exits, stage)
    reach = lower(ceiling, {Stage.BACKTEST: COMPUTE_ONLY, Stage.PAPER: PAPER, Stage.LIVE: LIVE}[stage])
    assert lower(entry.effective_mode, mode) is entry.effective_mode
    if entry.active and not entry.freeze and not entry.drain:
        assert lower(entry.effective_mode, reach) is entry.effective_mode
    assert (entry.active, entry.freeze, entry.drain or drain) == (active, freeze, entry.drain)
    assert after.fence.epoch >= before.fence.epoch


def exit_mode(
    document: str = DOCUMENT + DRAINS, replay: bool = False, edges: Edges | None = None, **fields: object
) -> EffectiveMode:
    here = replace(world(allow_live=True), default_policy_version=1, **fields)  # type: ignore[arg-type]  # fields by name
    shown = candidate("s") if edges is None else replace(candidate("s"), edges=edges)
    return decide(WorldFacts(here, parse_policy(document), (shown,), fresh(), replay), NOW).exit_of("s")


def test_what_stops_the_world_stops_who_is_leaving() -> None:
    assert exit_mode() is LIVE
    assert exit_mode(DOCUMENT) is COMPUTE_ONLY
    assert exit_mode(DOCUMENT + DRAINS.replace("drain", "hold")) is COMPUTE_ONLY
    assert exit_mode(replay=True) is PAPER
    assert exit_mode(allow_live=False) is PAPER
    for fields in ({"circuit_breaker": True}, {"state": WorldState.SUSPENDED}, {"state": WorldState.DELETED}):
        assert exit_mode(**fields) is COMPUTE_ONLY
    stale = DOCUMENT.replace("5m", "30s") + DRAINS
    assert exit_mode(stale) is COMPUTE_ONLY


def test_nobody_reduces_over_an_edge_that_is_off() -> None:
    def off(domain: ExecutionDomain) -> Edges:
        return Edges(frozenset({domain}), True, (Cut(domain, 1, "a -> b"),))

    assert exit_mode(edges=off(ExecutionDomain.DRYRUN)) is COMPUTE_ONLY
    assert exit_mode(edges=off(ExecutionDomain.BACKTEST)) is COMPUTE_ONLY
    assert exit_mode(edges=off(ExecutionDomain.LIVE)) is PAPER
    assert exit_mode(edges=Edges(frozenset({ExecutionDomain.DRYRUN}), known=False)) is COMPUTE_ONLY


async def entries(harness: WorldHarness) -> dict[str, tuple[bool, bool, commonpb.EffectiveMode]]:
    ann = await harness.stub()
    found = (
        await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))
    ).activation.entries
    return {
        entry.strategy_id: (entry.active, entry.drain, entry.effective_mode) for entry in found if entry.side == LONG
    }


async def test_a_demoted_strategy_drains_until_the_world_is_stopped(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1", document=CLAIMS + DRAINS)
    await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id="s"))
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s"))
    await ann.activation.SetActivation(raising("w1", "s"))
    epoch, state = harness.brokerage.state("w1")
    assert state == "OPEN"
    reply = await ann.evaluation.Evaluate(evaluation(harness, "w1", "s", "run-2", sharpe=0.1))
    assert reply.decision.effective_mode == LOW
    assert await entries(harness) == {"s": (True, True, ON_PAPER)}
    assert harness.brokerage.state("w1") == (epoch + 1, "DRAIN")
    await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(
            world_id="w1", circuit_breaker=True, update_mask={"paths": ["circuit_breaker"]}
        )
    )
    assert await entries(harness) == {"s": (True, True, LOW)}
    assert harness.brokerage.state("w1") == (epoch + 2, "FROZEN")
    await ann.worlds.UpdateWorld(
        worldservicepb.UpdateWorldRequest(
            world_id="w1", circuit_breaker=False, update_mask={"paths": ["circuit_breaker"]}
        )
    )
    assert await entries(harness) == {"s": (True, True, LOW)}
    change = activationpb.ActivationChange(
        strategy_id="s", side=LONG, active=True, drain=True, stage=bindingpb.STAGE_PAPER
    )
    await ann.activation.SetActivation(activationservicepb.SetActivationRequest(world_id="w1", changes=[change]))
    assert await entries(harness) == {"s": (True, True, ON_PAPER)}
    assert harness.brokerage.state("w1") == (epoch + 3, "DRAIN")
    with pytest.raises(NotReady):
        await ann.activation.SetActivation(raising("w1", "s"))
    assert (
        await ann.activation.RebuildActivation(activationservicepb.RebuildActivationRequest(world_id="w1"))
    ).same_as_stored


async def test_an_apply_opens_its_targets_and_drains_the_others(harness: WorldHarness) -> None:
    ann = await make_world(harness, "w1", document=CLAIMS + DRAINS)
    for name in ("s", "t"):
        await ann.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(world_id="w1", strategy_id=name))
        await ann.evaluation.Evaluate(evaluation(harness, "w1", name))
    await ann.activation.SetActivation(raising("w1", "s"))
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s", "run-2", sharpe=0.1))
    session = await open_session(harness)
    target = applypb.ApplyTarget(strategy_id="t", side=LONG, weight="1.0", stage=bindingpb.STAGE_PAPER)
    numbers = itertools.count(3)
    asked = applyservicepb.ApplyRequest(
        world_id="w1",
        run_id="r1",
        targets=applypb.ApplyTargets(targets=[target]),
        unfreeze_ack=applypb.UNFREEZE_ACK_NONE,
    )
    await ann.applies.Apply(asked)

    async def ended() -> bool:
        """Decisions go on meanwhile."""
        harness.clock.advance(0.2)
        await ann.evaluation.Evaluate(
            evaluation(harness, "w1", "t", f"run-{next(numbers)}", sharpe=1.0 + next(numbers) / 1000)
        )
        return (
            await ann.applies.GetApplyRun(applyservicepb.GetApplyRunRequest(world_id="w1", run_id="r1"))
        ).run.HasField("ended_at")

    await eventually(ended)
    assert await entries(harness) == {"s": (True, True, ON_PAPER), "t": (True, False, ON_PAPER)}
    assert harness.brokerage.state("w1")[1] == "OPEN"
    assert await open_session(harness) == session  # what it holds is in an account of this session


async def open_session(harness: WorldHarness) -> str:
    ann = await harness.stub()
    (session,) = (
        await ann.activation.GetActivation(activationservicepb.GetActivationRequest(world_id="w1"))
    ).activation.sessions
    return session.session_id

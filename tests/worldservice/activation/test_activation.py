"""Activation: precedence, revisions, the fence epoch, and that nothing rises by itself."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest, NotFound, NotReady
from qmtl.core.modes import EffectiveMode, lower
from tests.worldservice.samples import NOW, binding
from worldservice.activation.domain.activation import (
    TRADING,
    Activation,
    Entry,
    EntryStanding,
    FenceState,
    confirm,
    dated,
    empty,
    narrowed,
    narrows,
    outrank,
    standing,
    state_hash,
)
from worldservice.activation.domain.operator_changes import Change, change_activation
from worldservice.apply.domain.phases import frozen, opened
from worldservice.worlds.domain.binding import Binding, Side, Stage

BOUND = {"s": binding("s"), "t": binding("t")}


def paper(_strategy: str, _side: Side) -> EffectiveMode:
    return EffectiveMode.PAPER


def compute(_strategy: str, _side: Side) -> EffectiveMode:
    return EffectiveMode.COMPUTE_ONLY


def apply(
    before: Activation,
    *changes: Change,
    bound: dict[str, Binding] | None = None,
    ceiling: Callable[[str, Side], EffectiveMode] = paper,
) -> tuple[Activation, dict[str, Binding]]:
    bindings = BOUND if bound is None else bound
    after, staged = change_activation(before, changes, bindings, ceiling, NOW)
    return after, {**bindings, **staged}


def trading() -> tuple[Activation, dict[str, Binding]]:
    return apply(empty("alpha", NOW), Change("s", Side.LONG, active=True, stage=Stage.PAPER))


def test_a_new_world_is_frozen_at_epoch_zero() -> None:
    fence = empty("alpha", NOW).fence
    assert (fence.epoch, fence.state, fence.pending) == (0, FenceState.FROZEN, False)


def test_raising_to_paper_opens_the_fence_at_a_new_epoch() -> None:
    after, bound = trading()
    assert after.revision == 1
    assert after.fence.epoch == 1
    assert after.fence.state is FenceState.OPEN
    assert after.fence.pending
    assert after.effective_mode is EffectiveMode.PAPER
    assert bound["s"].stage is Stage.PAPER
    assert after.entries[0].weight == 1.0


def test_an_active_entry_without_the_stage_only_computes() -> None:
    after, _ = apply(empty("alpha", NOW), Change("s", Side.LONG, active=True))
    assert after.entries[0].effective_mode is EffectiveMode.COMPUTE_ONLY
    assert after.fence.state is FenceState.FROZEN


NARROWINGS = [
    Change("s", Side.LONG, active=False),
    Change("s", Side.LONG, freeze=True),
    Change("s", Side.LONG, drain=True),
    Change("s", Side.LONG, weight=0.5),
    Change("s", Side.LONG, stage=Stage.BACKTEST),
    Change("s", Side.LONG, valid_until=NOW + timedelta(hours=1)),
    Change("s", Side.LONG, valid_from=NOW + timedelta(hours=1)),
]


@pytest.mark.parametrize("change", NARROWINGS)
def test_whatever_narrows_raises_the_epoch(change: Change) -> None:
    before, bound = trading()
    after, _ = apply(before, change, bound=bound)
    assert after.revision == before.revision + 1
    assert after.fence.epoch == before.fence.epoch + 1
    assert after.fence.pending


@pytest.mark.parametrize("change", NARROWINGS)
def test_narrowing_one_of_two_raises_the_epoch_and_leaves_the_fence_open(change: Change) -> None:
    before, bound = apply(*trading()[:1], Change("t", Side.LONG, active=True, stage=Stage.PAPER), bound=trading()[1])
    after, _ = apply(before, change, bound=bound)
    assert after.fence.state is FenceState.OPEN
    assert after.fence.epoch == before.fence.epoch + 1


@pytest.mark.parametrize(
    ("opens", "ends", "is_narrower"),
    [
        (0, 4, False),
        (1, 4, True),
        (-1, 4, False),
        (None, 4, False),
        (0, 3, True),
        (0, 5, False),
        (0, None, False),
        (-1, 3, True),
        (1, 5, True),
    ],
)
def test_a_window_that_opens_later_or_ends_sooner_narrows(
    opens: int | None, ends: int | None, is_narrower: bool
) -> None:
    def at(hours: int | None) -> datetime | None:
        return None if hours is None else NOW + timedelta(hours=hours)

    entry = replace(trading()[0].entries[0], valid_from=at(0), valid_until=at(4))
    assert narrows([entry], [replace(entry, valid_from=at(opens), valid_until=at(ends))]) is is_narrower


def both_sides() -> tuple[Activation, dict[str, Binding]]:
    before, bound = trading()
    return apply(before, Change("s", Side.SHORT, active=True), bound=bound)


def test_a_side_that_is_no_longer_bound_loses_its_entry_and_raises_the_epoch() -> None:
    before, bound = both_sides()
    long_only = {**bound, "s": replace(bound["s"], sides=frozenset({Side.LONG}))}
    after = narrowed(before, long_only, paper, NOW)
    assert [entry.side for entry in after.entries] == [Side.LONG]
    assert after.fence.epoch == before.fence.epoch + 1


def test_a_change_of_one_side_leaves_the_lowered_other_side_where_it_is() -> None:
    before, bound = both_sides()
    lowered = narrowed(before, bound, compute, NOW)
    after, _ = apply(lowered, Change("s", Side.LONG, active=True), bound=bound)
    modes = {entry.side: entry.effective_mode for entry in after.entries}
    assert modes == {Side.LONG: EffectiveMode.PAPER, Side.SHORT: EffectiveMode.COMPUTE_ONLY}


def test_widening_within_an_open_fence_keeps_the_epoch() -> None:
    before, bound = apply(*trading()[:1], Change("s", Side.LONG, weight=0.5), bound=trading()[1])
    after, _ = apply(before, Change("s", Side.LONG, weight=0.8), bound=bound)
    assert (after.revision, after.fence.epoch) == (before.revision + 1, before.fence.epoch)


def test_who_joins_an_open_fence_gets_a_standing_under_a_new_epoch() -> None:
    before, bound = trading()
    after, _ = apply(before, Change("t", Side.SHORT, active=True, stage=Stage.PAPER), bound=bound)
    assert before.fence.standings == {("s", Side.LONG)}
    assert after.fence.standings == {("s", Side.LONG), ("t", Side.SHORT)}
    assert (after.fence.state, after.fence.epoch) == (FenceState.OPEN, before.fence.epoch + 1)


@pytest.mark.parametrize(
    "change",
    [
        Change("s", Side.LONG, active=False),
        Change("s", Side.LONG, freeze=True),
        Change("s", Side.LONG, drain=True),
        Change("s", Side.LONG, stage=Stage.BACKTEST),
    ],
)
def test_who_may_not_add_any_more_loses_its_standing_and_nobody_else_does(change: Change) -> None:
    both, bound = apply(*trading()[:1], Change("t", Side.LONG, active=True, stage=Stage.PAPER), bound=trading()[1])
    after, _ = apply(both, change, bound=bound)
    assert after.fence.standings == {("t", Side.LONG)}


def test_a_change_that_changes_nothing_keeps_the_revision() -> None:
    before, bound = trading()
    assert apply(before, Change("s", Side.LONG, weight=1.0), bound=bound)[0] is before


def test_fence_drains_when_all_that_trade_drain_and_freezes_when_none_trades() -> None:
    before, bound = trading()
    both, bound = apply(before, Change("t", Side.LONG, active=True, stage=Stage.PAPER), bound=bound)
    one, bound = apply(both, Change("s", Side.LONG, drain=True), bound=bound)
    assert one.fence.state is FenceState.OPEN
    two, bound = apply(one, Change("t", Side.LONG, drain=True), bound=bound)
    assert two.fence.state is FenceState.DRAIN
    frozen, _ = apply(two, Change("s", Side.LONG, freeze=True), Change("t", Side.LONG, freeze=True), bound=bound)
    assert frozen.fence.state is FenceState.FROZEN


@pytest.mark.parametrize("stage", [Stage.PAPER, Stage.LIVE])
def test_a_stage_above_the_ceiling_is_refused(stage: Stage) -> None:
    with pytest.raises(NotReady) as caught:
        apply(empty("alpha", NOW), Change("s", Side.LONG, active=True, stage=stage), ceiling=compute)
    assert caught.value.reason == "E_MODE_CEILING"


def test_live_is_never_set_by_hand() -> None:
    with pytest.raises(NotReady):
        apply(empty("alpha", NOW), Change("s", Side.LONG, stage=Stage.LIVE), ceiling=lambda *_: EffectiveMode.LIVE)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_weight_outside_zero_to_one_is_refused(weight: float) -> None:
    with pytest.raises(InvalidRequest):
        apply(empty("alpha", NOW), Change("s", Side.LONG, weight=weight))


def test_an_unbound_strategy_is_refused() -> None:
    with pytest.raises(NotFound):
        apply(empty("alpha", NOW), Change("nobody", Side.LONG, active=True))


def test_a_side_the_binding_does_not_have_is_refused() -> None:
    bound = {"s": replace(binding("s"), sides=frozenset({Side.LONG}))}
    with pytest.raises(InvalidRequest):
        apply(empty("alpha", NOW), Change("s", Side.SHORT, active=True), bound=bound)


def test_settle_lowers_at_once_and_does_not_raise_again() -> None:
    before, bound = trading()
    low = narrowed(before, bound, compute, NOW)
    assert low.entries[0].effective_mode is EffectiveMode.COMPUTE_ONLY
    assert low.fence.epoch == before.fence.epoch + 1
    assert low.fence.state is FenceState.FROZEN
    assert narrowed(low, bound, paper, NOW) is low


def test_touching_the_weight_does_not_raise_a_lowered_mode() -> None:
    before, bound = trading()
    low = narrowed(before, bound, compute, NOW)
    after, _ = apply(low, Change("s", Side.LONG, weight=0.9), bound=bound)
    assert after.entries[0].effective_mode is EffectiveMode.COMPUTE_ONLY
    raised, _ = apply(after, Change("s", Side.LONG, active=True), bound=bound)
    assert raised.entries[0].effective_mode is EffectiveMode.PAPER


def test_settle_drops_what_is_no_longer_bound() -> None:
    before, _ = trading()
    assert narrowed(before, {}, paper, NOW).entries == ()


def test_confirm_never_confirms_an_epoch_that_was_not_asked() -> None:
    after, _ = trading()
    assert not confirm(after, 1).fence.pending
    assert confirm(after, 9).fence.confirmed_epoch == 1
    assert outrank(after, 7, NOW).fence.epoch == 8


def test_freeze_beats_drain_beats_active_and_the_window_beats_both_but_freeze() -> None:
    entry = replace(trading()[0].entries[0], valid_from=NOW, valid_until=NOW + timedelta(hours=1))
    assert standing(entry, NOW) is EntryStanding.ACTIVE
    assert standing(entry, NOW - timedelta(seconds=1)) is EntryStanding.INACTIVE
    assert standing(entry, NOW + timedelta(hours=1)) is EntryStanding.INACTIVE
    assert standing(replace(entry, drain=True), NOW) is EntryStanding.DRAINING
    assert standing(replace(entry, drain=True, freeze=True, active=False), NOW) is EntryStanding.FROZEN
    assert standing(replace(entry, active=False), NOW) is EntryStanding.INACTIVE


def test_the_state_hash_is_of_the_sorted_set() -> None:
    after, bound = trading()
    both, _ = apply(after, Change("t", Side.SHORT, active=True), bound=bound)
    assert state_hash(both.entries) == state_hash(tuple(reversed(both.entries))) == both.state_hash
    assert state_hash(after.entries) != both.state_hash


CHANGES = st.builds(
    Change,
    strategy_id=st.sampled_from(["s", "t"]),
    side=st.sampled_from(Side),
    active=st.none() | st.booleans(),
    weight=st.none() | st.sampled_from([0.0, 0.25, 1.0]),
    freeze=st.none() | st.booleans(),
    drain=st.none() | st.booleans(),
    stage=st.none() | st.sampled_from([Stage.BACKTEST, Stage.PAPER]),
)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(CHANGES, max_size=8), ceiling=st.sampled_from([paper, compute]))
def test_any_history_keeps_the_invariants(steps: list[Change], ceiling: Callable[[str, Side], EffectiveMode]) -> None:
    state, bound = empty("alpha", NOW), dict(BOUND)
    for step in steps:
        before = state
        try:
            state, bound = apply(state, step, bound=bound, ceiling=ceiling)
        except NotReady:
            continue
        assert state.revision - before.revision in (0, 1)
        assert state.fence.epoch - before.fence.epoch in (0, 1)
        for entry in state.entries:
            assert lower(entry.effective_mode, ceiling(entry.strategy_id, entry.side)) is entry.effective_mode
        can_trade = any(e.effective_mode in TRADING and e.active and not e.freeze for e in state.entries)
        assert (state.fence.state is FenceState.FROZEN) is not can_trade
        assert (state.fence.state is FenceState.OPEN) == bool(state.fence.standings)
        same = state.fence.standings == before.fence.standings
        assert same or state.fence.epoch > before.fence.epoch


def test_a_side_that_the_strategy_is_not_bound_for_is_refused() -> None:
    only_long = {"s": replace(binding("s"), sides=frozenset({Side.LONG}))}
    with pytest.raises(InvalidRequest, match="E_SIDE") as caught:
        apply(empty("alpha", NOW), Change("s", Side.SHORT, active=True), bound=only_long)
    assert [(one.value, one.want) for one in caught.value.violations] == [("SHORT", "one it is bound for: LONG")]


@pytest.mark.parametrize(("opens", "ends"), [(0, 0), (1, 0)])
def test_a_window_that_ends_no_later_than_it_opens_is_refused(opens: int, ends: int) -> None:
    before, bound = trading()
    opens_at, ends_at = (NOW + timedelta(hours=hours) for hours in (opens, ends))
    with pytest.raises(InvalidRequest, match="E_WINDOW"):
        apply(before, Change("s", Side.LONG, valid_from=opens_at, valid_until=ends_at), bound=bound)


def test_a_promotion_is_dated_once_and_a_freeze_is_no_new_one() -> None:
    entry = Entry("s", Side.LONG, True, 1.0, False, False, None, None, NOW, "", EffectiveMode.LIVE)
    later = NOW + timedelta(days=1)
    live = dated(entry, NOW)
    assert live.live_since == NOW
    shut = dated(replace(live, active=False, freeze=True), later)
    assert shut.live_since == NOW
    assert dated(replace(shut, active=True, freeze=False), later) == live
    assert dated(replace(live, weight=0.5), later).live_since == NOW
    for ended in (
        replace(live, drain=True),
        replace(live, active=False),
        replace(live, effective_mode=EffectiveMode.PAPER),
    ):
        assert dated(ended, later).live_since is None
    again = replace(dated(replace(live, drain=True), later), drain=False)
    assert dated(again, later).live_since == later
    assert dated(replace(entry, effective_mode=EffectiveMode.PAPER), NOW).live_since is None
    shut_world = frozen(replace(empty("alpha", NOW), entries=(live,)), "run", later)
    assert [one.live_since for one in shut_world.entries] == [NOW]
    reopened = opened(
        shut_world, (live, replace(entry, strategy_id="t")), requires_ack=True, now=later + timedelta(seconds=1)
    )
    assert {one.live_since for one in reopened.entries} == {NOW, later + timedelta(seconds=1)}

"""Random lives of an activation: decisions, operators, applies and resumptions in any order, under any policy.

Whatever happened before, nobody takes new risk above what is allowed now, nothing rises that nobody named, whatever
narrows has an epoch of its own, and the audit records lead to what stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from qmtl.core.errors import NotReady
from qmtl.core.modes import EffectiveMode, lower
from tests.worldservice.samples import NOW, binding
from worldservice.activation.domain.activation import (
    TRADING,
    Activation,
    Entry,
    Phase,
    confirm,
    empty,
    fence_for,
    narrowed,
    narrows,
)
from worldservice.activation.domain.history import ActivationRecord, rebuild, record_of
from worldservice.activation.domain.operator_changes import Change, change_activation
from worldservice.apply.domain.phases import aimed, frozen, opened, restored, switched
from worldservice.apply.domain.targets import Target
from worldservice.worlds.domain.binding import Binding, Side, Stage, mode_of

COMPUTE_ONLY, PAPER, LIVE = EffectiveMode.COMPUTE_ONLY, EffectiveMode.PAPER, EffectiveMode.LIVE
Key = tuple[str, Side]
KEYS = [(name, side) for name in ("s", "t") for side in Side]
MODES = st.sampled_from([COMPUTE_ONLY, PAPER, LIVE])
FLAG = st.sampled_from([None, None, True, False])
CHANGES = st.builds(
    Change,
    st.sampled_from(["s", "t"]),
    st.sampled_from(Side),
    active=FLAG,
    drain=FLAG,
    freeze=FLAG,
    weight=st.sampled_from([None, 0.5, 1.0]),
    stage=st.sampled_from([None, None, Stage.BACKTEST, Stage.PAPER]),
)


def risk(entry: Entry | None) -> EffectiveMode:
    """The mode an entry takes new risk in; COMPUTE_ONLY: in none."""
    if entry is None or entry.freeze or entry.drain or not entry.active or entry.effective_mode not in TRADING:
        return COMPUTE_ONLY
    return entry.effective_mode


def keyed(entries: tuple[Entry, ...]) -> Mapping[Key, Entry]:
    return {(entry.strategy_id, entry.side): entry for entry in entries}


def at_most(mode: EffectiveMode, most: EffectiveMode) -> bool:
    return lower(mode, most) is mode


class Walk(RuleBasedStateMachine):
    """`ceilings` and `exits` are what the newest decision says; a shut activation keeps what stood `before` it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.activation = empty("alpha", NOW)
        self.bindings: dict[str, Binding] = {name: binding(name) for name in ("s", "t")}
        self.ceilings: dict[Key, EffectiveMode] = dict.fromkeys(KEYS, COMPUTE_ONLY)
        self.exits = COMPUTE_ONLY
        self.before: tuple[Entry, ...] = ()
        self.records: list[ActivationRecord] = []

    @rule(ceilings=st.tuples(*[MODES] * len(KEYS)), exits=MODES)
    def decide(self, ceilings: tuple[EffectiveMode, ...], exits: EffectiveMode) -> None:
        self.ceilings, self.exits = dict(zip(KEYS, ceilings, strict=True)), exits
        before = keyed(self.activation.entries)
        self._settle()
        for key, entry in keyed(self.activation.entries).items():
            assert at_most(entry.effective_mode, before[key].effective_mode)
            assert entry.drain or not before[key].drain
            assert (entry.active, entry.freeze) == (before[key].active, before[key].freeze)

    @rule(changes=st.lists(CHANGES, min_size=1, max_size=2))
    def operate(self, changes: list[Change]) -> None:
        if self.before:
            return  # a world that an apply has shut is left by a resumption or another apply
        before = keyed(self.activation.entries)
        try:
            after, rebound = change_activation(
                self.activation, changes, self.bindings, self._ceiling, self._tick(), None, self._exit
            )
        except NotReady:
            return
        named = {(change.strategy_id, change.side) for change in changes}
        for key, entry in keyed(after.entries).items():
            had = risk(before.get(key))
            assert at_most(risk(entry), had) or (key in named and risk(entry) is PAPER)
            assert key in named or at_most(entry.effective_mode, before[key].effective_mode)
            assert key in named or entry.drain or not before[key].drain
        self.bindings.update(rebound)
        self._take(after)

    @rule(stages=st.tuples(*[st.sampled_from([None, Stage.PAPER, Stage.LIVE])] * len(KEYS)), decided=st.booleans())
    def apply(self, stages: tuple[Stage | None, ...], decided: bool) -> None:
        """Freeze, switch, open; the decision is asked again in between."""
        asked = {key: stage for key, stage in zip(KEYS, stages, strict=True) if stage is not None}
        if not all(at_most(mode_of(stage), self.ceilings[key]) for key, stage in asked.items()):
            return
        traded = self.before or self.activation.entries
        self._take(frozen(self.activation, "r", self._tick()))
        if decided:
            self._settle()
        for key, stage in asked.items():
            highest = max((one for other, one in asked.items() if other[0] == key[0]), key=list(Stage).index)
            self.bindings[key[0]] = replace(self.bindings[key[0]], stage=highest)
            assert stage in (Stage.PAPER, Stage.LIVE)
        targets = [Target(*key, 1.0, stage) for key, stage in asked.items()]
        aim = aimed(
            self.activation.entries, targets, self.bindings, self._ceiling, "r", self.now,
            traded=traded, exits=self._exit,
        )  # fmt: skip
        self._open(aim)
        for key, entry in keyed(self.activation.entries).items():
            assert at_most(risk(entry), mode_of(asked[key]) if key in asked else COMPUTE_ONLY)
            assert key in asked or not entry.active or entry.drain

    @rule()
    def freeze_and_stop(self) -> None:
        """An apply that ends shut."""
        self.before = self.before or self.activation.entries
        self._take(frozen(self.activation, "shut", self._tick()))

    @rule()
    def resume(self) -> None:
        if not self.before:
            return
        stood = keyed(self.before)
        self._open(restored(self.before, self.bindings, self._ceiling, self._tick(), self._exit))
        for key, entry in keyed(self.activation.entries).items():
            assert at_most(risk(entry), risk(stood[key]))

    @invariant()
    def nobody_takes_new_risk_above_what_is_allowed(self) -> None:
        for key, entry in keyed(self.activation.entries).items():
            assert at_most(risk(entry), self._reach(key, self.ceilings[key]))
            if entry.active and entry.drain and not entry.freeze and entry.effective_mode in TRADING:
                way_out = COMPUTE_ONLY if self.bindings[key[0]].stage is Stage.BACKTEST else self.exits
                within = at_most(entry.effective_mode, way_out)
                assert within or at_most(entry.effective_mode, self._reach(key, self.ceilings[key]))

    @invariant()
    def the_fence_fits_and_the_audit_leads_here(self) -> None:
        fence = self.activation.fence
        if self.activation.revision:
            assert (fence.state, fence.effective_mode, fence.standings) == fence_for(self.activation.entries)
            assert rebuild("alpha", NOW, self.records) == self.activation

    def _ceiling(self, strategy_id: str, side: Side) -> EffectiveMode:
        return self.ceilings[strategy_id, side]

    def _exit(self, strategy_id: str, side: Side) -> EffectiveMode:
        return self.exits

    def _reach(self, key: Key, ceiling: EffectiveMode) -> EffectiveMode:
        return lower(ceiling, mode_of(self.bindings[key[0]].stage))

    def _settle(self) -> None:
        self._take(narrowed(self.activation, self.bindings, self._ceiling, self._tick(), None, self._exit))

    def _open(self, aim: tuple[Entry, ...]) -> None:
        """Behind the freeze, confirmed, and once more decided on before it opens."""
        self._take(switched(self.activation, aim, self.now))
        settled = narrowed(self.activation, self.bindings, self._ceiling, self.now, None, self._exit)
        assert settled is self.activation, "nothing that opens has to be lowered first"
        self._take(confirm(self.activation, self.activation.fence.epoch))
        self._take(opened(self.activation, aim, False, self.now))
        self.before = ()

    def _take(self, after: Activation) -> None:
        before = self.activation
        if after == before:
            return
        if narrows(before.entries, after.entries):
            assert after.fence.epoch > before.fence.epoch
        self.records.append(record_of(before, after, before.revision if self.records else None))
        self.activation = after
        assert after.phase in Phase

    def _tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


Walk.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestWalks = Walk.TestCase

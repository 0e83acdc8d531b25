"""Activation: what each strategy and side of a world may do, under one revision, hash and fence epoch.

freeze > drain > active. A change is computed whole before anything is stored; whatever narrows raises the
epoch, and so does whatever moves the fence. Nothing here widens by itself: `settle` only lowers.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from qmtl.core.errors import InvalidRequest, NotFound, NotReady, Violation
from qmtl.core.identity import canonical_json, digest
from qmtl.core.limits import UNLIMITED, RiskLimits
from qmtl.core.modes import EffectiveMode, lower
from qmtl.core.windows import Window
from worldservice.domain.worlds import Binding, Side, Stage, mode_of

Ceiling = Callable[[str, Side], EffectiveMode]
TRADING = frozenset({EffectiveMode.PAPER, EffectiveMode.LIVE})


def no_exit(strategy_id: str, side: Side) -> EffectiveMode:
    """Who is lowered holds what it has: nothing of it passes."""
    return EffectiveMode.COMPUTE_ONLY


class FenceState(Enum):
    OPEN = "OPEN"
    DRAIN = "DRAIN"
    FROZEN = "FROZEN"


class Phase(Enum):
    NONE = "NONE"
    FREEZE = "FREEZE"
    UNFREEZE = "UNFREEZE"


class Standing(Enum):
    """What an entry comes to at an instant; the order of the names is the order of precedence."""

    FROZEN = "FROZEN"
    DRAINING = "DRAINING"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


@dataclass(frozen=True, slots=True)
class Entry:
    strategy_id: str
    side: Side
    active: bool
    weight: float
    freeze: bool
    drain: bool
    valid_from: datetime | None
    valid_until: datetime | None
    changed_at: datetime
    run_id: str
    effective_mode: EffectiveMode


@dataclass(frozen=True, slots=True)
class Terms:
    """What a policy says of all entries alike: when they may take new risk, and how much the world may."""

    windows: tuple[Window, ...] = ()
    limits: RiskLimits = UNLIMITED


NO_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Fence:
    """What brokerage has to be told of a world; confirmed when brokerage has committed this epoch."""

    epoch: int
    state: FenceState
    effective_mode: EffectiveMode
    confirmed_epoch: int
    limits: RiskLimits = UNLIMITED

    @property
    def pending(self) -> bool:
        return self.confirmed_epoch < self.epoch


@dataclass(frozen=True, slots=True)
class Activation:
    """The whole activation of a world at one revision."""

    world_id: str
    revision: int
    entries: tuple[Entry, ...]  # sorted by strategy and side
    fence: Fence
    run_id: str
    sequence: int
    phase: Phase
    requires_ack: bool
    time: datetime
    windows: tuple[Window, ...] = ()  # when what is active may take new risk; none: always

    @property
    def effective_mode(self) -> EffectiveMode:
        return self.fence.effective_mode

    @property
    def terms(self) -> Terms:
        return Terms(self.windows, self.fence.limits)

    @property
    def etag(self) -> str:
        return f"a{self.revision}"

    @property
    def state_hash(self) -> str:
        return state_hash(self.entries, self.windows)


@dataclass(frozen=True, slots=True)
class Change:
    """What an operator asks for one strategy and side; None keeps."""

    strategy_id: str
    side: Side
    active: bool | None = None
    weight: float | None = None
    freeze: bool | None = None
    drain: bool | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    stage: Stage | None = None


def empty(world_id: str, now: datetime) -> Activation:
    """Nothing may trade. Epoch 0 is what brokerage has without being told: FROZEN."""
    fence = Fence(0, FenceState.FROZEN, EffectiveMode.COMPUTE_ONLY, 0)
    return Activation(world_id, 0, (), fence, "", 0, Phase.NONE, False, now)


def standing(entry: Entry, now: datetime) -> Standing:
    """freeze > drain > active; outside its window an entry is inactive."""
    if entry.freeze:
        return Standing.FROZEN
    opened = entry.valid_from is None or entry.valid_from <= now
    if not entry.active or not opened or (entry.valid_until is not None and entry.valid_until <= now):
        return Standing.INACTIVE
    return Standing.DRAINING if entry.drain else Standing.ACTIVE


def state_hash(entries: Sequence[Entry], windows: Sequence[Window] = ()) -> str:
    """BLAKE3 of the canonical sorted set of entries, and of windows if there are any; equal for equal content."""
    rows: list[list[str | bool | float | list[int]]] = [
        [
            entry.strategy_id, entry.side.value, entry.active, entry.weight, entry.freeze, entry.drain,
            _text(entry.valid_from), _text(entry.valid_until), entry.run_id, entry.effective_mode.value,
        ]
        for entry in sorted(entries, key=_key)
    ]  # fmt: skip
    rows += [[sorted(w.days), w.opens.isoformat(), w.closes.isoformat(), w.tz] for w in windows]
    return digest(canonical_json(rows))


def change_activation(
    before: Activation,
    changes: Sequence[Change],
    bindings: Mapping[str, Binding],
    ceiling: Ceiling,
    now: datetime,
    terms: Terms | None = None,
    exits: Ceiling = no_exit,
) -> tuple[Activation, Mapping[str, Binding]]:
    """The activation after an operator's changes, under the policy's terms, and the bindings whose stage moved.

    `exits` as in settle; who an operator gives another stage is not led out, but is there at once.
    Raises NotFound (E_BINDING_UNKNOWN), NotReady (E_MODE_CEILING) when a stage above the ceiling is asked,
    InvalidRequest for bad values. A mode rises only on a side whose change names a stage or sets active.
    """
    moved = dict(bindings)
    entries = {_key(entry): entry for entry in before.entries}
    for change in changes:
        binding = _bound(change, moved)
        _check(change)
        if change.stage is not None:
            there = mode_of(change.stage)
            back = change.drain and lower(mode_of(binding.stage), there) is there  # to where it was, to reduce
            reach = _wider(ceiling, exits) if back else ceiling
            binding = replace(binding, stage=_stage(change.stage, change, reach))
            moved[change.strategy_id] = binding
        key = (change.strategy_id, change.side.value)
        entries[key] = _changed(entries.get(key), change, now)
    staged = {(change.strategy_id, change.side.value) for change in changes if change.stage is not None}
    raised = staged | {(change.strategy_id, change.side.value) for change in changes if change.active}
    after = []
    for key, entry in entries.items():
        if not _is_bound(entry, moved):
            continue
        allowed, way_out = _mode(entry, moved, ceiling), exit_at(entry, moved[entry.strategy_id].stage, exits)
        if entry.drain:
            allowed = _higher(allowed, way_out)
        if entry.effective_mode is not EffectiveMode.LIVE:
            allowed = lower(allowed, EffectiveMode.PAPER)  # the most an operator's change raises to
        rises = key in raised and lower(entry.effective_mode, allowed) is entry.effective_mode
        if key in staged or rises:
            after.append(_with_mode(entry, allowed, now))
        else:
            after.append(lowered(entry, allowed, way_out, now))
    _refuse_going_live(before.entries, after)
    rebound = {name: binding for name, binding in moved.items() if binding != bindings[name]}
    return _advance(before, after, now, terms), rebound


def settle(
    before: Activation,
    bindings: Mapping[str, Binding],
    ceiling: Ceiling,
    now: datetime,
    terms: Terms | None = None,
    exits: Ceiling = no_exit,
) -> Activation:
    """The activation lowered to the ceilings, without strategies and sides no longer bound. No entry is widened.

    What traded drains instead of being lowered where `exits` still allows the mode it is in. The terms, kept unless
    given, are the policy's own word: they follow it, and any change of them raises the epoch.
    """
    kept = [entry for entry in before.entries if _is_bound(entry, bindings)]
    down = []
    for entry in kept:
        allowed, way_out = _mode(entry, bindings, ceiling), exit_at(entry, bindings[entry.strategy_id].stage, exits)
        if before.phase is Phase.FREEZE:  # nothing trades, and the opening decides who drains
            allowed = _higher(allowed, way_out)
        down.append(lowered(entry, allowed, way_out, now))
    after = _advance(before, down, now, terms)
    if after is before:
        return before  # else an apply goes on: who has not acknowledged its sequence yet still has to
    marks = (before.run_id, before.sequence, before.phase, before.requires_ack)
    return replace(after, run_id=marks[0], sequence=marks[1], phase=marks[2], requires_ack=marks[3])


def confirm(activation: Activation, epoch: int) -> Activation:
    """Brokerage has committed this epoch."""
    confirmed = max(activation.fence.confirmed_epoch, min(epoch, activation.fence.epoch))
    return replace(activation, fence=replace(activation.fence, confirmed_epoch=confirmed))


def outrank(activation: Activation, stored_epoch: int, now: datetime) -> Activation:
    """The same state above an epoch brokerage already has, so that it is accepted there."""
    fence = replace(activation.fence, epoch=max(activation.fence.epoch, stored_epoch) + 1)
    return replace(activation, revision=activation.revision + 1, fence=fence, time=now)


def narrows(before: Sequence[Entry], after: Sequence[Entry]) -> bool:
    """Whether anything that could trade may now trade less, or not at all."""
    later = {_key(entry): entry for entry in after}
    return any(_narrowed(entry, later.get(_key(entry))) for entry in before)


def lowered(entry: Entry, allowed: EffectiveMode, exit_mode: EffectiveMode, now: datetime) -> Entry:
    """The entry no higher than is allowed; or draining where it is, if it traded and may still reduce there."""
    if leaves(entry, allowed, exit_mode):
        return entry if entry.drain else replace(entry, drain=True, changed_at=now)
    return _with_mode(entry, lower(entry.effective_mode, allowed), now)


def exit_at(entry: Entry, stage: Stage, exits: Ceiling) -> EffectiveMode:
    """How far an entry may go on to reduce: at the stage of backtest it is led nowhere."""
    return EffectiveMode.COMPUTE_ONLY if stage is Stage.BACKTEST else exits(entry.strategy_id, entry.side)


def leaves(entry: Entry, allowed: EffectiveMode, exit_mode: EffectiveMode) -> bool:
    """Whether an entry that trades and may not go on drains first: it takes no new risk, and what reduces passes."""
    mode = entry.effective_mode
    return _can_trade(entry) and lower(mode, allowed) is not mode and lower(mode, exit_mode) is mode


def fence_for(entries: Sequence[Entry]) -> tuple[FenceState, EffectiveMode]:
    """The widest state any entry needs; windows are left to the gates, so that a fence never opens by the clock."""
    trading = [entry for entry in entries if entry.effective_mode in TRADING and entry.active and not entry.freeze]
    mode = EffectiveMode.COMPUTE_ONLY
    for entry in entries:
        mode = entry.effective_mode if lower(mode, entry.effective_mode) is mode else mode
    if not trading:
        return FenceState.FROZEN, mode
    return (FenceState.DRAIN if all(entry.drain for entry in trading) else FenceState.OPEN), mode


def _advance(before: Activation, entries: Sequence[Entry], now: datetime, terms: Terms | None = None) -> Activation:
    """The next revision, or the same activation when nothing changed; terms stay unless given."""
    ordered = tuple(sorted(entries, key=_key))
    terms = before.terms if terms is None else terms
    same = [replace(e, changed_at=now) for e in ordered] == [replace(e, changed_at=now) for e in before.entries]
    if same and terms == before.terms:
        return before
    return replace(
        before,
        revision=before.revision + 1,
        entries=ordered,
        fence=_fence_after(before, ordered, terms),
        run_id="",
        sequence=0,
        phase=Phase.NONE,
        requires_ack=False,
        time=now,
        windows=terms.windows,
    )


def _fence_after(before: Activation, entries: Sequence[Entry], terms: Terms) -> Fence:
    """Whatever narrows has an epoch of its own, and so has whatever else brokerage is to be told."""
    fence, (state, mode) = before.fence, fence_for(entries)
    moved = terms.windows != before.windows and any(_can_trade(entry) for entry in before.entries)
    told = (state, mode, terms.limits) == (fence.state, fence.effective_mode, fence.limits)
    if told and not moved and not narrows(before.entries, entries):
        return fence
    return Fence(fence.epoch + 1, state, mode, fence.confirmed_epoch, terms.limits)


def _mode(entry: Entry, bindings: Mapping[str, Binding], ceiling: Ceiling) -> EffectiveMode:
    return lower(ceiling(entry.strategy_id, entry.side), mode_of(bindings[entry.strategy_id].stage))


def _wider(one: Ceiling, other: Ceiling) -> Ceiling:
    return lambda strategy_id, side: _higher(one(strategy_id, side), other(strategy_id, side))


def _higher(first: EffectiveMode, second: EffectiveMode) -> EffectiveMode:
    return second if lower(first, second) is first else first


def _with_mode(entry: Entry, mode: EffectiveMode, now: datetime) -> Entry:
    return entry if mode is entry.effective_mode else replace(entry, effective_mode=mode, changed_at=now)


def _stage(stage: Stage, change: Change, ceiling: Ceiling) -> Stage:
    strategy_id = change.strategy_id
    if stage is Stage.LIVE:
        raise NotReady(
            "E_MODE_CEILING",
            f"stage of {strategy_id} is LIVE, SetActivation raises to PAPER at most",
            hint="going live is an apply",
        )
    allowed = ceiling(strategy_id, change.side)
    if lower(allowed, mode_of(stage)) is not mode_of(stage):
        raise NotReady(
            "E_MODE_CEILING",
            f"stage of {strategy_id} is {stage.value}, the world allows {allowed.value} to it now",
            hint="ask Decide and the evaluation report for the reasons",
            metadata={"ceiling": allowed.value},
        )
    return stage


def _refuse_going_live(before: Sequence[Entry], after: Sequence[Entry]) -> None:
    """An operator's change never makes anything trade live that did not; it may go on narrowing what does.

    What drains only reduces: to take new risk live again is going live again.
    """
    drains = {_key(entry): entry.drain for entry in before if _trades_live(entry)}
    for entry in after:
        if _trades_live(entry) and (_key(entry) not in drains or (drains[_key(entry)] and not entry.drain)):
            raise NotReady(
                "E_MODE_CEILING",
                f"{entry.strategy_id} {entry.side.value} would trade live, SetActivation raises to PAPER at most",
                hint="going live is an apply",
            )


def _trades_live(entry: Entry) -> bool:
    return entry.effective_mode is EffectiveMode.LIVE and entry.active and not entry.freeze


def _changed(entry: Entry | None, change: Change, now: datetime) -> Entry:
    """One entry after a change; a new one starts inactive, with full weight, at the lowest mode."""
    old = entry or Entry(
        change.strategy_id, change.side, False, 1.0, False, False, None, None, now, "", EffectiveMode.COMPUTE_ONLY
    )
    return replace(
        old,
        active=old.active if change.active is None else change.active,
        weight=old.weight if change.weight is None else change.weight,
        freeze=old.freeze if change.freeze is None else change.freeze,
        drain=old.drain if change.drain is None else change.drain,
        valid_from=change.valid_from or old.valid_from,
        valid_until=change.valid_until or old.valid_until,
        changed_at=now,
        run_id="",
    )


def _can_trade(entry: Entry) -> bool:
    return entry.effective_mode in TRADING and entry.active and not entry.freeze


def _narrowed(old: Entry, new: Entry | None) -> bool:
    if not _can_trade(old):
        return False  # so there is nothing to take away
    if new is None or not new.active or new.freeze or (new.drain and not old.drain):
        return True
    if lower(old.effective_mode, new.effective_mode) is not old.effective_mode or new.weight < old.weight:
        return True
    opens_later = new.valid_from is not None and (old.valid_from is None or new.valid_from > old.valid_from)
    ends_sooner = new.valid_until is not None and (old.valid_until is None or new.valid_until < old.valid_until)
    return opens_later or ends_sooner


def _is_bound(entry: Entry, bindings: Mapping[str, Binding]) -> bool:
    binding = bindings.get(entry.strategy_id)
    return binding is not None and entry.side in binding.sides


def _bound(change: Change, bindings: Mapping[str, Binding]) -> Binding:
    binding = bindings.get(change.strategy_id)
    if binding is None:
        raise NotFound("E_BINDING_UNKNOWN", f"strategy {change.strategy_id} is not bound here", hint="bind it first")
    if change.side not in binding.sides:
        sides = ", ".join(sorted(side.value for side in binding.sides))
        raise _refused("E_SIDE", f"side of {change.strategy_id}", change.side.value, f"one it is bound for: {sides}")
    return binding


def _check(change: Change) -> None:
    if change.weight is not None and not (math.isfinite(change.weight) and 0.0 <= change.weight <= 1.0):
        raise _refused("E_WEIGHT", f"weight of {change.strategy_id}", str(change.weight), "a number from 0 to 1")
    if change.valid_from and change.valid_until and change.valid_from >= change.valid_until:
        raise _refused(
            "E_WINDOW", "valid_until", change.valid_until.isoformat(), f"after {change.valid_from.isoformat()}"
        )


def _key(entry: Entry) -> tuple[str, str]:
    return entry.strategy_id, entry.side.value


def _text(instant: datetime | None) -> str:
    return instant.isoformat() if instant else ""


def _refused(reason: str, field: str, value: str, want: str) -> InvalidRequest:
    return InvalidRequest(reason, f"{field} is {value}, want {want}", violations=[Violation(field, value, want)])

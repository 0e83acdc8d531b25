"""Activation: what each strategy and side of a world may do, under one revision, hash and fence epoch.

freeze > drain > active. A change is computed whole before anything is stored; whatever narrows raises the
epoch, and so does whatever moves the fence. Nothing here widens by itself: `settle` only lowers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from qmtl.calendars.windows import Window
from qmtl.core.identity.canonical import canonical_json, digest
from qmtl.core.limits import UNLIMITED, RiskLimits
from qmtl.core.modes import EffectiveMode, lower
from worldservice.policy.domain.trading_terms import Terms
from worldservice.worlds.domain.binding import Binding, Side, Stage, mode_of

Ceiling = Callable[[str, Side], EffectiveMode]
Standings = frozenset[tuple[str, Side]]
"""Who may add to a position in brokerage, by strategy and side."""
TRADING = frozenset({EffectiveMode.PAPER, EffectiveMode.LIVE})


def no_exit(strategy_id: str, side: Side) -> EffectiveMode:
    """Who is lowered holds what it has: nothing of it passes."""
    return EffectiveMode.COMPUTE_ONLY


class FenceState(Enum):
    """What brokerage lets pass in a world."""

    OPEN = "OPEN"
    DRAIN = "DRAIN"
    FROZEN = "FROZEN"


class Phase(Enum):
    """Which part of an apply an activation belongs to."""

    NONE = "NONE"
    FREEZE = "FREEZE"
    UNFREEZE = "UNFREEZE"


class EntryStanding(Enum):
    """What an entry comes to at an instant; the order of the names is the order of precedence."""

    FROZEN = "FROZEN"
    DRAINING = "DRAINING"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one strategy may do on one side."""

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
    live_since: datetime | None = None  # when it was promoted; None: it may take no risk in LIVE


@dataclass(frozen=True, slots=True)
class Fence:
    """What brokerage has to be told of a world; confirmed when brokerage has committed this epoch."""

    epoch: int
    state: FenceState
    effective_mode: EffectiveMode
    confirmed_epoch: int
    limits: RiskLimits = UNLIMITED
    standings: Standings = frozenset()

    @property
    def pending(self) -> bool:
        """Whether brokerage has yet to commit this epoch."""
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
        """The highest mode of any entry."""
        return self.fence.effective_mode

    @property
    def terms(self) -> Terms:
        """The terms that all entries are under."""
        return Terms(self.windows, self.fence.limits)

    @property
    def etag(self) -> str:
        """What a change is guarded by."""
        return f"a{self.revision}"

    @property
    def state_hash(self) -> str:
        """Equal for equal entries and windows."""
        return state_hash(self.entries, self.windows)


def empty(world_id: str, now: datetime) -> Activation:
    """The activation of a new world: nothing may trade. Epoch 0, FROZEN, is what brokerage begins with."""
    fence = Fence(0, FenceState.FROZEN, EffectiveMode.COMPUTE_ONLY, 0)
    return Activation(world_id, 0, (), fence, "", 0, Phase.NONE, False, now)


def standing(entry: Entry, now: datetime) -> EntryStanding:
    """freeze > drain > active; outside its window an entry is inactive."""
    if entry.freeze:
        return EntryStanding.FROZEN
    opened = entry.valid_from is None or entry.valid_from <= now
    if not entry.active or not opened or (entry.valid_until is not None and entry.valid_until <= now):
        return EntryStanding.INACTIVE
    return EntryStanding.DRAINING if entry.drain else EntryStanding.ACTIVE


def new_entry(strategy_id: str, side: Side, now: datetime) -> Entry:
    """How an entry begins: inactive, with full weight, at the lowest mode."""
    return Entry(strategy_id, side, False, 1.0, False, False, None, None, now, "", EffectiveMode.COMPUTE_ONLY)


def state_hash(entries: Sequence[Entry], windows: Sequence[Window] = ()) -> str:
    """BLAKE3 of the canonical sorted set of entries, and of windows if there are any; equal for equal content."""
    rows: list[list[str | bool | float | list[int]]] = [
        [
            entry.strategy_id, entry.side.value, entry.active, entry.weight, entry.freeze, entry.drain,
            _text(entry.valid_from), _text(entry.valid_until), entry.run_id, entry.effective_mode.value,
        ]
        for entry in sorted(entries, key=key_of)
    ]  # fmt: skip
    rows += [[sorted(w.days), w.opens.isoformat(), w.closes.isoformat(), w.tz] for w in windows]
    return digest(canonical_json(rows))


def narrowed(
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
    kept = [entry for entry in before.entries if is_bound(entry, bindings)]
    down = []
    for entry in kept:
        allowed, way_out = mode_at(entry, bindings, ceiling), exit_at(entry, bindings[entry.strategy_id].stage, exits)
        if before.phase is Phase.FREEZE:  # nothing trades, and the opening decides who drains
            allowed = higher(allowed, way_out)
        down.append(lowered(entry, allowed, way_out, now))
    after = advanced(before, down, now, terms)
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
    later = {key_of(entry): entry for entry in after}
    return any(_narrowed(entry, later.get(key_of(entry))) for entry in before)


def lowered(entry: Entry, allowed: EffectiveMode, exit_mode: EffectiveMode, now: datetime) -> Entry:
    """The entry no higher than is allowed; or draining where it is, if it traded and may still reduce there."""
    if leaves(entry, allowed, exit_mode):
        return entry if entry.drain else replace(entry, drain=True, changed_at=now)
    return with_mode(entry, lower(entry.effective_mode, allowed), now)


def exit_at(entry: Entry, stage: Stage, exits: Ceiling) -> EffectiveMode:
    """How far an entry may go on to reduce: at the stage of backtest it is led nowhere."""
    return EffectiveMode.COMPUTE_ONLY if stage is Stage.BACKTEST else exits(entry.strategy_id, entry.side)


def leaves(entry: Entry, allowed: EffectiveMode, exit_mode: EffectiveMode) -> bool:
    """Whether an entry that trades and may not go on drains first: it takes no new risk, and what reduces passes."""
    mode = entry.effective_mode
    return can_trade(entry) and lower(mode, allowed) is not mode and lower(mode, exit_mode) is mode


def fence_for(entries: Sequence[Entry]) -> tuple[FenceState, EffectiveMode, Standings]:
    """The widest state any entry needs, the highest mode and who may add to a position.

    Windows are left to the gates, so that a fence never opens by the clock.
    """
    trading = [entry for entry in entries if entry.effective_mode in TRADING and entry.active and not entry.freeze]
    mode = EffectiveMode.COMPUTE_ONLY
    for entry in entries:
        mode = entry.effective_mode if lower(mode, entry.effective_mode) is mode else mode
    standings = frozenset((entry.strategy_id, entry.side) for entry in trading if not entry.drain)
    if not trading:
        return FenceState.FROZEN, mode, standings
    return FenceState.OPEN if standings else FenceState.DRAIN, mode, standings


def advanced(before: Activation, entries: Sequence[Entry], now: datetime, terms: Terms | None = None) -> Activation:
    """The next revision, or the same activation when nothing changed; terms stay unless given."""
    ordered = tuple(sorted((dated(entry, now) for entry in entries), key=key_of))
    terms = before.terms if terms is None else terms
    same = [_content(entry, now) for entry in ordered] == [_content(entry, now) for entry in before.entries]
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


def dated(entry: Entry, now: datetime) -> Entry:
    """The entry with the instant of its promotion: kept by a freeze and by what is restored, gone with a drain."""
    if entry.effective_mode is not EffectiveMode.LIVE or entry.drain or not (entry.active or entry.freeze):
        return entry if entry.live_since is None else replace(entry, live_since=None)
    opens = entry.active and not entry.freeze and entry.live_since is None
    return replace(entry, live_since=now) if opens else entry


def _content(entry: Entry, now: datetime) -> Entry:
    """The entry without the instants that follow from its changes."""
    return replace(entry, changed_at=now, live_since=None)


def _fence_after(before: Activation, entries: Sequence[Entry], terms: Terms) -> Fence:
    """Whatever narrows has an epoch of its own, and so has whatever else brokerage is to be told."""
    fence, (state, mode, standings) = before.fence, fence_for(entries)
    moved = terms.windows != before.windows and any(can_trade(entry) for entry in before.entries)
    told = (state, mode, terms.limits, standings) == (fence.state, fence.effective_mode, fence.limits, fence.standings)
    if told and not moved and not narrows(before.entries, entries):
        return fence
    return Fence(fence.epoch + 1, state, mode, fence.confirmed_epoch, terms.limits, standings)


def mode_at(entry: Entry, bindings: Mapping[str, Binding], ceiling: Ceiling) -> EffectiveMode:
    """The highest mode of an entry: its ceiling, or its binding's stage if that is lower."""
    return lower(ceiling(entry.strategy_id, entry.side), mode_of(bindings[entry.strategy_id].stage))


def higher(first: EffectiveMode, second: EffectiveMode) -> EffectiveMode:
    """The mode that may trade more."""
    return second if lower(first, second) is first else first


def with_mode(entry: Entry, mode: EffectiveMode, now: datetime) -> Entry:
    """The entry in a mode; one that is in it already is the same."""
    return entry if mode is entry.effective_mode else replace(entry, effective_mode=mode, changed_at=now)


def can_trade(entry: Entry) -> bool:
    """Whether an order of it may reach a venue, within its windows."""
    return entry.effective_mode in TRADING and entry.active and not entry.freeze


def _narrowed(old: Entry, new: Entry | None) -> bool:
    if not can_trade(old):
        return False  # so there is nothing to take away
    if new is None or not new.active or new.freeze or (new.drain and not old.drain):
        return True
    if lower(old.effective_mode, new.effective_mode) is not old.effective_mode or new.weight < old.weight:
        return True
    opens_later = new.valid_from is not None and (old.valid_from is None or new.valid_from > old.valid_from)
    ends_sooner = new.valid_until is not None and (old.valid_until is None or new.valid_until < old.valid_until)
    return opens_later or ends_sooner


def is_bound(entry: Entry, bindings: Mapping[str, Binding]) -> bool:
    """Whether its strategy is bound for its side."""
    binding = bindings.get(entry.strategy_id)
    return binding is not None and entry.side in binding.sides


def key_of(entry: Entry) -> tuple[str, str]:
    """What an entry is known and sorted by."""
    return entry.strategy_id, entry.side.value


def _text(instant: datetime | None) -> str:
    return instant.isoformat() if instant else ""

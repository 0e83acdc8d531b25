"""The activation in each phase of an apply: all of it frozen, targets set behind the freeze, targets opened.

Only `opened` widens, and the run calls it after brokerage has committed the fence those entries need.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from qmtl.core.limits import RiskLimits
from qmtl.core.modes import EffectiveMode, lower
from worldservice.activation.domain.activation import (
    Activation,
    Ceiling,
    Entry,
    Fence,
    Phase,
    dated,
    exit_at,
    fence_for,
    leaves,
    lowered,
    new_entry,
    no_exit,
)
from worldservice.apply.domain.targets import Target
from worldservice.policy.domain.trading_terms import Terms
from worldservice.worlds.domain.binding import Binding, Stage, mode_of

FREEZE_SEQUENCE, SWITCH_SEQUENCE, OPEN_SEQUENCE = 1, 2, 3


def frozen(before: Activation, run_id: str, now: datetime) -> Activation:
    """Nothing may trade, under an epoch above the one anything was gated under."""
    entries = tuple(_shut(entry, run_id, now) for entry in before.entries)
    fence = _moved(before.fence, entries)
    run = replace(before, run_id=run_id, sequence=FREEZE_SEQUENCE, phase=Phase.FREEZE, requires_ack=True)
    return _next(run, entries, fence, now)


def drained(before: Activation, run_id: str, now: datetime) -> Activation:
    """Nothing takes new risk, under an epoch above the one anything was gated under. What is frozen stays frozen."""
    entries = tuple(replace(entry, drain=True, run_id=run_id, changed_at=now) for entry in before.entries)
    fence = _moved(before.fence, entries)
    run = replace(before, run_id=run_id, sequence=0, phase=Phase.NONE, requires_ack=False)
    return _next(run, entries, fence, now)


def aimed(
    entries: Sequence[Entry],
    targets: Sequence[Target],
    bindings: Mapping[str, Binding],
    ceiling: Ceiling,
    run_id: str,
    now: datetime,
    *,
    traded: Sequence[Entry] = (),
    exits: Ceiling = no_exit,
) -> tuple[Entry, ...]:
    """The entries with the targets open and everything else inactive, none above its ceiling or its binding.

    What `traded` before the freeze and is no target drains where it was, as far as `exits` allows.
    """
    before = {(entry.strategy_id, entry.side): entry for entry in traded}
    wanted = {(target.strategy_id, target.side): target for target in targets}
    known = {(entry.strategy_id, entry.side): entry for entry in entries}
    found = []
    for key in sorted(known.keys() | wanted.keys(), key=lambda key: (key[0], key[1].value)):
        binding = bindings.get(key[0])
        if binding is None or key[1] not in binding.sides:
            continue
        old, was = known.get(key) or new_entry(key[0], key[1], now), before.get(key)
        aim = _aim(old, wanted.get(key), lower(ceiling(*key), mode_of(binding.stage)), run_id, now)
        if (
            key not in wanted
            and was is not None
            and leaves(was, EffectiveMode.COMPUTE_ONLY, exit_at(was, binding.stage, exits))
        ):
            aim = replace(aim, active=True, drain=True, effective_mode=was.effective_mode)
        found.append(aim)
    return tuple(found)


def restored(
    before: Sequence[Entry],
    bindings: Mapping[str, Binding],
    ceiling: Ceiling,
    now: datetime,
    exits: Ceiling = no_exit,
) -> tuple[Entry, ...]:
    """The entries as they stood before a freeze, none higher than what is allowed now; `exits` as in settle."""
    kept = [e for e in before if e.strategy_id in bindings and e.side in bindings[e.strategy_id].sides]
    return tuple(_restored(entry, bindings[entry.strategy_id].stage, ceiling, exits, now) for entry in kept)


def with_terms(before: Activation, terms: Terms | None) -> Activation:
    """An activation under the policy's terms, so that an apply opens nothing under others; None keeps the terms it has.

    Windows take no epoch of their own: all is frozen, and what was gated before the freeze is below its epoch. Limits
    are for brokerage, so they open nothing until `fence_serves` says that it has them.
    """
    if terms is None:
        return before
    return replace(before, windows=terms.windows, fence=replace(before.fence, limits=terms.limits))


def switched(before: Activation, aim: Sequence[Entry], now: datetime) -> Activation:
    """Still frozen, but with the targets' modes, and above the fence that the targets will need."""
    run_id = before.run_id
    entries = tuple(_shut(entry, run_id, now) for entry in aim)
    fence = _moved(before.fence, aim)
    run = replace(before, sequence=SWITCH_SEQUENCE, phase=Phase.FREEZE, requires_ack=False)
    return _next(run, entries, fence, now)


def fence_serves(fence: Fence, aim: Sequence[Entry], limits: RiskLimits) -> bool:
    """Whether brokerage has committed the fence that these entries need, with the limits they are under."""
    serves = (fence.state, fence.effective_mode, fence.standings) == fence_for(aim)
    return not fence.pending and serves and fence.limits == limits


def opened(before: Activation, aim: Sequence[Entry], requires_ack: bool, now: datetime) -> Activation:
    """The targets open, under the epoch brokerage has confirmed."""
    run = replace(before, sequence=OPEN_SEQUENCE, phase=Phase.UNFREEZE, requires_ack=requires_ack)
    entries = tuple(sorted(aim, key=lambda e: (e.strategy_id, e.side.value)))
    return _next(run, entries, before.fence, now)


def _next(run: Activation, entries: tuple[Entry, ...], fence: Fence, now: datetime) -> Activation:
    after = tuple(dated(entry, now) for entry in entries)
    return replace(run, revision=run.revision + 1, entries=after, fence=fence, time=now)


def _moved(fence: Fence, entries: Sequence[Entry]) -> Fence:
    """The fence that entries need, under the next epoch."""
    state, mode, standings = fence_for(entries)
    return replace(fence, epoch=fence.epoch + 1, state=state, effective_mode=mode, standings=standings)


def _restored(entry: Entry, stage: Stage, ceiling: Ceiling, exits: Ceiling, now: datetime) -> Entry:
    allowed = lower(ceiling(entry.strategy_id, entry.side), mode_of(stage))
    return replace(lowered(entry, allowed, exit_at(entry, stage, exits), now), changed_at=now)


def _shut(entry: Entry, run_id: str, now: datetime) -> Entry:
    return replace(entry, active=False, freeze=True, run_id=run_id, changed_at=now)


def _aim(old: Entry, target: Target | None, mode: EffectiveMode, run_id: str, now: datetime) -> Entry:
    entry = replace(old, active=False, freeze=False, drain=False, run_id=run_id, changed_at=now, effective_mode=mode)
    if target is None:
        return replace(entry, effective_mode=lower(old.effective_mode, mode))
    return replace(entry, active=True, weight=target.weight, effective_mode=lower(mode, mode_of(target.stage)))

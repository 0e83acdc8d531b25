"""Changes that an operator makes to an activation: by strategy and side, raising to PAPER at most.

Nothing here makes anything trade live that did not; going live is an apply.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from qmtl.core.errors import InvalidRequest, NotFound, NotReady, Violation
from qmtl.core.modes import EffectiveMode, lower
from worldservice.activation.domain.activation import (
    Activation,
    Ceiling,
    Entry,
    advanced,
    exit_at,
    higher,
    is_bound,
    key_of,
    lowered,
    mode_at,
    new_entry,
    no_exit,
    with_mode,
)
from worldservice.policy.domain.trading_terms import Terms
from worldservice.worlds.domain.binding import Binding, Side, Stage, mode_of


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
    entries = {key_of(entry): entry for entry in before.entries}
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
        entries[key] = _changed(entries.get(key) or new_entry(change.strategy_id, change.side, now), change, now)
    staged = {(change.strategy_id, change.side.value) for change in changes if change.stage is not None}
    raised = staged | {(change.strategy_id, change.side.value) for change in changes if change.active}
    after = []
    for key, entry in entries.items():
        if not is_bound(entry, moved):
            continue
        allowed, way_out = mode_at(entry, moved, ceiling), exit_at(entry, moved[entry.strategy_id].stage, exits)
        if entry.drain:
            allowed = higher(allowed, way_out)
        if entry.effective_mode is not EffectiveMode.LIVE:
            allowed = lower(allowed, EffectiveMode.PAPER)  # the most an operator's change raises to
        rises = key in raised and lower(entry.effective_mode, allowed) is entry.effective_mode
        if key in staged or rises:
            after.append(with_mode(entry, allowed, now))
        else:
            after.append(lowered(entry, allowed, way_out, now))
    _refuse_going_live(before.entries, after)
    rebound = {name: binding for name, binding in moved.items() if binding != bindings[name]}
    return advanced(before, after, now, terms), rebound


def _wider(one: Ceiling, other: Ceiling) -> Ceiling:
    return lambda strategy_id, side: higher(one(strategy_id, side), other(strategy_id, side))


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
    drains = {key_of(entry): entry.drain for entry in before if _trades_live(entry)}
    for entry in after:
        if _trades_live(entry) and (key_of(entry) not in drains or (drains[key_of(entry)] and not entry.drain)):
            raise NotReady(
                "E_MODE_CEILING",
                f"{entry.strategy_id} {entry.side.value} would trade live, SetActivation raises to PAPER at most",
                hint="going live is an apply",
            )


def _trades_live(entry: Entry) -> bool:
    return entry.effective_mode is EffectiveMode.LIVE and entry.active and not entry.freeze


def _changed(old: Entry, change: Change, now: datetime) -> Entry:
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


def _refused(reason: str, field: str, value: str, want: str) -> InvalidRequest:
    return InvalidRequest(reason, f"{field} is {value}, want {want}", violations=[Violation(field, value, want)])

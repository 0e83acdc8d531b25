"""The steps of an apply as transactions: each locks the world, reads the run, moves it on, and commits once.

A step that finds the run elsewhere than it expects does nothing: another replica, or this one before a crash,
has made it. What brokerage and the gateways have to do lies between the steps, never inside one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy import Connection

from controlbus.database import signal
from qmtl.core.errors import NotFound, NotReady
from qmtl.core.modes import EffectiveMode, lower
from worldservice import activations, applies, edges, store
from worldservice.acts import Act, commit, own_act
from worldservice.domain.activation import Activation, Entry
from worldservice.domain.apply import (
    RESUME,
    ApplyRun,
    ApplyState,
    Due,
    Event,
    FenceConfirmed,
    Froze,
    GatesSeen,
    Limits,
    Opened,
    Step,
    Switched,
    SwitchRefused,
    acked_by,
    advance,
    due,
    late_opening,
    sequence_due,
)
from worldservice.domain.decisions import Verdicts
from worldservice.domain.edges import EdgePolicy, openings, told_openings
from worldservice.domain.freezing import Target, aimed, fence_serves, frozen, opened, restored, switched, under
from worldservice.domain.worlds import Binding, Stage, World, mode_of
from worldservice.settling import HouseRules, decide_world, policy_of, record, settle

APPLY_SIGNAL = "apply"
log = structlog.stdlib.get_logger("qmtl.worldservice.apply")


@dataclass(frozen=True, slots=True)
class Stepping:
    """Which run is moved on, when, and under which rules."""

    world_id: str
    run_id: str
    now: datetime
    rules: HouseRules
    limits: Limits


def due_now(conn: Connection, world_id: str, run_id: str) -> tuple[ApplyRun, Due]:
    world = store.get_world(conn, world_id)
    run = applies.get_run(conn, world_id, run_id)
    return run, due(run, activations.load_activation(conn, world_id, world.created_at).fence)


def freeze(conn: Connection, at: Stepping) -> ApplyRun:
    """REQUESTED -> FREEZING: every entry frozen, under an epoch brokerage is told next."""
    world, act, run = _load(conn, at)
    if run.state is not ApplyState.REQUESTED:
        return run
    before = _activation(conn, world)
    verdicts = decide_world(conn, world, at.rules, at.now)
    after = frozen(before, at.run_id, at.now)
    record(conn, world, at.rules, act, verdicts, before, after)
    kept = replace(run, before=run.before or before.entries)  # a world that was frozen already keeps what stood before
    return step(conn, act, kept, Froze(after.fence.epoch), at.limits)


def confirm(conn: Connection, at: Stepping, epoch: int, on_the_wire: tuple[str, ...]) -> ApplyRun:
    """What brokerage answered to SetFence; an answer to an older epoch than the freeze's is none."""
    _, act, run = _load(conn, at)
    if epoch < run.epoch:
        return run
    return step(conn, act, run, FenceConfirmed(epoch, on_the_wire), at.limits)


def look(conn: Connection, at: Stepping) -> ApplyRun:
    """Who has acknowledged what is due, who is gone, and whether the phase has run out of time."""
    _, act, run = _load(conn, at)
    sessions = applies.gates(conn)
    acked = acked_by(applies.acks_of(conn, at.world_id, at.run_id), sequence_due(run))
    return step(conn, act, run, GatesSeen(sessions, acked), at.limits)


def switch(conn: Connection, at: Stepping) -> ApplyRun:
    """SWITCHING -> UNFREEZING: edges, decision, stages, modes, sessions and the fence to be told, all or nothing."""
    world, act, run = _load(conn, at)
    if run.state is not ApplyState.SWITCHING:
        return run
    wanted = openings(_stages(run.targets), edge_policy(conn, world))
    moved = edges.open_edges(conn, at.world_id, run.run_id, wanted, at.now)
    settled = settle(conn, world, at.rules, act)
    bindings = store.active_bindings(conn, at.world_id)
    check_targets(run.targets, bindings, settled.verdicts)
    for binding in _staged(run.targets, bindings):
        store.save_binding(conn, binding)
    before = settled.activation
    aim = _aim(conn, run, before, settled.verdicts, at.now)
    record(conn, world, at.rules, act, settled.verdicts, before, switched(before, aim, at.now))
    return step(conn, act, run, Switched(told_openings(*moved)), at.limits)


def roll_back(conn: Connection, at: Stepping, reason: str) -> ApplyRun:
    """SWITCHING -> ROLLED_BACK: the switch's transaction is undone already; the entries stay frozen."""
    _, act, run = _load(conn, at)
    return step(conn, act, run, SwitchRefused(reason), at.limits)


def open_targets(conn: Connection, at: Stepping) -> ApplyRun:
    """UNFREEZING: open under a fence that serves; if it does not serve any more, raise it and come again."""
    world, act, run = _load(conn, at)
    if run.state is not ApplyState.UNFREEZING or run.opened:
        return run
    verdicts = decide_world(conn, world, at.rules, at.now)
    before = _activation(conn, world)
    aim, behind = _aim(conn, run, before, verdicts, at.now), under(before, verdicts.terms)
    if not fence_serves(before.fence, aim, behind.fence.limits):
        record(conn, world, at.rules, act, verdicts, before, switched(behind, aim, at.now))
        return run
    record(conn, world, at.rules, act, verdicts, before, opened(behind, aim, run.ack_opening, at.now))
    return step(conn, act, run, Opened(), at.limits)


def overdue(conn: Connection, at: Stepping) -> ApplyRun:
    """UNFREEZING that brokerage has not confirmed in time: alarmed."""
    _, act, run = _load(conn, at)
    return _save(conn, act, run, late_opening(run, at.now, at.limits))


def resume(conn: Connection, rules: HouseRules, act: Act, world: World, shut: ApplyRun, limits: Limits) -> ApplyRun:
    """A run of its own that opens what stood before the freeze, none of it higher than is allowed now."""
    before = _activation(conn, world)
    if before.fence.pending or not shut.fence_confirmed:
        raise NotReady(
            "E_FENCE_UNCONFIRMED",
            f"brokerage has not confirmed the freeze of world {world.world_id} at epoch {before.fence.epoch}",
            hint="wait: it is told until it has; GetApplyRun shows fence_confirmed",
        )
    run = ApplyRun(
        world_id=world.world_id,
        run_id=f"{RESUME}{shut.run_id}",
        state=ApplyState.UNFREEZING,
        targets=(),
        ack_opening=shut.ack_opening,
        requested_by=act.actor,
        content="",
        created_at=act.now,
        before=shut.before,
        resumes=True,
        epoch=before.fence.epoch,
        fence_confirmed=True,
        until=act.now + (shut.freeze_timeout or limits.freeze_timeout),
        freeze_timeout=shut.freeze_timeout,
    )
    applies.insert_run(conn, run)
    applies.append_step(conn, run, f"resumes what {shut.run_id} froze", act.now)
    verdicts = decide_world(conn, world, rules, act.now)
    mine = replace(under(before, verdicts.terms), run_id=run.run_id)
    record(conn, world, rules, act, verdicts, before, switched(mine, _aim(conn, run, mine, verdicts, act.now), act.now))
    signal(conn, APPLY_SIGNAL)
    return run


def check_targets(targets: Sequence[Target], bindings: Mapping[str, Binding], verdicts: Verdicts) -> None:
    """Raises NotFound (E_BINDING_UNKNOWN), NotReady (E_MODE_CEILING, E_LIVE_FORBIDDEN)."""
    for target in targets:
        binding = bindings.get(target.strategy_id)
        if binding is None or target.side not in binding.sides:
            raise NotFound("E_BINDING_UNKNOWN", f"{target.strategy_id} is not bound here for {target.side.value}")
        allowed = verdicts.ceiling_of(target.strategy_id, target.side)
        if lower(allowed, mode_of(target.stage)) is mode_of(target.stage):
            continue
        live = target.stage is Stage.LIVE
        raise NotReady(
            "E_LIVE_FORBIDDEN" if live else "E_MODE_CEILING",
            f"stage of {target.strategy_id} is {target.stage.value}, the world allows {allowed.value} to it now: "
            f"{', '.join(verdicts.decision.reasons) or 'not approved or not selected itself'}",
            hint="ask Decide and the evaluation report for the reasons",
            metadata={"ceiling": allowed.value},
        )


def evaluated_targets(
    verdicts: Verdicts, bindings: Mapping[str, Binding], entries: Sequence[Entry]
) -> tuple[Target, ...]:
    """What the pipeline selects: to paper, and live who is live. `entries` is what stands, or stood before a freeze."""
    known = {(entry.strategy_id, entry.side): entry for entry in entries}
    found = []
    for strategy_id in sorted(verdicts.decision.selected):
        binding = bindings[strategy_id]
        for side in sorted(binding.sides, key=lambda side: side.value):
            entry, allowed = known.get((strategy_id, side)), verdicts.ceiling_of(strategy_id, side)
            live = binding.stage is Stage.LIVE and allowed is EffectiveMode.LIVE and _takes_risk_live(entry)
            stage = Stage.LIVE if live else Stage.PAPER
            if lower(allowed, mode_of(stage)) is mode_of(stage):
                found.append(Target(strategy_id, side, 1.0 if entry is None else entry.weight, stage))
    return tuple(found)


def _takes_risk_live(entry: Entry | None) -> bool:
    """Whether it takes new risk live: who drains or is frozen has to be brought back by name."""
    if entry is None or entry.freeze or entry.drain:
        return False
    return entry.active and entry.effective_mode is EffectiveMode.LIVE


def step(conn: Connection, act: Act, run: ApplyRun, event: Event, limits: Limits) -> ApplyRun:
    """Move the run on and write what its timeline and the audit log say of it."""
    return _save(conn, act, run, advance(run, event, act.now, limits))


def _save(conn: Connection, act: Act, run: ApplyRun, moved_with: Step) -> ApplyRun:
    moved, notes = moved_with
    if moved == run and not notes:
        return run
    applies.save_run(conn, moved)
    for note in notes:
        applies.append_step(conn, moved, note.text, act.now)
        commit(conn, act, f"{moved.run_id} {moved.state.value}: {note.text}")
        if note.alarm:
            log.error("apply_alarm", world=run.world_id, run=run.run_id, state=moved.state.value, detail=note.text)
    signal(conn, APPLY_SIGNAL)
    return moved


def _aim(conn: Connection, run: ApplyRun, before: Activation, verdicts: Verdicts, now: datetime) -> tuple[Entry, ...]:
    bindings = store.active_bindings(conn, run.world_id)
    if run.resumes:
        return restored(run.before, bindings, verdicts.ceiling_of, now, verdicts.exit_of)
    return aimed(
        before.entries,
        run.targets,
        bindings,
        verdicts.ceiling_of,
        run.run_id,
        now,
        traded=run.before,
        exits=verdicts.exit_of,
    )


def edge_policy(conn: Connection, world: World) -> EdgePolicy | None:
    policy = policy_of(conn, world)
    return None if policy is None else policy.gating.edges


def _staged(targets: Sequence[Target], bindings: Mapping[str, Binding]) -> list[Binding]:
    """The bindings whose stage moves."""
    moved = [replace(bindings[name], stage=stage) for name, stage in _stages(targets).items()]
    return [binding for binding in moved if binding != bindings[binding.strategy_id]]


def _stages(targets: Sequence[Target]) -> Mapping[str, Stage]:
    """By strategy, the highest stage of its sides: the binding's."""
    order = list(Stage)
    stages: dict[str, Stage] = {}
    for target in targets:
        stages[target.strategy_id] = max(stages.get(target.strategy_id, target.stage), target.stage, key=order.index)
    return stages


def _load(conn: Connection, at: Stepping) -> tuple[World, Act, ApplyRun]:
    """The run with its world locked, and the act its next step is recorded under."""
    world = store.lock_world(conn, at.world_id)
    return world, own_act("ApplyStep", at.world_id, at.now), applies.get_run(conn, at.world_id, at.run_id)


def _activation(conn: Connection, world: World) -> Activation:
    return activations.load_activation(conn, world.world_id, world.created_at)

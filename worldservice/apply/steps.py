"""The steps of an apply as transactions: each locks the world, reads the run, moves it on, and commits once.

A step that finds the run elsewhere than it expects does nothing: another replica, or this one before a crash,
has made it. What brokerage and the gateways have to do lies between the steps, never inside one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy import Connection

from qmtl.core.errors import NotReady
from qmtl.sql.database import signal
from worldservice.activation.domain.activation import Activation, Entry
from worldservice.activation.domain.hold import Hold, HoldState
from worldservice.activation.narrowing import narrow
from worldservice.activation.recording import record_activation
from worldservice.activation.store import activations, gates
from worldservice.activation.store.holds import save_hold
from worldservice.apply import store
from worldservice.apply.domain.phases import (
    aimed,
    drained,
    fence_serves,
    frozen,
    opened,
    restored,
    switched,
    with_terms,
)
from worldservice.apply.domain.run import (
    RESUME,
    SHUT,
    ApplyRun,
    ApplyState,
    ApplyTimeouts,
    Due,
    Event,
    FenceConfirmed,
    Froze,
    GatesSeen,
    Opened,
    Overruled,
    Step,
    Switched,
    SwitchRefused,
    acked_by,
    advance,
    due,
    late_opening,
    sequence_due,
    standing_before,
)
from worldservice.apply.domain.targets import Target, check_targets, entering_live
from worldservice.evaluation.domain.decision import DecisionSettings, Verdicts
from worldservice.evaluation.facts import decide_world
from worldservice.graph.domain.edges import openings, openings_text
from worldservice.graph.store import edges
from worldservice.policy.domain.edge_policy import EdgePolicy
from worldservice.policy.store import policy_of
from worldservice.worlds.acts import Act, audit_write, own_act
from worldservice.worlds.domain.binding import Binding, Stage
from worldservice.worlds.domain.block import refuse_blocked
from worldservice.worlds.domain.world import World
from worldservice.worlds.live_blocks import LiveBlocks
from worldservice.worlds.store import bindings as bindings_store
from worldservice.worlds.store import worlds

APPLY_SIGNAL = "apply"
log = structlog.stdlib.get_logger("qmtl.worldservice.apply")


@dataclass(frozen=True, slots=True)
class StepContext:
    """Which run is moved on, when, and under which settings."""

    world_id: str
    run_id: str
    now: datetime
    settings: DecisionSettings
    timeouts: ApplyTimeouts
    blocks: tuple[LiveBlocks, ...] = ()  # asked again behind the freeze


def due_now(conn: Connection, world_id: str, run_id: str) -> tuple[ApplyRun, Due]:
    """The run, and the step that is due next."""
    world = worlds.get_world(conn, world_id)
    run = store.get_run(conn, world_id, run_id)
    return run, due(run, activations.load_activation(conn, world_id, world.created_at).fence)


def freeze(conn: Connection, at: StepContext) -> ApplyRun:
    """REQUESTED -> FREEZING: every entry frozen, under an epoch brokerage is told next."""
    world, act, run = _load(conn, at)
    if run.state is not ApplyState.REQUESTED:
        return run
    before = _activation(conn, world)
    verdicts = decide_world(conn, world, at.settings, at.now)
    after = frozen(before, at.run_id, at.now)
    record_activation(conn, world, at.settings, act, verdicts, before, after)
    kept = replace(run, before=run.before or before.entries)  # a world that was frozen already keeps what stood before
    return step(conn, act, kept, Froze(after.fence.epoch), at.timeouts)


def confirm(conn: Connection, at: StepContext, epoch: int, on_the_wire: tuple[str, ...]) -> ApplyRun:
    """Record that brokerage confirmed a fence and what was on the wire; an epoch below the freeze's is ignored."""
    _, act, run = _load(conn, at)
    if epoch < run.epoch:
        return run
    return step(conn, act, run, FenceConfirmed(epoch, on_the_wire), at.timeouts)


def check_gates(conn: Connection, at: StepContext) -> ApplyRun:
    """Record which gateways have acknowledged, which are gone, and whether the phase has run out of time."""
    _, act, run = _load(conn, at)
    sessions = gates.list_gates(conn)
    acked = acked_by(gates.acks_of(conn, at.world_id, at.run_id), sequence_due(run))
    return step(conn, act, run, GatesSeen(sessions, acked), at.timeouts)


def switch(conn: Connection, at: StepContext) -> ApplyRun:
    """SWITCHING -> UNFREEZING: edges, decision, stages, modes, sessions and the fence to be told, all or nothing."""
    world, act, run = _load(conn, at)
    if run.state is not ApplyState.SWITCHING:
        return run
    if entering := entering_live(run.targets, run.before):
        told = (blocks(conn, world, entering, at.now, switching=True) for blocks in at.blocks)
        refuse_blocked([block for each in told for block in each])
    wanted = openings(_stages(run.targets), edge_policy(conn, world))
    moved = edges.open_edges(conn, at.world_id, run.run_id, wanted, at.now)
    narrowed = narrow(conn, world, at.settings, act)
    bindings = bindings_store.active_bindings(conn, at.world_id)
    check_targets(run.targets, bindings, narrowed.verdicts)
    for binding in _staged(run.targets, bindings):
        bindings_store.save_binding(conn, binding)
    before = narrowed.activation
    aim = _aim(conn, run, before, narrowed.verdicts, at.now)
    record_activation(conn, world, at.settings, act, narrowed.verdicts, before, switched(before, aim, at.now))
    return step(conn, act, run, Switched(openings_text(*moved)), at.timeouts)


def roll_back(conn: Connection, at: StepContext, reason: str) -> ApplyRun:
    """SWITCHING -> ROLLED_BACK: the switch's transaction is undone already; the entries stay frozen."""
    _, act, run = _load(conn, at)
    return step(conn, act, run, SwitchRefused(reason), at.timeouts)


def open_targets(conn: Connection, at: StepContext) -> ApplyRun:
    """UNFREEZING: open under a fence that serves; if it does not serve any more, raise it and come again."""
    world, act, run = _load(conn, at)
    if run.state is not ApplyState.UNFREEZING or run.opened:
        return run
    verdicts = decide_world(conn, world, at.settings, at.now)
    before = _activation(conn, world)
    aim, behind = _aim(conn, run, before, verdicts, at.now), with_terms(before, verdicts.terms)
    if not fence_serves(before.fence, aim, behind.fence.limits):
        record_activation(conn, world, at.settings, act, verdicts, before, switched(behind, aim, at.now))
        return run
    record_activation(conn, world, at.settings, act, verdicts, before, opened(behind, aim, run.ack_opening, at.now))
    return step(conn, act, run, Opened(), at.timeouts)


def overdue(conn: Connection, at: StepContext) -> ApplyRun:
    """UNFREEZING that brokerage has not confirmed in time: alarmed."""
    _, act, run = _load(conn, at)
    return _save(conn, act, run, late_opening(run, at.now, at.timeouts))


def resume(
    conn: Connection, settings: DecisionSettings, act: Act, world: World, shut: ApplyRun, timeouts: ApplyTimeouts
) -> ApplyRun:
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
        until=act.now + (shut.freeze_timeout or timeouts.freeze_timeout),
        freeze_timeout=shut.freeze_timeout,
    )
    begin(conn, run, f"resumes what {shut.run_id} froze", act.now)
    verdicts = decide_world(conn, world, settings, act.now)
    mine = replace(with_terms(before, verdicts.terms), run_id=run.run_id)
    record_activation(
        conn, world, settings, act, verdicts, before, switched(mine, _aim(conn, run, mine, verdicts, act.now), act.now)
    )
    return run


def hold_by_hand(
    conn: Connection, settings: DecisionSettings, act: Act, world: World, asked: ApplyRun, timeouts: ApplyTimeouts
) -> ApplyRun:
    """Freeze or drain the whole world now, whatever is under way in it; an apply that runs ends FROZEN."""
    last, before = store.last_run(conn, world.world_id), _activation(conn, world)
    standing = standing_before(last, before.entries, asked.state)
    if last is not None and last.ended_at is None:
        step(conn, act, last, Overruled(f"{asked.run_id} of {act.actor}"), timeouts)
    verdicts = decide_world(conn, world, settings, act.now)
    if asked.state is ApplyState.FROZEN:
        after = replace(frozen(before, asked.run_id, act.now), requires_ack=False)  # nothing waits for gateways
    else:
        after = drained(before, asked.run_id, act.now)
    record_activation(conn, world, settings, act, verdicts, before, after)
    run = replace(asked, before=standing, epoch=after.fence.epoch)
    store.insert_run(conn, run)
    save_hold(conn, world.world_id, Hold(run.run_id, HoldState[run.state.name]))
    store.append_step(conn, run, f"{run.reason}; fence epoch {run.epoch} to be confirmed", act.now)
    signal(conn, APPLY_SIGNAL)
    return run


def begin(conn: Connection, run: ApplyRun, detail: str, now: datetime) -> None:
    """Store a new run, which has the world's activation for itself from here on, and wake the driver."""
    store.insert_run(conn, run)
    save_hold(conn, run.world_id, Hold(run.run_id, HoldState.RUNNING))
    store.append_step(conn, run, detail, now)
    signal(conn, APPLY_SIGNAL)


def step(conn: Connection, act: Act, run: ApplyRun, event: Event, timeouts: ApplyTimeouts) -> ApplyRun:
    """Move the run on and write what its timeline and the audit log say of it."""
    return _save(conn, act, run, advance(run, event, act.now, timeouts))


def _save(conn: Connection, act: Act, run: ApplyRun, moved_with: Step) -> ApplyRun:
    moved, notes = moved_with
    if moved == run and not notes:
        return run
    store.save_run(conn, moved)
    if moved.ended_at is not None and run.ended_at is None:
        state = HoldState.FROZEN if moved.state in SHUT else HoldState.RELEASED  # a drain never ends a run that ran
        save_hold(conn, moved.world_id, Hold(moved.run_id, state))
    for note in notes:
        store.append_step(conn, moved, note.text, act.now)
        audit_write(conn, act, f"{moved.run_id} {moved.state.value}: {note.text}")
        if note.alarm:
            log.error("apply_alarm", world=run.world_id, run=run.run_id, state=moved.state.value, detail=note.text)
    signal(conn, APPLY_SIGNAL)
    return moved


def _aim(conn: Connection, run: ApplyRun, before: Activation, verdicts: Verdicts, now: datetime) -> tuple[Entry, ...]:
    bindings = bindings_store.active_bindings(conn, run.world_id)
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
    """Which edges the world's policy keeps shut until a promotion."""
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


def _load(conn: Connection, at: StepContext) -> tuple[World, Act, ApplyRun]:
    """The run with its world locked, and the act its next step is recorded under."""
    world = worlds.lock_world(conn, at.world_id)
    return world, own_act("ApplyStep", at.world_id, at.now), store.get_run(conn, at.world_id, at.run_id)


def _activation(conn: Connection, world: World) -> Activation:
    return activations.load_activation(conn, world.world_id, world.created_at)

"""Two-phase apply as a state machine: (run, event) -> run, and from the run alone what is due next.

    REQUESTED -> FREEZING -> SWITCHING -> UNFREEZING -> COMPLETED
                    |            `-> ROLLED_BACK (frozen)
                    `-> FROZEN (frozen)

A freeze or drain by hand is a run that begins at its end, FROZEN or DRAINED, and ends the one under way FROZEN.
What is due is read off the stored run, never remembered beside it: a crash between a commit and the act that
follows it loses nothing, and an act done twice changes nothing. Time ends a freeze in FROZEN; it opens nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from qmtl.core.identity.canonical import canonical_json, digest
from worldservice.activation.domain.activation import Entry, Fence
from worldservice.activation.domain.gate_session import GateSession
from worldservice.apply.domain.phases import FREEZE_SEQUENCE, OPEN_SEQUENCE
from worldservice.apply.domain.targets import Target
from worldservice.timing import GATE_MARGIN, GATE_TTL

Gate = tuple[str, str]  # gateway id and boot id
RESUME, FREEZE, DRAIN = "resume:", "freeze:", "drain:"  # how run ids made here begin; a caller's own may not
GONE_AFTER = GATE_TTL + GATE_MARGIN


class ApplyState(Enum):
    """Where a run stands; the drawing above has the moves."""

    REQUESTED = "REQUESTED"
    FREEZING = "FREEZING"
    SWITCHING = "SWITCHING"
    UNFREEZING = "UNFREEZING"
    COMPLETED = "COMPLETED"
    ROLLED_BACK = "ROLLED_BACK"
    FROZEN = "FROZEN"
    DRAINED = "DRAINED"


HELD = frozenset({ApplyState.FROZEN, ApplyState.DRAINED})  # whose fence is told until brokerage has it
SHUT = frozenset({ApplyState.ROLLED_BACK, *HELD})
ENDED = frozenset({ApplyState.COMPLETED, *SHUT})


class Due(Enum):
    """What the run waits for somebody to do; each may be done again after a crash."""

    FREEZE = "FREEZE"
    TELL_FREEZE = "TELL_FREEZE"
    ASK_GATES = "ASK_GATES"
    SWITCH = "SWITCH"
    TELL_OPENING = "TELL_OPENING"
    OPEN = "OPEN"
    NOTHING = "NOTHING"


@dataclass(frozen=True, slots=True)
class Awaited:
    """A gate session that has not acknowledged, and when it is gone if it is not heard of again."""

    gateway_id: str
    boot_id: str
    gone_at: datetime
    left: bool = False


@dataclass(frozen=True, slots=True)
class ApplyTimeouts:
    """How long a freeze or an opening may take, and how long intents on the wire are awaited."""

    freeze_timeout: timedelta = timedelta(seconds=30)
    intents_wait: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class ApplyRun:
    """One durable run; `before` is what stood before the freeze, which only a resumption opens again."""

    world_id: str
    run_id: str
    state: ApplyState
    targets: tuple[Target, ...]
    ack_opening: bool
    requested_by: str
    content: str  # digest of what was asked, to know a repetition
    created_at: datetime
    before: tuple[Entry, ...] = ()
    resumes: bool = False
    epoch: int = 0
    fence_confirmed: bool = False
    intents: tuple[str, ...] = ()  # on the wire when the fence was committed, and not answered yet
    intents_until: datetime | None = None
    awaited: tuple[Awaited, ...] = ()
    until: datetime | None = None  # of the phase: then a freeze ends, an opening is alarmed
    opened: bool = False
    reason: str = ""
    ended_at: datetime | None = None
    freeze_timeout: timedelta | None = None  # the policy's own; None: the service's setting

    @property
    def unsettled(self) -> bool:
        """Whether the run needs another step; of a frozen or drained world the fence has to be confirmed."""
        return self.ended_at is None or (self.state in HELD and not self.fence_confirmed)

    @property
    def is_by_hand(self) -> bool:
        """Whether an operator froze or drained the world; then only a resumption leads out."""
        return self.run_id.startswith((FREEZE, DRAIN))


@dataclass(frozen=True, slots=True)
class Froze:
    """The freeze was committed here, under an epoch brokerage has to be told."""

    epoch: int


@dataclass(frozen=True, slots=True)
class FenceConfirmed:
    """Brokerage has committed a frozen fence, and lists what is on the wire and unanswered."""

    epoch: int
    intents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GatesSeen:
    """All gate sessions on record, and who has acknowledged the sequence that is due."""

    sessions: tuple[GateSession, ...]
    acked: frozenset[Gate]


@dataclass(frozen=True, slots=True)
class Switched:
    """Targets, stages and decision were committed behind the freeze; `edges` says what it opened and closed."""

    edges: str = ""


@dataclass(frozen=True, slots=True)
class SwitchRefused:
    """The switch could not be made; its transaction left nothing behind."""

    reason: str


@dataclass(frozen=True, slots=True)
class Opened:
    """The targets were opened under a fence brokerage has confirmed."""


@dataclass(frozen=True, slots=True)
class Overruled:
    """An operator has frozen or drained the world meanwhile."""

    by: str


Event = Overruled | Froze | FenceConfirmed | GatesSeen | Switched | SwitchRefused | Opened


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the run's timeline; an alarm is one a person has to see."""

    text: str
    alarm: bool = False


Step = tuple[ApplyRun, tuple[Note, ...]]


def content_of(targets: Sequence[Target], evaluate: bool, ack_opening: bool) -> str:
    """The same content under the same run id is a repetition; targets of an evaluation are not part of the request."""
    rows = [] if evaluate else [[t.strategy_id, t.side.value, repr(t.weight), t.stage.value] for t in targets]
    return digest(canonical_json([sorted(rows), evaluate, ack_opening]))


def due(run: ApplyRun, fence: Fence) -> Due:
    """What is to be done next, from the run and the fence as stored."""
    match run.state:
        case ApplyState.REQUESTED:
            return Due.FREEZE
        case ApplyState.FREEZING:
            told = run.fence_confirmed and not run.intents
            return Due.ASK_GATES if told else Due.TELL_FREEZE
        case ApplyState.SWITCHING:
            return Due.SWITCH
        case ApplyState.UNFREEZING if run.opened:
            return Due.ASK_GATES
        case ApplyState.UNFREEZING:
            return Due.TELL_OPENING if fence.pending else Due.OPEN
        case ApplyState.FROZEN | ApplyState.DRAINED if not run.fence_confirmed:
            return Due.TELL_FREEZE
    return Due.NOTHING


def standing_before(last: ApplyRun | None, entries: tuple[Entry, ...], state: ApplyState) -> tuple[Entry, ...]:
    """What a resumption of a freeze or drain made now leads back to: what stood before the world was shut.

    A freeze of a drained world leads back to the drain, whose entries only reduce.
    """
    if last is None or last.state is ApplyState.COMPLETED or (last.ended_at is None and last.opened):
        return entries
    if last.state is ApplyState.DRAINED and state is ApplyState.FROZEN:
        return entries
    if last.state is ApplyState.REQUESTED and not last.before:
        return entries
    return last.before


def sequence_due(run: ApplyRun) -> int:
    """The activation sequence gateways have to acknowledge now."""
    return OPEN_SEQUENCE if run.state is ApplyState.UNFREEZING else FREEZE_SEQUENCE


def clamped(run: ApplyRun, now: datetime, limits: ApplyTimeouts) -> ApplyRun:
    """The run with no deadline farther ahead than one is ever set: those were stored before the clock was set back."""
    phase_end, intents_end = now + (run.freeze_timeout or limits.freeze_timeout), now + limits.intents_wait
    return replace(
        run,
        until=None if run.until is None else min(run.until, phase_end),
        intents_until=None if run.intents_until is None else min(run.intents_until, intents_end),
        awaited=tuple(replace(each, gone_at=min(each.gone_at, now + GONE_AFTER)) for each in run.awaited),
    )


def advance(run: ApplyRun, event: Event, now: datetime, limits: ApplyTimeouts) -> Step:
    """The run after an event, with what its timeline says of it. An event that comes too late changes nothing."""
    limits = _limits(run, limits)
    match (run.state, event):
        case (ApplyState.REQUESTED, Froze(epoch)):
            moved = replace(run, state=ApplyState.FREEZING, epoch=epoch, until=now + limits.freeze_timeout)
            return moved, (Note(f"entries frozen, fence epoch {epoch} to be confirmed"),)
        case (ApplyState.FREEZING, FenceConfirmed()):
            return _confirmed(run, event, now, limits)
        case (ApplyState.FREEZING, GatesSeen()):
            return _frozen_enough(*_seen(run, event, now), now)
        case (ApplyState.SWITCHING, Switched(edges)):
            moved = replace(run, state=ApplyState.UNFREEZING, until=now + limits.freeze_timeout)
            return moved, (Note(f"targets set behind the freeze{'; ' if edges else ''}{edges}"),)
        case (ApplyState.SWITCHING, SwitchRefused(reason)):
            return _end(run, ApplyState.ROLLED_BACK, reason, now), (Note(f"all entries stay frozen: {reason}", True),)
        case (ApplyState.UNFREEZING, Opened()) if not run.opened:
            moved = replace(run, opened=True, awaited=(), until=now + limits.freeze_timeout)
            return (moved, (Note("targets opened"),)) if run.ack_opening else _complete(moved, (), now)
        case (ApplyState.UNFREEZING, GatesSeen()):
            return _opened_enough(*_seen(run, event, now), now, limits)
        case (_, Overruled(by)) if run.ended_at is None:
            reason = f"overruled by {by}"
            ended = _end(replace(run, fence_confirmed=False, intents=()), ApplyState.FROZEN, reason, now)
            return ended, (Note(reason, alarm=True),)
        case (ApplyState.FROZEN | ApplyState.DRAINED, FenceConfirmed(epoch, _)) if not run.fence_confirmed:
            moved = replace(run, fence_confirmed=True, epoch=epoch)
            return moved, (Note(f"brokerage has confirmed it at epoch {epoch}"),)
    return run, ()


def _limits(run: ApplyRun, limits: ApplyTimeouts) -> ApplyTimeouts:
    return limits if run.freeze_timeout is None else replace(limits, freeze_timeout=run.freeze_timeout)


def _confirmed(run: ApplyRun, event: FenceConfirmed, now: datetime, limits: ApplyTimeouts) -> Step:
    """Intents on the wire are waited for; those unanswered past their time are flagged, reconciliation decides them."""
    notes: list[Note] = []
    if not run.fence_confirmed:
        listed = f", on the wire: {', '.join(event.intents)}" if event.intents else ""
        notes.append(Note(f"brokerage has committed the freeze at epoch {event.epoch}{listed}"))
    until = run.intents_until or now + limits.intents_wait
    left = event.intents
    if left and now >= until:
        notes.append(Note(f"outcome UNKNOWN: {', '.join(left)}", alarm=True))
        left = ()
    moved = replace(run, fence_confirmed=True, epoch=event.epoch, intents=left, intents_until=until)
    return moved, tuple(notes)


def _seen(run: ApplyRun, event: GatesSeen, now: datetime) -> Step:
    """Who still has to acknowledge. A session that is gone is waived: it has shut itself, and the fence holds."""
    there = {(gate.gateway_id, gate.boot_id): gate.renewed_at + GONE_AFTER for gate in event.sessions}
    before = {(gate.gateway_id, gate.boot_id): gate for gate in run.awaited}
    awaited, notes = [], []
    for gate in sorted(there.keys() | before.keys()):
        if gate in event.acked:
            if gate in before:
                notes.append(Note(f"{gate[0]} has acknowledged"))
            continue
        waiting = _awaited(gate, there, before.get(gate), now)
        if now <= waiting.gone_at:
            awaited.append(waiting)
        elif gate in before:
            notes.append(Note(f"{gate[0]} is gone: waived"))
    return replace(run, awaited=tuple(awaited)), tuple(notes)


def _awaited(gate: Gate, there: dict[Gate, datetime], known: Awaited | None, now: datetime) -> Awaited:
    """Another boot in its place may have hidden a last renewal, so a whole life of a session is given from then on."""
    if gate in there:
        return Awaited(*gate, there[gate])
    if known is not None and known.left:
        return known
    return Awaited(*gate, now + GONE_AFTER, left=True)


def _frozen_enough(run: ApplyRun, notes: tuple[Note, ...], now: datetime) -> Step:
    if run.fence_confirmed and not run.intents and not run.awaited:
        moved = replace(run, state=ApplyState.SWITCHING, until=None)
        return moved, (*notes, Note("fence committed, every gateway has acknowledged or is gone"))
    if run.until is None or now < run.until:
        return run, notes
    reason = f"freeze timed out: {_culprits(run)}"
    alarm = reason if run.fence_confirmed else f"{reason}; the fence is not confirmed and is told on"
    return _end(run, ApplyState.FROZEN, reason, now), (*notes, Note(alarm, alarm=True))


def _opened_enough(run: ApplyRun, notes: tuple[Note, ...], now: datetime, limits: ApplyTimeouts) -> Step:
    if not run.opened:
        return run, notes
    if not run.awaited:
        return _complete(run, notes, now)
    if run.until is None or now < run.until:
        return run, notes
    waiting = Note(f"opened, still not acknowledged: {_culprits(run)}", alarm=True)
    return replace(run, until=now + limits.freeze_timeout), (*notes, waiting)


def late_opening(run: ApplyRun, now: datetime, limits: ApplyTimeouts) -> Step:
    """Brokerage has not taken the opening in time: alarmed, sent again, and nothing opens before it has."""
    limits = _limits(run, limits)
    if run.state is not ApplyState.UNFREEZING or run.opened or run.until is None or now < run.until:
        return run, ()
    return replace(run, until=now + limits.freeze_timeout), (
        Note("brokerage has not confirmed the opening, which is told on", alarm=True),
    )


def _complete(run: ApplyRun, notes: tuple[Note, ...], now: datetime) -> Step:
    return _end(run, ApplyState.COMPLETED, "", now), (*notes, Note("done"))


def _culprits(run: ApplyRun) -> str:
    names: list[str] = [] if run.fence_confirmed else ["brokerage has not confirmed the fence"]
    names += [f"intent {intent} is unanswered" for intent in run.intents]
    names += [f"gateway {gate.gateway_id} has not acknowledged" for gate in run.awaited]
    return ", ".join(names)


def _end(run: ApplyRun, state: ApplyState, reason: str, now: datetime) -> ApplyRun:
    return replace(run, state=state, reason=reason, until=None, awaited=(), ended_at=now)


def acked_by(rows: Collection[tuple[str, str, int]], sequence: int) -> frozenset[Gate]:
    """Who has applied a sequence: a gateway never goes back, so a later one counts too."""
    return frozenset((gateway_id, boot_id) for gateway_id, boot_id, applied in rows if applied >= sequence)


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """A line of a run's timeline."""

    state: ApplyState
    detail: str
    time: datetime

"""A rebalancing run: a recorded plan, who applied it, how far its execution came. States are a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from fractions import Fraction

from qmtl.core.errors import Conflict, NotReady, PermissionDenied


class RunState(Enum):
    """RECORDED waits for ExecuteRebalance; the last four are closed."""

    RECORDED = "RECORDED"
    EXECUTING = "EXECUTING"
    CANCELING = "CANCELING"
    COMPLETED = "COMPLETED"
    PARTIAL = "PARTIAL"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


MOVES: Mapping[RunState, frozenset[RunState]] = {
    RunState.RECORDED: frozenset({RunState.EXECUTING, RunState.EXPIRED, RunState.CANCELED}),
    RunState.EXECUTING: frozenset({RunState.COMPLETED, RunState.PARTIAL, RunState.CANCELING}),
    RunState.CANCELING: frozenset({RunState.CANCELED}),
    RunState.COMPLETED: frozenset(),
    RunState.PARTIAL: frozenset(),
    RunState.CANCELED: frozenset(),
    RunState.EXPIRED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class LegProgress:
    """What was traded of a leg so far (signed), what for, its fees by currency, and why it stopped short, if it did."""

    filled: Fraction = Fraction(0)
    notional: Fraction = Fraction(0)
    fees: tuple[tuple[str, Fraction], ...] = ()
    reason: str = ""


def slippage_bps(progress: LegProgress, mark: Fraction) -> Fraction | None:
    """How much worse than a mark a leg was filled on average, in basis points; below 0: better. None: it was not."""
    if not progress.filled or mark <= 0:
        return None
    price = progress.notional / progress.filled
    return (price / mark - 1) * 10_000 * (1 if progress.filled > 0 else -1)


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands. `revision` counts its changes from 1; `epoch` is that of the executor's lease."""

    account: str
    run_id: str
    state: RunState
    revision: int
    plan_hash: str
    content: str
    reason: str
    applied_by: str
    created_at: datetime
    valid_until: datetime
    world_ids: tuple[str, ...] = ()
    two_person: bool = False
    executed_by: str = ""
    allow_live: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    epoch: int = 0
    progress: tuple[LegProgress, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def is_closed(self) -> bool:
        """Whether nothing leads out of its state."""
        return not MOVES[self.state]


def moved(run: Run, state: RunState, now: datetime, *reasons: str) -> Run:
    """The run in another state. Raises NotReady (E_REBALANCE_STATE) for a move that the table does not have."""
    if state not in MOVES[run.state]:
        raise NotReady(
            "E_REBALANCE_STATE", f"run {run.run_id} is {run.state.value}, which does not lead to {state.value}"
        )
    ended = None if MOVES[state] else now
    return replace(run, state=state, revision=run.revision + 1, ended_at=ended, reasons=(*run.reasons, *reasons))


def started(run: Run, subject: str, now: datetime, *, allow_live: bool) -> Run:
    """The run once somebody executes it; asked again it stays.

    Raises NotReady (E_PLAN_STALE, E_REBALANCE_STATE), PermissionDenied (E_TWO_PERSON).
    """
    if run.state is RunState.EXECUTING:
        return run
    if run.state is RunState.RECORDED and now >= run.valid_until:
        raise NotReady(
            "E_PLAN_STALE",
            f"run {run.run_id} was valid until {run.valid_until.isoformat()}",
            hint="plan and apply again",
        )
    if run.two_person and subject == run.applied_by:
        raise PermissionDenied("E_TWO_PERSON", f"{subject} applied run {run.run_id}; another person executes it")
    begun = moved(run, RunState.EXECUTING, now)
    return replace(begun, executed_by=subject, started_at=now, allow_live=allow_live)


def canceled(run: Run, subject: str, now: datetime) -> Run:
    """The run once somebody cancels it: what was not started is over, else open orders are closed first."""
    if run.state in (RunState.CANCELING, RunState.CANCELED):
        return run
    to = RunState.CANCELED if run.state is RunState.RECORDED else RunState.CANCELING
    return moved(run, to, now, f"canceled by {subject}")


def expired(run: Run, now: datetime) -> Run:
    """A recorded run past its time is EXPIRED; any other stays."""
    if run.state is RunState.RECORDED and now >= run.valid_until:
        return moved(run, RunState.EXPIRED, now)
    return run


def check_epoch(run: Run, epoch: int) -> None:
    """Raises Conflict (E_REBALANCE_EPOCH): an executor whose lease another one has taken reports nothing more."""
    if epoch < run.epoch:
        raise Conflict("E_REBALANCE_EPOCH", f"run {run.run_id} is driven under epoch {run.epoch}, got {epoch}")


@dataclass(frozen=True, slots=True)
class Report:
    """What an executor tells under its epoch: progress of all legs, and where the run ends, if it does."""

    epoch: int
    progress: tuple[LegProgress, ...]
    end: RunState | None = None
    reasons: tuple[str, ...] = ()


def reported(run: Run, report: Report, now: datetime) -> Run:
    """The run after its executor's report. The same report again changes nothing.

    Raises Conflict (E_REBALANCE_EPOCH), NotReady (E_REBALANCE_STATE).
    """
    check_epoch(run, report.epoch)
    if run.is_closed:
        if report.end is run.state and report.progress == run.progress:
            return run
        raise NotReady("E_REBALANCE_STATE", f"run {run.run_id} is {run.state.value}, which is closed")
    told = replace(run, epoch=report.epoch, progress=report.progress)
    if report.end is not None:
        return moved(told, report.end, now, *report.reasons)
    return run if told == run else replace(told, revision=run.revision + 1)

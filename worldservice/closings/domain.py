"""A closing: brokerage takes off what a demoted strategy holds on one side, within a given time. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum

from qmtl.core.modes import EffectiveMode, lower
from worldservice.activation.domain.activation import Ceiling, Entry, can_trade, key_of, mode_at
from worldservice.policy.domain.governance import OnDemote, PositionPolicy
from worldservice.worlds.domain.binding import Binding, Side

Key = tuple[str, str]
DETAIL_MAX = 500


class ClosingState(Enum):
    """CLOSING goes on; the others are ends. STOPPED: the strategy drains no more, so nothing is closed for it."""

    CLOSING = "CLOSING"
    FLAT = "FLAT"
    NOT_CLOSED = "NOT_CLOSED"
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True)
class Closing:
    """One closing. `mode` is where the strategy trades, `detail` what brokerage said last.

    `until` is counted anew where a fill came after it was flat, from `reopened_at`.
    """

    world_id: str
    strategy_id: str
    side: Side
    mode: EffectiveMode
    slippage_bps: Decimal
    began_at: datetime
    until: datetime
    state: ClosingState = ClosingState.CLOSING
    ended_at: datetime | None = None
    detail: str = ""
    reopened_at: datetime | None = None

    @property
    def key(self) -> Key:
        """Whose it is, in its world."""
        return self.strategy_id, self.side.value

    @property
    def within(self) -> timedelta:
        """The time that it has, each time that it begins."""
        return self.until - (self.reopened_at or self.began_at)

    @property
    def closing_id(self) -> str:
        """Its name among the closings of its strategy."""
        return f"{self.side.value}-{round(self.began_at.timestamp() * 1_000_000)}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What brokerage said of a closing: what is left of it, as sentences. None: it did not say."""

    left: tuple[str, ...] | None
    error: str = ""

    @property
    def text(self) -> str:
        """The sentences in one line; one that is cut ends in "..."."""
        told = "; ".join((self.error,) if self.left is None else self.left)
        return told if len(told) <= DETAIL_MAX else told[: DETAIL_MAX - 3] + "..."


def demoted(
    entries: Sequence[Entry], bindings: Mapping[str, Binding], ceiling: Ceiling, left_out: Collection[Key]
) -> dict[Key, Entry]:
    """Entries that drain because their strategy may not go on: they trade above what is allowed to them now, or an
    apply left them out. Who only drains because a person or a risk rule said so may go on, and is left alone.
    """
    found = {}
    for entry in entries:
        if not can_trade(entry) or not entry.drain or entry.strategy_id not in bindings:
            continue
        allowed = mode_at(entry, bindings, ceiling)
        above = lower(entry.effective_mode, allowed) is not entry.effective_mode
        if above or key_of(entry) in left_out:
            found[key_of(entry)] = entry
    return found


def changes(
    world_id: str, policy: PositionPolicy, due: Mapping[Key, Entry], newest: Mapping[Key, Closing], now: datetime
) -> list[Closing]:
    """Closings to begin, and those that go on to be stopped. `newest`: the last closing of each side.

    One closing for each time that a side is demoted: one that has come to its end is not begun again while its entry
    stands. One that was stopped has not: its strategy might go on, and may not again.
    """
    flat = policy.on_demote is OnDemote.FLAT
    why = "it may go on, or does not trade any more" if flat else "the policy closes nothing any more"
    found = []
    for key, last in newest.items():
        if last.state is ClosingState.CLOSING and (not flat or key not in due):
            found.append(ended(last, ClosingState.STOPPED, why, now))
    for key, entry in due.items() if flat else ():
        before = newest.get(key)
        if before is None or before.state is ClosingState.STOPPED or _ended_before(before, entry):
            found.append(
                Closing(
                    world_id, entry.strategy_id, entry.side, entry.effective_mode, policy.flat_slippage_bps, now,
                    now + policy.flat_within,
                )
            )  # fmt: skip
    return found


def _ended_before(closing: Closing, entry: Entry) -> bool:
    return closing.state is not ClosingState.CLOSING and closing.began_at < entry.changed_at


def answered(closing: Closing, answer: Answer, now: datetime) -> Closing:
    """The closing after brokerage's answer, or its silence: FLAT once nothing is left, NOT_CLOSED when time is over.

    One that was FLAT and is not any more, as a fill came late, goes on, and has its whole time again.
    """
    if closing.state is ClosingState.FLAT and answer.left:
        return replace(
            closing, state=ClosingState.CLOSING, until=now + closing.within, ended_at=None, detail=answer.text,
            reopened_at=now,
        )  # fmt: skip
    if closing.state is not ClosingState.CLOSING:
        return closing
    if answer.left == ():
        return ended(closing, ClosingState.FLAT, "", now)
    if now >= closing.until:
        return ended(closing, ClosingState.NOT_CLOSED, answer.text, now)
    return replace(closing, detail=answer.text)


def ended(closing: Closing, state: ClosingState, detail: str, now: datetime) -> Closing:
    """The closing at its end."""
    return replace(closing, state=state, ended_at=now, detail=detail)


def sentence(closing: Closing) -> str:
    """What the audit log and people read of it."""
    what = f"what {closing.strategy_id} holds {closing.side.value.lower()} in {closing.mode.value}"
    match closing.state:
        case ClosingState.CLOSING if closing.detail:
            return f"closes again {what}, until {closing.until.isoformat()}, as a fill came late: {closing.detail}"
        case ClosingState.CLOSING:
            return (
                f"closes {what}, until {closing.until.isoformat()}, at most {closing.slippage_bps} bp worse than marks"
            )
        case ClosingState.FLAT:
            return f"closed {what}"
        case ClosingState.NOT_CLOSED:
            return f"has not closed {what} by {closing.until.isoformat()}: {closing.detail}"
        case ClosingState.STOPPED:
            return f"stopped closing {what}: {closing.detail}"

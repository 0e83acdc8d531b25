"""A replay session: sealed bars released one by one, as if they were arriving now.

The watermark is data time: every bar that closes at or before it is public. It only grows. A bar is
released when the pace allows it and everyone who follows has taken the one before, so a strategy and
the paper venue that fills its orders stay together however fast the replay runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qmtl.calendars.spans import Coverage, Span, normalise
from seamless.domain.bars import Bars, concatenated, no_bars
from seamless.domain.fingerprints import world_digest

Places = NDArray[np.int64]

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Member:
    """A dataset that a session plays: `source` is the sealed segment, empty where it is live; `history` the newest one
    before its start, empty where there is none.
    """

    preset: str
    dataset: str
    interval_ns: int
    source: str
    history: str


def place_of(members: Sequence[Member], dataset: str) -> int | None:
    """Which of a session's members a dataset is; None: it is not played."""
    return next((place for place, member in enumerate(members) if member.dataset == dataset), None)


def history_of(members: Sequence[Member]) -> str:
    """The fingerprint of all that was sealed before a session's start; empty where nothing was."""
    if len(members) == 1:
        return members[0].history
    sealed = {member.dataset: member.history for member in members if member.history}
    return world_digest(sealed) if sealed else ""


@dataclass(frozen=True, slots=True)
class Replay:
    """The state of one session. `bars_per_s` 0: as fast as it is followed.

    `interval_ns` is the step of its clock: the largest that all its members' closes are on. `recorded` is the session
    whose recording it plays; empty: what was sealed of datasets.
    """

    session_id: str
    world_id: str
    preset: str
    members: tuple[Member, ...]
    span: Span
    interval_ns: int
    bars_per_s: float
    opened_at_ns: int
    advanced_at_ns: int
    watermark_ns: int
    recorded: str = ""

    @property
    def history(self) -> str:
        """The fingerprint of what was sealed before its start."""
        return history_of(self.members)

    @property
    def finished(self) -> bool:
        return self.watermark_ns >= self.span.end_ns

    def ended(self) -> Replay:
        """The session as one that plays no further."""
        return replace(self, span=Span(self.span.start_ns, self.watermark_ns))


@dataclass(frozen=True, slots=True)
class Follower:
    """Who must keep up: a subscriber, done with what it was sent, or a named follower, done with what it confirmed.

    `taken_ns` is the data time it is done up to, `heard_at_ns` when it last said so.
    """

    taken_ns: int
    heard_at_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """Bars that were released, and the instant up to which there are no others. `last`: the session has ended.

    `members` says of each bar which of the session's members it is of; None: there is one. `reached_ns` is how far the
    session had come when it was told, after the watermark where more follows at once.
    """

    bars: Bars
    watermark_ns: int
    last: bool
    members: Places | None = None
    reached_ns: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """Bars of several members as they become known, at `close_ns`, or when they were told; at one time by their closes,
    then in the members' order.
    """

    bars: Bars
    close_ns: NDArray[np.int64]
    members: Places

    def between(self, after_ns: int, until_ns: int) -> Tape:
        """What becomes known after one instant, and at another at the latest."""
        first, last = np.searchsorted(self.close_ns, (after_ns, max(after_ns, until_ns)), side="right")
        rows = slice(int(first), int(last))
        return Tape(self.bars.take(rows), self.close_ns[rows], self.members[rows])

    def batches(self, size: int, after_ns: int) -> Iterator[Delivery]:
        """The same in deliveries of so many bars, each with the instant up to which all are told by then."""
        for start in range(0, len(self.bars), size):
            rows = slice(start, start + size)
            close_ns = self.close_ns[rows]
            end = start + len(close_ns)
            told_ns = int(close_ns[-1])
            if end < len(self.bars) and int(self.close_ns[end]) == told_ns:  # more comes of the same instant
                before = self.close_ns[: int(np.searchsorted(self.close_ns, told_ns))]
                told_ns = int(before[-1]) if len(before) else after_ns
            yield Delivery(self.bars.take(rows), told_ns, False, self.members[rows])


def merged(parts: Sequence[tuple[Bars, int]], told_ns: Sequence[NDArray[np.int64]] | None = None) -> Tape:
    """One tape of the bars of several members, each with its interval. `told_ns` says of each member's bars when they
    became known; None: each at its close.
    """
    bars = concatenated([part for part, _ in parts])
    close_ns = np.concatenate([part.time_ns + interval_ns for part, interval_ns in parts])
    known_ns = close_ns if told_ns is None else np.concatenate(told_ns)
    places = np.concatenate([np.full(len(part), place, np.int64) for place, (part, _) in enumerate(parts)])
    order = np.lexsort((places, close_ns, known_ns))
    return Tape(bars.take(order), known_ns[order], places[order])


def held_back(closes_ns: Sequence[NDArray[np.int64]], told_ns: Sequence[NDArray[np.int64]]) -> Coverage:
    """Where time stood still in a recorded session: from the close of each bar that was told later to when it was."""
    spans = [
        Span(closed, told)
        for closes, times in zip(closes_ns, told_ns, strict=True)
        for closed, told in zip(closes[times > closes].tolist(), times[times > closes].tolist(), strict=True)
    ]
    return normalise(spans)


def told(tape: Tape, from_ns: int, reached_ns: int, size: int, *, last: bool) -> Iterator[Delivery]:
    """What becomes known between a position and how far a session has come, in deliveries of so many bars; the last has
    that watermark, with bars or without.
    """
    found = list(tape.between(from_ns, reached_ns).batches(size, from_ns))
    for delivery in found[:-1]:
        yield replace(delivery, reached_ns=reached_ns)
    if found:
        yield replace(found[-1], watermark_ns=reached_ns, last=last, reached_ns=reached_ns)
    elif reached_ns > from_ns or last:
        yield Delivery(no_bars(), reached_ns, last, reached_ns=reached_ns)


def told_again(tape: Tape, from_ns: int, reached_ns: int, size: int, *, last: bool) -> Iterator[Delivery]:
    """As `told`, each instant by itself and as who was there heard it, however far the session has come by now."""
    position = from_ns
    for known_ns in sorted({*tape.between(from_ns, reached_ns).close_ns.tolist(), reached_ns}):
        yield from told(tape, position, known_ns, size, last=last and known_ns == reached_ns)
        position = known_ns


def release(
    replay: Replay, followers: Sequence[Follower], now_ns: int, patience_ns: int, held: Coverage = ()
) -> Replay:
    """The session after this instant; itself if nothing is due. Where time stood still in a recorded session (`held`),
    it jumps to the end of that.

    A follower that took nothing for longer than `patience_ns`, while there was something to take, is not
    waited for. A session that nobody follows stands still: its bars do not become history unseen.
    """
    waited_for = [f for f in followers if f.taken_ns >= replay.watermark_ns or now_ns - f.heard_at_ns <= patience_ns]
    if not waited_for:
        return replay
    slowest = min(f.taken_ns for f in waited_for)
    limit = min(replay.span.end_ns, slowest + replay.interval_ns)
    bars = _paced(replay, now_ns)
    watermark = min(limit, replay.watermark_ns + bars * replay.interval_ns)
    if watermark <= replay.watermark_ns:
        return replay
    watermark = next((span.end_ns for span in held if span.start_ns <= watermark < span.end_ns), watermark)
    return replace(replay, watermark_ns=watermark, advanced_at_ns=now_ns)


def next_due_ns(replay: Replay) -> int:
    """When the pace allows the next bar."""
    return replay.advanced_at_ns + (int(_NS / replay.bars_per_s) if replay.bars_per_s else 0)


def _paced(replay: Replay, now_ns: int) -> int:
    """At most one bar a step: after an outage the replay goes on at its pace, it does not rush."""
    return 1 if now_ns >= next_due_ns(replay) else 0

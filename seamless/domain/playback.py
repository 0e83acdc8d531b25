"""A replay session: sealed bars released one by one, as if they were arriving now.

The watermark is data time: every bar that closes at or before it is public. It only grows. A bar is
released when the pace allows it and everyone who follows has taken the one before, so a strategy and
the paper venue that fills its orders stay together however fast the replay runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from qmtl.calendars.spans import Span
from seamless.domain.bars import Bars

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Replay:
    """The state of one session. `bars_per_s` 0: as fast as it is followed.

    `source` is the sealed segment it plays, `history` the one that ends where it starts.
    """

    session_id: str
    world_id: str
    preset: str
    dataset: str
    source: str
    history: str
    span: Span
    interval_ns: int
    bars_per_s: float
    opened_at_ns: int
    advanced_at_ns: int
    watermark_ns: int

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
    """Bars that were released, and the instant up to which there are no others. `last`: the session has ended."""

    bars: Bars
    watermark_ns: int
    last: bool


def release(replay: Replay, followers: Sequence[Follower], now_ns: int, patience_ns: int) -> Replay:
    """The session after this instant; itself if nothing is due.

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
    return replace(replay, watermark_ns=watermark, advanced_at_ns=now_ns)


def next_due_ns(replay: Replay) -> int:
    """When the pace allows the next bar."""
    return replay.advanced_at_ns + (int(_NS / replay.bars_per_s) if replay.bars_per_s else 0)


def _paced(replay: Replay, now_ns: int) -> int:
    """At most one bar a step: after an outage the replay goes on at its pace, it does not rush."""
    return 1 if now_ns >= next_due_ns(replay) else 0

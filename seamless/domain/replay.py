"""A replay session: sealed bars released one by one, as if they were arriving now.

The watermark is data time: every bar that closes at or before it is public. It only grows. A bar is
released when the pace allows it and no follower is left behind, so a strategy and the paper venue
that fills its orders live in the same data instant however fast the replay runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from seamless.domain.coverage import Span

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Replay:
    """The state of one session. `bars_per_s` 0: as fast as its followers follow."""

    session_id: str
    dataset: str
    fingerprint: str
    span: Span
    interval_ns: int
    bars_per_s: float
    opened_at_ns: int
    advanced_at_ns: int
    watermark_ns: int

    @property
    def finished(self) -> bool:
        return self.watermark_ns >= self.span.end_ns


@dataclass(frozen=True, slots=True)
class Follower:
    """Who must keep up: the data time it has done with, and when it was last heard of."""

    name: str
    done_ns: int
    heard_at_ns: int


def open_replay(
    session_id: str, dataset: str, fingerprint: str, span: Span, interval_ns: int, bars_per_s: float, now_ns: int
) -> Replay:
    """A session whose watermark stands at its start: nothing is released yet."""
    return Replay(session_id, dataset, fingerprint, span, interval_ns, bars_per_s, now_ns, now_ns, span.start_ns)


def release(replay: Replay, followers: Sequence[Follower], now_ns: int, patience_ns: int) -> Replay:
    """The session after this instant; itself if nothing is due.

    A follower that was not heard of for longer than `patience_ns` is not waited for. A session that
    nobody follows stands still: its bars are not history before anyone could trade on them.
    """
    present = [f for f in followers if now_ns - f.heard_at_ns <= patience_ns]
    if not present:
        return replay
    slowest = min(f.done_ns for f in present)
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

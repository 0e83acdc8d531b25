"""A wall clock that does not jump: what services take the time from.

Leases, claims, rate limits and deadlines that are kept in SQL compare instants, so an instant must never come twice
nor be left out. When the machine's wall clock is set, this clock goes on by the monotonic one and then closes the
distance at `SLEW`, far inside the margins of every lease. The jump is kept to be told. Farther than `FOLLOWED_S` is a
machine that had no time at all when it started: that is followed at once.
"""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from qmtl.config.files import write_private
from qmtl.core.clock import Clock, SystemClock

JUMP_S: Final = 0.5  # between two readings; slewing by NTP is below 0.5 ms a second
SLEW: Final = 0.05  # seconds a second; a gate session's margin is a fifth of its time to live
FOLLOWED_S: Final = 86_400.0
PAIR_S: Final = 0.02  # how far apart the two readings of one pair may be: the process may be stopped between them
TRIES: Final = 5
MARK_AGE_MAX_S: Final = 3600.0  # older than that, two clocks of one machine need not agree to half a second
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Jump:
    """The wall clock was set by `by_s` seconds, from `before` to `after`."""

    before: datetime
    after: datetime
    by_s: float
    followed: bool = False


@dataclass(frozen=True, slots=True)
class ClockMark:
    """What a steady clock said, and the monotonic clock beside it, which goes on when the process ends."""

    at: datetime
    monotonic_s: float


class SteadyClock:
    """The time of a machine whose wall clock may be set at any moment.

    With the mark of a clock before it, it is that one going on: a process that ends while the wall clock is wrong
    takes up the time its peers have, and its tokens and leases are neither ended nor yet to come.
    """

    def __init__(self, machine: Clock | None = None, before: ClockMark | None = None) -> None:
        self._machine = machine or SystemClock()
        self._lock = threading.Lock()
        self._wall, self._monotonic = self._pair()
        self._ahead_s = 0.0  # of the wall clock
        self._jumps = 0
        self._last: Jump | None = None
        if before is not None and 0 <= (passed_s := self._monotonic - before.monotonic_s) <= MARK_AGE_MAX_S:
            self._set_to(before.at + timedelta(seconds=passed_s))

    def now(self) -> datetime:
        self._read()
        return self._wall + timedelta(seconds=self._ahead_s)

    def monotonic(self) -> float:
        return self._machine.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._machine.sleep(seconds)

    async def sleep_until(self, instant: datetime) -> None:
        while (left_s := (instant - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - it slews meanwhile
            await asyncio.sleep(left_s)

    def wall(self) -> datetime:
        """What the machine says the time is."""
        self._read()
        return self._wall

    @property
    def jumps(self) -> int:
        """How often the wall clock was set since this clock was made."""
        self._read()
        return self._jumps

    @property
    def last_jump(self) -> Jump | None:
        """The latest time the wall clock was set."""
        self._read()
        return self._last

    @property
    def ahead_s(self) -> float:
        """How far this clock is ahead of the wall clock, negative when behind; 0.0 once the distance is closed."""
        self._read()
        return self._ahead_s

    @property
    def mark(self) -> ClockMark:
        """What it says now, to go on from after a restart."""
        with self._lock:
            self._read_locked()
            return ClockMark(self._wall + timedelta(seconds=self._ahead_s), self._monotonic)

    def _set_to(self, at: datetime) -> None:
        """Begin at another time than the wall clock's, as if the wall clock had been set just now."""
        by_s = (self._wall - at).total_seconds()
        if JUMP_S < abs(by_s) <= FOLLOWED_S:
            self._ahead_s, self._jumps, self._last = -by_s, 1, Jump(at, self._wall, by_s)

    def _read(self) -> None:
        with self._lock:
            self._read_locked()

    def _read_locked(self) -> None:
        wall, monotonic = self._pair()
        passed_s = max(0.0, monotonic - self._monotonic)
        by_s = (wall - self._wall).total_seconds() - passed_s
        before = self._wall + timedelta(seconds=passed_s)
        self._wall, self._monotonic = wall, monotonic
        closed_s = min(abs(self._ahead_s), SLEW * passed_s)
        self._ahead_s -= closed_s if self._ahead_s > 0 else -closed_s
        if abs(by_s) > JUMP_S:
            followed = abs(self._ahead_s - by_s) > FOLLOWED_S
            self._ahead_s = 0.0 if followed else self._ahead_s - by_s
            self._jumps += 1
            self._last = Jump(before, wall, by_s, followed)

    def _pair(self) -> tuple[datetime, float]:
        """Both clocks at one moment."""
        for _ in range(TRIES):
            before, wall, after = self._machine.monotonic(), self._machine.now(), self._machine.monotonic()
            if after - before <= PAIR_S:
                break
        return wall, after


def mark_path(home: Path, service: str) -> Path:
    """Where a service leaves its clock's mark. `qmtl up` removes them: a mesh that starts has the machine's time."""
    return home / "run" / f"clock-{service}"


def write_mark(path: Path, clock: SteadyClock) -> None:
    """Leave a mark for the process after this one. Raises OSError."""
    mark = clock.mark
    write_private(path, json.dumps({"boot": _boot(), "at": mark.at.isoformat(), "monotonic_s": mark.monotonic_s}))


def read_mark(path: Path) -> ClockMark | None:
    """The mark that was left since the machine was booted; None without one that can be read."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        mark = ClockMark(datetime.fromisoformat(told["at"]), float(told["monotonic_s"]))
        return mark if told["boot"] == _boot() and mark.at.tzinfo is not None else None
    except (OSError, ValueError, TypeError, LookupError):
        return None


def _boot() -> str:
    """Which run of the machine this is; monotonic clocks of two cannot be compared. Raises OSError."""
    return BOOT_ID.read_text(encoding="ascii").strip()


def clock_detail(clock: Clock) -> str:
    """What there is to tell of a clock whose machine's time was set; "" while the two agree."""
    if not isinstance(clock, SteadyClock) or (jump := clock.last_jump) is None or not clock.ahead_s:
        return ""
    way = "forward" if jump.by_s > 0 else "back"
    left_s = abs(clock.ahead_s)
    return (
        f"wall clock set {way} by {abs(jump.by_s):.1f} s at {jump.before:%Y-%m-%dT%H:%M:%SZ}; {left_s:.1f} s are left, "
        f"closed within {left_s / SLEW:.0f} s"
    )

"""Tells when the machine's wall clock was set: in the log, in metrics; the services' status tells it too."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from qmtl.rpc.steady import SteadyClock, write_mark

LOOK_S: Final = 1.0
LOOKS_A_MARK: Final = 10
log: Final = structlog.stdlib.get_logger("qmtl.rpc.telemetry")


class ClockWatch:
    """Looks at the clock now and then; whoever asks it for the time meanwhile sees the same jump.

    `mark`: the file from which a process after this one takes up the time.
    """

    def __init__(self, clock: SteadyClock, registry: CollectorRegistry, mark: Path) -> None:
        self._clock = clock
        self._mark = mark
        self._told = 0
        self._jumps = Counter(
            "qmtl_clock_jumps_total", "Times the wall clock was set while the process ran.", ["way"], registry=registry
        )
        ahead = Gauge(
            "qmtl_clock_ahead_seconds", "How far the service's time is ahead of the wall clock.", registry=registry
        )
        ahead.set_function(lambda: clock.ahead_s)

    async def run(self) -> None:
        """For ever."""
        for look in itertools.count():
            self.look()
            if look % LOOKS_A_MARK == 0:
                with suppress(OSError):  # a disk that takes nothing is told where disks are watched
                    await asyncio.to_thread(write_mark, self._mark, self._clock)
            await self._clock.sleep(LOOK_S)

    def look(self) -> None:
        """Tell of a jump that was not told yet; of several since the last look, the last."""
        jumps, last = self._clock.jumps, self._clock.last_jump
        if last is None or jumps == self._told:
            return
        self._jumps.labels("forward" if last.by_s > 0 else "back").inc(jumps - self._told)
        self._told = jumps
        log.warning(
            "clock_jumped",
            by_s=round(last.by_s, 3),
            before=last.before.isoformat(),
            after=last.after.isoformat(),
            followed=last.followed,
            jumps=jumps,
        )

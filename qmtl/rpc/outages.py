"""What a process misses at present: checks that do the real work, and background tasks that do not hold.

A check writes to the store, a disk or the broker as the service would; a connection that stands proves nothing. A
process goes on while something is away: this is where it says so, to health, to its status, to metrics and to the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog

from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.core.tasks.supervision import Ending, Supervised
from qmtl.rpc.telemetry.metrics import Metrics

CHECK_EVERY_S: Final = 1.0
CHECK_TIMEOUT_S: Final = 2.0  # with the pause three seconds, and a peer's probe one: an outage is seen within five
Check = Callable[[], Awaitable[str]]  # what is wrong, "" when nothing is; raises QmtlError as the work would

log = structlog.stdlib.get_logger("qmtl.rpc")


@dataclass(frozen=True, slots=True)
class Outage:
    """Something that does not work. `vital`: the service can answer next to nothing without it."""

    detail: str
    since: datetime
    vital: bool = False


class Outages:
    """The present outages of a process, by what is away."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._found: dict[str, Outage] = {}
        self._works: dict[str, Supervised] = {}

    def current(self) -> Mapping[str, Outage]:
        """What is away now; a background task that does not hold is `task <name>`."""
        endings = ((name, work.trouble) for name, work in self._works.items())
        tasks = {f"task {name}": Outage(str(end), self._clock.now()) for name, end in endings if end is not None}
        return {**self._found, **tasks}

    def supervised(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> Supervised:
        """Work whose ends are told here."""
        self._works[name] = Supervised(name, work, self._clock, self._on_ending)
        self._metrics.task_troubled.labels(name).set_function(lambda: float(self._works[name].trouble is not None))
        return self._works[name]

    async def watch(self, name: str, check: Check, *, vital: bool = False) -> None:
        """Check for ever. What takes longer than `CHECK_TIMEOUT_S` does not work."""
        while True:
            try:
                async with asyncio.timeout(CHECK_TIMEOUT_S):
                    detail = await check()
            except TimeoutError:
                detail = f"no answer within {CHECK_TIMEOUT_S:g} s"
            except QmtlError as error:
                detail = error.message
            self.note(name, detail, vital=vital)
            await self._clock.sleep(CHECK_EVERY_S)

    def note(self, name: str, detail: str, *, vital: bool = False) -> None:
        """Something is away, or, with an empty detail, is not."""
        before = self._found.get(name)
        self._metrics.outage.labels(name).set(bool(detail))
        if detail:
            since = before.since if before else self._clock.now()
            self._found[name] = Outage(detail, since, vital)
            if before is None:
                log.error("outage", subject=name, detail=detail, vital=vital)
        elif before is not None:
            del self._found[name]
            lasted_s = (self._clock.now() - before.since).total_seconds()
            log.warning("outage_over", subject=name, lasted_s=round(lasted_s, 1))

    def _on_ending(self, ending: Ending) -> None:
        kind = "outage" if ending.is_outage else "error"
        self._metrics.task_endings.labels(ending.name, kind).inc()
        told = {"task": ending.name, "times": ending.times, "again_in_s": ending.again_in_s}
        if ending.is_outage:
            log.warning("background_task_waits", error=str(ending), **told)
        else:
            log.error("background_task_failed", exc_info=ending.error, **told)

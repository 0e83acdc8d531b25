"""Work that goes on whatever becomes of it: begun again after each end, with a bounded wait, and never in silence.

An outage of what the work needs is waited out; anything else is an error in the work, told as one, and tried again
all the same, because a service that ended would take what still works with it. Whoever supervises is told of each end,
and `trouble` says whether the work is well now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, Unavailable

AGAIN_FIRST_S: Final = 0.1
AGAIN_MAX_S: Final = 5.0
STEADY_S: Final = 3.0  # work that goes on for so long after an end is well again
OUTAGES: Final = (Unavailable, Exhausted, DeadlineExceeded, TimeoutError, OSError)


class EndedByItself(RuntimeError):
    """Work that should go on for ever returned, or was cancelled from within."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One end of the work. `times`: how often it ended since it was last well."""

    name: str
    error: Exception
    times: int
    again_in_s: float

    @property
    def is_outage(self) -> bool:
        """Whether something the work needs is away, so that waiting is all there is to do."""
        return is_outage(self.error)

    def __str__(self) -> str:
        return f"{self.name} ended {self.times} times: {type(self.error).__name__}: {_shown(self.error)}"


def is_outage(error: BaseException) -> bool:
    """Whether all that was raised says that a dependency, a disk or a limit is in the way."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_outage(each) for each in error.exceptions)
    return isinstance(error, OUTAGES)


class Supervised:
    """`work` makes a coroutine that should not end; `run` keeps one going until it is cancelled."""

    def __init__(
        self, name: str, work: Callable[[], Coroutine[Any, Any, None]], clock: Clock, tell: Callable[[Ending], None]
    ) -> None:
        self.name = name
        self._work = work
        self._clock = clock
        self._tell = tell
        self._ending: Ending | None = None
        self._begun_at: float | None = None

    @property
    def trouble(self) -> Ending | None:
        """The last end, until the work has gone on for `STEADY_S` after it."""
        if self._ending is not None and self._begun_at is not None and self._lasted() >= STEADY_S:
            return None
        return self._ending

    async def run(self) -> None:
        """Begin the work again after each end; the waits double from 0.1 s to 5 s while it does not hold."""
        while True:
            self._begun_at = self._clock.monotonic()
            error = await self._end()
            if (own := asyncio.current_task()) is not None and own.cancelling():
                raise asyncio.CancelledError  # the work swallowed it
            times = 1 if self.trouble is None or self._ending is None else self._ending.times + 1
            self._begun_at = None
            wait_s = min(AGAIN_FIRST_S * 2 ** min(times - 1, 10), AGAIN_MAX_S)
            self._ending = Ending(self.name, error, times, wait_s)
            self._tell(self._ending)
            await self._clock.sleep(wait_s)

    async def _end(self) -> Exception:
        """What the work ended with. A cancellation of ours goes on up."""
        try:
            await self._work()
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if own is not None and own.cancelling():
                raise
            return EndedByItself(f"{self.name} was cancelled from within")
        except Exception as error:  # noqa: BLE001 - the edge of the work: it is told and begun again
            return error
        return EndedByItself(f"{self.name} ended by itself")

    def _lasted(self) -> float:
        return self._clock.monotonic() - (self._begun_at or 0.0)


def _shown(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(f"{type(each).__name__}: {_shown(each)}" for each in error.exceptions)
    return str(error)

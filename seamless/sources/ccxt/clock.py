"""An exchange's time, known from below and not believed blindly.

It is what the exchange last said, and the time since on ours. Two bounds, because a clock that jumps ahead would make a
bar that builds count as closed:

- a step ahead counts once it has been said three times over half a minute; until then the time before it goes on;
- more than half a minute ahead of our own clock it does not count at all, and ours goes in its place.

Both are told. A step back counts at once: later is safe.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from qmtl.core.clock import Clock
from qmtl.core.instants import to_ns

S_NS = 1_000_000_000
STEP_NS = 1_500_000_000  # more than what times in whole seconds and slow answers make
AHEAD_MAX_NS = 30 * S_NS  # of our own clock
SAID_TIMES, SAID_OVER_S = 3, 30.0

log = structlog.stdlib.get_logger("qmtl.seamless.sources.ccxt")


@dataclass(slots=True)
class _Step:
    """A step ahead that does not count yet: since when it has been said, and how often."""

    since: float
    times: int = 0


class ExchangeClock:
    """One exchange's time."""

    def __init__(self, exchange: str, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._told: tuple[int, float] | None = None  # the exchange's time, and ours when it was heard
        self._asked_at: float | None = None
        self._step: _Step | None = None
        self._ahead = False

    def older_than(self, seconds: float) -> bool:
        """Whether the exchange has not answered for its time for so long."""
        return self._asked_at is None or self._clock.monotonic() - self._asked_at > seconds

    def answered(self, told_ns: int, took_s: float) -> None:
        """The exchange says its time, in an answer that took so long: it may be later by that, and no more."""
        at = self._asked_at = self._clock.monotonic()
        told_ns = self._bounded(told_ns)
        if self._told is None or told_ns + int(took_s * S_NS) < self._reckoned_ns(at):
            self._step, self._told = None, (told_ns, at)
        else:
            self._hear(told_ns, at)

    def heard(self, told_ns: int) -> None:
        """The exchange's time, beside something else that it told, who knows how long ago."""
        if self._told is not None:
            self._hear(self._bounded(told_ns), self._clock.monotonic())

    def now_ns(self) -> int:
        """The exchange's time, at least. It must have answered."""
        return self._reckoned_ns(self._clock.monotonic())

    def _hear(self, told_ns: int, at: float) -> None:
        ahead_ns = told_ns - self._reckoned_ns(at)
        if ahead_ns <= 0:
            self._step = None
        elif ahead_ns <= STEP_NS or self._repeated(at, ahead_ns):
            self._step, self._told = None, (told_ns, at)

    def _reckoned_ns(self, at: float) -> int:
        if self._told is None:
            raise AssertionError("the exchange has not told its time")
        told_ns, heard = self._told
        return told_ns + int((at - heard) * S_NS)

    def _bounded(self, told_ns: int) -> int:
        """The time told, or ours where it is far ahead of that."""
        ours_ns = to_ns(self._clock.now())
        ahead = told_ns - ours_ns > AHEAD_MAX_NS
        if ahead != self._ahead:
            self._ahead = ahead
            event = "exchange_clock_ahead" if ahead else "exchange_clock_near"
            log.error(event, exchange=self._exchange, ahead_s=(told_ns - ours_ns) / S_NS)
        return ours_ns if ahead else told_ns

    def _repeated(self, at: float, ahead_ns: int) -> bool:
        """Whether a step ahead has been said often and long enough to count."""
        if self._step is None:
            self._step = _Step(at)
            log.error("exchange_clock_stepped", exchange=self._exchange, ahead_s=ahead_ns / S_NS)
        self._step.times += 1
        return self._step.times >= SAID_TIMES and at - self._step.since >= SAID_OVER_S

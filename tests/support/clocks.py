"""A machine whose wall clock can be set while its monotonic clock goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from qmtl.core.clock import SystemClock, VirtualClock

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


class SetMachine(VirtualClock):
    """Stands still until advanced, and its wall clock is where it was set."""

    def __init__(self, start: datetime = START) -> None:
        super().__init__(start)
        self._set = timedelta()

    def set_by(self, seconds: float) -> None:
        """Set the wall clock forward, or back."""
        self._set += timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._set


class SetSystem(SystemClock):
    """The machine's own clocks, its wall clock as somebody set it."""

    def __init__(self) -> None:
        self._set = timedelta()

    def set_by(self, seconds: float) -> None:
        """Set the wall clock forward, or back."""
        self._set += timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._set

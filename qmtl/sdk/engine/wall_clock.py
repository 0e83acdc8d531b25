"""Refuses nodes that read the wall clock in a backtest: their results would change with the day they run.

The guard watches calls into C for the standard clocks while a compute function runs. Virtual time is in the
view (`time_ns`). It sees direct and indirect calls alike, and costs nothing outside custom nodes.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from types import BuiltinFunctionType, FrameType, FunctionType

from qmtl.core.errors import InvalidRequest

_CLOCKS = frozenset(
    {
        time.time,
        time.time_ns,
        time.monotonic,
        time.monotonic_ns,
        time.perf_counter,
        time.perf_counter_ns,
        time.clock_gettime,
        time.clock_gettime_ns,
        time.sleep,
    }
)
_CLOCK_METHODS = frozenset({"now", "utcnow", "today"})


@contextmanager
def no_wall_clock(name: str) -> Iterator[None]:
    """Raise InvalidRequest (E_WALL_CLOCK) naming the node when code inside reads or waits for real time."""

    def watch(frame: FrameType, event: str, called: object) -> None:
        if event == "c_call" and isinstance(called, BuiltinFunctionType) and _is_clock(called) and not _foreign(frame):
            sys.setprofile(None)
            raise InvalidRequest(
                "E_WALL_CLOCK",
                f"node {name} calls {called.__name__} in a backtest",
                hint="use the event's own time: view[...].time_ns",
            )

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before)


def _foreign(frame: FrameType) -> bool:
    """The call comes from an import or a garbage collector's callback that merely happened during the node."""
    callbacks = {callback.__code__ for callback in gc.callbacks if isinstance(callback, FunctionType)}
    caller: FrameType | None = frame
    while caller is not None:
        if caller.f_code in callbacks or caller.f_code.co_filename.startswith("<frozen importlib"):
            return True
        caller = caller.f_back
    return False


def _is_clock(called: BuiltinFunctionType) -> bool:
    owner = called.__self__
    is_date = isinstance(owner, type) and issubclass(owner, date | datetime)
    return called in _CLOCKS or (is_date and called.__name__ in _CLOCK_METHODS)

"""Moves the clocks that Python code of this process reads: `time` and `datetime`. Those of C libraries stay."""

from __future__ import annotations

import datetime as datetimes
import time
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo

from qmtl.core.instants import NS_PER_S


def shift_clock(by: timedelta) -> None:
    """Move them for good: in a process of its own only, before what reads them is imported."""
    shift_s = by // timedelta(seconds=1)
    seconds, nanoseconds = time.time, time.time_ns
    changed: dict[str, Callable[..., object]] = {
        "time": lambda: seconds() + shift_s,
        "time_ns": lambda: nanoseconds() + shift_s * NS_PER_S,
    }
    for name in ("gmtime", "localtime", "ctime"):
        changed[name] = _of_a_time(vars(time)[name], lambda: seconds() + shift_s)
    for name, function in changed.items():
        setattr(time, name, function)
    vars(datetimes).update(datetime=_moved_datetime(by))  # date.today() asks time.time()


def _of_a_time(convert: Callable[[float], object], now: Callable[[], float]) -> Callable[..., object]:
    return lambda at=None: convert(now() if at is None else at)


class _OfAnyKind(type):
    """Instances of the standard class are instances of the moved one."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, cls.__mro__[1]) if cls.__module__ == __name__ else super().__instancecheck__(value)


def _moved_datetime(by: timedelta) -> type[datetime]:
    class Moved(datetime, metaclass=_OfAnyKind):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # what it makes is a datetime
            return datetime.now(tz) + by

        @classmethod
        def utcnow(cls) -> datetime:  # type: ignore[override]  # what it makes is a datetime
            return datetime.now(datetimes.UTC).replace(tzinfo=None) + by

        @classmethod
        def today(cls) -> datetime:  # type: ignore[override]  # what it makes is a datetime
            return cls.now()

    return Moved

"""Weekly windows to protobuf and back: worldservice tells them, the gates of gateways keep to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta

from google.protobuf import duration_pb2

from qmtl.calendars.windows import Window, zone
from qmtl.core.errors import InvalidRequest, Violation
from qmtl.world.v1 import activation_pb2 as activationpb

_DAY_S = 24 * 3600
_NANOS = 1_000_000_000
_MIDNIGHT = datetime(2000, 1, 1)  # noqa: DTZ001 - any day: only the wall time is read


def windows_to_proto(windows: Sequence[Window]) -> list[activationpb.ActivationWindow]:
    """Days in order, wall times as spans since midnight."""
    return [
        activationpb.ActivationWindow(
            days=[_DAYS[day] for day in sorted(window.days)],
            opens=_since_midnight(window.opens),
            closes=_since_midnight(window.closes),
            time_zone=window.tz,
        )
        for window in windows
    ]


def windows_from_proto(messages: Iterable[activationpb.ActivationWindow]) -> tuple[Window, ...]:
    """Raises InvalidRequest (E_WINDOW): who gets a window that cannot be read keeps shut."""
    windows = windows_of_record(messages)
    for window in windows:
        try:
            zone(window.tz)
        except (KeyError, ValueError, OSError):
            raise _refused("time_zone", window.tz[:80], "an IANA zone this machine knows") from None
    return windows


def windows_of_record(messages: Iterable[activationpb.ActivationWindow]) -> tuple[Window, ...]:
    """As they were written, to be shown and compared: a log has to be read when a zone in it is none any more."""
    return tuple(_window(message) for message in messages)


def _window(message: activationpb.ActivationWindow) -> Window:
    opens, closes = _wall(message.opens, "opens"), _wall(message.closes, "closes")
    if not message.days or any(day not in _DAYS for day in message.days):
        raise _refused("days", str(list(message.days)), "days of the week")
    return Window(frozenset(_DAYS.index(day) for day in message.days), opens, closes, message.time_zone)


def _since_midnight(wall: time) -> duration_pb2.Duration:
    span = duration_pb2.Duration()
    span.FromSeconds(wall.hour * 3600 + wall.minute * 60 + wall.second)
    return span


def _wall(span: duration_pb2.Duration, field: str) -> time:
    if not (0 <= span.seconds < _DAY_S and 0 <= span.nanos < _NANOS):
        raise _refused(field, f"{span.seconds} s {span.nanos} ns", "a wall time: less than a day since midnight")
    return (_MIDNIGHT + timedelta(seconds=span.seconds, microseconds=span.nanos // 1000)).time()


def _refused(field: str, value: str, want: str) -> InvalidRequest:
    violation = Violation(f"windows.{field}", value, want)
    return InvalidRequest("E_WINDOW", str(violation), violations=(violation,))


_DAYS: tuple[activationpb.Weekday, ...] = (
    activationpb.WEEKDAY_MONDAY,
    activationpb.WEEKDAY_TUESDAY,
    activationpb.WEEKDAY_WEDNESDAY,
    activationpb.WEEKDAY_THURSDAY,
    activationpb.WEEKDAY_FRIDAY,
    activationpb.WEEKDAY_SATURDAY,
    activationpb.WEEKDAY_SUNDAY,
)

"""What is asked of data sessions: one to be opened, one to be subscribed to."""

import re
from dataclasses import dataclass
from datetime import timedelta

from qmtl.calendars.spans import Span, ceil_to
from qmtl.core.errors import refused
from qmtl.core.instants import from_ns, timestamp_text

LENGTH_DEFAULT = timedelta(days=7)
FOLLOWERS_MAX = 64
BARS_PER_S_MIN, BARS_PER_S_MAX = 1e-6, 10_000.0
_MICROSECOND = timedelta(microseconds=1)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """A session that is to be opened. `start_ns` None: the last `length` of the data is played."""

    session_id: str
    world_id: str
    start_ns: int | None
    length: timedelta
    bars_per_s: float
    followers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.session_id, "session_id")
        check_name(self.world_id, "world_id")
        if self.length < timedelta(0):
            raise refused("E_DATA_SESSION", "span", self.length, "not negative")
        for index, name in enumerate(self.followers[:FOLLOWERS_MAX]):
            check_name(name, f"followers[{index}]")
        if len(self.followers) > FOLLOWERS_MAX:
            raise refused("E_DATA_SESSION", "followers", f"{len(self.followers)} names", f"at most {FOLLOWERS_MAX}")
        if self.bars_per_s and not BARS_PER_S_MIN <= self.bars_per_s <= BARS_PER_S_MAX:
            want = f"0, or {BARS_PER_S_MIN:g} to {BARS_PER_S_MAX:g}"
            raise refused("E_DATA_SESSION", "bars_per_second", self.bars_per_s, want)

    def span(self, data: Span, interval_ns: int) -> Span:
        """The stretch of the data it means. Raises InvalidRequest (E_DATA_SESSION)."""
        length_ns = self.length // _MICROSECOND * 1000
        first_ns = self.start_ns if self.start_ns is not None else data.end_ns - length_ns
        start_ns = ceil_to(first_ns, interval_ns)
        if not data.start_ns < start_ns < data.end_ns:
            after, before = (timestamp_text(from_ns(edge)) for edge in (data.start_ns, data.end_ns))
            want = f"a first bar after {after} and before {before}"
            if self.start_ns is None:
                raise refused("E_DATA_SESSION", "span", self.length, want)
            raise refused("E_DATA_SESSION", "start_time", timestamp_text(from_ns(self.start_ns)), want)
        return Span(start_ns, data.end_ns)


@dataclass(frozen=True, slots=True)
class SubscribeQuery:
    """A subscription. `start_ns` None: from the session's start; `follower` empty: nobody has to confirm."""

    dataset: str
    session_id: str
    start_ns: int | None
    follower: str


def check_name(name: str, field: str) -> None:
    """Raises InvalidRequest (E_DATA_SESSION)."""
    if not _NAME.fullmatch(name):
        raise refused("E_DATA_SESSION", field, repr(name), "1 to 128 of A-Z a-z 0-9 . _ : -")

"""The trades that make up a tape's bars: of each bar its open, its high and low in one instant, and its close."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from tests.exchange.market.tape import Candle, Tape

MS_NS = 1_000_000
PER_BAR = 4


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade. Ids of a symbol follow on one another."""

    number: int
    time_ns: int
    price: str
    volume: str


def trades_after(tape: Tape, since_ns: int, count: int) -> list[Trade]:
    """The oldest trades later than an instant, those that the tape withholds left out once."""
    start_ms = since_ns // MS_NS - tape.interval_ms
    listed = list(islice(_after(tape, max(start_ms, tape.first_ms), since_ns), count))
    if not listed:
        return []
    kept_back = tape.kept_back(listed[0].time_ns // MS_NS, listed[-1].time_ns // MS_NS)
    return [one for one in listed if not any(low <= one.time_ns // MS_NS < high for low, high in kept_back)]


def _after(tape: Tape, start_ms: int, since_ns: int) -> Iterator[Trade]:
    first_ms = start_ms - (start_ms - tape.first_ms) % tape.interval_ms
    number = PER_BAR * tape.bars_before(first_ms)
    for open_ms in tape.opens(first_ms):
        for one in _of_bar(tape.candle(open_ms), tape.interval_ms, number):
            if since_ns < one.time_ns <= tape.clock() * MS_NS:
                yield one
        number += PER_BAR


def _of_bar(candle: Candle, interval_ms: int, number: int) -> Iterator[Trade]:
    start_ns, end_ns = candle.open_ms * MS_NS, (candle.open_ms + interval_ms) * MS_NS
    times = (start_ns, start_ns + 700, start_ns + 700, end_ns - 100)
    whole = int(candle.volume.replace(".", ""))
    parts = [whole // 7, whole // 5, whole // 3]
    parts.append(whole - sum(parts))
    for i, price in enumerate((candle.open, candle.high, candle.low, candle.close)):
        volume = f"{parts[i] // 10**8}.{parts[i] % 10**8:08d}"
        yield Trade(number + i + 1, times[i], price, volume)

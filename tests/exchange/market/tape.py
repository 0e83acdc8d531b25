"""The bars of one symbol: every one follows from a seed, so a test knows the truth without having kept it.

What goes wrong is by script: `hole` is a time in which the exchange was down and has no bars, `withheld` one of which
an answer leaves bars out that it has, `nulls` and `blank` answers with empty fields, `sparse` pages shorter than asked
for, `halt` an exchange that makes no bars any more, `correct` a bar whose values change after its close.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Candle:
    """One bar as an exchange writes it: decimal text, times in ms."""

    open_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    trades: int

    @property
    def values(self) -> tuple[str, str, str, str, str]:
        return self.open, self.high, self.low, self.close, self.volume


@dataclass(slots=True)
class Tape:
    """Bars of `symbol` from `first_ms` on, as far as the exchange's clock has come."""

    symbol: str
    interval_ms: int
    first_ms: int
    clock: Callable[[], int]
    seed: str = "tape"
    sparse: int = 0  # the most rows of a page; 0: as many as asked for
    off_by_one: bool = False  # pages begin a bar before what was asked for, and have a row fewer than they may
    halted_ms: int | None = None
    holes: list[Span] = field(default_factory=list)
    withheld: list[Span] = field(default_factory=list)  # left out of the next answer about them, once each
    nulls: list[int] = field(default_factory=list)  # opens whose next answer has an empty field, once each
    blank: set[int] = field(default_factory=set)  # opens whose answers always have an empty field
    corrected: dict[int, int] = field(default_factory=dict)  # how often the bar of an open has changed
    flat: list[Span] = field(default_factory=list)  # times in which every bar is at one price

    def hole(self, start_ms: int, end_ms: int) -> None:
        """No bars open in [start, end): nothing was traded, or the exchange was down."""
        self.holes.append((start_ms, end_ms))

    def correct(self, open_ms: int) -> None:
        """Change a bar after its close."""
        self.corrected[open_ms] = self.corrected.get(open_ms, 0) + 1

    def halt(self) -> None:
        """Make no more bars from now on."""
        self.halted_ms = self.clock()

    def resume(self) -> None:
        """Make bars again; those of the time between never were."""
        if self.halted_ms is not None:
            start_ms = self.halted_ms - self.halted_ms % self.interval_ms + self.interval_ms
            self.hole(start_ms, self.clock() - self.clock() % self.interval_ms)
        self.halted_ms = None

    def truth(self, start_ms: int, end_ms: int) -> list[Candle]:
        """Every closed bar that opens in [start, end)."""
        now_ms = self._until_ms()
        return [self.candle(at) for at in self._opens(start_ms, end_ms) if at + self.interval_ms <= now_ms]

    def page(self, start_ms: int | None, end_ms: int | None, limit: int) -> list[list[str | None]]:
        """What an answer tells of bars that open in [start, end], the one still building among them, as rows of an
        open and five values; without a start, the newest.
        """
        last_ms = self._until_ms() - 1 if end_ms is None else min(end_ms, self._until_ms() - 1)
        if start_ms is None:
            start_ms = last_ms - limit * self.interval_ms + 1
        rows: list[list[str | None]] = []
        most = min(limit, self.sparse) if self.sparse else limit
        if self.off_by_one:
            start_ms, most = start_ms - self.interval_ms, max(2, most - 1)
        kept_back = self.kept_back(start_ms, last_ms)
        for at in self._opens(start_ms, last_ms + 1):
            if len(rows) >= most:
                break
            if not any(low <= at < high for low, high in kept_back):
                rows.append([str(at), *self.values(at)])
        return rows

    def kept_back(self, start_ms: int, last_ms: int) -> list[Span]:
        """What an answer about [start, last] leaves out, this once."""
        found = [span for span in self.withheld if span[0] <= last_ms and start_ms < span[1]]
        for span in found:
            self.withheld.remove(span)
        return found

    def makes(self, open_ms: int) -> bool:
        """Whether there is a bar of an open, closed or building."""
        return open_ms in self._opens(open_ms, open_ms + 1)

    def opens(self, start_ms: int) -> Iterator[int]:
        """Opens of all bars from a time on, that of the one building last."""
        return self._opens(start_ms, self._until_ms())

    def bars_before(self, open_ms: int) -> int:
        """How many bars there are before an open."""
        step = self.interval_ms
        lost = {at for low, high in self.holes for at in range(low + -low % step, min(high, open_ms), step)}
        return (open_ms - self.first_ms) // step - len([at for at in lost if at >= self.first_ms])

    def candle(self, open_ms: int) -> Candle:
        """The bar of an open, as it stands."""
        word = f"{self.seed}/{self.symbol}/{open_ms}/{self.corrected.get(open_ms, 0)}".encode()
        noise = hashlib.blake2b(word, digest_size=10).digest()
        first, last = 10_000 + noise[0], 10_000 + noise[1]
        high, low = max(first, last) + noise[2] % 32, min(first, last) - noise[3] % 32
        if any(low_ms <= open_ms < high_ms for low_ms, high_ms in self.flat):
            first = last = high = low = 10_100
        volume = f"{noise[4] % 9 + 1}.{noise[5]:03d}00000"
        return Candle(open_ms, _price(first), _price(high), _price(low), _price(last), volume, noise[6] + 1)

    def values(self, open_ms: int) -> list[str | None]:
        """Open, high, low, close, volume of a bar as it is told now."""
        candle = self.candle(open_ms)
        values: list[str | None] = [*candle.values]
        if open_ms + self.interval_ms > self.clock():  # it builds: its close is not the last word
            values[1] = values[2] = values[3] = candle.open
            values[4] = "0.00100000"
        if open_ms in self.nulls:
            self.nulls.remove(open_ms)
            values[3] = None
        if open_ms in self.blank:
            values[3] = None
        return values

    def _until_ms(self) -> int:
        return self.clock() if self.halted_ms is None else self.halted_ms

    def _opens(self, start_ms: int, end_ms: int) -> Iterator[int]:
        first = max(start_ms, self.first_ms)
        first += -first % self.interval_ms
        for at in range(first, min(end_ms, self._until_ms()), self.interval_ms):
            if not any(low <= at < high for low, high in self.holes):
                yield at


def _price(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}000000"

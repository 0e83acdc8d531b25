"""Bars of several symbols on one time line: a step for every instant at which a bar closes, bars made on demand.

At one step bars come in order of symbol, so that every run sees one order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from brokerage.domain.market.bars import Bar, BarColumns
from brokerage.domain.market.mark import Mark
from qmtl.core.arrays.merging import merged_times

Steps = npt.NDArray[np.int64]


class Timeline:
    """`ends` (n,) are the steps' instants, in order. `columns` has the bars by symbol."""

    def __init__(self, series: Iterable[BarColumns]) -> None:
        self.columns: Mapping[str, BarColumns] = {
            one.instrument.symbol: one for one in sorted(series, key=lambda one: one.instrument.symbol)
        }
        closes = {symbol: one.start_ns + one.interval_ns for symbol, one in self.columns.items()}
        several = len(closes) != 1
        if several:
            self.ends: Steps = merged_times(closes.values())
        else:
            [self.ends] = closes.values()
        self._closes = closes
        self._newest: Mapping[str, Steps] | None = None
        if several:
            self._newest = {name: np.searchsorted(at, self.ends, side="right") - 1 for name, at in closes.items()}

    def __len__(self) -> int:
        return len(self.ends)

    def newest(self, symbol: str, step: int) -> int:
        """The row of the newest bar of a symbol at the close of a step; -1: there is none yet."""
        return step if self._newest is None else int(self._newest[symbol][step])

    def rows(self, symbol: str, begin: int, end: int) -> Steps | slice:
        """What `newest` answers for the steps in [begin, end), as an index into columns."""
        return slice(begin, end) if self._newest is None else self._newest[symbol][begin:end]

    def step_of(self, symbol: str, row: int) -> int:
        """The step at which the bar of a row closes."""
        return row if self._newest is None else int(np.searchsorted(self.ends, self._closes[symbol][row]))

    def rows_at(self, step: int) -> list[tuple[str, int]]:
        """The rows of the bars that close at a step, in order of symbol."""
        if self._newest is None:
            return [(symbol, step) for symbol in self.columns]
        end, found = self.ends.item(step), list[tuple[str, int]]()
        for symbol, newest in self._newest.items():
            row = newest.item(step)
            if row >= 0 and self._closes[symbol].item(row) == end:
                found.append((symbol, row))
        return found

    def bars_at(self, step: int) -> list[tuple[str, Bar]]:
        """The bars that close at a step."""
        return [(symbol, self.columns[symbol].bar(row)) for symbol, row in self.rows_at(step)]

    def mark(self, symbol: str, step: int) -> Mark | None:
        """The price that a symbol has at the close of a step."""
        row = self.newest(symbol, step)
        return None if row < 0 else self.mark_of(symbol, row)

    def mark_of(self, symbol: str, row: int) -> Mark:
        """The price that the bar of a row leaves."""
        columns = self.columns[symbol]
        return Mark(columns.close.at(row), columns.start_ns.item(row) + columns.interval_ns, columns.interval_ns)

    def step_after(self, at_ns: int, begin: int = 0) -> int:
        """The first step from `begin` on that ends at or after an instant."""
        return max(int(np.searchsorted(self.ends, at_ns)), begin)

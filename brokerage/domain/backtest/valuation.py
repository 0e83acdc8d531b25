"""What positions were worth at many closes at once: the arithmetic of `Instrument.notional` and of a ledger's equity,
over columns of exact integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd

import numpy as np
import numpy.typing as npt

from brokerage.domain.accounts.ledger import Ledger
from brokerage.domain.backtest.timeline import Timeline
from brokerage.domain.market.bars import Integers, Units
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.money import fit
from qmtl.core.decimals import INT64_MAX

_BLOCK = 8_192
"""Rows that are valued together, so that they stay in a processor's cache."""


def notionals(instrument: Instrument, prices: Units, quantities: Integers) -> Integers:
    """`Instrument.notional` of each price and quantity: half to even, refusing what int64 cannot hold.

    In int64 where no product can leave it, else in integers without a width.
    """
    up, down = instrument.value_ratio
    up *= prices.factor
    common = gcd(up, down)
    up, down = up // common, down // common
    largest = _largest(prices.whole) * _largest(quantities) * up
    if largest <= INT64_MAX // 4 and down <= INT64_MAX // 4:
        found: Integers = np.empty_like(prices.whole)
        for begin in range(0, len(found), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            found[part] = _divided(prices.whole[part] * quantities[part] * up, down)
    else:
        found = _divided(prices.whole.astype(np.object_) * quantities.astype(np.object_) * up, down)
    fit(_largest(found), "notional")
    return found


def _largest(values: Integers) -> int:
    """The largest magnitude."""
    return max(int(values.max()), -int(values.min())) if len(values) else 0


def _divided(numerators: Integers, denominator: int) -> Integers:
    """`money.divide` of each: half to even. The numerators are used up."""
    if denominator == 1:
        return numerators
    shifted = numerators
    shifted += denominator // 2
    quotients: Integers = shifted // denominator
    if denominator % 2 == 0:
        shifted -= quotients * denominator
        between = np.flatnonzero(shifted == 0)
        quotients[between] -= quotients[between] & 1
    return quotients


def total(parts: list[Integers], what: str) -> Integers:
    """The sums of columns, refusing what int64 cannot hold."""
    if sum(_largest(part) for part in parts) > INT64_MAX:
        parts = [part.astype(np.object_) for part in parts]
    found = parts[0]
    for part in parts[1:]:
        found = found + part
    fit(_largest(found), what)
    return found


class EquityCurve:
    """Equity at the close of every step, from what an account held at the steps that changed it."""

    def __init__(self, timeline: Timeline, ledger: Ledger, currency: str) -> None:
        self._timeline, self._ledger, self._currency = timeline, ledger, currency
        self._steps: list[int] = []
        self._cash: list[int] = []
        self._held: dict[str, list[int]] = {symbol: [] for symbol in timeline.columns}
        self._cost: dict[str, list[int]] = {symbol: [] for symbol in timeline.columns}
        self._before: tuple[int, ...] = ()

    def note(self, step: int) -> None:
        """Take what the account holds at the close of a step; it holds the same until the next that is noted."""
        cash = self._ledger.book_of_cash.total(self._currency)
        held = [self._ledger.position(symbol) for symbol in self._held]
        now = (cash, *(one.quantity for one in held), *(one.cost for one in held))
        if now == self._before:
            return
        self._before = now
        self._steps.append(step)
        self._cash.append(cash)
        for symbol, position in zip(self._held, held, strict=True):
            self._held[symbol].append(position.quantity)
            self._cost[symbol].append(position.cost)

    def extend(self, symbol: str, steps: list[int], cash: list[int], held: list[int], cost: list[int]) -> None:
        """Take what the account held from each of several steps on, in a run of one symbol."""
        self._steps += steps
        self._cash += cash
        self._held[symbol] += held
        self._cost[symbol] += cost
        self._before = ()

    def extend_several(
        self, steps: list[int], cash: list[int], held: Mapping[str, list[int]], cost: Mapping[str, list[int]]
    ) -> None:
        """As `extend`, for all symbols of a run."""
        self._steps += steps
        self._cash += cash
        for symbol in self._held:
            self._held[symbol] += held[symbol]
            self._cost[symbol] += cost[symbol]
        self._before = ()

    def held(self, end: int) -> dict[str, npt.NDArray[np.int64]]:
        """Signed quantities at each step in [0, end), scaled, of the symbols that were ever held."""
        lengths = np.diff([*self._steps, end])
        return {symbol: _repeated(held, lengths) for symbol, held in self._held.items() if any(held)}

    def between(self, begin: int, end: int) -> tuple[npt.NDArray[np.int64], int]:
        """Equity at the steps in [begin, end), scaled, and at how many of them something was held.

        The first of them, or one before it, was noted. Raises InvalidRequest (E_AMOUNT_OVERFLOW).
        """
        begins = np.maximum(np.array(self._steps, dtype=np.int64), begin)
        lengths = np.diff(np.minimum([*begins.tolist(), end], end))
        parts: list[Integers] = [_repeated(self._cash, lengths)]
        invested = np.zeros(max(end - begin, 0), dtype=np.bool_)
        for symbol, held in self._held.items():
            if not any(held):
                continue
            columns, rows = self._timeline.columns[symbol], self._timeline.rows(symbol, begin, end)
            quantities = _repeated(held, lengths)
            invested |= quantities != 0
            prices = Units(columns.close.whole[rows], columns.close.factor)
            parts.append(notionals(columns.instrument, prices, quantities))
            if columns.instrument.pays_profit_only:
                costs = [cost if quantity else 0 for cost, quantity in zip(self._cost[symbol], held, strict=True)]
                parts.append(-_repeated(costs, lengths))
        equity = total(parts, f"equity in {self._currency}")
        return equity.astype(np.int64, copy=False), int(np.count_nonzero(invested))


def _repeated(values: list[int], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.repeat(np.array(values, dtype=np.int64), lengths)

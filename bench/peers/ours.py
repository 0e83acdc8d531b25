"""This project over the bars of the peers: `python -m bench.peers.ours CASE BARS.npy`; JSON as of `engines`."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Any

import numpy as np

from bench.peers.engines import CASH, FAST, PAIRS, SLOW, STOP, TARGET, Found, Run, measured
from brokerage.domain.market.instrument import instrument
from brokerage.domain.models.profiles.generic import spot
from qmtl.sdk import Bars, Bracket, Sizing, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.execution.compiled.paying import Compiling
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.runner import Runner
from qmtl.sdk.strategy.assembly import assemble

MINUTE_NS = 60 * 10**9
BEGIN_NS = 1_600_000_020 * 10**9 // MINUTE_NS * MINUTE_NS


class Cross(Strategy):
    """One unit of each symbol while its fast average is above the slow one."""

    def __init__(
        self,
        fast: int = FAST,
        slow: int = SLOW,
        symbols: tuple[str, ...] = ("S0-USD",),
        bracket: Bracket | None = None,
    ) -> None:
        super().__init__()
        self._fast, self._slow, self._symbols, self._bracket = fast, slow, symbols, bracket

    def setup(self) -> None:
        for symbol in self._symbols:
            price = StreamInput(symbol, interval="1m")
            direction = signals.cross(ta.sma(price, self._fast), ta.sma(price, self._slow))
            target = signals.position_target(direction, long=1.0)
            self.trade(target, price, sizing=Sizing.UNITS, bracket=self._bracket)


def run_of(values: Any, case: str) -> Run:
    """A whole run: graph, exact account, report."""
    symbols = tuple(f"S{number}-USD" for number in range(len(values)))
    traded = tuple(instrument(one, base=one[:2], quote="USD", tick="0.0001", lot="0.001") for one in symbols)
    terms = AccountTerms(Decimal(int(CASH)), spot("0.001", participation="0"), instruments=traded)
    times = BEGIN_NS + MINUTE_NS * np.arange(values.shape[1], dtype=np.int64)
    bars = [Bars(symbol, 60, times, one) for symbol, one in zip(symbols, values, strict=True)]

    def sweep() -> Found:
        grid = {"fast": sorted({fast for fast, _ in PAIRS}), "slow": sorted({slow for _, slow in PAIRS})}
        made = Runner.sweep(Cross, grid, bars, terms=terms)
        trades, returns = ([trial.metrics[name] for trial in made.trials] for name in ("n_trades", "total_return"))
        return int(sum(trades)), CASH * (1.0 + max(returns))

    def run() -> Found:
        bracket = Bracket(stop=str(STOP), target=str(TARGET)) if case == "bracket" else None
        made = replay(assemble(Cross(symbols=symbols, bracket=bracket)), bars, terms, compiling=Compiling.ALWAYS)
        return len(made.trades), float(made.equity[-1])

    return sweep if case == "sweep" else run


def main() -> None:
    """Measure one case."""
    case, file = sys.argv[1:]
    sys.stdout.write(json.dumps(measured(lambda bars: run_of(bars, case), np.load(file), warm=True)) + "\n")


if __name__ == "__main__":
    main()

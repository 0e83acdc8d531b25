"""The runner: one strategy, three ways to run it, none of which lets the author choose a mode.

`backtest` is local research. `submit` hands the strategy to a world, which decides; `run` goes on live as far
as that world's activation allows. The connected ways load their transport when they are called.
"""

from __future__ import annotations

from collections.abc import Iterable

from qmtl.sdk.backtest import AccountTerms, replay
from qmtl.sdk.bars import Bars
from qmtl.sdk.results import BacktestResult
from qmtl.sdk.strategy import Strategy, assemble


class Runner:
    """Entry points. Every call takes a new strategy instance."""

    @staticmethod
    def backtest(
        strategy: Strategy, data: Bars | Iterable[Bars], *, terms: AccountTerms | None = None, streaming: bool = False
    ) -> BacktestResult:
        """Run a strategy over local bars, without a mesh. Not authoritative.

        `streaming` True drives the graph event by event instead of in batch: slower, the same result bit for bit.
        """
        assembled = assemble(strategy)
        bars = (data,) if isinstance(data, Bars) else tuple(data)
        return BacktestResult(assembled.name, replay(assembled, bars, terms, streaming=streaming), bars)

"""Drawing needs a library that is installed on demand; without it the message says how."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from examples.ema_cross import EmaCross
from qmtl.core.errors import NotReady
from qmtl.core.instants import NS_PER_S
from qmtl.sdk import Bars, Runner, Strategy, StreamInput, indicators, instrument, signals
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.reports.plots import SYMBOLS_MAX, draw_replay, replay_figure
from tests.sdk.market import walk


def test_without_matplotlib_nothing_is_drawn_and_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = walk(300, seed=1)
    replay = Runner.backtest(EmaCross(), bars).replay
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)  # as where it is not installed
    with pytest.raises(NotReady, match=r"E_NO_MATPLOTLIB.*qmtl\[demo\]"):
        draw_replay("ema", replay, [bars], tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


GAP = np.ones(900, dtype=np.bool_)
GAP[500:620] = False


class Everywhere(Strategy):
    """Trades every symbol it is given."""

    def __init__(self, symbols: list[str]) -> None:
        self.symbols = symbols

    def setup(self) -> None:
        for symbol in self.symbols:
            price = StreamInput(symbol, interval="15m", period=48)
            direction = signals.cross(indicators.ema(price, 4), indicators.ema(price, 16))
            self.trade(signals.position_target(direction, long=0.05), price)


def figure_of(symbols: list[str]) -> tuple[Figure, RunResult]:
    bars = [walk(900, seed=seed, symbol=symbol, kept=GAP.copy()) for seed, symbol in enumerate(symbols)]
    own = tuple(instrument(symbol, base="X", quote="USD", tick="0.01", lot="0.0001") for symbol in symbols)
    replay = Runner.backtest(Everywhere(symbols), bars, instruments=own).replay
    return replay_figure("test", replay, bars), replay


def test_gaps_stay_gaps_and_each_symbol_has_a_panel_of_its_own() -> None:
    figure, replay = figure_of(["BTC-USD", "ETH-USD"])
    equity, drawdown, *prices = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["equity (USD)", "drawdown (%)", "BTC-USD", "ETH-USD"]
    for axes in (equity, *prices):
        drawn = np.asarray(axes.lines[0].get_ydata(), dtype=np.float64)
        assert np.flatnonzero(np.isnan(drawn)).tolist() == [500 - (900 - 120 - len(replay.time_ns))]
    assert len(drawdown.collections[0].get_paths()) == 2
    buys, sells = (len(np.asarray(marks.get_offsets())) for marks in prices[0].collections)
    counted = [np.sign(float(fill.quantity)) for fill in replay.fills if fill.symbol == "BTC-USD"]
    assert (buys, sells) == (counted.count(1.0), counted.count(-1.0))
    assert buys > 0 < sells


def test_of_too_many_symbols_the_busiest_are_drawn_and_the_title_says_so() -> None:
    figure, replay = figure_of([f"S{number}-USD" for number in range(SYMBOLS_MAX + 1)])
    assert len(figure.axes) == 2 + SYMBOLS_MAX
    assert figure.axes[0].get_title() == "test: 8 of 9 symbols are drawn"
    fills = Counter(fill.symbol for fill in replay.fills)
    left = set(fills) - {axes.get_ylabel() for axes in figure.axes}
    assert all(fills[symbol] == min(fills.values()) for symbol in left)


WEEKDAYS = [day for day in range(40) if day % 7 < 5]  # from Monday 2024-02-26 on; Good Friday is day 32
SESSIONS = [day for day in WEEKDAYS if day != 32]


def stock_figure(days: list[int], calendar: str) -> Figure:
    at = 1_708_905_600 * NS_PER_S + 86_400 * NS_PER_S * np.array(days, dtype=np.int64)
    bars = Bars("ABC", 86_400, at, walk(len(days), seed=4, symbol="ABC").values)
    own = instrument("ABC", base="ABC", quote="USD", calendar=calendar)
    return replay_figure("$x^{$", Runner.backtest(Held("ABC"), bars, instruments=[own]).replay, [bars])


class Held(Strategy):
    """Always a tenth."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol

    def setup(self) -> None:
        price = StreamInput(self.symbol, interval="1d")
        self.trade(signals.position_target(signals.threshold(price, above=0.0, below=0.0), long=0.1), price)


@pytest.mark.parametrize(
    ("days", "calendar", "broken"),
    [
        (SESSIONS, "XNYS", 0),
        ([day for day in SESSIONS if day != 9], "XNYS", 1),  # a Wednesday
        ([day for day in SESSIONS if day != 11], "XNYS", 1),  # a Friday
        (SESSIONS, "", 5),  # of weekends, the last one longer
    ],
)
def test_where_an_exchange_is_closed_nothing_is_missing(days: list[int], calendar: str, broken: int) -> None:
    equity, drawdown, price = stock_figure(days, calendar).axes
    for axes in (equity, price):
        assert int(np.isnan(np.asarray(axes.lines[0].get_ydata(), dtype=np.float64)).sum()) == broken
    assert len(drawdown.collections[0].get_paths()) == 1 + broken

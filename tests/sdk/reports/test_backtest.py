"""A backtest's result: trades and why they ended, denials first, buy and hold beside it, one file with all of it."""

from __future__ import annotations

import json
import re
from decimal import Decimal as D
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from brokerage.domain.models.corporate import Split
from brokerage.domain.models.profiles.generic import margin, spot
from qmtl.core.instants import from_ns
from qmtl.sdk import AccountTerms, Bars, Bracket, Runner, Sizing, Strategy, StreamInput, indicators, signals
from qmtl.sdk.reports.backtest import BacktestResult
from qmtl.sdk.reports.benchmark import buy_and_hold
from qmtl.sdk.reports.tearsheet import monthly_returns, rolling_sharpe
from qmtl.stats.ratios import sharpe
from qmtl.stats.returns import UTC_DAYS
from tests.sdk.market import START_NS, STEP_NS, prices, walk

FREE = AccountTerms(cash=D(1000), profile=spot("0", participation="0"))


class Above(Strategy):
    """One unit while the close is above 100."""

    def __init__(self, bracket: Bracket | None = None, units: float = 1.0) -> None:
        self.bracket, self.units = bracket, units

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        target = signals.position_target(signals.threshold(price, above=100.0, below=100.0), long=self.units, short=0.0)
        self.trade(target, price, sizing=Sizing.UNITS, bracket=self.bracket)


def result(
    *closes: float, bracket: Bracket | None = None, terms: AccountTerms = FREE, units: float = 1.0
) -> BacktestResult:
    return Runner.backtest(Above(bracket, units), prices(*closes), terms=terms)


def test_a_trade_has_its_prices_its_reach_and_its_reason() -> None:
    [row] = result(90, 101, 102, 110, 96, 95, 95).trade_rows
    trade = row.trade
    assert (trade.quantity, trade.entry_price, trade.exit_price, trade.net) == (D(1), D(102), D(95), D(-7))
    assert (row.mae, row.mfe, row.bars_held, row.ended_by) == (D(-7), D(8), 3, "target changed")


@pytest.mark.parametrize(
    ("closes", "reason", "net"),
    [((90, 101, 101, 90, 120), "stop", D(-11)), ((90, 101, 101, 120, 90), "take profit", D(19))],
)
def test_exits_of_a_bracket_are_named(closes: tuple[float, ...], reason: str, net: D) -> None:
    [row] = result(*closes, bracket=Bracket(stop="0.02", target="0.05")).trade_rows
    assert (row.ended_by, row.trade.net) == (reason, net)


def test_a_margin_call_is_named() -> None:
    """Six units at 101 of 200 in cash: equity is gone at 70."""
    terms = AccountTerms(cash=D(200), profile=margin(4, "0", participation="0"))
    rows = result(101, 101, 101, 70, 70, 70, terms=terms, units=6.0).trade_rows
    assert {row.ended_by for row in rows} == {"margin call"}


def test_the_frame_has_a_row_a_trade_and_an_empty_run_none() -> None:
    frame = result(90, 101, 102, 110, 96, 95, 95).trades
    assert frame.select("symbol", "side", "quantity", "net", "bars_held").rows() == [("BTC-USD", "long", 1.0, -7.0, 3)]
    assert str(frame["entry_time"].dtype) == "Datetime(time_unit='ns', time_zone='UTC')"
    assert result(90, 90, 90).trades.height == 0


def test_lots_are_followed_over_a_split() -> None:
    split = Split("BTC-USD", START_NS + 3 * STEP_NS, Fraction(2))
    terms = AccountTerms(cash=D(1000), profile=spot("0", participation="0"), actions=(split,))
    run = result(90, 101, 102, 52, 45, 44, terms=terms)
    [row] = run.trade_rows
    assert row.trade.quantity == 2 * run.replay.fills[0].quantity
    assert row.trade.entry_price == run.replay.fills[0].price / 2
    assert row.trade.net == run.replay.equity[-1] - 1000
    assert (row.mae, row.mfe, row.ended_by) == (None, None, "target changed")
    assert "buy and hold" not in str(result(90, 101, 102, 50, 50, terms=terms))  # half the price, twice the shares


def test_buy_and_hold_puts_equal_parts_in_each_symbol_from_its_first_close() -> None:
    run = result(101, 102, 104, 101)
    late = Bars("ETH-USD", 900, START_NS + STEP_NS * np.array([2, 3]), np.tile([[10.0], [30.0]], (1, 5)))
    held = buy_and_hold(run.replay, [*run.bars, late])
    assert held.tolist() == pytest.approx(
        [1000 * (price / 101 + other) / 2 for price, other in ((101, 1), (102, 1), (104, 1), (101, 3))]
    )
    assert run.benchmark["total_return"] == pytest.approx(0.0)


def test_what_was_denied_is_said_before_any_number() -> None:
    said = str(result(90, 101, 102, 103, 104, units=50.0))
    assert said.splitlines()[0].startswith("Above  could not hold what it wanted")
    assert said.index("denied by") < said.index("total_return")
    assert "buy and hold: total_return" in said
    assert "ratios of 365 sessions a year, by the calendar of what it trades" in said


def test_months_multiply_to_the_whole_return() -> None:
    times = START_NS + 86_400 * 10**9 * np.arange(80, dtype=np.int64)
    equity = 1000.0 * np.exp(np.cumsum(np.random.default_rng(1).normal(0.0, 0.01, 80)))
    months = monthly_returns(times, equity)
    assert list(months) == [(2021, 9), (2021, 10), (2021, 11), (2021, 12)]
    assert np.prod([1.0 + value for value in months.values()]) == pytest.approx(equity[-1] / equity[0])
    ends, ratios = rolling_sharpe(times, equity, UTC_DAYS, days=20)
    daily = equity[1:] / equity[:-1] - 1.0
    assert len(ends) == len(ratios) == 80 - 20 + 1
    assert ratios[-1] == pytest.approx(sharpe(daily[-20:], 365.0))


def test_the_tear_sheet_is_one_file_that_fetches_nothing(tmp_path: Path) -> None:
    class Trend(Strategy):
        name = "trend <b>"

        def setup(self) -> None:
            price = StreamInput("BTC-USD")
            rising = signals.trend(indicators.ema(price, 10), indicators.ema(price, 40))
            self.trade(signals.position_target(rising, long=0.9, short=0.0), price)

    run = Runner.backtest(Trend(), walk(3500, 4))
    page = run.tearsheet(tmp_path / "out" / "sheet.html").read_text(encoding="utf-8")
    assert "trend &lt;b&gt;" in page
    assert "<b>" not in page
    assert page.count('src="data:image/png;base64,') == 2
    assert not re.search(r"(src|href)=.(?!data:)|@import|<script", page)
    for heading in ("buy and hold", "Months", "Costs", f"Trades ({len(run.trade_rows)})"):
        assert heading in page


class Averaged(Strategy):
    """A mean of twenty bars decides; `name` is whatever somebody wrote there."""

    name = "[/bold] <script>alert(1)</script> $x^{$"

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        mean = indicators.sma(price, 20)
        self.trade(signals.position_target(signals.trend(price, mean), long=0.5, short=0.0), price)


@pytest.mark.parametrize("every_bar", [False, True])
def test_a_run_with_fewer_bars_than_its_warm_up_says_so_first_with_the_numbers(every_bar: bool) -> None:
    short = Runner.backtest(Averaged(), walk(2), every_bar=every_bar)
    first = " ".join(str(short).split())
    assert first.startswith(Averaged.name + " no target for BTC-USD: 2 bars of BTC-USD at 900 s, want 20 or more")
    assert json.loads(short.to_json())["replay"]["undecided"] == [
        "no target for BTC-USD: 2 bars of BTC-USD at 900 s, want 20 or more"
    ]
    assert "no target" not in str(Runner.backtest(Averaged(), walk(20), every_bar=every_bar))
    late = AccountTerms(start=from_ns(int(walk(40).close_ns[-1])))
    assert "no target for BTC-USD after 2021-" in str(Runner.backtest(Averaged(), walk(40), terms=late))


def test_whatever_a_strategy_is_called_it_is_printed_drawn_and_escaped(tmp_path: Path) -> None:
    run = Runner.backtest(Averaged(), walk(300))
    assert str(run).startswith(Averaged.name)
    assert "<script>" not in run.tearsheet(tmp_path / "sheet.html").read_text()
    assert run.plot(tmp_path / "run.png").exists()

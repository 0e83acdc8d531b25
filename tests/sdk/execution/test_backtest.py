"""Local replay: fills on the next open, exact money, batch equal to streaming, hooks in order."""

import json
import subprocess
import sys
from decimal import Decimal as D
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from brokerage.domain.market.instrument import AssetClass, Instrument
from brokerage.domain.models.profiles.generic import margin, spot
from examples.ema_cross import EmaCross
from examples.ema_trend import EmaTrend
from qmtl.core.decimals import format_decimal
from qmtl.core.errors import InvalidRequest, NotFound
from qmtl.sdk import Bars, FillEvent, Runner, Signal, Sizing, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.market import START_NS, STEP_NS, gapped, prices, walk


class Above(Strategy):
    """Holds one unit while the price is above 100."""

    def __init__(self, symbols: tuple[str, ...] = ("BTC-USD",), short: float = 0.0) -> None:
        super().__init__()
        self.symbols, self.short = symbols, short
        self.log: list[str] = []

    def setup(self) -> None:
        for symbol in self.symbols:
            price = StreamInput(symbol)
            direction = signals.threshold(price, above=100.0, below=100.0)
            self.trade(signals.position_target(direction, long=1.0, short=self.short), price, sizing=Sizing.UNITS)

    def on_start(self) -> None:
        self.log.append("start")

    def on_signal(self, signal: Signal) -> None:
        self.log.append(f"signal {signal.value:g}")

    def on_fill(self, fill: FillEvent) -> None:
        self.log.append(f"fill {fill.quantity:.0f} @ {fill.price:.0f}")

    def on_finish(self) -> None:
        self.log.append("finish")


FREE = AccountTerms(cash=D(1000), profile=spot("0", participation="0"))


def test_orders_fill_on_the_next_open_never_on_the_deciding_bar() -> None:
    strategy = Above()
    result = Runner.backtest(strategy, prices(90, 101, 105, 95, 92), terms=FREE)
    assert [(f.quantity, f.price) for f in result.replay.fills] == [(D(1), D(105)), (D(-1), D(92))]
    assert [f.time_ns for f in result.replay.fills] == [START_NS + 2 * STEP_NS, START_NS + 4 * STEP_NS]
    assert strategy.log == ["start", "signal 1", "fill 1 @ 105", "signal 0", "fill -1 @ 92", "finish"]
    assert result.replay.equity == (D(1000), D(1000), D(1000), D(990), D(987))


def test_fees_are_exact_decimals() -> None:
    terms = AccountTerms(cash=D(1000), profile=spot("0.001", participation="0"))
    result = Runner.backtest(Above(), prices(90, 101, 105, 95, 92), terms=terms)
    assert result.replay.equity[-1] == D(1000) - 13 - D("0.105") - D("0.092")
    assert result.metrics["fees_paid"] == pytest.approx(0.197)
    assert result.metrics["n_trades"] == 1.0
    assert result.metrics["win_rate"] == 0.0


def test_denied_orders_are_reported_with_their_rule() -> None:
    poor = AccountTerms(cash=D(50), profile=spot("0"))
    result = Runner.backtest(Above(), prices(90, 101, 105), terms=poor)
    assert [refusal.rule for refusal in result.replay.denials] == ["BALANCE_INSUFFICIENT"] * 2
    assert result.replay.fills == ()


def test_shorts_need_margin() -> None:
    cash = Runner.backtest(Above(short=-1.0), prices(90, 80, 70), terms=FREE)
    assert [refusal.rule for refusal in cash.replay.denials] == ["SHORT_UNAVAILABLE"]
    terms = AccountTerms(cash=D(1000), profile=margin(2, "0", participation="0"))
    assert Runner.backtest(Above(short=-1.0), prices(90, 80, 70), terms=terms).replay.equity[-1] == 1010


def test_two_symbols_share_one_account() -> None:
    data = [prices(90, 101, 105, 110), prices(101, 102, 90, 80, symbol="ETH-USD")]
    result = Runner.backtest(Above(("BTC-USD", "ETH-USD")), data, terms=FREE)
    assert [(f.symbol, f.quantity, f.price) for f in result.replay.fills] == [
        ("ETH-USD", D(1), D(102)),
        ("BTC-USD", D(1), D(105)),
        ("ETH-USD", D(-1), D(80)),
    ]
    assert result.replay.equity[-1] == 1000 + 5 - 22


@given(bars=gapped(most=400).filter(len))
@settings(deadline=None, max_examples=15)
def test_batch_and_streaming_backtests_are_equal_to_the_last_digit(bars: Bars) -> None:
    class Small(Strategy):
        def setup(self) -> None:
            price = StreamInput("BTC-USD")
            direction = signals.cross(ta.ema(price, 3), ta.ema(price, 9))
            self.trade(signals.position_target(direction, long=0.95), price)

    batch, stream = Runner.backtest(Small(), bars), Runner.backtest(Small(), bars, every_bar=True)
    assert batch.to_json() == stream.to_json()


@pytest.mark.parametrize("make", [EmaCross, EmaTrend])
def test_every_example_is_equal_batch_and_streaming_and_repeats_itself(make: type[Strategy]) -> None:
    kept = np.random.default_rng(0).uniform(size=1500) > 0.03
    bars = walk(1500, seed=8, kept=kept)
    batch = Runner.backtest(make(), bars)
    assert batch.replay.fills
    assert batch.to_json() == Runner.backtest(make(), bars, every_bar=True).to_json()
    assert batch.to_json() == Runner.backtest(make(), bars, streaming=True).to_json()
    assert batch.to_json() == Runner.backtest(make(), bars).to_json()


def test_the_examples_share_source_and_slow_average() -> None:
    one, two = (assemble(make()).dag for make in (EmaCross, EmaTrend))
    shared = set(one.at) & set(two.at)
    assert {one.nodes[one.at[key]].spec.node_type for key in shared} == {"StreamInput", "indicator.ema"}
    assert len(shared) == 2


def test_the_future_does_not_change_the_past() -> None:
    bars = walk(900, seed=4)
    whole = Runner.backtest(EmaCross(), bars).replay
    cut = Runner.backtest(EmaCross(), bars.between(None, int(bars.open_ns[600]))).replay
    assert whole.equity[: len(cut.equity)] == cut.equity


def test_too_little_history_is_no_error_and_no_trade() -> None:
    result = Runner.backtest(EmaCross(), walk(50))
    assert result.replay.equity == ()
    assert result.metrics == {}
    assert "not authoritative" in str(result)


def test_what_cannot_be_traded_is_refused() -> None:
    class Nothing(Strategy):
        def setup(self) -> None:
            self.add_nodes(ta.ema(StreamInput("BTC-USD"), 3))

    with pytest.raises(InvalidRequest, match="E_NOTHING_TRADED"):
        Runner.backtest(Nothing(), walk(10))
    both, bars = ("BTC-USD", "BTC-EUR"), [prices(1), prices(1, symbol="BTC-EUR")]
    with pytest.raises(NotFound, match="E_INSTRUMENT_UNKNOWN"):
        Runner.backtest(Above(both), bars)
    euro = Instrument("BTC-EUR", AssetClass.CRYPTO, "BTC", "EUR", price_scale=2, quantity_scale=8, tick=1, lot=1)
    with pytest.raises(InvalidRequest, match="E_CURRENCIES"):
        Runner.backtest(Above(both), bars, terms=AccountTerms(instruments=(euro,)))


def test_result_prints_serialises_and_draws(tmp_path: Path) -> None:
    result = Runner.backtest(EmaCross(), walk(900, seed=8))
    document = json.loads(result.to_json())
    assert document["authoritative"] is False
    assert document["replay"]["equity"]["value"][-1] == format_decimal(result.replay.equity[-1])
    assert "max_drawdown" in str(result)
    assert result.plot(tmp_path / "out" / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_importing_the_sdk_is_fast_and_loads_no_compiler_and_no_transport() -> None:
    program = "import sys, qmtl.sdk; print([m for m in ('numba', 'grpc', 'polars', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""One engine over bars in a file: `PYTHON bench/peers/engines.py ENGINE CASE BARS.npy`, by a Python that has it.

Prints JSON: CPU seconds of the fastest run (the second of what warms up), closed trades, equity at the end, and the MiB
that the process grew by over its imports, compiling and bars. Every engine holds one unit of each symbol while the mean
of 20 closes is above that of 50, pays 0.1 %, and fills at the next open where it can.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

FAST, SLOW, FEE, CASH, STOP, TARGET = 20, 50, 0.001, 10_000_000.0, 0.01, 0.02
PAIRS = [(fast, slow) for fast in range(5, 25) for slow in range(30, 80, 5)]
Found = tuple[int, float]
Run = Callable[[], Found]
_COLUMNS = ["Open", "High", "Low", "Close", "Volume"]


def frames(values: Any, names: list[str]) -> list[Any]:
    """A frame by symbol, of minutes."""
    import pandas as pd

    index = pd.date_range("2020-09-13 12:27", periods=values.shape[1], freq="min")
    return [pd.DataFrame(one[:, :5], columns=names, index=index) for one in values]


def numba(values: Any, case: str) -> Run:
    """The floor: a compiled loop in floats, without orders, scales or checks."""
    import numba as nb

    @nb.njit
    def loop(opens: Any, closes: Any) -> tuple[int, float]:
        cash, held, side, trades = 10_000_000.0, 0.0, False, 0
        for i in range(49, len(closes)):
            if side and held == 0.0:
                held = 1.0
                cash -= opens[i] * 1.001
            elif not side and held > 0.0:
                held, trades = 0.0, trades + 1
                cash += opens[i] * 0.999
            side = closes[i - 19 : i + 1].mean() > closes[i - 49 : i + 1].mean()
        return trades, cash + held * closes[-1]

    def run() -> Found:
        found = [loop(one[:, 0], one[:, 3]) for one in values]
        return sum(trades for trades, _ in found), sum(equity for _, equity in found) - CASH * (len(found) - 1)

    return run


def vectorbt(values: Any, case: str) -> Run:
    """Floats in columns; signals are shifted to the next open."""
    import pandas as pd
    import vectorbt as vbt  # type: ignore[import-not-found,unused-ignore]  # a peer

    opens = pd.DataFrame({number: one[:, 0] for number, one in enumerate(values)})
    closes = pd.DataFrame({number: one[:, 3] for number, one in enumerate(values)})
    high, low = (pd.DataFrame({n: one[:, at] for n, one in enumerate(values)}) for at in (1, 2))

    def sweep() -> Found:
        fasts, slows = zip(*PAIRS, strict=True)
        fast = vbt.MA.run(closes[0], list(fasts), run_unique=True, short_name="fast")
        slow = vbt.MA.run(closes[0], list(slows), run_unique=True, short_name="slow")
        made = vbt.Portfolio.from_signals(
            closes[0], fast.ma_crossed_above(slow), fast.ma_crossed_below(slow), fees=FEE, init_cash=CASH, size=1.0
        )
        made.max_drawdown()
        return int(made.trades.closed.count().sum()), float(made.final_value().max())

    def run() -> Found:
        above = closes.rolling(FAST).mean() > closes.rolling(SLOW).mean()
        enters = (above & ~above.shift(1, fill_value=False)).shift(1, fill_value=False)
        leaves = (~above & above.shift(1, fill_value=False)).shift(1, fill_value=False)
        stops = (
            {"sl_stop": STOP, "tp_stop": TARGET, "open": opens, "high": high, "low": low} if case == "bracket" else {}
        )
        together = {"group_by": True, "cash_sharing": True} if len(values) > 1 else {}
        made = vbt.Portfolio.from_signals(
            closes, enters, leaves, price=opens, size=1.0, fees=FEE, init_cash=CASH, **stops, **together
        )
        value = made.value()
        return int(np.sum(made.trades.closed.count())), float(np.ravel(value.iloc[-1:])[0])

    return sweep if case == "sweep" else run


def backtesting(values: Any, case: str) -> Run:
    """Floats; orders fill at the next open."""
    import pandas as pd
    from backtesting import Backtest, Strategy  # type: ignore[import-not-found,unused-ignore]  # a peer

    def sma(column: Any, window: int) -> Any:
        return pd.Series(column).rolling(window).mean()

    class Cross(Strategy):  # type: ignore[misc,unused-ignore]  # a peer's class, untyped
        def init(self) -> None:
            self.fast, self.slow = self.I(sma, self.data.Close, FAST), self.I(sma, self.data.Close, SLOW)
            self.above = False

        def next(self) -> None:
            above, before, price = self.fast[-1] > self.slow[-1], self.above, self.data.Close[-1]
            self.above = above
            if above and not before:
                exits = {"sl": price * (1 - STOP), "tp": price * (1 + TARGET)} if case == "bracket" else {}
                self.buy(size=1, **exits)
            elif before and not above and self.position:
                self.position.close()

    [frame] = frames(values, _COLUMNS)

    def run() -> Found:
        made = Backtest(frame, Cross, cash=CASH, commission=FEE).run()
        return int(made["# Trades"]), float(made["Equity Final [$]"])

    return run


def backtrader(values: Any, case: str) -> Run:
    """Floats; orders fill at the next open."""
    import backtrader as bt  # type: ignore[import-not-found,unused-ignore]  # a peer

    class Cross(bt.Strategy):  # type: ignore[misc,unused-ignore]  # a peer's class, untyped
        def __init__(self) -> None:
            averages = [[bt.ind.SMA(data.close, period=window) for window in (FAST, SLOW)] for data in self.datas]
            self.averages, self.above, self.count = averages, [False] * len(self.datas), 0
            self.exits: list[Any] = []

        def notify_trade(self, trade: Any) -> None:
            self.count += trade.isclosed

        def next(self) -> None:
            for number, (data, (fast, slow)) in enumerate(zip(self.datas, self.averages, strict=True)):
                above, before = fast[0] > slow[0], self.above[number]
                self.above[number] = above
                if above and not before:
                    self._enter(data)
                elif before and not above:
                    for order in self.exits:
                        self.cancel(order)
                    self.close(data)

        def _enter(self, data: Any) -> None:
            if case != "bracket":
                self.buy(data, size=1)
                return
            price = data.close[0]
            made = self.buy_bracket(
                data,
                size=1,
                exectype=bt.Order.Market,
                stopprice=price * (1 - STOP),
                limitprice=price * (1 + TARGET),
            )
            self.exits = made[1:]

    made = frames(values, [name.lower() for name in _COLUMNS])

    def run() -> Found:
        engine = bt.Cerebro(stdstats=False)
        for frame in made:
            engine.adddata(bt.feeds.PandasData(dataname=frame))
        engine.addstrategy(Cross)
        engine.broker.setcash(CASH)
        engine.broker.setcommission(commission=FEE)
        return int(engine.run()[0].count), float(engine.broker.getvalue())

    return run


def nautilus_trader(values: Any, case: str) -> Run:
    """Decimals in a compiled core; a market order fills at the close that decides it."""
    from nautilus_trader.indicators import SimpleMovingAverage  # type: ignore[import-not-found,unused-ignore]  # a peer
    from nautilus_trader.model import data, enums  # type: ignore[import-not-found,unused-ignore]  # a peer
    from nautilus_trader.persistence.wranglers import BarDataWrangler  # type: ignore[import-not-found,unused-ignore]  # a peer
    from nautilus_trader.trading.strategy import Strategy  # type: ignore[import-not-found,unused-ignore]  # a peer

    pair, kind = _nautilus_pair(), data.BarType.from_str("BTC/USD.SIM-1-MINUTE-LAST-EXTERNAL")

    class Cross(Strategy):  # type: ignore[misc,unused-ignore]  # a peer's class, untyped
        def on_start(self) -> None:
            self.fast, self.slow, self.above = SimpleMovingAverage(FAST), SimpleMovingAverage(SLOW), False
            self.register_indicator_for_bars(kind, self.fast)
            self.register_indicator_for_bars(kind, self.slow)
            self.subscribe_bars(kind)

        def on_bar(self, bar: Any) -> None:
            if not self.slow.initialized:
                return
            above, before = self.fast.value > self.slow.value, self.above
            self.above = above
            if above != before:
                side = enums.OrderSide.BUY if above else enums.OrderSide.SELL
                self.submit_order(self.order_factory.market(pair.id, side, pair.make_qty(1)))

    [frame] = frames(values, [name.lower() for name in _COLUMNS])
    bars = BarDataWrangler(kind, pair).process(frame.tz_localize("UTC"))
    return lambda: _nautilus_run(pair, bars, Cross(), float(values[0, -1, 3]))


def _nautilus_pair() -> Any:
    from decimal import Decimal

    from nautilus_trader.model import currencies, identifiers, objects  # type: ignore[import-not-found,unused-ignore]  # a peer
    from nautilus_trader.model.instruments import CurrencyPair  # type: ignore[import-not-found,unused-ignore]  # a peer

    return CurrencyPair(
        instrument_id=identifiers.InstrumentId.from_str("BTC/USD.SIM"),
        raw_symbol=identifiers.Symbol("BTC/USD"),
        base_currency=currencies.BTC,
        quote_currency=currencies.USD,
        price_precision=4,
        size_precision=3,
        price_increment=objects.Price.from_str("0.0001"),
        size_increment=objects.Quantity.from_str("0.001"),
        maker_fee=Decimal("0.001"),
        taker_fee=Decimal("0.001"),
        ts_event=0,
        ts_init=0,
    )


def _nautilus_run(pair: Any, bars: Any, strategy: Any, last: float) -> Found:
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig  # type: ignore[import-not-found,unused-ignore]  # a peer
    from nautilus_trader.config import LoggingConfig  # type: ignore[import-not-found,unused-ignore]  # a peer
    from nautilus_trader.model import currencies, enums, identifiers, objects  # type: ignore[import-not-found,unused-ignore]  # a peer

    venue, usd, btc = identifiers.Venue("SIM"), currencies.USD, currencies.BTC
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        venue,
        oms_type=enums.OmsType.NETTING,
        account_type=enums.AccountType.CASH,
        base_currency=None,
        starting_balances=[objects.Money(CASH, usd), objects.Money(0, btc)],
    )
    engine.add_instrument(pair)
    engine.add_data(bars)
    engine.add_strategy(strategy)
    engine.run()
    account = engine.cache.account_for_venue(venue)
    equity = float(account.balance_total(usd).as_double()) + float(account.balance_total(btc).as_double()) * last
    trades = sum(order.is_closed and order.side == enums.OrderSide.SELL for order in engine.cache.orders())
    engine.dispose()
    return trades, equity


ENGINES = {one.__name__: one for one in (numba, vectorbt, backtesting, backtrader, nautilus_trader)}
WARM = ("numba", "vectorbt")
"""Those whose first run compiles."""


def grown_mib() -> float:
    """The most that the process has held, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(prepare: Callable[[Any], Run], values: Any, warm: bool) -> dict[str, float]:
    """The fastest of three runs, or the only one, and what it came to, after one over a few bars."""
    prepare(values[:, :1_000])()
    run, spent, found = prepare(values), list[float](), (0, 0.0)
    before = grown_mib()
    for _ in range(3 if warm else 1):
        begun = time.process_time()
        found = run()
        spent.append(time.process_time() - begun)
    return {"cpu_s": min(spent), "trades": found[0], "equity": found[1], "mib": grown_mib() - before}


def main() -> None:
    """Measure one engine."""
    engine, case, file = sys.argv[1:]
    values = np.load(file)
    sys.stdout.write(json.dumps(measured(lambda bars: ENGINES[engine](bars, case), values, engine in WARM)) + "\n")


if __name__ == "__main__":
    main()

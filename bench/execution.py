"""Cost of execution in one process: order events, transitions, checks, bars of a backtest, orders beside closed ones.

    python -m bench.execution [--bars 500000] [--orders 20000] [--ended 10000] [--events 1000000]

Every line stands beside a floor in the same run: the least plain Python (or numba) that a program with the same answer
could do without checks, records or exact scales. CPU seconds of this process; ratios are what to compare. Other engines
are measured by bench.peers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.brokerage import end, floor_ms, open_store, take_one, timed
from bench.floors import numba_cross, plain_orders
from bench.peers.engines import PAIRS
from brokerage import verify
from brokerage.config import Settings
from brokerage.domain.backtest.account import LOCAL, SimulatedAccount
from brokerage.domain.market.bars import Bar
from brokerage.domain.market.instrument import instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.order import Order, Side
from brokerage.domain.orders.record import advance, born
from brokerage.domain.orders.states import EventKind, after
from brokerage.domain.trading.commands import examine
from brokerage.market.configured import market_of
from qmtl.sdk import Bars, Bracket, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import STREAMED_INSTANTS, batch_outputs
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.execution.compiled.paying import Compiling
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.runner import Runner
from qmtl.sdk.strategy.assembly import assemble

EVENTS_OF_AN_ORDER = 4
MINUTE = 60_000_000_000
RUNS_S = 6.0
"""CPU seconds after which a run is not repeated."""


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement: so many a CPU second, and the floor's."""

    name: str
    unit: str
    rate: float
    floor: float

    @property
    def text(self) -> str:
        return f"| {self.name} | {self.rate:,.0f} {self.unit}/s | {self.floor:,.0f} | {self.floor / self.rate:,.1f} |"


def rate(count: int, act: Callable[[], object]) -> float:
    """Count a CPU second of the fastest of three runs, or of fewer that are long; the first may warm something up."""
    spent: list[float] = []
    while len(spent) < 3 and sum(spent) < RUNS_S:
        begun = time.process_time()
        act()
        spent.append(time.process_time() - begun)
    return count / min(spent)


class Cross(Strategy):
    """Long while a fast average is above a slow one."""

    def __init__(
        self,
        fast: int = 20,
        slow: int = 50,
        symbols: Sequence[str] = ("BTC-USD",),
        bracket: Bracket | None = None,
        held: int = 0,
    ) -> None:
        super().__init__()
        self._fast, self._slow, self._symbols, self._bracket, self._held = fast, slow, symbols, bracket, held

    def setup(self) -> None:
        for symbol in self._symbols:
            price = StreamInput(symbol, interval="1m")
            direction = signals.cross(ta.sma(price, self._fast), ta.sma(price, self._slow))
            target = signals.position_target(direction, long=0.95 / len(self._symbols))
            self.trade(target, price, bracket=self._bracket, max_bars=self._held)


def minutes(count: int, seed: int = 7, symbol: str = "BTC-USD") -> Bars:
    """A random walk in cents."""
    random = np.random.default_rng(seed)
    close = np.round(20_000 * np.exp(np.cumsum(random.normal(0, 0.0005, count))), 2)
    opened = np.concatenate([close[:1], close[:-1]])
    high = np.round(np.maximum(opened, close) * (1 + random.uniform(0, 0.0003, count)), 2)
    low = np.round(np.minimum(opened, close) * (1 - random.uniform(0, 0.0003, count)), 2)
    times = 1_600_000_020 * 10**9 // MINUTE * MINUTE + MINUTE * np.arange(count, dtype=np.int64)
    volume = np.round(random.uniform(5, 50, count), 3)
    return Bars(symbol, 60, times, np.column_stack([opened, high, low, close, volume]))


def backtests(count: int) -> list[Line]:
    """Bars a second of a whole backtest, and order events a second of one that trades all the time."""
    terms = AccountTerms(profile=spot("0.001", participation="0"))
    lines: list[Line] = []
    bars = minutes(count)
    closes = bars.values[:, 3]
    floor = rate(count, lambda: numba_cross(closes, bars.values[:, 0]))
    streamed = {"compiling": Compiling.ALWAYS, "chunk": STREAMED_INSTANTS}
    require_equal(bars, terms, streamed)
    for name, some, options in (
        ("backtest, SMA 20/50, compiled", bars, {"compiling": Compiling.ALWAYS}),
        (f"streaming replay, {STREAMED_INSTANTS:,} bars at a time", bars, streamed),
        ("the same in integers, not compiled", bars, {"compiling": Compiling.PLAIN}),
        ("the same event by event, every bar", minutes(count // 10), {"every_bar": True}),
    ):

        def run(some: Bars = some, options: Mapping[str, Any] = options) -> None:
            replay(assemble(Cross()), some, terms, **options)

        lines.append(Line(name, "bars", rate(len(some), run), floor))
    busy = minutes(max(count // 20, 1_000), 3)
    assembled = assemble(Cross(2, 3))
    outputs = batch_outputs(assembled.dag, busy)
    fills = len(replay(assembled, busy, terms, outputs=outputs).fills)
    floor = rate(fills * EVENTS_OF_AN_ORDER, lambda: plain_orders(fills))
    for name, every_bar in (("order events of a backtest, batch", False), ("the same with every record", True)):

        def trade(every_bar: bool = every_bar) -> None:
            replay(assembled, busy, terms, outputs=outputs, every_bar=every_bar)

        lines.append(Line(name, "events", rate(fills * EVENTS_OF_AN_ORDER, trade), floor))
    return lines


def require_equal(bars: Bars, terms: AccountTerms, options: Mapping[str, Any]) -> None:
    """Stop where the streaming replay is not the backtest."""
    one, other = (replay(assemble(Cross()), bars, terms, **each) for each in ({}, options))
    if list(one.fills) != list(other.fills) or one.equity != other.equity:
        raise SystemExit("the streaming replay has another result than the backtest")


def more_backtests(count: int) -> list[Line]:
    """Bars a second of ten symbols in one account, of exits by stop and target, and of a strategy that reads what it
    holds.
    """
    terms, least = AccountTerms(profile=spot("0.001", participation="0")), max(count // 10, 1_000)
    symbols = [f"AAA{number}-USD" for number in range(10)]
    traded = tuple(instrument(one, base=one[:4], quote="USD", lot="0.0001") for one in symbols)
    several = [minutes(least, number, one) for number, one in enumerate(symbols)]
    one, bracket, trail = minutes(count), Bracket(stop="0.01", target="0.02"), Bracket(trailing="0.01")
    fewer = minutes(least)
    floor = rate(count, lambda: numba_cross(one.values[:, 3], one.values[:, 0]))

    def line(name: str, strategy: Callable[[], Strategy], data: Sequence[Bars], compiling: Compiling) -> Line:
        run = partial(replay, data=data, terms=replace(terms, instruments=traded), compiling=compiling)
        return Line(name, "bars", rate(sum(map(len, data)), lambda: run(assemble(strategy()))), floor)

    ten, exits, plain = partial(Cross, symbols=symbols), partial(Cross, bracket=bracket), Compiling.PLAIN
    return [
        line("backtest, SMA 20/50, 10 symbols, compiled", ten, several, Compiling.ALWAYS),
        line("the same in integers, not compiled", ten, several, plain),
        line("the same past quiet bars", ten, [minutes(least // 10, 1, name) for name in symbols], Compiling.NEVER),
        line("backtest, SMA 20/50, stop and target, compiled", exits, [one], Compiling.ALWAYS),
        line("the same in integers, not compiled", exits, [fewer], plain),
        line("the same past quiet bars", exits, [fewer], Compiling.NEVER),
        line("backtest, SMA 20/50, trailing stop, compiled", partial(Cross, bracket=trail), [one], Compiling.ALWAYS),
        line("backtest, SMA 20/50, closed after 30 bars held", partial(Cross, held=30), [fewer], plain),
    ]


def sweeps(count: int) -> list[Line]:
    """Bars a second of a sweep in one process, each trial with its report over all bars."""
    bars, terms = minutes(count // 5), AccountTerms(profile=spot("0.001", participation="0"))
    grid = {"fast": sorted({fast for fast, _ in PAIRS}), "slow": sorted({slow for _, slow in PAIRS})}
    floor = rate(len(bars), lambda: numba_cross(bars.values[:, 3], bars.values[:, 0]))
    speed = rate(len(bars) * len(PAIRS), lambda: Runner.sweep(Cross, grid, bars, terms=terms))
    return [Line(f"sweep of {len(PAIRS)} pairs over {len(bars):,} bars", "bars", speed, floor)]


def memory(count: int) -> str:
    """The most memory that a backtest has allocated at once, at once and fed by chunks, beside what its bars hold."""
    bars, terms = minutes(count), AccountTerms(profile=spot("0.001", participation="0"))
    held, most = (bars.values.nbytes + bars.open_ns.nbytes) / 2**20, list[float]()
    for chunk in (0, STREAMED_INSTANTS):
        tracemalloc.start()
        replay(assemble(Cross()), bars, terms, compiling=Compiling.ALWAYS, chunk=chunk)
        most.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.stop()
    added = f"{most[0]:.0f} MiB, streaming {most[1]:.0f} MiB"
    return f"| memory of a backtest of {count:,} bars beside its bars | {added} | bars: {held:.0f} MiB | |"


def first_call(count: int) -> str:
    """CPU seconds of the first backtest of a process after its imports, with nothing compiled before."""
    program = (
        "import time, numba, bench.execution as b\n"
        "terms = b.AccountTerms(profile=b.spot('0.001', participation='0'))\n"
        "bars = b.minutes({count}); begun = time.process_time()\n"
        "b.replay(b.assemble(b.Cross()), bars, terms{options})\n"
        "print(time.process_time() - begun)\n"
    )
    spent: list[float] = []
    for options in ("", ", compiling=b.Compiling.ALWAYS"):
        with tempfile.TemporaryDirectory() as folder:
            environ, code = {**os.environ, "QMTL_COMPILED_DIR": folder}, program.format(count=count, options=options)
            made = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
        spent.append(float(made.stdout))
    return (
        f"| first backtest of {count:,} bars, nothing kept | {spent[0]:.2f} s | compiled at once: {spent[1]:.2f} s | |"
    )


def orders(count: int) -> list[Line]:
    """The event path by itself: submit and fill, one order after another."""

    def bar(number: int) -> Bar:
        price = 100 * 10**24
        return Bar(number * MINUTE, (number + 1) * MINUTE, price, price, price, price, 10**15)

    def run() -> None:
        account = SimulatedAccount(margin(1, "0.001", participation="0"), {"USD": Decimal(10**8)})
        account.on_bar("BTC-USD", bar(0))
        for number in range(1, count + 1):
            side = Side.BUY if number % 2 else Side.SELL
            account.market("BTC-USD", side, Decimal(1), number * MINUTE, f"o{number}")
            account.on_bar("BTC-USD", bar(number))

    done = count * EVENTS_OF_AN_ORDER
    return [Line("order events, submit to fill", "events", rate(done, run), rate(done, lambda: plain_orders(count)))]


def pieces(count: int) -> list[Line]:
    """Transitions of the state machine, folds of stored events, and pre-trade checks."""
    account = SimulatedAccount(margin(2, "0.001"), {"USD": Decimal(10**8)})
    view = account.view
    view.marks["BTC-USD"] = Mark(100 * 10**24, MINUTE, MINUTE)
    found = Instruments().find("BTC-USD")
    order = Order(LOCAL, "one", "BTC-USD", Side.BUY, Decimal(1))
    price = 100 * 10**24
    events = account.submit(order, MINUTE)
    events += account.on_bar("BTC-USD", Bar(MINUTE, 2 * MINUTE, price, price, price, price, 10**15))
    kinds = [EventKind.SUBMITTED, EventKind.ACCEPTED, EventKind.PENDING_CANCEL, EventKind.CANCELED]
    first = account.record("one")

    def transitions() -> None:
        for _ in range(count // len(kinds)):
            state = previous = events[0].state
            for kind in kinds:
                state, previous = after(state, previous, kind, first.order.type, first.order.tif), state

    def plain_transitions() -> None:
        table = {("A", 1): "B", ("B", 1): "C", ("C", 1): "D", ("D", 1): "A"}
        state = "A"
        for _ in range(count):
            state = table[state, 1]

    def folds() -> None:
        for _ in range(count // len(events)):
            record = born(order, found, events[0])
            for event in events[1:]:
                record = advance(record, event)

    def checks() -> None:
        for _ in range(count // 10):
            if examine(view, order, found, 2 * MINUTE, RATE_ONE)[1] is not None:
                raise SystemExit("the order was refused")

    def plain_checks() -> None:
        quantity, price, cash, fee = 10**8, 100, 10**8, 0.001
        for _ in range(count // 10):
            if quantity % 1 or quantity <= 0 or quantity * price * (1 + fee) / 10**8 > cash or price <= 0:
                raise SystemExit("the order was refused")

    return [
        Line("transitions of the state machine", "events", rate(count, transitions), rate(count, plain_transitions)),
        Line(
            f"replay of {count:,} order events",
            "events",
            rate(count, folds),
            rate(count, lambda: plain_orders(count // 4)),
        ),
        Line("pre-trade checks", "checks", rate(count // 10, checks), rate(count // 10, plain_checks)),
    ]


async def cpu_ms(count: int, act: Callable[[], Awaitable[object]]) -> float:
    """CPU milliseconds of one of so many acts; commits wait for a disk that others use too."""
    begun = time.process_time()
    await act()
    return (time.process_time() - begun) * 1e3 / count


async def stored(ended: int) -> list[str]:
    """Orders a second into a store with none and with many closed orders, and the proof of its books at a start."""
    made = market_of(Settings(orders_per_s_max=0))
    market = replace(made, limits=replace(made.limits, open_orders_max=10**6))
    lines, ratios, proof = list[str](), list[float](), 0.0
    for closed in (0, ended):
        with tempfile.TemporaryDirectory() as folder:
            db = await open_store(Path(folder) / "store.db", market)
            try:
                await end(db, market, closed)
                begun = time.process_time()
                await db.read(lambda conn: verify.verify_books(conn, market))
                proof = time.process_time() - begun
                spent = await cpu_ms(200, lambda: timed(199, partial(take_one, db, market)))  # noqa: B023  # at once
                floor = await cpu_ms(200, lambda: floor_ms(db, 199))  # noqa: B023  # at once
            finally:
                await db.close()
        ratios.append(spent / floor)
        rates = f"{1e3 / spent:,.0f} orders/s | {1e3 / floor:,.0f} commits"
        lines.append(f"| order into a store with {closed:,} closed | {rates} | {ratios[-1]:.1f} |")
    lines.append(f"| the same, {ended:,} closed against none | | | {ratios[1] / ratios[0]:.2f} of it |")
    events = ended * EVENTS_OF_AN_ORDER
    return [*lines, f"| books proved at a start over {events:,} stored events | {events / proof:,.0f} events/s | | |"]


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--bars", type=int, default=500_000)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--ended", type=int, default=10_000, help="0: backtests only")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    rows = ["| what | measured, CPU | floor/s | floor is x |", "|---|---|---|---|"]
    for row in _rows(chosen):
        rows.append(row)
        print(row, flush=True)  # noqa: T201  # each as it is known
    if chosen.out is not None:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        chosen.out.write_text("\n".join([*rows, ""]))


def _rows(chosen: argparse.Namespace) -> Iterator[str]:
    """Each line once it is measured."""
    yield from (line.text for line in [*backtests(chosen.bars), *more_backtests(chosen.bars)])
    yield from (line.text for line in sweeps(chosen.bars))
    yield memory(chosen.bars)
    yield first_call(chosen.bars)
    if chosen.ended:
        yield from (line.text for line in [*orders(chosen.orders), *pieces(chosen.events)])
        yield from asyncio.run(stored(chosen.ended))


if __name__ == "__main__":
    main()

"""Random runs through compiled code are the replay of every bar, whatever is traded, by which orders and costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from decimal import Decimal as D
from typing import TypeVar

import numpy as np
import pytest

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin, spot
from qmtl.sdk import Bars, Bracket, FillEvent, Limit, Signal, Sizing, Strategy, StreamInput, signals
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.engine.compiling import is_kept
from qmtl.sdk.engine.series import Outputs, Series
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.execution.compiled.brackets.kernel import bracketed
from qmtl.sdk.execution.compiled.kernel import forward
from qmtl.sdk.execution.compiled.paying import Compiling
from qmtl.sdk.execution.compiled.several.kernel import several
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.market import START_NS, STEP_NS

T = TypeVar("T")
ONE, EXITS, MANY = "one symbol", "a bracket", "several symbols"
KERNELS = {ONE: forward, EXITS: bracketed, MANY: several}
TICKS = ("0.01", "0.05", "0.0001", "0.25")
LOTS = ("0.001", "1", "0.1", "0.00001")


@dataclass(frozen=True, eq=False)
class Drawn:
    """A run as it was drawn."""

    traded: tuple[Instrument, ...]
    data: tuple[Bars, ...]
    targets: tuple[np.ndarray, ...]
    sizing: Sizing
    bracket: Bracket | None
    limit: Limit | None
    terms: AccountTerms


class Follows(Strategy):
    """Trades what was drawn; keeps what its hooks hear."""

    def __init__(self, drawn: Drawn) -> None:
        super().__init__()
        self.drawn, self.heard = drawn, list[object]()

    def setup(self) -> None:
        drawn = self.drawn
        for one in drawn.traded:
            price = StreamInput(one.symbol)
            target = signals.position_target(price, long=1.0)
            self.trade(target, price, sizing=drawn.sizing, bracket=drawn.bracket, order=drawn.limit)

    def on_signal(self, signal: Signal) -> None:
        self.heard.append(signal)

    def on_fill(self, fill: FillEvent) -> None:
        self.heard.append(fill)


class Drawing:
    """Draws a run of a kind by a seed."""

    def __init__(self, kind: str, seed: int) -> None:
        self._random = np.random.default_rng((sorted(KERNELS).index(kind), seed))
        self._kind = kind

    def run(self) -> Drawn:
        """The run."""
        bars, spread = int(self._random.integers(2, 260)), self._one(0.0005, 0.003, 0.02)
        number = int(self._random.integers(2, 6)) if self._kind == MANY else 1
        last_ns = START_NS + bars * STEP_NS
        traded = tuple(self._instrument(at, last_ns) for at in range(number))
        exits = self._kind == EXITS or self._random.random() < 0.04
        return Drawn(
            traded,
            tuple(self._bars(one, bars, spread) for one in traded),
            tuple(self._targets(bars, number) for _ in traded),
            Sizing.UNITS if self._random.random() < 0.25 else Sizing.EQUITY_FRACTION,
            self._bracket() if exits else None,
            Limit(offset=self._one("0", "0.001")) if self._random.random() < 0.06 else None,
            AccountTerms(
                cash=D(self._one(700, 100_000, 3_000_000)),
                profile=self._profile(),
                instruments=traded,
                latency=timedelta(seconds=self._one(*[0] * 24, 1_200)),
            ),
        )

    def _one(self, *values: T) -> T:
        return values[int(self._random.integers(len(values)))]

    def _instrument(self, at: int, last_ns: int) -> Instrument:
        tick, lot = self._one(*TICKS), self._one(*LOTS)
        listed = self._random.random() < 0.05 and last_ns > START_NS + 20 * STEP_NS
        made = instrument(
            f"C{at}-USD",
            base=f"C{at}",
            quote="USD",
            tick=tick,
            lot=lot,
            notional_min=self._one("0", "0", "10"),
            asset_class=AssetClass.CRYPTO,
            listed_ns=START_NS + 5 * STEP_NS if listed else 0,
            delisted_ns=last_ns - STEP_NS // 2 if listed else 0,
        )
        most = 10**8 * self._one(0, 0, 0, 60_000, 400)  # orders above are denied
        return replace(made, notional_max=most)

    def _bars(self, one: Instrument, count: int, spread: float) -> Bars:
        random, tick = self._random, float(one.price_decimal(one.tick))
        close = 30.0 * np.exp(np.cumsum(random.normal(0, spread, count)))
        opened = np.concatenate([close[:1], close[:-1]]) * (1 + random.normal(0, spread / 5, count))
        high = np.maximum(opened, close) * (1 + random.uniform(0, spread, count))
        low = np.minimum(opened, close) * (1 - random.uniform(0, spread, count))
        prices = [np.round(np.maximum(np.round(one / tick), 1) * tick, 4) for one in (opened, high, low, close)]
        volume = np.round(random.uniform(1, 60_000, count), 2)
        volume[random.uniform(size=count) < self._one(0.0, 0.02)] = 0.0
        kept = random.uniform(size=count) >= self._one(0.0, 0.0, 0.2)
        kept[0] = True
        times = START_NS + STEP_NS * np.arange(count, dtype=np.int64)
        return Bars(one.symbol, 900, times[kept], np.column_stack([*prices, volume])[kept])

    def _targets(self, bars: int, number: int) -> np.ndarray:
        long, short = self._one(0.3, 0.9, 1.2, 2.5) / number, self._one(0.0, -0.4, -1.1, -2.5) / number
        wanted = np.array([0.0, round(long, 3), round(short, 3), round(long / 2, 3)])
        kept = self._random.choice(wanted, bars)
        return np.repeat(kept, self._one(1, 2, 7))[:bars]

    def _bracket(self) -> Bracket:
        exits = {"stop": self._one("0.001", "0.01", "0.2"), "target": self._one("0.002", "0.015", "0.3")}
        exits["trailing"] = self._one("0.0015", "0.012")
        left_out = self._one((), ("stop",), ("target",), ("trailing",), ("stop", "trailing"), ("stop", "target"))
        return Bracket(**{name: share for name, share in exits.items() if name not in left_out})

    def _profile(self) -> BrokerageProfile:
        slippage, participation = self._one("0", "0", "0.0005"), self._one("0", "0", "0.2")
        if self._random.random() < 0.4:
            made = spot("0.001", slippage=slippage, participation=participation)
        else:
            made = margin(self._one(1, 2, 4), "0.001", slippage=slippage, participation=participation)
        return replace(made, fee=PercentFee(*self._one((0, 0), (20_000, 45_671), (100_000, 100_000), (0, 9_999))))


def run(drawn: Drawn, compiling: Compiling, *, every: bool = False) -> tuple[RunResult, list[object]]:
    """What was drawn, by its targets."""
    strategy = Follows(drawn)
    assembled = assemble(strategy)
    values = dict(batch_outputs(assembled.dag, drawn.data).by_id)
    targets = dict(zip((one.symbol for one in drawn.traded), drawn.targets, strict=True))
    for rule in assembled.rules:
        commands = values[rule.command.node_id]
        at = (commands.time_ns - START_NS) // STEP_NS - 1
        rows = np.column_stack([targets[rule.symbol][at], commands.rows[:, 1]])
        values[rule.command.node_id] = Series(commands.time_ns, rows)
    made = replay(assembled, drawn.data, drawn.terms, outputs=Outputs(values), every_bar=every, compiling=compiling)
    return made, strategy.heard


def assert_equal(kind: str, seed: int) -> RunResult:
    """All that a run says and a strategy hears is what the replay of every bar says; the run."""
    drawn = Drawing(kind, seed).run()
    (made, heard), (every, told) = run(drawn, Compiling.ALWAYS), run(drawn, Compiling.NEVER, every=True)
    for field in fields(RunResult):
        mine, theirs = getattr(made, field.name), getattr(every, field.name)
        if field.name == "time_ns":
            assert np.array_equal(mine, theirs), (kind, seed)
        elif field.name not in ("visited", "path"):
            assert mine == theirs, (kind, seed, field.name)
    assert heard == told, (kind, seed)
    return made


@pytest.mark.parametrize("kind", sorted(KERNELS))
def test_random_runs_in_compiled_code_are_the_replay_of_every_bar(kind: str) -> None:
    if kind == MANY and not is_kept(several):
        pytest.skip("compiling takes 9 s: the soak test does")
    made = [assert_equal(kind, seed) for seed in range(4)]
    assert any(one.path.startswith("compiled: ") and one.fills for one in made)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", sorted(KERNELS))
def test_a_hundred_random_runs_of_a_kind_are_the_replay_of_every_bar(kind: str) -> None:
    seen = Counter[str]()
    for seed in range(100, 200):
        made = assert_equal(kind, seed)
        compiled = made.visited.get("COMPILED", 0)
        seen.update(compiled=compiled > 0, denied=bool(made.denials), both=compiled > 0 and bool(made.denials))
        seen.update(left=made.path.startswith("past quiet bars"))
    assert seen["compiled"] > 45
    assert seen["denied"] > 10
    assert seen["both"] > 5  # a denial in the middle, and compiled code before or after it
    assert seen["left"] > 5  # orders, dates and latencies that are left to the event path

"""A replay with compiled stretches is the replay of every bar, to the last digit, and says what was compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, fields, replace
from decimal import Decimal as D
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.fees.shares import PerShareFee, ShareTier
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.models.slippage.model import ConstantSlippage, VolumeShareSlippage
from brokerage.domain.money import rate
from qmtl.sdk import Bars, FillEvent, Signal, Sizing, Strategy, StreamInput, signals
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.engine.compiling import work_of
from qmtl.sdk.engine.series import Outputs, Series
from qmtl.sdk.execution.backtest import Repeats, replay
from qmtl.sdk.execution.compiled.kernel import forward
from qmtl.sdk.execution.compiled.paying import BARS_OF_A_DECISION, PAYS_FROM, Compiling, cheapest
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.market import START_NS, STEP_NS

ROOT = Path(__file__).resolve().parents[4]


@dataclass(frozen=True)
class Case:
    """One random run: its bars and targets follow from the seed."""

    seed: int
    bars: int
    spread: float
    places: int
    quiet: float
    missing: float
    targets: tuple[float, ...]
    every: int
    sizing: Sizing
    lot: str
    cash: D
    profile: BrokerageProfile
    traded: Instrument


class Holds(Strategy):
    """Holds what it is given; keeps what its hooks hear."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.case, self.heard = case, list[object]()

    def setup(self) -> None:
        price = StreamInput(self.case.traded.symbol)
        self.trade(signals.position_target(price, long=1.0), price, sizing=self.case.sizing, lot=self.case.lot)

    def on_signal(self, signal: Signal) -> None:
        self.heard.append(signal)

    def on_fill(self, fill: FillEvent) -> None:
        self.heard.append(fill)


def data_of(case: Case) -> Bars:
    """A random walk with gaps, and bars in which little or nothing trades."""
    random, n = np.random.default_rng(case.seed), case.bars
    close = np.round(150.0 * np.exp(np.cumsum(random.normal(0.0, case.spread, n))), case.places)
    opened = np.round(np.concatenate([close[:1], close[:-1]]) * (1 + random.normal(0, case.spread / 4, n)), case.places)
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    volume = np.where(random.uniform(size=n) < case.quiet, 0.0, np.round(random.uniform(1, 90_000, n), 3))
    kept = random.uniform(size=n) >= case.missing
    kept[0] = True
    times = START_NS + STEP_NS * np.arange(n, dtype=np.int64)
    return Bars(case.traded.symbol, 900, times[kept], np.column_stack([opened, high, low, close, volume])[kept])


def run(
    case: Case,
    compiling: Compiling,
    *,
    every: bool = False,
    kind: type[Holds] = Holds,
    repeats: Repeats | None = None,
) -> tuple[RunResult, list[object]]:
    """The case, its targets as drawn."""
    strategy, data = kind(case), data_of(case)
    assembled = assemble(strategy)
    [rule] = assembled.rules
    values = dict(batch_outputs(assembled.dag, data).by_id)
    commands = values[rule.command.node_id]
    random = np.random.default_rng(case.seed + 1)
    kept = np.repeat(random.choice(np.array(case.targets), len(commands)), case.every)[: len(commands)]
    values[rule.command.node_id] = Series(commands.time_ns, np.column_stack([kept, commands.rows[:, 1]]))
    terms = AccountTerms(cash=case.cash, profile=case.profile, instruments=(case.traded,))
    outputs = Outputs(values)
    made = replay(assembled, data, terms, outputs=outputs, every_bar=every, compiling=compiling, repeats=repeats)
    return made, strategy.heard


def assert_equal(one: RunResult, other: RunResult) -> None:
    """All that a run says, but for how it went."""
    for field in fields(RunResult):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "time_ns":
            assert np.array_equal(mine, theirs)
        elif field.name not in ("visited", "path"):
            assert mine == theirs, field.name


def part_compiled(result: RunResult) -> float:
    """The share of its bars that was taken in compiled stretches."""
    how, _, bars = result.path.partition(": ")
    assert how in ("compiled", "in integers"), result.path
    done, _, whole = bars.removesuffix(" bars").replace(",", "").partition(" of ")
    return int(done) / int(whole)


COIN = instrument("AAA-USD", base="AAA", quote="USD", lot="0.00000001", asset_class=AssetClass.CRYPTO)
FEES = st.builds(
    PercentFee, maker=st.sampled_from([0, 100_000, 12_345]), taker=st.sampled_from([0, 100_000, 45_671, 1])
)


def profile_of(base: BrokerageProfile, fee: PercentFee, slippage: str, participation: int) -> BrokerageProfile:
    return replace(base, fee=fee, slippage=ConstantSlippage(rate(slippage)), participation=participation)


PROFILES = st.builds(
    profile_of,
    st.sampled_from([spot(), margin(1), margin(2), margin(4), margin(3)]),
    FEES,
    st.sampled_from(["0", "0", "0.0005", "0.00037", "0.02"]),
    st.sampled_from([0, 0, 10_000_000, 1_234_567]),
)
TRADED = st.sampled_from(
    [
        COIN,
        instrument("BBB-USD", base="BBB", quote="USD", tick="0.05", lot="0.1", notional_min="25"),
        instrument("CCC-USD", base="CCC", quote="USD", tick="0.25", lot="7"),
        instrument("DDD-JPY", base="DDD", quote="JPY", tick="0.001", lot="100", multiplier="0.1"),
        replace(COIN, quantity_max=5 * 10**8, quantity_min=3 * 10**6, notional_max=10**14),
    ]
)
TARGETS = [
    (0.0, 0.95),
    (0.3, 0.31, 0.9, 0.0),
    (-0.9, 0.9),
    (-0.5, 0.0, 0.25),
    (0.0, 1.0, 2.5),
    (-1.7, 1.9),
    (0.123456789012345678, 0.7071067811865476, -0.3333333333333333, 1e-9, 0.95, 0.0),
]
CASES = st.builds(
    Case,
    seed=st.integers(0, 2**32 - 1),
    bars=st.integers(2, 150),
    spread=st.sampled_from([0.001, 0.02, 0.08]),
    places=st.sampled_from([2, 2, 3, 8]),
    quiet=st.sampled_from([0.0, 0.0, 0.1]),
    missing=st.sampled_from([0.0, 0.3]),
    targets=st.sampled_from(TARGETS),
    every=st.sampled_from([1, 2, 7]),
    sizing=st.sampled_from([Sizing.EQUITY_FRACTION, Sizing.EQUITY_FRACTION, Sizing.UNITS]),
    lot=st.sampled_from(["", "", "700", "0.7"]),
    cash=st.sampled_from([D("1000.07"), D(100_000), D("25000000.1234")]),
    profile=PROFILES,
    traded=TRADED,
)


def possible(case: Case) -> bool:
    """Whether the rule's lot is one of the instrument's scale."""
    return not case.lot or (D(case.lot) * 10**case.traded.quantity_scale) % 1 == 0


@given(case=CASES.filter(possible))
@settings(deadline=None, max_examples=120)
def test_a_replay_with_plain_stretches_is_the_replay_of_every_bar(case: Case) -> None:
    (plain, heard), (slow, told) = run(case, Compiling.PLAIN), run(case, Compiling.NEVER, every=True)
    assert_equal(plain, slow)
    assert heard == told


BASE = Case(
    seed=5,
    bars=400,
    spread=0.01,
    places=2,
    quiet=0.0,
    missing=0.0,
    targets=(0.0, 0.95, 0.4),
    every=3,
    sizing=Sizing.EQUITY_FRACTION,
    lot="",
    cash=D(100_000),
    profile=margin(2, "0.0007", slippage="0.0003", participation="0"),
    traded=COIN,
)


def test_compiled_stretches_are_those_of_the_same_functions_in_python() -> None:
    case = replace(BASE, profile=replace(BASE.profile, participation=10_000_000))
    (made, heard), (slow, told) = run(case, Compiling.ALWAYS), run(case, Compiling.NEVER, every=True)
    assert_equal(made, slow)
    assert heard == told
    assert len(made.fills) > 50
    assert 0.9 < part_compiled(made) < 1.0


def test_a_run_in_which_all_is_plain_is_compiled_from_its_first_decision_to_its_end() -> None:
    made, _ = run(BASE, Compiling.PLAIN)
    assert part_compiled(made) == 1.0
    assert set(made.visited) == {"COMPILED"}
    assert made.visited["COMPILED"] > len(made.fills)
    assert made.fills[:2] == tuple(made.fills)[:2]
    assert made.fills[-1] == tuple(made.fills)[-1]
    assert made.fills != tuple(made.fills)[:-1]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"profile": replace(BASE.profile, fee=PerShareFee((ShareTier(0, 500_000),)))}, "PerShareFee"),
        ({"profile": replace(BASE.profile, fee=PercentFee(0, -5))}, "a rebate for what takes"),
        ({"profile": replace(BASE.profile, slippage=VolumeShareSlippage())}, "VolumeShareSlippage"),
        ({"profile": replace(spot(), shares_settle_later=True)}, "settlement"),
        ({"targets": (0.0, 0.012345678901234567, 1.5)}, "targets beyond 64 bits"),
        ({"places": 14}, "prices or volumes beyond 64 bits"),
    ],
)
def test_what_is_not_compiled_says_why(changed: dict[str, object], why: str) -> None:
    made, _ = run(replace(BASE, **changed), Compiling.PLAIN)  # type: ignore[arg-type]  # fields of a Case
    assert made.path.startswith("past quiet bars: ")
    assert why in made.path


def test_hooks_that_an_instance_was_given_are_told() -> None:
    case, heard = replace(BASE, bars=40), list[object]()

    class Assigns(Holds):
        on_signal, on_fill = Strategy.on_signal, Strategy.on_fill

        def __init__(self, case: Case) -> None:
            super().__init__(case)
            self.on_fill = heard.append  # type: ignore[assignment,method-assign]  # as a user may

    made, _ = run(case, Compiling.PLAIN, kind=Assigns)
    assert part_compiled(made) == 1.0
    assert heard == list(made.fills)
    assert heard


def check_switched_off() -> None:
    """What holds in a process in which numba compiles nothing."""
    case = replace(BASE, cash=D("900000000.12345678"), bars=120)
    (made, heard), (slow, told) = run(case, Compiling.ALWAYS), run(case, Compiling.NEVER, every=True)
    assert_equal(made, slow)
    assert heard == told
    assert part_compiled(made) > 0.5


def test_with_numba_switched_off_the_same_functions_run() -> None:
    code = f"from {Path(__file__).stem} import check_switched_off as check; check()"
    paths = [str(Path(__file__).parent), str(ROOT), str(ROOT / "gen")]
    environ = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_account_beyond_what_is_proved_is_taken_bar_by_bar() -> None:
    case = replace(BASE, cash=D("85000000000"), targets=(0.0, 0.001, 0.0004))
    (made, heard), (slow, told) = run(case, Compiling.PLAIN), run(case, Compiling.NEVER, every=True)
    assert_equal(made, slow)
    assert heard == told
    assert made.fills
    assert made.path == "in integers: 0 of 400 bars"


def test_the_cheapest_way_follows_from_what_is_to_do_and_what_was_done() -> None:
    """In a process in which the kernel was compiled, where numba is on, or in Python, where it is not."""
    work = work_of(forward)
    before = work.made, work.amount
    try:
        work.made, work.amount = None, 0
        assert cheapest(0, 1_000, 1) is Compiling.NEVER
        assert cheapest(1, 1_000, 1) is Compiling.NEVER
        assert work.amount == 0
        assert cheapest(5, 1_000, 1) is Compiling.PLAIN
        assert work.amount == 1_000 + 5 * BARS_OF_A_DECISION == 1_350
        assert cheapest(1, 0, 1) is Compiling.PLAIN  # on CASH a bar between two changes costs nothing
        assert work.amount == 1_350 + BARS_OF_A_DECISION
        assert cheapest(5, 1_000, PAYS_FROM // 1_350) is Compiling.ALWAYS
        work.amount = PAYS_FROM - 1_350
        assert cheapest(5, 1_000, 1) is Compiling.ALWAYS
        work.made, work.amount = forward, 0
        assert cheapest(1, 1_000, 1) is Compiling.ALWAYS
        assert cheapest(0, 1_000, 1) is Compiling.NEVER
    finally:
        work.made, work.amount = before


def test_a_run_says_how_it_went() -> None:
    few, _ = run(replace(BASE, targets=(0.0,)), Compiling.WHERE_IT_PAYS)
    assert few.path == "past quiet bars: 0 decisions in 400 bars"
    asked, _ = run(BASE, Compiling.NEVER, every=True)
    assert asked.path == "every bar"
    plain, _ = run(BASE, Compiling.PLAIN)
    assert plain.path == "in integers: 400 of 400 bars"


def test_runs_that_share_bars_are_what_each_is_by_itself() -> None:
    repeats = Repeats(3)
    for changed in ({}, {"seed": 6}, {"traded": replace(COIN, quantity_scale=3, lot=5)}, {"targets": (0.3, 0.0)}):
        case = replace(BASE, **changed)
        (made, heard), (slow, told) = (
            run(case, Compiling.PLAIN, repeats=repeats),
            run(case, Compiling.NEVER, every=True),
        )
        assert_equal(made, slow)
        assert heard == told
    bars = data_of(BASE)
    columns = repeats.columns_of(bars, COIN)
    assert repeats.columns_of(bars, COIN) is columns
    assert repeats.columns_of(data_of(BASE), COIN) is not columns

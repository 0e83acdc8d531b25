"""A replay that passes quiet bars by is the replay of every bar, to the last digit, whatever is traded and how."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from decimal import Decimal as D
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.models.corporate import CorporateAction, Delisting, Dividend, Ending, ShareExchange, Split
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.financing import IBKR_LOANS, BorrowRate
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import margin, spot
from brokerage.domain.models.profiles.ibkr import ibkr_equities
from brokerage.domain.models.source import Dated
from qmtl.core.instants import NS_PER_S
from qmtl.sdk import Bars, Bracket, FillEvent, Limit, Runner, Signal, Sizing, Strategy, StreamInput, signals
from qmtl.sdk import indicators as ta
from qmtl.sdk.data.outputs import batch_outputs
from qmtl.sdk.execution.backtest import replay
from qmtl.sdk.execution.compiled.paying import Compiling
from qmtl.sdk.execution.run_record import RunResult
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.strategy.assembly import assemble
from tests.sdk.market import START_NS, STEP_NS, prices, walk
from tests.support.shared.examples import examples

BASES = {"BTC-USD": 40_000.0, "ETH-USD": 3_000.0, "AAPL": 150.0}
HOUR_NS = 3_600 * NS_PER_S


@dataclass(frozen=True)
class Case:
    """One random run."""

    symbols: tuple[str, ...]
    bars: int
    seed: int
    spread: float
    missing: float
    fast: int
    slow: int
    long: float
    short: float
    sizing: Sizing
    cash: int
    profile: BrokerageProfile
    latency_s: int
    acts: bool
    bracket: Bracket | None = None
    limit: Limit | None = None


class Crosses(Strategy):
    """Long above, short below, in each symbol; keeps what its hooks hear."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.case, self.heard = case, list[object]()

    def setup(self) -> None:
        case = self.case
        for symbol in case.symbols:
            price = StreamInput(symbol)
            direction = signals.cross(ta.sma(price, case.fast), ta.sma(price, case.fast + case.slow))
            target = signals.position_target(direction, long=case.long, short=case.short)
            self.trade(target, price, sizing=case.sizing, bracket=case.bracket, order=case.limit)

    def on_signal(self, signal: Signal) -> None:
        self.heard.append(signal)

    def on_fill(self, fill: FillEvent) -> None:
        self.heard.append(fill)


def data_of(case: Case) -> list[Bars]:
    """Random walks with gaps, and bars in which nothing trades."""
    made: list[Bars] = []
    for number, symbol in enumerate(case.symbols):
        random = np.random.default_rng((case.seed, number))
        close = np.round(BASES[symbol] * np.exp(np.cumsum(random.normal(0.0, case.spread, case.bars))), 2)
        opened = np.round(
            np.concatenate([close[:1], close[:-1]]) * (1 + random.normal(0, case.spread / 4, case.bars)), 2
        )
        high = np.round(np.maximum(opened, close) * (1 + random.uniform(0, case.spread, case.bars)), 2)
        low = np.round(np.minimum(opened, close) * (1 - random.uniform(0, case.spread, case.bars)), 2)
        volume = np.where(random.uniform(size=case.bars) < 0.1, 0.0, np.round(random.uniform(1, 400, case.bars), 3))
        kept = random.uniform(size=case.bars) >= case.missing
        times = START_NS + STEP_NS * np.arange(case.bars, dtype=np.int64)
        for action in actions_of(case):
            if isinstance(action, Ending) and action.symbol == symbol:
                kept &= times < action.at_ns
        made.append(Bars(symbol, 900, times[kept], np.column_stack([opened, high, low, close, volume])[kept]))
    return made


def actions_of(case: Case) -> tuple[CorporateAction, ...]:
    """A split and a dividend of the share, if there is one, and its end: for cash, another symbol or nothing."""
    if not case.acts or "AAPL" not in case.symbols:
        return ()
    random = np.random.default_rng(case.seed)
    first, second = (START_NS + int(at) * STEP_NS // 3 for at in sorted(random.integers(1, 3 * case.bars, 2)))
    last = START_NS + int(random.integers(2 * case.bars, 4 * case.bars)) * STEP_NS // 3
    endings: list[Ending] = [Delisting("AAPL", last, D("140.5")), Delisting("AAPL", last)]
    if "ETH-USD" in case.symbols:
        endings.append(ShareExchange("AAPL", last, "ETH-USD", Fraction(1, 21), D("1.5")))
    ending = [] if case.seed % 3 == 0 else [endings[case.seed % len(endings)]]
    return (Split("AAPL", first, Fraction(3, 2)), Dividend("AAPL", second, D("0.23")), *ending)


def with_time(profile: BrokerageProfile) -> BrokerageProfile:
    """A profile under which loans, shorts and perpetual positions cost, at instants on and off the grid of bars."""
    rates = tuple(Dated(START_NS + 7 * HOUR_NS * n + n, 37_000 * (-1) ** n) for n in range(1, 20))
    borrow = (Dated(0, BorrowRate(fee=9_000_000, rebate=250_000)),)
    return replace(
        profile, loans=IBKR_LOANS, borrow={"AAPL": borrow, "BTC-USD": borrow}, funding_rates={"ETH-USD": rates}
    )


FEES, SLIPS, SHARES = (st.sampled_from(one) for one in (["0", "0.001"], ["0", "0.0005"], ["0", "0.1", "0.5"]))
SPOTS = st.builds(lambda fee, slip, part: spot(fee, slippage=slip, participation=part), FEES, SLIPS, SHARES)
MARGINS = st.builds(
    lambda leverage, fee, slip, part: margin(leverage, fee, slippage=slip, participation=part),
    st.sampled_from([1, 2, 4]),
    FEES,
    SLIPS,
    SHARES,
)
PROFILES = st.one_of(
    SPOTS, SPOTS.map(lambda one: replace(one, shares_settle_later=True)), MARGINS, MARGINS.map(with_time)
)
CASES = st.builds(
    Case,
    symbols=st.sampled_from([("BTC-USD",), ("AAPL",), ("BTC-USD", "ETH-USD"), ("ETH-USD", "AAPL", "BTC-USD")]),
    bars=st.integers(2, 260),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0.001, 0.01, 0.05]),
    missing=st.sampled_from([0.0, 0.1, 0.5]),
    fast=st.integers(2, 6),
    slow=st.integers(1, 12),
    long=st.sampled_from([0.0, 0.3, 0.95, 3.3]),
    short=st.sampled_from([0.0, -0.3, -0.9, -3.1]),
    sizing=st.sampled_from([Sizing.EQUITY_FRACTION, Sizing.UNITS]),
    cash=st.sampled_from([500, 100_000]),
    profile=PROFILES,
    latency_s=st.sampled_from([0, 0, 1_200]),
    acts=st.booleans(),
)
EXITS = [
    Bracket(stop="0.002"),
    Bracket(target="0.004"),
    Bracket(stop="0.01", target="0.02"),
    Bracket(stop="0.004", target="0.003"),
    Bracket(stop="0.01", target="0.02", trailing="0.006"),
    Bracket(trailing="0.003"),
]
WITH_EXITS = st.builds(
    replace,
    CASES,
    bracket=st.sampled_from([*EXITS, None]),
    limit=st.sampled_from([None, None, Limit(), Limit(offset="0.002")]),
)


def run(case: Case, *, every: bool = False, compiling: Compiling = Compiling.NEVER) -> tuple[RunResult, list[object]]:
    """The case, bar by bar or past quiet bars, over the same values of its graph."""
    strategy, data = Crosses(case), data_of(case)
    terms = AccountTerms(
        cash=D(case.cash), profile=case.profile, actions=actions_of(case), latency=timedelta(seconds=case.latency_s)
    )
    assembled = assemble(strategy)
    outputs = batch_outputs(assembled.dag, data)
    made = replay(assembled, data, terms, every_bar=every, outputs=outputs, compiling=compiling)
    return made, strategy.heard


def assert_equal(one: RunResult, other: RunResult) -> None:
    """All that a run says, but for the bars it looked at."""
    for field in fields(RunResult):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "time_ns":
            assert np.array_equal(mine, theirs)
        elif field.name not in ("visited", "path"):
            assert mine == theirs, field.name


@given(case=CASES)
@settings(deadline=None, max_examples=examples(40, 120))
def test_a_replay_past_quiet_bars_is_the_replay_of_every_bar(case: Case) -> None:
    (fast, heard), (slow, told), (plain, known) = run(case), run(case, every=True), run(case, compiling=Compiling.PLAIN)
    assert_equal(fast, slow)
    assert_equal(plain, slow)
    assert heard == told == known
    assert set(slow.visited) <= {"BEGIN", "EVERY"}


FEES_OF_MAKERS = st.builds(
    PercentFee, maker=st.sampled_from([0, 20_000, 12_345]), taker=st.sampled_from([0, 100_000, 45_671])
)
BRACKETED = st.builds(
    lambda case, profile, fee, bracket: replace(
        case, profile=replace(profile, fee=fee), bracket=bracket, latency_s=0, acts=False
    ),
    CASES.filter(lambda case: case.symbols == ("BTC-USD",)),
    st.one_of(SPOTS, MARGINS),
    FEES_OF_MAKERS,
    st.sampled_from(
        [
            *EXITS,
            Bracket(stop="0.02", target="0.5"),
            Bracket(stop="0.0131", trailing="0.0277"),
            Bracket(target="0.011", trailing="0.005"),
            Bracket(stop="0.95", target="12"),
            Bracket(target="1.5", trailing="0.95"),
        ]
    ),
)


@given(case=BRACKETED)
@settings(deadline=None, max_examples=examples(30, 300))
def test_a_replay_with_brackets_in_integers_is_the_replay_of_every_bar(case: Case) -> None:
    (plain, heard), (slow, told) = run(case, compiling=Compiling.PLAIN), run(case, every=True)
    assert_equal(plain, slow)
    assert heard == told


@pytest.mark.timeout(600)  # 5 s of compiling, on a machine that others use too
@pytest.mark.parametrize("bracket", [Bracket(stop="0.01", target="0.02"), Bracket(stop="0.004", trailing="0.01")])
def test_brackets_are_compiled_from_one_close_without_a_position_to_another(bracket: Bracket) -> None:
    case = replace(replace_case(bars=1_000), fast=5, slow=15, bracket=bracket, short=-0.5, profile=margin(2, "0.001"))
    case = replace(case, profile=replace(case.profile, participation=0))
    (made, heard), (slow, told) = run(case, compiling=Compiling.ALWAYS), run(case, every=True)
    assert_equal(made, slow)
    assert heard == told
    assert len(made.fills) > 40
    assert made.path.startswith("compiled: ")
    assert made.visited["COMPILED"] > 0.7 * sum(made.visited.values())  # bars without volume are left to the event path


@given(case=WITH_EXITS)
@settings(deadline=None, max_examples=25)
def test_a_replay_past_bars_that_reach_no_exit_is_the_replay_of_every_bar(case: Case) -> None:
    (fast, heard), (slow, told) = run(case), run(case, every=True)
    assert_equal(fast, slow)
    assert heard == told


def test_exits_are_looked_at_only_where_a_bar_reaches_them() -> None:
    case = replace(
        replace_case(bars=4_000), spread=0.001, fast=50, slow=100, bracket=Bracket(stop="0.01", target="0.02")
    )
    fast, _ = run(case)
    assert len(fast.fills) > 10
    assert sum(fast.visited.values()) < 12 * len(fast.fills)
    assert fast.visited["ORDER"] > 0
    trailed, _ = run(replace(case, bracket=Bracket(trailing="0.01")))
    assert 100 < sum(trailed.visited.values()) < 500
    assert trailed.visited.get("ORDER_BY_BAR", 0) < 5


def test_a_target_that_does_not_change_is_looked_at_only_where_something_can_happen() -> None:
    case = Case(
        ("BTC-USD",), 20_000, 3, 0.001, 0.0, 50, 100, 0.9, 0.0, Sizing.EQUITY_FRACTION, 100_000, spot(), 0, False
    )
    fast, _ = run(case)
    looked = sum(fast.visited.values())
    assert 100 < len(fast.fills) < looked < 500
    assert set(fast.visited) <= {"BEGIN", "DECISION", "ORDER"}


def test_actions_of_what_is_not_traded_keep_no_bar_from_being_passed_by() -> None:
    case = replace_case(bars=400)
    data, others = data_of(case), (Dividend("AAPL", START_NS, D("0.23")),)
    one, other = (
        Runner.backtest(Crosses(case), data[0], terms=AccountTerms(profile=case.profile, actions=actions)).replay
        for actions in ((), others)
    )
    assert_equal(one, other)
    assert one.visited == other.visited


def test_what_keeps_a_replay_from_passing_bars_by_is_named() -> None:
    class Holds(Strategy):
        def __init__(self, units: float) -> None:
            super().__init__()
            self.units = units

        def setup(self) -> None:
            price = StreamInput("BTC-USD")
            self.trade(signals.position_target(price, long=self.units), price, sizing=Sizing.UNITS)

    denied = Runner.backtest(Holds(1.0), prices(*[100.0] * 50), terms=AccountTerms(D(50), spot("0"))).replay
    assert len(denied.denials) == 50
    assert denied.visited == {"BEGIN": 1, "DECISION": 49}
    ruined = Runner.backtest(
        Holds(-1.0), prices(*[100.0] * 5, *[160.0] * 5), terms=AccountTerms(D(50), margin(4, "0"))
    ).replay
    assert ruined.ended
    assert {"MARGIN", "ENDING"} <= set(ruined.visited)


@pytest.mark.parametrize("short", [0.0, -0.9])
def test_equity_beyond_what_a_product_of_int64_holds_is_exact(short: float) -> None:
    cash, closes = D(30_000_000_000), [0.123456789012345, 0.1234567890123, 0.1334567890123, 0.13, 0.123456789012345] * 8
    symbol = prices(*closes, symbol="AAPL", volume=1e15)

    class Flips(Strategy):
        def setup(self) -> None:
            price = StreamInput("AAPL")
            direction = signals.cross(ta.sma(price, 2), ta.sma(price, 3))
            self.trade(signals.position_target(direction, long=0.9, short=short), price)

    terms = AccountTerms(cash=cash, profile=margin(1, "0.001", participation="0"))
    fast = Runner.backtest(Flips(), symbol, terms=terms).replay
    assert_equal(fast, Runner.backtest(Flips(), symbol, terms=terms, every_bar=True).replay)
    assert fast.fills


def test_a_curve_reads_as_the_decimals_it_stands_for() -> None:
    equity = Runner.backtest(Crosses(replace_case(bars=40)), walk(40)).replay.equity
    assert equity == tuple(equity)
    assert equity[:5] == tuple(equity)[:5]
    assert equity != tuple(equity)[:-1]
    assert equity.floats.tolist() == [float(value) for value in equity]


def replace_case(bars: int) -> Case:
    """A plain case of one symbol."""
    return Case(("BTC-USD",), bars, 1, 0.01, 0.0, 2, 3, 0.9, 0.0, Sizing.EQUITY_FRACTION, 100_000, spot(), 0, False)


def test_a_fraction_of_equity_is_sized_by_the_fees_of_its_day() -> None:
    class Rises(Strategy):
        def setup(self) -> None:
            price = StreamInput("AAPL")
            self.trade(signals.position_target(signals.threshold(price, above=100.0, below=100.0), long=0.9), price)

    terms = AccountTerms(cash=D(100_000), profile=ibkr_equities(regulatory=True))
    data = prices(*[101.0] * 3, *[99.0] * 3, symbol="AAPL", volume=1e6)
    assert [fill.quantity > 0 for fill in Runner.backtest(Rises(), data, terms=terms).replay.fills] == [True, False]

"""What a backtest starts with: profiles by name, what they charge over time, and corporate actions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from brokerage.domain.market.instrument import AssetClass
from brokerage.domain.models.corporate import CorporateAction, Delisting, Dividend, ShareExchange, Split
from brokerage.domain.models.financing import IBKR_PRO_USD, LoanRates
from brokerage.domain.models.profiles.generic import margin
from brokerage.domain.models.source import Dated
from qmtl.core.errors import InvalidRequest, NotFound
from qmtl.sdk import AccountTerms, Bars, Runner, Sizing, Strategy, StreamInput, instrument, signals
from qmtl.sdk.reports.tearsheet import exposure
from tests.sdk.market import START_NS, prices

DAY_NS = 86_400 * 10**9
STOCK = instrument("X", base="X", quote="USD", calendar="XNYS")
NEW = instrument("Y", base="Y", quote="USD", calendar="XNYS")
FREE = margin(2, fee="0", participation="0")


class Holding(Strategy):
    """Holds a fixed number while the price is above a level."""

    def __init__(self, symbol: str, units: float, above: float = 0.0) -> None:
        super().__init__()
        self._symbol, self._units, self._above = symbol, units, above

    def setup(self) -> None:
        price = StreamInput(self._symbol, interval="1d") if self._symbol == "X" else StreamInput(self._symbol)
        direction = signals.threshold(price, above=self._above, below=self._above - 1.0)
        target = signals.position_target(direction, long=self._units, short=0.0)
        self.trade(target, price, sizing=Sizing.UNITS)


class Both(Strategy):
    """Holds 40 X from the first day on, and of Y what X becomes until the price is above 70."""

    def setup(self) -> None:
        old, new = StreamInput("X", interval="1d"), StreamInput("Y", interval="1d")
        always = signals.position_target(signals.threshold(old, above=0.0, below=-1.0), long=40.0, short=0.0)
        self.trade(always, old, sizing=Sizing.UNITS)
        high = signals.threshold(new, above=70.0, below=70.0)
        self.trade(signals.position_target(high, long=0.0, short=20.0), new, sizing=Sizing.UNITS)


def daily(*closes: float, symbol: str = "X") -> Bars:
    """Days at one price each."""
    column = np.array(closes)
    times = START_NS // DAY_NS * DAY_NS + DAY_NS * np.arange(len(closes), dtype=np.int64)
    return Bars(symbol, 86_400, times, np.column_stack([column] * 4 + [np.full(len(closes), 1e9)]))


def test_a_profile_by_its_name_charges_by_its_table() -> None:
    terms = AccountTerms(profile="ibkr_equities", instruments=(STOCK,))
    result = Runner.backtest(Holding("X", 300), daily(*[100.0] * 4), terms=terms).replay
    assert [fill.fee for fill in result.fills] == [Decimal("1.5")]
    assert not result.carried


def test_a_profile_that_is_unknown_or_of_another_class_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match=r"E_PROFILE_UNKNOWN.*ibkr_equities"):
        Runner.backtest(Holding("X", 1), daily(100.0), terms=AccountTerms(profile="ibkr", instruments=(STOCK,)))
    with pytest.raises(NotFound, match=r"E_PROFILE_TABLE_MISSING.*ibkr_equities.*BTC-USD.*CRYPTO"):
        Runner.backtest(Holding("BTC-USD", 1), prices(100.0, 100.0, 100.0), terms=AccountTerms(profile="ibkr_equities"))


def test_a_loan_bears_interest_each_night_and_the_result_says_how_much() -> None:
    loans = {"USD": LoanRates(IBKR_PRO_USD, (Dated(0, 2_100_000),))}  # 2.1 + 1.5 % of a year of 360 days: 1 in 10,000
    terms = AccountTerms(Decimal(10_000), replace(FREE, loans=loans), instruments=(STOCK,))
    result = Runner.backtest(Holding("X", 150), daily(*[100.0] * 4), terms=terms).replay
    # bought at the second day's open; the nights after the second, the third and the fourth day
    owed = Decimal("0.5") + Decimal("0.50005") + Decimal("0.50010")
    assert abs(result.carried["INTEREST"] + owed) < Decimal("0.00001")
    assert result.equity[-1] == 10_000 + result.carried["INTEREST"]


def test_an_assumed_rate_is_told_below_the_first_line() -> None:
    for until_ns, told in ((None, False), (0, True)):
        loans = {"USD": LoanRates(IBKR_PRO_USD, (Dated(0, 2_100_000),), until_ns)}
        terms = AccountTerms(Decimal(10_000), replace(FREE, loans=loans), instruments=(STOCK,))
        result = Runner.backtest(Holding("X", 150), daily(*[100.0] * 4), terms=terms)
        sentence = "the benchmark of USD loans is 2.1 % after 1970-01-01, where its table ends"
        assert result.replay.assumptions == ((sentence,) if told else ())
        assert (sentence in str(result).splitlines()[1]) is told
        assert (sentence in result.to_json()) is told


def test_an_order_on_its_way_misses_the_bars_that_start_before_it_arrives() -> None:
    for latency, price in ((timedelta(0), 101), (timedelta(microseconds=1), 102), (timedelta(days=2), 103)):
        terms = AccountTerms(profile=FREE, instruments=(STOCK,), latency=latency)
        result = Runner.backtest(Holding("X", 1), daily(100.0, 101.0, 102.0, 103.0), terms=terms).replay
        assert [fill.price for fill in result.fills] == [price]
    terms = AccountTerms(profile=FREE, instruments=(STOCK,), latency=timedelta(seconds=-1))
    with pytest.raises(InvalidRequest, match=r"E_FIELD.*latency"):
        Runner.backtest(Holding("X", 1), daily(100.0), terms=terms)


def test_splits_and_dividends_reach_position_and_cash_before_the_first_bar_after_them() -> None:
    bars = daily(100.0, 100.0, 25.0, 24.0, 24.0)
    third, fourth = bars.open_ns.tolist()[2:4]
    actions = (Dividend("X", fourth, Decimal("1")), Split("X", third, Fraction(4)))
    terms = AccountTerms(Decimal(10_000), FREE, instruments=(STOCK,), actions=actions)
    result = Runner.backtest(Holding("X", 40), bars, terms=terms).replay
    # 40 become 160 with the third bar; the target of 40 is not decided on again
    assert result.equity == tuple(Decimal(value) for value in (10_000, 10_000, 10_000, 10_000, 10_000))
    assert result.carried == {"DIVIDEND": Decimal(160)}


def test_a_split_within_a_long_bar_comes_before_its_open_where_the_session_opens_with_it() -> None:
    bars = daily(100.0, 100.0, 25.0, 25.0)  # from midnight UTC; the exchange opens at 13:30
    for after_ns, ok in ((0, True), (1, False)):
        action = Split("X", bars.open_ns.tolist()[2] + 48_600 * 10**9 + after_ns, Fraction(4))
        terms = AccountTerms(Decimal(10_000), FREE, instruments=(STOCK,), actions=(action,))
        result = Runner.backtest(Holding("X", 40), bars, terms=terms).replay
        assert (result.equity[2] == 10_000) is ok
    unknown = replace(terms, instruments=(instrument("X", base="X", quote="USD"),))
    with pytest.raises(InvalidRequest, match=r"E_FIELD.*actions of X"):
        Runner.backtest(Holding("X", 40), bars, terms=unknown)


def test_a_trip_over_a_split_earned_what_the_account_did() -> None:
    bars = daily(100.0, 100.0, 25.0, 30.0, 30.0)
    action = Split("X", bars.open_ns.tolist()[2], Fraction(4))
    terms = AccountTerms(Decimal(10_000), FREE, instruments=(STOCK,), actions=(action,))
    result = Runner.backtest(Holding("X", 40, above=50.0), bars, terms=terms).replay
    assert [fill.quantity for fill in result.fills] == [40, -160]
    assert [trade.profit for trade in result.trades] == [float(result.equity[-1] - 10_000)]


def test_a_merger_moves_a_trip_into_the_new_shares() -> None:
    old, new = daily(100.0, 100.0, 101.0), daily(50.0, 50.0, 50.0, 60.0, 60.0, 80.0, 80.0, symbol="Y")
    action = ShareExchange("X", new.open_ns.tolist()[3], "Y", Fraction(1, 2), Decimal(10))
    terms = AccountTerms(Decimal(10_000), FREE, instruments=(STOCK, NEW), actions=(action,))
    result = Runner.backtest(Both(), (old, new), terms=terms)
    run = result.replay
    # 20 Y were bought at 50; 40 X at 100 become 20 Y at 60 and 400 in cash; 40 Y are sold at 80 but the 20 X gave
    assert run.carried == {"EXCHANGE": Decimal(400)}
    assert [f"{fill.quantity} {fill.symbol} at {fill.price}" for fill in run.fills][:2] == [
        "40 X at 100.00",
        "20 Y at 50.00",
    ]
    assert run.equity[2] == 10_040
    assert run.equity[3] == 10_000 - 1_000 - 4_000 + 400 + 40 * 60
    assert sum(trade.profit for trade in run.trades) == float(run.equity[-1] - 10_000)
    assert not run.stuck


def test_a_delisted_share_is_paid_out_or_kept_and_told() -> None:
    old, new = daily(100.0, 100.0, 101.0), daily(50.0, 50.0, 50.0, 60.0, 60.0, symbol="Y")
    at_ns = new.open_ns.tolist()[3]
    for price, equity, stuck in ((Decimal("2.5"), 6_300, 0), (None, 10_240, 1)):
        terms = AccountTerms(Decimal(10_000), FREE, instruments=(STOCK, NEW), actions=(Delisting("X", at_ns, price),))
        result = Runner.backtest(Both(), (old, new), terms=terms)
        assert result.replay.equity[-1] == equity
        assert len(result.replay.stuck) == stuck
        assert ("40 X cannot be sold" in str(result).splitlines()[0]) is bool(stuck)


class Seeing(Strategy):
    """Holds 40 X and reads that it does."""

    def setup(self) -> None:
        price = StreamInput("X", interval="1d")
        wants = signals.when(long=self.position(price).quantity >= 0.0)
        self.trade(signals.position_target(wants, long=40.0), price, sizing=Sizing.UNITS)


def test_who_reads_its_position_is_told_as_well_of_what_cannot_be_sold() -> None:
    bars = daily(100.0, 100.0, 101.0)
    delisting = Delisting("X", int(bars.close_ns[-1]), None)
    terms = AccountTerms(Decimal(10_000), FREE, instruments=(STOCK,), actions=(delisting,))
    [said] = Runner.backtest(Seeing(), bars, terms=terms).replay.stuck
    assert "40 X cannot be sold" in said


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (ShareExchange("X", START_NS + 9 * DAY_NS, "Z", Fraction(1)), "shares of Z.*a symbol that the strategy trades"),
        (ShareExchange("X", START_NS + 9 * DAY_NS, "X", Fraction(1)), "shares of X"),
        (ShareExchange("X", START_NS + 9 * DAY_NS, "Y", Fraction(-1)), "ratio -1"),
        (ShareExchange("X", START_NS + 9 * DAY_NS, "", Fraction(0)), "ratio 0, cash 0"),
        (Delisting("X", START_NS + 9 * DAY_NS, Decimal(-1)), "price -1"),
        (Delisting("X", START_NS // DAY_NS * DAY_NS + 2 * DAY_NS), "after the start of its last bar"),
    ],
)
def test_an_ending_that_cannot_be_followed_is_refused(action: CorporateAction, message: str) -> None:
    bars = (daily(100.0, 100.0, 101.0), daily(50.0, 50.0, 50.0, 60.0, symbol="Y"))
    terms = AccountTerms(Decimal(10_000), FREE, instruments=(STOCK, NEW), actions=(action,))
    with pytest.raises(InvalidRequest, match=message):
        Runner.backtest(Both(), bars, terms=terms)


def test_the_exposure_of_contracts_counts_their_multiplier() -> None:
    contract = instrument("X", base="X", quote="USD", multiplier="50", asset_class=AssetClass.FUTURE)
    bars = daily(10.0, 10.0, 10.0)
    terms = AccountTerms(Decimal(10_000), FREE, instruments=(contract,))
    run = Runner.backtest(Holding("X", 2), bars, terms=terms).replay
    # bought at the second day's open, which is the first day's close
    assert exposure(run, [bars]).tolist() == [10.0, 10.0, 10.0]

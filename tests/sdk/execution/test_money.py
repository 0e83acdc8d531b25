"""What a backtest does to money: exact prices, the instrument's lot, margin calls, and what it says of denials."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from brokerage.domain.market.margin_tiers import margin_tiers
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.profiles.generic import margin, spot
from qmtl.core.errors import NotFound
from qmtl.sdk import AccountTerms, AssetClass, Bars, Runner, Sizing, Strategy, StreamInput, instrument, signals
from qmtl.sdk import indicators as ta
from tests.sdk.market import START_NS, STEP_NS, prices

DOGE = instrument("DOGE-USD", base="DOGE", quote="USD", asset_class=AssetClass.CRYPTO)
BIG = instrument("BIG-USD", base="BIG", quote="USD", lot="0.00001", asset_class=AssetClass.CRYPTO)
FREE = AccountTerms(cash=Decimal(1000), profile=spot("0", participation="0"))


class Trending(Strategy):
    """Long while the price is above its average."""

    def __init__(self, symbol: str, long: float = 0.9, short: float = 0.0) -> None:
        super().__init__()
        self._symbol, self._long, self._short = symbol, long, short

    def setup(self) -> None:
        price = StreamInput(self._symbol)
        direction = signals.trend(price, ta.sma(price, 10))
        self.trade(signals.position_target(direction, long=self._long, short=self._short), price)


class Turning(Strategy):
    """One unit with the sign of the last return."""

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        direction = signals.threshold(ta.returns(price, 1), above=0.0, below=0.0)
        self.trade(signals.position_target(direction, long=1.0, short=-1.0), price, sizing=Sizing.UNITS, lot="1")


class Short(Strategy):
    """Short from the first bar on, and long once the price has doubled six times."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        direction = signals.threshold(price, above=64_000.0, below=64_000.0)
        self.trade(signals.position_target(direction, long=self._share, short=-self._share), price)


def exact(values: list[Decimal], symbol: str, volume: float) -> Bars:
    column = np.array([float(value) for value in values])
    times = START_NS + STEP_NS * np.arange(len(values), dtype=np.int64)
    return Bars(symbol, 900, times, np.column_stack([column] * 4 + [np.full(len(values), volume)]))


def test_the_unit_of_account_changes_nothing_and_no_price_is_rounded() -> None:
    closes = [Decimal(repr(round(0.0712 * (1 + 0.1 * float(np.sin(i / 9))), 9))) for i in range(200)]
    small = Runner.backtest(Trending("DOGE-USD"), exact(closes, "DOGE-USD", 1e12), instruments=[DOGE])
    shifted = [close.scaleb(5) for close in closes]
    large = Runner.backtest(Trending("BIG-USD"), exact(shifted, "BIG-USD", 1e7), instruments=[BIG])
    assert small.replay.equity == large.replay.equity
    assert len(small.replay.fills) > 4
    assert {fill.price for fill in small.replay.fills} <= set(closes)


def test_prices_far_below_a_cent_are_traded_at_what_they_are() -> None:
    shib = instrument("SHIB-USD", base="SHIB", quote="USD", asset_class=AssetClass.CRYPTO)
    closes = [Decimal("0.00001234"), *[Decimal("0.00001235") + i * Decimal("0.00000001") for i in range(20)]]
    result = Runner.backtest(Trending("SHIB-USD"), exact(closes, "SHIB-USD", 1e15), instruments=[shib])
    assert result.replay.fills[0].price in closes
    assert not result.replay.denials


def test_shares_are_traded_whole_by_default() -> None:
    closes = [Decimal(100) + i for i in range(20)]
    result = Runner.backtest(Trending("AAPL"), exact(closes, "AAPL", 1e9))
    assert [fill.quantity % 1 for fill in result.replay.fills] == [0]
    assert not result.replay.denials


def test_an_unknown_instrument_names_what_to_do_and_each_way_works() -> None:
    msft = instrument("MSFT", base="MSFT", quote="USD")
    bars = exact([Decimal(100) + i for i in range(20)], "MSFT", 1e9)
    with pytest.raises(NotFound, match=r"no properties of MSFT.*instruments=\[\.\.\.\].*\[brokerage.instruments"):
        Runner.backtest(Trending("MSFT"), bars)
    assert Runner.backtest(Trending("MSFT"), bars, instruments=[msft]).replay.fills
    assert Runner.backtest(Trending("MSFT"), bars, terms=AccountTerms(instruments=(msft,))).replay.fills


def test_a_position_that_may_not_be_turned_round_is_closed_and_the_denial_is_shown() -> None:
    bars = prices(100, 101, 102, 101, 95, 96, 97, 90, 91)
    result = Runner.backtest(Turning(), bars, terms=FREE)
    fills = [(fill.quantity, fill.price) for fill in result.replay.fills]
    assert fills[:2] == [(Decimal(1), Decimal(102)), (Decimal(-1), Decimal(95))]
    assert {denial.rule for denial in result.replay.denials} == {"SHORT_UNAVAILABLE"}
    text = str(result)
    assert "could not hold what it wanted: 2 orders denied" in text.splitlines()[0]
    assert "SHORT_UNAVAILABLE" in text
    assert "a cash account sells no shorts" in " ".join(text.split())


def test_denials_are_counted_by_rule_with_their_first_and_last_time() -> None:
    poor = AccountTerms(cash=Decimal(50), profile=spot("0"))
    result = Runner.backtest(Turning(), prices(100, 101, 102, 103, 104), terms=poor)
    told = " ".join(str(result).split())
    assert [denial.rule for denial in result.replay.denials] == ["BALANCE_INSUFFICIENT"] * 4
    assert "BALANCE_INSUFFICIENT 4 2021-09-27T00:30:00Z" in told
    assert "the order needs 104 USD, free is 50 USD" in told
    [first, *_] = json.loads(result.to_json())["replay"]["denials"]
    assert first["message"] == "the order needs 101 USD, free is 50 USD"


def test_a_run_that_got_what_it_wanted_says_nothing_of_denials() -> None:
    result = Runner.backtest(Trending("BTC-USD"), prices(*range(100, 130)))
    assert "denied" not in str(result)
    assert "not authoritative" in str(result).splitlines()[0]


def test_a_short_that_rises_is_reduced_by_margin_calls_and_never_owes() -> None:
    """40 sold short at 1,030: margin 20 p, equity 141,200 - 40 p; 20 p is above 110 % of it from p = 2,426.875 on."""
    rising = prices(*(1_000 * 1.03**i for i in range(60)))
    terms = AccountTerms(profile=margin(2, "0", participation="0"))
    result = Runner.backtest(Short(0.4), rising, terms=terms)
    first = result.replay.margin_calls[0]
    assert 1_000 * 1.03**29 < 2_426.875 < 1_000 * 1.03**30
    assert first.time_ns == START_NS + 31 * STEP_NS
    assert first.message.startswith("MARGIN_CALL: equity is ")
    assert min(result.replay.equity) > 0
    assert "margin calls closed what it held" in str(result).splitlines()[0]


def test_equity_below_zero_liquidates_and_ends_the_run_with_its_reason() -> None:
    jump = prices(1_000, 1_000, 1_000, 4_000, 4_000, 100_000, 100_000, 100_000)
    terms = AccountTerms(profile=margin(2, "0", participation="0"))
    result = Runner.backtest(Short(0.4), jump, terms=terms)
    assert result.replay.ended.startswith("LIQUIDATION: equity is -")
    assert sum(fill.quantity for fill in result.replay.fills) == 0
    assert len(result.replay.equity) == 5
    assert "ended before its data: LIQUIDATION" in str(result).splitlines()[0]


def test_tiers_are_kept_and_told_of_alike_past_quiet_bars_and_bar_by_bar() -> None:
    """Equity and calls do not depend on which bars are visited; each time margin becomes short is one warning."""
    btc = Instruments().find("BTC-USD")
    assert btc is not None
    tiered = replace(btc, margin_tiers=margin_tiers("USD", [("30000", 20, "0.05", ""), ("200000", 5, "0.1", "")]))
    waves = prices(*(1_000 + 4 * i + 90 * (i % 40 > 20) for i in range(260)))
    profile = replace(margin(3, "0", participation="0"), leverage=20)
    terms = AccountTerms(cash=Decimal(30_000), profile=profile, instruments=(tiered,))
    found = [Runner.backtest(Short(2.0), waves, terms=terms, every_bar=every).replay for every in (False, True)]
    quiet, every = ((one.margin_warnings, one.margin_calls, one.equity.units.tolist(), one.fills) for one in found)
    assert quiet == every
    assert len(found[0].margin_warnings) > 1
    assert found[0].margin_warnings[0].message.startswith("MARGIN_WARNING: equity is ")
    assert found[0].margin_calls
    assert found[0].visited["MARGIN"] < len(found[0].equity)

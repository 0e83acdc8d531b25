"""The examples: each runs on the data that it comes with, batch equals streaming, none looks ahead."""

from __future__ import annotations

import numpy as np
import pytest

from brokerage.domain.models.profiles.generic import margin
from examples import (
    market_maker,
    ml_signal,
    multi_asset_momentum,
    multi_timeframe,
    optimisation,
    own_csv,
    pairs,
    rsi_mean_reversion,
)
from examples.ema_cross import EmaCross
from examples.ema_trend import EmaTrend
from qmtl.sdk import AccountTerms, Bars, Runner, Strategy, instrument
from qmtl.sdk.research.look_ahead import find_look_ahead
from qmtl.sdk.strategy.assembly import assemble

BTC = Bars.sample("demo.btc.15m")
WEEKS = BTC.between(None, int(BTC.open_ns[2_200]))
STOCKS = [Bars.sample(name) for name in multi_asset_momentum.STOCKS.values()]
TERMS = AccountTerms(
    profile=margin(2), instruments=tuple(instrument(bars.symbol, base=bars.symbol, quote="USD") for bars in STOCKS)
)


@pytest.mark.parametrize(
    ("make", "data"),
    [
        (EmaCross, [WEEKS]),
        (EmaTrend, [WEEKS]),
        (multi_timeframe.MultiTimeframe, [WEEKS]),
        (rsi_mean_reversion.RsiMeanReversion, [WEEKS]),
        (multi_asset_momentum.MultiAssetMomentum, STOCKS),
        (pairs.Pairs, STOCKS[1:]),
        (optimisation.Averages, STOCKS[:1]),
    ],
    ids=lambda given: given.__name__ if isinstance(given, type) else "",
)
def test_batch_and_streaming_fill_alike_and_nothing_looks_ahead(make: type[Strategy], data: list[Bars]) -> None:
    one, streamed, every = (
        Runner.backtest(make(), data, terms=TERMS, streaming=streaming, every_bar=every_bar).replay
        for streaming, every_bar in ((False, False), (True, False), (False, True))
    )
    assert one.fills
    for two in (streamed, every):
        assert one.fills == two.fills
        assert one.equity_floats.tobytes() == two.equity_floats.tobytes()
        assert one.denials == two.denials
    assert find_look_ahead(assemble(make()).dag, data, cuts=2) == ()


def test_shorts_and_brackets_are_in_the_reversion() -> None:
    said = rsi_mean_reversion.main()
    for side in ("long", "short"):
        for why in ("stop", "take profit"):
            assert f"{side} trades ended by {why}: " in said


def test_rotation_sells_before_it_buys_and_a_pair_has_two_legs() -> None:
    assert multi_asset_momentum.main().startswith("multi-asset-momentum")
    fills = Runner.backtest(pairs.Pairs(), STOCKS[1:], terms=TERMS).replay.fills
    opened = [fill for fill in fills if fill.time_ns == fills[0].time_ns]
    assert {fill.symbol: fill.quantity > 0 for fill in opened} in (
        {"AMZN": True, "NFLX": False},
        {"AMZN": False, "NFLX": True},
    )


def test_a_file_of_ones_own_needs_its_zone_and_then_trades() -> None:
    said = own_csv.main()
    assert said.startswith("without a zone: E_FIELD")
    assert "130 bars of 1800 s" in said
    assert "win_rate" in said
    assert "ratios of 252 sessions a year" in said


def test_a_market_maker_stays_in_its_inventory_by_hand_and_by_its_node_set() -> None:
    few = BTC.between(None, int(BTC.open_ns[150]))
    for make in (market_maker.MarketMaker, market_maker.AttachedMaker):
        one, two = (
            Runner.backtest(make(), few, terms=TERMS, every_bar=every_bar).replay for every_bar in (False, True)
        )
        held = [sum(float(fill.quantity) for fill in one.fills[:count]) for count in range(1, len(one.fills) + 1)]
        assert len(held) > 5
        assert max(map(abs, held)) <= 0.5 + 1e-9
        assert one.fills == two.fills
    assert "quotes: " in market_maker.main(few)


def test_what_a_model_learned_is_traded_after_what_it_learned_from() -> None:
    def least_squares(x: np.ndarray, y: np.ndarray) -> ml_signal.Weights:
        found, *_ = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)
        return ml_signal.Weights(tuple(map(float, found[:-1])), float(found[-1]))

    def without(x: np.ndarray, y: np.ndarray) -> ml_signal.Weights:
        raise ImportError

    assert " labels before 2021-10-" in ml_signal.main(least_squares, WEEKS)
    assert ml_signal.main(without, WEEKS) == ml_signal.INSTALL


def test_a_search_calls_no_luck_a_winner() -> None:
    said = optimisation.main(trials=8)
    assert "not significant" in said
    assert "no winner" in said

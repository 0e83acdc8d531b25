"""Targets to orders: exact, cut to the lot, one per change."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Sizing, StreamInput, indicators, signals
from qmtl.sdk.execution.planner import Planner, cut, order_for
from qmtl.sdk.execution.port import HeldPosition
from qmtl.sdk.strategy.assembly import assemble
from qmtl.sdk.strategy.rules import TradeRule
from qmtl.sdk.strategy.strategy import Strategy

T = 1_632_700_800_000_000_000


class Trading(Strategy):
    def __init__(self, sizing: Sizing, lot: str = "0.0001") -> None:
        super().__init__()
        self._chosen = (sizing, lot)

    def setup(self) -> None:
        price = StreamInput("BTC-USD")
        direction = signals.trend(indicators.ema(price, 3), indicators.ema(price, 9))
        sizing, lot = self._chosen
        self.trade(signals.position_target(direction, long=1.0), price, sizing=sizing, lot=lot)


def rule(sizing: Sizing = Sizing.EQUITY_FRACTION, lot: str = "0.0001") -> TradeRule:
    return assemble(Trading(sizing, lot)).rules[0]


def holding(expected: str = "0", equity: str = "100000") -> HeldPosition:
    return HeldPosition(Decimal(expected), Decimal(equity))


def test_a_fraction_of_equity_is_cut_toward_zero_to_the_lot() -> None:
    intent = order_for(rule(), T, 0.95, 30_000.0, holding())
    assert intent is not None
    assert intent.quantity == Decimal("3.1666")
    assert intent.client_order_id == "BTC-USD-1632700800"


def test_units_are_taken_as_they_are() -> None:
    intent = order_for(rule(Sizing.UNITS), T, -0.5, 30_000.0, holding("0.25"))
    assert intent is not None
    assert intent.quantity == Decimal("-0.75")


def test_going_flat_sells_everything_even_below_the_lot() -> None:
    intent = order_for(rule(), T, 0.0, 30_000.0, holding("1.00005"))
    assert intent is not None
    assert intent.quantity == Decimal("-1.00005")


def test_an_unchanged_target_orders_nothing_however_the_price_moves() -> None:
    planner = Planner(rule())
    assert planner.plan(T, 0.5, 30_000.0, holding()) is not None
    assert planner.plan(T + 1, 0.5, 60_000.0, holding("1.6")) is None
    assert planner.plan(T + 2, 0.25, 60_000.0, holding("1.6")) is not None


def test_less_than_a_lot_away_is_no_order() -> None:
    assert order_for(rule(Sizing.UNITS), T, 0.5, 30_000.0, holding("0.5")) is None


def test_targets_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="E_TARGET"):
        Planner(rule()).plan(T, float("nan"), 1.0, holding())


@given(st.decimals(-1000, 1000, places=8), st.sampled_from(["0.0001", "0.01", "1", "0.25"]))
def test_cutting_never_adds_and_lands_on_the_lot(quantity: Decimal, lot: str) -> None:
    result = cut(quantity, Decimal(lot))
    assert abs(result) <= abs(quantity)
    assert abs(quantity - result) < Decimal(lot)
    assert result % Decimal(lot) == 0


@pytest.mark.parametrize("lot", ["0", "-1", "x", "NaN"])
def test_bad_lots_are_refused(lot: str) -> None:
    with pytest.raises(InvalidRequest, match="E_LOT"):
        rule(lot=lot)


def test_only_decisions_can_be_traded_and_each_symbol_once() -> None:
    price = StreamInput("BTC-USD")
    strategy = Strategy()
    with pytest.raises(InvalidRequest, match="E_NOT_A_DECISION"):
        strategy.trade(indicators.ema(price, 3), price)
    target = signals.position_target(signals.trend(price, indicators.ema(price, 3)), long=1.0)
    strategy.trade(target, price)
    with pytest.raises(InvalidRequest, match="E_TRADE_DUPLICATE"):
        strategy.trade(target, price)


def test_a_strategy_runs_once_and_needs_a_setup() -> None:
    used = Trading(Sizing.UNITS)
    assemble(used)
    with pytest.raises(InvalidRequest, match="E_SETUP_TWICE"):
        assemble(used)
    with pytest.raises(InvalidRequest, match="E_SETUP"):
        assemble(Strategy())

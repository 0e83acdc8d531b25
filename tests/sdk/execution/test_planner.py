"""Targets to orders: exact, cut to the lot, one per change."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmtl.core.errors import InvalidRequest
from qmtl.sdk import Sizing, StreamInput, indicators, signals
from qmtl.sdk.execution.planner import Leg, Planner, changes, cut
from qmtl.sdk.execution.port import AskFee, FeeEstimate, HeldPosition, Request, conclude
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
    (found,) = assemble(Trading(sizing, lot)).rules
    assert isinstance(found, TradeRule)
    return found


def holding(expected: str = "0", equity: str = "100000") -> HeldPosition:
    return HeldPosition(Decimal(expected), Decimal(equity), Decimal("0.00001"), Decimal("0.01"))


def leg(rule: TradeRule, target: float, held: HeldPosition, price: float = 30_000.0) -> Leg:
    return Leg(Planner(rule), T, target, price, held)


def sized(*legs: Leg, rate: str = "0") -> list[Decimal]:
    """The quantities of a decision where fees are a share of the notional."""

    def answer(request: Request[Any]) -> FeeEstimate:
        assert isinstance(request, AskFee)
        return FeeEstimate(abs(request.quantity) * request.price * Decimal(rate))

    return [change.quantity for change in conclude(changes(legs), answer)]


def test_a_fraction_of_equity_is_cut_toward_zero_to_the_lot() -> None:
    one = leg(rule(), 0.95, holding())
    assert sized(one) == [Decimal("3.1666")]
    assert one.order(Decimal("3.1666"), Decimal("3.1666")).client_order_id == "BTC-USD-1632700800"


def test_the_instrument_s_lot_is_taken_where_the_rule_has_none() -> None:
    assert sized(leg(rule(lot=""), 0.95, holding())) == [Decimal("3.16666")]


def test_a_fraction_is_of_the_equity_that_is_left_after_the_fees() -> None:
    [quantity] = sized(leg(rule(), 1.0, holding()), rate="0.01")
    cost = quantity * 30_000
    assert 0 <= 100_000 - cost - cost / 100 < Decimal("0.0001") * 30_300


def test_all_legs_of_a_decision_pay_the_fees_together() -> None:
    legs = [leg(rule(), share, holding()) for share in (0.5, -0.5)]
    long, short = sized(*legs, rate="0.01")
    assert long == -short
    assert long * 30_000 == pytest.approx(Decimal(50_000) / Decimal("1.01"), abs=Decimal(3))


def test_without_equity_nothing_is_wanted_whatever_the_sign_of_the_target() -> None:
    assert sized(leg(rule(), 0.5, holding("-1", "-5000"))) == [Decimal(1)]


def test_units_are_taken_as_they_are() -> None:
    assert sized(leg(rule(Sizing.UNITS), -0.5, holding("0.25"))) == [Decimal("-0.75")]


def test_going_flat_sells_everything_even_below_the_lot_of_the_rule() -> None:
    assert sized(leg(rule(), 0.0, holding("1.00005"))) == [Decimal("-1.00005")]
    assert sized(leg(rule(), 0.0, holding("1.000055"))) == [Decimal("-1.00005")]


def test_a_target_is_due_until_it_was_acted_on() -> None:
    planner = Planner(rule())
    assert planner.due(0.5)
    planner.last = 0.5
    assert not planner.due(0.5)
    assert planner.due(0.25)


def test_less_than_a_lot_away_is_no_order() -> None:
    assert sized(leg(rule(Sizing.UNITS), 0.5, holding("0.5"))) == [Decimal(0)]


def test_targets_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="E_TARGET"):
        Planner(rule()).due(float("nan"))


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

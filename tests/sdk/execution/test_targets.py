"""Targets of several symbols are reached: turning round, rotating and pairs, in any order of symbols, after fees."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.market.instrument import AssetClass, Instrument, instrument
from brokerage.domain.models.fees.percent import FeeCurrency, PercentFee
from brokerage.domain.models.profiles.generic import margin, spot
from qmtl.sdk import Sizing
from tests.sdk.execution.portfolios import CASH, Portfolio
from tests.support.shared.examples import examples

BTC, ETH = "BTC-USD", "ETH-USD"
LEVERAGES = (0, 1, 2, 4)
"""0: a CASH account."""


def coin(symbol: str, lot: str = "0.00000001") -> Instrument:
    return instrument(symbol, base=symbol, quote="USD", lot=lot, asset_class=AssetClass.CRYPTO)


def on(leverage: int, fee: str = "0.001") -> Portfolio:
    profile = margin(leverage, fee, participation="0") if leverage else spot(fee, participation="0")
    return Portfolio(profile, [coin(BTC), coin(ETH)], {BTC: 100.0, ETH: 100.0})


@pytest.mark.parametrize("first", [BTC, ETH])
def test_a_rotation_on_cash_sells_first_whatever_the_order_of_symbols(first: str) -> None:
    made, fees = on(0), Decimal(0)
    for turn in range(6):
        held, other = (BTC, ETH) if turn % 2 == 0 else (ETH, BTC)
        targets = {held: 0.95, other: 0.0}
        made.play({symbol: targets[symbol] for symbol in sorted(targets, reverse=first == ETH)}, bars=4)
        assert made.account.position(other) == 0
        assert made.lots_off(held, 0.95) <= 1
    records = made.account.book.records.values()
    bought = [record for record in records if record.order.side.sign > 0]
    fees = sum((position.fees for position in made.account.portfolio().positions), Decimal(0))
    assert len(bought) == 6
    assert not made.denials
    assert made.equity == CASH - fees


def test_a_position_is_turned_round_by_one_order_of_twice_its_size() -> None:
    made = on(1)
    made.play({BTC: 0.5, ETH: 0.0}, bars=2)
    made.play({BTC: -0.5, ETH: 0.0}, bars=2)
    orders = [record.order for record in made.account.book.records.values()]
    assert [order.side.sign for order in orders] == [1, -1]
    assert made.lots_off(BTC, -0.5) <= 1
    assert not made.denials


def test_a_target_that_returns_while_only_its_closing_was_sent_is_held_again() -> None:
    made = on(2)
    made.play({BTC: 0.5, ETH: 0.5}, bars=2)
    made.play({BTC: 0.0, ETH: -0.9}, bars=1)  # BTC reduces, so that ETH is closed first and turned later
    made.play({BTC: 0.0, ETH: 0.5}, bars=2)
    assert made.account.position(BTC) == 0
    assert made.lots_off(ETH, 0.5) <= 1


@pytest.mark.parametrize(("leverage", "share"), [(2, 0.4), (2, 1.0), (1, 0.5), (4, 2.0)])
def test_both_legs_of_a_pair_turn(leverage: int, share: float) -> None:
    made = on(leverage)
    for targets in ({BTC: share, ETH: -share}, {BTC: -share, ETH: share}, {BTC: share, ETH: -share}):
        made.play(targets, bars=2)
        for symbol, target in targets.items():
            assert made.lots_off(symbol, target) <= 1
    assert not made.denials


def test_where_shorts_are_not_allowed_the_position_is_closed_and_the_rest_is_denied_once() -> None:
    made = on(0)
    made.play({BTC: 0.5, ETH: 0.0}, bars=2)
    made.play({BTC: -0.5, ETH: 0.0}, bars=6)
    assert made.account.position(BTC) == 0
    assert [denial.rule for denial in made.denials] == ["SHORT_UNAVAILABLE"]
    assert "a cash account sells no shorts" in made.denials[0].message


def test_all_the_money_is_used_to_the_last_lot_after_fees() -> None:
    for fee in ("0", "0.001"):
        made = on(0, fee)
        made.play({BTC: 1.0, ETH: 0.0}, bars=2)
        assert made.lots_off(BTC, 1.0) <= 1
        assert 0 <= made.account.cash("USD") < Decimal("0.00001")


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_fee_in_what_is_bought_is_bought_beside_it(share: float) -> None:
    fee = PercentFee(100_000, 100_000, FeeCurrency.BASE_ON_BUY)
    made = Portfolio(replace(spot(participation="0"), fee=fee), [coin(BTC)], {BTC: 100.0})
    made.play({BTC: share}, bars=2)
    assert made.lots_off(BTC, share) <= 2
    made.play({BTC: 0.0}, bars=2)
    assert made.account.position(BTC) == 0
    assert not made.denials


def test_an_increase_gives_up_when_its_reduction_does_not_fill_and_says_so() -> None:
    made = on(0)
    made.play({BTC: 0.95, ETH: 0.0}, bars=2)
    made.play({BTC: 0.0, ETH: 0.95}, bars=6, volume=0.0)
    assert [denial.rule for denial in made.denials] == ["LEG_TIMEOUT"]
    assert made.denials[0].message == (
        "ETH-USD has waited 3 bars for BTC-USD-2700 of the same decision: its target is given up"
    )
    made.play({BTC: 0.0, ETH: 0.5}, bars=3)
    assert made.lots_off(ETH, 0.5) <= 1


def test_a_denial_that_may_pass_is_tried_again_until_the_target_is_reached() -> None:
    made = on(0)
    made.play({BTC: 0.6, ETH: 0.0}, bars=2)
    made.play({BTC: 0.6, ETH: 0.6}, bars=3)
    assert {denial.rule for denial in made.denials} == {"BALANCE_INSUFFICIENT"}
    assert len(made.denials) == 3
    made.play({BTC: 0.3, ETH: 0.6}, bars=3)
    assert made.lots_off(ETH, 0.6) <= 1


WEIGHTS = st.lists(st.integers(-100, 100), min_size=6, max_size=6)


@st.composite
def journeys(draw: st.DrawFn) -> tuple[int, Portfolio, list[dict[str, float]]]:
    """An account, and targets whose gross is at most what its leverage allows; every target changes at every step."""
    leverage, count = draw(st.sampled_from(LEVERAGES)), draw(st.integers(1, 6))
    fee = draw(st.sampled_from(["0", "0.0005", "0.001", "0.01"]))
    lots = draw(st.lists(st.sampled_from(["0.00000001", "0.001", "1"]), min_size=count, max_size=count))
    cents = draw(st.lists(st.integers(1, 9_000_00), min_size=count, max_size=count))
    instruments = [coin(f"C{number}", lot) for number, lot in enumerate(lots)]
    prices = {one.symbol: cent / 100 for one, cent in zip(instruments, cents, strict=True)}
    profile = margin(leverage, fee, participation="0") if leverage else spot(fee, participation="0")
    steps: list[dict[str, float]] = []
    for _ in range(draw(st.integers(1, 4))):
        drawn = [abs(weight) if not leverage else weight for weight in draw(WEIGHTS)[:count]]
        share = draw(st.sampled_from([0.5, 0.9, 1.0])) * max(leverage, 1)
        total = max(sum(map(abs, drawn)), 1)
        names = draw(st.permutations(list(prices)))
        weights = dict(zip(prices, drawn, strict=True))
        steps.append({name: float(int(weights[name] * share / total * 1e6) / 1e6) for name in names})
    return leverage, Portfolio(profile, instruments, prices), steps


@given(journeys())
@settings(max_examples=examples(50, 150), deadline=None)
def test_every_affordable_target_is_reached_to_a_lot_after_fees(
    journey: tuple[int, Portfolio, list[dict[str, float]]],
) -> None:
    leverage, made, steps = journey
    # a lot more or less of the dearest symbol moves the fees, and with them what all others may hold
    slack = sum(map(made.lot_value, made.prices), Decimal(0)) * Decimal("0.02") + Decimal("0.0000001")
    before: dict[str, float] = {}
    for targets in steps:
        made.play(targets, bars=7)
        for symbol, target in targets.items():
            if target != before.get(symbol, 0.0):
                assert made.off(symbol, target) <= made.lot_value(symbol) + slack, (symbol, targets, made.denials)
        before = targets
        gross = sum(abs(made.account.position(s)) * Decimal(repr(p)) for s, p in made.prices.items())
        assert gross <= made.equity * max(leverage, 1) * Decimal("1.01")


@given(st.lists(st.integers(5_000, 40_000), min_size=4, max_size=30), st.integers(0, 6), st.sampled_from(LEVERAGES))
@settings(max_examples=60, deadline=None)
def test_a_result_does_not_depend_on_the_unit_of_account(cents: list[int], shift: int, leverage: int) -> None:
    def run(scale: int, lot: str) -> tuple[Decimal, list[Decimal]]:
        profile = margin(leverage, participation="0") if leverage else spot(participation="0")
        made = Portfolio(profile, [coin("DOGE", lot)], {"DOGE": 1.0})
        target = 0.9
        for cent in cents:
            made.prices["DOGE"] = float(Decimal(cent).scaleb(scale - 6))
            made.play({"DOGE": target}, bars=2)
            target = 0.9 - target if leverage == 0 else -target
        quantities = [record.order.quantity.scaleb(scale) for record in made.account.book.records.values()]
        return made.equity, quantities

    fine = f"0.{'0' * 7}1"
    assert run(0, "0.01" if shift == 6 else str(Decimal(fine).scaleb(shift))) == run(shift, fine)


def test_units_are_held_as_they_are() -> None:
    made = Portfolio(margin(2), [coin(BTC)], {BTC: 100.0}, Sizing.UNITS)
    made.play({BTC: 2.5}, bars=2)
    made.play({BTC: -1.25}, bars=2)
    assert made.account.position(BTC) == Decimal("-1.25")
